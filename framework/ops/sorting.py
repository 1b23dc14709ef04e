"""Orders, ranks and counts.  nan counts as larger than every number, as in NumPy and torch."""
import math

import numpy as np

from .._alert import alert_not_deterministic
from .._core.op import op
from ._run import run
from .gathering import add_along_axis, everywhere, take_along_axis


def _spread_back(op_with_indices):
    """The gradient rule of an op with outputs (values, indices) whose values are elements of x along `axis`."""
    op_with_indices.gives_away = 1  # the rule reads the indices only

    @op_with_indices.vjp("x")
    def _(xp, g, x_shape, out, axis):
        return run(add_along_axis, xp, g[0], out[1], shape=x_shape, axis=axis)


def order(xp, x, axis, descending):
    """Indices that sort `x` along `axis`; equal elements keep their order."""
    if xp is np and x.dtype in _NARROW and x.ndim and x.shape[axis] > 16:
        return np.moveaxis(_ranked(np.moveaxis(x, axis, -1), descending), -1, axis)
    x = sortable(xp, x)
    if not descending:
        return xp.argsort(x, axis=axis, kind="stable")
    n = x.shape[axis]
    return n - 1 - xp.flip(xp.argsort(xp.flip(x, axis), axis=axis, kind="stable"), axis)


def sortable(xp, x):
    """`x` in a type that the array library can sort, in the same order: CuPy cannot sort bfloat16."""
    return x.astype(np.float32) if xp is not np and x.dtype.kind == "V" else x


_NARROW = {np.dtype(t) for t in (np.float32, np.int32)}


def _ranked(x, descending):
    """The stable order along the last axis of 32-bit numbers: the bits of each, made to rise with it, before its place in one 64-bit key.

    NumPy sorts such keys with vectors, several times as fast as it finds a stable order.
    """
    bits = np.ascontiguousarray(x + 0 if x.dtype.kind == "f" else x).view(np.int32)  # + 0: of the two zeros one
    if x.dtype.kind == "f":
        bits = np.where(np.isnan(x), np.int32(2**31 - 1), np.where(bits < 0, bits ^ np.int32(2**31 - 1), bits))
    key = (~bits if descending else bits).astype(np.int64)
    key <<= 32
    key += np.arange(x.shape[-1])
    key.sort(axis=-1)
    key &= 2**32 - 1
    return key


def _picked(xp, x, at, axis):
    """(the elements of `x` at the indices `at` along `axis`, the indices as int64)."""
    at = at.astype(np.int64, copy=False)
    return take_along_axis.kernels[np.ndarray](xp, x, at, axis) if xp is np else x[tuple(everywhere(xp, at, axis))], at


@op(fast=False)
def sort(xp, x, axis: int = -1, descending: bool = False):
    """(values, indices) in ascending or descending order along `axis`; equal elements keep their order."""
    at = order(xp, x, axis, descending)
    return _picked(xp, x, at, axis)


_spread_back(sort)


@op()
def argsort(xp, x, axis: int = -1, descending: bool = False):
    """The indices of `sort`."""
    return order(xp, x, axis, descending).astype(np.int64, copy=False)


@op(fast=False)
def topk(xp, x, k: int, axis: int = -1, largest: bool = True):
    """(values, indices) of the `k` largest (or smallest) along `axis`, the first the extreme.  (*a, n, *b) -> (*a, k, *b)"""
    n, before = x.shape[axis], (slice(None),) * (axis % x.ndim)
    if xp is not np or not 0 < 4 * k < n:
        return _picked(xp, x, order(xp, x, axis, largest)[(*before, slice(k))], axis)
    part = np.argpartition(x, n - k if largest else k - 1, axis=axis)[(*before, slice(n - k, None) if largest else slice(k))]
    part = np.sort(part, axis=axis)  # so that among equal elements the first comes first
    at = order(np, np.take_along_axis(x, part, axis), axis, largest)
    return _picked(np, x, np.take_along_axis(part, at, axis), axis)


_spread_back(topk)


@op(fast=False)
def kthvalue(xp, x, k: int, axis: int = -1):
    """(values, indices) of the k-th smallest along `axis`, k from 1; the dimension stays, as 1."""
    at = order(xp, x, axis, False)[(*(slice(None),) * (axis % x.ndim), slice(k - 1, k))]
    return _picked(xp, x, at, axis)


_spread_back(kthvalue)


def _running(name, accumulate):
    def forward(xp, x, axis: int):
        values = accumulate(xp).accumulate(x, axis=axis) if xp is np else scan(xp, x, axis, accumulate(xp))
        here = xp.arange(x.shape[axis]).reshape(-1, *(1,) * (x.ndim - axis - 1))
        hits = xp.where((x == values) | ((x != x) & (values != values)), here, 0)
        return values, np.maximum.accumulate(hits, axis=axis) if xp is np else scan(xp, hits, axis, xp.maximum)
    forward.__name__ = name
    forward.__doc__ = f"(values, indices) of the {'largest' if name == 'cummax' else 'smallest'} so far along `axis`; of equal ones the last."
    record = op(fast=False)(forward)
    _spread_back(record)
    return record


