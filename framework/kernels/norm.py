"""Layer, root-mean-square, group and batch norm, forward and backward.  See family.py for the words of the text.

Statistics are taken in two passes (the mean, then squares round it).  Gradients of weight and bias are summed in two stages, parts of the rows
first and then the parts, in a fixed order: no atomics, the same bits every time.
"""
import math

from ..ops.norm import group_normalize, moments, normalize, scale_shift
from .family import I32, I64, Family, flat_grid, number, rows_grid, wide

TEXT = r"""
// weight index of element i of a row: channels of `spatial` elements, `channels` of them in a row, rows of `groups` groups in turn
__device__ inline i64 channel(i64 row, i64 i, i64 groups, i64 channels, i64 spatial) {
    return (row % groups) * channels + (spatial == 1 ? i : (i64)((unsigned)i / (unsigned)spatial));
}

__device__ void statistics(const T* x, i64 n, A eps, int center, A& mean, A& rstd) {
    mean = 0;
    if (center) {
        A s = 0;
        each(x, n, [&](i64, A v) { s += v; });
        mean = row_sum(s) / n;
    }
    A q = 0, at = mean;
    each(x, n, [&](i64, A v) { q += (v - at) * (v - at); });
    rstd = 1 / sqrt(row_sum(q) / n + eps);
}

KERNEL norm_rows(const T* x, const A* weight, const A* bias, T* y, i64 rows, i64 n, i64 groups, i64 channels, i64 spatial, A eps, int center) {
    EACH_ROW(row, rows) {
        A mean, rstd;
        statistics(x + row * n, n, eps, center, mean, rstd);
        map1(x + row * n, y + row * n, n, [=](i64 i, A v) {
            i64 c = channel(row, i, groups, channels, spatial);
            A h = (v - mean) * rstd;
            if (weight) h *= weight[c];
            return bias ? h + bias[c] : h;
        });
    }
}

// stats[2 * row] = mean, stats[2 * row + 1] = 1 / standard deviation, which norm_weight reads; out may be null.
KERNEL norm_rows_backward(const T* g, const T* x, const A* weight, T* out, A* stats, i64 rows, i64 n, i64 groups, i64 channels, i64 spatial, A eps,
                          int center) {
    EACH_ROW(row, rows) {
        A mean, rstd;
        statistics(x + row * n, n, eps, center, mean, rstd);
        if (threadIdx.x == 0) { stats[2 * row] = mean; stats[2 * row + 1] = rstd; }
        if (!out) continue;
        A level = 0, slope = 0;
        each2(g + row * n, x + row * n, n, [&](i64 i, A a, A v) {
            if (weight) a *= weight[channel(row, i, groups, channels, spatial)];
            level += a;
            slope += a * ((v - mean) * rstd);
        });
        level = center ? row_sum(level) / n : 0;
        slope = row_sum(slope) / n;
        map2(g + row * n, x + row * n, out + row * n, n, [=](i64 i, A a, A v) {
            if (weight) a *= weight[channel(row, i, groups, channels, spatial)];
            return rstd * (a - level - (v - mean) * rstd * slope);
        });
    }
}

// First stage for rows whose every element has its own weight: blockDim (32, 8), columns of 32, chunks of rows.  parts: (2, chunks, n)
KERNEL norm_weight_columns(const T* g, const T* x, const A* stats, A* parts, i64 rows, i64 n, i64 chunk) {
    __shared__ A sums[2][8][33];
    i64 c = (i64)blockIdx.x * 32 + threadIdx.x;
    i64 from = (i64)blockIdx.y * chunk, to = min(from + chunk, rows);
    A sw = 0, sb = 0;
    if (c < n)
        for (i64 row = from + threadIdx.y; row < to; row += 8) {
            A a = (A)g[row * n + c];
            sb += a;
            sw += a * (((A)x[row * n + c] - stats[2 * row]) * stats[2 * row + 1]);
        }
    sums[0][threadIdx.y][threadIdx.x] = sw;
    sums[1][threadIdx.y][threadIdx.x] = sb;
    __syncthreads();
    if (threadIdx.y < 2 && c < n) {
        A s = 0;
        for (int k = 0; k < 8; ++k) s += sums[threadIdx.y][k][threadIdx.x];
        parts[((i64)threadIdx.y * gridDim.y + blockIdx.y) * n + c] = s;
    }
}

// First stage for channels of `spatial` neighbours, x: (batch, channels, spatial): a block per channel and chunk of the batch.
// The statistics of image b and channel c are number b * groups + c / share.  kind 0: sums of g * xhat and g;  1: of x;  2: of (x - mean)^2
KERNEL norm_channels(const T* g, const T* x, const A* stats, A* parts, i64 batch, i64 channels, i64 spatial, i64 chunk, i64 groups, i64 share,
                     int kind) {
    i64 c = blockIdx.x, from = (i64)blockIdx.y * chunk, to = min(from + chunk, batch);
    A first = 0, second = 0;
    for (i64 b = from; b < to; ++b) {
        const T* at = x + (b * channels + c) * spatial;
        i64 s = b * groups + c / share;
        if (kind == 0) {
            A mean = stats[2 * s], rstd = stats[2 * s + 1];
            each2(g + (b * channels + c) * spatial, at, spatial, [&](i64, A a, A v) { second += a; first += a * ((v - mean) * rstd); });
        } else if (kind == 1) {
            each(at, spatial, [&](i64, A v) { first += v; });
        } else {
            A mean = stats[c];
            each(at, spatial, [&](i64, A v) { first += (v - mean) * (v - mean); });
        }
    }
    first = row_sum(first);
    second = row_sum(second);
    if (threadIdx.x == 0) {
        parts[(i64)blockIdx.y * channels + c] = first;
        if (kind == 0) parts[((i64)gridDim.y + blockIdx.y) * channels + c] = second;
    }
}

// Second stage: out: (which, n) = factor * sum of parts: (which, chunks, n)
KERNEL norm_parts(const A* parts, A* out, i64 chunks, i64 n, i64 total, A factor) {
    EACH_ELEMENT(i, total) {
        A s = 0;
        for (i64 k = 0; k < chunks; ++k) s += parts[((i / n) * chunks + k) * n + i % n];
        out[i] = s * factor;
    }
}

// y = (x - low[c]) * times[c] + plus[c], each null for nothing
KERNEL channels_apply(const T* x, const A* low, const A* times, const A* also, const A* plus, T* y, i64 total, i64 channels, i64 spatial) {
    EACH_ELEMENT(i, total) {
        i64 c = i / spatial % channels;
        A v = (A)x[i];
        if (low) v -= low[c];
        if (times) v *= times[c];
        if (also) v *= also[c];
        y[i] = (T)(plus ? v + plus[c] : v);
    }
}

// The gradient of batch norm, from sums: (2, channels) = (sum of g * xhat, sum of g) over the batch.  stats: (channels, 2)
KERNEL channels_backward(const T* g, const T* x, const A* stats, const A* sums, const A* weight, T* out, i64 total, i64 channels, i64 spatial,
                         A share) {
    EACH_ELEMENT(i, total) {
        i64 c = i / spatial % channels;
        A mean = stats[2 * c], rstd = stats[2 * c + 1];
        A v = (A)g[i] - sums[channels + c] * share - ((A)x[i] - mean) * rstd * sums[c] * share;
        out[i] = (T)(v * rstd * (weight ? weight[c] : (A)1));
    }
}
"""
FAMILY = Family("norm", TEXT)
CHUNKS = 64  # parts into which rows or images are divided for sums over them, at most


