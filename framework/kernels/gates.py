"""Gates in one launch, and their two gradients in another.  See family.py for the words of the text."""
import math

from ..ops.gates import ACTIVATIONS, gated, glu
from .family import I32, I64, Family, flat_grid

TEXT = r"""
// kind: 0 sigmoid, 1 relu, 2 gelu, 3 silu
__device__ inline A activated(A v, int kind) {
    if (kind == 0) return 1 / (1 + exp(-v));
    if (kind == 3) return v / (1 + exp(-v));
    if (kind == 2) return v * ((1 + erf(v * (A)0.7071067811865476)) / 2);
    return v < 0 ? 0 : v;
}
__device__ inline A slope(A v, int kind) {
    if (kind == 1) return v < 0 || v == 0 ? 0 : 1;
    if (kind == 2) return (1 + erf(v * (A)0.7071067811865476)) / 2 + v * (exp(v * v / -2) * (A)0.3989422804014327);
    A s = 1 / (1 + exp(-v));
    return kind == 0 ? s * (1 - s) : s * (1 + v * (1 - s));
}

// y = activated(x) * z, rows of n elements; rows of x begin at x0, x0 + pitch, ... and those of z at z0, z0 + pitch, ...
KERNEL gate(const T* x, i64 x0, const T* z, i64 z0, i64 pitch, T* y, i64 rows, i64 n, int kind) {
    if (packs(x + x0, n) && packs(z + z0, n) && packs(y, n) && packs(x, pitch)) {
        i64 each = n / WIDE;
        EACH_ELEMENT(i, rows * each) {
            i64 row = quotient(i, each), at = row * pitch + (i - row * each) * WIDE;
            Pack a = *(const Pack*)(x + x0 + at), b = *(const Pack*)(z + z0 + at);
            for (int j = 0; j < WIDE; ++j) a.v[j] = (T)(activated((A)a.v[j], kind) * (A)b.v[j]);
            ((Pack*)y)[i] = a;
        }
    } else {
        EACH_ELEMENT(i, rows * n) {
            i64 row = quotient(i, n), at = row * pitch + i - row * n;
            y[i] = (T)(activated((A)x[x0 + at], kind) * (A)z[z0 + at]);
        }
    }
}

// gx and gz lie as x and z.
KERNEL gate_backward(const T* g, const T* x, i64 x0, const T* z, i64 z0, i64 pitch, T* gx, T* gz, i64 rows, i64 n, int kind) {
    if (packs(x + x0, n) && packs(z + z0, n) && packs(g, n) && packs(gx + x0, n) && packs(gz + z0, n) && packs(x, pitch)) {
        i64 each = n / WIDE;
        EACH_ELEMENT(i, rows * each) {
            i64 row = quotient(i, each), at = row * pitch + (i - row * each) * WIDE;
            Pack a = *(const Pack*)(x + x0 + at), b = *(const Pack*)(z + z0 + at), p = ((const Pack*)g)[i];
            for (int j = 0; j < WIDE; ++j) {
                A v = (A)a.v[j], w = (A)b.v[j], s = (A)p.v[j];
                a.v[j] = (T)(s * w * slope(v, kind));
                b.v[j] = (T)(s * activated(v, kind));
            }
            *(Pack*)(gx + x0 + at) = a;
            *(Pack*)(gz + z0 + at) = b;
        }
    } else {
        EACH_ELEMENT(i, rows * n) {
            i64 row = quotient(i, n), at = row * pitch + i - row * n;
            A v = (A)x[x0 + at], w = (A)z[z0 + at], s = (A)g[i];
            gx[x0 + at] = (T)(s * w * slope(v, kind));
            gz[z0 + at] = (T)(s * activated(v, kind));
        }
    }
}
"""
FAMILY = Family("gates", TEXT)
KINDS = {name: I32(i) for i, name in enumerate(ACTIVATIONS)}


def _alike(x, *others):
    return FAMILY.takes(x) and all(t.dtype == x.dtype and t.shape == x.shape for t in others)


def _grid(x, n):
    return flat_grid(-(-n * x.itemsize // 16))


def gated_forward(xp, x, y, activation="silu"):
    """The op `gated` on CuPy arrays."""
    if not _alike(x, y) or activation not in KINDS:
        return gated.formula(xp, x, y, activation)
    x, y, out = xp.ascontiguousarray(x), xp.ascontiguousarray(y), xp.empty(x.shape, x.dtype)
    FAMILY.launch(xp, "gate", x, *_grid(x, x.size), x, I64(0), y, I64(0), I64(x.size), out, I64(1), I64(x.size), KINDS[activation])
    return out


def gated_backward(xp, g, x, y, activation, needs):
    """Its gradients."""
    if not _alike(x, y, g):
        return gated.rules[0].formula(xp, g, x, y, activation, needs)
    g, x, y = (xp.ascontiguousarray(t) for t in (g, x, y))
    gx, gy = xp.empty(x.shape, x.dtype), xp.empty(x.shape, x.dtype)
    FAMILY.launch(xp, "gate_backward", x, *_grid(x, x.size), g, x, I64(0), y, I64(0), I64(x.size), gx, gy, I64(1), I64(x.size), KINDS[activation])
    return gx, gy


def _halves(x, axis):
    """(rows, elements of half a row), where the halves are those of rows."""
    return math.prod(x.shape[:axis]), math.prod(x.shape[axis:]) // 2


def glu_forward(xp, x, axis):
    """The op `glu` on CuPy arrays."""
    if not FAMILY.takes(x):
        return glu.formula(xp, x, axis)
    x, (rows, n) = xp.ascontiguousarray(x), _halves(x, axis)
    out = xp.empty((*x.shape[:axis], x.shape[axis] // 2, *x.shape[axis + 1:]), x.dtype)
    FAMILY.launch(xp, "gate", x, *_grid(x, out.size), x, I64(n), x, I64(0), I64(2 * n), out, I64(rows), I64(n), KINDS["sigmoid"])
    return out


def glu_backward(xp, g, x, axis):
    """Its gradient."""
    if not FAMILY.takes(x) or g.dtype != x.dtype:
        return glu.rules[0].formula(xp, g, x, axis)
    g, x, (rows, n) = xp.ascontiguousarray(g), xp.ascontiguousarray(x), _halves(x, axis)
    gx = xp.empty(x.shape, x.dtype)
    FAMILY.launch(xp, "gate_backward", x, *_grid(x, g.size), g, x, I64(n), x, I64(0), I64(2 * n), gx, gx, I64(rows), I64(n), KINDS["sigmoid"])
    return gx


def register():
    """Put the kernels in the place of the formulas on CuPy arrays."""
    gated.kernel("cupy")(gated_forward)
    gated.kernel("cupy", vjp="x")(gated_backward)
    glu.kernel("cupy")(glu_forward)
    glu.kernel("cupy", vjp="x")(glu_backward)
