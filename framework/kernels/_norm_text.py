"""The CUDA C of norm.py.  See family.py for its words."""

TEXT = r"""
// weight index of element i of a row: channels of `spatial` elements, `channels` of them in a row, rows of `groups` groups in turn
__device__ inline i64 channel(i64 row, i64 i, i64 groups, i64 channels, i64 spatial) {
    return (row % groups) * channels + (spatial == 1 ? i : (i64)((unsigned)i / (unsigned)spatial));
}

struct alignas(16) Weights { A v[16 / sizeof(A)]; };
constexpr int MANY = 16 / sizeof(A);

// The WIDE weights from number k * WIDE on, 16 bytes at a time; `nothing` without weights.
__device__ inline void some_weights(const A* w, i64 k, A nothing, A* to) {
    for (int q = 0; q < WIDE / MANY; ++q) {
        Weights p;
        if (w) p = ((const Weights*)w)[k * (WIDE / MANY) + q];
        for (int j = 0; j < MANY; ++j) to[q * MANY + j] = w ? p.v[j] : nothing;
    }
}
__device__ inline bool even(const A* w) { return ((u64)w & 15) == 0; }

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
        if (spatial == 1 && groups == 1 && packs(x + row * n, n) && packs(y, n) && even(weight) && even(bias)) {
            for (i64 k = threadIdx.x; k < n / WIDE; k += blockDim.x) {
                Pack a = ((const Pack*)(x + row * n))[k];
                A w[WIDE], b[WIDE];
                some_weights(weight, k, 1, w);
                some_weights(bias, k, 0, b);
                for (int j = 0; j < WIDE; ++j) a.v[j] = (T)(((A)a.v[j] - mean) * rstd * w[j] + b[j]);
                ((Pack*)(y + row * n))[k] = a;
            }
            continue;
        }
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
        if (spatial == 1 && groups == 1 && packs(x + row * n, n) && packs(g, n) && packs(out, n) && even(weight)) {
            const Pack* gs = (const Pack*)(g + row * n);
            const Pack* xs = (const Pack*)(x + row * n);
            for (i64 k = threadIdx.x; k < n / WIDE; k += blockDim.x) {
                Pack p = gs[k], q = xs[k];
                A w[WIDE];
                some_weights(weight, k, 1, w);
                for (int j = 0; j < WIDE; ++j) {
                    A a = (A)p.v[j] * w[j];
                    level += a;
                    slope += a * (((A)q.v[j] - mean) * rstd);
                }
            }
            level = center ? row_sum(level) / n : 0;
            slope = row_sum(slope) / n;
            for (i64 k = threadIdx.x; k < n / WIDE; k += blockDim.x) {
                Pack p = gs[k], q = xs[k];
                A w[WIDE];
                some_weights(weight, k, 1, w);
                for (int j = 0; j < WIDE; ++j) p.v[j] = (T)(rstd * ((A)p.v[j] * w[j] - level - ((A)q.v[j] - mean) * rstd * slope));
                ((Pack*)(out + row * n))[k] = p;
            }
            continue;
        }
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

// First stage for channels of `spatial` neighbours, x: (batch, channels, spatial): a block per channel and chunk of the batch, of which each of its
// blockDim.y parts takes an image at a time.  The statistics of image b and channel c are number b * groups + c / share.
// parts: (2: sums of g * xhat, sums of g; chunks; channels)
KERNEL norm_channels(const T* g, const T* x, const A* stats, A* parts, i64 batch, i64 channels, i64 spatial, i64 chunk, i64 groups, i64 share) {
    i64 c = blockIdx.x, from = (i64)blockIdx.y * chunk, to = min(from + chunk, batch);
    A first = 0, second = 0;
    __shared__ A found[2][8];
    for (i64 b = from + threadIdx.y; b < to; b += blockDim.y) {
        i64 s = b * groups + c / share;
        A mean = stats[2 * s], rstd = stats[2 * s + 1];
        each2(g + (b * channels + c) * spatial, x + (b * channels + c) * spatial, spatial, [&](i64, A a, A v) {
            second += a;
            first += a * ((v - mean) * rstd);
        });
    }
    first = row_sum(first);
    second = row_sum(second);
    if (blockDim.y > 1) {
        if (threadIdx.x == 0) { found[0][threadIdx.y] = first; found[1][threadIdx.y] = second; }
        __syncthreads();
        first = second = 0;
        for (int k = 0; k < (int)blockDim.y; ++k) { first += found[0][k]; second += found[1][k]; }
    }
    if (threadIdx.x == 0 && threadIdx.y == 0) {
        parts[(i64)blockIdx.y * channels + c] = first;
        parts[((i64)gridDim.y + blockIdx.y) * channels + c] = second;
    }
}

// Second stage, a warp per sum: out: (2, n), from parts: (2, chunks, n)
KERNEL norm_parts(const A* parts, A* out, i64 chunks, i64 n) {
    EACH_ROW(i, 2 * n) {
        const A* from = parts + i / n * chunks * n + i % n;
        A s = 0;
        for (i64 k = threadIdx.x; k < chunks; k += 32) s += from[k * n];
        for (int o = 16; o; o >>= 1) s += __shfl_xor_sync(ALL, s, o);
        if (threadIdx.x == 0) out[i] = s;
    }
}
"""
