"""The few operations on sparse tensors that are not compositions: into and out of a pattern, and products with dense matrices.

A sparse tensor is its pattern (places, constants of the graph) and a dense tensor of values, through which all gradients flow; see
_backends/sparse_.py.  `pattern` is a Pattern in all signatures, nnz the number of its places.
"""
from typing import Any

import numpy as np

from .._backends import BACKENDS
from .._backends.sparse_ import Pattern, SparseArray
from .._core.op import op
from .._core.tensor import Tensor, unwrap, wrap
from .._numba import available
from ._layer_types import like_first
from ._repeated import add_repeated
from ._run import run
from .embedding import embedding as EMBEDDING  # noqa: N812 - the op's record
from .matmul import one_type

WIDE, BLOCK = 256, 512  # columns from which a product by rows beats one by blocks, and the values of such a block
LARGE = 1 << 14  # elements; below this numba's loop gains nothing


@op(fast=False, grad_name="SparseCooTensorWithDimsAndTensors")
def sparse_coo(xp, x, pattern: Any, coalesced: bool = False, layout: str = "sparse_coo"):
    """A sparse tensor with the values x: (nnz, *) at the places of `pattern`."""
    return SparseArray(pattern, x, coalesced, layout)


@sparse_coo.vjp("x")
def _(xp, g, pattern):
    return values_at(g, pattern)


@op(fast=False, grad_name="Values")
def sparse_values(xp, x):
    """The values of a sparse tensor, in the order of its places -> (nnz, *)."""
    raise TypeError("values of a dense tensor")


@sparse_values.kernel("sparse")
def _(xp, x):
    return x.values


@sparse_values.vjp("x")
def _(xp, g, x):
    x = unwrap(x)
    pattern, first = (x.pattern, None) if x.coalesced else x.pattern.distinct
    if first is not None:  # the values at one place are one element, and have its gradient
        g = _run(pick_rows, g, at=first)
    coalesced = x.coalesced or first is not None
    if isinstance(g, Tensor):
        return sparse_coo.apply((g,), {"pattern": pattern, "coalesced": coalesced, "layout": x.layout})
    return SparseArray(pattern, g, coalesced, x.layout)


def values_at(g, pattern):
    """What stands in `g`, dense or sparse, array or Tensor, at the places of `pattern` -> (nnz, *), of the same kind."""
    raw = unwrap(g)
    if type(raw) is not SparseArray:
        rows = int(np.prod(pattern.shape[:pattern.rank], dtype=np.int64))
        return _run(pick_rows, g.reshape((rows, *raw.shape[pattern.rank:])), at=pattern.flat)
    values = sparse_values.apply((g,), {}) if isinstance(g, Tensor) else raw.values
    if raw.pattern is pattern:
        return values
    xp = BACKENDS[type(raw.values)].xp
    places, inverse = xp.unique(raw.pattern.flat, return_inverse=True)
    if not places.size:
        return values * 0 if not pattern.flat.size else _run(add_segments, values, at=inverse, count=len(pattern.flat))
    at = xp.minimum(xp.searchsorted(places, pattern.flat), len(places) - 1)
    found = (places[at] == pattern.flat).astype(raw.dtype).reshape(-1, *(1,) * (raw.values.ndim - 1))
    picked = _run(pick_rows, _run(add_segments, values, at=inverse, count=len(places)), at=at)
    return picked * (wrap(found) if isinstance(g, Tensor) else found)


def _run(op, x, **attrs):
    return run(op, None if isinstance(x, Tensor) else BACKENDS[type(x)].xp, x, **attrs)


@op(fast=False, grad_name="IndexSelect")
def pick_rows(xp, x, at: Any):
    """The rows of x: (n, *) that the array `at`: int (m) names -> (m, *)."""
    return x[at]


@pick_rows.vjp("x")
def _(xp, g, x_shape, at):
    return run(add_segments, xp, g, at=at, count=x_shape[0])


@op(fast=False, grad_name="IndexAdd")
def add_segments(xp, x, at: Any, count: int):
    """pick_rows, transposed: row i of x: (m, *) is added to row at[i] of zeros -> (count, *)."""
    y = xp.zeros((count, *x.shape[1:]), x.dtype)
    add_repeated(xp, y, at, x)
    return y


@add_segments.vjp("x")
def _(xp, g, at):
    return run(pick_rows, xp, g, at=at)


# -- products ----------------------------------------------------------------------------------------------------------

def _by_row(pattern, transposed):
    return pattern.by_column if transposed else pattern.by_row


