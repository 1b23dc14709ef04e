"""What version 2 does with images: version 1's functions, with what they did not know: interpolation by name, and a few more types."""
import io

import PIL.Image

from ....._core.tensor import Tensor
from ....._dtypes import float32, uint8
from ....._functional.creation import tensor
from ....._functional.joining import stack
from ....io import decode_image, encode_jpeg
from ... import _colors, _draws, _geometry, _pillow
from ... import functional as v1
from ..._modes import PILLOW, InterpolationMode
from ._dispatch import mode_of, with_channel
from ._points import padding_sides, perspective_coefficients, resized_size

_BILINEAR, _NEAREST = InterpolationMode.BILINEAR, InterpolationMode.NEAREST


# -- size and place ----------------------------------------------------------------------------------------------------


def resize(image, size, interpolation=_BILINEAR, max_size=None, antialias=True):
    """To size = (h, w); one number is for the shorter side, and max_size limits the other; None: the longer side becomes max_size."""
    return v1.resize(image, resized_size(tuple(v1.get_dimensions(image)[1:]), size, max_size), mode_of(interpolation), antialias=antialias)


@with_channel
def resize_mask(mask, size, interpolation=_NEAREST, max_size=None):
    mode = mode_of(interpolation)
    return resize(mask, size, mode if mode is InterpolationMode.NEAREST_EXACT else _NEAREST, max_size)


def affine(image, angle, translate, scale, shear, interpolation=_NEAREST, fill=None, center=None):
    """Rotate by `angle` degrees with the clock, translate by (x, y) pixels, scale, and shear by degrees along x or (x, y)."""
    return v1.affine(image, angle, translate, scale, shear, mode_of(interpolation), fill, center)


@with_channel
def affine_mask(mask, angle, translate, scale, shear, fill=None, center=None):
    return v1.affine(mask, angle, translate, scale, shear, _NEAREST, fill, center)


def rotate(image, angle, interpolation=_NEAREST, expand=False, center=None, fill=None):
    """By `angle` degrees against the clock, about `center` (x, y), the middle unless given.  expand: make room for all of it."""
    if isinstance(image, Tensor) and center is None:
        quarters = angle % 360 / 90
        if quarters in (0, 2) or (quarters in (1, 3) and (expand or image.shape[-1] == image.shape[-2])):
            return image.rot90(int(quarters), (-2, -1)) if quarters else image.clone()
    return v1.rotate(image, angle, mode_of(interpolation), expand, center, fill)


@with_channel
def rotate_mask(mask, angle, expand=False, center=None, fill=None):
    return rotate(mask, angle, _NEAREST, expand, center, fill)


def pad(image, padding, fill=None, padding_mode="constant"):
    """Room around: padding is a number, (x, y) or (left, top, right, bottom); fill: a number or one per channel.

    padding_mode: "constant" (of value `fill`), "edge", "reflect" (without the last row) or "symmetric" (with it).
    """
    if not isinstance(image, Tensor) or fill is None or isinstance(fill, (int, float)):
        return v1.pad(image, padding, 0 if fill is None else fill, padding_mode)
    if len(fill) == 1:
        return v1.pad(image, padding, fill[0], padding_mode)
    if padding_mode != "constant":
        raise ValueError(f"Padding mode '{padding_mode}' is not supported if fill is not scalar")
    out = v1.pad(image, padding)
    left, top, right, bottom = padding_sides(padding)
    colour = tensor(fill, device=image.device).to(image.dtype).reshape(-1, 1, 1)
    height, width = out.shape[-2:]
    for rows, columns in ((slice(0, top), slice(None)), (slice(height - bottom, height), slice(None)),
                          (slice(None), slice(0, left)), (slice(None), slice(width - right, width))):
        if len(range(height)[rows]) and len(range(width)[columns]):
            out[..., rows, columns] = colour
    return out


@with_channel
def pad_mask(mask, padding, fill=None, padding_mode="constant"):
    if isinstance(fill, (tuple, list)):
        raise ValueError("Non-scalar fill value is not supported")
    return pad(mask, padding, fill, padding_mode)


def perspective(image, startpoints, endpoints, interpolation=_BILINEAR, fill=None, coefficients=None):
    """Seen from elsewhere: four corners (x, y) move from startpoints to endpoints; or the map's eight coefficients, with None for both."""
    mode, numbers = mode_of(interpolation), perspective_coefficients(startpoints, endpoints, coefficients)
    if isinstance(image, Tensor):
        return _geometry.perspective(image, numbers, mode.value, fill)
    return _pillow.transform(image, "PERSPECTIVE", numbers, PILLOW[mode], fill)


@with_channel
def perspective_mask(mask, startpoints, endpoints, fill=None, coefficients=None):
    return perspective(mask, startpoints, endpoints, _NEAREST, fill, coefficients)


