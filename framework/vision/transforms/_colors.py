"""Colour changes of tensors (..., C, H, W), C 1 or 3: floats from 0 to 1, or integers from 0 to the largest of their type."""
from ..._dtypes import float32, int64, uint8
from ..._functional.creation import zeros_like
from ..._functional.dtypes import iinfo
from ..._functional.elementwise import where
from ..._functional.joining import stack
from ..._functional.reductions import cumsum
from ..._functional.sorting import bincount
from ...nn.functional import conv2d


def largest(dtype):
    """The value of full brightness in a type."""
    return 1 if dtype.is_floating_point else int(iinfo(dtype).max)


def require_channels(img, *permitted):
    """TypeError unless the image has one of these numbers of channels."""
    c = 1 if img.ndim == 2 else img.shape[-3]
    if c not in permitted:
        raise TypeError(f"Input image tensor permitted channel values are {list(permitted)}, but found {c}")
    return c


def require_planes(img):
    """TypeError for an image without a channel dimension."""
    if img.ndim < 3:
        raise TypeError(f"Input image tensor should have at least 3 dimensions, but found {img.ndim}")


def convert_dtype(image, dtype):
    """To another type, scaled so that full brightness stays full."""
    if image.dtype == dtype:
        return image
    if image.is_floating_point():
        if dtype.is_floating_point:
            return image.to(dtype)
        if (image.dtype.name, dtype.name) in (("float32", "int32"), ("float32", "int64"), ("float64", "int64")):
            raise RuntimeError(f"The cast from {image.dtype} to {dtype} cannot be performed safely.")
        return (image * (largest(dtype) + 1 - 1e-3)).to(dtype)  # every integer gets an equal share of 0..1
    if dtype.is_floating_point:
        return image.to(dtype).div_(largest(image.dtype))  # a copy: the types differ
    if largest(image.dtype) > largest(dtype):
        return (image // ((largest(image.dtype) + 1) // (largest(dtype) + 1))).to(dtype)
    return image.to(dtype) * ((largest(dtype) + 1) // (largest(image.dtype) + 1))


def blend(img, other, ratio):
    """ratio * img + (1 - ratio) * other, within the range of values."""
    return (float(ratio) * img + (1 - float(ratio)) * other).clamp(0, largest(img.dtype)).to(img.dtype)


def grayscale(img, num_output_channels=1):
    """Luminance by ITU-R 601-2, in one channel or three."""
    require_planes(img)
    c = require_channels(img, 1, 3)
    if num_output_channels not in (1, 3):
        raise ValueError("num_output_channels should be either 1 or 3")
    if c == 3:
        r, g, b = img.unbind(-3)
        gray = (0.2989 * r + 0.587 * g + 0.114 * b).to(img.dtype).unsqueeze(-3)
    else:
        gray = img.clone()
    return gray.expand(*img.shape[:-3], 3, *img.shape[-2:]) if num_output_channels == 3 else gray


def brightness(img, factor):
    require_channels(img, 1, 3)
    return blend(img, zeros_like(img), factor)


def contrast(img, factor):
    c = require_channels(img, 3, 1)
    level = (grayscale(img) if c == 3 else img).to(img.dtype if img.is_floating_point() else float32)
    return blend(img, level.mean(dim=(-3, -2, -1), keepdim=True), factor)


def saturation(img, factor):
    return img if require_channels(img, 1, 3) == 1 else blend(img, grayscale(img), factor)


def hue(img, factor):
    if require_channels(img, 1, 3) == 1:
        return img
    h, s, v = _to_hsv(convert_dtype(img, float32))
    return convert_dtype(_from_hsv((h + factor) % 1.0, s, v), img.dtype)


def _to_hsv(img):
    r, g, b = img.unbind(-3)
    high, low = img.amax(-3), img.amin(-3)
    spread, gray = high - low, high == low
    saturation = spread / where(gray, 1.0, high)
    divisor = where(gray, 1.0, spread)
    rc, gc, bc = ((high - x) / divisor for x in (r, g, b))
    h = where(high == r, bc - gc, where(high == g, 2.0 + rc - bc, 4.0 + gc - rc))
    return (h / 6.0 + 1.0).fmod(1.0), saturation, high


def _from_hsv(h, s, v):
    sector = (h * 6.0).floor()
    f = h * 6.0 - sector
    p, q, t = ((v * (1.0 - s * x)).clamp(0.0, 1.0) for x in (1.0, f, 1.0 - f))
    sector = sector.to(int64) % 6
    rows = ((v, q, p, p, t, v), (t, v, v, q, p, p), (p, p, t, v, v, q))
    return stack([stack(row, -1).gather(-1, sector.unsqueeze(-1)).squeeze(-1) for row in rows], -3)


def gamma(img, power, gain):
    require_channels(img, 1, 3)
    wide = img if img.is_floating_point() else convert_dtype(img, float32)
    return convert_dtype((gain * wide.pow(power)).clamp(0, 1), img.dtype)


def invert(img):
    require_planes(img)
    require_channels(img, 1, 3)
    return largest(img.dtype) - img


def posterize(img, bits):
    require_planes(img)
    _require_bytes(img)
    require_channels(img, 1, 3)
    return img & (256 - 2 ** (8 - bits))


def solarize(img, threshold):
    if threshold > largest(img.dtype):
        raise TypeError("Threshold should be less than bound of img.")
    return where(img >= threshold, invert(img), img)


def sharpness(img, factor):
    c = require_channels(img, 1, 3)
    if min(img.shape[-2:]) <= 2:
        return img
    dtype = img.dtype if img.is_floating_point() else float32
    kernel = img.new_ones((3, 3), dtype=dtype)
    kernel[1, 1] = 5.0
    smooth = conv2d(img.to(dtype).reshape(-1, c, *img.shape[-2:]), (kernel / kernel.sum()).expand(c, 1, 3, 3), groups=c)
    blurred = img.clone()
    blurred[..., 1:-1, 1:-1] = rounded(smooth, img.dtype).reshape(*img.shape[:-2], *smooth.shape[-2:])
    return blend(img, blurred, factor)


def rounded(img, dtype):
    """Back to a type, to the nearest integer where it is one."""
    return img.to(dtype) if dtype.is_floating_point else img.round().to(dtype)


def autocontrast(img):
    require_planes(img)
    require_channels(img, 1, 3)
    wide = img if img.is_floating_point() else img.to(float32)
    low, high = wide.amin((-2, -1), keepdim=True), wide.amax((-2, -1), keepdim=True)
    flat, full = low == high, largest(img.dtype)
    scale = where(flat, 1.0, full / where(flat, 1.0, high - low))
    return ((wide - where(flat, 0.0, low)) * scale).clamp(0, full).to(img.dtype)


def equalize(img):
    if img.ndim not in (3, 4):
        raise TypeError(f"Input image tensor should have 3 or 4 dimensions, but found {img.ndim}")
    _require_bytes(img)
    require_channels(img, 1, 3)
    return stack([_equalized(plane) for plane in img.reshape(-1, *img.shape[-2:])]).reshape(img.shape)


def _equalized(plane):
    counts = bincount(plane.reshape(-1).to(int64), minlength=256)
    step = counts[counts != 0][:-1].sum() // 255
    if step == 0:
        return plane
    table = ((cumsum(counts, 0) - counts + step // 2) // step).clamp(0, 255)
    table[0] = 0
    return table[plane.to(int64)].to(uint8)


def _require_bytes(img):
    if img.dtype != uint8:
        raise TypeError(f"Only torch.uint8 image tensors are supported, but found {img.dtype}")
