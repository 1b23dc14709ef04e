"""Pooling of regions.  input: (N, C, H, W);  boxes: (K, 5) as (image number, x1, y1, x2, y2), or a list of (L, 4), one for each image.
"""
from ... import nn, ops
from ..._core.tensor import Tensor
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


def roi_align(input, boxes, output_size, spatial_scale=1.0, sampling_ratio=-1, aligned=False):
    """The mean of interpolated samples in each bin (He et al. 2017, arXiv:1703.06870) -> (K, C, *output_size).

    spatial_scale: from the boxes' coordinates to those of `input`;  sampling_ratio: samples per bin along each axis, -1 for as many as
    elements fall into it;  aligned: pixel centres are at half coordinates.  No gradient flows to the boxes.
    """
    return ops.align_regions(input, as_rois(boxes).detach(), _pair(output_size), float(spatial_scale), sampling_ratio, bool(aligned))


def ps_roi_align(input, boxes, output_size, spatial_scale=1.0, sampling_ratio=-1):
    """`roi_align`, aligned, with channels of its own for each bin: (N, C * PH * PW, H, W) -> (K, C, PH, PW)."""
    return ops.pool_by_place(input, as_rois(boxes).detach(), _pair(output_size), float(spatial_scale), sampling_ratio)


def roi_pool(input, boxes, output_size, spatial_scale=1.0):
    """The largest element in each bin (Girshick 2015, arXiv:1504.08083) -> (K, C, *output_size); 0 in an empty bin."""
    places = ops.region_maxima(input.detach(), as_rois(boxes).detach(), _pair(output_size), float(spatial_scale))
    return where(places < 0, 0.0, ops.take(ops.reshape(input, (-1,)), places.clamp(min=0), 0))


def ps_roi_pool(input, boxes, output_size, spatial_scale=1.0):
    """The mean of each bin, with channels of its own for each: (N, C * PH * PW, H, W) -> (K, C, PH, PW)."""
    return ops.pool_by_place(input, as_rois(boxes).detach(), _pair(output_size), float(spatial_scale), elements=True)


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
