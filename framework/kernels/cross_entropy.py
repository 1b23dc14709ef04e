"""Cross entropy against class indexes: log-softmax and negative log likelihood in one pass over the scores, and their gradient in another.

The gradient goes over each row twice, the second time out of the L2 cache.  Sums over rows are in a fixed order, so results are the same every time.
Under autocast scores of half precision are read as they are and computed in float32 (`wide`).  See family.py for the words of the text.
"""
import math

import numpy as np

from ..ops.cross_entropy import cross_entropy, cross_entropy_in_float32
from .family import I32, I64, Family, number, rows_grid, wide

COUNTED = r"""
__device__ inline bool counts(i64 t, i64 n, i64 ignored) { return t != ignored && t >= 0 && t < n; }
__device__ inline A counted_as(i64 t, const A* weight, i64 n, i64 ignored) { return !counts(t, n, ignored) ? (A)0 : weight ? weight[t] : (A)1; }
"""
TEXT = COUNTED + r"""
// log of the sum of exp(x) over a row, which is read once: each thread keeps its largest element so far, and its sum as multiples of that one's exp
__device__ A log_sum_exp(const T* x, i64 n) {
    A high = -INF, s = 0;
    each_pack(x, n, [&](i64, const A* v, int m) {
        A top = high;
        for (int j = 0; j < m; ++j) top = larger(top, v[j]);
        if (top == -INF) return;  // nothing but zeros so far
        s *= exp(high - top);
        for (int j = 0; j < m; ++j) s += exp(v[j] - top);
        high = top;
    });
    A top = row_max(high);
    return log(row_sum(s * exp(high - top))) + top;
}

// losses[row], and counted[row]: the weight of its target, 0 where it is ignored.  weight may be null; total: the sum of all weights.
KERNEL cross_entropy(const T* x, const i64* target, const A* weight, const A* total, A* losses, A* counted, i64 rows, i64 n, i64 ignored,
                     A smoothing) {
    EACH_ROW(row, rows) {
        const T* at = x + row * n;
        i64 t = target[row];
        A high = log_sum_exp(at, n), even = 0;
        if (smoothing > 0) {
            each(at, n, [&](i64 i, A v) { even += weight ? v * weight[i] : v; });
            even = row_sum(even);
        }
        if (threadIdx.x == 0) {
            bool in = counts(t, n, ignored);
            A w = counted_as(t, weight, n, ignored), all = weight ? *total : (A)n;
            A loss = in ? (high - (A)at[t]) * w : 0;
            if (smoothing > 0 && in) loss = loss * (1 - smoothing) + (high * all - even) * (smoothing / n);
            losses[row] = t != ignored && !in ? INF - INF : loss;  // nan for a class that does not exist
            counted[row] = w;
        }
    }
}

// One block: out[0] = sum of losses, or that over the sum of counted (mean).
template <class O> __device__ void reduce(const A* losses, const A* counted, O* out, i64 rows, int mean) {
    A s = 0, w = 0;
    for (i64 i = threadIdx.x; i < rows; i += blockDim.x) { s += losses[i]; w += counted[i]; }
    s = row_sum(s);
    w = row_sum(w);
    if (threadIdx.x == 0) *out = (O)(mean ? s / w : s);
}
KERNEL cross_entropy_reduce(const A* losses, const A* counted, T* out, i64 rows, int mean) { reduce(losses, counted, out, rows, mean); }
KERNEL cross_entropy_reduce_wide(const A* losses, const A* counted, A* out, i64 rows, int mean) { reduce(losses, counted, out, rows, mean); }

// A block per chunk, where there are many rows: sums[block] of losses and, behind those, of counted
KERNEL cross_entropy_parts(const A* losses, const A* counted, A* sums, i64 rows, i64 chunk) {
    A s = 0, w = 0;
    i64 from = blockIdx.x * chunk, to = min(from + chunk, rows);
    for (i64 i = from + threadIdx.x; i < to; i += blockDim.x) { s += losses[i]; w += counted[i]; }
    s = row_sum(s);
    w = row_sum(w);
    if (threadIdx.x == 0) { sums[blockIdx.x] = s; sums[gridDim.x + blockIdx.x] = w; }
}

// A block per chunk: parts[block] = the sum of its rows' weights, which is the divisor of a mean where there is one block
KERNEL cross_entropy_divisor(const i64* target, const A* weight, A* parts, i64 rows, i64 n, i64 ignored, i64 chunk) {
    A w = 0;
    i64 from = blockIdx.x * chunk, to = min(from + chunk, rows);
    for (i64 i = from + threadIdx.x; i < to; i += blockDim.x) w += counted_as(target[i], weight, n, ignored);
    w = row_sum(w);
    if (threadIdx.x == 0) parts[blockIdx.x] = w;
}

// g: one number, or one per row (per_row);  divisor: so many numbers, whose sum it is; none: 1
template <class G> __device__ void backward(const G* g, const T* x, const i64* target, const A* weight, const A* total, const A* divisor,
                                            i64 divisors, T* out, i64 rows, i64 n, i64 ignored, A smoothing, int per_row) {
    EACH_ROW(row, rows) {
        const T* at = x + row * n;
        i64 t = target[row];
        A high = log_sum_exp(at, n), over = divisors ? 0 : 1;
        for (i64 k = 0; k < divisors; ++k) over += divisor[k];
        A slope = (A)g[per_row ? row : 0] / over;
        A hit = counted_as(t, weight, n, ignored) * (1 - smoothing), even = t != ignored ? smoothing / n : 0;
        A all = hit + even * (weight ? *total : (A)n);
        map1(at, out + row * n, n, [=](i64 i, A v) {
            A towards = (i == t ? hit : 0) + (weight ? even * weight[i] : even);
            return slope * (exp(v - high) * all - towards);
        });
    }
}
KERNEL cross_entropy_backward(const T* g, const T* x, const i64* target, const A* weight, const A* total, const A* divisor,
                              i64 divisors, T* out, i64 rows, i64 n, i64 ignored, A smoothing, int per_row) {
    backward(g, x, target, weight, total, divisor, divisors, out, rows, n, ignored, smoothing, per_row);
}
KERNEL cross_entropy_backward_wide(const A* g, const T* x, const i64* target, const A* weight, const A* total, const A* divisor,
                              i64 divisors, T* out, i64 rows, i64 n, i64 ignored, A smoothing, int per_row) {
    backward(g, x, target, weight, total, divisor, divisors, out, rows, n, ignored, smoothing, per_row);
}
"""
FAMILY = Family("cross_entropy", TEXT)
ONE_BLOCK = (1,), (1024,)
FEW, MOST = 1 << 14, 128  # rows that one block sums; blocks that sum more


