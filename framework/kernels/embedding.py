"""The gradient of a table of embeddings: rows added where indexes name them.

Two ways: sorted by index, so that each row of the table has one owner that adds in order (the same bits every time, and what runs under
`use_deterministic_algorithms`); and atomic additions into a float32 table, for float32 gradients.  See family.py for the words of the text.
"""
import math

import numpy as np

from .._config import DETERMINISTIC
from ..ops.embedding import _factors, add_rows
from .family import I64, Family, flat_grid, wide

TEXT = r"""
// order: positions of x's rows sorted by index; sorted: the indexes in that order.  One block row of threads per run of equal indexes, begun at
// its first position; others have nothing to do.  y has been zeroed: rows that no index names stay so.  factors may be null.
KERNEL embedding_sorted(const T* x, const i64* sorted, const i64* order, const A* factors, T* y, i64 count, i64 n, i64 rows) {
    for (i64 at = blockIdx.x; at < count; at += gridDim.x) {
        i64 row = sorted[at];
        if (row < 0 || row >= rows || (at && sorted[at - 1] == row)) continue;
        i64 end = at + 1;
        while (end < count && sorted[end] == row) ++end;
        for (i64 c = (i64)blockIdx.y * blockDim.x + threadIdx.x; c < n; c += (i64)gridDim.y * blockDim.x) {
            A s = 0;
            for (i64 k = at; k < end; ++k) {
                A v = (A)x[order[k] * n + c];
                s += factors ? v * factors[order[k]] : v;
            }
            y[row * n + c] = (T)s;
        }
    }
}
"""
ATOMIC = r"""
KERNEL embedding_atomic(const T* x, const i64* indices, const A* factors, T* y, i64 total, i64 n, i64 rows) {
    EACH_ELEMENT(i, total) {
        i64 at = quotient(i, n), row = indices[at];
        if (row >= 0 && row < rows) atomicAdd(&y[row * n + i - at * n], factors ? (A)x[i] * factors[at] : (A)x[i]);
    }
}
"""
FAMILY = Family("embedding", TEXT)
WITH_ATOMICS = Family("embedding_atomic", ATOMIC, ("float32", "float64"))


def kernel(xp, x, indices, rows=0, padding_idx=-1, scale_grad_by_freq=False):
    """The op `add_rows` on CuPy arrays."""
    if not FAMILY.takes(x) or indices.dtype.kind not in "iu":
        return add_rows.formula(xp, x, indices, rows, padding_idx, scale_grad_by_freq)
    factors = wide(xp, _factors(indices, rows, padding_idx, scale_grad_by_freq, x.dtype), x)
    n = x.shape[-1]
    y, x = xp.zeros((rows, n), x.dtype), xp.ascontiguousarray(x)
    flat = xp.ascontiguousarray(indices).reshape(-1).astype(np.int64, copy=False)
    if WITH_ATOMICS.takes(x) and not DETERMINISTIC["on"]:
        WITH_ATOMICS.launch(xp, "embedding_atomic", x, *flat_grid(x.size), x, flat, factors, y, I64(x.size), I64(n), I64(rows))
        return y
    order = xp.argsort(flat, kind="stable").astype(np.int64, copy=False)
    grid = min(flat.size, 1 << 16), min(math.ceil(n / 128), 64)
    FAMILY.launch(xp, "embedding_sorted", x, grid, (128,), x, flat[order], order, factors, y, I64(flat.size), I64(n), I64(rows))
    return y


def register():
    """Put the kernel in the place of the formula on CuPy arrays."""
    add_rows.kernel("cupy")(kernel)
