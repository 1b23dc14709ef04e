"""What the families of CUDA kernels share: a text for all float types, and its launch on CuPy arrays.

A family is one text, compiled once per float type on first use and cached on disk by CuPy.  In the text

    T        the type of the arrays (__half, __nv_bfloat16, float, double);  A  the type to compute in (float; double for double)
    KERNEL   extern "C" __global__ void;  i64  long long
    each, each_pack, map1, map2   loops of a row's threads over its elements, 16 bytes at a time where the row allows it
    some<V>(p, at), put<V>(p, at, v)   V neighbours at once
    row_sum, row_max   reductions over the threads of a row, the result in all of them
    quotient, rest   / and %, in 32 bits where the numbers allow it

A row's threads are blockDim.x (a multiple of 32); with blockDim.x == 32 a block takes blockDim.y rows, a warp each.  tests/kernels runs the
same texts on the host.  Compiled and emulated, not run on a device yet.
"""
import functools
import types

import numpy as np

TYPES = {  # NumPy dtype: (storage type, type to compute in, header)
    "float16": ("__half", "float", "#include <cuda_fp16.h>\n"),
    "bfloat16": ("__nv_bfloat16", "float", "#include <cuda_bf16.h>\n"),
    "float32": ("float", "float", ""),
    "float64": ("double", "double", ""),
}
CODES = {"e": "float16", "E": "bfloat16", "f": "float32", "d": "float64"}  # by the type code of a NumPy dtype, which is quick to read
SCALARS = {"e": np.float32, "E": np.float32, "f": np.float32, "d": np.float64}  # the NumPy type of what kernels for a type compute in
MOST_BLOCKS = 1 << 16
MOST_THREADS = 512  # of a block of `rows_grid`
I64, I32, NULL = np.int64, np.int32, np.intp(0)

PRELUDE = r"""
typedef {storage} T;
typedef {compute} A;
typedef long long i64;
typedef unsigned long long u64;
#ifndef KERNEL
#define KERNEL extern "C" __global__ void
#endif
#define ALL 0xffffffffu
#define INF ((A)1 / (A)0.0f)
"""

ROWS = r"""
struct alignas(16) Pack { T v[16 / sizeof(T)]; };
constexpr int WIDE = 16 / sizeof(T);

// V neighbours, at a place that is a multiple of their size or of 16 bytes.
template <int V, class E> struct alignas(V * sizeof(E) < 16 ? V * sizeof(E) : 16) Some { E v[V]; };
template <int V, class E> __device__ inline Some<V, E> some(const E* p, i64 at) { return *(const Some<V, E>*)(p + at); }
template <int V, class E> __device__ inline void put(E* p, i64 at, const Some<V, E>& v) { *(Some<V, E>*)(p + at) = v; }

__device__ inline bool packs(const void* p, i64 n) { return (((u64)p | (u64)(n * sizeof(T))) & 15) == 0; }

// f(i, x[i]) for the elements of a row.
template <class F> __device__ inline void each(const T* x, i64 n, F f) {
    if (packs(x, n)) {
#pragma unroll 4  // so that several loads are under way
        for (i64 k = threadIdx.x; k < n / WIDE; k += blockDim.x) {
            Pack a = ((const Pack*)x)[k];
            for (int j = 0; j < WIDE; ++j) f(k * WIDE + j, (A)a.v[j]);
        }
    } else {
#pragma unroll 4
        for (i64 i = threadIdx.x; i < n; i += blockDim.x) f(i, (A)x[i]);
    }
}

// f(i, v, m): the m elements from i on of a row, 16 bytes of them or one, as an array of A.
template <class F> __device__ inline void each_pack(const T* x, i64 n, F f) {
    if (packs(x, n)) {
#pragma unroll 2
        for (i64 k = threadIdx.x; k < n / WIDE; k += blockDim.x) {
            Pack a = ((const Pack*)x)[k];
            A v[WIDE];
            for (int j = 0; j < WIDE; ++j) v[j] = (A)a.v[j];
            f(k * WIDE, v, WIDE);
        }
    } else {
        for (i64 i = threadIdx.x; i < n; i += blockDim.x) {
            A v[1] = {(A)x[i]};
            f(i, v, 1);
        }
    }
}

// f(i, a[i], b[i])
template <class F> __device__ inline void each2(const T* a, const T* b, i64 n, F f) {
    if (packs(a, n) && packs(b, n)) {
#pragma unroll 2
        for (i64 k = threadIdx.x; k < n / WIDE; k += blockDim.x) {
            Pack p = ((const Pack*)a)[k], q = ((const Pack*)b)[k];
            for (int j = 0; j < WIDE; ++j) f(k * WIDE + j, (A)p.v[j], (A)q.v[j]);
        }
    } else {
        for (i64 i = threadIdx.x; i < n; i += blockDim.x) f(i, (A)a[i], (A)b[i]);
    }
}

// y[i] = f(i, x[i]);  y may be x.
template <class F> __device__ inline void map1(const T* x, T* y, i64 n, F f) {
    if (packs(x, n) && packs(y, n)) {
        for (i64 k = threadIdx.x; k < n / WIDE; k += blockDim.x) {
            Pack a = ((const Pack*)x)[k];
            for (int j = 0; j < WIDE; ++j) a.v[j] = (T)(f(k * WIDE + j, (A)a.v[j]));
            ((Pack*)y)[k] = a;
        }
    } else {
        for (i64 i = threadIdx.x; i < n; i += blockDim.x) y[i] = (T)(f(i, (A)x[i]));
    }
}

// y[i] = f(i, a[i], b[i]);  y may be either.
template <class F> __device__ inline void map2(const T* a, const T* b, T* y, i64 n, F f) {
    if (packs(a, n) && packs(b, n) && packs(y, n)) {
        for (i64 k = threadIdx.x; k < n / WIDE; k += blockDim.x) {
            Pack p = ((const Pack*)a)[k], q = ((const Pack*)b)[k];
            for (int j = 0; j < WIDE; ++j) p.v[j] = (T)(f(k * WIDE + j, (A)p.v[j], (A)q.v[j]));
            ((Pack*)y)[k] = p;
        }
    } else {
        for (i64 i = threadIdx.x; i < n; i += blockDim.x) y[i] = (T)(f(i, (A)a[i], (A)b[i]));
    }
}

__device__ inline A larger(A a, A b) { return a > b || a != a ? a : b; }  // nan wins

#define OVER_A_ROW(name, nothing, combine) \
    __device__ A name(A v) { \
        __shared__ A part[32]; \
        for (int o = 16; o; o >>= 1) { A w = __shfl_xor_sync(ALL, v, o); v = combine; } \
        if (blockDim.x == 32) return v; \
        int warps = blockDim.x >> 5; \
        __syncthreads();  /* others may still read what the last call left */ \
        if ((threadIdx.x & 31) == 0) part[threadIdx.x >> 5] = v; \
        __syncthreads(); \
        v = (threadIdx.x & 31) < warps ? part[threadIdx.x & 31] : nothing; \
        for (int o = 16; o; o >>= 1) { A w = __shfl_xor_sync(ALL, v, o); v = combine; } \
        return v; \
    }
OVER_A_ROW(row_sum, (A)0, v + w)
OVER_A_ROW(row_max, -INF, larger(v, w))

// Divisions of 32 bits where the numbers allow it: they take a third of the time.
__device__ inline i64 quotient(i64 a, i64 b) { return (u64)(a | b) >> 32 ? a / b : (i64)((unsigned)a / (unsigned)b); }
__device__ inline i64 rest(i64 a, i64 b) { return (u64)(a | b) >> 32 ? a % b : (i64)((unsigned)a % (unsigned)b); }

#define EACH_ROW(row, rows) \
    for (i64 row = (i64)blockIdx.x * blockDim.y + threadIdx.y; row < rows; row += (i64)gridDim.x * blockDim.y)
#define EACH_ELEMENT(i, n) \
    for (i64 i = (i64)blockIdx.x * blockDim.x + threadIdx.x; i < n; i += (i64)gridDim.x * blockDim.x)
"""