def elastic(image, displacement, interpolation=_BILINEAR, fill=None):
    """Every pixel from elsewhere: displacement (1, H, W, 2), in units in which the image is from -1 to 1."""
    return v1.elastic_transform(image, displacement, mode_of(interpolation), fill)


@with_channel
def elastic_mask(mask, displacement, fill=None):
    return v1.elastic_transform(mask, displacement, _NEAREST, fill)


def resized_crop(image, top, left, height, width, size, interpolation=_BILINEAR, antialias=True):
    """`crop`, then `resize`."""
    return resize(v1.crop(image, top, left, height, width), size, interpolation, antialias=antialias)


@with_channel
def resized_crop_mask(mask, top, left, height, width, size):
    return resize(v1.crop(mask, top, left, height, width), size, _NEAREST)


def crop(image, top, left, height, width):
    """A part of it; what lies outside is 0."""
    return v1.crop(image, top, left, height, width)


def center_crop(image, output_size):
    """The middle (h, w), or a square of this side; a smaller image is padded with 0."""
    return v1.center_crop(image, output_size)


# -- colour ------------------------------------------------------------------------------------------------------------


def grayscale_to_rgb(image):
    """Three equal channels; an image of three stays."""
    if isinstance(image, PIL.Image.Image):
        return image.convert("RGB")
    return image if image.shape[-3] >= 3 else v1.rgb_to_grayscale(image, 3)


def posterize(image, bits):
    """Keep so many high bits, 0 to 8; floats from 0 to 1 keep 2 ** bits levels."""
    if isinstance(image, Tensor) and image.is_floating_point():
        levels = 1 << bits
        return (image * levels).floor().clamp(0, levels - 1) / levels
    return v1.posterize(image, bits)


def equalize(image):
    """Each channel with its histogram made even; other types than bytes by way of bytes."""
    if not isinstance(image, Tensor):
        return v1.equalize(image)
    planes = _colors.convert_dtype(image, uint8).reshape(-1, *image.shape[-3:])
    return _colors.convert_dtype(v1.equalize(planes).reshape(image.shape), image.dtype)


def permute_channels(image, permutation):
    """The channels in another order."""
    if isinstance(image, PIL.Image.Image):
        return v1.to_pil_image(permute_channels(v1.pil_to_tensor(image), permutation))
    order = permutation.tolist() if isinstance(permutation, Tensor) else list(permutation)
    if len(order) != image.shape[-3]:
        raise ValueError(f"Length of permutation does not match number of channels: {len(order)} != {image.shape[-3]}")
    return image[..., order, :, :]


# -- values ------------------------------------------------------------------------------------------------------------


def to_dtype(image, dtype=float32, scale=False):
    """To another type; scale: so that full brightness stays full."""
    return _colors.convert_dtype(image, dtype) if scale else image.to(dtype)


def erase(image, i, j, h, w, v, inplace=False):
    """The rectangle of h x w pixels at row i, column j becomes `v`."""
    if isinstance(image, PIL.Image.Image):
        return v1.to_pil_image(v1.erase(v1.pil_to_tensor(image), i, j, h, w, v), image.mode)
    return v1.erase(image, i, j, h, w, v, inplace)


def jpeg(image, quality):
    """As if it had been stored as a JPEG of this quality, 1 to 100.  Tensors: (..., 1 or 3, H, W) uint8."""
    if isinstance(image, PIL.Image.Image):
        file = io.BytesIO()
        image.save(file, format="JPEG", quality=quality)
        return PIL.Image.open(file).copy()
    planes = image.reshape(-1, *image.shape[-3:])
    return stack([decode_image(encode_jpeg(plane, quality)) for plane in planes]).reshape(image.shape) if len(planes) else image.clone()


def gaussian_noise(image, mean=0.0, sigma=0.1, clip=True):
    """With noise of this mean and standard deviation, in units of full brightness.  clip: stay between black and full brightness."""
    if isinstance(image, PIL.Image.Image):
        raise ValueError("Gaussian Noise is not implemented for PIL images.")
    if sigma < 0:
        raise ValueError(f"sigma shouldn't be negative. Got {sigma}")
    if not image.is_floating_point() and image.dtype != uint8:
        raise ValueError(f"Input tensor is expected to be in uint8 or float dtype, got dtype={image.dtype}")
    noise = _draws.normals(*image.shape).to(image.device)
    if image.is_floating_point():
        out = image + (mean + noise.to(image.dtype) * sigma)
        return out.clamp(0, 1) if clip else out
    out = image.short() + (mean * 255 + noise * (sigma * 255)).short()
    return (out.clamp(0, 255) if clip else out).to(uint8)
