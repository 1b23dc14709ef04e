"""DeepLab v3 (Chen et al. 2017, arXiv:1706.05587)."""
from .... import nn
from ...._functional.joining import cat
from .._build_on import builder_on
from ..mobilenetv3 import mobilenet_v3_large
from ..resnet import resnet50, resnet101
from ._utils import _SimpleSegmentationModel, below, resized, wants_aux
from .fcn import FCNHead, on_resnet

__all__ = ["DeepLabV3", "deeplabv3_mobilenet_v3_large", "deeplabv3_resnet101", "deeplabv3_resnet50"]


class DeepLabV3(_SimpleSegmentationModel):
    """(N, 3, H, W) -> {"out": (N, num_classes, H, W), and "aux" where there is a classifier in the middle}."""


def _convolved(inp, out, kernel=1, rate=1):
    return [nn.Conv2d(inp, out, kernel, padding=rate if kernel > 1 else 0, dilation=rate, bias=False), nn.BatchNorm2d(out), nn.ReLU()]


class ASPPConv(nn.Sequential):
    """A dilated 3x3 convolution."""

    def __init__(self, in_channels, out_channels, dilation):
        super().__init__(*_convolved(in_channels, out_channels, 3, dilation))


class ASPPPooling(nn.Sequential):
    """The mean of the whole image, convolved, at every place."""

    def __init__(self, in_channels, out_channels):
        super().__init__(nn.AdaptiveAvgPool2d(1), *_convolved(in_channels, out_channels))

    def forward(self, x):
        return resized(super().forward(x), x.shape[-2:])


class ASPP(nn.Module):
    """Pyramid of dilations: 1x1, a 3x3 for each rate and the mean of the image side by side, then projected to out_channels."""

    def __init__(self, in_channels, atrous_rates, out_channels=256):
        super().__init__()
        self.convs = nn.ModuleList([nn.Sequential(*_convolved(in_channels, out_channels)),
                                    *[ASPPConv(in_channels, out_channels, rate) for rate in atrous_rates], ASPPPooling(in_channels, out_channels)])
        self.project = nn.Sequential(*_convolved(len(self.convs) * out_channels, out_channels), nn.Dropout(0.5))

    def forward(self, x):
        return self.project(cat([conv(x) for conv in self.convs], 1))


class DeepLabHead(nn.Sequential):
    """(N, in_channels, H, W) -> (N, num_classes, H, W)."""

    def __init__(self, in_channels, num_classes, atrous_rates=(12, 24, 36)):
        super().__init__(ASPP(in_channels, atrous_rates), *_convolved(256, 256, 3), nn.Conv2d(256, num_classes, 1))


@builder_on(resnet50, 21)
def deeplabv3_resnet50(aux_loss=None, **options):
    """DeepLab v3 on ResNet-50.  aux_loss: with a classifier in the middle, for training."""
    return on_resnet(resnet50, DeepLabV3, DeepLabHead, aux_loss=aux_loss, **options)


@builder_on(resnet101, 21)
def deeplabv3_resnet101(aux_loss=None, **options):
    """DeepLab v3 on ResNet-101.  aux_loss: with a classifier in the middle, for training."""
    return on_resnet(resnet101, DeepLabV3, DeepLabHead, aux_loss=aux_loss, **options)


def dilated_mobilenet(weights_backbone, progress):
    """(parts of a dilated MobileNet v3, the number of each part with which a resolution begins, the first and the last)."""
    parts = mobilenet_v3_large(weights=weights_backbone, progress=progress, dilated=True).features
    return parts, [0, *(i for i, part in enumerate(parts) if getattr(part, "_is_cn", False)), len(parts) - 1]


@builder_on(mobilenet_v3_large, 21)
def deeplabv3_mobilenet_v3_large(num_classes, weights, weights_backbone, progress, aux_loss=None):
    """DeepLab v3 on MobileNet v3.  aux_loss: with a classifier in the middle, for training."""
    parts, stages = dilated_mobilenet(weights_backbone, progress)
    last, middle = stages[-1], stages[-4]
    aux = wants_aux(weights, aux_loss)
    return DeepLabV3(below(parts, {str(last): "out", **({str(middle): "aux"} if aux else {})}), DeepLabHead(parts[last].out_channels, num_classes),
                     FCNHead(parts[middle].out_channels, num_classes) if aux else None)
