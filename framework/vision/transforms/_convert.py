"""Images as Pillow images, arrays and tensors (..., C, H, W): what is which, how large, and from one to the other."""
import functools

import numpy as np
from PIL import Image

from ..._core.tensor import Tensor, wrap
from ..._dtypes import float32, get_default_dtype
from ..._functional.creation import as_tensor
from .._pixels import array_of, image_of
from . import _colors


def is_tensor(img):
    """Whether it is a tensor, and not a Pillow image.  TypeError for neither."""
    if isinstance(img, Tensor):
        if img.ndim < 2:
            raise TypeError("Tensor is not a torch image.")
        return True
    if not isinstance(img, Image.Image):
        raise TypeError(f"img should be PIL Image. Got {type(img)}")
    return False


# -- sizes -------------------------------------------------------------------------------------------------------------


def get_dimensions(img):
    """[channels, height, width]."""
    if not isinstance(img, (Tensor, Image.Image)):
        raise TypeError(f"Unexpected type {type(img)}")
    if is_tensor(img):
        return [1 if img.ndim == 2 else img.shape[-3], *img.shape[-2:]]
    return [len(img.getbands()), img.height, img.width]


def get_image_size(img):
    """[width, height]."""
    return get_dimensions(img)[:0:-1]


def get_image_num_channels(img):
    """The number of channels."""
    return get_dimensions(img)[0]


# -- to and from tensors -----------------------------------------------------------------------------------------------


def to_tensor(pic):
    """(C, H, W) of a Pillow image or an array (H, W, C): uint8 becomes the default float from 0 to 1, other types stay."""
    if not isinstance(pic, (Image.Image, np.ndarray)):
        raise TypeError(f"pic should be PIL Image or ndarray. Got {type(pic)}")
    if isinstance(pic, np.ndarray) and pic.ndim not in (2, 3):
        raise ValueError(f"pic should be 2/3 dimensional. Got {pic.ndim} dimensions.")
    if isinstance(pic, np.ndarray):
        pixels = pic[:, :, None] if pic.ndim == 2 else pic
    else:
        pixels = array_of(pic)
        if pic.mode == "1":
            pixels = pixels * np.uint8(255)
        elif pic.mode == "I;16":
            pixels = pixels.view(np.int16)
    if pixels.dtype == np.uint8:
        pixels = np.true_divide(pixels.transpose(2, 0, 1), 255, dtype=np.float32, order="C")
        return wrap(pixels).to(get_default_dtype())
    return wrap(np.ascontiguousarray(pixels.transpose(2, 0, 1)))


def pil_to_tensor(pic):
    """(C, H, W) of a Pillow image, unscaled."""
    if not isinstance(pic, Image.Image):
        raise TypeError(f"pic should be PIL Image. Got {type(pic)}")
    return wrap(array_of(pic).transpose(2, 0, 1))


_ONE_CHANNEL = {"uint8": "L", "int16": "I;16", "int32": "I", "float32": "F"}
_CHANNELS = {2: ("LA",), 3: ("RGB", "YCbCr", "HSV"), 4: ("RGBA", "CMYK", "RGBX")}


def to_pil_image(pic, mode=None):
    """A Pillow image of a tensor (C, H, W) or an array (H, W, C).  Floats from 0 to 1 become bytes, save in mode "F".

    mode: Pillow's; None for the one that fits the channels.  ValueError for one that does not.
    """
    if isinstance(pic, Tensor):
        pixels = pic.detach().cpu().numpy()
        pixels = pixels.transpose(1, 2, 0) if pixels.ndim == 3 else pixels
    elif isinstance(pic, np.ndarray):
        pixels = pic
    else:
        raise TypeError(f"pic should be Tensor or ndarray. Got {type(pic)}.")
    pixels = pixels[:, :, None] if pixels.ndim == 2 else pixels
    if pixels.ndim != 3:
        raise ValueError(f"pic should be 2/3 dimensional. Got {pixels.ndim} dimensions.")
    if pixels.shape[2] > 4:
        raise ValueError(f"pic should not have > 4 channels. Got {pixels.shape[2]} channels.")
    if pixels.dtype.kind == "f" and mode != "F":
        pixels = (pixels * 255).astype(np.uint8)
    return image_of(pixels, _mode_for(pixels, mode))


def _mode_for(pixels, mode):
    n, kind = pixels.shape[2], pixels.dtype.name
    if n == 1:
        expected = _ONE_CHANNEL.get(kind)
        if mode is not None and mode != expected:
            raise ValueError(f"Incorrect mode ({mode}) supplied for input type {kind}. Should be {expected}")
        mode = expected
    else:
        if mode is not None and mode not in _CHANNELS[n]:
            raise ValueError(f"Only modes {list(_CHANNELS[n])} are supported for {n}D inputs")
        mode = mode or (_CHANNELS[n][0] if kind == "uint8" else None)
    if mode is None:
        raise TypeError(f"Input type {kind} is not supported")
    return mode


def convert_image_dtype(image, dtype=float32):
    """To another type, scaled so that full brightness stays full.  RuntimeError where floats cannot hold the integers."""
    if not isinstance(image, Tensor):
        raise TypeError("Input img should be Tensor Image")
    return _colors.convert_dtype(image, dtype)


def normalize(tensor, mean, std, inplace=False):
    """(tensor - mean) / std, numbers for each channel.  tensor: (..., C, H, W) floats."""
    if not isinstance(tensor, Tensor):
        raise TypeError(f"img should be Tensor Image. Got {type(tensor)}")
    if not tensor.is_floating_point():
        raise TypeError(f"Input tensor should be a float tensor. Got {tensor.dtype}.")
    if tensor.ndim < 3:
        raise ValueError(f"Expected tensor to be a tensor image of size (..., C, H, W). Got tensor.size() = {tensor.shape}")
    (mean, _), (std, has_zero) = (_planes(tuple(x), tensor.dtype, tensor.device) if isinstance(x, (tuple, list)) else
                                  _as_planes(as_tensor(x, dtype=tensor.dtype, device=tensor.device)) for x in (mean, std))
    if has_zero:
        raise ValueError(f"std evaluated to zero after conversion to {tensor.dtype}, leading to division by zero.")
    mean, std = wrap(mean), wrap(std)
    return tensor.sub_(mean).div_(std) if inplace else (tensor - mean) / std


@functools.lru_cache(64)
def _planes(values, dtype, device):
    """`_as_planes` of numbers, kept: a program normalizes every image by the same few."""
    return _as_planes(as_tensor(values, dtype=dtype, device=device))


def _as_planes(x):
    """(the array of x, for each channel (C, 1, 1), whether one is zero)."""
    return (x.reshape(-1, 1, 1) if x.ndim == 1 else x)._data, bool((x == 0).any())
