"""Many values for one place: scatter_add, scatter_reduce, index_add, and the gradients of gather, index_select and indexing.

Two ways: atomic operations, halves in a table of float32; and sorted by place, so that each place has one owner that combines in the order of the
source (the same bits every time: what runs under `use_deterministic_algorithms`; largest and smallest elements do not depend on the order).
See family.py for the words of the text.
"""
import math

import numpy as np

from .._config import DETERMINISTIC
from ..ops.gathering import add_along_axis, scatter
from ..ops.indexing import _there, add_at, index_put
from ..ops.scatter_reduce import _start, scatter_reduce
from .family import I32, I64, Family, flat_grid, number

TEXT = r"""
// what: 0 sum, 1 product, 2 largest, 3 smallest
__device__ inline A combined(A a, A b, int what) {
    return what == 0 ? a + b : what == 1 ? a * b : what == 2 ? larger(a, b) : b < a || b != b ? b : a;
}
template <int S> struct Bits { typedef unsigned type; };
template <> struct Bits<8> { typedef u64 type; };

__device__ inline void combine(A* at, A v, int what) {
    typedef Bits<sizeof(A)>::type B;
    if (what == 0) { atomicAdd(at, v); return; }
    union { A number; B bits; } old, next;
    old.number = *at;
    for (;;) {
        next.number = combined(old.number, v, what);
        if (next.bits == old.bits) return;
        B seen = atomicCAS((B*)at, old.bits, next.bits);
        if (seen == old.bits) return;
        old.bits = seen;
    }
}

// x: (outer, m, inner), or null for ones;  index: (m), or (each) of the shape of x;  out: (outer, n, inner), of which places outside are none.
__device__ inline i64 place(const i64* index, i64 i, i64 m, i64 n, i64 inner, int each) {
    i64 j = quotient(i, inner), o = quotient(j, m), at = index[each ? i : j - o * m];
    if (at < 0) at += n;
    return at < 0 || at >= n ? -1 : (o * n + at) * inner + (i - j * inner);
}
KERNEL scatter_atomic(const T* x, const i64* index, A* out, i64 total, i64 m, i64 n, i64 inner, int each, int what) {
    EACH_ELEMENT(i, total) {
        i64 at = place(index, i, m, n, inner, each);
        if (at >= 0) combine(out + at, x ? (A)x[i] : (A)1, what);
    }
}
KERNEL scatter_fill(const i64* index, A* out, i64 total, i64 m, i64 n, i64 inner, int each, A value) {
    EACH_ELEMENT(i, total) {
        i64 at = place(index, i, m, n, inner, each);
        if (at >= 0) out[at] = value;
    }
}

// Rows of `n` elements of x, in the order `order` of the rows of out, `sorted`, that they go to.  The first of a run of equal ones owns the row.
KERNEL scatter_sorted(const T* x, const i64* sorted, const i64* order, A* out, i64 count, i64 n, int what) {
    EACH_ELEMENT(i, count * n) {
        i64 at = quotient(i, n), c = i - at * n, row = sorted[at];
        if (row < 0 || (at && sorted[at - 1] == row)) continue;
        A v = out[row * n + c];
        for (i64 k = at; k < count && sorted[k] == row; ++k) v = combined(v, (A)x[order[k] * n + c], what);
        out[row * n + c] = v;
    }
}
KERNEL scatter_places(const i64* index, i64* places, i64 total, i64 m, i64 n, i64 inner, int each) {
    EACH_ELEMENT(i, total) places[i] = place(index, i, m, n, inner, each);
}
"""
FAMILY = Family("scatter", TEXT)
WHAT = {"sum": 0, "mean": 0, "prod": 1, "amax": 2, "amin": 3}


