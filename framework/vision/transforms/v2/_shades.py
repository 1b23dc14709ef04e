"""Transforms of colour and sharpness."""
import numbers

import PIL.Image

from .. import _draws
from .. import _shades as v1
from .._checks import check_erasing, odd_pair, require_sequence
from . import functional as F
from ._inputs import has_any, query_chw, two_numbers
from ._places import warn_of_passing
from ._transform import RandomApplyTransform, Transform

__all__ = ["ColorJitter", "GaussianBlur", "GaussianNoise", "Grayscale", "JPEG", "Normalize", "RGB", "RandomAdjustSharpness", "RandomAutocontrast",
           "RandomChannelPermutation", "RandomEqualize", "RandomErasing", "RandomGrayscale", "RandomInvert", "RandomPhotometricDistort",
           "RandomPosterize", "RandomSolarize"]


class Grayscale(Transform):
    """Luminance, in one channel or three equal ones."""

    _v1_transform_cls = v1.Grayscale

    def __init__(self, num_output_channels=1):
        super().__init__()
        self.num_output_channels = num_output_channels

    def transform(self, inpt, params):
        return self._call_kernel(F.rgb_to_grayscale, inpt, num_output_channels=self.num_output_channels)


class RGB(Transform):
    """Three channels, equal ones for an image of one."""

    def transform(self, inpt, params):
        return self._call_kernel(F.grayscale_to_rgb, inpt)


class RandomGrayscale(RandomApplyTransform):
    """Without colour, in as many channels as before, with probability p."""

    _v1_transform_cls = v1.RandomGrayscale

    def __init__(self, p=0.1):
        super().__init__(p=p)

    def make_params(self, flat_inputs):
        return {"num_input_channels": query_chw(flat_inputs)[0]}

    def transform(self, inpt, params):
        return self._call_kernel(F.rgb_to_grayscale, inpt, num_output_channels=params["num_input_channels"])


class _Adjusting(Transform):
    """Base class of those that change brightness, contrast, saturation and hue."""

    def _adjusted(self, inpt, name, factor):
        return self._call_kernel(getattr(F, f"adjust_{name}"), inpt, factor)


class ColorJitter(_Adjusting):
    """Brightness, contrast, saturation and hue by random factors, in random order; arguments as in version 1, or None."""

    _v1_transform_cls = v1.ColorJitter

    def __init__(self, brightness=None, contrast=None, saturation=None, hue=None):
        super().__init__()
        for name, value in zip(v1.JITTERS, (brightness, contrast, saturation, hue)):
            setattr(self, name, None if value is None else v1.jitter_range(value, name, " and increasing"))

    def make_params(self, flat_inputs):
        order, *factors = self.get_params(*(getattr(self, name) for name in v1.JITTERS))
        return {"fn_idx": order, **{f"{name}_factor": factor for name, factor in zip(v1.JITTERS, factors)}}

    def transform(self, inpt, params):
        factors = [params[f"{name}_factor"] for name in v1.JITTERS]
        return v1.jitter(inpt, params["fn_idx"].tolist(), factors, self._adjusted)


class RandomChannelPermutation(Transform):
    """The channels in random order."""

    def make_params(self, flat_inputs):
        return {"permutation": _draws.order(query_chw(flat_inputs)[0])}

    def transform(self, inpt, params):
        return self._call_kernel(F.permute_channels, inpt, params["permutation"])


class RandomPhotometricDistort(_Adjusting):
    """Each of brightness, contrast, saturation, hue and order of channels, with probability p.  Liu et al. 2015, arXiv:1512.02325."""

    def __init__(self, brightness=(0.875, 1.125), contrast=(0.5, 1.5), saturation=(0.5, 1.5), hue=(-0.05, 0.05), p=0.5):
        super().__init__()
        self.brightness, self.contrast, self.hue, self.saturation, self.p = brightness, contrast, hue, saturation, p

    def make_params(self, flat_inputs):
        channels, *_ = query_chw(flat_inputs)
        params = {f"{name}_factor": _draws.uniform(*getattr(self, name)) if _draws.chance(self.p) else None for name in v1.JITTERS}
        params["contrast_before"] = _draws.chance(0.5)
        params["channel_permutation"] = _draws.order(channels) if _draws.chance(self.p) else None
        return params

    def transform(self, inpt, params):
        steps = (0, 1, 2, 3) if params["contrast_before"] else (0, 2, 3, 1)
        inpt = v1.jitter(inpt, steps, [params[f"{name}_factor"] for name in v1.JITTERS], self._adjusted)
        order = params["channel_permutation"]
        return inpt if order is None else self._call_kernel(F.permute_channels, inpt, permutation=order)


class RandomEqualize(RandomApplyTransform):
    """Each channel with its histogram made even, with probability p."""

    _v1_transform_cls = v1.RandomEqualize

    def transform(self, inpt, params):
        return self._call_kernel(F.equalize, inpt)


class RandomInvert(RandomApplyTransform):
    """The negative, with probability p."""

    _v1_transform_cls = v1.RandomInvert

    def transform(self, inpt, params):
        return self._call_kernel(F.invert, inpt)


class RandomAutocontrast(RandomApplyTransform):
    """Each channel stretched from black to full brightness, with probability p."""

    _v1_transform_cls = v1.RandomAutocontrast

    def transform(self, inpt, params):
        return self._call_kernel(F.autocontrast, inpt)


