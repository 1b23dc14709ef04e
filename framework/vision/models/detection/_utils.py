"""Boxes as numbers relative to other boxes, and which of them belongs to which object."""
import math

from ...._functional.creation import arange, zeros_like
from ...._functional.dtypes import _assert
from ...._functional.elementwise import where
from ...._functional.joining import cat, stack
from ...._functional.random import randperm
from ....nn import functional as F
from ...ops.losses import complete_box_iou_loss, distance_box_iou_loss, generalized_box_iou_loss
from ...ops.misc import FrozenBatchNorm2d

__all__ = ["BalancedPositiveNegativeSampler", "BoxCoder", "BoxLinearCoder", "Matcher", "SSDMatcher", "encode_boxes", "overwrite_eps",
           "retrieve_out_channels"]


class BalancedPositiveNegativeSampler:
    """Draws batch_size_per_image of an image's boxes, at most positive_fraction of them with a label of 1 or more, the others with 0."""

    def __init__(self, batch_size_per_image, positive_fraction):
        self.batch_size_per_image, self.positive_fraction = batch_size_per_image, positive_fraction

    def __call__(self, matched_idxs):
        """Labels of each image (n) -> two lists of masks (n) of uint8: the drawn positive ones, the drawn negative ones."""
        drawn = [], []
        for labels in matched_idxs:
            positive, negative = where(labels >= 1)[0], where(labels == 0)[0]
            count = min(len(positive), int(self.batch_size_per_image * self.positive_fraction))
            for out, places, n in zip(drawn, (positive, negative), (count, min(len(negative), self.batch_size_per_image - count))):
                mask = zeros_like(labels, dtype=_uint8(labels))
                mask[places[randperm(len(places), device=places.device)[:n]]] = 1
                out.append(mask)
        return drawn


def _uint8(labels):
    return labels.byte().dtype


def _centres(boxes):
    """(centre x, centre y, width, height), each (n)."""
    width, height = boxes[:, 2] - boxes[:, 0], boxes[:, 3] - boxes[:, 1]
    return boxes[:, 0] + 0.5 * width, boxes[:, 1] + 0.5 * height, width, height


def encode_boxes(reference_boxes, proposals, weights):
    """What moves and scales each proposal to its reference, times the weights: (n, 4) of dx, dy, log width, log height."""
    (x, y, w, h), (px, py, pw, ph) = _centres(reference_boxes), _centres(proposals)
    return stack((weights[0] * (x - px) / pw, weights[1] * (y - py) / ph, weights[2] * (w / pw).log(), weights[3] * (h / ph).log()), dim=1)


class BoxCoder:
    """`encode_boxes` with fixed weights, for several images at once, and its inverse.  bbox_xform_clip: the largest logarithm of a scale."""

    def __init__(self, weights, bbox_xform_clip=math.log(1000.0 / 16)):
        self.weights, self.bbox_xform_clip = weights, bbox_xform_clip

    def encode(self, reference_boxes, proposals):
        """Lists of (n, 4) -> a tuple of (n, 4)."""
        return self.encode_single(cat(list(reference_boxes)), cat(list(proposals))).split([len(b) for b in reference_boxes], 0)

    def encode_single(self, reference_boxes, proposals):
        """(n, 4), (n, 4) -> (n, 4)."""
        return encode_boxes(reference_boxes, proposals, self.weights)

    def decode(self, rel_codes, boxes):
        """(n, 4 * classes) and a list of boxes, n in all -> (n, classes, 4)."""
        _assert(isinstance(boxes, (list, tuple)), "This function expects boxes of type list or tuple.")
        every = cat(list(boxes))
        codes = rel_codes.reshape(len(every), -1) if len(every) else rel_codes
        decoded = self.decode_single(codes, every)
        return decoded.reshape(len(every), -1, 4) if len(every) else decoded

    def decode_single(self, rel_codes, boxes):
        """(n, 4 * classes), (n, 4) -> (n, 4 * classes)."""
        x, y, w, h = (v[:, None] for v in _centres(boxes.to(rel_codes.dtype)))
        dx, dy, dw, dh = (rel_codes[:, i::4] / weight for i, weight in enumerate(self.weights))
        x, y = dx * w + x, dy * h + y
        w, h = (0.5 * (d.clamp(max=self.bbox_xform_clip).exp() * side) for d, side in ((dw, w), (dh, h)))
        return stack((x - w, y - h, x + w, y + h), dim=2).flatten(1)