class Places:
    """Where the elements of a source (outer, m, inner) go in a result (outer, n, inner): index of m, or (each) one for every element."""

    def __init__(self, xp, index, m, n, inner, total, each):
        self.xp, self.each, self.m, self.n, self.inner, self.total = xp, each, m, n, inner, total
        self.index = xp.ascontiguousarray(index).reshape(-1).astype(np.int64, copy=False)

    def launch(self, kernel, like, *arrays, last=()):
        """One thread per element of the source."""
        FAMILY.launch(self.xp, kernel, like, *flat_grid(self.total), *arrays, I64(self.total), I64(self.m), I64(self.n), I64(self.inner),
                      I32(self.each), *last)

    def add(self, like, source, out, what=0):
        """Combine the contiguous `source` (None: ones) into `out`, contiguous, of the type that kernels compute in."""
        if what < 2 and source is not None and DETERMINISTIC["on"]:
            self._in_order(like, source, out, what)
        else:
            self.launch("scatter_atomic", like, source, self.index, out, last=(I32(what),))

    def _in_order(self, like, source, out, what):
        xp, columns = self.xp, 1 if self.each else self.inner
        rows = xp.empty((self.total // columns,), np.int64)
        grid = flat_grid(rows.size)
        FAMILY.launch(xp, "scatter_places", like, *grid, self.index, rows, I64(rows.size), I64(self.m), I64(self.n), I64(self.inner // columns),
                      I32(self.each))
        order = xp.argsort(rows, kind="stable").astype(np.int64, copy=False)
        FAMILY.launch(xp, "scatter_sorted", like, *flat_grid(self.total), source, rows[order], order, out, I64(rows.size), I64(columns), I32(what))


def _computed(xp, x):
    """A contiguous copy in the type that kernels compute in."""
    return xp.array(x, dtype=number(x), order="C")


def _sum_at(xp, places, y, x):
    """`y` added into `x`, an array, or a shape of zeros; in the type of y."""
    out = xp.zeros(x, number(y)) if isinstance(x, tuple) else _computed(xp, x)
    places.add(y, xp.ascontiguousarray(y), out)
    return out.astype(y.dtype, copy=False)


def _along(xp, indices, y, shape, axis):
    """Places of a scatter along `axis`, which every other dimension of `indices` fits; None where it does not."""
    if not indices.ndim or indices.shape != y.shape or any(a != b for d, (a, b) in enumerate(zip(indices.shape, shape)) if d != axis % len(shape)):
        return None
    axis %= len(shape)
    return Places(xp, indices, shape[axis] and indices.shape[axis], shape[axis], math.prod(shape[axis + 1:]), indices.size, True)


def _corner(indices, shape, axis):
    """Where indices that are smaller than `shape` beside `axis` read and write: slices of that shape; None where they fit."""
    axis %= max(len(shape), 1)
    if indices.ndim != len(shape) or all(a == b for d, (a, b) in enumerate(zip(indices.shape, shape)) if d != axis):
        return None
    return tuple([slice(None) if d == axis else slice(n) for d, n in enumerate(indices.shape)])


def _in_corner(xp, x, corner, part):
    """`x` (an array) with `part` at `corner`."""
    out = x.copy()
    out[corner] = part
    return out


def along_axis(xp, x, indices, shape, axis):
    """The op `add_along_axis` on CuPy arrays."""
    corner = _corner(indices, shape, axis) if FAMILY.takes(x) else None
    if corner is not None:
        out = xp.zeros(tuple(shape), x.dtype)
        out[corner] = along_axis(xp, x, indices, out[corner].shape, axis)
        return out
    places = _along(xp, indices, x, shape, axis) if FAMILY.takes(x) else None
    return add_along_axis.formula(xp, x, indices, shape, axis) if places is None else _sum_at(xp, places, x, tuple(shape))


def scatter_forward(xp, x, indices, y, axis, accumulate=False):
    """The op `scatter` on CuPy arrays."""
    places = None
    if accumulate and FAMILY.takes(x) and type(y) is xp.ndarray and y.dtype == x.dtype and y.size:
        corner = _corner(indices, x.shape, axis)
        if corner is not None:
            return _in_corner(xp, x, corner, scatter_forward(xp, x[corner], indices, y, axis, True))
        if y.shape != indices.shape:
            y = y[tuple([slice(n) for n in indices.shape])] if y.ndim == indices.ndim else xp.broadcast_to(y, indices.shape)
        places = _along(xp, indices, y, x.shape, axis)
    return scatter.formula(xp, x, indices, y, axis, accumulate) if places is None else _sum_at(xp, places, y, x)


def _at_dims(xp, indices, dims, shape, y):
    """Places of indices at neighbouring dimensions; None for others."""
    first, d = dims[0], len(dims)
    if list(dims) != list(range(first, first + d)) or any(i.dtype.kind not in "iu" for i in indices):
        return None
    common = np.broadcast_shapes(*[i.shape for i in indices])
    inner = math.prod(shape[first + d:])
    if y.shape != (*shape[:first], *common, *shape[first + d:]) or not y.size:
        return None
    flat = indices[0]
    for k, i in enumerate(indices[1:], 1):
        before, own = shape[first + k - 1] if k == 1 else None, shape[first + k]
        flat = (xp.where(flat < 0, flat + before, flat) if before is not None else flat) * own + xp.where(i < 0, i + own, i)
    return Places(xp, xp.broadcast_to(flat, common), math.prod(common), math.prod(shape[first:first + d]), inner, y.size, False)


def at_indices(xp, x, *given, shape=(), dims=(0,)):
    """The op `add_at` on CuPy arrays."""
    places = _at_dims(xp, _there(*given), dims, shape, x) if FAMILY.takes(x) else None
    return add_at.formula(xp, x, *given, shape=shape, dims=dims) if places is None else _sum_at(xp, places, x, tuple(shape))


def put_forward(xp, x, y, *given, dims=(0,), accumulate=False):
    """The op `index_put` on CuPy arrays."""
    places = None
    if accumulate and FAMILY.takes(x) and type(y) is xp.ndarray and y.dtype == x.dtype:
        indices = _there(*given)
        shape = (*x.shape[:dims[0]], *np.broadcast_shapes(*[i.shape for i in indices]), *x.shape[dims[0] + len(dims):])
        if y.ndim <= len(shape) and all(a in (1, b) for a, b in zip(y.shape[::-1], shape[::-1])):
            y = xp.broadcast_to(y, shape)
            places = _at_dims(xp, indices, dims, x.shape, y)
    return index_put.formula(xp, x, y, *given, dims=dims, accumulate=accumulate) if places is None else _sum_at(xp, places, y, x)


def reduce_forward(xp, x, indices, y, axis, reduce, include_self=True):
    """The op `scatter_reduce` on CuPy arrays."""
    if FAMILY.takes(x) and type(y) is xp.ndarray and y.ndim == indices.ndim and y.shape != indices.shape:
        y = y[tuple([slice(n) for n in indices.shape])]
    corner = _corner(indices, x.shape, axis) if FAMILY.takes(x) and indices.size else None
    if corner is not None:
        return _in_corner(xp, x, corner, reduce_forward(xp, x[corner], indices, y, axis, reduce, include_self))
    places = _along(xp, indices, y, x.shape, axis) if FAMILY.takes(x) and type(y) is xp.ndarray and indices.size else None
    if places is None:
        return scatter_reduce.formula(xp, x, indices, y, axis, reduce, include_self)
    out, kind = _computed(xp, x), number(x)
    if not include_self:
        places.launch("scatter_fill", x, places.index, out, last=(kind(_start(reduce, np.dtype(kind))),))
    places.add(x, xp.ascontiguousarray(y), out, WHAT[reduce])
    if reduce == "mean":
        counts = xp.full(out.shape, int(include_self), kind)
        places.add(x, None, counts)
        out /= xp.maximum(counts, counts.dtype.type(1))
    return out.astype(x.dtype, copy=False)


def register():
    """Put the kernels in the place of the formulas on CuPy arrays."""
    add_along_axis.kernel("cupy")(along_axis)
    scatter.kernel("cupy")(scatter_forward)
    add_at.kernel("cupy")(at_indices)
    index_put.kernel("cupy")(put_forward)
    scatter_reduce.kernel("cupy")(reduce_forward)
