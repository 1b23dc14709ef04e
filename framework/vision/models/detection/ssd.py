"""SSD (Liu et al. 2015, arXiv:1512.02325)."""
import warnings
from collections import OrderedDict

from .... import nn
from ...._dtypes import int64
from ...._functional.creation import full_like, ones, zeros
from ...._functional.dtypes import _assert
from ...._functional.elementwise import where
from ...._functional.joining import cat, stack
from ....nn import functional as F
from ...ops.boxes import clip_boxes_to_image
from .._build_on import builder_on
from ..vgg import vgg16
from ._one_stage import OneStage
from ._utils import BoxCoder, SSDMatcher, retrieve_out_channels
from .anchor_utils import DefaultBoxGenerator
from .backbone_utils import _validate_trainable_layers, freeze_stages
from .faster_rcnn import MEAN, STD
from .rpn import flat
from .transform import GeneralizedRCNNTransform

__all__ = ["SSD", "ssd300_vgg16"]


def _xavier_init(conv):
    for layer in conv.modules():
        if isinstance(layer, nn.Conv2d):
            nn.init.xavier_uniform_(layer.weight)
            nn.init.zeros_(layer.bias)


class SSDScoringHead(nn.Module):
    """A list of features, each with a module of its own -> (N, anchors, num_columns)."""

    def __init__(self, module_list, num_columns):
        super().__init__()
        self.module_list, self.num_columns = module_list, num_columns

    def forward(self, x):
        return cat([flat(part(f), self.num_columns) for part, f in zip(self.module_list, x)], dim=1)


def _scoring(in_channels, num_anchors, columns):
    parts = nn.ModuleList([nn.Conv2d(channels, columns * n, 3, padding=1) for channels, n in zip(in_channels, num_anchors)])
    _xavier_init(parts)
    return parts


class SSDClassificationHead(SSDScoringHead):
    """Logits (N, anchors, num_classes)."""

    def __init__(self, in_channels, num_anchors, num_classes):
        super().__init__(_scoring(in_channels, num_anchors, num_classes), num_classes)


class SSDRegressionHead(SSDScoringHead):
    """Codes of boxes (N, anchors, 4)."""

    def __init__(self, in_channels, num_anchors):
        super().__init__(_scoring(in_channels, num_anchors, 4), 4)


class SSDHead(nn.Module):
    """A list of features -> {"bbox_regression": (N, anchors, 4), "cls_logits": (N, anchors, num_classes)}."""

    def __init__(self, in_channels, num_anchors, num_classes):
        super().__init__()
        self.classification_head = SSDClassificationHead(in_channels, num_anchors, num_classes)
        self.regression_head = SSDRegressionHead(in_channels, num_anchors)

    def forward(self, x):
        return {"bbox_regression": self.regression_head(x), "cls_logits": self.classification_head(x)}


class SSD(OneStage):
    """A list of images (C, H, W), in training with targets {"boxes": (n, 4), "labels": (n) int64, 0 being the background} -> losses or detections.

    size: (width, height) to which images are brought;  iou_thresh: overlap from which a box belongs to an object;  positive_fraction: how many of
    the boxes that are learnt from are objects', the others are the hardest of the background;  topk_candidates: how many of each class are looked
    at, best first, of those with a score above score_thresh;  nms_thresh: the largest overlap.
    """

    def __init__(self, backbone, anchor_generator, size, num_classes, image_mean=None, image_std=None, head=None, score_thresh=0.01,
                 nms_thresh=0.45, detections_per_img=200, iou_thresh=0.5, topk_candidates=400, positive_fraction=0.25, **kwargs):
        super().__init__()
        self.backbone, self.anchor_generator, self.box_coder = backbone, anchor_generator, BoxCoder((10.0, 10.0, 5.0, 5.0))
        if head is None:
            channels = backbone.out_channels if hasattr(backbone, "out_channels") else retrieve_out_channels(backbone, size)
            if len(channels) != len(anchor_generator.aspect_ratios):
                raise ValueError(f"The length of the output channels from the backbone ({len(channels)}) do not match the length of the anchor "
                                 f"generator aspect ratios ({len(anchor_generator.aspect_ratios)})")
            head = SSDHead(channels, anchor_generator.num_anchors_per_location(), num_classes)
        self.head, self.proposal_matcher = head, SSDMatcher(iou_thresh)
        self.transform = GeneralizedRCNNTransform(min(size), max(size), image_mean or MEAN, image_std or STD, size_divisible=1, fixed_size=size,
                                                  **kwargs)
        self.score_thresh, self.nms_thresh, self.detections_per_img, self.topk_candidates = (
            score_thresh, nms_thresh, detections_per_img, topk_candidates)
        self.neg_to_pos_ratio = (1.0 - positive_fraction) / positive_fraction

    def losses_of(self, targets, outputs, anchors, matched):
        boxes, classes, count = [], [], 0
        for target, codes, own, numbers in zip(targets, outputs["bbox_regression"], anchors, matched):
            objects = where(numbers >= 0)[0]
            found = numbers[objects]
            count += len(objects)
            boxes.append(F.smooth_l1_loss(codes[objects], self.box_coder.encode_single(target["boxes"][found], own[objects]), reduction="sum"))
            wanted = zeros(len(own), dtype=target["labels"].dtype, device=own.device)
            wanted[objects] = target["labels"][found]
            classes.append(wanted)
        classes, logits = stack(classes), outputs["cls_logits"]
        losses = F.cross_entropy(logits.flatten(0, 1), classes.flatten(), reduction="none").reshape(classes.shape)
        return {"bbox_regression": stack(boxes).sum() / max(1, count), "classification": self._hardest(losses, classes > 0) / max(1, count)}

    def _hardest(self, losses, objects):
        """The sum of the losses (N, anchors) of objects and of the background where it is largest, neg_to_pos_ratio times as many."""
        rank = losses.detach().masked_fill(objects, float("-inf")).sort(1, descending=True)[1].sort(1)[1]
        return losses[objects].sum() + losses[rank < self.neg_to_pos_ratio * objects.sum(1, keepdim=True)].sum()

    def candidates(self, outputs, anchors, image_size, sizes):
        boxes = clip_boxes_to_image(self.box_coder.decode_single(outputs["bbox_regression"], anchors), image_size)
        scores = outputs["cls_logits"].softmax(-1)
        found = [], [], []
        for label in range(1, scores.shape[-1]):
            keep = where(scores[:, label] > self.score_thresh)[0]
            score, best = scores[keep, label].topk(min(self.topk_candidates, len(keep)))
            for out, value in zip(found, (boxes[keep[best]], score, full_like(score, label, dtype=int64))):
                out.append(value)
        return found


