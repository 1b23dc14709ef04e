"""Transforms of colour and sharpness."""
import math
import numbers
from collections.abc import Sequence

from ..._functional.creation import tensor
from ...nn import Module
from . import _draws
from . import functional as F
from ._checks import check_erasing, odd_pair, shown

__all__ = ["ColorJitter", "GaussianBlur", "Grayscale", "RandomAdjustSharpness", "RandomAutocontrast", "RandomEqualize", "RandomErasing",
           "RandomGrayscale", "RandomInvert", "RandomPosterize", "RandomSolarize"]

JITTERS = ("brightness", "contrast", "saturation", "hue")


def jitter_range(value, name, words=""):
    """(low, high) of a factor from a range or from a distance to the neutral value, 1, or 0 for the hue; None when nothing changes."""
    center, low, high = (0, -0.5, 0.5) if name == "hue" else (1, 0, float("inf"))
    if isinstance(value, numbers.Number):
        if value < 0:
            raise ValueError(f"If {name} is a single number, it must be non negative.")
        value = [center - float(value), center + float(value)]
        value[0] = value[0] if name == "hue" else max(value[0], 0.0)
    elif isinstance(value, (tuple, list)) and len(value) == 2:
        value = [float(v) for v in value]
    else:
        raise TypeError(f"{name} should be a single number or a list/tuple with length 2.")
    if not low <= value[0] <= value[1] <= high:
        raise ValueError(f"{name} values should be between {(low, high)}{words}, but got {value}.")
    return None if value[0] == value[1] == center else tuple(value)


def jitter(img, order, factors, adjust):
    """The changes whose factor is not None, in an order.  adjust: (img, name, factor) -> img."""
    for i in order:
        if factors[int(i)] is not None:
            img = adjust(img, JITTERS[int(i)], factors[int(i)])
    return img


class ColorJitter(Module):
    """Brightness, contrast, saturation and hue by random factors, in random order.

    Each argument is a range of factors, or how far they go from 1 (hue: from 0, at most 0.5).
    """

    def __init__(self, brightness=0, contrast=0, saturation=0, hue=0):
        super().__init__()
        self.brightness, self.contrast, self.saturation, self.hue = (
            jitter_range(value, name) for name, value in zip(JITTERS, (brightness, contrast, saturation, hue)))

    @staticmethod
    def get_params(brightness, contrast, saturation, hue):
        """(order, four factors); the arguments are ranges or None.  order: a tensor (4)."""
        order = _draws.order(4)
        return (order, *(None if r is None else _draws.uniform(*r) for r in (brightness, contrast, saturation, hue)))

    def forward(self, img):
        order, *factors = self.get_params(self.brightness, self.contrast, self.saturation, self.hue)
        return jitter(img, order.tolist(), factors, lambda img, name, factor: getattr(F, f"adjust_{name}")(img, factor))

    def __repr__(self):
        return shown(self, *JITTERS)


class Grayscale(Module):
    """Luminance, in one channel or three equal ones."""

    def __init__(self, num_output_channels=1):
        super().__init__()
        self.num_output_channels = num_output_channels

    def forward(self, img):
        return F.rgb_to_grayscale(img, num_output_channels=self.num_output_channels)

    def __repr__(self):
        return shown(self, "num_output_channels")


class _Sometimes(Module):
    """Base class of changes that happen with probability p."""

    _shows: tuple[str, ...] = ("p",)

    def __init__(self, p=0.5):
        super().__init__()
        self.p = p

    def _change(self, img):
        raise NotImplementedError

    def forward(self, img):
        return self._change(img) if _draws.chance(self.p) else img

    def __repr__(self):
        return shown(self, *self._shows, between=",")


class RandomGrayscale(_Sometimes):
    """Without colour, in as many channels as before, with probability p."""

    def __init__(self, p=0.1):
        super().__init__(p)

    def _change(self, img):
        return F.rgb_to_grayscale(img, num_output_channels=F.get_dimensions(img)[0])


class RandomInvert(_Sometimes):
    """The negative, with probability p."""

    def _change(self, img):
        return F.invert(img)


class RandomAutocontrast(_Sometimes):
    """Each channel stretched from black to full brightness, with probability p."""

    def _change(self, img):
        return F.autocontrast(img)


class RandomEqualize(_Sometimes):
    """Each channel with its histogram made even, with probability p.  Tensors: uint8."""

    def _change(self, img):
        return F.equalize(img)


