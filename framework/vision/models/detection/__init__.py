"""Networks that find objects: Faster, Mask and Keypoint R-CNN, RetinaNet, SSD.

They take a list of images (C, H, W) of floats from 0 to 1, in training with a list of targets {"boxes": (n, 4) as corners in pixels, "labels": (n)
int64, ...}, and give a dict of losses in training, a list of {"boxes", "labels", "scores", ...} otherwise.
"""
from . import (
    _utils,
    anchor_utils,
    backbone_utils,
    faster_rcnn,
    generalized_rcnn,
    image_list,
    keypoint_rcnn,
    mask_rcnn,
    retinanet,
    roi_heads,
    rpn,
    ssd,
    ssdlite,
    transform,
)

_NAMES = {name: getattr(file, name) for file in (faster_rcnn, keypoint_rcnn, mask_rcnn, retinanet, ssd, ssdlite) for name in file.__all__}
_WEIGHTS = {f.weights.__name__: f.weights for f in _NAMES.values() if hasattr(f, "weights")}
globals().update(_NAMES, **_WEIGHTS)

__all__ = [*_NAMES, *_WEIGHTS, "_utils", "anchor_utils", "backbone_utils", "generalized_rcnn", "image_list", "roi_heads", "rpn", "transform"]
