// CUDA as CuPy's headers and kernels take it, over the emulator of tests/kernels: half precision under NVIDIA's names, conversions of bits, atomics,
// mathematics, dynamic shared memory, and kernels without barriers run without fibers.
#pragma once
#define ENDED_THREADS_DO_NOT_COUNT
#include "emulator.hpp"

#include <assert.h>
#include <limits.h>
#include <stddef.h>
#include <stdio.h>

#include <cmath>
#include <initializer_list>
#include <limits>
#include <type_traits>

#undef __device__  // functions of classes are of the device too
#define __device__
#define __noinline__
#define __constant__ static
#define __restrict__ __restrict
#define __CUDACC_VER_MAJOR__ 13
#define __CUDACC_VER_MINOR__ 0
#define __CUDA_ARCH__ 900
#define warpSize 32

namespace emulator {
alignas(64) static char dynamic_shared[232448];

// A kernel in which no thread waits for another: each runs to its end.
template <class... P, size_t... I>
static int launch_plainly(void (*kernel)(P...), const unsigned* grid, const unsigned* block, void** arguments, std::index_sequence<I...>) {
    gridDim = {grid[0], grid[1], grid[2]};
    blockDim = {block[0], block[1], block[2]};
    for (unsigned z = 0; z < grid[2]; ++z)
        for (unsigned y = 0; y < grid[1]; ++y)
            for (unsigned x = 0; x < grid[0]; ++x) {
                blockIdx = {x, y, z};
                for (unsigned c = 0; c < block[2]; ++c)
                    for (unsigned b = 0; b < block[1]; ++b)
                        for (unsigned a = 0; a < block[0]; ++a) {
                            threadIdx = {a, b, c};
                            kernel(*(P*)arguments[I]...);
                        }
            }
    return 0;
}
template <class... P> static int launch_plainly(void (*kernel)(P...), const unsigned* grid, const unsigned* block, void** arguments) {
    return launch_plainly(kernel, grid, block, arguments, std::index_sequence_for<P...>());
}
template <class... P> static size_t sizes(void (*)(P...), size_t* out) {
    size_t all[] = {sizeof(P)..., 0};
    for (size_t i = 0; out && i < sizeof...(P); ++i) out[i] = all[i];
    return sizeof...(P);
}
}  // namespace emulator

// For each kernel, under the name that runtime.cpp looks for; how: launch or launch_plainly.
#define HOST_KERNEL(how, name, ...) \
    extern "C" int launch_##name(const unsigned* g, const unsigned* b, void** a) { return emulator::how(__VA_ARGS__, g, b, a); } \
    extern "C" size_t sizes_##name(size_t* out) { return emulator::sizes(__VA_ARGS__, out); }

template <class To, class From> static inline To bits_as(From x) {
    static_assert(sizeof(To) == sizeof(From));
    To y;
    memcpy(&y, &x, sizeof y);
    return y;
}
static inline float __int_as_float(int x) { return bits_as<float>(x); }
static inline float __uint_as_float(unsigned x) { return bits_as<float>(x); }
static inline int __float_as_int(float x) { return bits_as<int>(x); }
static inline unsigned __float_as_uint(float x) { return bits_as<unsigned>(x); }
static inline double __longlong_as_double(long long x) { return bits_as<double>(x); }
static inline long long __double_as_longlong(double x) { return bits_as<long long>(x); }
static inline double __hiloint2double(int high, int low) { return bits_as<double>((long long)((uint64_t)(unsigned)high << 32 | (unsigned)low)); }

typedef __half half;
struct __half_raw {
    unsigned short x;
    operator __half() const { return bits_as<__half>(x); }
    __half_raw() = default;
    __half_raw(__half h) : x(bits_as<unsigned short>(h)) {}
};
struct __nv_bfloat16_raw {
    unsigned short x;
    operator __nv_bfloat16() const { return bits_as<__nv_bfloat16>(x); }
    __nv_bfloat16_raw() = default;
    __nv_bfloat16_raw(__nv_bfloat16 h) : x(bits_as<unsigned short>(h)) {}
};
static inline unsigned short __half_as_ushort(__half h) { return bits_as<unsigned short>(h); }
static inline __half __ushort_as_half(unsigned short x) { return bits_as<__half>(x); }
static inline unsigned short __bfloat16_as_ushort(__nv_bfloat16 h) { return bits_as<unsigned short>(h); }
static inline __nv_bfloat16 __ushort_as_bfloat16(unsigned short x) { return bits_as<__nv_bfloat16>(x); }
static inline float __half2float(__half h) { return h; }
static inline __half __float2half(float x) { return x; }
static inline __half __float2half_rn(float x) { return x; }
static inline float __bfloat162float(__nv_bfloat16 h) { return h; }
static inline __nv_bfloat16 __float2bfloat16(float x) { return x; }
static inline __nv_bfloat16 __float2bfloat16_rn(float x) { return x; }