FAMILIES = {}  # by name


class Family:
    """Kernels that are compiled together: `text` after the common part, for each of `dtypes`.  options: more of the compiler's."""

    def __init__(self, name, text, dtypes=tuple(TYPES), options=()):
        self.name, self.text, self.dtypes, self.options = name, text, dtypes, ("-std=c++17", *options)
        self.codes = frozenset(code for code, dtype in CODES.items() if dtype in dtypes)
        self.modules, self.functions = {}, {}
        FAMILIES[name] = self

    def source(self, dtype):
        """CUDA C for one float type (a name in TYPES)."""
        storage, compute, header = TYPES[dtype]
        return header + PRELUDE.format(storage=storage, compute=compute) + ROWS + self.text

    def takes(self, x):
        """Whether there are kernels for arrays like `x`, which has elements."""
        return x.dtype.char in self.codes and x.size > 0

    def launch(self, xp, kernel, like, grid, block, *arguments):
        """Run `kernel` for the type of the array `like`.  Arguments are arrays, None for a null pointer, and NumPy scalars of the right type."""
        function = self.functions.get((kernel, like.dtype.char, xp)) or self._compiled(xp, kernel, like.dtype.char)
        function(grid, block, [NULL if a is None else a for a in arguments])

    def _compiled(self, xp, kernel, code):
        if (code, xp) not in self.modules:
            self.modules[code, xp] = xp.RawModule(code=self.source(CODES[code]), options=self.options)
        function = self.functions[kernel, code, xp] = self.modules[code, xp].get_function(kernel)
        return function


@functools.lru_cache(1 << 12)
def rows_grid(rows, n):
    """(grid, block) for rows of n elements: short rows four to a block, a warp each; long ones a block each."""
    if n <= 1024:
        return (min(-(-rows // 4), MOST_BLOCKS),), (32, 4)
    return (min(rows, MOST_BLOCKS),), (256 if n <= 8192 else MOST_THREADS,)


@functools.lru_cache(1 << 12)
def flat_grid(n, threads=256):
    """(grid, block) for n elements, each on its own."""
    return (max(1, min(-(-n // threads), MOST_BLOCKS)),), (threads,)


def maker(xp):
    """What makes an uninitialised array of a shape and a type: of CuPy the type of its arrays, which `empty` calls in its turn."""
    return xp.ndarray if isinstance(xp, types.ModuleType) else xp.empty


def number(x):
    """The NumPy type in which kernels compute for arrays like `x`."""
    return SCALARS[x.dtype.char]


def wide(xp, t, like):
    """`t`, contiguous, in the type that kernels for arrays like `like` compute in; None for None."""
    if t is None or t.flags.c_contiguous and t.dtype.type is SCALARS[like.dtype.char]:
        return t
    return xp.ascontiguousarray(t).reshape(-1).astype(number(like), copy=False)


def rows_back(xp, y, axis, ndim):
    """The result of `rows_last` with its dimensions in their places; a number of a 0-d array."""
    return y if axis in (-1, ndim - 1) and ndim else xp.moveaxis(y, -1, axis) if ndim else y.reshape(())


def rows_last(xp, x, axis):
    """`x` contiguous with `axis` last."""
    if axis in (-1, x.ndim - 1) and x.ndim and x.flags.c_contiguous:
        return x
    return xp.ascontiguousarray(xp.moveaxis(x, axis, -1) if x.ndim else x.reshape(1))