def _steps(inp, inner, out, kernel, **options):
    return nn.Sequential(nn.Conv2d(inp, inner, 1), nn.ReLU(inplace=True), nn.Conv2d(inner, out, kernel, **options), nn.ReLU(inplace=True))


class SSDFeatureExtractorVGG(nn.Module):
    """VGG's convolutions, its linear layers as dilated ones, and further convolutions: an OrderedDict of six features, seven with highres."""

    def __init__(self, backbone, highres):
        super().__init__()
        pools = [i for i, layer in enumerate(backbone) if isinstance(layer, nn.MaxPool2d)]
        backbone[pools[2]].ceil_mode = True
        self.scale_weight = nn.Parameter(ones(512) * 20)
        self.features = nn.Sequential(*backbone[:pools[3]])
        extra = nn.ModuleList([_steps(1024, 256, 512, 3, padding=1, stride=2), _steps(512, 128, 256, 3, padding=1, stride=2),
                               _steps(256, 128, 256, 3), _steps(256, 128, 256, 3), *([_steps(256, 128, 256, 4)] if highres else [])])
        fc = nn.Sequential(nn.MaxPool2d(3, 1, 1), nn.Conv2d(512, 1024, 3, padding=6, dilation=6), nn.ReLU(inplace=True), nn.Conv2d(1024, 1024, 1),
                           nn.ReLU(inplace=True))
        _xavier_init(extra)
        _xavier_init(fc)
        extra.insert(0, nn.Sequential(*backbone[pools[3]:-1], fc))
        self.extra = extra

    def forward(self, x):
        x = self.features(x)
        out = [self.scale_weight.reshape(1, -1, 1, 1) * F.normalize(x)]
        for block in self.extra:
            x = block(x)
            out.append(x)
        return OrderedDict((str(i), f) for i, f in enumerate(out))


def _vgg_extractor(backbone, highres, trainable_layers):
    features = backbone.features
    stages = [0, *[i for i, part in enumerate(features) if isinstance(part, nn.MaxPool2d)][:-1]]
    _assert(0 <= trainable_layers <= len(stages),
            f"trainable_layers should be in the range [0, {len(stages)}]. Instead got {trainable_layers}")
    freeze_stages(features, stages, trainable_layers)
    return SSDFeatureExtractorVGG(features, highres)


@builder_on(vgg16, 91, by_default="IMAGENET1K_FEATURES")
def ssd300_vgg16(num_classes, weights, weights_backbone, progress, trainable_backbone_layers=None, **options):
    """SSD for images of 300x300 on VGG-16."""
    if options.pop("size", None) is not None:
        warnings.warn("The size of the model is already fixed; ignoring the parameter.", UserWarning, stacklevel=3)
    layers = _validate_trainable_layers(weights is not None or weights_backbone is not None, trainable_backbone_layers, 5, 4)
    anchors = DefaultBoxGenerator([[2], [2, 3], [2, 3], [2, 3], [2], [2]], scales=[0.07, 0.15, 0.33, 0.51, 0.69, 0.87, 1.05],
                                  steps=[8, 16, 32, 64, 100, 300])
    backbone = _vgg_extractor(vgg16(weights=weights_backbone, progress=progress), False, layers)
    return SSD(backbone, anchors, (300, 300), num_classes, **{"image_mean": [0.48235, 0.45882, 0.40784], "image_std": [1 / 255] * 3, **options})
