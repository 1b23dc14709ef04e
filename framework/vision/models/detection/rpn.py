"""Region proposals (Ren et al. 2015, arXiv:1506.01497)."""
from .... import nn
from ...._dtypes import float32, int64
from ...._functional.creation import arange, full, zeros
from ...._functional.elementwise import where
from ...._functional.joining import cat
from ....nn import functional as F
from ...ops.boxes import batched_nms, box_iou, clip_boxes_to_image, remove_small_boxes
from ...ops.misc import Conv2dNormActivation
from ._utils import BalancedPositiveNegativeSampler, BoxCoder, Matcher
from .anchor_utils import AnchorGenerator

__all__ = ["AnchorGenerator", "RPNHead", "RegionProposalNetwork", "concat_box_prediction_layers", "permute_and_flatten"]


class RPNHead(nn.Module):
    """A list of features (N, in_channels, H, W) -> two lists: whether there is something (N, anchors, H, W), and where (N, 4 anchors, H, W)."""

    _version = 2

    def __init__(self, in_channels, num_anchors, conv_depth=1):
        super().__init__()
        self.conv = nn.Sequential(*[Conv2dNormActivation(in_channels, in_channels, kernel_size=3, norm_layer=None) for _ in range(conv_depth)])
        self.cls_logits, self.bbox_pred = nn.Conv2d(in_channels, num_anchors, 1), nn.Conv2d(in_channels, num_anchors * 4, 1)
        for layer in self.modules():
            if isinstance(layer, nn.Conv2d):
                nn.init.normal_(layer.weight, std=0.01)
                nn.init.zeros_(layer.bias)

    def _load_from_state_dict(self, state_dict, prefix, local_metadata, *rest):
        if (local_metadata.get("version") or 1) < 2:  # files from when there was one convolution
            for kind in ("weight", "bias"):
                if f"{prefix}conv.{kind}" in state_dict:
                    state_dict[f"{prefix}conv.0.0.{kind}"] = state_dict.pop(f"{prefix}conv.{kind}")
        super()._load_from_state_dict(state_dict, prefix, local_metadata, *rest)

    def forward(self, x):
        hidden = [self.conv(feature) for feature in x]
        return [self.cls_logits(h) for h in hidden], [self.bbox_pred(h) for h in hidden]


def permute_and_flatten(layer, N, A, C, H, W):  # noqa: N803 - torchvision's names
    """(N, A * C, H, W) -> (N, H * W * A, C)."""
    return layer.reshape(N, -1, C, H, W).permute(0, 3, 4, 1, 2).reshape(N, -1, C)


def flat(layer, columns):
    """(N, A * columns, H, W) -> (N, H * W * A, columns)."""
    return permute_and_flatten(layer, len(layer), None, columns, *layer.shape[-2:])


