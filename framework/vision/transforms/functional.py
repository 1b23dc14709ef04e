"""Changes of images, without chance: each takes a Pillow image or a tensor (..., C, H, W) and returns one of the same kind."""
import functools
import numbers
import warnings

import numpy as np
from PIL import Image, ImageOps

from ..._core.tensor import Tensor, wrap
from ..._dtypes import float32, get_default_dtype
from ..._functional.creation import as_tensor
from .._pixels import array_of, image_of
from . import _colors, _geometry, _pillow
from ._modes import PILLOW, InterpolationMode, as_mode

__all__ = [
    "InterpolationMode", "adjust_brightness", "adjust_contrast", "adjust_gamma", "adjust_hue", "adjust_saturation", "adjust_sharpness", "affine",
    "autocontrast", "center_crop", "convert_image_dtype", "crop", "elastic_transform", "equalize", "erase", "five_crop", "gaussian_blur",
    "get_dimensions", "get_image_num_channels", "get_image_size", "hflip", "invert", "normalize", "pad", "perspective", "pil_to_tensor", "posterize",
    "resize", "resized_crop", "rgb_to_grayscale", "rotate", "solarize", "ten_crop", "to_grayscale", "to_pil_image", "to_tensor", "vflip"]


def _is_tensor(img):
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
    if _is_tensor(img):
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


# -- size and place ----------------------------------------------------------------------------------------------------


def _pair(size, words="Please provide only two dimensions (h, w) for size."):
    if isinstance(size, numbers.Number):
        return int(size), int(size)
    size = tuple(size) * (2 if len(size) == 1 else 1)
    if len(size) != 2:
        raise ValueError(words)
    return size


def _resized(h, w, size, max_size):
    """(height, width) after a resize whose `size` has one number, for the shorter side, or two."""
    if len(size) == 2:
        return list(size)
    short, long = size[0], int(size[0] * max(h, w) / min(h, w))
    if max_size is not None:
        if max_size <= short:
            raise ValueError(f"max_size = {max_size} must be strictly greater than the requested size for the smaller edge size = {size}")
        if long > max_size:
            short, long = int(max_size * short / long), max_size
    return [long, short] if w <= h else [short, long]


def resize(img, size, interpolation=InterpolationMode.BILINEAR, max_size=None, antialias=True):
    """To size = (h, w); one number is for the shorter side, and max_size limits the other."""
    mode = as_mode(interpolation)
    if isinstance(size, (list, tuple)):
        if len(size) not in (1, 2):
            raise ValueError(f"Size must be an int or a 1 or 2 element tuple/list, not a {len(size)} element tuple/list")
        if max_size is not None and len(size) != 1:
            raise ValueError("max_size should only be passed if size specifies the length of the smaller edge, i.e. size should be an int or a "
                             "sequence of length 1")
    _, h, w = get_dimensions(img)
    out = _resized(h, w, [size] if isinstance(size, int) else size, max_size)
    if [h, w] == list(out):
        return img
    if _is_tensor(img):
        return _geometry.resize(img, out, mode.value, antialias)
    if antialias is False:
        warnings.warn("Anti-alias option is always applied for PIL Image input. Argument antialias is ignored.", stacklevel=2)
    return img.resize((out[1], out[0]), PILLOW[mode])


