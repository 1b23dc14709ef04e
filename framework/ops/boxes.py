"""Boxes as two corners, (x0, y0, x1, y1): which of them stay when those that overlap a better one are left out."""
import numpy as np

from .._core.op import op

BLOCK = 128  # boxes that are looked at between two sweeps


@op(syncs=True, fast=False)
def suppress(xp, boxes, scores, classes=None, iou_threshold: float = 0.5):
    """Indices of the boxes that stay, best first: each leaves out those of a lower score and of its class that overlap it by more than iou_threshold.

    boxes: (N, 4) float32 or float64;  scores: (N);  classes: (N) int64 or None -> (M) int64.  Equal scores keep their order.
    """
    columns, scores, classes = (a if a is None or xp is np else a.get() for a in (boxes, scores, classes))
    order = np.argsort(-scores.astype(np.float64), kind="stable")
    columns = np.ascontiguousarray(columns[order].T)
    if classes is None:
        kept = _kept(columns, iou_threshold)
    else:
        kinds, kept = classes[order], []
        for kind in np.unique(kinds):
            members = np.flatnonzero(kinds == kind)
            kept.append(members[_kept(columns[:, members], iou_threshold)])
        kept = np.sort(np.concatenate(kept)) if kept else np.zeros(0, np.int64)
    return xp.asarray(order[kept].astype(np.int64, copy=False))


def _kept(columns, iou_threshold):
    """Places of the boxes that stay; columns: (4, N), best first.  Those that fell are taken out of the way once per block."""
    alive, kept = np.arange(columns.shape[1]), []
    while alive.size:
        x0, y0, x1, y1 = columns[:, alive]
        area, dead = (x1 - x0) * (y1 - y0), np.zeros(alive.size, bool)
        block = min(alive.size, BLOCK)
        for i in range(block):
            if dead[i]:
                continue
            kept.append(alive[i])
            rest = slice(i + 1, None)
            common = np.maximum(np.minimum(x1[rest], x1[i]) - np.maximum(x0[rest], x0[i]), 0)
            common *= np.maximum(np.minimum(y1[rest], y1[i]) - np.maximum(y0[rest], y0[i]), 0)
            with np.errstate(invalid="ignore", divide="ignore"):
                dead[rest] |= common / (area[i] + area[rest] - common) > np.float64(iou_threshold)
        alive = alive[block:][~dead[block:]]
    return np.array(kept, np.int64)
