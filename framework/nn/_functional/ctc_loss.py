"""The loss of connectionist temporal classification."""
import numpy as np

from ... import ops
from ..._backends import of_array
from ..._core.tensor import Tensor
from ._arguments import beside, check_reduction


def ctc_loss(log_probs, targets, input_lengths, target_lengths, blank=0, reduction="mean", zero_infinity=False):
    """-log of the probability of each target under all its alignments with the input.  Graves et al. 2006.

    log_probs       (T, N, C), or (T, C) without a batch: log_softmax over classes
    targets         int (N, S), or all one after another: int (sum of target_lengths)
    input_lengths, target_lengths   int (N), tensors or sequences
    reduction       "mean" divides each loss by its target's length, then takes the mean
    zero_infinity   0 in place of inf for inputs too short for their target
    """
    check_reduction(reduction)
    batched = log_probs.ndim == 3
    if log_probs.ndim not in (2, 3):
        raise RuntimeError(f"log_probs should be (T, N, C) or, without a batch, (T, C), got shape {list(log_probs.shape)}")
    probs = log_probs if batched else ops.expand_dims(log_probs, 1)
    steps, n, classes = probs.shape
    inputs, lengths = (_lengths(v, n, name) for v, name in ((input_lengths, "input_lengths"), (target_lengths, "target_lengths")))
    if not 0 <= blank < classes:
        raise RuntimeError(f"blank must be in label range: {blank} is not one of {classes} classes")
    if n and (inputs.min() < 0 or inputs.max() > steps):
        wrong = int(np.argmax((inputs < 0) | (inputs > steps)))
        raise RuntimeError(f"Expected input_lengths to have value at most {steps}, but got value {inputs[wrong]} (while checking arguments for "
                           "ctc_loss)")
    labels = _labels(_host(targets), lengths, blank, classes, batched)
    losses = ops.ctc_loss(probs, *(beside(log_probs, a) for a in (labels, inputs, lengths)), blank, zero_infinity)
    if reduction == "mean":
        return ops.mean(losses / beside(log_probs, np.maximum(lengths, 1).astype(_plain_dtype(log_probs))))
    if reduction == "sum":
        return ops.sum(losses)
    return losses if batched else losses[0]


def _plain_dtype(t):
    return t._data.dtype


def _host(values):
    """A tensor, number or sequence of ints as a NumPy array."""
    if isinstance(values, Tensor):
        return of_array(values._data).to_host(values._data)
    return np.asarray(values, np.int64)


def _lengths(values, n, name):
    lengths = np.atleast_1d(_host(values))
    if lengths.dtype.kind not in "iu":
        raise RuntimeError(f"{name} must be integral, got {lengths.dtype}")
    if len(lengths) != n:
        raise RuntimeError(f"{name} must be of size batch_size: expected {n}, got {len(lengths)}")
    return lengths.astype(np.int64)


def _labels(targets, lengths, blank, classes, batched):
    """int (N, 2 S + 1): the targets, padded and with blanks between and around."""
    longest = int(lengths.max(initial=0))
    if targets.ndim == 1 and (batched or targets.size == lengths.sum()):
        if targets.size != lengths.sum():
            raise RuntimeError(f"Expected targets to have {int(lengths.sum())} elements, the sum of target_lengths, got {targets.size}")
        rows = np.split(targets, np.cumsum(lengths)[:-1]) if len(lengths) else []
    else:
        targets = np.atleast_2d(targets)
        if len(targets) != len(lengths) or targets.shape[1] < longest:
            raise RuntimeError(f"Expected tensor to have size at least {longest} at dimension 1, but got size {targets.shape[-1]} for argument "
                               f"'targets' of shape {list(targets.shape)} (while checking arguments for ctc_loss)")
        rows = [row[:n] for row, n in zip(targets, lengths)]
    labels = np.full((len(lengths), 2 * longest + 1), blank, np.int64)
    for out, row in zip(labels, rows):
        if row.size and (row.min() < 0 or row.max() >= classes):
            raise RuntimeError(f"targets must be classes below {classes}, but lie between {int(row.min())} and {int(row.max())}")
        out[1:2 * len(row):2] = row
    return labels


__all__ = ["ctc_loss"]
