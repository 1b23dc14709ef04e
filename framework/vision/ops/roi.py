"""Pooling of regions.  input: (N, C, H, W);  boxes: (K, 5) as (image number, x1, y1, x2, y2), or a list of (L, 4), one for each image.

Sampling by interpolation is separable: what a bin takes from rows does not depend on columns.  So a region's pooling is a product with two
small matrices, rows (K, PH, H) and columns (K, PW, W), and its gradient is theirs.
"""
import numpy as np

from ... import nn
from ..._core.tensor import Tensor, wrap
from ..._functional.elementwise import where
from ..._functional.joining import cat

__all__ = ["PSRoIAlign", "PSRoIPool", "RoIAlign", "RoIPool", "ps_roi_align", "ps_roi_pool", "roi_align", "roi_pool"]


def as_rois(boxes):
    """(K, 5) of either form.  AssertionError for another shape."""
    if isinstance(boxes, (list, tuple)):
        if any(b.ndim != 2 or b.shape[1] != 4 for b in boxes):
            raise AssertionError("The shape of the tensor in the boxes list is not correct as List[Tensor[L, 4]]")
        return cat([cat([b.new_full((len(b), 1), i), b], dim=1) for i, b in enumerate(boxes)])
    if not isinstance(boxes, Tensor) or boxes.ndim != 2 or boxes.shape[1] != 5:
        raise AssertionError("The boxes tensor shape is not correct as Tensor[K, 5]")
    return boxes


def _pair(size):
    return (size, size) if isinstance(size, int) else tuple(size)


def _numbers(rois):
    """(image numbers, the boxes' coordinates) as arrays."""
    values = rois.detach().cpu().double().numpy()
    return values[:, 0].astype(np.int64), values[:, 1:]


def _sampling(start, size, bins, samples, length):
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


def _averages(input, rois, height, width, samples, offset, least, spatial_scale):
    """Row and column weights of aligned pooling, and the image of each region."""
    images, boxes = _numbers(rois)
    low, high = boxes[:, :2] * spatial_scale - offset, boxes[:, 2:] * spatial_scale - offset
    size = np.maximum(high - low, least)
    rows = _sampling(low[:, 1], size[:, 1], height, samples, input.shape[2])
    columns = _sampling(low[:, 0], size[:, 0], width, samples, input.shape[3])
    return (*_as_tensors(input, rows, columns), wrap(images).to(input.device))


def _as_tensors(input, *weights):
    return [wrap(w).to(input.device).to(input.dtype) for w in weights]


def roi_align(input, boxes, output_size, spatial_scale=1.0, sampling_ratio=-1, aligned=False):
    """The mean of interpolated samples in each bin (He et al. 2017, arXiv:1703.06870) -> (K, C, *output_size).

    spatial_scale: from the boxes' coordinates to those of `input`;  sampling_ratio: samples per bin along each axis, -1 for as many as
    elements fall into it;  aligned: pixel centres are at half coordinates.  No gradient flows to the boxes.
    """
    (height, width), rois = _pair(output_size), as_rois(boxes)
    offset, least = (0.5, -np.inf) if aligned else (0.0, 1.0)
    rows, columns, images = _averages(input, rois, height, width, sampling_ratio, offset, least, spatial_scale)
    return rows.unsqueeze(1) @ input[images] @ columns.transpose(1, 2).unsqueeze(1)


def _by_place(input, height, width):
    """(N, C * PH * PW, H, W) -> (N, C, PH, PW, H, W): each bin of the result has channels of its own.  (Dai et al. 2016, arXiv:1605.06409)"""
    if input.shape[1] % (height * width):
        raise RuntimeError(f"input channels must be a multiple of pooling height * pooling width, got {input.shape[1]} for {height} x {width}")
    return input.reshape(input.shape[0], -1, height, width, *input.shape[2:])


def _pooled_by_place(input, images, rows, columns):
    """(K, C, PH, PW)."""
    k, ph, h = rows.shape
    pw, w = columns.shape[1:]
    regions = _by_place(input, ph, pw)[images]
    return (rows.reshape(k, 1, ph, 1, 1, h) @ regions @ columns.reshape(k, 1, 1, pw, w, 1)).reshape(regions.shape[:4])


def ps_roi_align(input, boxes, output_size, spatial_scale=1.0, sampling_ratio=-1):
    """`roi_align` with channels of its own for each bin: (N, C * PH * PW, H, W) -> (K, C, PH, PW)."""
    (height, width), rois = _pair(output_size), as_rois(boxes)
    rows, columns, images = _averages(input, rois, height, width, sampling_ratio, 0.5, -np.inf, spatial_scale)
    return _pooled_by_place(input, images, rows, columns)


