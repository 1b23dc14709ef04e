"""Rearranging pixels and resizing images."""
import math
import warnings
from functools import lru_cache

import numpy as np

from ... import ops
from ...ops._layout import lies_last
from ...ops.mixing import Shares
from ._antialias import FILTERS, filtered_weights
from .pooling import adaptive_avg_pool1d, adaptive_avg_pool2d, adaptive_avg_pool3d


def pixel_shuffle(input, upscale_factor):
    """(*, C r^2, H, W) -> (*, C, H r, W r).  Shi et al. 2016, arXiv:1609.05158."""
    *lead, c, h, w = input.shape
    r = upscale_factor
    if r < 1 or c % (r * r):
        raise RuntimeError("pixel_shuffle expects its input's 'channel' dimension to be divisible by the square of upscale_factor, but "
                           f"input.size(-3)={c} is not divisible by {r * r}")
    n = len(lead)
    out = ops.reshape(input, (*lead, c // (r * r), r, r, h, w))
    out = ops.transpose(out, (*range(n), n, n + 3, n + 1, n + 4, n + 2))
    return ops.reshape(out, (*lead, c // (r * r), h * r, w * r))


def pixel_unshuffle(input, downscale_factor):
    """(*, C, H r, W r) -> (*, C r^2, H, W), the inverse of `pixel_shuffle`."""
    *lead, c, h, w = input.shape
    r = downscale_factor
    if r < 1 or h % r or w % r:
        raise RuntimeError(f"pixel_unshuffle expects height and width to be divisible by downscale_factor, but input.size(-2)={h} and "
                           f"input.size(-1)={w} with a factor of {r}")
    n = len(lead)
    out = ops.reshape(input, (*lead, c, h // r, r, w // r, r))
    out = ops.transpose(out, (*range(n), n, n + 2, n + 4, n + 1, n + 3))
    return ops.reshape(out, (*lead, c * r * r, h // r, w // r))


def channel_shuffle(input, groups):
    """Channels of g groups, dealt round: (N, g * c, *) -> the same shape, first channels of all groups first."""
    n, c, *space = input.shape
    if c % groups:
        raise RuntimeError(f"Number of channels must be divisible by groups. Got {c} channels and {groups} groups.")
    if input.is_cuda and lies_last(input._data):  # so do the results
        d = len(space)
        out = ops.swapaxes(ops.reshape(ops.transpose(input, (0, *range(2, 2 + d), 1)), (n, *space, groups, c // groups)), -1, -2)
        return ops.transpose(ops.reshape(out, (n, *space, c)), (0, 1 + d, *range(1, 1 + d)))
    out = ops.swapaxes(ops.reshape(input, (n, groups, c // groups, *space)), 1, 2)
    return ops.reshape(out, tuple(input.shape))


MODES = {"nearest": (1, 2, 3), "nearest-exact": (1, 2, 3), "linear": (1,), "bilinear": (2,), "trilinear": (3,), "bicubic": (2,), "lanczos": (2,),
         "area": (1, 2, 3)}
AREA = {1: adaptive_avg_pool1d, 2: adaptive_avg_pool2d, 3: adaptive_avg_pool3d}


def interpolate(input, size=None, scale_factor=None, mode="nearest", align_corners=None, recompute_scale_factor=None, antialias=False):
    """Resize the spatial dimensions to `size`, or by `scale_factor` (one number, or one per dimension).  (N, C, *in) -> (N, C, *out)

    mode                    nearest, nearest-exact, linear, bilinear, trilinear, bicubic (a = -0.75), area, or lanczos (with antialias only)
    align_corners           corner pixels keep their places
    recompute_scale_factor  work with the ratio of the sizes, rounded as they are, in place of scale_factor
    antialias               filter as Pillow does when it makes an image smaller: bilinear, bicubic and lanczos, images only
    """
    d = input.ndim - 2
    if align_corners is not None and mode in ("nearest", "nearest-exact", "area"):
        raise ValueError("align_corners option can only be set with the interpolating modes: linear | bilinear | bicubic | trilinear")
    sizes, steps = _sizes_and_steps(input.shape[2:], size, scale_factor, recompute_scale_factor)
    if antialias and not (mode in FILTERS and d == 2):
        raise ValueError("Anti-alias option is restricted to bilinear, bicubic, and lanczos modes and requires a 4-D tensor as input")
    if d not in MODES.get(mode, ()):
        raise NotImplementedError(f"interpolate: mode {mode!r} takes inputs of {[2 + n for n in MODES.get(mode, ())] or 'no'} dimensions, got "
                                  f"{input.ndim}; the modes are {', '.join(MODES)}")
    if mode == "lanczos" and (align_corners or not antialias):
        raise ValueError("Lanczos mode does not support align_corners=True" if align_corners else "Lanczos mode requires antialias=True")
    if min(*input.shape[2:], *sizes) <= 0:
        raise RuntimeError(f"Input and output sizes should be greater than 0, but got input {list(input.shape[2:])} output {list(sizes)}")
    if mode == "area":
        return AREA[d](input, sizes)
    shares = tuple([_shares(n, out, step, bool(align_corners), mode, antialias) for n, out, step in zip(input.shape[2:], sizes, steps)])
    return (ops.pick if mode.startswith("nearest") else ops.mix)(input, shares, 2)


@lru_cache(64)
def _shares(n, out, step, align_corners, mode, antialias):
    """Along one axis, what each output pixel is made of."""
    if mode.startswith("nearest"):
        index = np.minimum(((np.arange(out) + (0.5 if mode == "nearest-exact" else 0)) * step).astype(np.int64), n - 1)
        return Shares.at(n, index)
    return Shares(filtered_weights(n, out, step, align_corners, mode) if antialias else _weights(n, out, step, align_corners, mode == "bicubic"))


def _sizes_and_steps(sizes, size, scale_factor, recompute):
    """Output sizes, and how far one output pixel is from the next in input pixels."""
    d = len(sizes)
    if (size is None) == (scale_factor is None):
        raise ValueError("only one of size or scale_factor should be defined" if size is not None
                         else "either size or scale_factor should be defined")
    given = size if size is not None else scale_factor
    given = tuple(given) if isinstance(given, (tuple, list)) else (given,) * d
    if len(given) != d:
        raise ValueError(f"Input and {'output size' if size is not None else 'scale_factor'} must have the same number of spatial dimensions, but "
                         f"got input with spatial dimensions of {list(sizes)} and {list(given)}")
    if size is not None:
        if recompute:
            raise ValueError("recompute_scale_factor is not meaningful with an explicit size.")
        if any(isinstance(n, float) for n in given):
            raise TypeError("expected size to be one of int or Tuple[int] or Tuple[int, int] or Tuple[int, int, int], but got size with types "
                            f"{[type(n) for n in given]}")
        return given, [n / max(out, 1) for n, out in zip(sizes, given)]
    out = tuple(int(math.floor(n * s)) for n, s in zip(sizes, given))
    return out, [n / max(o, 1) for n, o in zip(sizes, out)] if recompute else [1 / s for s in given]


def _weights(n, out, step, align_corners, cubic):
    """(n, out) matrix: the share of each input pixel in each output pixel."""
    if align_corners:
        place = np.arange(out) * ((n - 1) / (out - 1) if out > 1 else 0.0)
    else:
        place = (np.arange(out) + 0.5) * step - 0.5
        place = place if cubic else np.maximum(place, 0)
    low = np.floor(place).astype(np.int64)
    t = place - low
    shares = ((-1, cubic_tail(t + 1)), (0, cubic_head(t)), (1, cubic_head(1 - t)), (2, cubic_tail(2 - t))) if cubic else ((0, 1 - t), (1, t))
    matrix = np.zeros((n, out))
    for offset, share in shares:
        np.add.at(matrix, (np.clip(low + offset, 0, n - 1), np.arange(out)), share)
    return matrix


def cubic_head(t, a=-0.75):
    """The cubic convolution kernel for distances t from 0 to 1.  Keys 1981."""
    return ((a + 2) * t - (a + 3)) * t * t + 1


def cubic_tail(t, a=-0.75):
    """The cubic convolution kernel for distances t from 1 to 2."""
    return ((a * t - 5 * a) * t + 8 * a) * t - 4 * a


def upsample(input, size=None, scale_factor=None, mode="nearest", align_corners=None):
    """The older name of `interpolate`."""
    _warn_of_name("upsample")
    return interpolate(input, size, scale_factor, mode, align_corners)


def upsample_nearest(input, size=None, scale_factor=None):
    """The older name of `interpolate` with mode "nearest"."""
    _warn_of_name("upsample_nearest")
    return interpolate(input, size, scale_factor)


def upsample_bilinear(input, size=None, scale_factor=None):
    """The older name of `interpolate` with mode "bilinear" and aligned corners."""
    _warn_of_name("upsample_bilinear")
    return interpolate(input, size, scale_factor, "bilinear", True)


def _warn_of_name(name):
    warnings.warn(f"`nn.functional.{name}` is deprecated. Use `nn.functional.interpolate` instead.", stacklevel=3)


native_channel_shuffle = channel_shuffle

__all__ = ["channel_shuffle", "interpolate", "native_channel_shuffle", "pixel_shuffle", "pixel_unshuffle", "upsample", "upsample_bilinear",
           "upsample_nearest"]
