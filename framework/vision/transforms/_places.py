"""Transforms of size and place."""
import math
import numbers
from collections.abc import Sequence

from ..._functional.joining import cat
from ...nn import Module
from . import _draws
from . import functional as F
from ._checks import angles, check_affine, check_ranges, fill_for, fill_of, mode_of, pair, require_sequence, shown
from ._modes import InterpolationMode

__all__ = ["CenterCrop", "ElasticTransform", "FiveCrop", "Pad", "RandomAffine", "RandomCrop", "RandomHorizontalFlip", "RandomPerspective",
           "RandomResizedCrop", "RandomRotation", "RandomVerticalFlip", "Resize", "TenCrop"]


class Resize(Module):
    """To size (h, w); one number is for the shorter side, and max_size limits the other."""

    def __init__(self, size, interpolation=InterpolationMode.BILINEAR, max_size=None, antialias=True):
        super().__init__()
        if not isinstance(size, (int, Sequence)):
            raise TypeError(f"Size should be int or sequence. Got {type(size)}")
        if isinstance(size, Sequence) and len(size) not in (1, 2):
            raise ValueError("If size is a sequence, it should have 1 or 2 values")
        self.size, self.max_size, self.interpolation, self.antialias = size, max_size, mode_of(interpolation), antialias

    def forward(self, img):
        return F.resize(img, self.size, self.interpolation, self.max_size, self.antialias)

    def __repr__(self):
        return (f"{type(self).__name__}(size={self.size}, interpolation={self.interpolation.value}, max_size={self.max_size}, "
                f"antialias={self.antialias})")


class CenterCrop(Module):
    """The middle (h, w), or a square of this side; a smaller image is padded with 0."""

    def __init__(self, size):
        super().__init__()
        self.size = pair(size)

    def forward(self, img):
        return F.center_crop(img, self.size)

    def __repr__(self):
        return shown(self, "size")


class Pad(Module):
    """Room around: padding is a number, (x, y) or (left, top, right, bottom); padding_mode as in `functional.pad`."""

    def __init__(self, padding, fill=0, padding_mode="constant"):
        super().__init__()
        if not isinstance(padding, (numbers.Number, tuple, list)):
            raise TypeError("Got inappropriate padding arg")
        if not isinstance(fill, (numbers.Number, tuple, list)):
            raise TypeError("Got inappropriate fill arg")
        if padding_mode not in ("constant", "edge", "reflect", "symmetric"):
            raise ValueError("Padding mode should be either constant, edge, reflect or symmetric")
        if isinstance(padding, Sequence) and len(padding) not in (1, 2, 4):
            raise ValueError(f"Padding must be an int or a 1, 2, or 4 element tuple, not a {len(padding)} element tuple")
        self.padding, self.fill, self.padding_mode = padding, fill, padding_mode

    def forward(self, img):
        return F.pad(img, self.padding, self.fill, self.padding_mode)

    def __repr__(self):
        return shown(self, "padding", "fill", "padding_mode")


class RandomCrop(Module):
    """A part of size (h, w), anywhere.  padding: room made first;  pad_if_needed: more where the image is smaller."""

    @staticmethod
    def get_params(img, output_size):
        """(top, left, height, width)."""
        _, h, w = F.get_dimensions(img)
        th, tw = output_size
        if h < th or w < tw:
            raise ValueError(f"Required crop size {(th, tw)} is larger than input image size {(h, w)}")
        if (h, w) == (th, tw):
            return 0, 0, h, w
        top = _draws.integer(0, h - th + 1)
        return top, _draws.integer(0, w - tw + 1), th, tw

    def __init__(self, size, padding=None, pad_if_needed=False, fill=0, padding_mode="constant"):
        super().__init__()
        self.size = tuple(pair(size))
        self.padding, self.pad_if_needed, self.fill, self.padding_mode = padding, pad_if_needed, fill, padding_mode

    def forward(self, img):
        if self.padding is not None:
            img = F.pad(img, self.padding, self.fill, self.padding_mode)
        _, h, w = F.get_dimensions(img)
        if self.pad_if_needed and w < self.size[1]:
            img = F.pad(img, [self.size[1] - w, 0], self.fill, self.padding_mode)
        if self.pad_if_needed and h < self.size[0]:
            img = F.pad(img, [0, self.size[0] - h], self.fill, self.padding_mode)
        return F.crop(img, *self.get_params(img, self.size))

    def __repr__(self):
        return shown(self, "size", "padding")


class RandomHorizontalFlip(Module):
    """Left becomes right with probability p."""

    def __init__(self, p=0.5):
        super().__init__()
        self.p = p

    def forward(self, img):
        return F.hflip(img) if _draws.chance(self.p) else img

    def __repr__(self):
        return shown(self, "p")


class RandomVerticalFlip(Module):
    """Top becomes bottom with probability p."""

    def __init__(self, p=0.5):
        super().__init__()
        self.p = p

    def forward(self, img):
        return F.vflip(img) if _draws.chance(self.p) else img

    def __repr__(self):
        return shown(self, "p")