static inline bool __hisnan(__half h) { return (float)h != (float)h; }
static inline bool __hisnan(__nv_bfloat16 h) { return (float)h != (float)h; }
static inline int __hisinf(__half h) { return std::isinf((float)h); }
static inline int __hisinf(__nv_bfloat16 h) { return std::isinf((float)h); }

template <class X> static X atomicExch(X* at, X v) { X old = *at; *at = v; return old; }
template <class X> static X atomicMax(X* at, X v) { X old = *at; if (old < v) *at = v; return old; }
template <class X> static X atomicAnd(X* at, X v) { X old = *at; *at = old & v; return old; }
template <class X> static X atomicXor(X* at, X v) { X old = *at; *at = old ^ v; return old; }
static inline void __threadfence() {}
static inline void __threadfence_block() {}
static inline int __popc(unsigned x) { return __builtin_popcount(x); }
static inline int __popcll(unsigned long long x) { return __builtin_popcountll(x); }
static inline int __clz(int x) { return x ? __builtin_clz(x) : 32; }
static inline int __clzll(long long x) { return x ? __builtin_clzll(x) : 64; }
static inline int __ffs(int x) { return __builtin_ffs(x); }
static inline unsigned __umulhi(unsigned a, unsigned b) { return (unsigned)((uint64_t)a * b >> 32); }
static inline unsigned long long __umul64hi(unsigned long long a, unsigned long long b) { return (unsigned long long)((unsigned __int128)a * b >> 64); }

static inline float rsqrtf(float x) { return 1 / sqrtf(x); }
static inline float rcbrt(float x) { return 1 / cbrtf(x); }
static inline double rcbrt(double x) { return 1 / cbrt(x); }
static inline float exp10f(float x) { return powf(10, x); }
static inline float sinpi(float x) { return (float)sin(M_PI * x); }
static inline double sinpi(double x) { return sin(M_PI * x); }
static inline float cospi(float x) { return (float)cos(M_PI * x); }
static inline double cospi(double x) { return cos(M_PI * x); }
static inline double normcdf(double x) { return erfc(-x * M_SQRT1_2) / 2; }
static inline double erfinv(double y) {  // Newton's steps from Winitzki's approximation
    if (!(fabs(y) < 1)) return y == 1 ? HUGE_VAL : y == -1 ? -HUGE_VAL : NAN;
    double l = log1p(-y * y), t = 2 / (M_PI * 0.147) + l / 2, x = copysign(sqrt(sqrt(t * t - l / 0.147) - t), y);
    for (int i = 0; i < 4; ++i) x -= (y > 0.5 ? (1 - y) - erfc(x) : y < -0.5 ? erfc(-x) - (1 + y) : erf(x) - y) * (sqrt(M_PI) / 2) * exp(x * x);
    return x;
}
static inline float erfinv(float y) { return (float)erfinv((double)y); }
static inline double normcdfinv(double p) { return M_SQRT2 * erfinv(2 * p - 1); }
static inline float normcdfinvf(float p) { return (float)normcdfinv(p); }
static inline double erfcx(double x) {  // for large x by its continued fraction
    if (x < 25) return exp(x * x) * erfc(x);
    double f = x;
    for (int k = 20; k; --k) f = x + k / 2.0 / f;
    return 1 / (f * sqrt(M_PI));
}
static inline float erfcxf(float x) { return (float)erfcx(x); }
static inline double cyl_bessel_i0(double x) { return std::cyl_bessel_i(0, fabs(x)); }
static inline double cyl_bessel_i1(double x) { return copysign(std::cyl_bessel_i(1, fabs(x)), x); }
static inline float cyl_bessel_i0f(float x) { return (float)cyl_bessel_i0(x); }
static inline float cyl_bessel_i1f(float x) { return (float)cyl_bessel_i1(x); }
static inline float __saturatef(float x) { return x < 0 ? 0 : x > 1 ? 1 : x; }
static inline float __fdividef(float a, float b) { return a / b; }
static inline float __expf(float x) { return expf(x); }
static inline float __logf(float x) { return logf(x); }
template <class A, class B, class C = std::common_type_t<A, B>, class = std::enable_if_t<std::is_arithmetic_v<A> && std::is_arithmetic_v<B> && !std::is_same_v<A, B>>>
static inline C min(A a, B b) { return (C)b < (C)a ? (C)b : (C)a; }
template <class A, class B, class C = std::common_type_t<A, B>, class = std::enable_if_t<std::is_arithmetic_v<A> && std::is_arithmetic_v<B> && !std::is_same_v<A, B>>>
static inline C max(A a, B b) { return (C)a < (C)b ? (C)b : (C)a; }
