"""Pooling of regions: averages with their gradients, also by place, and the places of largest elements.  See family.py for the words of the text.

Places are computed in double, as on the CPU, so that no sample falls on another side.  The gradient adds atomically; under
`use_deterministic_algorithms` the formula runs, whose products are the same every time.
"""
import numpy as np

from .._config import DETERMINISTIC
from ..ops.regions import align_regions, region_maxima, spread_regions
from ..ops.regions_by_place import pool_by_place, spread_by_place
from .family import I32, I64, Family, flat_grid, number

TEXT = r"""
// plane: the image's channel that the bin reads, counted over all images; with `by_place` each bin has channels of its own
struct Bin { i64 region, plane; int channel, i, j, n_y, n_x; double y, x, high, wide; };

__device__ inline Bin bin_at(i64 at, const double* rois, int channels, int bins_y, int bins_x, int by_place) {
    Bin b;
    b.j = (int)rest(at, bins_x); at = quotient(at, bins_x);
    b.i = (int)rest(at, bins_y); at = quotient(at, bins_y);
    b.channel = (int)rest(at, channels);
    b.region = quotient(at, channels);
    b.plane = (i64)rois[5 * b.region] * channels + b.channel;
    if (by_place) b.plane = (b.plane * bins_y + b.i) * bins_x + b.j;
    return b;
}
__device__ inline Bin bin_of(i64 at, const double* rois, int channels, int bins_y, int bins_x, double scale, int samples, int aligned, int by_place) {
    Bin b = bin_at(at, rois, channels, bins_y, bins_x, by_place);
    const double* r = rois + 5 * b.region;
    double off = aligned ? 0.5 : 0.0;
    b.x = r[1] * scale - off;
    b.y = r[2] * scale - off;
    b.wide = r[3] * scale - off - b.x;
    b.high = r[4] * scale - off - b.y;
    if (!aligned) { b.wide = b.wide < 1 ? 1 : b.wide; b.high = b.high < 1 ? 1 : b.high; }
    b.wide /= bins_x;
    b.high /= bins_y;
    b.n_x = samples > 0 ? samples : max((int)ceil(b.wide), 0);
    b.n_y = samples > 0 ? samples : max((int)ceil(b.high), 0);
    return b;
}
// Between which elements a sample lies, and how far beyond the first one; false outside.
__device__ inline bool between(double at, int length, int& low, int& next, A& share) {
    if (!(at >= -1 && at <= length)) return false;
    at = at < 0 ? 0 : at > length - 1 ? length - 1 : at;
    low = (int)at;
    next = min(low + 1, length - 1);
    share = (A)(at - low);
    return true;
}
// f(row, next row, column, next column, shares beyond them) for each sample of a bin
template <class F> __device__ inline void each_sample(const Bin& b, int height, int width, F f) {
    for (int p = 0; p < b.n_y; ++p) {
        int y, y1, x, x1;
        A v, u;
        if (!between(b.y + (b.i + (p + 0.5) / b.n_y) * b.high, height, y, y1, v)) continue;
        for (int q = 0; q < b.n_x; ++q)
            if (between(b.x + (b.j + (q + 0.5) / b.n_x) * b.wide, width, x, x1, u)) f(y * width, y1 * width, x, x1, v, u);
    }
}

KERNEL align_regions(const T* x, const double* rois, T* out, i64 total, int channels, int height, int width, int bins_y, int bins_x, double scale,
                     int samples, int aligned, int by_place) {
    EACH_ELEMENT(i, total) {
        Bin b = bin_of(i, rois, channels, bins_y, bins_x, scale, samples, aligned, by_place);
        const T* at = x + b.plane * height * width;
        A sum = 0;
        each_sample(b, height, width, [&](int r, int r1, int c, int c1, A v, A u) {
            sum += (1 - v) * ((1 - u) * (A)at[r + c] + u * (A)at[r + c1]) + v * ((1 - u) * (A)at[r1 + c] + u * (A)at[r1 + c1]);
        });
        out[i] = (T)(sum / max(b.n_y * b.n_x, 1));
    }
}

KERNEL spread_regions(const T* g, const double* rois, A* out, i64 total, int channels, int height, int width, int bins_y, int bins_x, double scale,
                      int samples, int aligned, int by_place) {
    EACH_ELEMENT(i, total) {
        Bin b = bin_of(i, rois, channels, bins_y, bins_x, scale, samples, aligned, by_place);
        A* at = out + b.plane * height * width;
        A share = (A)g[i] / max(b.n_y * b.n_x, 1);
        each_sample(b, height, width, [&](int r, int r1, int c, int c1, A v, A u) {
            atomicAdd(at + r + c, (1 - v) * (1 - u) * share);
            atomicAdd(at + r + c1, (1 - v) * u * share);
            atomicAdd(at + r1 + c, v * (1 - u) * share);
            atomicAdd(at + r1 + c1, v * u * share);
        });
    }
}

// Halves away from zero.
__device__ inline double rounded(double v) { return v < 0 ? -floor(0.5 - v) : floor(v + 0.5); }
__device__ inline int edge(double v, int length) { return v < 0 ? 0 : v > length ? length : (int)v; }

// f(index) for the elements of a bin, which begins at whole numbers; their number
template <class F>
__device__ inline int each_inside(const Bin& b, const double* rois, int height, int width, int bins_y, int bins_x, double scale, F f) {
    const double* r = rois + 5 * b.region;
    double left = rounded(r[1]) * scale, top = rounded(r[2]) * scale;
    double wide = rounded(r[3] + 1) * scale - left, high = rounded(r[4] + 1) * scale - top;
    wide = (wide < 0.1 ? 0.1 : wide) / bins_x;
    high = (high < 0.1 ? 0.1 : high) / bins_y;
    int y0 = edge(floor(b.i * high + top), height), y1 = edge(ceil((b.i + 1) * high + top), height);
    int x0 = edge(floor(b.j * wide + left), width), x1 = edge(ceil((b.j + 1) * wide + left), width);
    for (int y = y0; y < y1; ++y)
        for (int u = x0; u < x1; ++u) f(y * width + u);
    return max(y1 - y0, 0) * max(x1 - x0, 0);
}

KERNEL means_by_place(const T* x, const double* rois, T* out, i64 total, int channels, int height, int width, int bins_y, int bins_x, double scale) {
    EACH_ELEMENT(i, total) {
        Bin b = bin_at(i, rois, channels, bins_y, bins_x, 1);
        const T* at = x + b.plane * height * width;
        A sum = 0;
        int count = each_inside(b, rois, height, width, bins_y, bins_x, scale, [&](int k) { sum += (A)at[k]; });
        out[i] = (T)(sum / max(count, 1));
    }
}

KERNEL spread_means(const T* g, const double* rois, A* out, i64 total, int channels, int height, int width, int bins_y, int bins_x, double scale) {
    EACH_ELEMENT(i, total) {
        Bin b = bin_at(i, rois, channels, bins_y, bins_x, 1);
        A* at = out + b.plane * height * width;
        int count = each_inside(b, rois, height, width, bins_y, bins_x, scale, [](int) {});
        A share = (A)g[i] / max(count, 1);
        each_inside(b, rois, height, width, bins_y, bins_x, scale, [&](int k) { atomicAdd(at + k, share); });
    }
}

KERNEL region_maxima(const T* x, const double* rois, i64* out, i64 total, int channels, int height, int width, int bins_y, int bins_x, double scale) {
    EACH_ELEMENT(at, total) {
        i64 k = at;
        int j = (int)(k % bins_x); k /= bins_x;
        int i = (int)(k % bins_y); k /= bins_y;
        int channel = (int)(k % channels);
        const double* r = rois + 5 * (k / channels);
        double left = rounded(r[1] * scale), top = rounded(r[2] * scale);
        double wide = rounded(r[3] * scale) - left + 1, high = rounded(r[4] * scale) - top + 1;
        wide = (wide < 1 ? 1 : wide) / bins_x;
        high = (high < 1 ? 1 : high) / bins_y;
        int y0 = edge(floor(i * high) + top, height), y1 = edge(ceil((i + 1) * high) + top, height);
        int x0 = edge(floor(j * wide) + left, width), x1 = edge(ceil((j + 1) * wide) + left, width);
        i64 start = ((i64)r[0] * channels + channel) * height * width, best = -1;
        A most = -INF;
        for (int y = y0; y < y1; ++y)
            for (int u = x0; u < x1; ++u) {
                A v = (A)x[start + y * width + u];
                if (best < 0 || v > most || (v != v && most == most)) { most = v; best = start + y * width + u; }
            }
        out[at] = best;
    }
}
"""
FAMILY = Family("regions", TEXT, options=("--fmad=false",))  # as the CPU rounds


