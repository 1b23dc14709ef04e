"""Losses that ask for a margin between pairs or classes."""
import numpy as np

from ... import ops
from ..._backends import of_array
from ..._core.tensor import wrap
from ._arguments import reduction_of
from .loss import reduced
from .sparse import cosine_similarity, pairwise_distance


def margin_ranking_loss(input1, input2, target, margin=0.0, size_average=None, reduce=None, reduction="mean"):
    """max(0, -t (x1 - x2) + margin), t = 1 where x1 should be larger and -1 where x2 should."""
    return reduced(ops.clip(-target * (input1 - input2) + margin, 0), reduction_of(size_average, reduce, reduction))


def hinge_embedding_loss(input, target, margin=1.0, size_average=None, reduce=None, reduction="mean"):
    """x where t = 1, max(0, margin - x) where t = -1."""
    loss = ops.where(target == 1, 0.0, ops.clip(margin - input, 0)) + ops.where(target == -1, 0.0, input)
    return reduced(loss, reduction_of(size_average, reduce, reduction))


def cosine_embedding_loss(input1, input2, target, margin=0.0, size_average=None, reduce=None, reduction="mean"):
    """1 - cos(x1, x2) where t = 1, max(0, cos(x1, x2) - margin) where t = -1.  x1, x2: (N, D) or (D), target: (N) or ()"""
    cosine = cosine_similarity(input1, input2, -1)
    loss = ops.where(target == 1, 1 - cosine, 0.0) + ops.where(target == -1, ops.clip(cosine - margin, 0), 0.0)
    return reduced(loss, reduction_of(size_average, reduce, reduction))


def triplet_margin_loss(anchor, positive, negative, margin=1.0, p=2.0, eps=1e-6, swap=False, size_average=None, reduce=None, reduction="mean"):
    """max(0, d(anchor, positive) - d(anchor, negative) + margin); swap: with d(positive, negative) where that is smaller."""
    return triplet_margin_with_distance_loss(anchor, positive, negative, distance_function=lambda a, b: pairwise_distance(a, b, p, eps),
                                             margin=margin, swap=swap, reduction=reduction_of(size_average, reduce, reduction))


def triplet_margin_with_distance_loss(anchor, positive, negative, *, distance_function=None, margin=1.0, swap=False, reduction="mean"):
    """triplet_margin_loss with a distance of one's own (default: pairwise_distance)."""
    distance = distance_function or pairwise_distance
    away = distance(anchor, negative)
    if swap:
        away = ops.minimum(away, distance(positive, negative))
    return reduced(ops.clip(distance(anchor, positive) - away + margin, 0), reduction)


def soft_margin_loss(input, target, size_average=None, reduce=None, reduction="mean"):
    """log(1 + exp(-t x)), t = 1 or -1."""
    return reduced(ops.log1p(ops.exp(-target * input)), reduction_of(size_average, reduce, reduction))


def multilabel_soft_margin_loss(input, target, weight=None, size_average=None, reduce=None, reduction="mean"):
    """The mean over classes of the binary cross entropies of sigmoid(input).  (N, C) or (C)"""
    loss = -(target * ops.log_sigmoid(input) + (1 - target) * ops.log_sigmoid(-input))
    return reduced(ops.mean(loss if weight is None else loss * weight, (-1,)), reduction_of(size_average, reduce, reduction))


def multi_margin_loss(input, target, p=1, margin=1.0, weight=None, size_average=None, reduce=None, reduction="mean"):
    """The mean over the wrong classes of max(0, margin - x[t] + x[c])^p.  input: (N, C) or (C), target: (N) or ()"""
    if p not in (1, 2):
        raise ValueError(f"only p == 1 and p == 2 supported, got {p}")
    index = ops.expand_dims(target, -1)
    gap = ops.relu(margin - ops.take_along_axis(input, index, -1) + input)
    gap = gap if p == 1 else gap * gap
    wrong = ops.arange(input.shape[-1], device=input.device) != index
    loss = ops.sum(gap * wrong, (-1,)) / input.shape[-1]
    return reduced(loss if weight is None else loss * ops.take(weight, target, 0), reduction_of(size_average, reduce, reduction))


def multilabel_margin_loss(input, target, size_average=None, reduce=None, reduction="mean"):
    """The mean over classes of max(0, 1 - (x[t] - x[c])) for every target t and every class c that is none.  input: (N, C) or (C)

    target: int of the input's shape, the targets of each sample up to the first -1.
    """
    if not input.ndim or input.ndim > 2 or tuple(target.shape) != tuple(input.shape):
        raise RuntimeError(f"inconsistent target size: {list(target.shape)} for input of size: {list(input.shape)}")
    if target._data.dtype != np.int64:
        raise RuntimeError(f"expected scalar type Long but found {target.dtype}; convert the target with .long()")
    t = target._data
    xp, classes = of_array(t).xp, input.shape[-1]
    if t.size and (int(t.min()) < -1 or int(t.max()) >= classes):
        raise RuntimeError(f"argument #2 'target' is out of range: classes are 0 to {classes - 1}, and -1 ends a list of them")
    counts = xp.cumprod(t >= 0, axis=-1).astype(bool)  # up to the first -1
    index = xp.where(counts, t, 0)
    is_target = (counts[..., None] & (index[..., None] == xp.arange(classes))).any(axis=-2)
    wanted = ops.take_along_axis(input, wrap(index), -1)
    gaps = ops.relu(1 - ops.expand_dims(wanted, -1) + ops.expand_dims(input, -2))
    pairs = counts[..., None] & ~is_target[..., None, :]
    loss = ops.sum(gaps * wrap(pairs.astype(input._data.dtype)), (-2, -1)) / classes
    return reduced(loss, reduction_of(size_average, reduce, reduction))


__all__ = ["cosine_embedding_loss", "hinge_embedding_loss", "margin_ranking_loss", "multi_margin_loss", "multilabel_margin_loss",
           "multilabel_soft_margin_loss", "soft_margin_loss", "triplet_margin_loss", "triplet_margin_with_distance_loss"]
