"""Resizing and uneven averages: elements along up to three axes made of neighbours, in one launch.  See family.py for the words of the text.

The gradient is the same kernel with the turned shares: gathered, without atomics.  Windows of many elements go axis by axis, and so do volumes with
their channels last; images with their channels last are walked along these, and keep them so.
"""
import math

from .._backends.uploads import upload
from ..ops._layout import as_it_lies, lies_last
from ..ops.mixing import mix, pick
from .family import I32, I64, Family, number

TEXT = r"""
// Planes of (o1, o2) elements, planes = images * o0.  Of each axis: the first neighbour and the weights (o, k) of each new element, or null for the
// old element itself; n old and o new elements.
KERNEL mix(const T* x, T* y, const int* s0, const A* w0, int k0, int n0, int o0, const int* s1, const A* w1, int k1, int n1, int o1,
           const int* s2, const A* w2, int k2, int n2, int o2, i64 planes) {
    int size = o1 * o2;
    for (i64 plane = blockIdx.y; plane < planes; plane += gridDim.y) {
        int a = (int)(plane % o0), z0 = s0 ? s0[a] : a;
        const T* image = x + plane / o0 * n0 * n1 * n2;
        for (int i = blockIdx.x * blockDim.x + threadIdx.x; i < size; i += gridDim.x * blockDim.x) {
            int b = i / o2, c = i % o2, z1 = s1 ? s1[b] : b, z2 = s2 ? s2[c] : c;
            A sum = 0;
            for (int p = 0; p < k0; ++p) {
                A u = w0 ? w0[a * k0 + p] : (A)1;
                if (u == 0) continue;  // behind the last neighbour, where there may be nothing
                for (int q = 0; q < k1; ++q) {
                    A v = w1 ? u * w1[b * k1 + q] : u;
                    if (v == 0) continue;
                    const T* row = image + ((i64)(z0 + p) * n1 + z1 + q) * n2 + z2;
                    for (int r = 0; r < k2; ++r) {
                        A w = w2 ? v * w2[c * k2 + r] : v;
                        if (w != 0) sum += w * (A)row[r];
                    }
                }
            }
            y[plane * size + i] = (T)sum;
        }
    }
}
"""
FAMILY = Family("mix", TEXT)
MOST = 64  # neighbours up to which all axes are done at once


def _table(xp, shares, like):
    """(starts, weights, width, old, new) as the kernel takes them."""
    key = xp, like.dtype.char, getattr(like.device, "id", 0)
    if key not in shares.tables:
        weights = shares.weights.astype(number(like))
        shares.tables[key] = upload(xp, shares.starts), upload(xp, weights), I32(weights.shape[1]), I32(shares.old), I32(shares.new)
    return shares.tables[key]


def _all_at_once(xp, x, shares, axis):
    first, rest = x.shape[:axis], x.shape[axis + len(shares):]
    new = [s.new for s in shares]
    y = xp.empty((*first, *new, *rest), x.dtype)
    inner = math.prod(rest)
    tables = [_table(xp, s, x) for s in shares] + ([(None, None, I32(1), I32(inner), I32(inner))] if inner > 1 else [])
    tables = [(None, None, I32(1), I32(1), I32(1))] * (3 - len(tables)) + tables
    size = int(tables[1][4]) * int(tables[2][4])
    planes, threads = math.prod(first) * int(tables[0][4]), 256 if size > 128 else 64
    grid = min(math.ceil(size / threads), 1 << 12), min(planes, 65535)
    FAMILY.launch(xp, "mix", x, grid, (threads,), xp.ascontiguousarray(x), y, *tables[0], *tables[1], *tables[2], I64(planes))
    return y


def _kernel(op):
    def kernel(xp, x, shares, axis):
        if axis == 2 and axis + len(shares) == x.ndim and lies_last(x):
            return xp.moveaxis(kernel(xp, as_it_lies(xp, x, True), shares, 1), -1, 1)
        rest = x.shape[axis + len(shares):]
        old, new = (math.prod([getattr(s, name) for s in shares]) * math.prod(rest) for name in ("old", "new"))
        if not FAMILY.takes(x) or len(shares) > 3 or max(old, new) >= 2**31:
            return op.formula(xp, x, shares, axis)
        if math.prod(s.weights.shape[1] for s in shares) <= MOST and len(shares) + (len(rest) > 0) <= 3:
            return _all_at_once(xp, x, shares, axis)
        for a, s in enumerate(shares, axis):
            x = _all_at_once(xp, x, (s,), a)
        return x
    return kernel


def register():
    """Put the kernel in the place of the formulas on CuPy arrays."""
    mix.kernel("cupy")(_kernel(mix))
    pick.kernel("cupy")(_kernel(pick))
    for op in (mix, pick):  # rules that give halves to the kernel as they are
        op.kernel("cupy", vjp="x")(op.rules[0].fn)
