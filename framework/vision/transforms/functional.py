"""Changes of images, without chance: each takes a Pillow image or a tensor (..., C, H, W) and returns one of the same kind."""
import numbers
import warnings

from PIL import Image

from ..._core.tensor import Tensor
from . import _geometry, _pillow
from ._adjust import (  # noqa: F401 - part of this module's names
    adjust_brightness,
    adjust_contrast,
    adjust_gamma,
    adjust_hue,
    adjust_saturation,
    adjust_sharpness,
    autocontrast,
    equalize,
    invert,
    posterize,
    rgb_to_grayscale,
    solarize,
    to_grayscale,
)
from ._convert import (  # noqa: F401
    convert_image_dtype,
    get_dimensions,
    get_image_num_channels,
    get_image_size,
    is_tensor,
    normalize,
    pil_to_tensor,
    to_pil_image,
    to_tensor,
)
from ._modes import PILLOW, InterpolationMode, as_mode

__all__ = [
    "InterpolationMode", "adjust_brightness", "adjust_contrast", "adjust_gamma", "adjust_hue", "adjust_saturation", "adjust_sharpness", "affine",
    "autocontrast", "center_crop", "convert_image_dtype", "crop", "elastic_transform", "equalize", "erase", "five_crop", "gaussian_blur",
    "get_dimensions", "get_image_num_channels", "get_image_size", "hflip", "invert", "normalize", "pad", "perspective", "pil_to_tensor", "posterize",
    "resize", "resized_crop", "rgb_to_grayscale", "rotate", "solarize", "ten_crop", "to_grayscale", "to_pil_image", "to_tensor", "vflip"]


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
    if is_tensor(img):
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
    if is_tensor(img):
        if not isinstance(fill, (int, float, type(None))):
            raise TypeError("Got inappropriate fill arg")
        return _geometry.pad(img, *sides, fill or 0, padding_mode)
    return _pillow.pad(img, *sides, fill, padding_mode)


def crop(img, top, left, height, width):
    """A part of it; what lies outside is 0."""
    if not is_tensor(img):
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
    return img.flip(-1) if is_tensor(img) else img.transpose(Image.Transpose.FLIP_LEFT_RIGHT)


def vflip(img):
    """Top becomes bottom."""
    return img.flip(-2) if is_tensor(img) else img.transpose(Image.Transpose.FLIP_TOP_BOTTOM)


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
    if not is_tensor(img):
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
    if is_tensor(img):
        matrix = _geometry.inverse_affine_matrix(_from_middle(img, center), angle, translate, scale, shear)
        return _geometry.affine(img, matrix, mode.value, fill)
    matrix = _geometry.inverse_affine_matrix(center or (img.width * 0.5, img.height * 0.5), angle, translate, scale, shear)
    return _pillow.transform(img, "AFFINE", matrix, PILLOW[mode], fill)


def perspective(img, startpoints, endpoints, interpolation=InterpolationMode.BILINEAR, fill=None):
    """Seen from elsewhere: four corners (x, y), clockwise from the top left, move from startpoints to endpoints."""
    mode, coefficients = as_mode(interpolation), _geometry.perspective_coefficients(startpoints, endpoints)
    if is_tensor(img):
        return _geometry.perspective(img, coefficients, mode.value, fill)
    return _pillow.transform(img, "PERSPECTIVE", coefficients, PILLOW[mode], fill)


def _by_tensor(img, change):
    """change(tensor), also for a Pillow image."""
    return change(img) if is_tensor(img) else to_pil_image(change(pil_to_tensor(img)), mode=img.mode)


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