def rows_of(xp, x):
    """(matrix of one row per target, whether x had dimensions after the classes)."""
    if x.ndim > 2:
        return xp.ascontiguousarray(xp.moveaxis(x, 1, -1)).reshape(-1, x.shape[1])
    return xp.ascontiguousarray(x).reshape(-1, x.shape[-1])


def unrows(xp, rows, shape):
    if len(shape) < 3:
        return rows.reshape(shape)
    return xp.moveaxis(rows.reshape(shape[0], *shape[2:], shape[1]), -1, 1)


def prepared(xp, x, target, weight):
    w = wide(xp, weight, x)
    return xp.ascontiguousarray(target).reshape(-1).astype(np.int64, copy=False), w, None if w is None else w.sum()


def _takes(x, target, weight):
    classes = x.shape[1] if x.ndim > 1 else x.shape[-1] if x.ndim else 0
    return FAMILY.takes(x) and target.dtype.kind in "iu" and target.size * classes == x.size and (weight is None or weight.shape == (classes,))


def forward(xp, x, target, weight=None, ignore_index=-100, reduction="mean", label_smoothing=0.0, wide=False):
    """The op `cross_entropy` on CuPy arrays.  wide: the result in the type that is computed in."""
    if not _takes(x, target, weight):
        return cross_entropy.formula(xp, x, target, weight, ignore_index, reduction, label_smoothing)
    rows, (t, w, total) = rows_of(xp, x), prepared(xp, x, target, weight)
    m, n = rows.shape
    losses, counted = xp.empty((m,), number(x)), xp.empty((m,), number(x))
    FAMILY.launch(xp, "cross_entropy", x, *rows_grid(m, n), rows, t, w, total, losses, counted, I64(m), I64(n), I64(ignore_index),
                  number(x)(label_smoothing))
    if reduction == "none":
        return (losses if wide else losses.astype(x.dtype, copy=False)).reshape(target.shape)
    return reduced(xp, x, losses, counted, reduction, wide)