def _bins(start, size, count, length, inner):
    """(K, count) first and past-the-last element of each bin.  inner: bins begin at `start` before rounding."""
    step = size / count
    first, last = np.arange(count) * step[:, None], (np.arange(count) + 1) * step[:, None]
    if inner:
        first, last = np.floor(first + start[:, None]), np.ceil(last + start[:, None])
    else:
        first, last = np.floor(first) + start[:, None], np.ceil(last) + start[:, None]
    return np.clip(first, 0, length).astype(np.int64), np.clip(last, 0, length).astype(np.int64)


def _rounded(values):
    """To whole numbers, halves away from zero, as C rounds."""
    return np.sign(values) * np.floor(np.abs(values) + 0.5)


def roi_pool(input, boxes, output_size, spatial_scale=1.0):
    """The largest element in each bin (Girshick 2015, arXiv:1504.08083) -> (K, C, *output_size); 0 in an empty bin."""
    (height, width), rois = _pair(output_size), as_rois(boxes)
    images, corners = _numbers(rois)
    low, high = _rounded(corners[:, :2] * spatial_scale), _rounded(corners[:, 2:] * spatial_scale)
    size = np.maximum(high - low + 1, 1)
    top, bottom = _bins(low[:, 1], size[:, 1], height, input.shape[2], False)
    left, right = _bins(low[:, 0], size[:, 0], width, input.shape[3], False)
    values = input.detach().cpu().numpy()
    where_max = np.zeros((len(images), input.shape[1], height, width), np.int64)
    for k, image in enumerate(images):
        for i, j in np.ndindex(height, width):
            part = values[image, :, top[k, i]:bottom[k, i], left[k, j]:right[k, j]]
            if part.size:
                y, x = np.divmod(part.reshape(len(part), -1).argmax(1), part.shape[2])
                where_max[k, :, i, j] = (y + top[k, i]) * input.shape[3] + x + left[k, j]
    empty = ((bottom <= top)[:, :, None] | (right <= left)[:, None, :])[:, None]
    flat = input.reshape(*input.shape[:2], -1)[wrap(images).to(input.device)]
    found = flat.gather(2, wrap(where_max.reshape(*where_max.shape[:2], -1)).to(input.device)).reshape(where_max.shape)
    return where(wrap(empty).to(input.device), 0.0, found) if empty.any() else found


def ps_roi_pool(input, boxes, output_size, spatial_scale=1.0):
    """The mean of each bin, with channels of its own for each: (N, C * PH * PW, H, W) -> (K, C, PH, PW)."""
    (height, width), rois = _pair(output_size), as_rois(boxes)
    images, corners = _numbers(rois)
    low, high = _rounded(corners[:, :2]) * spatial_scale, _rounded(corners[:, 2:] + 1) * spatial_scale
    size = np.maximum(high - low, 0.1)
    rows = _means(*_bins(low[:, 1], size[:, 1], height, input.shape[2], True), input.shape[2])
    columns = _means(*_bins(low[:, 0], size[:, 0], width, input.shape[3], True), input.shape[3])
    return _pooled_by_place(input, wrap(images).to(input.device), *_as_tensors(input, rows, columns))


def _means(first, last, length):
    """(K, bins, length): equal weights for the elements of each bin."""
    at = np.arange(length)
    inside = (at >= first[..., None]) & (at < last[..., None])
    return inside / np.maximum(inside.sum(-1, keepdims=True), 1)


class _Pool(nn.Module):
    _names: tuple[str, ...] = ("output_size", "spatial_scale")

    def __repr__(self):
        return f"{type(self).__name__}({', '.join(f'{n}={getattr(self, n)}' for n in self._names)})"


class RoIAlign(_Pool):
    """See `roi_align`."""

    _names = ("output_size", "spatial_scale", "sampling_ratio", "aligned")

    def __init__(self, output_size, spatial_scale, sampling_ratio, aligned=False):
        super().__init__()
        self.output_size, self.spatial_scale, self.sampling_ratio, self.aligned = output_size, spatial_scale, sampling_ratio, aligned

    def forward(self, input, rois):
        return roi_align(input, rois, self.output_size, self.spatial_scale, self.sampling_ratio, self.aligned)


class PSRoIAlign(_Pool):
    """See `ps_roi_align`."""

    _names = ("output_size", "spatial_scale", "sampling_ratio")

    def __init__(self, output_size, spatial_scale, sampling_ratio):
        super().__init__()
        self.output_size, self.spatial_scale, self.sampling_ratio = output_size, spatial_scale, sampling_ratio

    def forward(self, input, rois):
        return ps_roi_align(input, rois, self.output_size, self.spatial_scale, self.sampling_ratio)


class RoIPool(_Pool):
    """See `roi_pool`."""

    def __init__(self, output_size, spatial_scale):
        super().__init__()
        self.output_size, self.spatial_scale = output_size, spatial_scale

    def forward(self, input, rois):
        return roi_pool(input, rois, self.output_size, self.spatial_scale)


class PSRoIPool(RoIPool):
    """See `ps_roi_pool`."""

    def forward(self, input, rois):
        return ps_roi_pool(input, rois, self.output_size, self.spatial_scale)
