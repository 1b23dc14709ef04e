// In place of Thrust, which is compiled into CuPy for a device: sorts of rows, not a number last, equal elements in their order.
//
// The three functions have the names that C++ gives them in CuPy's module, so the very declarations stand here.
#include <stddef.h>
#include <stdint.h>

#include <algorithm>
#include <complex>
#include <numeric>
#include <vector>

template <class X> static bool before(const X& a, const X& b) { return a < b || (b != b && a == a); }
template <class X> static bool before(const std::complex<X>& a, const std::complex<X>& b) {
    if (before(a.real(), b.real()) || before(b.real(), a.real())) return before(a.real(), b.real());
    return before(a.imag(), b.imag());
}

template <class F> static void with_type(int type, F f) {  // CuPy's numbers: cupy/cuda/common.pxd
    switch (type) {
        case 0: return f(int8_t());
        case 1: return f(uint8_t());
        case 2: return f(int16_t());
        case 3: return f(uint16_t());
        case 4: return f(int32_t());
        case 5: return f(uint32_t());
        case 6: return f(int64_t());
        case 7: return f(uint64_t());
        case 8: return f(_Float16());
        case 9: return f(float());
        case 10: return f(double());
        case 11: return f(std::complex<float>());
        case 12: return f(std::complex<double>());
        case 13: return f(bool());
    }
}

static size_t elements(const std::vector<ptrdiff_t>& shape) {
    return std::accumulate(shape.begin(), shape.end(), (size_t)1, [](size_t a, ptrdiff_t b) { return a * b; });
}

__attribute__((visibility("default"))) void thrust_sort(int type, void* data, size_t*, const std::vector<ptrdiff_t>& shape, intptr_t, void*) {
    with_type(type, [&](auto zero) {
        auto* x = (decltype(zero)*)data;
        for (size_t i = 0, row = shape.back(); i < elements(shape); i += row) std::stable_sort(x + i, x + i + row, [](auto& a, auto& b) { return before(a, b); });
    });
}
__attribute__((visibility("default"))) void thrust_argsort(int type, size_t* places, void* data, void*, const std::vector<ptrdiff_t>& shape, intptr_t,
                                                           void*) {
    with_type(type, [&](auto zero) {
        for (size_t i = 0, row = shape.back(); i < elements(shape); i += row) {
            auto* x = (decltype(zero)*)data + i;
            std::iota(places + i, places + i + row, (size_t)0);
            std::stable_sort(places + i, places + i + row, [&](size_t a, size_t b) { return before(x[a], x[b]); });
        }
    });
}
__attribute__((visibility("default"))) void thrust_lexsort(int type, size_t* places, void* keys, size_t k, size_t n, intptr_t, void*) {
    with_type(type, [&](auto zero) {
        std::iota(places, places + n, (size_t)0);
        for (size_t i = 0; i < k; ++i) {
            auto* x = (decltype(zero)*)keys + i * n;
            std::stable_sort(places, places + n, [&](size_t a, size_t b) { return before(x[a], x[b]); });
        }
    });
}