class RandomPerspective(Module):
    """With probability p, seen from elsewhere: each corner moves inwards by up to distortion_scale of half the image."""

    def __init__(self, distortion_scale=0.5, p=0.5, interpolation=InterpolationMode.BILINEAR, fill=0):
        super().__init__()
        self.p, self.interpolation, self.distortion_scale, self.fill = p, mode_of(interpolation), distortion_scale, fill_of(fill)

    def forward(self, img):
        fill = fill_for(self.fill, img)
        _, h, w = F.get_dimensions(img)
        if not _draws.chance(self.p):
            return img
        return F.perspective(img, *self.get_params(w, h, self.distortion_scale), self.interpolation, fill)

    @staticmethod
    def get_params(width, height, distortion_scale):
        """(startpoints, endpoints): four corners (x, y) each, clockwise from the top left."""
        dx, dy = (int(distortion_scale * (n // 2)) for n in (width, height))
        left, right, top, bottom = (0, dx + 1), (width - dx - 1, width), (0, dy + 1), (height - dy - 1, height)
        ends = [[_draws.integer(*x), _draws.integer(*y)] for x, y in ((left, top), (right, top), (right, bottom), (left, bottom))]
        return [[0, 0], [width - 1, 0], [width - 1, height - 1], [0, height - 1]], ends

    def __repr__(self):
        return shown(self, "p")


def part_of(height, width, scale, ratio):
    """(top, left, height, width) of a part of an image: a share of its area from the range `scale`, width / height from `ratio`.

    The shape is drawn up to ten times until it fits; then it is the middle, as near to the ratio as the image allows.
    """
    low, high = (math.log(r) for r in ratio)
    for _ in range(10):
        area = height * width * _draws.uniform(*scale)
        aspect = math.exp(_draws.uniform(low, high))
        w, h = int(round(math.sqrt(area * aspect))), int(round(math.sqrt(area / aspect)))
        if 0 < w <= width and 0 < h <= height:
            top = _draws.integer(0, height - h + 1)
            return top, _draws.integer(0, width - w + 1), h, w
    w, h = width, height
    if width / height < min(ratio):
        h = int(round(w / min(ratio)))
    elif width / height > max(ratio):
        w = int(round(h * max(ratio)))
    return (height - h) // 2, (width - w) // 2, h, w


class RandomResizedCrop(Module):
    """A part of random size and shape, resized to `size`.  scale: range of its share of the area;  ratio: range of width / height."""

    def __init__(self, size, scale=(0.08, 1.0), ratio=(3.0 / 4.0, 4.0 / 3.0), interpolation=InterpolationMode.BILINEAR, antialias=True):
        super().__init__()
        self.size = pair(size)
        check_ranges(scale, ratio)
        self.interpolation, self.antialias, self.scale, self.ratio = mode_of(interpolation), antialias, scale, ratio

    @staticmethod
    def get_params(img, scale, ratio):
        """(top, left, height, width)."""
        _, height, width = F.get_dimensions(img)
        return part_of(height, width, scale, ratio)

    def forward(self, img):
        return F.resized_crop(img, *self.get_params(img, self.scale, self.ratio), self.size, self.interpolation, antialias=self.antialias)

    def __repr__(self):
        scale, ratio = (tuple(round(v, 4) for v in pair) for pair in (self.scale, self.ratio))
        return (f"{type(self).__name__}(size={self.size}, scale={scale}, ratio={ratio}, interpolation={self.interpolation.value}, "
                f"antialias={self.antialias})")


class FiveCrop(Module):
    """The four corners and the centre: a tuple of five."""

    def __init__(self, size):
        super().__init__()
        self.size = pair(size)

    def forward(self, img):
        return F.five_crop(img, self.size)

    def __repr__(self):
        return shown(self, "size")


class TenCrop(Module):
    """`FiveCrop` of the image and of its mirror image: a tuple of ten."""

    def __init__(self, size, vertical_flip=False):
        super().__init__()
        self.size, self.vertical_flip = pair(size), vertical_flip

    def forward(self, img):
        return F.ten_crop(img, self.size, self.vertical_flip)

    def __repr__(self):
        return shown(self, "size", "vertical_flip")


class RandomRotation(Module):
    """By an angle from the range `degrees`, or from -degrees to degrees."""

    def __init__(self, degrees, interpolation=InterpolationMode.NEAREST, expand=False, center=None, fill=0):
        super().__init__()
        self.degrees = angles(degrees, "degrees", 2)
        if center is not None:
            require_sequence(center, "center", 2)
        self.interpolation, self.expand, self.center, self.fill = mode_of(interpolation), expand, center, fill_of(fill)

    @staticmethod
    def get_params(degrees):
        """The angle."""
        return _draws.uniform(degrees[0], degrees[1])

    def forward(self, img):
        return F.rotate(img, self.get_params(self.degrees), self.interpolation, self.expand, self.center, fill_for(self.fill, img))

    def __repr__(self):
        center = f", center={self.center}" if self.center is not None else ""
        return (f"{type(self).__name__}(degrees={self.degrees}, interpolation={self.interpolation.value}, expand={self.expand}{center}, "
                f"fill={self.fill})")


class RandomAffine(Module):
    """Rotated, moved, scaled and sheared.

    degrees, scale: ranges;  translate: largest share (x, y) of width and height;  shear: degrees, a range along x, or two ranges (x, x, y, y).
    """

    def __init__(self, degrees, translate=None, scale=None, shear=None, interpolation=InterpolationMode.NEAREST, fill=0, center=None):
        super().__init__()
        self.degrees = angles(degrees, "degrees", 2)
        check_affine(translate, scale, center)
        self.translate, self.scale, self.shear = translate, scale, shear if shear is None else angles(shear, "shear", 2, 4)
        self.interpolation, self.fill, self.center = mode_of(interpolation), fill_of(fill), center

    @staticmethod
    def get_params(degrees, translate, scale_ranges, shears, img_size):
        """(angle, (x, y), scale, (shear x, shear y)).  img_size: [width, height]."""
        angle = _draws.uniform(degrees[0], degrees[1])
        moved = (0, 0)
        if translate is not None:
            moved = tuple(int(round(_draws.uniform(-t * n, t * n))) for t, n in zip(translate, img_size))
        scale = 1.0 if scale_ranges is None else _draws.uniform(scale_ranges[0], scale_ranges[1])
        x = 0.0 if shears is None else _draws.uniform(shears[0], shears[1])
        y = _draws.uniform(shears[2], shears[3]) if shears is not None and len(shears) == 4 else 0.0
        return angle, moved, scale, (x, y)

    def forward(self, img):
        _, h, w = F.get_dimensions(img)
        drawn = self.get_params(self.degrees, self.translate, self.scale, self.shear, [w, h])
        return F.affine(img, *drawn, interpolation=self.interpolation, fill=fill_for(self.fill, img), center=self.center)

    def __repr__(self):
        usual = {"translate": None, "scale": None, "shear": None, "interpolation": InterpolationMode.NEAREST, "fill": 0, "center": None}
        changed = [(n, getattr(self, n)) for n, v in usual.items() if getattr(self, n) != v]
        parts = "".join(f", {n}={v.value if n == 'interpolation' else v}" for n, v in changed)
        return f"{type(self).__name__}(degrees={self.degrees}{parts})"


def displacement(alpha, sigma, size):
    """Random offsets (1, H, W, 2) for `functional.elastic_transform`: noise times alpha (x, y) pixels, smoothed by sigma (x, y)."""
    height, width = size
    parts = []
    for strength, smooth, n in ((alpha[0], sigma[0], width), (alpha[1], sigma[1], height)):
        noise = _draws.uniforms(1, 1, height, width) * 2 - 1
        if smooth > 0.0:
            k = int(8 * smooth + 1) // 2 * 2 + 1
            noise = F.gaussian_blur(noise, [k, k], sigma)
        parts.append(noise * strength / n)
    return cat(parts, 1).permute(0, 2, 3, 1)


def _two_floats(value, name):
    if not isinstance(value, (float, Sequence)):
        raise TypeError(f"{name} should be float or a sequence of floats. Got {type(value)}")
    if isinstance(value, float):
        return [value, value]
    if len(value) != 2:
        raise ValueError(f"If {name} is a sequence its length should be 2. Got {len(value)}")
    for v in value:
        if not isinstance(v, float):
            raise TypeError(f"{name} should be a sequence of floats. Got {type(v)}")
    return value


class ElasticTransform(Module):
    """As seen through water: every pixel from somewhere near.  alpha: strength;  sigma: smoothness; floats, or two for x and y."""

    def __init__(self, alpha=50.0, sigma=5.0, interpolation=InterpolationMode.BILINEAR, fill=0):
        super().__init__()
        self.alpha, self.sigma, self.interpolation = _two_floats(alpha, "alpha"), _two_floats(sigma, "sigma"), mode_of(interpolation)
        if not isinstance(fill, (int, float, list, tuple)):
            raise TypeError(f"fill should be int or float or a list or tuple of them. Got {type(fill)}")
        self.fill = [float(v) for v in (fill if isinstance(fill, (list, tuple)) else [fill])]

    @staticmethod
    def get_params(alpha, sigma, size):
        """Offsets (1, H, W, 2) for an image of size [height, width]."""
        return displacement(alpha, sigma, size)

    def forward(self, tensor):
        return F.elastic_transform(tensor, self.get_params(self.alpha, self.sigma, F.get_dimensions(tensor)[1:]), self.interpolation, self.fill)

    def __repr__(self):
        return shown(self, "alpha", "sigma", "interpolation", "fill")
