"""GELU on NumPy arrays, in blocks that stay in the cache, without temporaries of full size.

In float32 the upper tail of the normal distribution, 1 - Phi(a) for a >= 0, is computed as 2^P(a) with a polynomial P of degree 5: the
errors in GELU and its gradient, 7e-7 and 1.2e-6, are those of torch's own float32 kernel.  Every step is one pass of NumPy's vector loops.
"""
import numpy as np

from .. import _mkl

BLOCK = 1 << 15  # elements worked on at a time
LARGE = 1 << 14  # elements from which on MKL is asked, where it is installed
LOG2_TAIL = tuple(np.float32(c) for c in (
    -4.92521246e-04, 7.22969896e-03, -5.22209855e-02, -4.59526246e-01, -1.15101810, -1.00000328))  # P, highest power first
HALF, LOG2_BELL = np.float32(0.5), np.float32(-0.7213475204444817)  # exp(-x^2 / 2) is 2^(LOG2_BELL x^2)
DENSITY_AT_0 = np.float32(0.3989422804014327)
SQRT_2_PI = 0.7978845608028654  # sqrt(2 / pi)
CUBIC = 0.044715 * SQRT_2_PI


def lower_tail32(a, out=None):
    """1 - Phi(a) for float32 a >= 0."""
    out = np.multiply(a, LOG2_TAIL[0], out=out)
    for c in LOG2_TAIL[1:-1]:
        out += c
        out *= a
    out += LOG2_TAIL[-1]
    return np.exp2(out, out=out)


def blocks(*arrays):
    """The flat `arrays` in pieces that fit the cache."""
    for start in range(0, arrays[0].size, BLOCK):
        yield [a[start:start + BLOCK] for a in arrays]


def gelu32(x):
    """x * Phi(x) of a float32 NumPy array, as max(x, 0) - |x| (1 - Phi(|x|))."""
    y = np.empty(x.shape, x.dtype)
    cdf_norm = _mkl.function("cdf_norm") if x.size >= LARGE else None
    for part, out in blocks(x.reshape(-1), y.reshape(-1)):
        if cdf_norm is not None:
            cdf_norm(part, out)
            out *= part
            continue
        a = np.absolute(part)
        lower_tail32(a, out)
        out *= a
        a += part
        a *= HALF  # max(x, 0)
        np.subtract(a, out, out=out)
    return y


def gelu_gradient32(g, x):
    """g * (Phi(x) + x * density(x)) of float32 NumPy arrays."""
    y = np.empty(x.shape, x.dtype)
    cdf_norm, exp = (_mkl.function("cdf_norm"), _mkl.function("exp")) if x.size >= LARGE else (None, None)
    for part, above, out in blocks(x.reshape(-1), np.ascontiguousarray(g).reshape(-1), y.reshape(-1)):
        if cdf_norm is not None:
            a = np.square(part)
            a *= -HALF
            exp(a, a)
            a *= part
            a *= DENSITY_AT_0
            a += cdf_norm(part, out)
            np.multiply(a, above, out=out)
            continue
        a = np.absolute(part)
        lower_tail32(a, out)
        np.square(part, out=a)
        a *= LOG2_BELL
        np.exp2(a, out=a)
        a *= part
        a *= DENSITY_AT_0
        side = part > 0
        np.subtract(side, out, out=out)  # Phi(x), save its sign where x <= 0
        np.absolute(out, out=out)
        out += a
        out *= above
    return y


def gelu_tanh(x):
    """x / 2 * (1 + tanh(c (x + 0.044715 x^3))) of a NumPy array, c = sqrt(2 / pi)."""
    y = np.empty(x.shape, x.dtype)
    for part, out in blocks(x.reshape(-1), y.reshape(-1)):
        _tanh_of_cubic(part, out)
        out += 1
        out *= part
        out *= 0.5
    return y


def gelu_tanh_gradient(g, x):
    """The gradient of `gelu_tanh`: g / 2 * (1 + t + x (1 - t^2) c (1 + 3 * 0.044715 x^2)), t the tanh."""
    y = np.empty(x.shape, x.dtype)
    for part, above, out in blocks(x.reshape(-1), g.reshape(-1), y.reshape(-1)):
        square = _tanh_of_cubic(part, out)
        square *= 3 * CUBIC
        square += SQRT_2_PI
        square *= part
        sech2 = out * out
        np.subtract(1, sech2, out=sech2)
        square *= sech2
        out += square
        out += 1
        out *= above
        out *= 0.5
    return y


def _tanh_of_cubic(x, out):
    """out = tanh(c (x + 0.044715 x^3)).  Returns x^2."""
    square = x * x
    np.multiply(square, CUBIC, out=out)
    out += SQRT_2_PI
    out *= x
    np.tanh(out, out=out)
    return square