def _chunks(n, least):
    """(elements of a part, number of parts)."""
    chunk = max(least, math.ceil(n / CHUNKS))
    return chunk, math.ceil(n / chunk)


def _sum_parts(xp, like, parts, which, chunks, n, factor=1.0):
    out = xp.empty((which, n), number(like))
    FAMILY.launch(xp, "norm_parts", like, *flat_grid(which * n), parts, out, I64(chunks), I64(n), I64(which * n), number(like)(factor))
    return out


def _channel_sums(xp, kind, g, x, stats, batch, channels, spatial, groups, share, factor=1.0):
    """(2 for kind 0 or else 1, channels): see norm_channels."""
    chunk, chunks = _chunks(batch, 1)
    which = 2 if kind == 0 else 1
    parts = xp.empty((which, chunks, channels), number(x))
    threads = 32 if spatial <= 64 else 256
    FAMILY.launch(xp, "norm_channels", x, (channels, chunks), (threads,), g, x, stats, parts, I64(batch), I64(channels), I64(spatial), I64(chunk),
                  I64(groups), I64(share), I32(kind))
    return _sum_parts(xp, x, parts, which, chunks, channels, factor)


# -- by rows: layer, root-mean-square and group norm -------------------------------------------------------------------

def _last(x, axes, *affine):
    """How many elements the last axes have, when `axes` are those and weight and bias have their shape; else 0."""
    first = x.ndim - len(axes)
    if sorted(a % x.ndim for a in axes) != list(range(first, x.ndim)):
        return 0
    n = math.prod(x.shape[first:])
    return n if all(t is None or t.size == n and t.shape[-len(axes):] == x.shape[first:] for t in affine) else 0


