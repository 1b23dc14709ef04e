"""RetinaNet (Lin et al. 2017, arXiv:1708.02002)."""
import math
from functools import partial

from .... import nn
from ...._functional.creation import zeros_like
from ...._functional.elementwise import where
from ...._functional.joining import cat
from ...ops.boxes import clip_boxes_to_image
from ...ops.feature_pyramid import LastLevelP6P7
from ...ops.losses import sigmoid_focal_loss
from ...ops.misc import Conv2dNormActivation
from .._build_on import builder_on
from ..resnet import resnet50
from ._one_stage import OneStage
from ._utils import BoxCoder, Matcher, box_loss
from .anchor_utils import AnchorGenerator
from .faster_rcnn import MEAN, STD, is_one, resnet_below, resnet_below_v2, without_eps
from .rpn import flat
from .transform import GeneralizedRCNNTransform

__all__ = ["RetinaNet", "retinanet_resnet50_fpn", "retinanet_resnet50_fpn_v2"]


def _default_anchorgen():
    return AnchorGenerator(tuple((s, int(s * 2 ** (1 / 3)), int(s * 2 ** (2 / 3))) for s in (32, 64, 128, 256, 512)), ((0.5, 1.0, 2.0),) * 5)


class _Head(nn.Module):
    """Four 3x3 convolutions, shared by all feature maps."""

    _version = 2

    def __init__(self, in_channels, norm_layer):
        super().__init__()
        self.conv = nn.Sequential(*[Conv2dNormActivation(in_channels, in_channels, norm_layer=norm_layer) for _ in range(4)])

    def _fill(self):
        for layer in self.modules():
            if isinstance(layer, nn.Conv2d):
                nn.init.normal_(layer.weight, std=0.01)
                if layer.bias is not None:
                    nn.init.zeros_(layer.bias)

    def _load_from_state_dict(self, state_dict, prefix, local_metadata, *rest):
        if (local_metadata.get("version") or 1) < 2:  # older names
            for i in range(4):
                for kind in ("weight", "bias"):
                    old = f"{prefix}conv.{2 * i}.{kind}"
                    if old in state_dict:
                        state_dict[f"{prefix}conv.{i}.0.{kind}"] = state_dict.pop(old)
        super()._load_from_state_dict(state_dict, prefix, local_metadata, *rest)


class RetinaNetClassificationHead(_Head):
    """A list of features -> logits (N, anchors, num_classes).  prior_probability: of every class at first."""

    def __init__(self, in_channels, num_anchors, num_classes, prior_probability=0.01, norm_layer=None):
        super().__init__(in_channels, norm_layer)
        self.cls_logits = nn.Conv2d(in_channels, num_anchors * num_classes, 3, padding=1)
        self._fill()
        nn.init.constant_(self.cls_logits.bias, -math.log((1 - prior_probability) / prior_probability))
        self.num_classes, self.num_anchors, self.BETWEEN_THRESHOLDS = num_classes, num_anchors, Matcher.BETWEEN_THRESHOLDS

    def compute_loss(self, targets, head_outputs, matched_idxs):
        """The focal loss of what is object or background, over the number of objects' anchors, the mean over images."""
        losses = []
        for target, logits, matched in zip(targets, head_outputs["cls_logits"], matched_idxs):
            objects, counted = matched >= 0, matched != self.BETWEEN_THRESHOLDS
            wanted = zeros_like(logits)
            wanted[objects, target["labels"][matched[objects]]] = 1.0
            losses.append(sigmoid_focal_loss(logits[counted], wanted[counted], reduction="sum") / max(1, int(objects.sum())))
        return sum(losses[1:], losses[0]) / len(targets)

    def forward(self, x):
        return cat([flat(self.cls_logits(self.conv(f)), self.num_classes) for f in x], dim=1)


class RetinaNetRegressionHead(_Head):
    """A list of features -> codes of boxes (N, anchors, 4)."""

    def __init__(self, in_channels, num_anchors, norm_layer=None):
        super().__init__(in_channels, norm_layer)
        self.bbox_reg = nn.Conv2d(in_channels, num_anchors * 4, 3, padding=1)
        self._fill()
        self.box_coder, self._loss_type = BoxCoder((1.0, 1.0, 1.0, 1.0)), "l1"

    def compute_loss(self, targets, head_outputs, anchors, matched_idxs):
        """The loss of the boxes of objects' anchors, over their number, the mean over images."""
        losses = []
        for target, codes, own, matched in zip(targets, head_outputs["bbox_regression"], anchors, matched_idxs):
            objects = where(matched >= 0)[0]
            loss = box_loss(self._loss_type, self.box_coder, own[objects], target["boxes"][matched[objects]], codes[objects])
            losses.append(loss / max(1, len(objects)))
        return sum(losses[1:], losses[0]) / max(1, len(targets))

    def forward(self, x):
        return cat([flat(self.bbox_reg(self.conv(f)), 4) for f in x], dim=1)