def scan(xp, x, axis, combine):
    """combine.accumulate for array libraries without it: log2(n) steps of doubling reach."""
    out, reach, before = x.copy(), 1, (slice(None),) * axis
    while reach < x.shape[axis]:
        later = combine(out[(*before, slice(reach, None))], out[(*before, slice(None, -reach))])
        out[(*before, slice(reach, None))] = later
        reach *= 2
    return out


@op(fast=False)
def mode(xp, x, axis: int = -1):
    """(values, indices) of the most frequent element along `axis`, the smallest of several, at its last place; the dimension stays, as 1."""
    at = order(xp, x, axis, False)
    ranked = xp.moveaxis(_picked(xp, x, at, axis)[0], axis, -1)
    n = ranked.shape[-1]
    here = xp.arange(n)
    starts = xp.concatenate([xp.ones((*ranked.shape[:-1], 1), bool), ranked[..., 1:] != ranked[..., :-1]], -1)
    first = xp.where(starts, here, 0)
    first = np.maximum.accumulate(first, -1) if xp is np else scan(xp, first, first.ndim - 1, xp.maximum)
    length = here - first  # of the run so far; at its end, one less than the whole
    end = xp.argmax(length, axis=-1)[..., None]
    return _picked(xp, x, xp.take_along_axis(at, xp.moveaxis(end, -1, axis), axis), axis)


_spread_back(mode)


cummax = _running("cummax", lambda xp: xp.maximum)
cummin = _running("cummin", lambda xp: xp.minimum)


# -- distinct values ---------------------------------------------------------------------------------------------------

@op(syncs=True, fast=False)
def unique(xp, x):
    """(values, inverse, counts): the distinct elements in ascending order, for each element of `x` which one it is, and how often each occurs."""
    values, inverse, counts = xp.unique(x.reshape(-1), return_inverse=True, return_counts=True, equal_nan=False)
    return values, inverse.reshape(x.shape).astype(np.int64, copy=False), counts.astype(np.int64, copy=False)


@op(syncs=True, fast=False)
def unique_slices(xp, x, axis: int):
    """`unique` of whole slices: the distinct x[..., i, ...] along `axis`, in lexicographic order.  inverse and counts: 1-d"""
    slices = xp.moveaxis(x, axis, 0)
    flat = _flat(slices)
    at = xp.lexsort(flat.T[::-1]) if flat.shape[1] else xp.arange(len(flat))
    return _runs(xp, slices[at], axis, at)


@op(syncs=True, fast=False)
def unique_runs(xp, x, axis: int = None):
    """(values, inverse, counts) of runs of equal neighbours: of elements, or of slices along `axis`."""
    slices = x.reshape(-1) if axis is None else xp.moveaxis(x, axis, 0)
    values, inverse, counts = _runs(xp, slices, axis or 0, xp.arange(len(slices)))
    return values, inverse.reshape(x.shape) if axis is None else inverse, counts


def _flat(slices):
    """Each slice as a row."""
    return slices.reshape(len(slices), math.prod(slices.shape[1:]))


def _runs(xp, slices, axis, at):
    """(values, inverse, counts) of runs of equal neighbours among `slices`; the i-th is slice at[i] of the original."""
    flat = _flat(slices)
    n = len(flat)
    first = xp.ones(n, bool)
    first[1:] = (flat[1:] != flat[:-1]).any(axis=1)
    starts = xp.flatnonzero(first)
    inverse = xp.empty(n, np.int64)
    inverse[at] = xp.cumsum(first) - 1
    counts = xp.diff(xp.concatenate([starts, xp.asarray([n])])).astype(np.int64, copy=False)
    return xp.moveaxis(slices[starts], 0, axis), inverse, counts


# -- places and counts -------------------------------------------------------------------------------------------------

@op(fast=False)
def searchsorted(xp, x, y, right: bool = False):
    """Where the elements of `y` would go in the sorted `x` (its last dimension), before equal ones or after.  (*a, n), (*a, m) -> (*a, m) int64"""
    side = "right" if right else "left"
    if x.ndim == 1:
        return xp.asarray(xp.searchsorted(x, y, side=side)).astype(np.int64, copy=False)
    out = xp.empty(y.shape, np.int64)
    rows, wanted, places = x.reshape(-1, x.shape[-1]), y.reshape(-1, y.shape[-1]), out.reshape(-1, y.shape[-1])
    for row, want, place in zip(rows, wanted, places):
        place[...] = xp.searchsorted(row, want, side=side)
    return out


@op(syncs=True, fast=False)
def bincount(xp, x, weights=None, minlength: int = 0):
    """How often each of 0, 1, 2, ... occurs in `x`, or the sum of its weights.  (n) -> (max(x) + 1, at least minlength)"""
    if weights is not None and xp is not np:
        alert_not_deterministic("_bincount_cuda")
    counts = xp.bincount(x, weights, minlength)
    return counts.astype(np.int64 if weights is None else weights.dtype if weights.dtype.kind == "f" else np.float64, copy=False)