@op(promote=one_type, broadcasts=False, fast=False, holomorphic=True, grad_name="SparseAddmm")
def sparse_mm(xp, x, y, pattern: Any, transposed: bool = False):
    """The product of a sparse matrix (n, k) with values x: (nnz) and a dense one.  y: (k, m) -> (n, m);  transposed: y: (n, m) -> (k, m)"""
    order, rows, columns, starts = _by_row(pattern, transposed)
    out = xp.zeros((len(starts) - 1, y.shape[1]), y.dtype)
    add_repeated(xp, out, rows, (x if order is None else x[order])[:, None] * y[columns])
    return out


@sparse_mm.kernel("numpy")
def _(xp, x, y, pattern, transposed=False):
    order, _, columns, starts = _by_row(pattern, transposed)
    values = x if order is None else x[order]
    out = np.zeros((len(starts) - 1, y.shape[1]), y.dtype)
    if values.size * y.shape[1] >= LARGE and y.dtype.char in "fd" and available():
        from . import _loops_sparse
        _loops_sparse.multiply_rows(values, columns, starts, np.ascontiguousarray(y), out)
    elif y.shape[1] >= WIDE:
        for i in np.flatnonzero(starts[1:] > starts[:-1]).tolist():
            part = slice(starts[i], starts[i + 1])
            np.dot(values[part], y[columns[part]], out=out[i])
    else:
        _multiply_blocks(values, columns, starts, y, out)
    return out


def _multiply_blocks(values, columns, starts, y, out):
    """Rows in groups of about BLOCK values, so that the products that are added up stay in cache."""
    i, n = 0, len(out)
    while i < n:
        j = max(i + 1, min(int(np.searchsorted(starts, starts[i] + BLOCK)), n))
        part = slice(starts[i], starts[j])
        filled = np.flatnonzero(starts[i + 1:j + 1] > starts[i:j])
        if filled.size:
            products = y[columns[part]]
            products *= values[part, None]
            out[i + filled] = np.add.reduceat(products, starts[i + filled] - starts[i], axis=0)
        i = j


@sparse_mm.vjp("x")
def _(xp, g, y, pattern, transposed):
    return run(sampled_mm, xp, g, y, pattern=pattern, transposed=transposed)


@sparse_mm.vjp("y")
def _(xp, g, x, pattern, transposed):
    return run(sparse_mm, xp, x, g, pattern=pattern, transposed=not transposed)


@op(promote=one_type, broadcasts=False, fast=False, grad_name="SparseSampledAddmm")
def sampled_mm(xp, x, y, pattern: Any, transposed: bool = False):
    """The elements of x @ y.T at the places of a matrix.  x: (n, m), y: (k, m) -> (nnz);  transposed: x: (k, m), y: (n, m)"""
    rows, columns = pattern.indices[::-1] if transposed else pattern.indices
    size = max(1, (1 << 18) // max(x.shape[1], 1))  # products that are made at once: they should stay in cache
    parts = [xp.einsum("im,im->i", x[rows[i:i + size]], y[columns[i:i + size]]) for i in range(0, len(rows), size)]
    return xp.concatenate(parts) if parts else xp.zeros(0, x.dtype)


@sampled_mm.vjp("x")
def _(xp, g, y, pattern, transposed):
    return run(sparse_mm, xp, g, y, pattern=pattern, transposed=transposed)


@sampled_mm.vjp("y")
def _(xp, g, x, pattern, transposed):
    return run(sparse_mm, xp, g, x, pattern=pattern, transposed=not transposed)


# -- gradients of tables -----------------------------------------------------------------------------------------------

@op(promote=like_first, broadcasts=False, fast=False, grad_name="Embedding")
def embedding_sparse(xp, x, indices, padding_idx: int = -1):
    """`embedding` with a sparse gradient, of one row per index: it costs what is used and not what the table holds."""
    return EMBEDDING.kernels[type(x)](xp, x, indices)


@embedding_sparse.vjp("x")
def _(xp, g, indices, x_shape, padding_idx):
    at = unwrap(indices).reshape(-1)
    values = g.reshape((at.size, x_shape[1]))
    if padding_idx >= 0:
        kept = at != padding_idx
        at, values = at[kept], values[wrap(kept) if isinstance(g, Tensor) else kept]
    pattern = Pattern(at.astype(np.int64)[None], x_shape)
    return sparse_coo.apply((values,), {**sparse_coo.attrs, "pattern": pattern}) if isinstance(g, Tensor) else SparseArray(pattern, values)
