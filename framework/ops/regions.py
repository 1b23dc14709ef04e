"""Pooling of regions of images.  x: (N, C, H, W);  rois: (K, 5) as (image number, x0, y0, x1, y1), which take no gradient.

Sampling by interpolation is separable: what a bin takes from rows does not depend on columns.  So a region's pooling is a product with two
small matrices, rows (K, PH, H) and columns (K, PW, W), and its gradient is theirs.
"""
import numpy as np

from .._core.op import op
from ._run import run
from .indexing import add_at


def _types(raw, backend):
    """The type of the images."""
    return raw, raw[0].dtype


def region_numbers(rois):
    """(image numbers, the boxes' coordinates) of an array, on the host."""
    values = (rois.get() if hasattr(rois, "get") else np.asarray(rois)).astype(np.float64)
    return values[:, 0].astype(np.int64), values[:, 1:]


def sampling(start, size, bins, samples, length):
    """(K, bins, length): the weights of an axis' elements in the mean of a bin's samples, found by linear interpolation.

    start, size: (K) of the regions;  samples: per bin, 0 for as many as elements fall into it.
    """
    weights = np.zeros((len(start), bins, length))
    for k, (begin, extent) in enumerate(zip(start, size)):
        n = samples if samples > 0 else max(int(np.ceil(extent / bins)), 0)
        at = begin + (np.arange(bins)[:, None] + (np.arange(n) + 0.5) / max(n, 1)) * (extent / bins)  # (bins, n)
        inside = (at >= -1) & (at <= length)
        at = np.clip(at, 0, length - 1)
        low = at.astype(np.int64)
        high, share = np.minimum(low + 1, length - 1), at - low
        rows = np.broadcast_to(np.arange(bins)[:, None], at.shape)
        np.add.at(weights[k], (rows, low), (1 - share) * inside / max(n, 1))
        np.add.at(weights[k], (rows, high), share * inside / max(n, 1))
    return weights


def averages(rois, shape, size, spatial_scale, samples, offset, least):
    """(rows, columns, images): the weights of aligned pooling in float64, and the image of each region."""
    images, boxes = region_numbers(rois)
    low, high = boxes[:, :2] * spatial_scale - offset, boxes[:, 2:] * spatial_scale - offset
    extent = np.maximum(high - low, least)
    rows = sampling(low[:, 1], extent[:, 1], size[0], samples, shape[2])
    return rows, sampling(low[:, 0], extent[:, 0], size[1], samples, shape[3]), images


def _matrices(xp, rois, shape, dtype, size, spatial_scale, samples, aligned):
    rows, columns, images = averages(rois, shape, size, spatial_scale, samples, *((0.5, -np.inf) if aligned else (0.0, 1.0)))
    return xp.asarray(rows.astype(dtype)), xp.asarray(columns.astype(dtype)), xp.asarray(images)


@op(promote=_types, fast=False, broadcasts=False, grad_name="RoiAlign")
def align_regions(xp, x, rois, size: tuple, spatial_scale: float = 1.0, samples: int = -1, aligned: bool = False):
    """The mean of interpolated samples in each bin of each region.  -> (K, C, *size).  He et al. 2017, arXiv:1703.06870."""
    rows, columns, images = _matrices(xp, rois, x.shape, x.dtype, size, spatial_scale, samples, aligned)
    return xp.matmul(xp.matmul(rows[:, None], x[images]), columns.transpose(0, 2, 1)[:, None])


@align_regions.vjp("x")
def _(xp, g, rois, x_shape, size, spatial_scale, samples, aligned):
    return run(spread_regions, xp, g, rois, shape=x_shape, size=size, spatial_scale=spatial_scale, samples=samples, aligned=aligned)


@op(promote=_types, fast=False, broadcasts=False, grad_name="RoiAlignBackward")
def spread_regions(xp, x, rois, shape: tuple, size: tuple, spatial_scale: float = 1.0, samples: int = -1, aligned: bool = False):
    """Zeros of `shape` to which the bins (K, C, *size) are added where `align_regions` would have read them: its adjoint."""
    rows, columns, images = _matrices(xp, rois, shape, x.dtype, size, spatial_scale, samples, aligned)
    parts = xp.matmul(xp.matmul(rows.transpose(0, 2, 1)[:, None], x), columns[:, None])
    return run(add_at, xp, parts, images, *[None] * 7, shape=shape, dims=(0,))


@spread_regions.vjp("x")
def _(xp, g, rois, size, spatial_scale, samples, aligned):
    return run(align_regions, xp, g, rois, size=size, spatial_scale=spatial_scale, samples=samples, aligned=aligned)


# -- largest elements --------------------------------------------------------------------------------------------------

def bins(start, size, count, length, inner):
    """(K, count) first and past-the-last element of each bin.  inner: bins begin at `start` before rounding."""
    step = size / count
    first, last = np.arange(count) * step[:, None], (np.arange(count) + 1) * step[:, None]
    if inner:
        first, last = np.floor(first + start[:, None]), np.ceil(last + start[:, None])
    else:
        first, last = np.floor(first) + start[:, None], np.ceil(last) + start[:, None]
    return np.clip(first, 0, length).astype(np.int64), np.clip(last, 0, length).astype(np.int64)


def rounded(values):
    """To whole numbers, halves away from zero, as C rounds."""
    return np.sign(values) * np.floor(np.abs(values) + 0.5)


@op(fast=False)
def region_maxima(xp, x, rois, size: tuple, spatial_scale: float = 1.0):
    """Where the largest element of each bin is, counted in the flattened x; -1 in an empty bin.  -> (K, C, *size) int64.  Girshick 2015."""
    images, corners = region_numbers(rois)
    low, high = rounded(corners[:, :2] * spatial_scale), rounded(corners[:, 2:] * spatial_scale)
    extent = np.maximum(high - low + 1, 1)
    top, bottom = bins(low[:, 1], extent[:, 1], size[0], x.shape[2], False)
    left, right = bins(low[:, 0], extent[:, 0], size[1], x.shape[3], False)
    values, places = x.get() if hasattr(x, "get") else x, np.full((len(images), x.shape[1], *size), -1, np.int64)
    channels = np.arange(x.shape[1]) * (x.shape[2] * x.shape[3])
    for k, image in enumerate(images):
        for i, j in np.ndindex(*size):
            part = values[image, :, top[k, i]:bottom[k, i], left[k, j]:right[k, j]]
            if part.size:
                row, column = np.divmod(part.reshape(len(part), -1).argmax(1), part.shape[2])
                places[k, :, i, j] = image * values[0].size + channels + (row + top[k, i]) * x.shape[3] + column + left[k, j]
    return xp.asarray(places)
