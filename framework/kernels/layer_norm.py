"""The gradients of layer and root-mean-square norm over short rows: for x, weight and bias in one pass over the gradient and x, and one over sums.

A warp takes a row at a time and keeps the sums of its columns in registers; the sums of blocks are added in a fixed order, without atomics.  Longer
rows go the way of norm.py.  See family.py for the words of the text.
"""
import math

from .family import I32, I64, Family, number, wide

TEXT = r"""
constexpr int SLOTS = sizeof(A) == 8 ? 16 : 32;  // columns that a lane keeps sums of
constexpr int WARPS = 8;                          // of a block

// W elements at a time.  Lane l has the columns (l + 32 k) W to (l + 32 k) W + W - 1.
template <int W> __device__ void backward(const T* g, const T* x, const A* weight, T* out, A* parts, i64 rows, i64 n, A eps, int center) {
    struct alignas(W * sizeof(T)) Some { T v[W]; };
    __shared__ A sums[2][32 * SLOTS];
    A sw[SLOTS], sb[SLOTS];
    for (int k = 0; k < SLOTS; ++k) sw[k] = sb[k] = 0;
    for (i64 row = (i64)blockIdx.x * WARPS + threadIdx.y; row < rows; row += (i64)gridDim.x * WARPS) {
        const T* gs = g + row * n;
        const T* xs = x + row * n;
        A mean = 0, q = 0, level = 0, slope = 0;
        if (center) {
            each(xs, n, [&](i64, A v) { mean += v; });
            mean = row_sum(mean) / n;
        }
        each(xs, n, [&](i64, A v) { q += (v - mean) * (v - mean); });
        A rstd = 1 / sqrt(row_sum(q) / n + eps);
#pragma unroll
        for (int k = 0; k < SLOTS / W; ++k) {
            i64 c = ((i64)threadIdx.x + 32 * k) * W;
            if (c >= n) continue;
            Some p = *(const Some*)(gs + c), s = *(const Some*)(xs + c);
#pragma unroll
            for (int j = 0; j < W; ++j) {
                A a = (A)p.v[j], h = ((A)s.v[j] - mean) * rstd;
                sw[k * W + j] += a * h;
                sb[k * W + j] += a;
                if (weight) a *= weight[c + j];
                level += a;
                slope += a * h;
            }
        }
        if (!out) continue;
        level = center ? row_sum(level) / n : 0;
        slope = row_sum(slope) / n;
#pragma unroll
        for (int k = 0; k < SLOTS / W; ++k) {
            i64 c = ((i64)threadIdx.x + 32 * k) * W;
            if (c >= n) continue;
            Some p = *(const Some*)(gs + c), s = *(const Some*)(xs + c);
#pragma unroll
            for (int j = 0; j < W; ++j) {
                A a = (A)p.v[j] * (weight ? weight[c + j] : (A)1);
                p.v[j] = (T)(rstd * (a - level - ((A)s.v[j] - mean) * rstd * slope));
            }
            *(Some*)(out + row * n + c) = p;
        }
    }
    for (int w = 0; w < WARPS; ++w) {
        if (threadIdx.y == w) {
#pragma unroll
            for (int k = 0; k < SLOTS; ++k) {
                int c = (threadIdx.x + 32 * (k / W)) * W + k % W;
                sums[0][c] = (w ? sums[0][c] : 0) + sw[k];
                sums[1][c] = (w ? sums[1][c] : 0) + sb[k];
            }
        }
        __syncthreads();
    }
    for (i64 c = threadIdx.y * 32 + threadIdx.x; c < n; c += 32 * WARPS) {
        parts[blockIdx.x * n + c] = sums[0][c];
        parts[(gridDim.x + blockIdx.x) * n + c] = sums[1][c];
    }
}

// out: the gradient of x, or null;  parts: (2: sums of g * xhat, of g; blocks; n)
KERNEL layer_norm_backward(const T* g, const T* x, const A* weight, T* out, A* parts, i64 rows, i64 n, A eps, int center) {
    if (packs(g, n) && packs(x, n) && packs(out, n)) backward<WIDE>(g, x, weight, out, parts, rows, n, eps, center);
    else backward<1>(g, x, weight, out, parts, rows, n, eps, center);
}

// blockDim (32, 8), a block for 32 columns of each of the two
KERNEL layer_norm_columns(const A* parts, A* gw, A* gb, i64 chunks, i64 n) {
    __shared__ A sums[WARPS][33];
    i64 c = (i64)blockIdx.x * 32 + threadIdx.x;
    A s = 0;
    if (c < n)
#pragma unroll 4
        for (i64 k = threadIdx.y; k < chunks; k += WARPS) s += parts[(blockIdx.y * chunks + k) * n + c];
    sums[threadIdx.y][threadIdx.x] = s;
    __syncthreads();
    if (threadIdx.y == 0 && c < n) {
        for (int k = 1; k < WARPS; ++k) s += sums[k][threadIdx.x];
        (blockIdx.y ? gb : gw)[c] = s;
    }
}
"""
FAMILY = Family("layer_norm", TEXT)
BLOCK, MOST = (32, 8), 264  # threads; blocks, so that each sums over several rows
LONGEST = {"d": 512}  # elements of a row, by type; others: 1024


def takes(x, n):
    """Whether rows of n elements are short enough."""
    return n <= LONGEST.get(x.dtype.char, 1024)


def gradients(xp, g, x, weight, n, eps, center, needs_x):
    """The gradients for x (None where it is not needed), weight and bias of rows of n elements, the last two as vectors in the type computed in."""
    g, x = xp.ascontiguousarray(g), xp.ascontiguousarray(x)
    rows, kind = x.size // n, number(x)
    blocks = min(MOST, math.ceil(rows / 16))
    gx, parts = xp.empty(x.shape, x.dtype) if needs_x else None, xp.empty((2, blocks, n), kind)
    FAMILY.launch(xp, "layer_norm_backward", x, (blocks,), BLOCK, g, x, wide(xp, weight, x), gx, parts, I64(rows), I64(n), kind(eps), I32(center))
    gw, gb = xp.empty((n,), kind), xp.empty((n,), kind)
    FAMILY.launch(xp, "layer_norm_columns", x, (math.ceil(n / 32), 2), BLOCK, parts, gw, gb, I64(blocks), I64(n))
    return gx, gw, gb
