"""Pooling of regions.  input: (N, C, H, W);  boxes: (K, 5) as (image number, x1, y1, x2, y2), or a list of (L, 4), one for each image.
"""
import numpy as np

from ... import nn, ops
from ..._core.tensor import Tensor, wrap
from ..._functional.elementwise import where
from ..._functional.joining import cat
from ...ops.regions import averages, bins, region_numbers, rounded

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


def _as_tensors(input, *weights):
    return [wrap(w).to(input.device).to(input.dtype) for w in weights]


def roi_align(input, boxes, output_size, spatial_scale=1.0, sampling_ratio=-1, aligned=False):
    """The mean of interpolated samples in each bin (He et al. 2017, arXiv:1703.06870) -> (K, C, *output_size).

    spatial_scale: from the boxes' coordinates to those of `input`;  sampling_ratio: samples per bin along each axis, -1 for as many as
    elements fall into it;  aligned: pixel centres are at half coordinates.  No gradient flows to the boxes.
    """
    return ops.align_regions(input, as_rois(boxes).detach(), _pair(output_size), float(spatial_scale), sampling_ratio, bool(aligned))


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
    rows, columns, images = averages(as_rois(boxes)._data, input.shape, _pair(output_size), spatial_scale, sampling_ratio, 0.5, -np.inf)
    return _pooled_by_place(input, wrap(images).to(input.device), *_as_tensors(input, rows, columns))


def roi_pool(input, boxes, output_size, spatial_scale=1.0):
    """The largest element in each bin (Girshick 2015, arXiv:1504.08083) -> (K, C, *output_size); 0 in an empty bin."""
    places = ops.region_maxima(input.detach(), as_rois(boxes).detach(), _pair(output_size), float(spatial_scale))
    return where(places < 0, 0.0, ops.take(ops.reshape(input, (-1,)), places.clamp(min=0), 0))


def ps_roi_pool(input, boxes, output_size, spatial_scale=1.0):
    """The mean of each bin, with channels of its own for each: (N, C * PH * PW, H, W) -> (K, C, PH, PW)."""
    (height, width), rois = _pair(output_size), as_rois(boxes)
    images, corners = region_numbers(rois._data)
    low, high = rounded(corners[:, :2]) * spatial_scale, rounded(corners[:, 2:] + 1) * spatial_scale
    size = np.maximum(high - low, 0.1)
    rows = _means(*bins(low[:, 1], size[:, 1], height, input.shape[2], True), input.shape[2])
    columns = _means(*bins(low[:, 0], size[:, 0], width, input.shape[3], True), input.shape[3])
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