def concat_box_prediction_layers(box_cls, box_regression):
    """Lists over feature maps of (N, A * C, H, W) and (N, A * 4, H, W) -> (all anchors of all images, C) and (the same, 4)."""
    logits = [flat(c, c.shape[1] * 4 // r.shape[1]) for c, r in zip(box_cls, box_regression)]
    return cat(logits, dim=1).flatten(0, -2), cat([flat(r, 4) for r in box_regression], dim=1).reshape(-1, 4)


class RegionProposalNetwork(nn.Module):
    """(images, features, targets) -> (a list of proposals (n, 4), losses).

    fg_iou_thresh, bg_iou_thresh: overlaps from which an anchor belongs to an object, and below which to none;  batch_size_per_image,
    positive_fraction: of the anchors that the losses are computed of;  pre_nms_top_n, post_nms_top_n: {"training": n, "testing": n}, how many are
    kept of each feature map before, and of each image after those that overlap more than nms_thresh are left out;  score_thresh: the least score.
    """

    def __init__(self, anchor_generator, head, fg_iou_thresh, bg_iou_thresh, batch_size_per_image, positive_fraction, pre_nms_top_n, post_nms_top_n,
                 nms_thresh, score_thresh=0.0):
        super().__init__()
        self.anchor_generator, self.head, self.box_coder = anchor_generator, head, BoxCoder((1.0, 1.0, 1.0, 1.0))
        self.box_similarity = box_iou
        self.proposal_matcher = Matcher(fg_iou_thresh, bg_iou_thresh, allow_low_quality_matches=True)
        self.fg_bg_sampler = BalancedPositiveNegativeSampler(batch_size_per_image, positive_fraction)
        self._pre_nms_top_n, self._post_nms_top_n = pre_nms_top_n, post_nms_top_n
        self.nms_thresh, self.score_thresh, self.min_size = nms_thresh, score_thresh, 1e-3

    def pre_nms_top_n(self):
        """How many proposals of each feature map are kept first."""
        return self._pre_nms_top_n["training" if self.training else "testing"]

    def post_nms_top_n(self):
        """How many proposals of each image are kept in the end."""
        return self._post_nms_top_n["training" if self.training else "testing"]

    def assign_targets_to_anchors(self, anchors, targets):
        """For each image the labels of its anchors, 1, 0 or -1 for neither, and the boxes of their objects."""
        labels, boxes = [], []
        for own, target in zip(anchors, targets):
            if target["boxes"].numel() == 0:
                labels.append(zeros(len(own), dtype=float32, device=own.device))
                boxes.append(zeros(*own.shape, dtype=float32, device=own.device))
                continue
            matched = self.proposal_matcher(self.box_similarity(target["boxes"], own))
            boxes.append(target["boxes"][matched.clamp(min=0)])
            labels.append(where(matched >= 0, 1.0, where(matched == Matcher.BETWEEN_THRESHOLDS, -1.0, 0.0)).to(float32))
        return labels, boxes

    def _get_top_n_idx(self, objectness, num_anchors_per_level):
        found, offset = [], 0
        for level in objectness.split(num_anchors_per_level, 1):
            found.append(level.topk(min(self.pre_nms_top_n(), level.shape[1]), dim=1)[1] + offset)
            offset += level.shape[1]
        return cat(found, dim=1)

    def filter_proposals(self, proposals, objectness, image_shapes, num_anchors_per_level):
        """(N, n, 4) and their logits -> for each image the best boxes (m, 4), and their scores."""
        images = len(proposals)
        objectness = objectness.detach().reshape(images, -1)
        levels = cat([full((n,), i, dtype=int64, device=proposals.device) for i, n in enumerate(num_anchors_per_level)])
        best = self._get_top_n_idx(objectness, num_anchors_per_level)
        rows = arange(images, device=proposals.device)[:, None]
        found = zip(proposals[rows, best], objectness[rows, best].sigmoid(), levels[best], image_shapes)
        return tuple(map(list, zip(*(self._best(*image) for image in found))))

    def _best(self, boxes, scores, levels, image_shape):
        boxes = clip_boxes_to_image(boxes, image_shape)
        keep = remove_small_boxes(boxes, self.min_size)
        keep = keep[scores[keep] >= self.score_thresh]
        keep = keep[batched_nms(boxes[keep], scores[keep], levels[keep], self.nms_thresh)[:self.post_nms_top_n()]]
        return boxes[keep], scores[keep]

    def compute_loss(self, objectness, pred_bbox_deltas, labels, regression_targets):
        """(loss of whether, loss of where), of a sample of the anchors."""
        positive, negative = (where(cat(masks))[0] for masks in self.fg_bg_sampler(labels))
        sampled = cat([positive, negative])
        labels, targets = cat(labels), cat(list(regression_targets))
        box_loss = F.smooth_l1_loss(pred_bbox_deltas[positive], targets[positive], beta=1 / 9, reduction="sum") / sampled.numel()
        return F.binary_cross_entropy_with_logits(objectness.flatten()[sampled], labels[sampled]), box_loss

    def forward(self, images, features, targets=None):
        features = list(features.values())
        objectness, deltas = self.head(features)
        anchors = self.anchor_generator(images, features)
        per_level = [o[0].numel() for o in objectness]
        objectness, deltas = concat_box_prediction_layers(objectness, deltas)
        proposals = self.box_coder.decode(deltas.detach(), anchors).reshape(len(anchors), -1, 4)
        boxes, _ = self.filter_proposals(proposals, objectness, images.image_sizes, per_level)
        if not self.training:
            return boxes, {}
        if targets is None:
            raise ValueError("targets should not be None")
        labels, matched = self.assign_targets_to_anchors(anchors, targets)
        whether, where_ = self.compute_loss(objectness, deltas, labels, self.box_coder.encode(matched, anchors))
        return boxes, {"loss_objectness": whether, "loss_rpn_box_reg": where_}
