"""The gradients of weight and bias of every norm: for each channel the sums of g * xhat and of g.  See family.py for the words of the text.

First of chunks of the batch or of the rows, then of the chunks, in a fixed order: no atomics, the same bits every time.  A first stage exists for
images (batch, channels, spatial), whose channels' elements are neighbours, and for rows (rows, n), each of whose columns is a channel; what xhat is
made with comes with the channel (batch norm), with the image's group, or with the row.
"""
import functools
import math

from .family import I64, Family, number, rows_grid

BLOCKS = 2112  # that keep a large GPU busy to the end
SMALL = 256  # elements of an image below which fewer threads take more of them
THREADS = 256

TEXT = r"""
struct Statistics { A mean, rstd; };

// A block per channel and chunk of the batch, of which each of its blockDim.y parts takes an image at a time.  of(b): the Statistics of image b
// parts: (2: sums of g * xhat, sums of g; chunks; channels)
template <class F>
__device__ inline void sums_of_images(const T* g, const T* x, A* parts, i64 batch, i64 channels, i64 spatial, i64 chunk, F of) {
    __shared__ A found[2][32];
    i64 c = blockIdx.x, from = (i64)blockIdx.y * chunk, to = min(from + chunk, batch);
    A slope = 0, level = 0;
    for (i64 b = from + threadIdx.y; b < to; b += blockDim.y) {
        Statistics own = of(b);
        each2(g + (b * channels + c) * spatial, x + (b * channels + c) * spatial, spatial, [&](i64, A a, A v) {
            level += a;
            slope += a * ((v - own.mean) * own.rstd);
        });
    }
    for (int o = 16; o; o >>= 1) {
        slope += __shfl_xor_sync(ALL, slope, o);
        level += __shfl_xor_sync(ALL, level, o);
    }
    int thread = threadIdx.y * blockDim.x + threadIdx.x, warps = blockDim.x * blockDim.y >> 5;
    if ((thread & 31) == 0) { found[0][thread >> 5] = slope; found[1][thread >> 5] = level; }
    __syncthreads();
    if (thread < 2) {
        A s = 0;
        for (int k = 0; k < warps; ++k) s += found[thread][k];
        parts[((i64)thread * gridDim.y + blockIdx.y) * channels + c] = s;
    }
}
KERNEL batch_sums(const T* g, const T* x, const A* mean, const A* rstd, A* parts, i64 batch, i64 channels, i64 spatial, i64 chunk) {
    Statistics own = {mean[blockIdx.x], rstd[blockIdx.x]};
    sums_of_images(g, x, parts, batch, channels, spatial, chunk, [=](i64) { return own; });
}
// stats: those of every image's groups, of `share` channels each
KERNEL group_sums(const T* g, const T* x, const A* stats, A* parts, i64 batch, i64 channels, i64 spatial, i64 chunk, i64 groups, i64 share) {
    const Statistics* own = (const Statistics*)stats + blockIdx.x / share;
    sums_of_images(g, x, parts, batch, channels, spatial, chunk, [=](i64 b) { return own[b * groups]; });
}

// A thread takes W columns, all of its 16 bytes (`wide`) or one, and every blockDim.y-th row of a chunk.  of(row, j): the Statistics of an element
template <int W> __device__ inline i64 first_column() { return ((i64)blockIdx.x * blockDim.x + threadIdx.x) * W; }
template <int W, class F> __device__ inline void sums_of_columns(const T* g, const T* x, A* parts, i64 rows, i64 n, i64 chunk, F of) {
    __shared__ A slopes[256][W], levels[256][W];
    i64 c = first_column<W>(), from = (i64)blockIdx.y * chunk, to = min(from + chunk, rows);
    A slope[W], level[W];
    for (int j = 0; j < W; ++j) slope[j] = level[j] = 0;
    if (c < n) {
#pragma unroll 4
        for (i64 row = from + threadIdx.y; row < to; row += blockDim.y) {
            auto a = some<W>(g, row * n + c), b = some<W>(x, row * n + c);
            for (int j = 0; j < W; ++j) {
                Statistics own = of(row, j);
                level[j] += (A)a.v[j];
                slope[j] += (A)a.v[j] * (((A)b.v[j] - own.mean) * own.rstd);
            }
        }
    }
    int thread = threadIdx.y * blockDim.x + threadIdx.x;
    for (int j = 0; j < W; ++j) { slopes[thread][j] = slope[j]; levels[thread][j] = level[j]; }
    for (int half = blockDim.y / 2; half; half /= 2) {
        __syncthreads();
        if ((int)threadIdx.y < half)
            for (int j = 0; j < W; ++j) {
                slopes[thread][j] += slopes[thread + half * blockDim.x][j];
                levels[thread][j] += levels[thread + half * blockDim.x][j];
            }
    }
    if (threadIdx.y == 0 && c < n)
        for (int j = 0; j < W; ++j) {
            parts[(i64)blockIdx.y * n + c + j] = slopes[thread][j];
            parts[((i64)gridDim.y + blockIdx.y) * n + c + j] = levels[thread][j];
        }
}
template <int W> __device__ inline void batch_columns(const T* g, const T* x, const A* mean, const A* rstd, A* parts, i64 rows, i64 n, i64 chunk) {
    Statistics own[W] = {};
    i64 c = first_column<W>();
    if (c < n)
        for (int j = 0; j < W; ++j) own[j] = {mean[c + j], rstd[c + j]};
    sums_of_columns<W>(g, x, parts, rows, n, chunk, [&](i64, int j) { return own[j]; });
}
KERNEL batch_sums_last(const T* g, const T* x, const A* mean, const A* rstd, A* parts, i64 rows, i64 n, i64 chunk) {
    batch_columns<1>(g, x, mean, rstd, parts, rows, n, chunk);
}
KERNEL batch_sums_last_wide(const T* g, const T* x, const A* mean, const A* rstd, A* parts, i64 rows, i64 n, i64 chunk) {
    batch_columns<WIDE>(g, x, mean, rstd, parts, rows, n, chunk);
}
// stats: those of every row
template <int W> __device__ inline void row_columns(const T* g, const T* x, const A* stats, A* parts, i64 rows, i64 n, i64 chunk) {
    sums_of_columns<W>(g, x, parts, rows, n, chunk, [=](i64 row, int) { return ((const Statistics*)stats)[row]; });
}
KERNEL row_sums_last(const T* g, const T* x, const A* stats, A* parts, i64 rows, i64 n, i64 chunk) {
    row_columns<1>(g, x, stats, parts, rows, n, chunk);
}
KERNEL row_sums_last_wide(const T* g, const T* x, const A* stats, A* parts, i64 rows, i64 n, i64 chunk) {
    row_columns<WIDE>(g, x, stats, parts, rows, n, chunk);
}

// The chunks together, a warp per channel and sum.
KERNEL sums_together(const A* parts, A* slopes, A* levels, i64 chunks, i64 channels) {
    EACH_ROW(i, 2 * channels) {
        const A* from = parts + i / channels * chunks * channels + i % channels;
        A s = 0;
        for (i64 k = threadIdx.x; k < chunks; k += 32) s += from[k * channels];
        for (int o = 16; o; o >>= 1) s += __shfl_xor_sync(ALL, s, o);
        if (threadIdx.x) continue;
        if (i < channels) slopes[i] = s;
        else levels[i - channels] = s;
    }
}
"""
FAMILY = Family("channel_sums", TEXT)