def _arguments(xp, rois, shape, size, spatial_scale):
    boxes = xp.ascontiguousarray(rois).astype(np.float64, copy=False)
    total = len(rois) * shape[1] * size[0] * size[1]
    return boxes, total, (I64(total), I32(shape[1]), I32(shape[2]), I32(shape[3]), I32(size[0]), I32(size[1]), np.float64(spatial_scale))


def align_forward(xp, x, rois, size, spatial_scale=1.0, samples=-1, aligned=False):
    """The op `align_regions` on CuPy arrays."""
    boxes, total, rest = _arguments(xp, rois, x.shape, size, spatial_scale)
    if not (FAMILY.takes(x) and total):
        return align_regions.formula(xp, x, rois, size, spatial_scale, samples, aligned)
    out = xp.empty((len(rois), x.shape[1], *size), x.dtype)
    FAMILY.launch(xp, "align_regions", x, *flat_grid(total), xp.ascontiguousarray(x), boxes, out, *rest, I32(samples), I32(aligned), I32(0))
    return out


def spread_forward(xp, x, rois, shape, size, spatial_scale=1.0, samples=-1, aligned=False):
    """The op `spread_regions` on CuPy arrays."""
    boxes, total, rest = _arguments(xp, rois, shape, size, spatial_scale)
    if not (FAMILY.takes(x) and total) or DETERMINISTIC["on"]:
        return spread_regions.formula(xp, x, rois, shape, size, spatial_scale, samples, aligned)
    out = xp.zeros(tuple(shape), number(x))
    FAMILY.launch(xp, "spread_regions", x, *flat_grid(total), xp.ascontiguousarray(x), boxes, out, *rest, I32(samples), I32(aligned), I32(0))
    return out.astype(x.dtype, copy=False)