def _rows_forward(xp, x, weight, bias, n, layout, eps, center):
    x, y = xp.ascontiguousarray(x), xp.empty(x.shape, x.dtype)
    FAMILY.launch(xp, "norm_rows", x, *rows_grid(x.size // n, n), x, wide(xp, weight, x), wide(xp, bias, x), y, I64(x.size // n), I64(n),
                  *map(I64, layout), number(x)(eps), I32(center))
    return y


def _rows_backward(xp, g, x, weight, n, layout, eps, center, needs):
    """(gradient of x or None, statistics of the rows, g and x contiguous)."""
    g, x = xp.ascontiguousarray(g), xp.ascontiguousarray(x)
    rows = x.size // n
    gx, stats = xp.empty(x.shape, x.dtype) if needs else None, xp.empty((rows, 2), number(x))
    FAMILY.launch(xp, "norm_rows_backward", x, *rows_grid(rows, n), g, x, wide(xp, weight, x), gx, stats, I64(rows), I64(n), *map(I64, layout),
                  number(x)(eps), I32(center))
    return gx, stats, g, x


def _column_sums(xp, g, x, stats, rows, n):
    chunk, chunks = _chunks(rows, 32)
    parts = xp.empty((2, chunks, n), number(x))
    FAMILY.launch(xp, "norm_weight_columns", x, (math.ceil(n / 32), chunks), (32, 8), g, x, stats, parts, I64(rows), I64(n), I64(chunk))
    return _sum_parts(xp, x, parts, 2, chunks, n)


def group_forward(xp, x, weight=None, bias=None, groups=1, eps=1e-5):
    """The op `group_normalize` on CuPy arrays."""
    if not _in_groups(x, weight, bias):
        return group_normalize.forward(xp, x, weight, bias, groups, eps)
    channels, spatial = x.shape[1], math.prod(x.shape[2:])
    return _rows_forward(xp, x, weight, bias, channels // groups * spatial, (groups, channels // groups, spatial), eps, True)


def group_backward(xp, g, x, weight, groups, eps, needs):
    """The gradients of `group_forward`."""
    if not _in_groups(x, weight) or g.dtype != x.dtype:
        return group_normalize.rules[0].fn(xp, g, x, weight, groups, eps, needs)
    batch, channels, spatial = x.shape[0], x.shape[1], math.prod(x.shape[2:])
    own = channels // groups
    gx, stats, g, x = _rows_backward(xp, g, x, weight, own * spatial, (groups, own, spatial), eps, True, needs[0])
    if not (needs[1] or needs[2]):
        return gx, None, None
    sums = _channel_sums(xp, 0, g, x, stats, batch, channels, spatial, groups, own)
    return gx, *(s.reshape(channels, *(1,) * (x.ndim - 2)) for s in sums)


def _in_groups(x, *affine):
    return FAMILY.takes(x) and x.ndim > 1 and x.size < 2**31 * x.shape[0] and all(t is None or t.size == x.shape[1] for t in affine)


# -- batch norm --------------------------------------------------------------------------------------------------------

def _are_channels(x, axes):
    return x.ndim > 1 and sorted(a % x.ndim for a in axes) == [0, *range(2, x.ndim)]


def batch_moments(xp, x, axes):
    """The op `moments` on CuPy arrays."""
    if not (FAMILY.takes(x) and _are_channels(x, axes)):
        return moments.forward(xp, x, axes)
    x = xp.ascontiguousarray(x)
    batch, channels, spatial = x.shape[0], x.shape[1], math.prod(x.shape[2:])
    sizes, share = (batch, channels, spatial, 0, 1), 1 / (batch * spatial)
    mean = _channel_sums(xp, 1, None, x, None, *sizes, share)
    var = _channel_sums(xp, 2, None, x, mean, *sizes, share)
    return tuple(t.reshape(1, channels, *(1,) * (x.ndim - 2)) for t in (mean, var))


def _apply(xp, x, low, times, also, plus):
    x, y = xp.ascontiguousarray(x), xp.empty(x.shape, x.dtype)
    FAMILY.launch(xp, "channels_apply", x, *flat_grid(x.size), x, *(wide(xp, t, x) for t in (low, times, also, plus)), y, I64(x.size),
                  I64(x.shape[1]), I64(math.prod(x.shape[2:])))
    return y


def shift_channels(xp, x, scale, shift):
    """The op `scale_shift` on CuPy arrays."""
    per_channel = x.ndim > 1 and all(t.shape == (x.shape[1], *(1,) * (x.ndim - 2)) for t in (scale, shift))
    return _apply(xp, x, None, scale, None, shift) if per_channel and FAMILY.takes(x) else scale_shift.forward(xp, x, scale, shift)


def _batch_backward(xp, g, x, weight, mean, rstd, needs):
    g, x = xp.ascontiguousarray(g), xp.ascontiguousarray(x)
    batch, channels, spatial = x.shape[0], x.shape[1], math.prod(x.shape[2:])
    stats = xp.stack([wide(xp, mean, x), wide(xp, rstd, x)], axis=1)
    sums = _channel_sums(xp, 0, g, x, stats, batch, channels, spatial, 0, 1)
    gx = None
    if needs[0]:
        gx = xp.empty(x.shape, x.dtype)
        FAMILY.launch(xp, "channels_backward", x, *flat_grid(x.size), g, x, stats, sums, wide(xp, weight, x), gx, I64(x.size), I64(channels),
                      I64(spatial), number(x)(1 / (batch * spatial)))
    return gx, *(s.reshape(channels, *(1,) * (x.ndim - 2)) for s in sums)


# -- the op that is layer, root-mean-square and batch norm -------------------------------------------------------------

def normalize_forward(xp, x, weight=None, bias=None, mean=None, rstd=None, axes=(-1,), eps=1e-5, center=True):
    """The op `normalize` on CuPy arrays."""
    if FAMILY.takes(x):
        if rstd is None and mean is None and (n := _last(x, axes, weight, bias)):
            return _rows_forward(xp, x, weight, bias, n, (1, n, 1), eps, center)
        if _has_channel_statistics(x, weight, bias, mean, rstd, axes, center):
            return _apply(xp, x, mean, rstd, weight, bias)
    return normalize.forward(xp, x, weight, bias, mean, rstd, axes, eps, center)


def _has_channel_statistics(x, weight, bias, mean, rstd, axes, center):
    return rstd is not None and mean is not None and center and _are_channels(x, axes) and all(
        t is None or t.size == x.shape[1] for t in (weight, bias, mean, rstd))


def normalize_backward(xp, g, x, weight, mean, rstd, bias_shape, axes, eps, center, needs):
    """The gradients of `normalize_forward` for x, weight and bias."""
    if FAMILY.takes(x) and g.dtype == x.dtype:
        n = _last(x, axes, weight)
        if rstd is None and mean is None and n and (bias_shape is None or math.prod(bias_shape) == n):
            gx, stats, g, x = _rows_backward(xp, g, x, weight, n, (1, n, 1), eps, center, needs[0])
            if not (needs[1] or needs[2]):
                return gx, None, None
            sums = _column_sums(xp, g, x, stats, x.size // n, n)
            return gx, *(s.reshape(x.shape[x.ndim - len(axes):]) for s in sums)
        if _has_channel_statistics(x, weight, None, mean, rstd, axes, center) and (bias_shape is None or math.prod(bias_shape) == x.shape[1]):
            return _batch_backward(xp, g, x, weight, mean, rstd, needs)
    return normalize.rules[0].fn(xp, g, x, weight, mean, rstd, bias_shape, axes, eps, center, needs)


def register():
    """Put the kernels in the place of the formulas on CuPy arrays."""
    normalize.kernel("cupy")(normalize_forward)
    normalize.kernel("cupy", vjp="x")(normalize_backward)
    group_normalize.kernel("cupy")(group_forward)
    group_normalize.kernel("cupy", vjp="x")(group_backward)
    moments.kernel("cupy")(batch_moments)
    scale_shift.kernel("cupy")(shift_channels)
