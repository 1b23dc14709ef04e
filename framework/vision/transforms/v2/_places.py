"""Transforms of size and place, of all that a sample holds."""
import warnings
from collections.abc import Sequence

from ... import tv_tensors
from .. import _draws
from .. import _places as v1
from .._checks import angles, check_affine, check_ranges, pair, require_sequence
from . import functional as F
from ._inputs import PLACES, check_padding, fill_for, fills_of, has_any, query_size, two_numbers
from ._transform import RandomApplyTransform, Transform
from .functional._points import padding_sides, perspective_coefficients

__all__ = ["CenterCrop", "ElasticTransform", "FiveCrop", "Pad", "RandomAffine", "RandomCrop", "RandomHorizontalFlip", "RandomPerspective",
           "RandomResizedCrop", "RandomRotation", "RandomVerticalFlip", "Resize", "TenCrop"]


class RandomHorizontalFlip(RandomApplyTransform):
    """Left becomes right with probability p."""

    _v1_transform_cls = v1.RandomHorizontalFlip

    def transform(self, inpt, params):
        return self._call_kernel(F.horizontal_flip, inpt)


class RandomVerticalFlip(RandomApplyTransform):
    """Top becomes bottom with probability p."""

    _v1_transform_cls = v1.RandomVerticalFlip

    def transform(self, inpt, params):
        return self._call_kernel(F.vertical_flip, inpt)


class Resize(Transform):
    """To size (h, w); one number is for the shorter side, and max_size limits the other; None: the longer side becomes max_size."""

    _v1_transform_cls = v1.Resize

    def __init__(self, size, interpolation="bilinear", max_size=None, antialias=True):
        super().__init__()
        if isinstance(size, int):
            size = [size]
        elif isinstance(size, Sequence) and len(size) in (1, 2):
            size = list(size)
        elif size is not None:
            raise ValueError(f"size can be an integer, a sequence of one or two integers, or None, but got {size} instead.")
        elif not isinstance(max_size, int):
            raise ValueError(f"max_size must be an integer when size is None, but got {max_size} instead.")
        self.size, self.interpolation, self.max_size, self.antialias = size, interpolation, max_size, antialias

    def transform(self, inpt, params):
        return self._call_kernel(F.resize, inpt, self.size, interpolation=self.interpolation, max_size=self.max_size, antialias=self.antialias)


class CenterCrop(Transform):
    """The middle (h, w), or a square of this side; a smaller image is padded with 0."""

    _v1_transform_cls = v1.CenterCrop

    def __init__(self, size):
        super().__init__()
        self.size = pair(size)

    def transform(self, inpt, params):
        return self._call_kernel(F.center_crop, inpt, output_size=self.size)


class RandomResizedCrop(Transform):
    """A part of random size and shape, resized to `size`.  scale: range of its share of the area;  ratio: range of width / height."""

    _v1_transform_cls = v1.RandomResizedCrop

    def __init__(self, size, scale=(0.08, 1.0), ratio=(3.0 / 4.0, 4.0 / 3.0), interpolation="bilinear", antialias=True):
        super().__init__()
        self.size = pair(size)
        check_ranges(scale, ratio, " of two floats.")
        self.scale, self.ratio, self.interpolation, self.antialias = scale, ratio, interpolation, antialias

    def make_params(self, flat_inputs):
        return dict(zip(("top", "left", "height", "width"), v1.part_of(*query_size(flat_inputs), self.scale, self.ratio)))

    def transform(self, inpt, params):
        return self._call_kernel(F.resized_crop, inpt, **params, size=self.size, interpolation=self.interpolation, antialias=self.antialias)


class _Crops(Transform):
    """Base class of those that return several images."""

    def _call_kernel(self, functional, inpt, *args, **kwargs):
        warn_of_passing(self, inpt)
        return super()._call_kernel(functional, inpt, *args, **kwargs)

    def check_inputs(self, flat_inputs):
        if has_any(flat_inputs, tv_tensors.BoundingBoxes, tv_tensors.Mask):
            raise TypeError(f"BoundingBoxes'es and Mask's are not supported by {type(self).__name__}()")


