"""Rotary position embedding in one launch, forward and backward.  See family.py for the words of the text."""
import math

from ..ops.rotary import _check, rotary_embedding
from .elementwise import places
from .family import I32, I64, Family, flat_grid, number, wide

TEXT = r"""
// A thread per pair, and per element behind the 2 r that are turned.  x, y: rows of d elements.  cos, sin: rows of r; row i of x has row
// i / inner % size * step + i % inner * unit of them.  sign: -1 turns back.
KERNEL rotary(const T* x, const A* cosines, const A* sines, T* y, i64 rows, int d, int r, i64 inner, i64 size, i64 step, i64 unit,
              int interleaved, A sign) {
    int each = d - r;
    EACH_ELEMENT(i, rows * each) {
        i64 row = quotient(i, each);
        int j = (int)(i - row * each);
        const T* from = x + row * d;
        T* to = y + row * d;
        if (j >= r) { to[r + j] = from[r + j]; continue; }
        i64 block = quotient(row, inner), at = (rest(block, size) * step + (row - block * inner) * unit) * r + j;
        int p = interleaved ? 2 * j : j, q = interleaved ? p + 1 : j + r;
        A c = cosines[at], s = sign * sines[at], a = (A)from[p], b = (A)from[q];
        to[p] = (T)(a * c - b * s);
        to[q] = (T)(b * c + a * s);
    }
}
"""
FAMILY = Family("rotary", TEXT)


def _launch(xp, x, cos, sin, interleaved, sign):
    lead, r, d = cos.shape[:-1], cos.shape[-1], x.shape[-1]
    rows = x.size // d
    found = places(x.shape[:-1], lead, tuple([math.prod(lead[k + 1:]) for k in range(len(lead))]))
    if found is None:  # repeated along a dimension between others
        cos, sin = (xp.broadcast_to(t, (*x.shape[:-1], r)) for t in (cos, sin))
        found = I64(1), I64(rows), I64(1), I64(0)
    x, y = xp.ascontiguousarray(x), xp.empty(x.shape, x.dtype)
    FAMILY.launch(xp, "rotary", x, *flat_grid(rows * (d - r)), x, wide(xp, cos, x), wide(xp, sin, x), y, I64(rows), I32(d), I32(r), *found,
                  I32(interleaved), number(x)(sign))
    return y


def forward(xp, x, cos, sin, interleaved=False):
    """The op `rotary_embedding` on CuPy arrays."""
    _check(x.shape, cos.shape, sin.shape)
    return _launch(xp, x, cos, sin, interleaved, 1) if FAMILY.takes(x) else rotary_embedding.formula(xp, x, cos, sin, interleaved)


def backward(xp, g, cos, sin, interleaved):
    """Its gradient for x."""
    return _launch(xp, g, cos, sin, interleaved, -1) if FAMILY.takes(g) else rotary_embedding.formula(xp, g, cos, -sin, interleaved)


def register():
    """Put the kernel in the place of the formula on CuPy arrays."""
    rotary_embedding.kernel("cupy")(forward)
    rotary_embedding.kernel("cupy", vjp="x")(backward)
