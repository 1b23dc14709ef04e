"""Negative log likelihood of log probabilities, and its gradient, in a launch each and a sum.  See family.py for the words of the text."""
import math

from ..ops.cross_entropy import nll_loss
from .cross_entropy import COUNTED, divisors, prepared, reduced, rows_of, unrows
from .family import I32, I64, Family, flat_grid, number, rows_grid

TEXT = COUNTED + r"""
// losses[row], and counted[row]: the weight of its target, 0 where it is ignored.  weight may be null.
KERNEL nll_rows(const T* x, const i64* target, const A* weight, A* losses, A* counted, i64 rows, i64 n, i64 ignored) {
    EACH_ELEMENT(row, rows) {
        i64 t = target[row];
        bool in = counts(t, n, ignored);
        A w = counted_as(t, weight, n, ignored);
        losses[row] = in ? -(A)x[row * n + t] * w : t != ignored ? INF - INF : (A)0;  // nan for a class that does not exist
        counted[row] = w;
    }
}

// g: one number, or one per row (per_row);  divisor: so many numbers, whose sum it is; none: 1
KERNEL nll_backward(const T* g, const i64* target, const A* weight, const A* divisor, i64 divisors, T* out, i64 rows, i64 n, i64 ignored,
                    int per_row) {
    EACH_ROW(row, rows) {
        i64 t = target[row];
        A over = divisors ? 0 : 1;
        for (i64 k = 0; k < divisors; ++k) over += divisor[k];
        T slope = (T)((A)g[per_row ? row : 0] * (-counted_as(t, weight, n, ignored) / over));
        T* to = out + row * n;
        i64 packed = packs(to, n) ? n / WIDE : 0;
        for (i64 k = threadIdx.x; k < packed; k += blockDim.x) {
            Pack p;
            for (int j = 0; j < WIDE; ++j) p.v[j] = k * WIDE + j == t ? slope : (T)(A)0;
            ((Pack*)to)[k] = p;
        }
        for (i64 i = packed * WIDE + threadIdx.x; i < n; i += blockDim.x) to[i] = i == t ? slope : (T)(A)0;
    }
}
"""
FAMILY = Family("nll_loss", TEXT)


def forward(xp, x, target, weight=None, ignore_index=-100, reduction="mean"):
    """The op `nll_loss` on CuPy arrays."""
    if not _takes(x, x.shape, target, weight):
        return nll_loss.formula(xp, x, target, weight, ignore_index, reduction)
    rows, (t, w, _) = rows_of(xp, x), prepared(xp, x, target, weight)
    m, n = rows.shape
    losses, counted = xp.empty((m,), number(x)), xp.empty((m,), number(x))
    FAMILY.launch(xp, "nll_rows", x, *flat_grid(m), rows, t, w, losses, counted, I64(m), I64(n), I64(ignore_index))
    if reduction == "none":
        return losses.astype(x.dtype, copy=False).reshape(target.shape)
    return reduced(xp, x, losses, counted, reduction)


def backward(xp, g, target, weight, x_shape, ignore_index, reduction):
    """The gradient of `forward` for x."""
    if not _takes(g, x_shape, target, weight) or g.size not in (1, target.size):
        return nll_loss.rules[0].formula(xp, g, target, weight, x_shape, ignore_index, reduction)
    t, w, _ = prepared(xp, g, target, weight)
    m, n = t.size, _classes(x_shape)
    out, (divisor, blocks) = xp.empty((m, n), g.dtype), divisors(xp, g, t, w, n, ignore_index, reduction)
    FAMILY.launch(xp, "nll_backward", g, *rows_grid(m, n), xp.ascontiguousarray(g).reshape(-1), t, w, divisor, I64(blocks), out, I64(m), I64(n),
                  I64(ignore_index), I32(g.size > 1))
    return unrows(xp, out, x_shape)


def _classes(shape):
    return shape[1] if len(shape) > 1 else shape[-1] if shape else 0


def _takes(x, shape, target, weight):
    classes, size = _classes(shape), math.prod(shape)
    return (x.dtype.char in FAMILY.codes and size > 0 and target.dtype.kind in "iu" and target.size * classes == size and
            (weight is None or weight.shape == (classes,)))


def register():
    """Put the kernels in the place of the formulas on CuPy arrays."""
    nll_loss.kernel("cupy")(forward)
    nll_loss.kernel("cupy", vjp="x")(backward)
