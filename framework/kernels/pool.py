"""Max and average pooling in one to three dimensions, forward and backward.  See family.py for the words of the text.

Gradients are gathered: each element of the input looks at the windows that hold it, so nothing is added atomically.
"""
import math

import numpy as np

from .._backends.uploads import constant
from ..ops.pool import _check, avg_pool, max_pool, spread_average, spread_to_max
from .family import I32, I64, Family, flat_grid, number

TEXT = r"""
// Sizes of three spatial dimensions: in, out, kernel, stride, padding, dilation
struct Window { int n[3], o[3], k[3], s[3], p[3], d[3]; };

__device__ inline Window window(const int* w) {
    Window r;
    for (int i = 0; i < 3; ++i) {
        r.n[i] = w[i]; r.o[i] = w[3 + i]; r.k[i] = w[6 + i]; r.s[i] = w[9 + i]; r.p[i] = w[12 + i]; r.d[i] = w[15 + i];
    }
    return r;
}
__device__ inline void split(i64 i, const int* size, i64& image, int* at) {
    if (i < 1ll << 31) {  // divisions of 32 bits take a third of the time
        unsigned u = (unsigned)i, a = size[0], b = size[1], c = size[2];
        at[2] = u % c; u /= c;
        at[1] = u % b; u /= b;
        at[0] = u % a; image = u / a;
        return;
    }
    at[2] = (int)(i % size[2]); i /= size[2];
    at[1] = (int)(i % size[1]); i /= size[1];
    at[0] = (int)(i % size[0]); image = i / size[0];
}
// The windows of one dimension that hold `at`: from `first` to `last`.
__device__ inline void holders(int at, int out, int kernel, int stride, int padding, int dilation, int& first, int& last) {
    int far = at + padding - dilation * (kernel - 1);
    first = far <= 0 ? 0 : (far + stride - 1) / stride;
    last = (at + padding) / stride;
    if (last >= out) last = out - 1;
}

// The first among equals; outside there is -inf.  nan is kept as a value, and takes no place, as in the formula.
KERNEL max_pool(const T* x, T* best, WHERE* where, const int* sizes, i64 total) {
    Window w = window(sizes);
    EACH_ELEMENT(i, total) {
        i64 image;
        int at[3], number = 0, place = 0;
        split(i, w.o, image, at);
        A high = -INF;
        for (int a = 0; a < w.k[0]; ++a)
            for (int b = 0; b < w.k[1]; ++b)
                for (int c = 0; c < w.k[2]; ++c, ++number) {
                    int z = at[0] * w.s[0] - w.p[0] + a * w.d[0], y = at[1] * w.s[1] - w.p[1] + b * w.d[1],
                        u = at[2] * w.s[2] - w.p[2] + c * w.d[2];
                    bool inside = z >= 0 && z < w.n[0] && y >= 0 && y < w.n[1] && u >= 0 && u < w.n[2];
                    A v = inside ? (A)x[((image * w.n[0] + z) * w.n[1] + y) * w.n[2] + u] : -INF;
                    if (number && v > high) place = number;
                    high = number ? larger(v, high) : v;
                }
        best[i] = (T)high;
        where[i] = (WHERE)place;
    }
}

KERNEL max_pool_backward(const T* g, const WHERE* where, T* out, const int* sizes, i64 total) {
    Window w = window(sizes);
    EACH_ELEMENT(i, total) {
        i64 image;
        int at[3], first[3], last[3];
        split(i, w.n, image, at);
        for (int j = 0; j < 3; ++j) holders(at[j], w.o[j], w.k[j], w.s[j], w.p[j], w.d[j], first[j], last[j]);
        A sum = 0;
        for (int a = first[0]; a <= last[0]; ++a)
            for (int b = first[1]; b <= last[1]; ++b)
                for (int c = first[2]; c <= last[2]; ++c) {
                    int k[3] = {at[0] + w.p[0] - a * w.s[0], at[1] + w.p[1] - b * w.s[1], at[2] + w.p[2] - c * w.s[2]};
                    if (k[0] % w.d[0] || k[1] % w.d[1] || k[2] % w.d[2]) continue;
                    int number = (k[0] / w.d[0] * w.k[1] + k[1] / w.d[1]) * w.k[2] + k[2] / w.d[2];
                    i64 o = ((image * w.o[0] + a) * w.o[1] + b) * w.o[2] + c;
                    if ((int)where[o] == number) sum += (A)g[o];
                }
        out[i] = (T)sum;
    }
}

// What the elements of a window are divided by: fixed, or how many there are, with or without padding.
__device__ inline A divisor(const Window& w, const int* at, int padded, A fixed) {
    if (fixed != 0) return fixed;
    A count = 1;
    for (int j = 0; j < 3; ++j) {
        int start = at[j] * w.s[j] - w.p[j], stop = min(start + w.k[j], w.n[j] + w.p[j]);
        if (!padded) { start = max(start, 0); stop = min(stop, w.n[j]); }
        count *= stop - start;
    }
    return count;
}

KERNEL avg_pool(const T* x, T* out, const int* sizes, i64 total, int padded, A fixed) {
    Window w = window(sizes);
    EACH_ELEMENT(i, total) {
        i64 image;
        int at[3];
        split(i, w.o, image, at);
        A sum = 0;
        for (int a = 0; a < w.k[0]; ++a)
            for (int b = 0; b < w.k[1]; ++b)
                for (int c = 0; c < w.k[2]; ++c) {
                    int z = at[0] * w.s[0] - w.p[0] + a, y = at[1] * w.s[1] - w.p[1] + b, u = at[2] * w.s[2] - w.p[2] + c;
                    if (z >= 0 && z < w.n[0] && y >= 0 && y < w.n[1] && u >= 0 && u < w.n[2])
                        sum += (A)x[((image * w.n[0] + z) * w.n[1] + y) * w.n[2] + u];
                }
        out[i] = (T)(sum / divisor(w, at, padded, fixed));
    }
}

KERNEL avg_pool_backward(const T* g, T* out, const int* sizes, i64 total, int padded, A fixed) {
    Window w = window(sizes);
    EACH_ELEMENT(i, total) {
        i64 image;
        int at[3], first[3], last[3], o[3];
        split(i, w.n, image, at);
        for (int j = 0; j < 3; ++j) holders(at[j], w.o[j], w.k[j], w.s[j], w.p[j], 1, first[j], last[j]);
        A sum = 0;
        for (o[0] = first[0]; o[0] <= last[0]; ++o[0])
            for (o[1] = first[1]; o[1] <= last[1]; ++o[1])
                for (o[2] = first[2]; o[2] <= last[2]; ++o[2])
                    sum += (A)g[((image * w.o[0] + o[0]) * w.o[1] + o[1]) * w.o[2] + o[2]] / divisor(w, o, padded, fixed);
        out[i] = (T)sum;
    }
}
"""
FAMILY = Family("pool", "typedef unsigned char WHERE;\n" + TEXT)
LARGE = Family("pool_large", "typedef int WHERE;\n" + TEXT)  # windows of 256 elements and more


