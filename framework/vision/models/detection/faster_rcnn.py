"""Faster R-CNN (Ren et al. 2015, arXiv:1506.01497) on a pyramid of features."""
from functools import partial

from .... import nn
from ...._functional.dtypes import _assert
from ....nn import functional as F
from ...ops.feature_pyramid import MultiScaleRoIAlign
from ...ops.misc import Conv2dNormActivation, FrozenBatchNorm2d
from .._build_on import builder_on
from ..mobilenetv3 import mobilenet_v3_large
from ..resnet import resnet50
from ._utils import overwrite_eps
from .anchor_utils import AnchorGenerator
from .backbone_utils import _mobilenet_extractor, _resnet_fpn_extractor, _validate_trainable_layers
from .generalized_rcnn import GeneralizedRCNN
from .roi_heads import RoIHeads
from .rpn import RegionProposalNetwork, RPNHead
from .transform import GeneralizedRCNNTransform

__all__ = ["FasterRCNN", "fasterrcnn_mobilenet_v3_large_320_fpn", "fasterrcnn_mobilenet_v3_large_fpn", "fasterrcnn_resnet50_fpn",
           "fasterrcnn_resnet50_fpn_v2"]

MEAN, STD = [0.485, 0.456, 0.406], [0.229, 0.224, 0.225]


def _default_anchorgen():
    return AnchorGenerator(((32,), (64,), (128,), (256,), (512,)), ((0.5, 1.0, 2.0),) * 5)


def is_one(thing, kind, name):
    """TypeError unless `thing` is None or of this class."""
    if not isinstance(thing, (kind, type(None))):
        raise TypeError(f"{name} should be of type {kind.__name__} or None instead of {type(thing)}")


class FasterRCNN(GeneralizedRCNN):
    """A list of images (C, H, W), in training with targets {"boxes": (n, 4), "labels": (n) int64, 0 being the background} -> losses or detections.

    backbone: gives features with `out_channels` each;  num_classes: background included, None with a box_predictor;  min_size .. image_std: see
    GeneralizedRCNNTransform;  rpn_*: see RegionProposalNetwork;  box_*: see RoIHeads.
    """

    def __init__(self, backbone, num_classes=None, min_size=800, max_size=1333, image_mean=None, image_std=None, rpn_anchor_generator=None,
                 rpn_head=None, rpn_pre_nms_top_n_train=2000, rpn_pre_nms_top_n_test=1000, rpn_post_nms_top_n_train=2000,
                 rpn_post_nms_top_n_test=1000, rpn_nms_thresh=0.7, rpn_fg_iou_thresh=0.7, rpn_bg_iou_thresh=0.3, rpn_batch_size_per_image=256,
                 rpn_positive_fraction=0.5, rpn_score_thresh=0.0, box_roi_pool=None, box_head=None, box_predictor=None, box_score_thresh=0.05,
                 box_nms_thresh=0.5, box_detections_per_img=100, box_fg_iou_thresh=0.5, box_bg_iou_thresh=0.5, box_batch_size_per_image=512,
                 box_positive_fraction=0.25, bbox_reg_weights=None, **kwargs):
        if not hasattr(backbone, "out_channels"):
            raise ValueError("backbone should contain an attribute out_channels specifying the number of output channels (assumed to be the same "
                             "for all the levels)")
        is_one(rpn_anchor_generator, AnchorGenerator, "rpn_anchor_generator")
        is_one(box_roi_pool, MultiScaleRoIAlign, "box_roi_pool")
        if (num_classes is None) == (box_predictor is None):
            raise ValueError("num_classes should be None when box_predictor is specified" if box_predictor is not None else
                             "num_classes should not be None when box_predictor is not specified")
        channels = backbone.out_channels
        anchors = rpn_anchor_generator or _default_anchorgen()
        rpn = RegionProposalNetwork(
            anchors, rpn_head or RPNHead(channels, anchors.num_anchors_per_location()[0]), rpn_fg_iou_thresh, rpn_bg_iou_thresh,
            rpn_batch_size_per_image, rpn_positive_fraction, {"training": rpn_pre_nms_top_n_train, "testing": rpn_pre_nms_top_n_test},
            {"training": rpn_post_nms_top_n_train, "testing": rpn_post_nms_top_n_test}, rpn_nms_thresh, rpn_score_thresh)
        pool = box_roi_pool or MultiScaleRoIAlign(["0", "1", "2", "3"], 7, 2)
        box_head = box_head or TwoMLPHead(channels * pool.output_size[0] ** 2, 1024)
        box_predictor = box_predictor or FastRCNNPredictor(1024, num_classes)
        heads = RoIHeads(pool, box_head, box_predictor, box_fg_iou_thresh, box_bg_iou_thresh, box_batch_size_per_image, box_positive_fraction,
                         bbox_reg_weights, box_score_thresh, box_nms_thresh, box_detections_per_img)
        super().__init__(backbone, rpn, heads, GeneralizedRCNNTransform(min_size, max_size, image_mean or MEAN, image_std or STD, **kwargs))


class TwoMLPHead(nn.Module):
    """(n, ...) -> (n, representation_size), by two linear layers."""

    def __init__(self, in_channels, representation_size):
        super().__init__()
        self.fc6, self.fc7 = nn.Linear(in_channels, representation_size), nn.Linear(representation_size, representation_size)

    def forward(self, x):
        return F.relu(self.fc7(F.relu(self.fc6(x.flatten(1)))))


