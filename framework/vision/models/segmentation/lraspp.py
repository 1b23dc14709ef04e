"""Lite R-ASPP (Howard et al. 2019, arXiv:1905.02244, section 6.4)."""
from collections import OrderedDict

from .... import nn
from .._build_on import builder_on
from ..mobilenetv3 import mobilenet_v3_large
from ._utils import below, resized
from .deeplabv3 import dilated_mobilenet

__all__ = ["LRASPP", "lraspp_mobilenet_v3_large"]


class LRASPPHead(nn.Module):
    """{"low": features of high resolution, "high": of low} -> (N, num_classes, H, W) in the resolution of "low"."""

    def __init__(self, low_channels, high_channels, num_classes, inter_channels):
        super().__init__()
        self.cbr = nn.Sequential(nn.Conv2d(high_channels, inter_channels, 1, bias=False), nn.BatchNorm2d(inter_channels), nn.ReLU(inplace=True))
        self.scale = nn.Sequential(nn.AdaptiveAvgPool2d(1), nn.Conv2d(high_channels, inter_channels, 1, bias=False), nn.Sigmoid())
        self.low_classifier, self.high_classifier = nn.Conv2d(low_channels, num_classes, 1), nn.Conv2d(inter_channels, num_classes, 1)

    def forward(self, input):
        low, high = input["low"], input["high"]
        return self.low_classifier(low) + self.high_classifier(resized(self.cbr(high) * self.scale(high), low.shape[-2:]))


class LRASPP(nn.Module):
    """(N, 3, H, W) -> {"out": (N, num_classes, H, W)}.

    backbone: gives {"low": low_channels at high resolution, "high": high_channels at low};  inter_channels: between the head's convolutions.
    """

    def __init__(self, backbone, low_channels, high_channels, num_classes, inter_channels=128):
        super().__init__()
        self.backbone, self.classifier = backbone, LRASPPHead(low_channels, high_channels, num_classes, inter_channels)

    def forward(self, input):
        return OrderedDict(out=resized(self.classifier(self.backbone(input)), input.shape[-2:]))


@builder_on(mobilenet_v3_large, 21)
def lraspp_mobilenet_v3_large(num_classes, weights, weights_backbone, progress, **options):
    """Lite R-ASPP on MobileNet v3."""
    parts, stages = dilated_mobilenet(weights_backbone, progress)
    low, high = stages[-4], stages[-1]
    return LRASPP(below(parts, {str(low): "low", str(high): "high"}), parts[low].out_channels, parts[high].out_channels, num_classes, **options)
