"""Orders, ranks and counts, in torch's words."""

import numpy as np

from .. import ops
from .._core.tensor import Tensor, unwrap
from ..ops.shape import wrap_dim
from ._results import named


def _result(name):
    return named(name, ("values", "indices"))


SortResult, TopkResult, KthvalueResult, CummaxResult, CumminResult = (_result(n) for n in ("sort", "topk", "kthvalue", "cummax", "cummin"))


def _along(op, kind, input, dim, **attrs):
    """An op with (values, indices) along a dimension, also of a 0-d tensor."""
    dim = wrap_dim(dim, input._data.ndim)
    if input._data.ndim:
        return kind(*op(input, axis=dim, **attrs))
    return kind(*[ops.reshape(t, ()) for t in op(ops.reshape(input, (1,)), axis=0, **attrs)])


def sort(input, dim=-1, descending=False, stable=False):
    """(values, indices) sorted along `dim`.  Equal elements keep their order, with stable=False too."""
    return _along(ops.sort, SortResult, input, dim, descending=bool(descending))


def argsort(input, dim=-1, descending=False, stable=False):
    """The indices that sort `input` along `dim`.  Equal elements keep their order."""
    dim = wrap_dim(dim, input._data.ndim)
    return ops.argsort(input, dim, bool(descending)) if input._data.ndim else ops.zeros_like(input, "int64")


def msort(input):
    """The tensor sorted along its first dimension."""
    return sort(input, 0).values


def topk(input, k, dim=-1, largest=True, sorted=True):
    """(values, indices) of the k largest, or smallest, elements along `dim`, in order.  RuntimeError when there are fewer than k."""
    axis = wrap_dim(dim, input._data.ndim)
    n = input._data.shape[axis] if input._data.ndim else 1
    if not 0 <= k <= n:
        raise RuntimeError(f"selected index k out of range: k is {k}, and dimension {axis} has {n} elements")
    if not input._data.ndim and not k:
        return TopkResult(ops.getitem(ops.reshape(input, (1,)), (slice(0),)), ops.zeros((0,), "int64", input.device))
    return _along(ops.topk, TopkResult, input, dim, k=int(k), largest=bool(largest))


def kthvalue(input, k, dim=-1, keepdim=False):
    """(values, indices) of the k-th smallest element along `dim`, k from 1.  RuntimeError when there are fewer than k."""
    axis = wrap_dim(dim, input._data.ndim)
    n = input._data.shape[axis] if input._data.ndim else 1
    if not 1 <= k <= n:
        raise RuntimeError(f"kthvalue(): selected number k out of range for dimension {axis}: k is {k}, and it has {n} elements")
    found = _along(ops.kthvalue, KthvalueResult, input, dim, k=int(k))
    return found if keepdim or not input._data.ndim else KthvalueResult(*[ops.squeeze(t, axis) for t in found])


def cummax(input, dim):
    """(values, indices) of the largest element so far along `dim`; of equal ones the last."""
    return _along(ops.cummax, CummaxResult, input, dim)


def cummin(input, dim):
    """(values, indices) of the smallest element so far along `dim`; of equal ones the last."""
    return _along(ops.cummin, CumminResult, input, dim)


# -- distinct values ---------------------------------------------------------------------------------------------------

def unique(input, sorted=True, return_inverse=False, return_counts=False, dim=None):
    """The distinct elements, in ascending order, or the distinct slices along `dim`.  It has no gradient, and waits for the device.

    return_inverse  also which of them each element (each slice) is;  return_counts  also how often each occurs
    """
    found = ops.unique(input) if dim is None else ops.unique_slices(input, wrap_dim(dim, input._data.ndim))
    return _chosen(found, return_inverse, return_counts)


def unique_consecutive(input, return_inverse=False, return_counts=False, dim=None):
    """`input` with runs of equal neighbours made one: of elements of the flattened tensor, or of slices along `dim`."""
    return _chosen(ops.unique_runs(input, None if dim is None else wrap_dim(dim, input._data.ndim)), return_inverse, return_counts)


def _chosen(found, return_inverse, return_counts):
    values, inverse, counts = found
    out = (values, *((inverse,) if return_inverse else ()), *((counts,) if return_counts else ()))
    return out if len(out) > 1 else values


# -- places and counts -------------------------------------------------------------------------------------------------

def searchsorted(sorted_sequence, input, *, out_int32=False, right=False, side=None, sorter=None):
    """Where the elements of `input` would go in a sorted sequence: before equal ones, or after with right=True (side="right").

    sorted_sequence: (n), for an input of any shape; or (*a, n) for (*a, m).  sorter: the indices that sort it.  -> the shape of input, int64
    """
    if side not in (None, "left", "right") or (side == "left" and right):
        raise RuntimeError(f"searchsorted(): side can only be 'left' or 'right', and must not contradict right={right}, but got {side!r}")
    if sorter is not None:
        sorted_sequence = ops.take_along_axis(sorted_sequence, sorter, sorted_sequence._data.ndim - 1)
    y = input if isinstance(input, Tensor) else ops.full((), input, sorted_sequence.dtype, sorted_sequence.device)
    if sorted_sequence._data.ndim != 1 and sorted_sequence._data.shape[:-1] != y._data.shape[:-1]:
        raise RuntimeError("searchsorted(): boundaries tensor should be 1 dimension or the first N-1 dimensions of boundaries tensor and input value "
                           f"tensor must match, but we got boundaries tensor {list(sorted_sequence._data.shape)} and input value tensor "
                           f"{list(y._data.shape)}")
    places = ops.searchsorted(sorted_sequence, y, bool(right or side == "right"))
    return ops.astype(places, np.dtype(np.int32)) if out_int32 else places


def bucketize(input, boundaries, *, out_int32=False, right=False):
    """The number of the interval between sorted `boundaries` that each element of `input` falls into."""
    if boundaries._data.ndim != 1:
        raise RuntimeError(f"bucketize(): boundaries tensor must be 1 dimension, but got dim({boundaries._data.ndim})")
    return searchsorted(boundaries, input, out_int32=out_int32, right=right)


def bincount(input, weights=None, minlength=0):
    """How often each of 0, 1, 2, ... occurs in a 1-d tensor of integers; with weights, the sums of the weights.  (n) -> (max + 1 or minlength)"""
    a = input._data
    if a.ndim != 1 or a.dtype.kind not in "iu" or (a.size and bool((input < 0).any())):
        raise RuntimeError(f"bincount only supports 1-d non-negative integral inputs, but got shape {list(a.shape)} of {input.dtype}")
    if minlength < 0:
        raise RuntimeError(f"minlength should be >= 0, but got {minlength}")
    if weights is not None and unwrap(weights).shape != a.shape:
        raise RuntimeError(f"weights should be 1-d and have the same length as input: {list(unwrap(weights).shape)} and {list(a.shape)}")
    return ops.bincount(input, weights, int(minlength))


FUNCTIONS = {
    "sort": sort, "argsort": argsort, "msort": msort, "topk": topk, "kthvalue": kthvalue, "cummax": cummax, "cummin": cummin, "unique": unique,
    "unique_consecutive": unique_consecutive, "searchsorted": searchsorted, "bucketize": bucketize, "bincount": bincount,
}
METHODS = {n: f for n, f in FUNCTIONS.items() if n not in ("searchsorted", "bucketize")}
INPLACE = {}
