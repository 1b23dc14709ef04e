"""Dropout: the application of a mask, which `_backends.philox` draws in one launch (below_float32).  See family.py for the words of the text."""
from ..ops.dropout import masked_scale
from .family import I64, Family, flat_grid, number

TEXT = r"""
KERNEL masked_scale(const T* x, const bool* mask, T* y, i64 n, A scale) {
    if (packs(x, n) && packs(y, n)) {
        EACH_ELEMENT(k, n / WIDE) {
            Pack a = ((const Pack*)x)[k];
            for (int j = 0; j < WIDE; ++j) a.v[j] = (T)(mask[k * WIDE + j] ? (A)a.v[j] * scale : (A)a.v[j] * 0);
            ((Pack*)y)[k] = a;
        }
    } else {
        EACH_ELEMENT(i, n) y[i] = (T)(mask[i] ? (A)x[i] * scale : (A)x[i] * 0);
    }
}
"""
FAMILY = Family("dropout", TEXT)


def forward(xp, x, mask, scale):
    """The op `masked_scale` on CuPy arrays."""
    if not FAMILY.takes(x) or mask.shape != x.shape or mask.dtype.kind != "b":
        return masked_scale.formula(xp, x, mask, scale)
    x, mask, y = xp.ascontiguousarray(x), xp.ascontiguousarray(mask), xp.empty(x.shape, x.dtype)
    FAMILY.launch(xp, "masked_scale", x, *flat_grid(x.size), x, mask, y, I64(x.size), number(x)(scale))
    return y


def register():
    """Put the kernels in the place of the formulas on CuPy arrays."""
    masked_scale.kernel("cupy")(forward)
    masked_scale.kernel("cupy", vjp="x")(forward)
