"""Pooling of regions in which each bin has channels of its own.  x: (N, C * PH * PW, H, W);  rois: (K, 5), as in `regions.py`, without a gradient.

As there, what a bin takes from rows does not depend on columns.  (Dai et al. 2016, arXiv:1605.06409)
"""
import numpy as np

from .._core.op import op
from ._run import run
from .indexing import add_at
from .regions import _types, averages, bins, region_numbers, rounded


def _split(x, size):
    """(N, C * PH * PW, H, W) -> (N, C, PH, PW, H, W).  RuntimeError in torchvision's words where the channels do not divide."""
    height, width = size
    if x.shape[1] % (height * width):
        raise RuntimeError(f"input channels must be a multiple of pooling height * pooling width, got {x.shape[1]} for {height} x {width}")
    return x.reshape(x.shape[0], -1, height, width, *x.shape[2:])


def _means(first, last, length):
    """(K, bins, length): equal weights for the elements of each bin."""
    at = np.arange(length)
    inside = (at >= first[..., None]) & (at < last[..., None])
    return inside / np.maximum(inside.sum(-1, keepdims=True), 1)


def _matrices(xp, rois, shape, dtype, size, spatial_scale, samples, elements):
    """(rows (K, 1, PH, 1, 1, H), columns (K, 1, 1, PW, W, 1), images)."""
    if elements:
        images, corners = region_numbers(rois)
        low, high = rounded(corners[:, :2]) * spatial_scale, rounded(corners[:, 2:] + 1) * spatial_scale
        extent = np.maximum(high - low, 0.1)
        rows = _means(*bins(low[:, 1], extent[:, 1], size[0], shape[2], True), shape[2])
        columns = _means(*bins(low[:, 0], extent[:, 0], size[1], shape[3], True), shape[3])
    else:
        rows, columns, images = averages(rois, shape, size, spatial_scale, samples, 0.5, -np.inf)
    rows, columns = rows[:, None, :, None, None, :], columns[:, None, None, :, :, None]
    return xp.asarray(rows.astype(dtype)), xp.asarray(columns.astype(dtype)), xp.asarray(images)


@op(promote=_types, fast=False, broadcasts=False, grad_name="PsRoiAlign")
def pool_by_place(xp, x, rois, size: tuple, spatial_scale: float = 1.0, samples: int = -1, elements: bool = False):
    """The mean of interpolated samples in each bin of each region, or (elements) of the elements in it; 0 of none.  -> (K, C, *size)"""
    parts = _split(x, size)
    rows, columns, images = _matrices(xp, rois, x.shape, x.dtype, size, spatial_scale, samples, elements)
    return xp.matmul(xp.matmul(rows, parts[images]), columns).reshape(len(images), *parts.shape[1:4])


@pool_by_place.vjp("x")
def _(xp, g, rois, x_shape, size, spatial_scale, samples, elements):
    return run(spread_by_place, xp, g, rois, shape=x_shape, size=size, spatial_scale=spatial_scale, samples=samples, elements=elements)


@op(promote=_types, fast=False, broadcasts=False, grad_name="PsRoiAlignBackward")
def spread_by_place(xp, x, rois, shape: tuple, size: tuple, spatial_scale: float = 1.0, samples: int = -1, elements: bool = False):
    """Zeros of `shape` to which the bins (K, C, *size) are added where `pool_by_place` would have read them: its adjoint."""
    rows, columns, images = _matrices(xp, rois, shape, x.dtype, size, spatial_scale, samples, elements)
    parts = xp.swapaxes(rows, 4, 5) * x[..., None, None] * xp.swapaxes(columns, 4, 5)
    return run(add_at, xp, parts.reshape(len(images), *shape[1:]), images, *[None] * 7, shape=shape, dims=(0,))


@spread_by_place.vjp("x")
def _(xp, g, rois, size, spatial_scale, samples, elements):
    return run(pool_by_place, xp, g, rois, size=size, spatial_scale=spatial_scale, samples=samples, elements=elements)
