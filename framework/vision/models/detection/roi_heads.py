"""What is done with the features at each proposal: class, box, and perhaps mask and points."""
from .... import nn
from ...._dtypes import float16, float32, float64, int64
from ...._functional.creation import arange, zeros
from ...._functional.elementwise import where
from ...._functional.joining import cat
from ....nn import functional as F
from ...ops.boxes import batched_nms, box_iou, clip_boxes_to_image, remove_small_boxes
from . import _keypoints, _masks
from ._keypoints import *  # noqa: F403 - torchvision has all of them in this file
from ._masks import *  # noqa: F403
from ._utils import BalancedPositiveNegativeSampler, BoxCoder, Matcher

__all__ = ["RoIHeads", "fastrcnn_loss", *_masks.__all__, *_keypoints.__all__]


def fastrcnn_loss(class_logits, box_regression, labels, regression_targets):
    """(loss of the classes (n, classes), loss of the boxes (n, 4 classes) of those that are objects)."""
    labels, targets = cat(list(labels)), cat(list(regression_targets))
    objects = where(labels > 0)[0]
    codes = box_regression.reshape(len(class_logits), -1, 4)[objects, labels[objects]]
    return F.cross_entropy(class_logits, labels), F.smooth_l1_loss(codes, targets[objects], beta=1 / 9, reduction="sum") / labels.numel()


