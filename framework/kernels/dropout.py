"""Dropout: drawn and applied in one launch, which keeps no mask: the backward pass draws it again from 16 bytes.  And the application of a mask
that is given.  See family.py for the words of the text.
"""
import functools

import numpy as np

from .. import _rng
from .._backends import philox
from ..ops.dropout import drop, keep_scale, masked_scale
from .family import I64, Family, flat_grid, number

TEXT = philox.NUMBERS + r"""
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

constexpr int DRAWN = WIDE > 4 ? WIDE : 4;  // elements of a thread: the numbers of whole counters, and 16 bytes or more

// The same with the mask that below_float32 makes of a state.  drawn: null, or where the state is kept
KERNEL drop(const T* x, T* y, const u64* state, u64* drawn, i64 n, float share, A scale) {
    bool wide = (((u64)x | (u64)y) & 15) == 0;
    EACH_ELEMENT(k, (n + DRAWN - 1) / DRAWN) {
        if (drawn && k == 0) { drawn[0] = state[0]; drawn[1] = state[1]; }
        u32 words[DRAWN];
        for (int q = 0; q < DRAWN; q += 4) philox(state, (k * DRAWN + q) / 4, words + q);
        i64 first = k * DRAWN;
        if (wide && first + DRAWN <= n) {
            auto a = some<DRAWN>(x, first);
            for (int j = 0; j < DRAWN; ++j) a.v[j] = (T)((A)a.v[j] * (below(words[j], share) ? scale : (A)0));
            put(y, first, a);
        } else {
            for (int j = 0; j < DRAWN && first + j < n; ++j) y[first + j] = (T)((A)x[first + j] * (below(words[j], share) ? scale : (A)0));
        }
    }
}
"""
FAMILY = Family("dropout", TEXT)
PER_THREAD = {"e": 8, "E": 8, "f": 4, "d": 4}  # DRAWN, by type


def forward(xp, x, mask, scale):
    """The op `masked_scale` on CuPy arrays."""
    if not FAMILY.takes(x) or mask.shape != x.shape or mask.dtype.kind != "b":
        return masked_scale.formula(xp, x, mask, scale)
    x, mask, y = xp.ascontiguousarray(x), xp.ascontiguousarray(mask), xp.empty(x.shape, x.dtype)
    FAMILY.launch(xp, "masked_scale", x, *flat_grid(x.size), x, mask, y, I64(x.size), number(x)(scale))
    return y


def _drop(xp, x, drawn, p, state):
    x, y = xp.ascontiguousarray(x), xp.empty(x.shape, x.dtype)
    FAMILY.launch(xp, "drop", x, *flat_grid(-(-x.size // PER_THREAD[x.dtype.char])), x, y, state, drawn, I64(x.size), np.float32(1.0 - p),
                  number(x)(keep_scale(p)))
    return y


def drawn_and_applied(xp, x, drawn, p):
    """The op `drop` on CuPy arrays."""
    if not FAMILY.takes(x) or drawn.dtype.kind == "b":
        return drop.formula(xp, x, drawn, p)
    return _rng.generator_beside(x).lend(x.size, functools.partial(_drop, xp, x, drawn.view(np.uint64), p))


def drawn_again(xp, g, drawn, p):
    """The gradient of `drawn_and_applied`."""
    if not FAMILY.takes(g) or drawn.dtype.kind == "b":
        return drop.rules[0].formula(xp, g, drawn, p)
    return _drop(xp, g, None, p, drawn.view(np.uint64))


def register():
    """Put the kernels in the place of the formulas on CuPy arrays."""
    masked_scale.kernel("cupy")(forward)
    masked_scale.kernel("cupy", vjp="x")(forward)
    drop.kernel("cupy")(drawn_and_applied)
    drop.kernel("cupy", vjp="x")(drawn_again)
