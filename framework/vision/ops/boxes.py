"""Boxes, (..., 4): areas, overlaps, formats, and leaving out those that overlap.

Formats: "xyxy" two corners, "xywh" a corner and the size, "cxcywh" the centre and the size; with "r" an angle in degrees against the clock.
"""
import math

from ..._dtypes import float32, float64, int64
from ..._functional.creation import zeros
from ..._functional.elementwise import where
from ..._functional.joining import stack
from ...ops import maximum, minimum, suppress

__all__ = ["batched_nms", "box_area", "box_convert", "box_iou", "clip_boxes_to_image", "complete_box_iou", "distance_box_iou", "generalized_box_iou",
           "masks_to_boxes", "nms", "remove_small_boxes"]

_MANY = 20_000  # coordinates beyond which classes are taken one by one


def nms(boxes, scores, iou_threshold):
    """Indices of the boxes that stay, best first: each leaves out those of a lower score that overlap it by more than iou_threshold.

    boxes: (N, 4) as corners;  scores: (N) -> (M) int64.  Equal scores keep their order.
    """
    if boxes.ndim != 2 or boxes.shape[1] != 4:
        raise RuntimeError(f"boxes should be a 2d tensor with 4 elements in dimension 1, got shape {tuple(boxes.shape)}")
    if scores.ndim != 1 or len(scores) != len(boxes):
        raise RuntimeError(f"boxes and scores should have same number of elements in dimension 0, got {len(boxes)} and {tuple(scores.shape)}")
    kind = float64 if boxes.dtype is float64 else float32  # as torchvision computes; the threshold stays a double
    return suppress(boxes.detach().to(kind), scores.detach(), None, float(iou_threshold))


def batched_nms(boxes, scores, idxs, iou_threshold):
    """`nms` within each class; idxs: (N), the classes."""
    if boxes.numel() == 0:
        return zeros(0, dtype=int64, device=boxes.device)
    if boxes.is_cuda:  # one launch for all classes
        kind = float64 if boxes.dtype is float64 else float32
        return suppress(boxes.detach().to(kind), scores.detach(), idxs.to(int64), float(iou_threshold))
    if boxes.numel() <= _MANY:  # classes moved so far apart that they cannot overlap
        return nms(boxes + (idxs.to(boxes) * (boxes.max() + 1)).unsqueeze(1), scores, iou_threshold)
    kept = zeros(len(scores), dtype=int64, device=boxes.device)
    for kind in idxs.unique():
        members = where(idxs == kind)[0]
        kept[members[nms(boxes[members], scores[members], iou_threshold)]] = 1
    found = where(kept > 0)[0]
    return found[scores[found].sort(descending=True, stable=True)[1]]


def remove_small_boxes(boxes, min_size):
    """Indices of the boxes whose sides are both at least min_size."""
    return where((boxes[..., 2] - boxes[..., 0] >= min_size) & (boxes[..., 3] - boxes[..., 1] >= min_size))[0]


def clip_boxes_to_image(boxes, size):
    """Boxes cut to an image of size (height, width)."""
    height, width = size
    x, y = boxes[..., 0::2].clamp(0, width), boxes[..., 1::2].clamp(0, height)
    return stack((x, y), dim=boxes.ndim).reshape(boxes.shape)


# -- formats -----------------------------------------------------------------------------------------------------------


def _turned(x, y, angle):
    """(x, y) turned by `angle` degrees, in a picture whose y axis points down."""
    turn = angle * (math.pi / 180)
    return x * turn.cos() + y * turn.sin(), y * turn.cos() - x * turn.sin()


def _corners_of(cx, cy, w, h, r):
    half = [_turned(sx * w / 2, sy * h / 2, r) for sx, sy in ((-1, -1), (1, -1), (1, 1), (-1, 1))]
    return [v for dx, dy in half for v in (cx + dx, cy + dy)]


def _from_turned_corner(x, y, w, h, r):
    dx, dy = _turned(w / 2, h / 2, r)
    return x + dx, y + dy, w, h, r


def _to_turned_corner(cx, cy, w, h, r):
    dx, dy = _turned(w / 2, h / 2, r)
    return cx - dx, cy - dy, w, h, r


def _from_corners(x1, y1, x2, y2, x3, y3, x4, y4):
    w, h = ((x2 - x1) ** 2 + (y2 - y1) ** 2).sqrt(), ((x3 - x2) ** 2 + (y3 - y2) ** 2).sqrt()
    return (x1 + x3) / 2, (y1 + y3) / 2, w, h, (y1 - y2).atan2(x2 - x1) * (180 / math.pi)


_TO_CORNERS = {"xyxy": lambda a, b, c, d: (a, b, c, d), "xywh": lambda x, y, w, h: (x, y, x + w, y + h),
               "cxcywh": lambda cx, cy, w, h: (cx - 0.5 * w, cy - 0.5 * h, cx + 0.5 * w, cy + 0.5 * h)}
_FROM_CORNERS = {"xyxy": lambda a, b, c, d: (a, b, c, d), "xywh": lambda a, b, c, d: (a, b, c - a, d - b),
                 "cxcywh": lambda a, b, c, d: ((a + c) / 2, (b + d) / 2, c - a, d - b)}
_TO_CENTRE = {"cxcywhr": lambda *v: v, "xywhr": _from_turned_corner, "xyxyxyxy": _from_corners}
_FROM_CENTRE = {"cxcywhr": lambda *v: v, "xywhr": _to_turned_corner, "xyxyxyxy": _corners_of}


