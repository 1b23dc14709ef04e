"""Fully convolutional networks (Long et al. 2014, arXiv:1411.4038) on a dilated ResNet."""
from .... import nn
from .._build_on import builder_on
from ..resnet import resnet50, resnet101
from ._utils import _SimpleSegmentationModel, below, wants_aux

__all__ = ["FCN", "fcn_resnet101", "fcn_resnet50"]


class FCN(_SimpleSegmentationModel):
    """(N, 3, H, W) -> {"out": (N, num_classes, H, W), and "aux" where there is a classifier in the middle}."""


class FCNHead(nn.Sequential):
    """(N, in_channels, H, W) -> (N, channels, H, W)."""

    def __init__(self, in_channels, channels):
        inner = in_channels // 4
        super().__init__(nn.Conv2d(in_channels, inner, 3, padding=1, bias=False), nn.BatchNorm2d(inner), nn.ReLU(), nn.Dropout(0.1),
                         nn.Conv2d(inner, channels, 1))


def on_resnet(resnet, model, head, num_classes, weights, weights_backbone, progress, aux_loss):
    """A model of this class with this head, on a ResNet whose last two stages are dilated."""
    backbone = resnet(weights=weights_backbone, progress=progress, replace_stride_with_dilation=[False, True, True])
    aux = wants_aux(weights, aux_loss)
    return model(below(backbone, {"layer4": "out", **({"layer3": "aux"} if aux else {})}), head(2048, num_classes),
                 FCNHead(1024, num_classes) if aux else None)


@builder_on(resnet50, 21)
def fcn_resnet50(aux_loss=None, **options):
    """FCN on ResNet-50.  aux_loss: with a classifier in the middle, for training."""
    return on_resnet(resnet50, FCN, FCNHead, aux_loss=aux_loss, **options)


@builder_on(resnet101, 21)
def fcn_resnet101(aux_loss=None, **options):
    """FCN on ResNet-101.  aux_loss: with a classifier in the middle, for training."""
    return on_resnet(resnet101, FCN, FCNHead, aux_loss=aux_loss, **options)
