"""Keypoint R-CNN (He et al. 2017, arXiv:1703.06870, section 5)."""
from .... import nn
from ....nn import functional as F
from ...ops.feature_pyramid import MultiScaleRoIAlign
from .._build_on import builder_on
from ..resnet import resnet50
from .faster_rcnn import FasterRCNN, fill_convolutions, is_one, resnet_below, without_eps

__all__ = ["KeypointRCNN", "keypointrcnn_resnet50_fpn"]


class KeypointRCNN(FasterRCNN):
    """FasterRCNN whose targets and detections have "keypoints" (n, num_keypoints, 3) of x, y and whether it is seen.

    keypoint_roi_pool, keypoint_head, keypoint_predictor: see RoIHeads;  num_keypoints: 17 unless there is a predictor;  all other arguments as in
    FasterRCNN, but in training the shorter side is brought to one of six sizes.
    """

    def __init__(self, backbone, num_classes=None, min_size=None, *args, keypoint_roi_pool=None, keypoint_head=None, keypoint_predictor=None,
                 num_keypoints=None, **kwargs):
        is_one(keypoint_roi_pool, MultiScaleRoIAlign, "keypoint_roi_pool")
        if num_keypoints is not None and keypoint_predictor is not None:
            raise ValueError("num_keypoints should be None when keypoint_predictor is specified")
        pool = keypoint_roi_pool or MultiScaleRoIAlign(["0", "1", "2", "3"], 14, 2)
        head = keypoint_head or KeypointRCNNHeads(backbone.out_channels, (512,) * 8)
        predictor = keypoint_predictor or KeypointRCNNPredictor(512, num_keypoints or 17)
        super().__init__(backbone, num_classes, min_size or (640, 672, 704, 736, 768, 800), *args, **kwargs)
        self.roi_heads.keypoint_roi_pool, self.roi_heads.keypoint_head, self.roi_heads.keypoint_predictor = pool, head, predictor


class KeypointRCNNHeads(nn.Sequential):
    """3x3 convolutions of these channels: (n, in_channels, M, M) -> (n, layers[-1], M, M)."""

    def __init__(self, in_channels, layers):
        widths = [in_channels, *layers]
        super().__init__(*[part for inp, out in zip(widths, widths[1:]) for part in (nn.Conv2d(inp, out, 3, padding=1), nn.ReLU(inplace=True))])
        fill_convolutions(self)


class KeypointRCNNPredictor(nn.Module):
    """(n, in_channels, M, M) -> (n, num_keypoints, 4M, 4M)."""

    def __init__(self, in_channels, num_keypoints):
        super().__init__()
        self.kps_score_lowres = nn.ConvTranspose2d(in_channels, num_keypoints, 4, stride=2, padding=1)
        nn.init.kaiming_normal_(self.kps_score_lowres.weight, mode="fan_out", nonlinearity="relu")
        nn.init.zeros_(self.kps_score_lowres.bias)
        self.up_scale, self.out_channels = 2, num_keypoints

    def forward(self, x):
        return F.interpolate(self.kps_score_lowres(x), scale_factor=float(self.up_scale), mode="bilinear", align_corners=False,
                             recompute_scale_factor=False)


@builder_on(resnet50, 2, loaded=without_eps)
def keypointrcnn_resnet50_fpn(num_classes, weights, weights_backbone, progress, num_keypoints=None, trainable_backbone_layers=None, **options):
    """Keypoint R-CNN on ResNet-50.  num_keypoints: 17, a person's, unless given."""
    return KeypointRCNN(resnet_below(weights, weights_backbone, progress, trainable_backbone_layers), num_classes, num_keypoints=num_keypoints,
                        **options)
