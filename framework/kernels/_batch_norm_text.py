"""The CUDA C of batch_norm.py.  See family.py for its words.

An image is (batch, channels, spatial), a channel's elements neighbours, or, in the kernels called `last`, (rows, n), the channels neighbours: there a
thread takes W channels, all of its 16 bytes (`wide`) or one, and every blockDim.y-th row of a chunk.
"""

TEXT = r"""
// Of n numbers: their mean, and the sum of the squares of their distances from it.
struct Moments { A n, mean, m2; };

// Of two sets together.  Chan, Golub & LeVeque 1979.
__device__ inline Moments join(Moments a, Moments b) {
    A n = a.n + b.n;
    if (n == 0) return a;
    A d = b.mean - a.mean, share = b.n / n;
    return {n, a.mean + d * share, a.m2 + b.m2 + d * d * (a.n * share)};
}

// Of a warp's numbers; right in lane 0.
__device__ inline Moments over_warp(Moments m) {
    for (int o = 16; o; o >>= 1)
        m = join(m, {__shfl_xor_sync(ALL, m.n, o), __shfl_xor_sync(ALL, m.mean, o), __shfl_xor_sync(ALL, m.m2, o)});
    return m;
}

// A block per channel and chunk of the batch, of which each of its blockDim.y parts takes an image at a time.
// parts: (3: n, mean, m2; chunks; channels)
KERNEL batch_moments(const T* x, A* parts, i64 batch, i64 channels, i64 spatial, i64 chunk) {
    __shared__ Moments found[32];
    i64 c = blockIdx.x, from = (i64)blockIdx.y * chunk, to = min(from + chunk, batch);
    Moments m = {0, 0, 0};
    for (i64 b = from + threadIdx.y; b < to; b += blockDim.y)
        each_pack(x + (b * channels + c) * spatial, spatial, [&](i64, const A* v, int k) {
            A mean = 0, m2 = 0;
            for (int j = 0; j < k; ++j) mean += v[j];
            mean *= (A)1 / k;
            for (int j = 0; j < k; ++j) m2 += (v[j] - mean) * (v[j] - mean);
            m = join(m, {(A)k, mean, m2});
        });
    m = over_warp(m);
    int thread = threadIdx.y * blockDim.x + threadIdx.x, warps = blockDim.x * blockDim.y >> 5;
    if ((thread & 31) == 0) found[thread >> 5] = m;
    __syncthreads();
    if (thread == 0) {
        for (int k = 1; k < warps; ++k) m = join(m, found[k]);
        i64 at = (i64)blockIdx.y * channels + c, next = gridDim.y * channels;
        parts[at] = m.n;
        parts[at + next] = m.mean;
        parts[at + 2 * next] = m.m2;
    }
}

template <int W> __device__ void moments_last(const T* x, A* parts, i64 rows, i64 n, i64 chunk) {
    __shared__ A counts[256], means[256][W], squares[256][W];
    i64 c = ((i64)blockIdx.x * blockDim.x + threadIdx.x) * W;
    i64 from = (i64)blockIdx.y * chunk, to = min(from + chunk, rows);
    A count = 0, mean[W], m2[W];
    for (int j = 0; j < W; ++j) mean[j] = m2[j] = 0;
    if (c < n) {
#pragma unroll 4
        for (i64 row = from + threadIdx.y; row < to; row += blockDim.y) {
            auto a = some<W>(x, row * n + c);
            count += 1;
            A share = 1 / count;
            for (int j = 0; j < W; ++j) {
                A d = (A)a.v[j] - mean[j];
                mean[j] += d * share;
                m2[j] += d * ((A)a.v[j] - mean[j]);
            }
        }
    }
    int thread = threadIdx.y * blockDim.x + threadIdx.x;
    counts[thread] = count;
    for (int j = 0; j < W; ++j) { means[thread][j] = mean[j]; squares[thread][j] = m2[j]; }
    for (int half = blockDim.y / 2; half; half /= 2) {
        __syncthreads();
        if ((int)threadIdx.y < half) {
            int other = thread + half * blockDim.x;
            Moments m = {counts[thread], 0, 0};
            for (int j = 0; j < W; ++j) {
                m = join({counts[thread], means[thread][j], squares[thread][j]}, {counts[other], means[other][j], squares[other][j]});
                means[thread][j] = m.mean;
                squares[thread][j] = m.m2;
            }
            counts[thread] = m.n;
        }
    }
    if (threadIdx.y == 0 && c < n) {
        i64 at = (i64)blockIdx.y * n + c, next = gridDim.y * n;
        for (int j = 0; j < W; ++j) {
            parts[at + j] = counts[thread];
            parts[at + next + j] = means[thread][j];
            parts[at + 2 * next + j] = squares[thread][j];
        }
    }
}
KERNEL batch_moments_last(const T* x, A* parts, i64 rows, i64 n, i64 chunk) { moments_last<1>(x, parts, rows, n, chunk); }
KERNEL batch_moments_last_wide(const T* x, A* parts, i64 rows, i64 n, i64 chunk) { moments_last<WIDE>(x, parts, rows, n, chunk); }

// The chunks together, a warp per channel; what the host does not ask for is null.  The running statistics move by `momentum` towards the new ones.
KERNEL batch_statistics(const A* parts, A* mean, A* var, A* rstd, A* running_mean, A* running_var, i64 chunks, i64 channels, A eps, A momentum) {
    EACH_ROW(c, channels) {
        Moments m = {0, 0, 0};
        for (i64 k = threadIdx.x; k < chunks; k += 32)
            m = join(m, {parts[k * channels + c], parts[(chunks + k) * channels + c], parts[(2 * chunks + k) * channels + c]});
        m = over_warp(m);
        if (threadIdx.x == 0) {
            mean[c] = m.mean;
            if (var) var[c] = m.m2 / m.n;
            if (rstd) rstd[c] = 1 / sqrt(m.m2 / m.n + eps);
            if (running_mean) running_mean[c] = running_mean[c] * (1 - momentum) + m.mean * momentum;
            if (running_var) running_var[c] = running_var[c] * (1 - momentum) + m.m2 / (m.n - 1) * momentum;
        }
    }
}

// What happens to every element of a channel: y = (x - low) * by + plus, where null stands for nothing.
struct Line { A low, by, plus; };
__device__ inline Line line_of(i64 c, const A* low, const A* times, const A* also, const A* plus) {
    return {low ? low[c] : (A)0, (times ? times[c] : (A)1) * (also ? also[c] : (A)1), plus ? plus[c] : (A)0};
}
__device__ inline A at(Line l, A v) { return (v - l.low) * l.by + l.plus; }

// The channel of element i; quick divisions where there are fewer than 2^31 elements.
__device__ inline i64 channel_of(i64 i, i64 channels, i64 spatial, bool few) {
    return few ? (unsigned)i / (unsigned)spatial % (unsigned)channels : i / spatial % channels;
}

KERNEL batch_apply(const T* x, const A* low, const A* times, const A* also, const A* plus, T* y, i64 total, i64 channels, i64 spatial) {
    bool few = total < 1ll << 31;
    EACH_ELEMENT(i, total) y[i] = (T)at(line_of(channel_of(i, channels, spatial, few), low, times, also, plus), (A)x[i]);
}

// The same for large images: the work of a row of threads each.
KERNEL batch_apply_planes(const T* x, const A* low, const A* times, const A* also, const A* plus, T* y, i64 planes, i64 channels, i64 spatial) {
    EACH_ROW(plane, planes) {
        Line line = line_of(plane % channels, low, times, also, plus);
        map1(x + plane * spatial, y + plane * spatial, spatial, [=](i64, A v) { return at(line, v); });
    }
}

template <int W> __device__ void apply_last(const T* x, const A* low, const A* times, const A* also, const A* plus, T* y, i64 rows, i64 n) {
    i64 c = ((i64)blockIdx.x * blockDim.x + threadIdx.x) * W;
    if (c >= n) return;
    Line line[W];
    for (int j = 0; j < W; ++j) line[j] = line_of(c + j, low, times, also, plus);
#pragma unroll 2
    for (i64 row = (i64)blockIdx.y * blockDim.y + threadIdx.y; row < rows; row += (i64)gridDim.y * blockDim.y) {
        auto a = some<W>(x, row * n + c);
        for (int j = 0; j < W; ++j) a.v[j] = (T)at(line[j], (A)a.v[j]);
        put(y, row * n + c, a);
    }
}
KERNEL batch_apply_last(const T* x, const A* low, const A* times, const A* also, const A* plus, T* y, i64 rows, i64 n) {
    apply_last<1>(x, low, times, also, plus, y, rows, n);
}
KERNEL batch_apply_last_wide(const T* x, const A* low, const A* times, const A* also, const A* plus, T* y, i64 rows, i64 n) {
    apply_last<WIDE>(x, low, times, also, plus, y, rows, n);
}

// The gradient for an element of a channel, from sums over the batch, of which `share` makes means.
struct Slope { A mean, level, slope, by; };
__device__ inline Slope slope_of(i64 c, const A* mean, const A* rstd, const A* slopes, const A* levels, const A* weight, A share) {
    return {mean[c], levels[c] * share, slopes[c] * share * rstd[c], rstd[c] * (weight ? weight[c] : (A)1)};
}
__device__ inline A at(Slope s, A g, A v) { return (g - s.level - (v - s.mean) * s.slope) * s.by; }

KERNEL batch_backward(const T* g, const T* x, const A* mean, const A* rstd, const A* slopes, const A* levels, const A* weight, T* out, i64 total,
                      i64 channels, i64 spatial, A share) {
    bool few = total < 1ll << 31;
    EACH_ELEMENT(i, total) {
        Slope slope = slope_of(channel_of(i, channels, spatial, few), mean, rstd, slopes, levels, weight, share);
        out[i] = (T)at(slope, (A)g[i], (A)x[i]);
    }
}

KERNEL batch_backward_planes(const T* g, const T* x, const A* mean, const A* rstd, const A* slopes, const A* levels, const A* weight, T* out,
                             i64 planes, i64 channels, i64 spatial, A share) {
    EACH_ROW(plane, planes) {
        Slope slope = slope_of(plane % channels, mean, rstd, slopes, levels, weight, share);
        map2(g + plane * spatial, x + plane * spatial, out + plane * spatial, spatial, [=](i64, A a, A v) { return at(slope, a, v); });
    }
}

template <int W> __device__ void backward_last(const T* g, const T* x, const A* mean, const A* rstd, const A* slopes, const A* levels,
                                               const A* weight, T* out, i64 rows, i64 n, A share) {
    i64 c = ((i64)blockIdx.x * blockDim.x + threadIdx.x) * W;
    if (c >= n) return;
    Slope slope[W];
    for (int j = 0; j < W; ++j) slope[j] = slope_of(c + j, mean, rstd, slopes, levels, weight, share);
#pragma unroll 2
    for (i64 row = (i64)blockIdx.y * blockDim.y + threadIdx.y; row < rows; row += (i64)gridDim.y * blockDim.y) {
        auto a = some<W>(g, row * n + c), b = some<W>(x, row * n + c);
        for (int j = 0; j < W; ++j) a.v[j] = (T)at(slope[j], (A)a.v[j], (A)b.v[j]);
        put(out, row * n + c, a);
    }
}
KERNEL batch_backward_last(const T* g, const T* x, const A* mean, const A* rstd, const A* slopes, const A* levels, const A* weight, T* out,
                           i64 rows, i64 n, A share) {
    backward_last<1>(g, x, mean, rstd, slopes, levels, weight, out, rows, n, share);
}
KERNEL batch_backward_last_wide(const T* g, const T* x, const A* mean, const A* rstd, const A* slopes, const A* levels, const A* weight, T* out,
                                i64 rows, i64 n, A share) {
    backward_last<WIDE>(g, x, mean, rstd, slopes, levels, weight, out, rows, n, share);
}
"""
