"""Mask R-CNN (He et al. 2017, arXiv:1703.06870)."""
from collections import OrderedDict

from .... import nn
from ...ops.feature_pyramid import MultiScaleRoIAlign
from ...ops.misc import Conv2dNormActivation
from .._build_on import builder_on
from ..resnet import resnet50
from .faster_rcnn import FasterRCNN, fill_convolutions, heads_v2, is_one, resnet_below, resnet_below_v2, without_eps

__all__ = ["MaskRCNN", "maskrcnn_resnet50_fpn", "maskrcnn_resnet50_fpn_v2"]


class MaskRCNN(FasterRCNN):
    """FasterRCNN whose targets have "masks" (n, H, W), and whose detections have (n, 1, H, W), probabilities.

    mask_roi_pool, mask_head, mask_predictor: see RoIHeads;  all other arguments as in FasterRCNN.
    """

    def __init__(self, backbone, num_classes=None, *args, mask_roi_pool=None, mask_head=None, mask_predictor=None, **kwargs):
        is_one(mask_roi_pool, MultiScaleRoIAlign, "mask_roi_pool")
        if num_classes is not None and mask_predictor is not None:
            raise ValueError("num_classes should be None when mask_predictor is specified")
        pool = mask_roi_pool or MultiScaleRoIAlign(["0", "1", "2", "3"], 14, 2)
        head = mask_head or MaskRCNNHeads(backbone.out_channels, (256, 256, 256, 256), 1)
        predictor = mask_predictor or MaskRCNNPredictor(256, 256, num_classes)
        super().__init__(backbone, num_classes, *args, **kwargs)
        self.roi_heads.mask_roi_pool, self.roi_heads.mask_head, self.roi_heads.mask_predictor = pool, head, predictor


class MaskRCNNHeads(nn.Sequential):
    """3x3 convolutions of these channels: (n, in_channels, M, M) -> (n, layers[-1], M, M)."""

    _version = 2

    def __init__(self, in_channels, layers, dilation, norm_layer=None):
        widths = [in_channels, *layers]
        super().__init__(*[Conv2dNormActivation(inp, out, 3, 1, dilation, dilation=dilation, norm_layer=norm_layer)
                           for inp, out in zip(widths, widths[1:])])
        fill_convolutions(self)

    def _load_from_state_dict(self, state_dict, prefix, local_metadata, *rest):
        if (local_metadata.get("version") or 1) < 2:  # older names
            for i in range(len(self)):
                for kind in ("weight", "bias"):
                    old = f"{prefix}mask_fcn{i + 1}.{kind}"
                    if old in state_dict:
                        state_dict[f"{prefix}{i}.0.{kind}"] = state_dict.pop(old)
        super()._load_from_state_dict(state_dict, prefix, local_metadata, *rest)


class MaskRCNNPredictor(nn.Sequential):
    """(n, in_channels, M, M) -> (n, num_classes, 2M, 2M)."""

    def __init__(self, in_channels, dim_reduced, num_classes):
        super().__init__(OrderedDict(conv5_mask=nn.ConvTranspose2d(in_channels, dim_reduced, 2, 2, 0), relu=nn.ReLU(inplace=True),
                                     mask_fcn_logits=nn.Conv2d(dim_reduced, num_classes, 1, 1, 0)))
        for name, p in self.named_parameters():
            if "weight" in name:
                nn.init.kaiming_normal_(p, mode="fan_out", nonlinearity="relu")


@builder_on(resnet50, 91, loaded=without_eps)
def maskrcnn_resnet50_fpn(num_classes, weights, weights_backbone, progress, trainable_backbone_layers=None, **options):
    """Mask R-CNN on ResNet-50.  trainable_backbone_layers: how many of its five stages learn, 3 where its weights are published ones."""
    return MaskRCNN(resnet_below(weights, weights_backbone, progress, trainable_backbone_layers), num_classes, **options)


@builder_on(resnet50, 91, by_default=None)
def maskrcnn_resnet50_fpn_v2(num_classes, weights, weights_backbone, progress, trainable_backbone_layers=None, **options):
    """Mask R-CNN on ResNet-50 with deeper heads."""
    backbone = resnet_below_v2(weights, weights_backbone, progress, trainable_backbone_layers, norm_layer=nn.BatchNorm2d)
    head = MaskRCNNHeads(backbone.out_channels, [256] * 4, 1, norm_layer=nn.BatchNorm2d)
    return MaskRCNN(backbone, num_classes, mask_head=head, **heads_v2(backbone), **options)