class RoIHeads(nn.Module):
    """(features, proposals, sizes of the images, targets) -> (detections, losses).

    *_roi_pool: features at boxes;  *_head, *_predictor: what is made of them;  fg_iou_thresh, bg_iou_thresh: overlaps from which a proposal belongs
    to an object, and below which to none;  batch_size_per_image, positive_fraction: of the proposals that are learnt from;  score_thresh, nms_thresh,
    detections_per_img: the least score, the largest overlap and the number of what is found.
    """

    def __init__(self, box_roi_pool, box_head, box_predictor, fg_iou_thresh, bg_iou_thresh, batch_size_per_image, positive_fraction,
                 bbox_reg_weights, score_thresh, nms_thresh, detections_per_img, mask_roi_pool=None, mask_head=None, mask_predictor=None,
                 keypoint_roi_pool=None, keypoint_head=None, keypoint_predictor=None):
        super().__init__()
        self.box_similarity, self.proposal_matcher = box_iou, Matcher(fg_iou_thresh, bg_iou_thresh)
        self.fg_bg_sampler = BalancedPositiveNegativeSampler(batch_size_per_image, positive_fraction)
        self.box_coder = BoxCoder(bbox_reg_weights or (10.0, 10.0, 5.0, 5.0))
        self.box_roi_pool, self.box_head, self.box_predictor = box_roi_pool, box_head, box_predictor
        self.score_thresh, self.nms_thresh, self.detections_per_img = score_thresh, nms_thresh, detections_per_img
        self.mask_roi_pool, self.mask_head, self.mask_predictor = mask_roi_pool, mask_head, mask_predictor
        self.keypoint_roi_pool, self.keypoint_head, self.keypoint_predictor = keypoint_roi_pool, keypoint_head, keypoint_predictor

    def has_mask(self):
        """Whether masks are made."""
        return None not in (self.mask_roi_pool, self.mask_head, self.mask_predictor)

    def has_keypoint(self):
        """Whether points are made."""
        return None not in (self.keypoint_roi_pool, self.keypoint_head, self.keypoint_predictor)

    def assign_targets_to_proposals(self, proposals, gt_boxes, gt_labels):
        """For each image the numbers of the objects of its proposals, and their labels: 0 for none, -1 for what is not learnt from."""
        numbers, labels = [], []
        for own, boxes, classes in zip(proposals, gt_boxes, gt_labels):
            if boxes.numel() == 0:
                found = zeros(len(own), dtype=int64, device=own.device)
                label = found.clone()
            else:
                matched = self.proposal_matcher(self.box_similarity(boxes, own))
                found = matched.clamp(min=0)
                label = where(matched >= 0, classes[found].to(int64), where(matched == Matcher.BETWEEN_THRESHOLDS, -1, 0))
            numbers.append(found)
            labels.append(label)
        return numbers, labels

    def subsample(self, labels):
        """For each image the numbers of the proposals that are learnt from."""
        return [where((positive | negative) > 0)[0] for positive, negative in zip(*self.fg_bg_sampler(labels))]

    def add_gt_proposals(self, proposals, gt_boxes):
        """Proposals with the right boxes behind them."""
        return [cat((own, boxes)) for own, boxes in zip(proposals, gt_boxes)]

    def check_targets(self, targets):
        """ValueError for targets without what is learnt."""
        if targets is None:
            raise ValueError("targets should not be None")
        for key in ("boxes", "labels", *(("masks",) if self.has_mask() else ())):
            if not all(key in t for t in targets):
                raise ValueError(f"Every element of targets should have a {key} key")

    def select_training_samples(self, proposals, targets):
        """(proposals, the numbers of their objects, their labels, where their boxes should go), for each image."""
        self.check_targets(targets)
        boxes, classes = [t["boxes"].to(proposals[0].dtype) for t in targets], [t["labels"] for t in targets]
        proposals = self.add_gt_proposals(proposals, boxes)
        numbers, labels = self.assign_targets_to_proposals(proposals, boxes, classes)
        sampled = self.subsample(labels)
        proposals, numbers, labels = ([own[rows] for own, rows in zip(values, sampled)] for values in (proposals, numbers, labels))
        matched = [(own if own.numel() else own.new_zeros(1, 4))[rows] for own, rows in zip(boxes, numbers)]
        return proposals, numbers, labels, self.box_coder.encode(matched, proposals)

    def postprocess_detections(self, class_logits, box_regression, proposals, image_shapes):
        """For each image boxes (m, 4), scores (m) and labels (m) of what is found, best first."""
        counts = [len(own) for own in proposals]
        boxes, scores = self.box_coder.decode(box_regression, proposals), class_logits.softmax(-1)
        found = [self._found(*image) for image in zip(boxes.split(counts, 0), scores.split(counts, 0), image_shapes)]
        return tuple(map(list, zip(*found)))

    def _found(self, boxes, scores, image_shape):
        boxes = clip_boxes_to_image(boxes, image_shape)
        labels = arange(scores.shape[-1], device=scores.device).reshape(1, -1).expand_as(scores)
        boxes, scores, labels = boxes[:, 1:].reshape(-1, 4), scores[:, 1:].reshape(-1), labels[:, 1:].reshape(-1)  # without the background
        keep = where(scores > self.score_thresh)[0]
        keep = keep[remove_small_boxes(boxes[keep], 1e-2)]
        keep = keep[batched_nms(boxes[keep], scores[keep], labels[keep], self.nms_thresh)[:self.detections_per_img]]
        return boxes[keep], scores[keep], labels[keep]

    def _check_types(self, targets):
        for t in targets:
            if t["boxes"].dtype not in (float32, float64, float16):
                raise TypeError(f"target boxes must of float type, instead got {t['boxes'].dtype}")
            if t["labels"].dtype is not int64:
                raise TypeError(f"target labels must of int64 type, instead got {t['labels'].dtype}")
            if self.has_keypoint() and t["keypoints"].dtype is not float32:
                raise TypeError(f"target keypoints must of float type, instead got {t['keypoints'].dtype}")

    def forward(self, features, proposals, image_shapes, targets=None):
        if targets is not None:
            self._check_types(targets)
        if self.training:
            return self._losses(features, image_shapes, targets, *self.select_training_samples(proposals, targets))
        logits, codes = self._classified(features, proposals, image_shapes)
        found = self.postprocess_detections(logits, codes, proposals, image_shapes)
        result = [{"boxes": boxes, "labels": labels, "scores": scores} for boxes, scores, labels in zip(*found)]
        boxes, labels = found[0], found[2]
        if self.has_mask():
            for r, masks in zip(result, _masks.maskrcnn_inference(self._mask_logits(features, boxes, image_shapes), labels)):
                r["masks"] = masks
        if self.has_keypoint():
            points = _keypoints.keypointrcnn_inference(self._keypoint_logits(features, boxes, image_shapes), boxes)
            for r, places, scores in zip(result, *points):
                r["keypoints"], r["keypoints_scores"] = places, scores
        return result, {}

    def _losses(self, features, image_shapes, targets, proposals, numbers, labels, codes):
        logits, regression = self._classified(features, proposals, image_shapes)
        losses = dict(zip(("loss_classifier", "loss_box_reg"), fastrcnn_loss(logits, regression, labels, codes)))
        objects = [where(own > 0)[0] for own in labels]
        boxes, numbers = ([own[rows] for own, rows in zip(values, objects)] for values in (proposals, numbers))
        if self.has_mask():
            losses["loss_mask"] = _masks.maskrcnn_loss(self._mask_logits(features, boxes, image_shapes), boxes, [t["masks"] for t in targets],
                                                       [t["labels"] for t in targets], numbers)
        if self.has_keypoint():
            losses["loss_keypoint"] = _keypoints.keypointrcnn_loss(self._keypoint_logits(features, boxes, image_shapes), boxes,
                                                                   [t["keypoints"] for t in targets], numbers)
        return [], losses

    def _classified(self, features, boxes, image_shapes):
        return self.box_predictor(self.box_head(self.box_roi_pool(features, boxes, image_shapes)))

    def _mask_logits(self, features, boxes, image_shapes):
        return self.mask_predictor(self.mask_head(self.mask_roi_pool(features, boxes, image_shapes)))

    def _keypoint_logits(self, features, boxes, image_shapes):
        return self.keypoint_predictor(self.keypoint_head(self.keypoint_roi_pool(features, boxes, image_shapes)))
