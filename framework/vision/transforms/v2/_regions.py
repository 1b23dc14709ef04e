"""Transforms of boxes and key points themselves: their format, what is outside of the image, what is no good."""
from ...._core.tensor import Tensor
from ....func._tree import flatten, unflatten
from ... import tv_tensors
from . import functional as F
from ._inputs import get_bounding_boxes, get_keypoints, label_tensors, labels_getter_of
from ._transform import Transform
from .functional._boxes import valid_boxes
from .functional._points import valid_keypoints

__all__ = ["ClampBoundingBoxes", "ClampKeyPoints", "ConvertBoundingBoxFormat", "SanitizeBoundingBoxes", "SanitizeKeyPoints", "SetClampingMode"]


class ConvertBoundingBoxFormat(Transform):
    """Boxes in another format, a BoundingBoxFormat or its name."""

    _transformed_types = (tv_tensors.BoundingBoxes,)

    def __init__(self, format):
        super().__init__()
        self.format = format

    def transform(self, inpt, params):
        return F.convert_bounding_box_format(inpt, new_format=self.format)


class ClampBoundingBoxes(Transform):
    """Boxes cut at the edge of the image."""

    _transformed_types = (tv_tensors.BoundingBoxes,)

    def __init__(self, clamping_mode="auto"):
        super().__init__()
        self.clamping_mode = clamping_mode

    def transform(self, inpt, params):
        return F.clamp_bounding_boxes(inpt, clamping_mode=self.clamping_mode)


class ClampKeyPoints(Transform):
    """Points outside of the image moved to the nearest one inside."""

    _transformed_types = (tv_tensors.KeyPoints,)

    def transform(self, inpt, params):
        return F.clamp_keypoints(inpt)


class SetClampingMode(Transform):
    """Whether transforms that follow cut boxes at the edge: "soft", "hard", or None for not at all."""

    _transformed_types = (tv_tensors.BoundingBoxes,)

    def __init__(self, clamping_mode):
        super().__init__()
        if clamping_mode not in (None, "soft", "hard"):
            raise ValueError(f"clamping_mode must be soft, hard or None, got {clamping_mode}")
        self.clamping_mode = clamping_mode

    def transform(self, inpt, params):
        return tv_tensors.wrap(inpt.as_subclass(Tensor).clone(), like=inpt, clamping_mode=self.clamping_mode)


class _Sanitizing(Transform):
    """Base class: boxes or points that are no good are left out, and their labels with them.

    labels_getter: (sample) -> tensor or tensors (N, ...), "default" (the key with "label" in it), or None.
    """

    def __init__(self, labels_getter, **limits):
        super().__init__()
        for name, limit in limits.items():
            setattr(self, name, limit)
        self.labels_getter = labels_getter
        self._labels_getter = labels_getter_of(labels_getter)

    def forward(self, *inputs):
        sample = inputs if len(inputs) > 1 else inputs[0]
        labels = label_tensors(self._labels_getter(sample)) or ()
        flat, spec = flatten(sample)
        regions, valid = self._valid(flat)
        for label in labels:
            if regions.shape[0] != label.shape[0]:
                raise ValueError(f"Number of {self._what} (shape={regions.shape}) and must match the number of labels."
                                 f"Found labels with shape={label.shape}).")
        params = {"valid": valid, "labels": labels}
        return unflatten([self.transform(x, params) for x in flat], spec)

    def transform(self, inpt, params):
        is_label = any(inpt is label for label in params["labels"])
        if not is_label and not isinstance(inpt, self._left_out):
            return inpt
        if isinstance(inpt, tv_tensors.Mask) and inpt.shape[0] != len(params["valid"]):  # a mask of the whole image
            return inpt
        out = inpt.as_subclass(Tensor)[params["valid"]]
        return out if is_label else tv_tensors.wrap(out, like=inpt)


class SanitizeBoundingBoxes(_Sanitizing):
    """Without the boxes that are too small or outside of the image, and without their labels and masks.

    min_size: shorter side in pixels;  labels_getter: (sample) -> tensor or tensors (N, ...), "default" (the key with "label" in it), or None.
    """

    _what, _left_out = "boxes", (tv_tensors.BoundingBoxes, tv_tensors.Mask)

    def __init__(self, min_size=1.0, min_area=1.0, labels_getter="default"):
        if min_size < 1:
            raise ValueError(f"min_size must be >= 1, got {min_size}.")
        if min_area < 1:
            raise ValueError(f"min_area must be >= 1, got {min_area}.")
        super().__init__(labels_getter, min_size=min_size, min_area=min_area)

    def _valid(self, flat):
        boxes = get_bounding_boxes(flat)
        return boxes, valid_boxes(boxes, boxes.format, boxes.canvas_size, self.min_size, self.min_area)


class SanitizeKeyPoints(_Sanitizing):
    """Without the key points outside of the image, and without their labels.  labels_getter: as in SanitizeBoundingBoxes."""

    _what, _left_out = "keypoints", tv_tensors.KeyPoints

    def __init__(self, labels_getter=None):
        super().__init__(labels_getter)

    def _valid(self, flat):
        points = get_keypoints(flat)
        return points, valid_keypoints(points, points.canvas_size)
