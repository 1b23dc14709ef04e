"""What the segmenting networks share."""
from collections import OrderedDict

from .... import nn
from ....nn import functional as F
from .._utils import IntermediateLayerGetter

__all__ = ["_SimpleSegmentationModel", "below", "resized", "wants_aux"]


def resized(x, size):
    """x: (N, C, H, W) -> (N, C, *size), bilinear."""
    return F.interpolate(x, size=size, mode="bilinear", align_corners=False)


class _SimpleSegmentationModel(nn.Module):
    """(N, 3, H, W) -> {"out": (N, num_classes, H, W), "aux": the same of the network in the middle, where there is one}."""

    def __init__(self, backbone, classifier, aux_classifier=None):
        super().__init__()
        self.backbone, self.classifier, self.aux_classifier = backbone, classifier, aux_classifier

    def forward(self, x):
        size, features = x.shape[-2:], self.backbone(x)
        result = OrderedDict(out=resized(self.classifier(features["out"]), size))
        if self.aux_classifier is not None:
            result["aux"] = resized(self.aux_classifier(features["aux"]), size)
        return result


def wants_aux(weights, aux_loss):
    """Whether there is a classifier in the middle: the published files hold one.  ValueError for a file with it and aux_loss=False."""
    if weights is None:
        return bool(aux_loss)
    if aux_loss is False:
        raise ValueError("The parameter 'aux_loss' expected value True but got False instead.")
    return True


def below(backbone, places):
    """A network that gives features; places: {name of a part: name of its features}."""
    return IntermediateLayerGetter(backbone, places)
