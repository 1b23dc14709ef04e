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

// stats[2 * row] = mean, stats[2 * row + 1] = 1 / standard deviation, for channel_sums.py; out may be null.
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
"""
