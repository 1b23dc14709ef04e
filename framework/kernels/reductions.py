"""Sums and largest elements over the last axes (rows), the first ones (columns) and everything.  See family.py for the words of the text.

Few long rows are cut into parts, each the work of a block, and the parts are combined by a second launch: always in the same order.  What runs
along other axes is the formula's.
"""
import math

from ..ops.extrema import _refuse_empty, amax
from ..ops.reductions import sum_
from .family import I32, I64, Family, flat_grid, number

TEXT = r"""
__device__ inline A both(A a, A b, int largest) { return largest ? larger(a, b) : a + b; }
__device__ A whole(A v, int largest) { return largest ? row_max(v) : row_sum(v); }

// Part blockIdx.y of each row of n elements.  out: the result where there is one part, else parts: (rows, gridDim.y)
KERNEL reduce_rows(const T* x, A* parts, T* out, i64 rows, i64 n, i64 part, int largest) {
    EACH_ROW(row, rows) {
        i64 from = (i64)blockIdx.y * part, count = min(part, n - from);
        A v = largest ? -INF : 0;
        each(x + row * n + from, count, [&](i64, A w) { v = both(v, w, largest); });
        v = whole(v, largest);
        if (threadIdx.x == 0) {
            if (out) out[row] = (T)v;
            else parts[row * gridDim.y + blockIdx.y] = v;
        }
    }
}

KERNEL reduce_parts(const A* parts, T* out, i64 rows, i64 n, int largest) {
    EACH_ROW(row, rows) {
        A v = largest ? -INF : 0;
        for (i64 i = threadIdx.x; i < n; i += blockDim.x) v = both(v, parts[row * n + i], largest);
        v = whole(v, largest);
        if (threadIdx.x == 0) out[row] = (T)v;
    }
}

// Columns of x: (rows, n): blockDim (32, 8), chunk blockIdx.y of the rows -> parts: (gridDim.y, n)
KERNEL reduce_columns(const T* x, A* parts, i64 rows, i64 n, i64 chunk, int largest) {
    __shared__ A found[8][33];
    i64 c = (i64)blockIdx.x * 32 + threadIdx.x, from = (i64)blockIdx.y * chunk, to = min(from + chunk, rows);
    A v = largest ? -INF : 0;
    if (c < n)
        for (i64 row = from + threadIdx.y; row < to; row += 8) v = both(v, (A)x[row * n + c], largest);
    found[threadIdx.y][threadIdx.x] = v;
    __syncthreads();
    if (threadIdx.y == 0 && c < n) {
        for (int k = 1; k < 8; ++k) v = both(v, found[k][threadIdx.x], largest);
        parts[(i64)blockIdx.y * n + c] = v;
    }
}

KERNEL reduce_chunks(const A* parts, T* out, i64 chunks, i64 n, int largest) {
    EACH_ELEMENT(c, n) {
        A v = parts[c];
        for (i64 k = 1; k < chunks; ++k) v = both(v, parts[k * n + c], largest);
        out[c] = (T)v;
    }
}
"""
FAMILY = Family("reductions", TEXT)
PART = 1 << 14  # elements of a row that one block reduces at least
MOST_PARTS = 1024


def reduce_rows(xp, x, rows, n, largest):
    """Sums (largest: largest elements) of the rows of contiguous x -> (rows)."""
    out, flag = xp.empty((rows,), x.dtype), I32(largest)
    parts = 1 if rows >= 512 else max(1, min(MOST_PARTS, n // PART))
    part = math.ceil(math.ceil(n / parts) / 16) * 16 if parts > 1 else n  # so that parts begin where 16 bytes do
    parts = math.ceil(n / part)
    wide = n <= 1024
    block = (32, 4) if wide else (256,)
    grid = (max(1, min(math.ceil(rows / 4) if wide else rows, 1 << 16)), parts)
    if parts == 1:
        FAMILY.launch(xp, "reduce_rows", x, grid, block, x, None, out, I64(rows), I64(n), I64(part), flag)
        return out
    partial = xp.empty((rows, parts), number(x))
    FAMILY.launch(xp, "reduce_rows", x, grid, block, x, partial, None, I64(rows), I64(n), I64(part), flag)
    FAMILY.launch(xp, "reduce_parts", x, (rows,), (256,), partial, out, I64(rows), I64(parts), flag)
    return out


def reduce_columns(xp, x, rows, n, largest):
    """Sums (largest: largest elements) of the columns of contiguous x: (rows, n) -> (n)."""
    tiles = math.ceil(n / 32)
    chunk = max(64, math.ceil(rows / max(1, min(256, 4096 // tiles))))
    chunks = math.ceil(rows / chunk)
    parts, out = xp.empty((chunks, n), number(x)), xp.empty((n,), x.dtype)
    FAMILY.launch(xp, "reduce_columns", x, (tiles, chunks), (32, 8), x, parts, I64(rows), I64(n), I64(chunk), I32(largest))
    FAMILY.launch(xp, "reduce_chunks", x, *flat_grid(n), parts, out, I64(chunks), I64(n), I32(largest))
    return out


def _reducer(op, largest, check):
    def kernel(xp, x, axis=None, keepdims=False):
        check(x, axis)
        axes = range(x.ndim) if axis is None else sorted({a % x.ndim for a in ((axis,) if isinstance(axis, int) else axis)} if x.ndim else ())
        k = len(axes)
        if not FAMILY.takes(x) or not k or not x.flags.c_contiguous:
            return op.forward(xp, x, axis, keepdims)
        n = math.prod(x.shape[a] for a in axes)
        if list(axes) == list(range(x.ndim - k, x.ndim)):
            out = reduce_rows(xp, x, x.size // n, n, largest)
        elif list(axes) == list(range(k)):
            out = reduce_columns(xp, x, n, x.size // n, largest)
        else:
            return op.forward(xp, x, axis, keepdims)
        if keepdims:
            return out.reshape([1 if i in axes else s for i, s in enumerate(x.shape)])
        return out.reshape([s for i, s in enumerate(x.shape) if i not in axes])
    return kernel


def register():
    """Put the kernels in the place of the formulas on CuPy arrays."""
    sum_.kernel("cupy")(_reducer(sum_, False, lambda x, axis: None))
    amax.kernel("cupy")(_reducer(amax, True, lambda x, axis: _refuse_empty("amax", x, axis)))
