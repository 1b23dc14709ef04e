"""The error function on NumPy arrays, which have none of their own.

float64: the rational approximations of W. J. Cody, "Rational Chebyshev approximations for the error function", Math. Comp. 23 (1969), in
three ranges, good to the last bit or two.  float32 erf: x P(x^2) / Q(x^2) on |x| <= 3.9375, beyond which erf is 1 in float32; P and Q of
degree 5 were fitted to minimise the largest relative error, which is 2e-8, and float32 arithmetic makes 6 units in the last place of it.
"""
import math

import numpy as np

# |x| <= 0.46875:  erf(x) = x A(x^2) / B(x^2).   Highest power first, here and below.
_A = (1.85777706184603153e-1, 3.16112374387056560e0, 1.13864154151050156e2, 3.77485237685302021e2, 3.20937758913846947e3)
_B = (1.0, 2.36012909523441209e1, 2.44024637934444173e2, 1.28261652607737228e3, 2.84423683343917062e3)
# 0.46875 <= x <= 4:  erfc(x) = exp(-x^2) C(x) / D(x)
_C = (2.15311535474403846e-8, 5.64188496988670089e-1, 8.88314979438837594e0, 6.61191906371416295e1, 2.98635138197400131e2,
      8.81952221241769090e2, 1.71204761263407058e3, 2.05107837782607147e3, 1.23033935479799725e3)
_D = (1.0, 1.57449261107098347e1, 1.17693950891312499e2, 5.37181101862009858e2, 1.62138957456669019e3, 3.29079923573345963e3,
      4.36261909014324716e3, 3.43936767414372164e3, 1.23033935480374942e3)
# x >= 4:  erfc(x) = exp(-x^2) / x (1 / sqrt(pi) - P(t) / Q(t) t),  t = 1 / x^2
_P = (1.63153871373020978e-2, 3.05326634961232344e-1, 3.60344899949804439e-1, 1.25781726111229246e-1, 1.60837851487422766e-2,
      6.58749161529837803e-4)
_Q = (1.0, 2.56852019228982242e0, 1.87295284992346725e0, 5.27905102951428412e-1, 6.05183413124413191e-2, 2.33520497626869185e-3)

_LIMIT32 = np.float32(3.9375)
_P32 = tuple(np.float32(c) for c in (2.0359216250653844e-06, 0.00028475746512413025, 0.0037901822943240404, 0.05282175913453102,
                                     0.19106844067573547, 1.1283791065216064))
_Q32 = tuple(np.float32(c) for c in (3.793893120018765e-05, 0.0011672433465719223, 0.01501877699047327, 0.11436957120895386,
                                     0.502662718296051, 1.0))
_BLOCK = 1 << 13  # elements worked on at a time: four temporaries stay in the cache


def erf(x):
    """erf of a float32 or float64 array, in its type."""
    if x.dtype != np.float32:
        return _small_or_tail(x, lambda a, tail: np.copysign(1 - tail, a), lambda inner: inner)
    flat, out = x.reshape(-1), np.empty(x.size, np.float32)
    for start in range(0, flat.size, _BLOCK):
        _erf32(flat[start:start + _BLOCK], out[start:start + _BLOCK])
    return out.reshape(x.shape)


def erfc(x):
    """1 - erf, without cancellation, of a float32 or float64 array, in its type."""
    wide = x.astype(np.float64) if x.dtype == np.float32 else x
    return _small_or_tail(wide, lambda a, tail: np.where(a < 0, 2 - tail, tail), lambda inner: 1 - inner).astype(x.dtype, copy=False)


def erfinv(x):
    """The inverse of erf, of a float32 or float64 array, in its type: a starting value, then four Newton steps on the smaller of erf, erfc.

    S. Winitzki, "A handy approximation for the error function and its inverse" (2008), gives the starting value, good to 0.002.
    """
    y = x.astype(np.float64)
    a = np.absolute(y)
    rest = np.log1p(-a * a)
    first = 2 / (math.pi * 0.147) + rest / 2
    z = np.sqrt(np.sqrt(first * first - rest / 0.147) - first)
    for _ in range(4):
        miss = np.where(a < 0.5, _small_or_tail(z, lambda _, tail: 1 - tail, lambda inner: inner) - a, (1 - a) - erfc(z))
        z = z - miss * (math.sqrt(math.pi) / 2) * np.exp(z * z)
    z = np.where(a == 1, np.inf, np.where(a > 1, np.nan, z))
    return np.copysign(z, y).astype(x.dtype)