def warn_of_passing(transform, inpt):
    """A warning for boxes, points and masks that a transform cannot change."""
    if isinstance(inpt, (tv_tensors.Mask, *PLACES)):
        warnings.warn(f"{type(transform).__name__}() is currently passing through inputs of type tv_tensors.{type(inpt).__name__}. "
                      "This will likely change in the future.", stacklevel=3)


class FiveCrop(_Crops):
    """The four corners and the centre: a tuple of five."""

    _v1_transform_cls = v1.FiveCrop

    def __init__(self, size):
        super().__init__()
        self.size = pair(size)

    def transform(self, inpt, params):
        return self._call_kernel(F.five_crop, inpt, self.size)


class TenCrop(_Crops):
    """`FiveCrop` of the image and of its mirror image: a tuple of ten."""

    _v1_transform_cls = v1.TenCrop

    def __init__(self, size, vertical_flip=False):
        super().__init__()
        self.size, self.vertical_flip = pair(size), vertical_flip

    def transform(self, inpt, params):
        return self._call_kernel(F.ten_crop, inpt, self.size, vertical_flip=self.vertical_flip)


class Pad(Transform):
    """Room around.  padding: a number, (x, y) or (left, top, right, bottom);  fill: a value, or {type: value}."""

    _v1_transform_cls = v1.Pad

    def __init__(self, padding, fill=0, padding_mode="constant"):
        super().__init__()
        check_padding(padding, padding_mode)
        self.padding = padding if isinstance(padding, int) else list(padding)
        self.fill, self._fill, self.padding_mode = fill, fills_of(fill), padding_mode

    def transform(self, inpt, params):
        return self._call_kernel(F.pad, inpt, padding=self.padding, fill=fill_for(self._fill, type(inpt)), padding_mode=self.padding_mode)


class RandomRotation(Transform):
    """By an angle from the range `degrees`, or from -degrees to degrees."""

    _v1_transform_cls = v1.RandomRotation

    def __init__(self, degrees, interpolation="nearest", expand=False, center=None, fill=0):
        super().__init__()
        self.degrees = angles(degrees, "degrees", 2)
        self.interpolation, self.expand, self.fill, self._fill = interpolation, expand, fill, fills_of(fill)
        if center is not None:
            require_sequence(center, "center", 2)
        self.center = center

    def make_params(self, flat_inputs):
        return {"angle": self.get_params(self.degrees)}

    def transform(self, inpt, params):
        return self._call_kernel(F.rotate, inpt, **params, interpolation=self.interpolation, expand=self.expand, center=self.center,
                                 fill=fill_for(self._fill, type(inpt)))


class RandomAffine(Transform):
    """Rotated, moved, scaled and sheared; arguments as in version 1."""

    _v1_transform_cls = v1.RandomAffine

    def __init__(self, degrees, translate=None, scale=None, shear=None, interpolation="nearest", fill=0, center=None):
        super().__init__()
        self.degrees = angles(degrees, "degrees", 2)
        check_affine(translate, scale, center)
        self.translate, self.scale, self.shear = translate, scale, None if shear is None else angles(shear, "shear", 2, 4)
        self.interpolation, self.fill, self._fill, self.center = interpolation, fill, fills_of(fill), center

    def make_params(self, flat_inputs):
        height, width = query_size(flat_inputs)
        drawn = self.get_params(self.degrees, self.translate, self.scale, self.shear, [width, height])
        return dict(zip(("angle", "translate", "scale", "shear"), drawn))

    def transform(self, inpt, params):
        return self._call_kernel(F.affine, inpt, **params, interpolation=self.interpolation, center=self.center,
                                 fill=fill_for(self._fill, type(inpt)))


