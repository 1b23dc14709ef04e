"""softmax, log_softmax and logsumexp by rows, forward and backward, and the softmax of attention scores.  See family.py for the words of the text."""
import math

from ..ops._parts import keep, reduced_axes
from ..ops.reductions import logsumexp
from ..ops.softmax import log_softmax, softmax
from .elementwise import Body
from .family import I32, I64, Family, number, rows_back, rows_grid, rows_last

TEXT = r"""
// The largest element m of a row and the sum s of exp(x - m): in one pass, as Milakov and Gimelshein 2018, arXiv:1805.02867.
// The elements v of a pack together: one exponential for each, and one more where the largest so far grows.
__device__ inline void add(A& m, A& s, const A* v, int count) {
    A top = m;
    for (int j = 0; j < count; ++j) top = v[j] > top ? v[j] : top;
    if (top > m) { s *= exp(m - top); m = top; }
    for (int j = 0; j < count; ++j) s += v[j] == m ? (A)1 : exp(v[j] - m);
}
__device__ void over_row(A& m, A& s) {
    A own = m;
    m = row_max(m);
    s = row_sum(own == m ? s : s * exp(own - m));
}

KERNEL softmax(const T* x, T* y, i64 rows, i64 n, int logarithm) {
    EACH_ROW(row, rows) {
        A m = -INF, s = 0;
        each_pack(x + row * n, n, [&](i64, const A* v, int count) { add(m, s, v, count); });
        over_row(m, s);
        s += m - m;  // nan when all are -inf, or one is inf
        A shift = log(s), scale = 1 / s;
        if (logarithm) map1(x + row * n, y + row * n, n, [=](i64, A v) { return v - m - shift; });
        else map1(x + row * n, y + row * n, n, [=](i64, A v) { return exp(v - m) * scale; });
    }
}

KERNEL logsumexp(const T* x, T* y, i64 rows, i64 n) {
    EACH_ROW(row, rows) {
        A m = -INF, s = 0;
        each_pack(x + row * n, n, [&](i64, const A* v, int count) { add(m, s, v, count); });
        over_row(m, s);
        if (threadIdx.x == 0) y[row] = (T)(m + log(s));
    }
}

KERNEL softmax_backward(const T* g, const T* y, T* out, i64 rows, i64 n, A scale) {
    EACH_ROW(row, rows) {
        A t = 0;
        each2(g + row * n, y + row * n, n, [&](i64, A a, A b) { t += a * b; });
        t = row_sum(t);
        map2(g + row * n, y + row * n, out + row * n, n, [=](i64, A a, A b) { return b * (a - t) * scale; });
    }
}

KERNEL log_softmax_backward(const T* g, const T* y, T* out, i64 rows, i64 n) {
    EACH_ROW(row, rows) {
        A t = 0;
        each(g + row * n, n, [&](i64, A a) { t += a; });
        t = row_sum(t);
        map2(g + row * n, y + row * n, out + row * n, n, [=](i64, A a, A b) { return a - exp(b) * t; });
    }
}

// Scores x: (*, queries, n) times scale; query q sees the keys up to q + later, all for later = -1.  A row of which nothing is seen becomes 0.
KERNEL attention_softmax(const T* x, T* y, i64 rows, i64 n, i64 queries, i64 later, A scale) {
    EACH_ROW(row, rows) {
        i64 seen = later < 0 ? n : row % queries + 1 + later;
        A m = -INF, s = 0;
        each_pack(x + row * n, n, [&](i64 i, A* v, int count) {
            if (i >= seen) return;
            for (int j = 0; j < count; ++j) v[j] = i + j < seen ? v[j] * scale : -INF;
            add(m, s, v, count);
        });
        over_row(m, s);
        bool none = m == -INF && s == s;
        s += none ? 0 : m - m;
        A share = none ? 0 : 1 / s;
        map1(x + row * n, y + row * n, n, [=](i64 i, A v) { return i < seen && !none ? exp(v * scale - m) * share : 0; });
    }
}
"""
FAMILY = Family("softmax", TEXT)
LOGSUMEXP_GRADIENT = Body("logsumexp_dx", "d = g * exp(x - out)", ("g", "x", "out"), {}, "d")
FEW_ROWS, LONG_ROW = 64, 1 << 16  # fewer rows that are longer are left to the formula, which spreads one over many blocks