def box_convert(boxes, in_fmt, out_fmt):
    """Boxes in another format.  ValueError for one that is not known, or from a turned box to an upright one."""
    for reader, writer in ((_TO_CORNERS, _FROM_CORNERS), (_TO_CENTRE, _FROM_CENTRE)):
        if in_fmt in reader and out_fmt in writer:
            if in_fmt == out_fmt:
                return boxes.clone()
            return stack(writer[out_fmt](*reader[in_fmt](*boxes.unbind(-1))), dim=-1).to(boxes.dtype)
    raise ValueError(f"Unsupported Bounding Box Conversions for given in_fmt {in_fmt} and out_fmt {out_fmt}; there are "
                     f"{', '.join(_TO_CORNERS)} among each other, and {', '.join(_TO_CENTRE)}")


# -- areas and overlaps ------------------------------------------------------------------------------------------------


def _wide(t):
    """A type in which products of coordinates do not overflow."""
    if t.is_floating_point():
        return t if t.dtype.itemsize >= 4 else t.to(float32)
    return t if t.dtype.itemsize >= 4 else t.int()


def box_area(boxes, fmt="xyxy"):
    """The area of each box.  fmt: "xyxy", "xywh" or "cxcywh"."""
    if fmt not in _TO_CORNERS:
        raise ValueError(f"Unsupported Box Area Calculation for given format {fmt}.")
    boxes = _wide(boxes)
    return (boxes[..., 2] - boxes[..., 0]) * (boxes[..., 3] - boxes[..., 1]) if fmt == "xyxy" else boxes[..., 2] * boxes[..., 3]


def _pairs(boxes1, boxes2):
    """(intersection, union) of every pair of boxes given as corners: (..., N, M)."""
    low = maximum(boxes1[..., :, None, :2], boxes2[..., None, :, :2])
    high = minimum(boxes1[..., :, None, 2:], boxes2[..., None, :, 2:])
    sides = _wide(high - low).clamp(min=0)
    common = sides[..., 0] * sides[..., 1]
    return common, box_area(boxes1)[..., :, None] + box_area(boxes2)[..., None, :] - common


def box_iou(boxes1, boxes2, fmt="xyxy"):
    """Intersection over union of every pair: (..., N, 4), (..., M, 4) -> (..., N, M).  Upright boxes only."""
    if fmt not in _TO_CORNERS:
        raise ValueError(f"Unsupported format '{fmt}'. Supported axis-aligned formats: {tuple(_TO_CORNERS)}.")
    if fmt != "xyxy":
        boxes1, boxes2 = box_convert(boxes1, fmt, "xyxy"), box_convert(boxes2, fmt, "xyxy")
    common, union = _pairs(boxes1, boxes2)
    return common / union


def _hull(boxes1, boxes2):
    """The sides of the smallest box round every pair."""
    low = minimum(boxes1[..., :, None, :2], boxes2[..., None, :, :2])
    return _wide(maximum(boxes1[..., :, None, 2:], boxes2[..., None, :, 2:]) - low).clamp(min=0)


def generalized_box_iou(boxes1, boxes2):
    """IoU less the share of the smallest box round both that neither fills (Rezatofighi et al. 2019, arXiv:1902.09630)."""
    common, union = _pairs(boxes1, boxes2)
    sides = _hull(boxes1, boxes2)
    around = sides[..., 0] * sides[..., 1]
    return common / union - (around - union) / around


def _distance_iou(boxes1, boxes2, eps):
    common, union = _pairs(boxes1, boxes2)
    iou, diagonal = common / union, (_hull(boxes1, boxes2) ** 2).sum(-1) + eps
    centres = [(b[..., :2] + b[..., 2:]) / 2 for b in (boxes1, boxes2)]
    apart = (_wide(centres[0][..., :, None, :] - centres[1][..., None, :, :]) ** 2).sum(-1)
    return iou - apart / diagonal, iou


def distance_box_iou(boxes1, boxes2, eps=1e-7):
    """IoU less the squared distance of the centres over that of the hull's corners (Zheng et al. 2019, arXiv:1911.08287)."""
    boxes1, boxes2 = _floats(boxes1), _floats(boxes2)
    return _distance_iou(boxes1, boxes2, eps)[0]


def complete_box_iou(boxes1, boxes2, eps=1e-7):
    """`distance_box_iou` less a term for unlike aspect ratios (Zheng et al. 2019, arXiv:1911.08287)."""
    boxes1, boxes2 = _floats(boxes1), _floats(boxes2)
    value, iou = _distance_iou(boxes1, boxes2, eps)
    slope = [((b[..., 2] - b[..., 0]) / (b[..., 3] - b[..., 1])).atan() for b in (boxes1, boxes2)]
    unlike = (4 / math.pi**2) * (slope[0][..., :, None] - slope[1][..., None, :]) ** 2
    return value - (unlike / (1 - iou + unlike + eps)).detach() * unlike


def _floats(boxes):
    return boxes if boxes.is_floating_point() and boxes.dtype.itemsize >= 4 else boxes.to(float32)


def masks_to_boxes(masks):
    """The box round each mask: (N, H, W) -> (N, 4) float32, corners within the mask."""
    boxes = zeros(len(masks), 4, dtype=float32, device=masks.device)
    for i, mask in enumerate(masks):
        y, x = where(mask != 0)
        boxes[i] = stack([x.min(), y.min(), x.max(), y.max()]).to(float32)
    return boxes