class FastRCNNConvFCHead(nn.Sequential):
    """(n, *input_size) -> (n, fc_layers[-1]).  conv_layers, fc_layers: channels of the convolutions, then of the linear layers."""

    def __init__(self, input_size, conv_layers, fc_layers, norm_layer=None):
        width, height, across = input_size
        blocks = []
        for out in conv_layers:
            blocks.append(Conv2dNormActivation(width, out, norm_layer=norm_layer))
            width = out
        blocks.append(nn.Flatten())
        width *= height * across
        for out in fc_layers:
            blocks += [nn.Linear(width, out), nn.ReLU(inplace=True)]
            width = out
        super().__init__(*blocks)
        fill_convolutions(self)


def fill_convolutions(model):
    """He's normal distribution by the outputs for convolutions, zeros for their biases."""
    for layer in model.modules():
        if isinstance(layer, nn.Conv2d):
            nn.init.kaiming_normal_(layer.weight, mode="fan_out", nonlinearity="relu")
            if layer.bias is not None:
                nn.init.zeros_(layer.bias)


class FastRCNNPredictor(nn.Module):
    """(n, in_channels) -> logits (n, num_classes) and codes of boxes (n, 4 num_classes)."""

    def __init__(self, in_channels, num_classes):
        super().__init__()
        self.cls_score, self.bbox_pred = nn.Linear(in_channels, num_classes), nn.Linear(in_channels, num_classes * 4)

    def forward(self, x):
        if x.ndim == 4:
            _assert(tuple(x.shape[2:]) == (1, 1), f"x has the wrong shape, expecting the last two dimensions to be [1,1] instead of "
                                                  f"{list(x.shape[2:])}")
        x = x.flatten(1)
        return self.cls_score(x), self.bbox_pred(x)


# -- builders ----------------------------------------------------------------------------------------------------------


def resnet_below(weights, weights_backbone, progress, trainable_backbone_layers, **pyramid):
    """ResNet-50 with a pyramid; its normalisation is frozen where its weights, or the whole model's, are published ones."""
    trained = weights is not None or weights_backbone is not None
    layers = _validate_trainable_layers(trained, trainable_backbone_layers, 5, 3)
    body = resnet50(weights=weights_backbone, progress=progress, norm_layer=FrozenBatchNorm2d if trained else nn.BatchNorm2d)
    return _resnet_fpn_extractor(body, layers, **pyramid)


def resnet_below_v2(weights, weights_backbone, progress, trainable_backbone_layers, **pyramid):
    """ResNet-50 with a pyramid, nothing of it frozen but the first stages."""
    trained = weights is not None or weights_backbone is not None
    layers = _validate_trainable_layers(trained, trainable_backbone_layers, 5, 3)
    return _resnet_fpn_extractor(resnet50(weights=weights_backbone, progress=progress), layers, **pyramid)


def heads_v2(backbone):
    """The deeper heads of version 2 (Li et al. 2021, arXiv:2111.11429)."""
    anchors = _default_anchorgen()
    return {"rpn_anchor_generator": anchors,
            "rpn_head": RPNHead(backbone.out_channels, anchors.num_anchors_per_location()[0], conv_depth=2),
            "box_head": FastRCNNConvFCHead((backbone.out_channels, 7, 7), [256] * 4, [1024], norm_layer=nn.BatchNorm2d)}


def without_eps(model, weights):
    """The first published files were made without eps in the frozen normalisation."""
    if weights.name == "COCO_V1":
        overwrite_eps(model, 0.0)


@builder_on(resnet50, 91, loaded=without_eps)
def fasterrcnn_resnet50_fpn(num_classes, weights, weights_backbone, progress, trainable_backbone_layers=None, **options):
    """Faster R-CNN on ResNet-50.  trainable_backbone_layers: how many of its five stages learn, 3 where its weights are published ones."""
    return FasterRCNN(resnet_below(weights, weights_backbone, progress, trainable_backbone_layers), num_classes, **options)


@builder_on(resnet50, 91, by_default=None)
def fasterrcnn_resnet50_fpn_v2(num_classes, weights, weights_backbone, progress, trainable_backbone_layers=None, **options):
    """Faster R-CNN on ResNet-50 with deeper heads."""
    backbone = resnet_below_v2(weights, weights_backbone, progress, trainable_backbone_layers, norm_layer=nn.BatchNorm2d)
    return FasterRCNN(backbone, num_classes, **heads_v2(backbone), **options)


def _on_mobilenet(num_classes, weights, weights_backbone, progress, trainable_backbone_layers, **options):
    trained = weights is not None or weights_backbone is not None
    layers = _validate_trainable_layers(trained, trainable_backbone_layers, 6, 3)
    body = mobilenet_v3_large(weights=weights_backbone, progress=progress, norm_layer=FrozenBatchNorm2d if trained else nn.BatchNorm2d)
    anchors = AnchorGenerator(((32, 64, 128, 256, 512),) * 3, ((0.5, 1.0, 2.0),) * 3)
    return FasterRCNN(_mobilenet_extractor(body, True, layers), num_classes, rpn_anchor_generator=anchors, **options)


_builder_on_mobilenet = partial(builder_on, mobilenet_v3_large, 91)


@_builder_on_mobilenet()
def fasterrcnn_mobilenet_v3_large_fpn(trainable_backbone_layers=None, **options):
    """Faster R-CNN on MobileNet v3."""
    return _on_mobilenet(trainable_backbone_layers=trainable_backbone_layers, **{"rpn_score_thresh": 0.05, **options})


@_builder_on_mobilenet()
def fasterrcnn_mobilenet_v3_large_320_fpn(trainable_backbone_layers=None, **options):
    """Faster R-CNN on MobileNet v3 for small images, for telephones."""
    small = {"min_size": 320, "max_size": 640, "rpn_pre_nms_top_n_test": 150, "rpn_post_nms_top_n_test": 150, "rpn_score_thresh": 0.05}
    return _on_mobilenet(trainable_backbone_layers=trainable_backbone_layers, **{**small, **options})
