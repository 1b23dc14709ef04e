"""Sums, means and maxima over bags of rows of a table."""
import warnings

import numpy as np

from ... import ops
from ..._backends import of_array
from ..._core.tensor import wrap
from .sparse import embedding, shorten_rows

MODES = ("sum", "mean", "max")


def embedding_bag(input, weight, offsets=None, max_norm=None, norm_type=2.0, scale_grad_by_freq=False, mode="mean", sparse=False,
                  per_sample_weights=None, include_last_offset=False, padding_idx=None):
    """The sum, mean or maximum of the rows of `weight`: (V, D) that each bag names -> (B, D); zeros for an empty bag.

    input   int (B, L): B bags of L indexes; or int (M), the bags one after another, `offsets`: int (B) saying where each begins
    per_sample_weights   of the shape of `input`: factors on the rows, mode "sum" only
    include_last_offset  offsets has one element more, the end of the last bag
    padding_idx          this row counts for nothing and takes no gradient
    max_norm, norm_type, scale_grad_by_freq   as in `embedding`
    """
    if weight._data.dtype.kind in "iu" and input.is_floating_point():
        warnings.warn("Argument order of nn.functional.embedding_bag was changed. Usage `embedding_bag(weight, input, ...)` is deprecated, and "
                      "should now be `embedding_bag(input, weight, ...)`.", stacklevel=2)
        weight, input = input, weight
    _check(input, weight, offsets, mode, scale_grad_by_freq, sparse, per_sample_weights)
    _check_rows(input._data, weight.shape[0])
    if max_norm is not None:
        shorten_rows(weight, input, max_norm, norm_type)
    if input.ndim == 2:
        starts = np.arange(input.shape[0] + 1) * input.shape[1]
    else:
        starts = _starts(offsets, input.shape[0], include_last_offset)
    xp = of_array(input._data).xp
    flat = ops.reshape(input, (-1,))
    factors = None if per_sample_weights is None else ops.reshape(per_sample_weights, (-1, 1))
    if padding_idx is not None:
        padding_idx = _wrapped(padding_idx, weight.shape[0])
        kept = flat._data != padding_idx
    else:
        kept = xp.ones(flat.shape[0], bool)
    bags = xp.asarray(np.repeat(np.arange(len(starts) - 1), np.diff(starts)))
    rows = embedding(flat, weight, padding_idx, scale_grad_by_freq=scale_grad_by_freq, sparse=sparse)
    if mode == "max":
        return _largest(rows, starts, kept)
    if not kept.all():
        factors = _times(factors, kept[:, None].astype(weight._data.dtype))
    if mode == "mean":
        counts = xp.maximum(xp.bincount(bags[kept], minlength=len(starts) - 1), 1)
        factors = _times(factors, (1 / counts[bags]).astype(weight._data.dtype)[:, None])
    rows = rows if factors is None else rows * factors
    return ops.add_rows(rows, wrap(bags), len(starts) - 1, -1, False)


def _times(factors, array):
    return wrap(array) if factors is None else factors * wrap(array)


def _wrapped(padding_idx, rows):
    if not -rows <= padding_idx < rows:
        raise RuntimeError(f"padding_idx must be within the number of embeddings, {-rows} through {rows - 1}, but got {padding_idx}")
    return padding_idx % rows


def _starts(offsets, count, include_last_offset):
    """Where each bag begins, and the end of the last one: NumPy (B + 1).  RuntimeError, in torch's words, for impossible ones."""
    at = of_array(offsets._data).to_host(offsets._data).astype(np.int64)
    if include_last_offset and not len(at):
        raise RuntimeError("include_last_offset: number of offset should be at least 1")
    if len(at) and at[0]:
        raise RuntimeError(f"offsets[0] has to be 0, i.e., the first sequence in the mini-batch has to start from position 0. However, got {at[0]}")
    if len(at) and at[-1] > count:
        raise RuntimeError(f"offsets[-1] can not be greater than input's length({count}) but got offsets[-1] of {at[-1]}")
    if (np.diff(at) < 0).any():
        raise RuntimeError(f"offsets must not decrease, but got {at.tolist()}")
    return np.append(at[:-1] if include_last_offset else at, count)


def _largest(rows, starts, kept):
    """The largest element of each bag in each column, the first among equals; 0 for bags without any."""
    data = rows._data
    xp = of_array(data).xp
    best, empty = np.zeros((len(starts) - 1, data.shape[1]), np.int64), np.zeros((len(starts) - 1, 1), bool)
    for bag, (start, stop) in enumerate(zip(starts[:-1], starts[1:])):
        places = xp.flatnonzero(kept[start:stop]) + start
        empty[bag] = not len(places)
        if len(places):
            best[bag] = of_array(data).to_host(places[data[places].argmax(axis=0)])
    if not len(data):
        return ops.add_rows(rows, wrap(xp.zeros(0, np.int64)), len(starts) - 1, -1, False)
    return ops.take_along_axis(rows, wrap(xp.asarray(best)), 0) * wrap(xp.asarray(~empty).astype(data.dtype))


def _check_rows(index, rows):
    """RuntimeError, on the CPU, unless every index is a row of the table."""
    if isinstance(index, np.ndarray) and index.dtype.kind in "iu" and index.size and (index.min() < 0 or index.max() >= rows):
        at = int(np.argmax((index.reshape(-1) < 0) | (index.reshape(-1) >= rows)))
        raise RuntimeError(f"embedding_bag: Expected idx >= 0 && idx < num_embeddings: Index {at} of input takes value {index.reshape(-1)[at]} which "
                           f"is not in the valid range [0, {rows})")


def _check(input, weight, offsets, mode, scale_grad_by_freq, sparse, per_sample_weights):
    """ValueError and NotImplementedError in torch's words."""
    if per_sample_weights is not None and tuple(input.shape) != tuple(per_sample_weights.shape):
        raise ValueError(f"embedding_bag: If per_sample_weights ({per_sample_weights.shape}) is not None, then it must have the same shape as "
                         f"the input ({input.shape})")
    if weight.ndim != 2:
        raise ValueError(f"weight has to be a 2D Tensor, but got Tensor of dimension {weight.ndim}")
    if input.ndim not in (1, 2):
        raise ValueError(f"input has to be 1D or 2D Tensor, but got Tensor of dimension {input.ndim}")
    if input.ndim == 2 and offsets is not None:
        raise ValueError("if input is 2D, then offsets has to be None, as input is treated is a mini-batch of fixed length sequences. However, "
                         f"found offsets of type {type(offsets)}")
    if input.ndim == 1 and (offsets is None or offsets.ndim != 1):
        raise ValueError("offsets has to be a 1D Tensor" + (" but got None" if offsets is None else ""))
    if mode not in MODES:
        raise ValueError("mode has to be one of sum, mean or max")
    if mode == "max" and scale_grad_by_freq:
        raise ValueError("max mode does not support scaling the gradient by the frequency")
    if mode == "max" and sparse:
        raise ValueError("max mode does not support sparse weights")
    if per_sample_weights is not None and mode != "sum":
        raise NotImplementedError("embedding_bag: per_sample_weights was not None. per_sample_weights is only supported for mode='sum' (got "
                                  f"mode='{mode}').")


__all__ = ["embedding_bag"]