def reduced(xp, x, losses, counted, reduction, wide=False):
    """The sum of losses, or their mean, for an array like `x`."""
    chunk, blocks = _chunks(losses.size)
    if blocks > 1:
        losses, counted = _partly_summed(xp, x, losses, counted, chunk, blocks)
    out = xp.empty((), number(x) if wide else x.dtype)
    FAMILY.launch(xp, "cross_entropy_reduce_wide" if wide else "cross_entropy_reduce", x, *ONE_BLOCK, losses, counted, out, I64(losses.size),
                  I32(reduction == "mean"))
    return out


def divisors(xp, like, target, weight, classes, ignore_index, reduction):
    """(numbers whose sum a gradient is divided by, how many): None and 0 where it is not.  target, weight: as of `prepared`"""
    if reduction != "mean":
        return None, 0
    chunk, blocks = _chunks(target.size)
    parts = xp.empty((blocks,), number(like))
    FAMILY.launch(xp, "cross_entropy_divisor", like, (blocks,), (512,), target, weight, parts, I64(target.size), I64(classes), I64(ignore_index),
                  I64(chunk))
    return parts, blocks


def _chunks(rows):
    """(rows of a block, number of blocks) of sums over all rows: one block where there are few."""
    chunk = max(FEW, math.ceil(rows / MOST))
    return chunk, math.ceil(rows / chunk)


def _partly_summed(xp, x, losses, counted, chunk, blocks):
    sums = xp.empty((2, blocks), number(x))
    FAMILY.launch(xp, "cross_entropy_parts", x, (blocks,), (512,), losses, counted, sums, I64(losses.size), I64(chunk))
    return sums[0], sums[1]


def backward(xp, g, x, target, weight, ignore_index, reduction, label_smoothing, wide=False):
    """The gradient of `forward` for x."""
    if not _takes(x, target, weight) or g.dtype != (number(x) if wide else x.dtype) or g.size not in (1, target.size):
        return cross_entropy.rules[0].formula(xp, g, x, target, weight, ignore_index, reduction, label_smoothing)
    rows, (t, w, total) = rows_of(xp, x), prepared(xp, x, target, weight)
    m, n = rows.shape
    out, (divisor, blocks) = xp.empty_like(rows), divisors(xp, x, t, w, n, ignore_index, reduction)
    FAMILY.launch(xp, "cross_entropy_backward_wide" if wide else "cross_entropy_backward", x, *rows_grid(m, n), xp.ascontiguousarray(g).reshape(-1),
                  rows, t, w, total, divisor, I64(blocks), out, I64(m), I64(n), I64(ignore_index), number(x)(label_smoothing), I32(g.size > 1))
    return unrows(xp, out, x.shape)


def wide_forward(xp, x, target, weight=None, ignore_index=-100, reduction="mean", label_smoothing=0.0):
    """The op `cross_entropy_in_float32` on CuPy arrays: half precision is read as it is."""
    known = _known(xp, x, target, weight)
    return forward(xp, known, target, weight, ignore_index, reduction, label_smoothing, wide=True)


def wide_backward(xp, g, x, target, weight, ignore_index, reduction, label_smoothing):
    """The gradient of `wide_forward` for x."""
    found = backward(xp, g, _known(xp, x, target, weight), target, weight, ignore_index, reduction, label_smoothing, wide=True)
    return found.astype(x.dtype, copy=False)


def _known(xp, x, target, weight):
    """`x`, in float32 where it is of half precision and there is no kernel for the rest."""
    return x if _takes(x, target, weight) or x.dtype.itemsize > 2 else x.astype(np.float32)


def register():
    """Put the kernels in the place of the formulas on CuPy arrays."""
    cross_entropy.kernel("cupy")(forward)
    cross_entropy.kernel("cupy", vjp="x")(backward)
    cross_entropy_in_float32.kernel("cupy")(wide_forward)
    cross_entropy_in_float32.kernel("cupy", vjp="x")(wide_backward)