class RandomPosterize(_Sometimes):
    """With probability p, only the high `bits` of each byte, 0 to 8."""

    _shows = ("bits", "p")

    def __init__(self, bits, p=0.5):
        super().__init__(p)
        self.bits = bits

    def _change(self, img):
        return F.posterize(img, self.bits)


class RandomSolarize(_Sometimes):
    """With probability p, negative where it is at least `threshold`."""

    _shows = ("threshold", "p")

    def __init__(self, threshold, p=0.5):
        super().__init__(p)
        self.threshold = threshold

    def _change(self, img):
        return F.solarize(img, self.threshold)


class RandomAdjustSharpness(_Sometimes):
    """With probability p, blurred (factor 0) or sharper (factor above 1)."""

    _shows = ("sharpness_factor", "p")

    def __init__(self, sharpness_factor, p=0.5):
        super().__init__(p)
        self.sharpness_factor = sharpness_factor

    def _change(self, img):
        return F.adjust_sharpness(img, self.sharpness_factor)


class GaussianBlur(Module):
    """Blurred by a bell of kernel_size (x, y), odd numbers, and a standard deviation from the range sigma; one number is itself."""

    def __init__(self, kernel_size, sigma=(0.1, 2.0)):
        super().__init__()
        self.kernel_size = odd_pair(kernel_size)
        if isinstance(sigma, numbers.Number):
            if sigma <= 0:
                raise ValueError("If sigma is a single number, it must be positive.")
            sigma = (sigma, sigma)
        elif not isinstance(sigma, Sequence) or len(sigma) != 2:
            raise ValueError("sigma should be a single number or a list/tuple with length 2.")
        elif not 0.0 < sigma[0] <= sigma[1]:
            raise ValueError("sigma values should be positive and of the form (min, max).")
        self.sigma = sigma

    @staticmethod
    def get_params(sigma_min, sigma_max):
        """The standard deviation."""
        return _draws.uniform(sigma_min, sigma_max)

    def forward(self, img):
        sigma = self.get_params(self.sigma[0], self.sigma[1])
        return F.gaussian_blur(img, self.kernel_size, [sigma, sigma])

    def __repr__(self):
        return shown(self, "kernel_size", "sigma")


def erased_part(shape, scale, ratio, value):
    """(top, left, height, width, content) of a rectangle of an image (C, H, W), or None after ten tries.

    scale: range of its share of the area;  ratio: range of height / width;  value: a list of one number or C, None for noise.
    """
    c, height, width = shape
    low, high = (math.log(r) for r in ratio)
    for _ in range(10):
        area = height * width * _draws.uniform(*scale)
        aspect = math.exp(_draws.uniform(low, high))
        h, w = int(round(math.sqrt(area * aspect))), int(round(math.sqrt(area / aspect)))
        if h < height and w < width:
            content = _draws.normals(c, h, w) if value is None else tensor(value)[:, None, None]
            top = _draws.integer(0, height - h + 1)
            return top, _draws.integer(0, width - w + 1), h, w, content
    return None


def erased_values(value):
    """The list that `erased_part` takes: from a number, a sequence, or "random"."""
    if isinstance(value, str):
        return None
    return [float(v) for v in (value if isinstance(value, (list, tuple)) else [value])]


class RandomErasing(Module):
    """A rectangle of a tensor gets `value`: a number, one per channel, or "random" noise.  Zhong et al. 2017, arXiv:1708.04896.

    scale: range of its share of the area;  ratio: range of height / width.
    """

    def __init__(self, p=0.5, scale=(0.02, 0.33), ratio=(0.3, 3.3), value=0, inplace=False):
        super().__init__()
        check_erasing(scale, ratio, value)
        if p < 0 or p > 1:
            raise ValueError("Random erasing probability should be between 0 and 1")
        self.p, self.scale, self.ratio, self.value, self.inplace = p, scale, ratio, value, inplace

    @staticmethod
    def get_params(img, scale, ratio, value=None):
        """(top, left, height, width, content); all of the image as it is where no rectangle fits."""
        part = erased_part(img.shape[-3:], scale, ratio, value)
        return (0, 0, *img.shape[-2:], img) if part is None else part

    def forward(self, img):
        if not _draws.chance(self.p):
            return img
        value = erased_values(self.value)
        if value is not None and len(value) not in (1, img.shape[-3]):
            raise ValueError("If value is a sequence, it should have either a single value or "
                             f"{img.shape[-3]} (number of input channels)")
        return F.erase(img, *self.get_params(img, scale=self.scale, ratio=self.ratio, value=value), self.inplace)

    def __repr__(self):
        return shown(self, "p", "scale", "ratio", "value", "inplace")