def _sizes(xp, *each):
    """The kernels' table: each of the six, brought to three dimensions."""
    filling = (1, 1, 1, 1, 0, 1)
    rows = [(*(fill,) * (3 - len(values)), *values) for fill, values in zip(filling, each)]
    return constant(xp, np.array(rows, np.int32).reshape(-1))


def _takes(x, kernel):
    return FAMILY.takes(x) and 1 <= len(kernel) <= 3 and max(x.shape[2:], default=0) < 2**30


def _launch(xp, name, x, out, sizes, *rest, family=FAMILY):
    family.launch(xp, name, x, *flat_grid(out.size), *rest[:-1], _sizes(xp, *sizes), I64(out.size), *rest[-1])


def max_forward(xp, x, kernel, stride, padding, dilation, ceil_mode=False):
    """The op `max_pool` on CuPy arrays."""
    if not _takes(x, kernel):
        return max_pool.formula(xp, x, kernel, stride, padding, dilation, ceil_mode)
    out = _check(x.shape, kernel, stride, padding, dilation, ceil_mode)
    small = math.prod(kernel) < 256
    best = xp.empty((*x.shape[:2], *out), x.dtype)
    where = xp.empty(best.shape, np.uint8 if small else np.int32)
    _launch(xp, "max_pool", x, best, (x.shape[2:], out, kernel, stride, padding, dilation), xp.ascontiguousarray(x), best, where, (),
            family=FAMILY if small else LARGE)
    return best, where


def max_backward(xp, x, where, shape=(), kernel=(), stride=(), padding=(), dilation=()):
    """The op `spread_to_max` on CuPy arrays."""
    if not _takes(x, kernel) or where.dtype.name not in ("uint8", "int32"):
        return spread_to_max.formula(xp, x, where, shape, kernel, stride, padding, dilation)
    out = xp.empty(shape, x.dtype)
    _launch(xp, "max_pool_backward", x, out, (shape[2:], x.shape[2:], kernel, stride, padding, dilation), xp.ascontiguousarray(x),
            xp.ascontiguousarray(where), out, (), family=FAMILY if where.dtype == np.uint8 else LARGE)
    return out


def _counting(x, count_include_pad, divisor_override):
    return I32(count_include_pad), number(x)(divisor_override or 0)


def avg_forward(xp, x, kernel, stride, padding, ceil_mode=False, count_include_pad=True, divisor_override=None):
    """The op `avg_pool` on CuPy arrays."""
    if not _takes(x, kernel):
        return avg_pool.formula(xp, x, kernel, stride, padding, ceil_mode, count_include_pad, divisor_override)
    ones = (1,) * len(kernel)
    sizes = _check(x.shape, kernel, stride, padding, ones, ceil_mode)
    out = xp.empty((*x.shape[:2], *sizes), x.dtype)
    _launch(xp, "avg_pool", x, out, (x.shape[2:], sizes, kernel, stride, padding, ones), xp.ascontiguousarray(x), out,
            _counting(x, count_include_pad, divisor_override))
    return out


def avg_backward(xp, x, shape=(), kernel=(), stride=(), padding=(), ceil_mode=False, count_include_pad=True, divisor_override=None):
    """The op `spread_average` on CuPy arrays."""
    if not _takes(x, kernel):
        return spread_average.formula(xp, x, shape, kernel, stride, padding, ceil_mode, count_include_pad, divisor_override)
    out = xp.empty(shape, x.dtype)
    _launch(xp, "avg_pool_backward", x, out, (shape[2:], x.shape[2:], kernel, stride, padding, (1,) * len(kernel)), xp.ascontiguousarray(x), out,
            _counting(x, count_include_pad, divisor_override))
    return out


def register():
    """Put the kernels in the place of the formulas on CuPy arrays."""
    max_pool.kernel("cupy")(max_forward)
    spread_to_max.kernel("cupy")(max_backward)
    avg_pool.kernel("cupy")(avg_forward)
    spread_average.kernel("cupy")(avg_backward)
