"""Cross entropy against class indexes: log-softmax and negative log likelihood in one pass over the scores, and their gradient in another.

The sums over rows go through one block in a fixed order, so results are the same every time.  See family.py for the words of the text.
"""
import math

import numpy as np

from ..ops.cross_entropy import cross_entropy
from .family import I32, I64, Family, number, rows_grid, wide

TEXT = r"""
// log of the sum of exp(x) over a row
__device__ A log_sum_exp(const T* x, i64 n) {
    A m = -INF;
    each(x, n, [&](i64, A v) { m = larger(m, v); });
    m = row_max(m);
    A s = 0;
    each(x, n, [&](i64, A v) { s += exp(v - m); });
    return log(row_sum(s)) + m;
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
            bool counts = t != ignored && t >= 0 && t < n;
            A w = !counts ? 0 : weight ? weight[t] : (A)1;
            A all = weight ? *total : (A)n;
            A loss = counts ? (high - (A)at[t]) * w : 0;
            if (smoothing > 0 && counts) loss = loss * (1 - smoothing) + (high * all - even) * (smoothing / n);
            losses[row] = t != ignored && !counts ? INF - INF : loss;  // nan for a class that does not exist
            counted[row] = w;
        }
    }
}

// One block: out[0] = sum of losses, or that over divisor[0] = sum of counted (mean).
KERNEL cross_entropy_reduce(const A* losses, const A* counted, T* out, A* divisor, i64 rows, int mean) {
    A s = 0, w = 0;
    for (i64 i = threadIdx.x; i < rows; i += blockDim.x) { s += losses ? losses[i] : 0; w += counted[i]; }
    s = row_sum(s);
    w = row_sum(w);
    if (threadIdx.x == 0) {
        if (out) *out = (T)(mean ? s / w : s);
        if (divisor) *divisor = mean ? w : (A)1;
    }
}

KERNEL cross_entropy_counted(const i64* target, const A* weight, A* counted, i64 rows, i64 n, i64 ignored) {
    EACH_ELEMENT(i, rows) {
        i64 t = target[i];
        counted[i] = t == ignored || t < 0 || t >= n ? 0 : weight ? weight[t] : (A)1;
    }
}

// g: one number, or one per row (per_row)
KERNEL cross_entropy_backward(const T* g, const T* x, const i64* target, const A* weight, const A* total, const A* counted, const A* divisor,
                              T* out, i64 rows, i64 n, i64 ignored, A smoothing, int per_row) {
    EACH_ROW(row, rows) {
        const T* at = x + row * n;
        i64 t = target[row];
        A high = log_sum_exp(at, n);
        A slope = (A)g[per_row ? row : 0] / *divisor;
        A hit = counted[row] * (1 - smoothing), even = t != ignored ? smoothing / n : 0;
        A all = hit + even * (weight ? *total : (A)n);
        map1(at, out + row * n, n, [=](i64 i, A v) {
            A towards = (i == t ? hit : 0) + (weight ? even * weight[i] : even);
            return slope * (exp(v - high) * all - towards);
        });
    }
}
"""
FAMILY = Family("cross_entropy", TEXT)
ONE_BLOCK = (1,), (1024,)


def _rows(xp, x):
    """(matrix of one row per target, whether x had dimensions after the classes)."""
    if x.ndim > 2:
        return xp.ascontiguousarray(xp.moveaxis(x, 1, -1)).reshape(-1, x.shape[1])
    return xp.ascontiguousarray(x).reshape(-1, x.shape[-1])


def _unrows(xp, rows, shape):
    if len(shape) < 3:
        return rows.reshape(shape)
    return xp.moveaxis(rows.reshape(shape[0], *shape[2:], shape[1]), -1, 1)


def _prepared(xp, x, target, weight):
    w = wide(xp, weight, x)
    return xp.ascontiguousarray(target).reshape(-1).astype(np.int64, copy=False), w, None if w is None else w.sum()


def _takes(x, target, weight):
    classes = x.shape[1] if x.ndim > 1 else x.shape[-1] if x.ndim else 0
    return FAMILY.takes(x) and target.dtype.kind in "iu" and target.size * classes == x.size and (weight is None or weight.shape == (classes,))


def forward(xp, x, target, weight=None, ignore_index=-100, reduction="mean", label_smoothing=0.0):
    """The op `cross_entropy` on CuPy arrays."""
    if not _takes(x, target, weight):
        return cross_entropy.formula(xp, x, target, weight, ignore_index, reduction, label_smoothing)
    rows, (t, w, total) = _rows(xp, x), _prepared(xp, x, target, weight)
    m, n = rows.shape
    losses, counted = xp.empty((m,), number(x)), xp.empty((m,), number(x))
    FAMILY.launch(xp, "cross_entropy", x, *rows_grid(m, n), rows, t, w, total, losses, counted, I64(m), I64(n), I64(ignore_index),
                  number(x)(label_smoothing))
    if reduction == "none":
        return losses.astype(x.dtype, copy=False).reshape(target.shape)
    out = xp.empty((), x.dtype)
    FAMILY.launch(xp, "cross_entropy_reduce", x, *ONE_BLOCK, losses, counted, out, None, I64(m), I32(reduction == "mean"))
    return out


def backward(xp, g, x, target, weight, ignore_index, reduction, label_smoothing):
    """The gradient of `forward` for x."""
    if not _takes(x, target, weight) or g.dtype != x.dtype or g.size not in (1, target.size):
        return cross_entropy.rules[0].formula(xp, g, x, target, weight, ignore_index, reduction, label_smoothing)
    rows, (t, w, total) = _rows(xp, x), _prepared(xp, x, target, weight)
    m, n = rows.shape
    counted, divisor, out = xp.empty((m,), number(x)), xp.empty((1,), number(x)), xp.empty_like(rows)
    FAMILY.launch(xp, "cross_entropy_counted", x, (math.ceil(m / 256),), (256,), t, w, counted, I64(m), I64(n), I64(ignore_index))
    FAMILY.launch(xp, "cross_entropy_reduce", x, *ONE_BLOCK, None, counted, None, divisor, I64(m), I32(reduction == "mean"))
    FAMILY.launch(xp, "cross_entropy_backward", x, *rows_grid(m, n), xp.ascontiguousarray(g).reshape(-1), rows, t, w, total, counted, divisor, out,
                  I64(m), I64(n), I64(ignore_index), number(x)(label_smoothing), I32(g.size > 1))
    return _unrows(xp, out, x.shape)


def register():
    """Put the kernels in the place of the formulas on CuPy arrays."""
    cross_entropy.kernel("cupy")(forward)
    cross_entropy.kernel("cupy", vjp="x")(backward)
