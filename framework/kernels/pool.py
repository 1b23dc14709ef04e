"""Max and average pooling in one to three dimensions, forward and backward.  See family.py for the words of the text.

Gradients are gathered: each element of the input looks at the windows that hold it, so nothing is added atomically.  Images keep their order:
where channels come last, neighbouring threads take neighbouring channels, 16 bytes each, and the results have them last too.
"""
import math

import numpy as np

from .._backends.uploads import constant
from ..ops._layout import as_it_lies, empty, lies_last
from ..ops.pool import _check, adaptive_max_pool, avg_pool, max_pool, spread_average, spread_to_max
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
// Where channels come last, `lanes` of them lie beside one another and a thread takes V, which divides it; where they come first, lanes and V
// are 1 and every channel is an image of its own.

// The i-th group of lanes: its first lane, its place, its image.
__device__ inline void split(i64 i, const int* size, int groups, int& group, i64& image, int* at) {
    group = 0;
    if (i < 1ll << 31) {  // divisions of 32 bits take a third of the time
        unsigned u = (unsigned)i, a = size[0], b = size[1], c = size[2], m = groups;
        if (groups > 1) { group = u % m; u /= m; }
        at[2] = u % c; u /= c;
        at[1] = u % b; u /= b;
        at[0] = u % a; image = u / a;
        return;
    }
    if (groups > 1) { group = (int)(i % groups); i /= groups; }
    at[2] = (int)(i % size[2]); i /= size[2];
    at[1] = (int)(i % size[1]); i /= size[1];
    at[0] = (int)(i % size[0]); image = i / size[0];
}
__device__ inline i64 place_of(i64 image, const int* size, int a, int b, int c, int lanes, int lane) {
    return (((image * size[0] + a) * size[1] + b) * size[2] + c) * lanes + lane;
}
// The windows of one dimension that hold `at`: from `first` to `last`.
__device__ inline void holders(int at, int out, int kernel, int stride, int padding, int dilation, int& first, int& last) {
    int far = at + padding - dilation * (kernel - 1);
    first = far <= 0 ? 0 : (far + stride - 1) / stride;
    last = (at + padding) / stride;
    if (last >= out) last = out - 1;
}

// The first among equals; outside there is -inf.  nan is kept as a value, and takes no place, as in the formula.
template <int V> __device__ inline void max_pool_of(const T* x, T* best, WHERE* where, const int* sizes, int lanes, i64 total) {
    Window w = window(sizes);
    EACH_ELEMENT(i, total) {
        i64 image;
        int at[3], group, number = 0;
        split(i, w.o, lanes / V, group, image, at);
        A high[V];
        Some<V, WHERE> place;
        for (int j = 0; j < V; ++j) { high[j] = -INF; place.v[j] = 0; }
        for (int a = 0; a < w.k[0]; ++a)
            for (int b = 0; b < w.k[1]; ++b)
                for (int c = 0; c < w.k[2]; ++c, ++number) {
                    int z = at[0] * w.s[0] - w.p[0] + a * w.d[0], y = at[1] * w.s[1] - w.p[1] + b * w.d[1],
                        u = at[2] * w.s[2] - w.p[2] + c * w.d[2];
                    bool inside = z >= 0 && z < w.n[0] && y >= 0 && y < w.n[1] && u >= 0 && u < w.n[2];
                    Some<V, T> found;
                    if (inside) found = some<V>(x, place_of(image, w.n, z, y, u, lanes, group * V));
                    for (int j = 0; j < V; ++j) {
                        A v = inside ? (A)found.v[j] : -INF;
                        if (number && v > high[j]) place.v[j] = (WHERE)number;
                        high[j] = number ? larger(v, high[j]) : v;
                    }
                }
        Some<V, T> out;
        for (int j = 0; j < V; ++j) out.v[j] = (T)high[j];
        put<V>(best, i * V, out);
        put<V>(where, i * V, place);
    }
}

