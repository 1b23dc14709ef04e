// CUDA on the host: every CUDA thread is a fiber, run by one thread of the machine, blocks one after the other.
//
// A fiber runs until a barrier or a warp operation, then the next one of its warp does, and a warp goes as far as it can before the next, in the
// order of numbers or backwards (emulator_order): a missing __syncthreads shows as a result that depends on the order.  Shared memory holds nan bytes when a block begins.  A barrier that
// some threads of the block (or warp) never come to ends the launch with an error instead of hanging.
#pragma once
#include <math.h>
#include <stdint.h>
#include <string.h>
#include <ucontext.h>

#include <memory>
#include <tuple>
#include <utility>
#include <vector>

struct uint3 { unsigned x, y, z; };
struct dim3 { unsigned x, y, z; };
static uint3 threadIdx, blockIdx;
static dim3 blockDim, gridDim;

#define __global__
#define KERNEL static void
#define __device__ static
#define __host__
#define __forceinline__ inline
#define __launch_bounds__(...)
#ifdef __SANITIZE_ADDRESS__
#define __shared__ static
#else
#define __shared__ static __attribute__((section("shared_memory")))
extern "C" char __start_shared_memory[] __attribute__((weak)), __stop_shared_memory[] __attribute__((weak));
#endif

namespace emulator {
constexpr size_t STACK = 128 * 1024;
enum What { READY, AT_BLOCK, AT_WARP, ENDED };
struct Fiber { ucontext_t context; What what; };
struct Job { void (*body)(void*); void* data; };

static std::vector<Fiber> fibers;
static std::unique_ptr<char[]> stacks;  // not zeroed: a thread touches a page or two of its own, and every library has its stacks
static ucontext_t scheduler;
static unsigned current;
static Job job;
static union Slot { uint64_t bits; double d; float f; int i; unsigned u; long long l; } slots[1024];
extern "C" { int emulator_order = 1; }

static void enter() {
    job.body(job.data);
    fibers[current].what = ENDED;
    swapcontext(&fibers[current].context, &scheduler);
}

static void wait(What what) {
    fibers[current].what = what;
    uint3 place = threadIdx;
    swapcontext(&fibers[current].context, &scheduler);
    threadIdx = place;
}

// Release a group of fibers that have all come to the same kind of barrier; false when it is stuck with some ended or elsewhere.
static bool release(unsigned from, unsigned to, What what) {
    unsigned waiting = 0, over = 0;
    for (unsigned i = from; i < to; ++i) {
        waiting += fibers[i].what == what;
#ifdef ENDED_THREADS_DO_NOT_COUNT  // as on a device, which others' kernels rely on
        over += fibers[i].what == ENDED;
#endif
    }
    if (!waiting || waiting + over != to - from) return false;
    for (unsigned i = from; i < to; ++i)
        if (fibers[i].what == what) fibers[i].what = READY;
    return true;
}

static void run_ready(unsigned from, unsigned to) {
    for (unsigned k = from; k < to; ++k) {
        unsigned i = emulator_order > 0 ? k : to - 1 - (k - from);
        if (fibers[i].what != READY) continue;
        current = i;
        threadIdx = {i % blockDim.x, i / blockDim.x % blockDim.y, i / blockDim.x / blockDim.y};
        swapcontext(&scheduler, &fibers[i].context);
    }
}

// Each warp goes as far as it can before the next one begins: the order in which it is easiest to be too early.
static int run_block(unsigned count) {
    for (unsigned i = 0; i < count; ++i) {
        Fiber& fiber = fibers[i];
        getcontext(&fiber.context);
        fiber.context.uc_stack.ss_sp = &stacks[i * STACK];
        fiber.context.uc_stack.ss_size = STACK;
        fiber.context.uc_link = &scheduler;
        fiber.what = READY;
        makecontext(&fiber.context, enter, 0);
    }
    unsigned warps = (count + 31) / 32;
    for (;;) {
        unsigned ended = 0;
        for (unsigned k = 0; k < warps; ++k) {
            unsigned from = 32 * (emulator_order > 0 ? k : warps - 1 - k), to = from + 32 < count ? from + 32 : count;
            do run_ready(from, to); while (release(from, to, AT_WARP));
        }
        for (unsigned i = 0; i < count; ++i) ended += fibers[i].what == ENDED;
        if (ended == count) return 0;
        if (!release(0, count, AT_BLOCK)) return 1;
    }
}

static int run_grid(const unsigned* grid, const unsigned* block) {
    gridDim = {grid[0], grid[1], grid[2]};
    blockDim = {block[0], block[1], block[2]};
    unsigned count = block[0] * block[1] * block[2];
    if (!count || count > 1024 || !grid[0] || !grid[1] || !grid[2] || grid[1] > 65535 || grid[2] > 65535) return 2;
    if (fibers.size() < count) { fibers.resize(count); stacks.reset(new char[count * STACK]); }
    for (unsigned z = 0; z < grid[2]; ++z)
        for (unsigned y = 0; y < grid[1]; ++y)
            for (unsigned x = 0; x < grid[0]; ++x) {
                blockIdx = {x, y, z};
#ifndef __SANITIZE_ADDRESS__
                if (__start_shared_memory) memset(__start_shared_memory, 0xff, __stop_shared_memory - __start_shared_memory);
#endif
                if (int error = run_block(count)) return error;
            }
    return 0;
}

// A kernel called with an array of pointers to its arguments, as cuLaunchKernel does.
template <class... P, size_t... I>
static int launch(void (*kernel)(P...), const unsigned* grid, const unsigned* block, void** arguments, std::index_sequence<I...>) {
    std::tuple<P...> values(*(P*)arguments[I]...);
    struct Call { void (*kernel)(P...); std::tuple<P...>* values; } call = {kernel, &values};
    job = {[](void* data) { Call* c = (Call*)data; std::apply(c->kernel, *c->values); }, &call};
    return run_grid(grid, block);
}
template <class... P>
static int launch(void (*kernel)(P...), const unsigned* grid, const unsigned* block, void** arguments) {
    return launch(kernel, grid, block, arguments, std::index_sequence_for<P...>());
}

// What a kernel expects, a letter for each parameter after NumPy's codes, "*" before those of pointers.
template <class X> struct Code { static constexpr const char* text = "?"; };
#define CODE(type, name) template <> struct Code<type> { static constexpr const char* text = name; };
CODE(float, "f4 ") CODE(double, "f8 ") CODE(int, "i4 ") CODE(unsigned, "u4 ") CODE(long long, "i8 ") CODE(unsigned long long, "u8 ")
CODE(unsigned char, "u1 ") CODE(bool, "b1 ") CODE(signed char, "i1 ") CODE(short, "i2 ") CODE(unsigned short, "u2 ")
template <class X> struct Code<X*> { static constexpr const char* text = "*"; };
template <class X> static void describe(char*& at) {
    using V = std::remove_cv_t<X>;
    at = stpcpy(at, Code<V>::text);
    if constexpr (std::is_pointer_v<V>) at = stpcpy(at, Code<std::remove_cv_t<std::remove_pointer_t<V>>>::text);
}
template <class... P> static void signature(void (*)(P...), char* out) { *out = 0; (describe<P>(out), ...); }
}  // namespace emulator

