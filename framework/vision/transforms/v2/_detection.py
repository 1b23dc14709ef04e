"""Transforms of size and place that came with detectors of objects."""
import PIL.Image

from ...._core.tensor import Tensor
from ...._functional.creation import tensor
from ... import tv_tensors
from ...ops import box_iou
from .. import _draws
from .._checks import require_sequence
from . import functional as F
from ._inputs import fill_for, fills_of, get_bounding_boxes, has_all, has_any, query_size
from ._transform import RandomApplyTransform, Transform
from .functional._boxes import converted

__all__ = ["RandomIoUCrop", "RandomResize", "RandomShortestSize", "RandomZoomOut", "ScaleJitter"]


class _Resizing(Transform):
    """Base class of those that resize to params["size"]."""

    def transform(self, inpt, params):
        return self._call_kernel(F.resize, inpt, size=params["size"], interpolation=self.interpolation, antialias=self.antialias)


class ScaleJitter(_Resizing):
    """Resized to fit into target_size (h, w), times a number from scale_range.  Ghiasi et al. 2020, arXiv:2012.07177."""

    def __init__(self, target_size, scale_range=(0.1, 2.0), interpolation="bilinear", antialias=True):
        super().__init__()
        self.target_size, self.scale_range, self.interpolation, self.antialias = target_size, scale_range, interpolation, antialias

    def make_params(self, flat_inputs):
        height, width = query_size(flat_inputs)
        low, high = self.scale_range
        r = min(self.target_size[1] / height, self.target_size[0] / width) * (low + _draws.uniform(0, 1) * (high - low))
        return {"size": (int(height * r), int(width * r))}


class RandomShortestSize(_Resizing):
    """The shorter side becomes one of min_size, and the longer one at most max_size."""

    def __init__(self, min_size, max_size=None, interpolation="bilinear", antialias=True):
        super().__init__()
        self.min_size = [min_size] if isinstance(min_size, int) else list(min_size)
        self.max_size, self.interpolation, self.antialias = max_size, interpolation, antialias

    def make_params(self, flat_inputs):
        height, width = query_size(flat_inputs)
        r = self.min_size[_draws.integer(0, len(self.min_size))] / min(height, width)
        r = r if self.max_size is None else min(r, self.max_size / max(height, width))
        return {"size": (int(height * r), int(width * r))}


class RandomResize(_Resizing):
    """The shorter side becomes a number from min_size to max_size - 1."""

    def __init__(self, min_size, max_size, interpolation="bilinear", antialias=True):
        super().__init__()
        self.min_size, self.max_size, self.interpolation, self.antialias = min_size, max_size, interpolation, antialias

    def make_params(self, flat_inputs):
        return {"size": [_draws.integer(self.min_size, self.max_size)]}


class RandomZoomOut(RandomApplyTransform):
    """With probability p, somewhere on a larger canvas, side_range times as large.  Liu et al. 2015, arXiv:1512.02325."""

    def __init__(self, fill=0, side_range=(1.0, 4.0), p=0.5):
        super().__init__(p=p)
        self.fill, self._fill = fill, fills_of(fill)
        require_sequence(side_range, "side_range", 2)
        self.side_range = side_range
        if side_range[0] < 1.0 or side_range[0] > side_range[1]:
            raise ValueError(f"Invalid side range provided {side_range}.")

    def make_params(self, flat_inputs):
        height, width = query_size(flat_inputs)
        low, high = self.side_range
        r = low + _draws.uniform(0, 1) * (high - low)
        more_x, more_y = int(width * r) - width, int(height * r) - height
        left, top = int(more_x * _draws.uniform(0, 1)), int(more_y * _draws.uniform(0, 1))
        return {"padding": [left, top, more_x - left, more_y - top]}

    def transform(self, inpt, params):
        return self._call_kernel(F.pad, inpt, **params, fill=fill_for(self._fill, type(inpt)))


class RandomIoUCrop(Transform):
    """A part that overlaps with a box by at least one of the shares in sampler_options (1 and more: all of the image).

    Liu et al. 2015, arXiv:1512.02325.  Boxes whose centre is outside become 0: SanitizeBoundingBoxes takes them away.
    """

    def __init__(self, min_scale=0.3, max_scale=1.0, min_aspect_ratio=0.5, max_aspect_ratio=2.0, sampler_options=None, trials=40):
        super().__init__()
        self.min_scale, self.max_scale = min_scale, max_scale
        self.min_aspect_ratio, self.max_aspect_ratio = min_aspect_ratio, max_aspect_ratio
        self.options = [0.0, 0.1, 0.3, 0.5, 0.7, 0.9, 1.0] if sampler_options is None else sampler_options
        self.trials = trials

    def check_inputs(self, flat_inputs):
        if not (has_all(flat_inputs, tv_tensors.BoundingBoxes) and has_any(flat_inputs, PIL.Image.Image, tv_tensors.Image, F.is_pure_tensor)):
            raise TypeError(f"{type(self).__name__}() requires input sample to contain tensor or PIL images and bounding boxes. "
                            "Sample can also contain masks.")

    def make_params(self, flat_inputs):
        size, boxes = query_size(flat_inputs), get_bounding_boxes(flat_inputs)
        corners = converted(boxes.as_subclass(Tensor), boxes.format, tv_tensors.BoundingBoxFormat.XYXY)
        while True:
            overlap = self.options[_draws.integer(0, len(self.options))]
            if overlap >= 1.0:
                return {}
            for _ in range(self.trials):
                found = self._part(size, corners, overlap)
                if found is not None:
                    return found

    def _part(self, size, corners, overlap):
        """A part, or None where it does not fit: its shape, no box's centre inside, too little overlap with all boxes."""
        height, width = size
        wide, high = (self.min_scale + (self.max_scale - self.min_scale) * _draws.uniform(0, 1) for _ in range(2))
        w, h = int(width * wide), int(height * high)
        if not self.min_aspect_ratio <= w / h <= self.max_aspect_ratio:
            return None
        left, top = int((width - w) * _draws.uniform(0, 1)), int((height - h) * _draws.uniform(0, 1))
        if not w or not h:
            return None
        x, y = 0.5 * (corners[..., 0] + corners[..., 2]), 0.5 * (corners[..., 1] + corners[..., 3])
        inside = (left < x) & (x < left + w) & (top < y) & (y < top + h)
        if not inside.any():
            return None
        part = tensor([[left, top, left + w, top + h]], dtype=corners.dtype, device=corners.device)
        if box_iou(corners[inside], part).max() < overlap:
            return None
        return {"top": top, "left": left, "height": h, "width": w, "is_within_crop_area": inside}

    def transform(self, inpt, params):
        if not params:
            return inpt
        out = self._call_kernel(F.crop, inpt, **{n: params[n] for n in ("top", "left", "height", "width")})
        if isinstance(out, tv_tensors.BoundingBoxes):
            out[~params["is_within_crop_area"]] = 0
        return out
