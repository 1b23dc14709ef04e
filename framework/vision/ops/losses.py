"""Losses of detectors.  reduction: "none", "mean" or "sum"."""
import math

from ..._dtypes import float32
from ..._functional.elementwise import where
from ...nn.functional import binary_cross_entropy_with_logits
from ...ops import maximum, minimum

__all__ = ["complete_box_iou_loss", "distance_box_iou_loss", "generalized_box_iou_loss", "sigmoid_focal_loss"]


def _reduced(loss, reduction):
    if reduction == "none":
        return loss
    if reduction == "mean":
        return loss.mean() if loss.numel() else 0.0 * loss.sum()
    if reduction == "sum":
        return loss.sum()
    raise ValueError(f"Invalid Value for arg 'reduction': '{reduction} \n Supported reduction modes: 'none', 'mean', 'sum'")


def sigmoid_focal_loss(inputs, targets, alpha=0.25, gamma=2, reduction="none"):
    """Cross entropy of logits against 0 or 1, weighted by (1 - p of the right answer) ** gamma (Lin et al. 2017, arXiv:1708.02002).

    alpha: weight of the positives, 1 - alpha of the negatives; -1 for none.  ValueError for another alpha outside of 0..1.
    """
    if not 0 <= alpha <= 1 and alpha != -1:
        raise ValueError(f"Invalid alpha value: {alpha}. alpha must be in the range [0,1] or -1 for ignore.")
    p = inputs.sigmoid()
    right = p * targets + (1 - p) * (1 - targets)
    loss = binary_cross_entropy_with_logits(inputs, targets, reduction="none") * (1 - right) ** gamma
    if alpha >= 0:
        loss = (alpha * targets + (1 - alpha) * (1 - targets)) * loss
    return _reduced(loss, reduction)


def _parts(boxes1, boxes2):
    """Both as floats, (intersection, union), and the corners of the smallest box round both; boxes (..., 4) in pairs."""
    boxes1, boxes2 = (b if b.dtype.name in ("float32", "float64") else b.to(float32) for b in (boxes1, boxes2))
    low, high = maximum(boxes1[..., :2], boxes2[..., :2]), minimum(boxes1[..., 2:], boxes2[..., 2:])
    sides = high - low
    common = where((sides > 0).all(-1), sides[..., 0] * sides[..., 1], 0.0)
    area = [(b[..., 2] - b[..., 0]) * (b[..., 3] - b[..., 1]) for b in (boxes1, boxes2)]
    hull = maximum(boxes1[..., 2:], boxes2[..., 2:]) - minimum(boxes1[..., :2], boxes2[..., :2])
    return boxes1, boxes2, common, area[0] + area[1] - common, hull


def generalized_box_iou_loss(boxes1, boxes2, reduction="none", eps=1e-7):
    """1 - generalized IoU of boxes (N, 4) in pairs (Rezatofighi et al. 2019, arXiv:1902.09630)."""
    _, _, common, union, hull = _parts(boxes1, boxes2)
    around = hull[..., 0] * hull[..., 1]
    return _reduced(1 - common / (union + eps) + (around - union) / (around + eps), reduction)


def _distance_loss(boxes1, boxes2, common, union, hull, eps):
    iou = common / (union + eps)
    apart = ((boxes1[..., :2] + boxes1[..., 2:] - boxes2[..., :2] - boxes2[..., 2:]) / 2) ** 2
    return 1 - iou + apart.sum(-1) / ((hull ** 2).sum(-1) + eps), iou


def distance_box_iou_loss(boxes1, boxes2, reduction="none", eps=1e-7):
    """1 - distance IoU of boxes (N, 4) in pairs (Zheng et al. 2019, arXiv:1911.08287)."""
    return _reduced(_distance_loss(*_parts(boxes1, boxes2), eps)[0], reduction)


def complete_box_iou_loss(boxes1, boxes2, reduction="none", eps=1e-7):
    """1 - complete IoU of boxes (N, 4) in pairs (Zheng et al. 2019, arXiv:1911.08287)."""
    parts = _parts(boxes1, boxes2)
    loss, iou = _distance_loss(*parts, eps)
    slope = [((b[..., 2] - b[..., 0]) / (b[..., 3] - b[..., 1])).atan() for b in parts[:2]]
    unlike = (4 / math.pi**2) * (slope[1] - slope[0]) ** 2
    return _reduced(loss + (unlike / (1 - iou + unlike + eps)).detach() * unlike, reduction)
