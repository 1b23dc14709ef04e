"""The frame of the two-stage detectors: features, proposals, heads."""
from collections import OrderedDict

from .... import nn
from ...._core.tensor import Tensor
from ...._functional.dtypes import _assert

__all__ = ["GeneralizedRCNN"]


def check_boxes(targets):
    """AssertionError unless there are targets, each with boxes (n, 4)."""
    _assert(targets is not None, "targets should not be none when in training mode")
    for target in targets:
        boxes = target["boxes"]
        _assert(isinstance(boxes, Tensor), f"Expected target boxes to be of type Tensor, got {type(boxes)}.")
        _assert(boxes.ndim == 2 and boxes.shape[-1] == 4, f"Expected target boxes to be a tensor of shape [N, 4], got {tuple(boxes.shape)}.")


def check_areas(targets):
    """AssertionError for a box without height or width."""
    for i, target in enumerate(targets):
        flat = (target["boxes"][:, 2:] <= target["boxes"][:, :2]).any(dim=1)
        if bool(flat.any()):
            _assert(False, f"All bounding boxes should have positive height and width. Found invalid box "
                           f"{target['boxes'][flat][0].tolist()} for target at index {i}.")


def features_of(backbone, images):
    """The features of an ImageList as an OrderedDict, whose only one is called "0"."""
    features = backbone(images.tensors)
    return OrderedDict([("0", features)]) if isinstance(features, Tensor) else features


class GeneralizedRCNN(nn.Module):
    """A list of images, and of targets -> losses in training, detections otherwise.

    backbone: images to features;  rpn: features to proposals;  roi_heads: features at the proposals to detections;  transform: images of any size
    to one tensor, and back.
    """

    def __init__(self, backbone, rpn, roi_heads, transform):
        super().__init__()
        self.transform, self.backbone, self.rpn, self.roi_heads = transform, backbone, rpn, roi_heads

    def forward(self, images, targets=None):
        if self.training:
            check_boxes(targets)
        originals = [tuple(image.shape[-2:]) for image in images]
        images, targets = self.transform(images, targets)
        if targets is not None:
            check_areas(targets)
        features = features_of(self.backbone, images)
        proposals, proposal_losses = self.rpn(images, features, targets)
        detections, detector_losses = self.roi_heads(features, proposals, images.image_sizes, targets)
        if self.training:
            return {**detector_losses, **proposal_losses}
        return self.transform.postprocess(detections, images.image_sizes, originals)