# How the first stages divide their work, which batch norm's moments do likewise: (end of the kernel's name, grid, block, sizes, chunks)

def over_images(batch, channels, spatial):
    """For images whose channels' elements are neighbours."""
    side_by_side = batch >= 8 and spatial <= 2048
    chunk = max(8 if side_by_side else 1, math.ceil(batch / max(1, BLOCKS // channels)))
    chunks = math.ceil(batch / chunk)
    block = (32, 8 if spatial >= SMALL else 2) if side_by_side else (THREADS if spatial * chunk >= SMALL else 32,)
    return "", (channels, chunks), block, (I64(batch), I64(channels), I64(spatial), I64(chunk)), chunks


def over_rows(rows, n, *arrays):
    """For rows of n columns in contiguous arrays."""
    width = width_of(n, *arrays)
    across_all, across, down = tiles(n, width)
    chunk = max(4 * down, math.ceil(rows / max(1, BLOCKS // across_all)))
    chunks = math.ceil(rows / chunk)
    return f"_last{'_wide' * (width > 1)}", (across_all, chunks), (across, down), (I64(rows), I64(n), I64(chunk)), chunks


def width_of(n, *arrays):
    """How many columns a thread takes at once."""
    width = 16 // arrays[0].itemsize
    return width if not n % width and not any(a.data.ptr & 15 for a in arrays) else 1


@functools.lru_cache(1 << 10)
def tiles(n, width):
    """(blocks beside each other, threads of a block across columns, and down rows)."""
    packs = math.ceil(n / width)
    across = min(32, 1 << (packs - 1).bit_length())
    return math.ceil(packs / across), across, THREADS // across


def sums(xp, kernel, work, g, x, statistics, shape, *more):
    """(sums of g * xhat, sums of g), each of `shape`, in arrays of their own, for they become gradients.

    kernel: batch_sums, group_sums or row_sums;  work: what `over_images` or `over_rows` said;  statistics: arrays;  more: the kernel's other numbers
    """
    end, grid, block, sizes, chunks = work
    kind, channels = number(x), math.prod(shape)
    parts = xp.empty((2, chunks, channels), kind)
    FAMILY.launch(xp, f"{kernel}{end}", x, grid, block, g, x, *statistics, parts, *sizes, *more)
    slopes, levels = xp.empty(shape, kind), xp.empty(shape, kind)
    FAMILY.launch(xp, "sums_together", x, *rows_grid(2 * channels, 32), parts, slopes, levels, I64(chunks), I64(channels))
    return slopes, levels
