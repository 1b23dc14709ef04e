"""SSDLite on MobileNet v3 (Howard et al. 2019, arXiv:1905.02244, section 6.3; Sandler et al. 2018, arXiv:1801.04381)."""
import warnings
from collections import OrderedDict
from functools import partial

from .... import nn
from ...ops.misc import Conv2dNormActivation
from .._build_on import builder_on
from ..mobilenetv3 import mobilenet_v3_large
from ._utils import retrieve_out_channels
from .anchor_utils import DefaultBoxGenerator
from .backbone_utils import _validate_trainable_layers, freeze_stages, stages_of
from .ssd import SSD, SSDScoringHead

__all__ = ["ssdlite320_mobilenet_v3_large"]


def _normal_init(conv):
    for layer in conv.modules():
        if isinstance(layer, nn.Conv2d):
            nn.init.normal_(layer.weight, mean=0.0, std=0.03)
            if layer.bias is not None:
                nn.init.zeros_(layer.bias)


def _scoring(in_channels, num_anchors, columns, norm_layer):
    parts = nn.ModuleList([nn.Sequential(
        Conv2dNormActivation(channels, channels, kernel_size=3, groups=channels, norm_layer=norm_layer, activation_layer=nn.ReLU6),
        nn.Conv2d(channels, columns * n, 1)) for channels, n in zip(in_channels, num_anchors)])
    _normal_init(parts)
    return parts


class SSDLiteClassificationHead(SSDScoringHead):
    """Logits (N, anchors, num_classes)."""

    def __init__(self, in_channels, num_anchors, num_classes, norm_layer):
        super().__init__(_scoring(in_channels, num_anchors, num_classes, norm_layer), num_classes)


class SSDLiteRegressionHead(SSDScoringHead):
    """Codes of boxes (N, anchors, 4)."""

    def __init__(self, in_channels, num_anchors, norm_layer):
        super().__init__(_scoring(in_channels, num_anchors, 4, norm_layer), 4)


class SSDLiteHead(nn.Module):
    """A list of features -> {"bbox_regression": (N, anchors, 4), "cls_logits": (N, anchors, num_classes)}."""

    def __init__(self, in_channels, num_anchors, num_classes, norm_layer):
        super().__init__()
        self.classification_head = SSDLiteClassificationHead(in_channels, num_anchors, num_classes, norm_layer)
        self.regression_head = SSDLiteRegressionHead(in_channels, num_anchors, norm_layer)

    def forward(self, x):
        return {"bbox_regression": self.regression_head(x), "cls_logits": self.classification_head(x)}


def _extra_block(inp, out, norm_layer):
    block, inner = partial(Conv2dNormActivation, norm_layer=norm_layer, activation_layer=nn.ReLU6), out // 2
    return nn.Sequential(block(inp, inner, kernel_size=1), block(inner, inner, kernel_size=3, stride=2, groups=inner),
                         block(inner, out, kernel_size=1))


class SSDLiteFeatureExtractorMobileNet(nn.Module):
    """A MobileNet cut within its part c4_pos, and four further blocks: an OrderedDict of six features.

    width_mult, min_depth: of the further blocks' channels, and the least of them.
    """

    def __init__(self, backbone, c4_pos, norm_layer, width_mult=1.0, min_depth=16):
        super().__init__()
        cut = backbone[c4_pos]
        if cut.use_res_connect:
            raise ValueError("backbone[c4_pos].use_res_connect should be False")
        self.features = nn.Sequential(nn.Sequential(*backbone[:c4_pos], cut.block[0]), nn.Sequential(cut.block[1:], *backbone[c4_pos + 1:]))
        widths = [backbone[-1].out_channels, *(max(min_depth, int(d * width_mult)) for d in (512, 256, 256, 128))]
        self.extra = nn.ModuleList([_extra_block(inp, out, norm_layer) for inp, out in zip(widths, widths[1:])])
        _normal_init(self.extra)

    def forward(self, x):
        out = []
        for block in (*self.features, *self.extra):
            x = block(x)
            out.append(x)
        return OrderedDict((str(i), f) for i, f in enumerate(out))


@builder_on(mobilenet_v3_large, 91)
def ssdlite320_mobilenet_v3_large(num_classes, weights, weights_backbone, progress, trainable_backbone_layers=None, norm_layer=None, **options):
    """SSDLite for images of 320x320 on MobileNet v3, whose tail is half as wide unless its weights are published ones."""
    if options.pop("size", None) is not None:
        warnings.warn("The size of the model is already fixed; ignoring the parameter.", UserWarning, stacklevel=3)
    layers = _validate_trainable_layers(weights is not None or weights_backbone is not None, trainable_backbone_layers, 6, 6)
    norm_layer = norm_layer or partial(nn.BatchNorm2d, eps=0.001, momentum=0.03)
    body = mobilenet_v3_large(weights=weights_backbone, progress=progress, norm_layer=norm_layer, reduced_tail=weights_backbone is None)
    if weights_backbone is None:
        _normal_init(body)
    stages = stages_of(body.features)
    freeze_stages(body.features, stages, layers)
    backbone = SSDLiteFeatureExtractorMobileNet(body.features, stages[-2], norm_layer)
    anchors = DefaultBoxGenerator([[2, 3]] * 6, min_ratio=0.2, max_ratio=0.95)
    head = SSDLiteHead(retrieve_out_channels(backbone, (320, 320)), anchors.num_anchors_per_location(), num_classes, norm_layer)
    defaults = {"score_thresh": 0.001, "nms_thresh": 0.55, "detections_per_img": 300, "topk_candidates": 300, "image_mean": [0.5] * 3,
                "image_std": [0.5] * 3}
    return SSD(backbone, anchors, (320, 320), num_classes, head=head, **{**defaults, **options})