class RetinaNetHead(nn.Module):
    """A list of features -> {"cls_logits": (N, anchors, num_classes), "bbox_regression": (N, anchors, 4)}."""

    def __init__(self, in_channels, num_anchors, num_classes, norm_layer=None):
        super().__init__()
        self.classification_head = RetinaNetClassificationHead(in_channels, num_anchors, num_classes, norm_layer=norm_layer)
        self.regression_head = RetinaNetRegressionHead(in_channels, num_anchors, norm_layer=norm_layer)

    def compute_loss(self, targets, head_outputs, anchors, matched_idxs):
        """{"classification": loss, "bbox_regression": loss}."""
        return {"classification": self.classification_head.compute_loss(targets, head_outputs, matched_idxs),
                "bbox_regression": self.regression_head.compute_loss(targets, head_outputs, anchors, matched_idxs)}

    def forward(self, x):
        return {"cls_logits": self.classification_head(x), "bbox_regression": self.regression_head(x)}


class RetinaNet(OneStage):
    """A list of images (C, H, W), in training with targets {"boxes": (n, 4), "labels": (n) int64} -> losses or detections.

    backbone: gives features with `out_channels` each;  min_size .. image_std: see GeneralizedRCNNTransform;  fg_iou_thresh, bg_iou_thresh: see
    Matcher;  topk_candidates: how many of each feature map are looked at, best first, of those with a score above score_thresh;  nms_thresh: the
    largest overlap.
    """

    def __init__(self, backbone, num_classes, min_size=800, max_size=1333, image_mean=None, image_std=None, anchor_generator=None, head=None,
                 proposal_matcher=None, score_thresh=0.05, nms_thresh=0.5, detections_per_img=300, fg_iou_thresh=0.5, bg_iou_thresh=0.4,
                 topk_candidates=1000, **kwargs):
        super().__init__()
        if not hasattr(backbone, "out_channels"):
            raise ValueError("backbone should contain an attribute out_channels specifying the number of output channels (assumed to be the same "
                             "for all the levels)")
        is_one(anchor_generator, AnchorGenerator, "anchor_generator")
        self.backbone, self.anchor_generator = backbone, anchor_generator or _default_anchorgen()
        self.head = head or RetinaNetHead(backbone.out_channels, self.anchor_generator.num_anchors_per_location()[0], num_classes)
        self.proposal_matcher = proposal_matcher or Matcher(fg_iou_thresh, bg_iou_thresh, allow_low_quality_matches=True)
        self.box_coder = BoxCoder((1.0, 1.0, 1.0, 1.0))
        self.transform = GeneralizedRCNNTransform(min_size, max_size, image_mean or MEAN, image_std or STD, **kwargs)
        self.score_thresh, self.nms_thresh, self.detections_per_img, self.topk_candidates = (
            score_thresh, nms_thresh, detections_per_img, topk_candidates)

    def losses_of(self, targets, outputs, anchors, matched):
        return self.head.compute_loss(targets, outputs, anchors, matched)

    def candidates(self, outputs, anchors, image_size, sizes):
        counts = [size * (len(anchors) // sum(sizes)) for size in sizes]
        found = [], [], []
        for logits, codes, own in zip(outputs["cls_logits"].split(counts), outputs["bbox_regression"].split(counts), anchors.split(counts)):
            scores = logits.sigmoid().flatten()
            places = where(scores > self.score_thresh)[0]
            scores, best = scores[places].topk(min(self.topk_candidates, len(places)))
            places = places[best]
            rows = places // logits.shape[-1]
            boxes = clip_boxes_to_image(self.box_coder.decode_single(codes[rows], own[rows]), image_size)
            for out, value in zip(found, (boxes, scores, places % logits.shape[-1])):
                out.append(value)
        return found


@builder_on(resnet50, 91, loaded=without_eps)
def retinanet_resnet50_fpn(num_classes, weights, weights_backbone, progress, trainable_backbone_layers=None, **options):
    """RetinaNet on ResNet-50.  trainable_backbone_layers: how many of its five stages learn, 3 where its weights are published ones."""
    backbone = resnet_below(weights, weights_backbone, progress, trainable_backbone_layers, returned_layers=[2, 3, 4],
                            extra_blocks=LastLevelP6P7(256, 256))
    return RetinaNet(backbone, num_classes, **options)


@builder_on(resnet50, 91, by_default=None)
def retinanet_resnet50_fpn_v2(num_classes, weights, weights_backbone, progress, trainable_backbone_layers=None, **options):
    """RetinaNet on ResNet-50 with group normalisation in the heads, and a loss of the boxes themselves (Zhang et al. 2019, arXiv:1912.02424)."""
    backbone = resnet_below_v2(weights, weights_backbone, progress, trainable_backbone_layers, returned_layers=[2, 3, 4],
                               extra_blocks=LastLevelP6P7(2048, 256))
    anchors = _default_anchorgen()
    head = RetinaNetHead(backbone.out_channels, anchors.num_anchors_per_location()[0], num_classes, norm_layer=partial(nn.GroupNorm, 32))
    head.regression_head._loss_type = "giou"
    return RetinaNet(backbone, num_classes, anchor_generator=anchors, head=head, **options)