def _forward(op, logarithm):
    def kernel(xp, x, axis=-1):
        if not FAMILY.takes(x):
            return op.formula(xp, x, axis)
        rows = rows_last(xp, x, axis)
        y, n = xp.empty(rows.shape, x.dtype), rows.shape[-1]
        count = rows.size // n
        FAMILY.launch(xp, "softmax", x, *rows_grid(count, n), rows, y, I64(count), I64(n), I32(logarithm))
        return rows_back(xp, y, axis, x.ndim)
    return kernel


def _backward(op, name):
    def kernel(xp, g, out, axis):
        if not FAMILY.takes(out) or g.dtype != out.dtype:
            return op.rules[0].formula(xp, g, out, axis)
        g, y = rows_last(xp, g, axis), rows_last(xp, out, axis)
        gx, n = xp.empty(y.shape, y.dtype), y.shape[-1]
        scale = (number(out)(1),) if name == "softmax_backward" else ()
        FAMILY.launch(xp, name, out, *rows_grid(y.size // n, n), g, y, gx, I64(y.size // n), I64(n), *scale)
        return rows_back(xp, gx, axis, out.ndim)
    return kernel


def logsumexp_forward(xp, x, axis=None, keepdims=False):
    """The op `logsumexp` on CuPy arrays: one axis, or the last ones of a contiguous array."""
    rows = _as_rows(xp, x, axis) if FAMILY.takes(x) and x.ndim else None
    if rows is None or len(rows) < FEW_ROWS and rows.shape[1] > LONG_ROW:
        return logsumexp.formula(xp, x, axis=axis, keepdims=keepdims)
    count, n = rows.shape
    axes, y = reduced_axes(axis, x.ndim), xp.empty((count,), x.dtype)
    FAMILY.launch(xp, "logsumexp", x, *rows_grid(count, n), rows, y, I64(count), I64(n))
    return y.reshape([s if i not in axes else 1 for i, s in enumerate(x.shape) if keepdims or i not in axes])


def _as_rows(xp, x, axis):
    """(results, elements of each), contiguous; None for axes that are neither one nor the last of a contiguous array."""
    axes = reduced_axes(axis, x.ndim)
    if len(axes) == 1:
        last = rows_last(xp, x, axes[0])
        return last.reshape(-1, last.shape[-1])
    if not axes or sorted(axes) != list(range(x.ndim - len(axes), x.ndim)) or not x.flags.c_contiguous:
        return None
    return x.reshape(-1, math.prod(x.shape[x.ndim - len(axes):]))


def logsumexp_backward(xp, g, x, out, axis):
    """Its gradient."""
    kept = [keep(xp, t, x.shape, axis) for t in (g, out)]
    d = LOGSUMEXP_GRADIENT(xp, (kept[0], x, kept[1]), {})
    return logsumexp.rules[0].formula(xp, g, x, out, axis) if d is None else d


def attention_softmax(xp, scores, causal, scale, later=0):
    """softmax(scale * scores) in place over the last axis of contiguous scores: (*, queries, keys); causal: query q sees the keys up to q + later."""
    n = scores.shape[-1]
    rows = scores.size // n
    FAMILY.launch(xp, "attention_softmax", scores, *rows_grid(rows, n), scores, scores, I64(rows), I64(n), I64(scores.shape[-2]),
                  I64(later if causal else -1), number(scores)(scale))
    return scores


def attention_softmax_backward(xp, g, p, scale):
    """The gradient of scores before scaling, from that of their softmax p; written over g.  Both contiguous."""
    n = p.shape[-1]
    FAMILY.launch(xp, "softmax_backward", p, *rows_grid(p.size // n, n), g, p, g, I64(p.size // n), I64(n), number(p)(scale))
    return g


def register():
    """Put the kernels in the place of the formulas on CuPy arrays."""
    softmax.kernel("cupy")(_forward(softmax, False))
    log_softmax.kernel("cupy")(_forward(log_softmax, True))
    logsumexp.kernel("cupy")(logsumexp_forward)
    logsumexp.kernel("cupy", vjp="x")(logsumexp_backward)
    softmax.kernel("cupy", vjp="x")(_backward(softmax, "softmax_backward"))
    log_softmax.kernel("cupy", vjp="x")(_backward(log_softmax, "log_softmax_backward"))