def _erf32(x, out):
    x = np.minimum(np.maximum(x, -_LIMIT32), _LIMIT32)
    t = x * x
    _horner(_P32, t, out)
    out *= x
    out /= _horner(_Q32, t, np.empty_like(t))
    np.minimum(out, 1, out=out)
    np.maximum(out, -1, out=out)


def _horner(coefficients, t, out):
    """The polynomial in t, highest power first, into `out`."""
    np.multiply(t, coefficients[0], out=out)
    for c in coefficients[1:-1]:
        out += c
        out *= t
    out += coefficients[-1]
    return out


def _small_or_tail(x, from_tail, from_inner):
    """Each element of float64 `x` by the range it is in: from_inner(erf(x)) near zero, from_tail(x, erfc(|x|)) elsewhere."""
    flat = x.reshape(-1)
    out = np.empty_like(flat)
    inside = np.absolute(flat) <= 0.46875
    small, large = flat[inside], flat[~inside]
    if small.size:
        t = small * small
        out[inside] = from_inner(small * np.polyval(_A, t) / np.polyval(_B, t))
    if large.size:
        out[~inside] = from_tail(large, _tail(np.absolute(large)))
    return out.reshape(x.shape)


def _tail(a):
    """erfc(a) for a > 0.46875.  exp(-a^2) is split so that the rounding of a^2 does no harm."""
    ratio = _scaled_tail(a)
    head = np.trunc(np.minimum(a, 30) * 16) / 16
    tail = np.exp(-head * head) * np.exp(-(a - head) * (a + head)) * ratio
    return np.where(a > 27, np.where(np.isnan(a), a, 0), tail)


def _scaled_tail(a):
    """exp(a^2) erfc(a) for a > 0.46875."""
    ratio = np.polyval(_C, a) / np.polyval(_D, a)
    far = a > 4
    if far.any():
        b = a[far]
        t = 1 / (b * b)
        ratio[far] = (1 / math.sqrt(math.pi) - t * np.polyval(_P, t) / np.polyval(_Q, t)) / b
    return ratio


def erfcx(x):
    """exp(x^2) erfc(x) of a float32 or float64 array, in its type."""
    flat = x.reshape(-1).astype(np.float64)
    a = np.absolute(flat)
    with np.errstate(all="ignore"):
        out = np.exp(flat * flat) * erfc(flat)
        far = a > 0.46875
        tail = _scaled_tail(np.where(far, a, 1))
        out = np.where(far, np.where(flat > 0, tail, 2 * np.exp(flat * flat) - tail), out)
    return np.where(flat == np.inf, 0, out).reshape(x.shape).astype(x.dtype)


def log_ndtr(x):
    """The logarithm of the standard normal distribution function, of a float32 or float64 array, in its type."""
    wide = x.astype(np.float64)
    with np.errstate(all="ignore"):
        low = np.log(erfcx(np.maximum(-wide, 0) * math.sqrt(0.5)) / 2) - wide * wide / 2
        high = np.log1p(-erfc(np.maximum(wide, -1) * math.sqrt(0.5)) / 2)
    return np.where(wide < -1, np.where(wide == -np.inf, -np.inf, low), high).astype(x.dtype)


def ndtri(x):
    """The inverse of the standard normal distribution function: by `erfinv` in the middle, elsewhere Newton's steps on `log_ndtr`."""
    p = x.astype(np.float64)
    with np.errstate(all="ignore"):
        outer = np.minimum(p, 1 - p)
        goal = np.log(np.where(outer > 0, outer, 0.1))
        z = -np.sqrt(np.maximum(-2 * goal - np.log(np.maximum(-4 * math.pi * goal, 1)), 0.01))
        for _ in range(6):
            now = log_ndtr(z)
            z = z - (now - goal) * np.exp(now + z * z / 2) * math.sqrt(2 * math.pi)
        out = np.where(outer < 0.1, np.where(p < 0.5, z, -z), erfinv(2 * p - 1) * math.sqrt(2))
    out = np.where(p == 0, -np.inf, np.where(p == 1, np.inf, np.where((p < 0) | (p > 1), np.nan, out)))
    return out.astype(x.dtype)