def pad(img, padding, fill=0, padding_mode="constant"):
    """Room around: padding is a number, (x, y) or (left, top, right, bottom).

    padding_mode: "constant" (of value `fill`), "edge", "reflect" (without the last row) or "symmetric" (with it).
    """
    if not isinstance(padding, (int, tuple, list)):
        raise TypeError("Got inappropriate padding arg")
    if fill is not None and not isinstance(fill, (numbers.Number, tuple, list)):
        raise TypeError("Got inappropriate fill arg")
    if not isinstance(padding_mode, str):
        raise TypeError("Got inappropriate padding_mode arg")
    sides = (padding,) if isinstance(padding, int) else tuple(padding)
    if len(sides) not in (1, 2, 4):
        raise ValueError(f"Padding must be an int or a 1, 2, or 4 element tuple, not a {len(sides)} element tuple")
    if padding_mode not in ("constant", "edge", "reflect", "symmetric"):
        raise ValueError("Padding mode should be either constant, edge, reflect or symmetric")
    sides = sides * (4 // len(sides)) if len(sides) < 4 else sides
    if _is_tensor(img):
        if not isinstance(fill, (int, float, type(None))):
            raise TypeError("Got inappropriate fill arg")
        return _geometry.pad(img, *sides, fill or 0, padding_mode)
    return _pillow.pad(img, *sides, fill, padding_mode)


def crop(img, top, left, height, width):
    """A part of it; what lies outside is 0."""
    if not _is_tensor(img):
        return img.crop((left, top, left + width, top + height))
    h, w = img.shape[-2:]
    right, bottom = left + width, top + height
    if left >= 0 and top >= 0 and right <= w and bottom <= h:
        return img[..., top:bottom, left:right]
    inside = img[..., max(top, 0):max(bottom, 0), max(left, 0):max(right, 0)]
    return _geometry.pad(inside, max(min(-left, width), 0), max(min(-top, height), 0), max(right - max(w, left), 0), max(bottom - max(h, top), 0),
                         0, "constant")


def center_crop(img, output_size):
    """The middle (h, w), or a square of this side; a smaller image is padded with 0."""
    height, width = _pair(output_size)
    _, h, w = get_dimensions(img)
    if width > w or height > h:
        img = pad(img, [max(width - w, 0) // 2, max(height - h, 0) // 2, (max(width - w, 0) + 1) // 2, (max(height - h, 0) + 1) // 2])
        _, h, w = get_dimensions(img)
        if (h, w) == (height, width):
            return img
    return crop(img, int(round((h - height) / 2)), int(round((w - width) / 2)), height, width)


def resized_crop(img, top, left, height, width, size, interpolation=InterpolationMode.BILINEAR, antialias=True):
    """`crop`, then `resize`."""
    return resize(crop(img, top, left, height, width), size, interpolation, antialias=antialias)


def five_crop(img, size):
    """The four corners (top left, top right, bottom left, bottom right) and the centre."""
    height, width = _pair(size)
    _, h, w = get_dimensions(img)
    if width > w or height > h:
        raise ValueError(f"Requested crop size {(height, width)} is bigger than input size {(h, w)}")
    corners = [(0, 0), (0, w - width), (h - height, 0), (h - height, w - width)]
    return (*(crop(img, top, left, height, width) for top, left in corners), center_crop(img, [height, width]))


def ten_crop(img, size, vertical_flip=False):
    """`five_crop` of the image and of its mirror image."""
    size = _pair(size)
    return five_crop(img, size) + five_crop(vflip(img) if vertical_flip else hflip(img), size)


def hflip(img):
    """Left becomes right."""
    return img.flip(-1) if _is_tensor(img) else img.transpose(Image.Transpose.FLIP_LEFT_RIGHT)


def vflip(img):
    """Top becomes bottom."""
    return img.flip(-2) if _is_tensor(img) else img.transpose(Image.Transpose.FLIP_TOP_BOTTOM)


def _check_sequence(value, name):
    if value is not None and not isinstance(value, (list, tuple)):
        raise TypeError(f"Argument {name} should be a sequence")


def _from_middle(img, center):
    """A centre in pixels as its distance from the image's."""
    _, h, w = get_dimensions(img)
    return [0.0, 0.0] if center is None else [c - s * 0.5 for c, s in zip(center, (w, h))]


def rotate(img, angle, interpolation=InterpolationMode.NEAREST, expand=False, center=None, fill=None):
    """By `angle` degrees against the clock, about `center` (x, y), the middle unless given.  expand: make room for all of it."""
    mode = as_mode(interpolation)
    if not isinstance(angle, (int, float)):
        raise TypeError("Argument angle should be int or float")
    _check_sequence(center, "center")
    if not _is_tensor(img):
        return img.rotate(angle, PILLOW[mode], expand, center, fillcolor=_pillow.fill_of(fill, img))
    matrix = _geometry.inverse_affine_matrix(_from_middle(img, center), -angle, [0.0, 0.0], 1.0, [0.0, 0.0])
    size = _geometry.rotated_size(matrix, img.shape[-1], img.shape[-2]) if expand else None
    return _geometry.affine(img, matrix, mode.value, fill, size)


def affine(img, angle, translate, scale, shear, interpolation=InterpolationMode.NEAREST, fill=None, center=None):
    """Rotate by `angle` degrees with the clock, translate by (x, y) pixels, scale, and shear by degrees along x or (x, y)."""
    mode = as_mode(interpolation)
    if not isinstance(angle, (int, float)):
        raise TypeError("Argument angle should be int or float")
    if not isinstance(translate, (list, tuple)):
        raise TypeError("Argument translate should be a sequence")
    if len(translate) != 2:
        raise ValueError("Argument translate should be a sequence of length 2")
    if scale <= 0:
        raise ValueError("Argument scale should be positive")
    if not isinstance(shear, (numbers.Number, list, tuple)):
        raise TypeError("Shear should be either a single value or a sequence of two values")
    _check_sequence(center, "center")
    shear = [shear, 0.0] if isinstance(shear, numbers.Number) else list(shear) * (2 if len(shear) == 1 else 1)
    if len(shear) != 2:
        raise ValueError(f"Shear should be a sequence containing two values. Got {shear}")
    if _is_tensor(img):
        matrix = _geometry.inverse_affine_matrix(_from_middle(img, center), angle, translate, scale, shear)
        return _geometry.affine(img, matrix, mode.value, fill)
    matrix = _geometry.inverse_affine_matrix(center or (img.width * 0.5, img.height * 0.5), angle, translate, scale, shear)
    return _pillow.transform(img, "AFFINE", matrix, PILLOW[mode], fill)


def perspective(img, startpoints, endpoints, interpolation=InterpolationMode.BILINEAR, fill=None):
    """Seen from elsewhere: four corners (x, y), clockwise from the top left, move from startpoints to endpoints."""
    mode, coefficients = as_mode(interpolation), _geometry.perspective_coefficients(startpoints, endpoints)
    if _is_tensor(img):
        return _geometry.perspective(img, coefficients, mode.value, fill)
    return _pillow.transform(img, "PERSPECTIVE", coefficients, PILLOW[mode], fill)


def _by_tensor(img, change):
    """change(tensor), also for a Pillow image."""
    return change(img) if _is_tensor(img) else to_pil_image(change(pil_to_tensor(img)), mode=img.mode)


def elastic_transform(img, displacement, interpolation=InterpolationMode.BILINEAR, fill=None):
    """Every pixel from elsewhere: displacement (1, H, W, 2), in units in which the image is from -1 to 1."""
    mode = as_mode(interpolation)
    if not isinstance(displacement, Tensor):
        raise TypeError("Argument displacement should be a Tensor")
    wanted = (1, *get_dimensions(img)[1:], 2)
    if tuple(displacement.shape) != wanted:
        raise ValueError(f"Argument displacement shape should be {wanted}, but given {tuple(displacement.shape)}")
    return _by_tensor(img, lambda t: _geometry.displace(t, displacement, mode.value, fill))


def gaussian_blur(img, kernel_size, sigma=None):
    """By a bell of kernel_size (x, y), odd numbers, and standard deviations sigma; None: 0.15 * size + 0.35."""
    if not isinstance(kernel_size, (int, list, tuple)):
        raise TypeError(f"kernel_size should be int or a sequence of integers. Got {type(kernel_size)}")
    kernel_size = [kernel_size] * 2 if isinstance(kernel_size, int) else list(kernel_size)
    if len(kernel_size) != 2:
        raise ValueError(f"If kernel_size is a sequence its length should be 2. Got {len(kernel_size)}")
    if any(n % 2 == 0 or n < 0 for n in kernel_size):
        raise ValueError(f"kernel_size should have odd and positive integers. Got {kernel_size}")
    if sigma is None:
        sigma = [n * 0.15 + 0.35 for n in kernel_size]
    if not isinstance(sigma, (int, float, list, tuple)):
        raise TypeError(f"sigma should be either float or sequence of floats. Got {type(sigma)}")
    sigma = [float(sigma)] * 2 if isinstance(sigma, (int, float)) else list(sigma) * (2 if len(sigma) == 1 else 1)
    if len(sigma) != 2:
        raise ValueError(f"If sigma is a sequence, its length should be 2. Got {len(sigma)}")
    if any(s <= 0 for s in sigma):
        raise ValueError(f"sigma should have positive values. Got {sigma}")
    return _by_tensor(img, lambda t: _geometry.gaussian_blur(t, kernel_size, sigma))


def erase(img, i, j, h, w, v, inplace=False):
    """The rectangle of h x w pixels at row i, column j becomes `v`.  img: a tensor."""
    if not isinstance(img, Tensor):
        raise TypeError(f"img should be Tensor Image. Got {type(img)}")
    img = img if inplace else img.clone()
    img[..., i:i + h, j:j + w] = v
    return img


# -- colour ------------------------------------------------------------------------------------------------------------


def _not_negative(factor, name):
    if factor < 0:
        raise ValueError(f"{name} ({factor}) is not non-negative.")


def adjust_brightness(img, brightness_factor):
    """0 is black, 1 as it is, 2 twice as bright."""
    if not _is_tensor(img):
        return _pillow.enhance("Brightness", img, brightness_factor)
    _not_negative(brightness_factor, "brightness_factor")
    return _colors.brightness(img, brightness_factor)


def adjust_contrast(img, contrast_factor):
    """0 is an even grey, 1 as it is."""
    if not _is_tensor(img):
        return _pillow.enhance("Contrast", img, contrast_factor)
    _not_negative(contrast_factor, "contrast_factor")
    return _colors.contrast(img, contrast_factor)


def adjust_saturation(img, saturation_factor):
    """0 is without colour, 1 as it is."""
    if not _is_tensor(img):
        return _pillow.enhance("Color", img, saturation_factor)
    _not_negative(saturation_factor, "saturation_factor")
    return _colors.saturation(img, saturation_factor)


def adjust_sharpness(img, sharpness_factor):
    """0 is blurred, 1 as it is, 2 sharper."""
    if not _is_tensor(img):
        return _pillow.enhance("Sharpness", img, sharpness_factor)
    _not_negative(sharpness_factor, "sharpness_factor")
    return _colors.sharpness(img, sharpness_factor)


def adjust_hue(img, hue_factor):
    """Turn the colour circle; from -0.5, half a turn back, to 0.5."""
    if not -0.5 <= hue_factor <= 0.5:
        raise ValueError(f"hue_factor ({hue_factor}) is not in [-0.5, 0.5].")
    return _colors.hue(img, hue_factor) if _is_tensor(img) else _pillow.hue(img, hue_factor)


def adjust_gamma(img, gamma, gain=1):
    """gain * img ** gamma, with img from 0 to 1."""
    if gamma < 0:
        raise ValueError("Gamma should be a non-negative real number")
    return _colors.gamma(img, gamma, gain) if _is_tensor(img) else _pillow.gamma(img, gamma, gain)


def to_grayscale(img, num_output_channels=1):
    """A Pillow image without colour, in one channel or three equal ones."""
    if not isinstance(img, Image.Image):
        raise TypeError("Input should be PIL Image")
    return rgb_to_grayscale(img, num_output_channels)


def rgb_to_grayscale(img, num_output_channels=1):
    """Luminance, in one channel or three equal ones."""
    if num_output_channels not in (1, 3):
        raise ValueError("num_output_channels should be either 1 or 3")
    return _colors.grayscale(img, num_output_channels) if _is_tensor(img) else _pillow.grayscale(img, num_output_channels)


def invert(img):
    """The negative."""
    return _colors.invert(img) if _is_tensor(img) else ImageOps.invert(img)


def posterize(img, bits):
    """Keep so many high bits of each byte, 0 to 8."""
    if not 0 <= bits <= 8:
        raise ValueError(f"The number if bits should be between 0 and 8. Got {bits}")
    return _colors.posterize(img, bits) if _is_tensor(img) else ImageOps.posterize(img, bits)


def solarize(img, threshold):
    """Negative where it is at least `threshold`."""
    return _colors.solarize(img, threshold) if _is_tensor(img) else ImageOps.solarize(img, threshold)


def autocontrast(img):
    """Each channel stretched from black to full brightness."""
    return _colors.autocontrast(img) if _is_tensor(img) else ImageOps.autocontrast(img)


def equalize(img):
    """Each channel with its histogram made even.  Tensors: uint8."""
    return _colors.equalize(img) if _is_tensor(img) else ImageOps.equalize(img)