template <int V> __device__ inline void max_pool_backward_of(const T* g, const WHERE* where, T* out, const int* sizes, int lanes, i64 total) {
    Window w = window(sizes);
    EACH_ELEMENT(i, total) {
        i64 image;
        int at[3], first[3], last[3], group;
        split(i, w.n, lanes / V, group, image, at);
        for (int j = 0; j < 3; ++j) holders(at[j], w.o[j], w.k[j], w.s[j], w.p[j], w.d[j], first[j], last[j]);
        A sum[V];
        for (int j = 0; j < V; ++j) sum[j] = 0;
        for (int a = first[0]; a <= last[0]; ++a)
            for (int b = first[1]; b <= last[1]; ++b)
                for (int c = first[2]; c <= last[2]; ++c) {
                    int k[3] = {at[0] + w.p[0] - a * w.s[0], at[1] + w.p[1] - b * w.s[1], at[2] + w.p[2] - c * w.s[2]};
                    if (k[0] % w.d[0] || k[1] % w.d[1] || k[2] % w.d[2]) continue;
                    int number = (k[0] / w.d[0] * w.k[1] + k[1] / w.d[1]) * w.k[2] + k[2] / w.d[2];
                    i64 o = place_of(image, w.o, a, b, c, lanes, group * V);
                    Some<V, WHERE> chosen = some<V>(where, o);
                    Some<V, T> given = some<V>(g, o);
                    for (int j = 0; j < V; ++j)
                        if ((int)chosen.v[j] == number) sum[j] += (A)given.v[j];
                }
        Some<V, T> back;
        for (int j = 0; j < V; ++j) back.v[j] = (T)sum[j];
        put<V>(out, i * V, back);
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

template <int V> __device__ inline void avg_pool_of(const T* x, T* out, const int* sizes, int lanes, i64 total, int padded, A fixed) {
    Window w = window(sizes);
    EACH_ELEMENT(i, total) {
        i64 image;
        int at[3], group;
        split(i, w.o, lanes / V, group, image, at);
        A sum[V];
        for (int j = 0; j < V; ++j) sum[j] = 0;
        for (int a = 0; a < w.k[0]; ++a)
            for (int b = 0; b < w.k[1]; ++b)
                for (int c = 0; c < w.k[2]; ++c) {
                    int z = at[0] * w.s[0] - w.p[0] + a, y = at[1] * w.s[1] - w.p[1] + b, u = at[2] * w.s[2] - w.p[2] + c;
                    if (!(z >= 0 && z < w.n[0] && y >= 0 && y < w.n[1] && u >= 0 && u < w.n[2])) continue;
                    Some<V, T> found = some<V>(x, place_of(image, w.n, z, y, u, lanes, group * V));
                    for (int j = 0; j < V; ++j) sum[j] += (A)found.v[j];
                }
        A parts = divisor(w, at, padded, fixed);
        Some<V, T> mean;
        for (int j = 0; j < V; ++j) mean.v[j] = (T)(sum[j] / parts);
        put<V>(out, i * V, mean);
    }
}

template <int V> __device__ inline void avg_pool_backward_of(const T* g, T* out, const int* sizes, int lanes, i64 total, int padded, A fixed) {
    Window w = window(sizes);
    EACH_ELEMENT(i, total) {
        i64 image;
        int at[3], first[3], last[3], o[3], group;
        split(i, w.n, lanes / V, group, image, at);
        for (int j = 0; j < 3; ++j) holders(at[j], w.o[j], w.k[j], w.s[j], w.p[j], 1, first[j], last[j]);
        A sum[V];
        for (int j = 0; j < V; ++j) sum[j] = 0;
        for (o[0] = first[0]; o[0] <= last[0]; ++o[0])
            for (o[1] = first[1]; o[1] <= last[1]; ++o[1])
                for (o[2] = first[2]; o[2] <= last[2]; ++o[2]) {
                    Some<V, T> given = some<V>(g, place_of(image, w.o, o[0], o[1], o[2], lanes, group * V));
                    A parts = divisor(w, o, padded, fixed);
                    for (int j = 0; j < V; ++j) sum[j] += (A)given.v[j] / parts;
                }
        Some<V, T> back;
        for (int j = 0; j < V; ++j) back.v[j] = (T)sum[j];
        put<V>(out, i * V, back);
    }
}

// Cell i of `o` covers its part of `n` elements, rounded outwards: cells overlap where they must.  nan wins; the first among equals.
template <int V> __device__ inline void adaptive_max_of(const T* x, T* best, i64* where, const int* sizes, int lanes, i64 total) {
    Window w = window(sizes);
    EACH_ELEMENT(i, total) {
        i64 image;
        int at[3], start[3], stop[3], group;
        split(i, w.o, lanes / V, group, image, at);
        for (int j = 0; j < 3; ++j) {
            start[j] = (int)((i64)at[j] * w.n[j] / w.o[j]);
            stop[j] = (int)(((i64)(at[j] + 1) * w.n[j] + w.o[j] - 1) / w.o[j]);
        }
        A high[V];
        Some<V, i64> place;
        bool first = true;
        for (int z = start[0]; z < stop[0]; ++z)
            for (int y = start[1]; y < stop[1]; ++y)
                for (int u = start[2]; u < stop[2]; ++u, first = false) {
                    Some<V, T> found = some<V>(x, place_of(image, w.n, z, y, u, lanes, group * V));
                    for (int j = 0; j < V; ++j) {
                        A v = (A)found.v[j];
                        if (first || v > high[j] || (v != v && high[j] == high[j])) {
                            high[j] = v;
                            place.v[j] = ((i64)z * w.n[1] + y) * w.n[2] + u;
                        }
                    }
                }
        Some<V, T> out;
        for (int j = 0; j < V; ++j) out.v[j] = (T)high[j];
        put<V>(best, i * V, out);
        put<V>(where, i * V, place);
    }
}

template <int V> __device__ inline void adaptive_max_backward_of(const T* g, const i64* where, T* out, const int* sizes, int lanes, i64 total) {
    Window w = window(sizes);
    EACH_ELEMENT(i, total) {
        i64 image;
        int at[3], first[3], last[3], group;
        split(i, w.n, lanes / V, group, image, at);
        for (int j = 0; j < 3; ++j) {  // the cells that hold it
            first[j] = (int)((i64)at[j] * w.o[j] / w.n[j]);
            last[j] = (int)(((i64)(at[j] + 1) * w.o[j] - 1) / w.n[j]);
        }
        const i64 own = ((i64)at[0] * w.n[1] + at[1]) * w.n[2] + at[2];
        A sum[V];
        for (int j = 0; j < V; ++j) sum[j] = 0;
        for (int a = first[0]; a <= last[0]; ++a)
            for (int b = first[1]; b <= last[1]; ++b)
                for (int c = first[2]; c <= last[2]; ++c) {
                    i64 o = place_of(image, w.o, a, b, c, lanes, group * V);
                    Some<V, i64> chosen = some<V>(where, o);
                    Some<V, T> given = some<V>(g, o);
                    for (int j = 0; j < V; ++j)
                        if (chosen.v[j] == own) sum[j] += (A)given.v[j];
                }
        Some<V, T> back;
        for (int j = 0; j < V; ++j) back.v[j] = (T)sum[j];
        put<V>(out, i * V, back);
    }
}
"""
KERNELS = {  # name: (parameters, arguments)
    "max_pool": ("const T* x, T* best, WHERE* where, const int* sizes, int lanes, i64 total", "x, best, where, sizes, lanes, total"),
    "max_pool_backward": ("const T* g, const WHERE* where, T* out, const int* sizes, int lanes, i64 total", "g, where, out, sizes, lanes, total"),
    "adaptive_max": ("const T* x, T* best, i64* where, const int* sizes, int lanes, i64 total", "x, best, where, sizes, lanes, total"),
    "adaptive_max_backward": ("const T* g, const i64* where, T* out, const int* sizes, int lanes, i64 total", "g, where, out, sizes, lanes, total"),
    "avg_pool": ("const T* x, T* out, const int* sizes, int lanes, i64 total, int padded, A fixed", "x, out, sizes, lanes, total, padded, fixed"),
    "avg_pool_backward": ("const T* g, T* out, const int* sizes, int lanes, i64 total, int padded, A fixed",
                          "g, out, sizes, lanes, total, padded, fixed"),
}
TEXT += "\n".join(f"KERNEL {name}{more}({parameters}) {{ {name}_of<{v}>({arguments}); }}"  # a lane for each thread, or 16 bytes of lanes
                  for name, (parameters, arguments) in KERNELS.items() for more, v in (("", "1"), ("_packs", "WIDE")))
FAMILY = Family("pool", "typedef unsigned char WHERE;\n" + TEXT)
LARGE = Family("pool_large", "typedef int WHERE;\n" + TEXT)  # windows of 256 elements and more


def _sizes(xp, *each):
    """The kernels' table: each of the six, brought to three dimensions."""
    filling = (1, 1, 1, 1, 0, 1)
    rows = [(*(fill,) * (3 - len(values)), *values) for fill, values in zip(filling, each)]
    return constant(xp, np.array(rows, np.int32).reshape(-1))


def _takes(x, kernel):
    return FAMILY.takes(x) and 1 <= len(kernel) <= 3 and max(x.shape[1:], default=0) < 2**30


def _launch(xp, name, last, arrays, outs, sizes, *rest, family=FAMILY):
    """Run a kernel on images and make images of its results.

    last: whether channels come last.  arrays: images;  outs: (shape, type) of the results, the elements of the first one are the threads' work
    """
    arrays = [as_it_lies(xp, a, last) for a in arrays]
    made = [empty(xp, shape, dtype, last) for shape, dtype in outs]
    lanes = made[0].shape[1] if last else 1
    together = 16 // arrays[0].itemsize
    if last and lanes % together == 0 and not any(a.data.ptr % 16 for a in arrays):
        name, lanes_each = f"{name}_packs", together
    else:
        lanes_each = 1
    count = made[0].size // lanes_each
    family.launch(xp, name, arrays[0], *flat_grid(count), *arrays, *[as_it_lies(xp, a, last) for a in made], _sizes(xp, *sizes), I32(lanes),
                  I64(count), *rest)
    return made


def max_forward(xp, x, kernel, stride, padding, dilation, ceil_mode=False):
    """The op `max_pool` on CuPy arrays."""
    if not _takes(x, kernel):
        return max_pool.formula(xp, x, kernel, stride, padding, dilation, ceil_mode)
    out = _check(x.shape, kernel, stride, padding, dilation, ceil_mode)
    small, shape = math.prod(kernel) < 256, (*x.shape[:2], *out)
    return tuple(_launch(xp, "max_pool", lies_last(x), [x], [(shape, x.dtype), (shape, np.uint8 if small else np.int32)],
                         (x.shape[2:], out, kernel, stride, padding, dilation), family=FAMILY if small else LARGE))


def max_backward(xp, x, where, shape=(), kernel=(), stride=(), padding=(), dilation=()):
    """The op `spread_to_max` on CuPy arrays."""
    if not _takes(x, kernel) or where.dtype.name not in ("uint8", "int32"):
        return spread_to_max.formula(xp, x, where, shape, kernel, stride, padding, dilation)
    return _launch(xp, "max_pool_backward", lies_last(where), [x, where], [(shape, x.dtype)],
                   (shape[2:], x.shape[2:], kernel, stride, padding, dilation), family=FAMILY if where.dtype == np.uint8 else LARGE)[0]


def adaptive_forward(xp, x, size):
    """The op `adaptive_max_pool` on CuPy arrays."""
    if not (_takes(x, size) and math.prod(size)):
        return adaptive_max_pool.formula(xp, x, size)
    shape = (*x.shape[:2], *size)
    return tuple(_launch(xp, "adaptive_max", lies_last(x), [x], [(shape, x.dtype), (shape, np.int64)], (x.shape[2:], size, *[(1,) * len(size)] * 4)))


def adaptive_backward(xp, g, out, x_shape):
    """The gradient of `adaptive_forward`."""
    where, size = out[1], g[0].shape[2:]
    if not _takes(g[0], size) or where.dtype != np.int64:
        return adaptive_max_pool.rules[0].formula(xp, g, out, x_shape)
    return _launch(xp, "adaptive_max_backward", lies_last(where), [g[0], where], [(tuple(x_shape), g[0].dtype)],
                   (x_shape[2:], size, *[(1,) * len(size)] * 4))[0]


def _counting(x, count_include_pad, divisor_override):
    return I32(count_include_pad), number(x)(divisor_override or 0)


def avg_forward(xp, x, kernel, stride, padding, ceil_mode=False, count_include_pad=True, divisor_override=None):
    """The op `avg_pool` on CuPy arrays."""
    if not _takes(x, kernel):
        return avg_pool.formula(xp, x, kernel, stride, padding, ceil_mode, count_include_pad, divisor_override)
    ones = (1,) * len(kernel)
    sizes = _check(x.shape, kernel, stride, padding, ones, ceil_mode)
    return _launch(xp, "avg_pool", lies_last(x), [x], [((*x.shape[:2], *sizes), x.dtype)], (x.shape[2:], sizes, kernel, stride, padding, ones),
                   *_counting(x, count_include_pad, divisor_override))[0]


def avg_backward(xp, x, shape=(), kernel=(), stride=(), padding=(), ceil_mode=False, count_include_pad=True, divisor_override=None):
    """The op `spread_average` on CuPy arrays."""
    if not _takes(x, kernel):
        return spread_average.formula(xp, x, shape, kernel, stride, padding, ceil_mode, count_include_pad, divisor_override)
    ones = (1,) * len(kernel)
    return _launch(xp, "avg_pool_backward", lies_last(x), [x], [(shape, x.dtype)], (shape[2:], x.shape[2:], kernel, stride, padding, ones),
                   *_counting(x, count_include_pad, divisor_override))[0]


def register():
    """Put the kernels in the place of the formulas on CuPy arrays."""
    max_pool.kernel("cupy")(max_forward)
    spread_to_max.kernel("cupy")(max_backward)
    avg_pool.kernel("cupy")(avg_forward)
    spread_average.kernel("cupy")(avg_backward)
    adaptive_max_pool.kernel("cupy")(adaptive_forward)
    adaptive_max_pool.kernel("cupy", vjp="x")(adaptive_backward)
    for op in (max_pool, avg_pool, spread_average):  # rules that give halves to kernels as they are
        op.kernel("cupy", vjp="x")(op.rules[0].fn)