def place_forward(xp, x, rois, size, spatial_scale=1.0, samples=-1, elements=False):
    """The op `pool_by_place` on CuPy arrays."""
    channels = x.shape[1] // (size[0] * size[1])
    boxes, total, rest = _arguments(xp, rois, (x.shape[0], channels, *x.shape[2:]), size, spatial_scale)
    if not (FAMILY.takes(x) and total) or x.shape[1] != channels * size[0] * size[1]:
        return pool_by_place.formula(xp, x, rois, size, spatial_scale, samples, elements)
    out, name = xp.empty((len(rois), channels, *size), x.dtype), "means_by_place" if elements else "align_regions"
    more = () if elements else (I32(samples), I32(1), I32(1))
    FAMILY.launch(xp, name, x, *flat_grid(total), xp.ascontiguousarray(x), boxes, out, *rest, *more)
    return out


def place_spread(xp, x, rois, shape, size, spatial_scale=1.0, samples=-1, elements=False):
    """The op `spread_by_place` on CuPy arrays."""
    boxes, total, rest = _arguments(xp, rois, (shape[0], x.shape[1], *shape[2:]), size, spatial_scale)
    if not (FAMILY.takes(x) and total) or DETERMINISTIC["on"]:
        return spread_by_place.formula(xp, x, rois, shape, size, spatial_scale, samples, elements)
    out, name = xp.zeros(tuple(shape), number(x)), "spread_means" if elements else "spread_regions"
    more = () if elements else (I32(samples), I32(1), I32(1))
    FAMILY.launch(xp, name, x, *flat_grid(total), xp.ascontiguousarray(x), boxes, out, *rest, *more)
    return out.astype(x.dtype, copy=False)


def maxima_forward(xp, x, rois, size, spatial_scale=1.0):
    """The op `region_maxima` on CuPy arrays."""
    boxes, total, rest = _arguments(xp, rois, x.shape, size, spatial_scale)
    if not (FAMILY.takes(x) and total):
        return region_maxima.formula(xp, x, rois, size, spatial_scale)
    out = xp.empty((len(rois), x.shape[1], *size), np.int64)
    FAMILY.launch(xp, "region_maxima", x, *flat_grid(total), xp.ascontiguousarray(x), boxes, out, *rest)
    return out


def register():
    """Put the kernels in the place of the formulas on CuPy arrays."""
    align_regions.kernel("cupy")(align_forward)
    spread_regions.kernel("cupy")(spread_forward)
    region_maxima.kernel("cupy")(maxima_forward)
    pool_by_place.kernel("cupy")(place_forward)
    spread_by_place.kernel("cupy")(place_spread)
    for op in (align_regions, spread_regions, pool_by_place, spread_by_place):  # rules that give halves to kernels as they are
        op.kernel("cupy", vjp="x")(op.rules[0].fn)