#define LAUNCHER(name, kernel) \
    extern "C" int launch_##name(const unsigned* g, const unsigned* b, void** a) { return emulator::launch(kernel, g, b, a); } \
    extern "C" void signature_##name(char* out) { emulator::signature(kernel, out); }

static inline void __syncthreads() { emulator::wait(emulator::AT_BLOCK); }
static inline void __syncwarp(unsigned = ~0u) { emulator::wait(emulator::AT_WARP); }

template <class X> static X exchange(X value, unsigned lane) {
    static_assert(sizeof(X) <= 8);
    unsigned base = emulator::current & ~31u;
    memcpy(&emulator::slots[emulator::current], &value, sizeof(X));
    __syncwarp();
    X other;
    memcpy(&other, &emulator::slots[base + (lane & 31)], sizeof(X));
    __syncwarp();
    return other;
}
template <class X> static X __shfl_sync(unsigned, X v, int lane) { return exchange(v, lane); }
template <class X> static X __shfl_xor_sync(unsigned, X v, int mask) { return exchange(v, (emulator::current & 31) ^ mask); }
template <class X> static X __shfl_down_sync(unsigned, X v, int by) {
    unsigned lane = emulator::current & 31;
    return exchange(v, lane + by < 32 ? lane + by : lane);
}
template <class X> static X __shfl_up_sync(unsigned, X v, int by) {
    unsigned lane = emulator::current & 31;
    return exchange(v, lane >= (unsigned)by ? lane - by : lane);
}
template <class X> static X atomicCAS(X* at, X expected, X v) { X old = *at; if (old == expected) *at = v; return old; }
template <class X> static X atomicMin(X* at, X v) { X old = *at; if (v < old) *at = v; return old; }
template <class X> static X atomicOr(X* at, X v) { X old = *at; *at = old | v; return old; }
template <class X, class V> static X atomicAdd(X* at, V v) { X old = *at; *at = old + static_cast<X>(v); return old; }
template <class X> static X __ldg(const X* at) { return *at; }
template <class X> static X min(X a, X b) { return b < a ? b : a; }
template <class X> static X max(X a, X b) { return a < b ? b : a; }
static inline float rsqrt(float x) { return 1 / sqrtf(x); }
static inline double rsqrt(double x) { return 1 / sqrt(x); }
static inline void sincospif(float x, float* s, float* c) { *s = (float)sin(M_PI * x); *c = (float)cos(M_PI * x); }
static inline void sincospi(double x, double* s, double* c) { *s = sin(M_PI * x); *c = cos(M_PI * x); }

struct __half {
    _Float16 value;
    __half() = default;
    __half(float x) : value((_Float16)x) {}
    operator float() const { return (float)value; }
};
struct __nv_bfloat16 {
    uint16_t bits;
    __nv_bfloat16() = default;
    __nv_bfloat16(float x) {
        uint32_t b;
        memcpy(&b, &x, 4);
        bits = x != x ? 0x7fc0 : (uint16_t)((b + 0x7fff + (b >> 16 & 1)) >> 16);
    }
    operator float() const { uint32_t b = (uint32_t)bits << 16; float x; memcpy(&x, &b, 4); return x; }
};
namespace emulator {
CODE(__half, "f2 ") CODE(__nv_bfloat16, "bf ")
}