class BoxLinearCoder:
    """Distances from a proposal's centre to the sides of its box.  normalize_by_size: in units of the proposal's own sides."""

    def __init__(self, normalize_by_size=True):
        self.normalize_by_size = normalize_by_size

    def encode(self, reference_boxes, proposals):
        """(..., 4), (..., 4) -> (..., 4): left, top, right, bottom."""
        x, y = (0.5 * (reference_boxes[..., i] + reference_boxes[..., i + 2]) for i in (0, 1))
        targets = stack((x - proposals[..., 0], y - proposals[..., 1], proposals[..., 2] - x, proposals[..., 3] - y), dim=-1)
        return targets / self._sides(reference_boxes) if self.normalize_by_size else targets

    def decode(self, rel_codes, boxes):
        """The inverse of `encode`."""
        boxes = boxes.to(rel_codes.dtype)
        x, y = (0.5 * (boxes[..., i] + boxes[..., i + 2]) for i in (0, 1))
        codes = rel_codes * self._sides(boxes) if self.normalize_by_size else rel_codes
        return stack((x - codes[..., 0], y - codes[..., 1], x + codes[..., 2], y + codes[..., 3]), dim=-1)

    @staticmethod
    def _sides(boxes):
        w, h = boxes[..., 2] - boxes[..., 0], boxes[..., 3] - boxes[..., 1]
        return stack((w, h, w, h), dim=-1)


class Matcher:
    """Gives each box the object that it overlaps most, if that is enough.

    high_threshold: enough;  low_threshold: what overlaps less is background (-1), what lies between is neither (-2);  allow_low_quality_matches:
    an object's best box is its match in any case.
    """

    BELOW_LOW_THRESHOLD, BETWEEN_THRESHOLDS = -1, -2

    def __init__(self, high_threshold, low_threshold, allow_low_quality_matches=False):
        _assert(low_threshold <= high_threshold, "low_threshold should be <= high_threshold")
        self.high_threshold, self.low_threshold, self.allow_low_quality_matches = high_threshold, low_threshold, allow_low_quality_matches

    def __call__(self, match_quality_matrix):
        """Overlaps (objects, boxes) -> (boxes) int64.  ValueError when there are no objects, or no boxes."""
        if match_quality_matrix.numel() == 0:
            what = "ground-truth" if match_quality_matrix.shape[0] == 0 else "proposal"
            raise ValueError(f"No {what} boxes available for one of the images during training")
        overlap, nearest = match_quality_matrix.max(dim=0)
        matches = where(overlap < self.high_threshold, self.BETWEEN_THRESHOLDS, nearest)
        matches = where(overlap < self.low_threshold, self.BELOW_LOW_THRESHOLD, matches)
        if self.allow_low_quality_matches:
            self.set_low_quality_matches_(matches, nearest, match_quality_matrix)
        return matches

    def set_low_quality_matches_(self, matches, all_matches, match_quality_matrix):
        """Write into `matches` the boxes that no other exceeds for some object."""
        best = where(match_quality_matrix == match_quality_matrix.max(dim=1)[0][:, None])[1]
        matches[best] = all_matches[best]


class SSDMatcher(Matcher):
    """Matcher with one threshold; an object's best box is its own, whatever it overlaps more."""

    def __init__(self, threshold):
        super().__init__(threshold, threshold)

    def __call__(self, match_quality_matrix):
        matches = super().__call__(match_quality_matrix)
        best = match_quality_matrix.max(dim=1)[1]
        matches[best] = arange(len(best), device=best.device)
        return matches


def overwrite_eps(model, eps):
    """Set the eps of every FrozenBatchNorm2d: the oldest published files were made with 0."""
    for module in model.modules():
        if isinstance(module, FrozenBatchNorm2d):
            module.eps = eps


def retrieve_out_channels(model, size):
    """The channels of each of a network's features, found by running it on an image of size (width, height)."""
    training = model.training
    first = next(model.parameters()).detach()
    features = model.eval()(first.new_zeros(1, 3, size[1], size[0]))
    model.train(training)
    return [f.shape[1] for f in (features.values() if isinstance(features, dict) else [features])]


def box_loss(kind, box_coder, anchors, boxes, codes, settings=None):
    """The loss of the codes (n, 4) that should lead from anchors (n, 4) to boxes (n, 4), summed.

    kind: "l1" or "smooth_l1" of the codes, "ciou", "diou" or "giou" of the boxes;  settings: {"beta": ..., "eps": ...}.
    """
    settings = settings or {}
    if kind == "l1":
        return F.l1_loss(codes, box_coder.encode_single(boxes, anchors), reduction="sum")
    if kind == "smooth_l1":
        return F.smooth_l1_loss(codes, box_coder.encode_single(boxes, anchors), reduction="sum", beta=settings.get("beta", 1.0))
    losses = {"ciou": complete_box_iou_loss, "diou": distance_box_iou_loss, "giou": generalized_box_iou_loss}
    _assert(kind in losses, f"Unsupported loss: {kind}")
    return losses[kind](box_coder.decode_single(codes, anchors), boxes, reduction="sum", eps=settings.get("eps", 1e-7))
