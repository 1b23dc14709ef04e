"""CUDA source of the random number generator: Philox-4x32-10 (Salmon et al. 2011, "Parallel random numbers: as easy as 1, 2, 3").

Every kernel reads {seed, counter} from device memory, so that a captured CUDA graph draws new numbers at each replay.  Thread i turns
counter + i into four 32-bit words, which fill the next 2 or 4 elements of `out`; `advance` then moves the counter.
"""
import math

import numpy as np

OPTIONS = ("-std=c++17",)
NUMBERS = r"""
typedef unsigned int u32;
typedef unsigned long long u64;

__device__ inline void philox(const u64* state, u64 block, u32 w[4]) {
    u64 counter = state[1] + block;
    u32 k0 = (u32)state[0], k1 = (u32)(state[0] >> 32);
    w[0] = (u32)counter; w[1] = (u32)(counter >> 32); w[2] = 0; w[3] = 0;
    #pragma unroll
    for (int round = 0; round < 10; ++round) {
        u64 p0 = (u64)0xD2511F53u * w[0], p1 = (u64)0xCD9E8D57u * w[2];
        u32 a = (u32)(p1 >> 32) ^ w[1] ^ k0, b = (u32)p1, c = (u32)(p0 >> 32) ^ w[3] ^ k1, d = (u32)p0;
        w[0] = a; w[1] = b; w[2] = c; w[3] = d;
        k0 += 0x9E3779B9u; k1 += 0xBB67AE85u;
    }
}

// Whether the number that uniform_float32 makes of a word is below p.
__device__ inline bool below(u32 word, float p) { return (float)(word >> 8) * 0x1p-24f < p; }
"""
SOURCE = NUMBERS + r"""
__device__ inline double unit53(u32 high, u32 low) {
    return (double)((((u64)high << 32) | low) >> 11) * 0x1p-53;
}

#define EACH_BLOCK(per) \
    for (u64 i = (u64)blockIdx.x * blockDim.x + threadIdx.x, first = i * per; first < n; \
         i += (u64)gridDim.x * blockDim.x, first = i * per)

extern "C" __global__ void uniform_float32(const u64* state, float* out, u64 n) {
    EACH_BLOCK(4) {
        u32 w[4];
        philox(state, i, w);
        for (int j = 0; j < 4 && first + j < n; ++j) out[first + j] = (float)(w[j] >> 8) * 0x1p-24f;
    }
}

extern "C" __global__ void uniform_float64(const u64* state, double* out, u64 n) {
    EACH_BLOCK(2) {
        u32 w[4];
        philox(state, i, w);
        for (int j = 0; j < 2 && first + j < n; ++j) out[first + j] = unit53(w[2 * j], w[2 * j + 1]);
    }
}

// Box and Muller 1958: from two uniform numbers, the first of them not zero, two normal ones.
extern "C" __global__ void normal_float32(const u64* state, float* out, u64 n) {
    EACH_BLOCK(4) {
        u32 w[4];
        philox(state, i, w);
        for (int j = 0; j < 4; j += 2) {
            float radius = sqrtf(-2.0f * logf(((float)(w[j] >> 8) + 1.0f) * 0x1p-24f)), sine, cosine;
            sincospif(2.0f * (float)(w[j + 1] >> 8) * 0x1p-24f, &sine, &cosine);
            if (first + j < n) out[first + j] = radius * cosine;
            if (first + j + 1 < n) out[first + j + 1] = radius * sine;
        }
    }
}

extern "C" __global__ void normal_float64(const u64* state, double* out, u64 n) {
    EACH_BLOCK(2) {
        u32 w[4];
        philox(state, i, w);
        double radius = sqrt(-2.0 * log(1.0 - unit53(w[0], w[1]))), sine, cosine;
        sincospi(2.0 * unit53(w[2], w[3]), &sine, &cosine);
        out[first] = radius * cosine;
        if (first + 1 < n) out[first + 1] = radius * sine;
    }
}

extern "C" __global__ void bits64(const u64* state, u64* out, u64 n) {
    EACH_BLOCK(2) {
        u32 w[4];
        philox(state, i, w);
        for (int j = 0; j < 2 && first + j < n; ++j) out[first + j] = ((u64)w[2 * j] << 32) | w[2 * j + 1];
    }
}

extern "C" __global__ void below_float32(const u64* state, bool* out, u64 n, float p) {
    EACH_BLOCK(4) {
        u32 w[4];
        philox(state, i, w);
        for (int j = 0; j < 4 && first + j < n; ++j) out[first + j] = below(w[j], p);
    }
}

extern "C" __global__ void advance(u64* state, u64 blocks) {
    state[1] += blocks;
}
"""

PER_BLOCK = {"uniform_float32": 4, "uniform_float64": 2, "normal_float32": 4, "normal_float64": 2, "bits64": 2,
             "below_float32": 4}  # elements per counter value

THREADS, MOST_BLOCKS = 256, 4096
_MODULES = {}


def below(xp, state, first, shape, p):
    """Booleans of `shape`, True where a number from [0, 1) is below p: from the numbers of a state, those `first` counters behind its own.

    state: {seed, counter}, (2) int64 on the device, as `Generator.reserve` returns it
    """
    if xp not in _MODULES:
        _MODULES[xp] = xp.RawModule(code=SOURCE, options=OPTIONS)
    out, n = xp.empty(shape, bool), math.prod(shape)
    there = state.copy()
    there[1:] += first
    grid = min(-(-n // (THREADS * PER_BLOCK["below_float32"])), MOST_BLOCKS)
    _MODULES[xp].get_function("below_float32")((grid,), (THREADS,), (there.view(np.uint64), out, np.uint64(n), np.float32(p)))
    return out