class RandomPosterize(RandomApplyTransform):
    """With probability p, only the high `bits`, 0 to 8."""

    _v1_transform_cls = v1.RandomPosterize

    def __init__(self, bits, p=0.5):
        super().__init__(p=p)
        self.bits = bits

    def transform(self, inpt, params):
        return self._call_kernel(F.posterize, inpt, bits=self.bits)


class RandomSolarize(RandomApplyTransform):
    """With probability p, negative where it is at least `threshold`."""

    _v1_transform_cls = v1.RandomSolarize

    def __init__(self, threshold, p=0.5):
        super().__init__(p=p)
        self.threshold = threshold

    def transform(self, inpt, params):
        return self._call_kernel(F.solarize, inpt, threshold=self.threshold)


class RandomAdjustSharpness(RandomApplyTransform):
    """With probability p, blurred (factor 0) or sharper (factor above 1)."""

    _v1_transform_cls = v1.RandomAdjustSharpness

    def __init__(self, sharpness_factor, p=0.5):
        super().__init__(p=p)
        self.sharpness_factor = sharpness_factor

    def transform(self, inpt, params):
        return self._call_kernel(F.adjust_sharpness, inpt, sharpness_factor=self.sharpness_factor)


class Normalize(Transform):
    """(image - mean) / std, numbers for each channel.  TypeError for Pillow images."""

    def __init__(self, mean, std, inplace=False):
        super().__init__()
        self.mean, self.std, self.inplace = list(mean), list(std), inplace

    def check_inputs(self, flat_inputs):
        if has_any(flat_inputs, PIL.Image.Image):
            raise TypeError(f"{type(self).__name__}() does not support PIL images.")

    def transform(self, inpt, params):
        return self._call_kernel(F.normalize, inpt, mean=self.mean, std=self.std, inplace=self.inplace)


class GaussianBlur(Transform):
    """Blurred by a bell of kernel_size (x, y), odd numbers, and a standard deviation from the range sigma."""

    _v1_transform_cls = v1.GaussianBlur

    def __init__(self, kernel_size, sigma=(0.1, 2.0)):
        super().__init__()
        self.kernel_size, self.sigma = odd_pair(kernel_size), two_numbers(sigma, "sigma")
        if not 0.0 < self.sigma[0] <= self.sigma[1]:
            raise ValueError(f"sigma values should be positive and of the form (min, max). Got {self.sigma}")

    def make_params(self, flat_inputs):
        return {"sigma": [self.get_params(*self.sigma)] * 2}

    def transform(self, inpt, params):
        return self._call_kernel(F.gaussian_blur, inpt, self.kernel_size, **params)


class GaussianNoise(Transform):
    """With noise of this mean and standard deviation, in units of full brightness."""

    def __init__(self, mean=0.0, sigma=0.1, clip=True):
        super().__init__()
        self.mean, self.sigma, self.clip = mean, sigma, clip

    def transform(self, inpt, params):
        return self._call_kernel(F.gaussian_noise, inpt, mean=self.mean, sigma=self.sigma, clip=self.clip)


class JPEG(Transform):
    """As if it had been stored as a JPEG.  quality: 1 to 100, or a range (low, high), both included."""

    def __init__(self, quality):
        super().__init__()
        if isinstance(quality, bool):
            raise TypeError("quality can't be bool")
        if isinstance(quality, int):
            quality = [quality, quality]
        require_sequence(quality, "quality", 2)
        if not all(isinstance(q, int) for q in quality) or not 1 <= quality[0] <= quality[1] <= 100:
            raise ValueError(f"quality must be an integer from 1 to 100, got quality ={quality!r}")
        self.quality = quality

    def make_params(self, flat_inputs):
        return {"quality": _draws.integer(self.quality[0], self.quality[1] + 1)}

    def transform(self, inpt, params):
        return self._call_kernel(F.jpeg, inpt, quality=params["quality"])


class RandomErasing(RandomApplyTransform):
    """With probability p, a rectangle gets `value`: a number, one per channel, or "random" noise.  Boxes and masks stay, with a warning."""

    _v1_transform_cls = v1.RandomErasing

    def __init__(self, p=0.5, scale=(0.02, 0.33), ratio=(0.3, 3.3), value=0.0, inplace=False):
        super().__init__(p=p)
        check_erasing(scale, ratio, value)
        self.scale, self.ratio = scale, ratio
        self.value = v1.erased_values(value) if isinstance(value, (int, float, str, list, tuple, numbers.Number)) else value
        self.inplace = inplace

    def _call_kernel(self, functional, inpt, *args, **kwargs):
        warn_of_passing(self, inpt)
        return super()._call_kernel(functional, inpt, *args, **kwargs)

    def make_params(self, flat_inputs):
        shape = query_chw(flat_inputs)
        if self.value is not None and len(self.value) not in (1, shape[0]):
            raise ValueError(f"If value is a sequence, it should have either a single value or {shape[0]} (number of inpt channels)")
        part = v1.erased_part(shape, self.scale, self.ratio, self.value) or (0, 0, *shape[1:], None)
        return dict(zip("ijhwv", part))

    def transform(self, inpt, params):
        return inpt if params["v"] is None else self._call_kernel(F.erase, inpt, **params, inplace=self.inplace)