class RandomCrop(Transform):
    """A part of size (h, w), anywhere.  padding: room made first;  pad_if_needed: more where the image is smaller."""

    _v1_transform_cls = v1.RandomCrop

    def __init__(self, size, padding=None, pad_if_needed=False, fill=0, padding_mode="constant"):
        super().__init__()
        self.size = pair(size)
        if pad_if_needed or padding is not None:
            check_padding(padding, padding_mode)
        left, top, right, bottom = padding_sides(padding) if padding else (0, 0, 0, 0)
        self.padding = [left, right, top, bottom] if padding else None
        self.pad_if_needed, self.fill, self._fill, self.padding_mode = pad_if_needed, fill, fills_of(fill), padding_mode

    def make_params(self, flat_inputs):
        height, width = query_size(flat_inputs)
        left, right, top, bottom = self.padding or (0, 0, 0, 0)
        if self.pad_if_needed:
            more_y, more_x = max(self.size[0] - height - top - bottom, 0), max(self.size[1] - width - left - right, 0)
            left, right, top, bottom = left + more_x, right + more_x, top + more_y, bottom + more_y
        spare_y, spare_x = height + top + bottom - self.size[0], width + left + right - self.size[1]
        if spare_y < 0 or spare_x < 0:
            raise ValueError(f"Required crop size {(self.size[0], self.size[1])} is larger than {'padded ' if self.padding is not None else ''}"
                             f"input image size {(spare_y + self.size[0], spare_x + self.size[1])}.")
        y = _draws.integer(0, spare_y + 1) if spare_y else 0
        x = _draws.integer(0, spare_x + 1) if spare_x else 0
        return {"needs_crop": spare_y > 0 or spare_x > 0, "top": y, "left": x, "height": self.size[0], "width": self.size[1],
                "needs_pad": any((left, top, right, bottom)), "padding": [left, top, right, bottom]}

    def transform(self, inpt, params):
        if params["needs_pad"]:
            inpt = self._call_kernel(F.pad, inpt, padding=params["padding"], fill=fill_for(self._fill, type(inpt)), padding_mode=self.padding_mode)
        if params["needs_crop"]:
            inpt = self._call_kernel(F.crop, inpt, **{n: params[n] for n in ("top", "left", "height", "width")})
        return inpt


class RandomPerspective(RandomApplyTransform):
    """With probability p, seen from elsewhere: each corner moves inwards by up to distortion_scale of half the image."""

    _v1_transform_cls = v1.RandomPerspective

    def __init__(self, distortion_scale=0.5, p=0.5, interpolation="bilinear", fill=0):
        super().__init__(p=p)
        if not 0 <= distortion_scale <= 1:
            raise ValueError("Argument distortion_scale value should be between 0 and 1")
        self.distortion_scale, self.interpolation, self.fill, self._fill = distortion_scale, interpolation, fill, fills_of(fill)

    def make_params(self, flat_inputs):
        height, width = query_size(flat_inputs)
        return {"coefficients": perspective_coefficients(*self.get_params(width, height, self.distortion_scale), None)}

    def transform(self, inpt, params):
        return self._call_kernel(F.perspective, inpt, startpoints=None, endpoints=None, fill=fill_for(self._fill, type(inpt)),
                                 interpolation=self.interpolation, **params)


class ElasticTransform(Transform):
    """As seen through water: every pixel from somewhere near.  alpha: strength;  sigma: smoothness; numbers, or two for x and y."""

    _v1_transform_cls = v1.ElasticTransform

    def __init__(self, alpha=50.0, sigma=5.0, interpolation="bilinear", fill=0):
        super().__init__()
        self.alpha, self.sigma = two_numbers(alpha, "alpha"), two_numbers(sigma, "sigma")
        self.interpolation, self.fill, self._fill = interpolation, fill, fills_of(fill)

    def make_params(self, flat_inputs):
        return {"displacement": v1.displacement(self.alpha, self.sigma, query_size(flat_inputs))}

    def transform(self, inpt, params):
        return self._call_kernel(F.elastic, inpt, **params, fill=fill_for(self._fill, type(inpt)), interpolation=self.interpolation)
