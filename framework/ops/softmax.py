"""softmax and its logarithm."""
import numpy as np

from .. import _mkl
from .._core.op import op
from ._layer_types import floats_only

BLOCK = 1 << 18  # bytes
SAFE = 1e-6  # rows whose exponentials sum to less lost digits (or everything) to the common maximum


def _axis(x, axis):
    return axis if x.ndim else None  # a 0-d tensor counts as a vector of one


@op(promote=floats_only("softmax"))
def softmax(xp, x, axis: int = -1):
    """exp(x) / sum of exp(x) along `axis`.  (*) -> (*)"""
    if not x.size:
        return x.copy()
    axis = _axis(x, axis)
    e = xp.exp(x - x.max(axis=axis, keepdims=True))
    return e / e.sum(axis=axis, keepdims=True)


@softmax.vjp("x")
def _(xp, g, out, axis):
    t = g * out
    return t - out * xp.sum(t, axis=axis if out.ndim else None, keepdims=True)


@op(promote=floats_only("log_softmax"))
def log_softmax(xp, x, axis: int = -1):
    """x - log(sum of exp(x)) along `axis`.  (*) -> (*)"""
    if not x.size:
        return x.copy()
    axis = _axis(x, axis)
    x = x - x.max(axis=axis, keepdims=True)
    return x - xp.log(xp.exp(x).sum(axis=axis, keepdims=True))


@log_softmax.vjp("x")
def _(xp, g, out, axis):
    return g - xp.exp(out) * xp.sum(g, axis=axis if out.ndim else None, keepdims=True)


# -- on the CPU, along the last axis -----------------------------------------------------------------------------------
# NumPy's reductions along short rows are slow, those of the largest element most of all.  So one maximum is subtracted from all rows, which
# is right as long as every row has an element near it, and rows are summed by BLAS.

@softmax.kernel("numpy")
def _(xp, x, axis=-1):
    if not _has_rows(x, axis):
        return softmax.forward(np, x, axis)
    e, total, _ = row_exponentials(x)
    e /= total
    return e


@log_softmax.kernel("numpy")
def _(xp, x, axis=-1):
    if not _has_rows(x, axis):
        return log_softmax.forward(np, x, axis)
    y = np.empty_like(x, order="C")
    for rows in _blocks(x):
        e, high = _mkl.exp(x[rows], y[rows]), 0
        total = row_sums(e)
        if not (np.minimum.reduce(total, None) > SAFE and np.maximum.reduce(total, None) < np.inf):  # too far from 0 as they are
            _, total, high = row_exponentials(x[rows], out=e)
        np.subtract(x[rows], np.log(total) + high, out=e)
    return y


@softmax.kernel("numpy", vjp="x")
def _(xp, g, out, axis):
    if not _has_rows(out, axis):
        return softmax.rules[0].fn(np, g, out, axis)
    t = g - np.vecdot(g, out)[..., None]
    t *= out
    return t


@log_softmax.kernel("numpy", vjp="x")
def _(xp, g, out, axis):
    if not _has_rows(out, axis):
        return log_softmax.rules[0].fn(np, g, out, axis)
    t = np.empty_like(out, order="C")
    for rows in _blocks(out):
        part = _mkl.exp(out[rows], t[rows])
        part *= row_sums(g[rows])
        np.subtract(g[rows], part, out=part)
    return t


def _has_rows(x, axis):
    return x.size and x.ndim and axis in (-1, x.ndim - 1) and x.dtype.kind == "f"


def _blocks(x):
    """Slices of the first axis that stay in the cache from one pass to the next; all of it where there are no others."""
    if x.ndim == 1 or x.nbytes <= 4 * BLOCK:
        return [...]
    rows = max(1, BLOCK * len(x) // x.nbytes)
    return [slice(i, i + rows) for i in range(0, len(x), rows)]


def row_sums(x):
    """Sums over the last axis, kept.  (*, n) -> (*, 1)"""
    n = x.shape[-1]
    return x.reshape(-1, n).dot(np.ones(n, x.dtype)).reshape(*x.shape[:-1], 1)


def row_exponentials(x, out=None):
    """(exp(x - high), its row sums, high) for a NumPy array: high is one number, or the maxima of the rows (*, 1) where that is needed.

    out: where the exponentials go; it may be x
    """
    source = x.copy() if out is x else x  # kept for a second attempt
    high = np.maximum.reduce(x, None)
    e = np.subtract(x, high, out=out)
    _mkl.exp(e, e)
    total = row_sums(e)
    if not np.minimum.reduce(total, None) > SAFE:
        high = np.maximum.reduce(source, -1, None, None, True)
        np.subtract(source, high, out=e)
        _mkl.exp(e, e)
        total = row_sums(e)
    return e, total, high
