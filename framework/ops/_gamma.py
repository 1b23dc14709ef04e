"""The logarithm of the gamma function and its derivatives, for NumPy arrays of floats.

lgamma: Lanczos' sum with the coefficients of Godfrey (g = 607/128), good to 15 digits.  digamma and polygamma: shifted by recurrence to
x >= 10, then Stirling's series (Abramowitz and Stegun 6.3.18, 6.4.11).  Left of 1/2, reflection.
"""
import math

import numpy as np

_G = 607 / 128
_LANCZOS = (0.99999999999999709182, 57.156235665862923517, -59.597960355475491248, 14.136097974741747174, -0.49191381609762019978,
            .33994649984811888699e-4, .46523628927048575665e-4, -.98374475304879564677e-4, .15808870322491248884e-3, -.21026444172410488319e-3,
            .21743961811521264320e-3, -.16431810653676389022e-3, .84418223983852743293e-4, -.26190838401581408670e-4, .36899182659531622704e-5)
_BERNOULLI = (1 / 6, -1 / 30, 1 / 42, -1 / 30, 5 / 66, -691 / 2730, 7 / 6, -3617 / 510, 43867 / 798, -174611 / 330)  # B_2, B_4, ...
_FAR = 10.0  # from here on Stirling's series has converged


def in_double(fn):
    """`fn` of arrays (one type, or the first one's), computed in float64 and without warnings, in the type of the first."""
    def computed(x, *args):
        args = [a.astype(np.float64) if isinstance(a, np.ndarray) else a for a in args]
        with np.errstate(all="ignore"):
            return fn(x.astype(np.float64), *args).astype(x.dtype)
    return computed


def _sin_pi(x):
    """|sin(pi x)|, exact in the argument."""
    return np.sin(np.pi * np.abs(x - np.rint(x)))


@in_double
def lgamma(x):
    """log |gamma(x)|: inf at 0, -1, -2, ..."""
    z = np.where(x < 0.5, 1 - x, x) - 1
    total = _LANCZOS[0] + sum(c / (z + k) for k, c in enumerate(_LANCZOS[1:], 1))
    t = z + _G + 0.5
    out = (z + 0.5) * np.log(t) - t + np.log(total * math.sqrt(2 * math.pi))
    out = np.where(x < 0.5, np.log(np.pi / _sin_pi(x)) - out, out)
    return np.where(np.isinf(x), np.inf, out)


@in_double
def digamma(x):
    """gamma'(x) / gamma(x): -inf at 0 (inf at -0), nan at -1, -2, ..."""
    y = np.where(x < 0.5, 1 - x, x)
    below = sum(np.where(y + k < _FAR, 1 / (y + k), 0) for k in range(10))
    y = y + np.ceil(np.maximum(_FAR - y, 0))
    series = sum(b / (2 * k) * y ** (-2.0 * k) for k, b in enumerate(_BERNOULLI, 1))
    out = np.log(y) - 0.5 / y - series - below
    turn = x - np.rint(x)
    out = np.where(x < 0.5, out - np.pi / np.tan(np.pi * turn), out)
    return np.where(x == 0, np.copysign(np.inf, -x), np.where((x < 0) & (turn == 0), np.nan, out))


@in_double
def zeta(q, s):
    """Hurwitz' zeta function: the sum of (q + k)^-s over k = 0, 1, 2, ...; inf at q = 0, -1, -2, ...

    s: a number or an array; inf at 1, nan below, and nan where q < 0 for an s that is not whole.  Euler and Maclaurin's sum, DLMF 25.11.5.
    """
    far_below = (q < -_FAR) & np.isfinite(q)
    if far_below.any():
        return np.where(far_below, _zeta_below(np.where(far_below, q, -1.0), s), zeta(np.where(far_below, 1.0, q), s))
    steps = int(np.ceil(np.max(np.where(np.isfinite(q), np.maximum(_FAR - q, 0), 0), initial=0)))
    total, y = np.zeros(np.broadcast_shapes(q.shape, np.shape(s))), q.copy()
    s = np.asarray(s, np.float64)
    for _ in range(steps):
        near = y < _FAR
        total += np.where(near, y ** -s, 0)
        y = np.where(near, y + 1, y)
    total = total + y ** (1.0 - s) / (s - 1) + 0.5 * y ** -s
    factor = s
    for k, b in enumerate(_BERNOULLI, 1):
        total += b / math.factorial(2 * k) * factor * y ** (1.0 - s - 2 * k)
        factor = factor * (s + 2 * k - 1) * (s + 2 * k)
    total = np.where((q <= 0) & (q == np.floor(q)), np.inf, np.where((q < 0) & (s != np.floor(s)), np.nan, total))
    return np.where(s == 1, np.inf, np.where(s < 1, np.nan, total))


def _zeta_below(q, s):
    """`zeta` for negative `q` by its period: the sum over all that lie whole steps from q, less those below q.  s: a whole number, else nan."""
    part = q - np.floor(q)
    sides = zeta(part, s) + np.where(np.asarray(s) % 2 == 0, 1, -1) * (zeta(1 - part, s) - zeta(1 - q, s))
    return np.where(part == 0, np.inf, np.where(s == np.floor(s), sides, np.nan))


def polygamma(x, n):
    """The n-th derivative of digamma."""
    return digamma(x) if n == 0 else ((-1) ** (n + 1) * float(math.factorial(n)) * zeta(x, n + 1)).astype(x.dtype)


def bessel(x, order, scaled):
    """The modified Bessel function I_order for order 0 or 1 (A. and S. 9.6.10; beyond 20, 9.7.1); scaled: times exp(-|x|)."""
    dtype, x = x.dtype, x.astype(np.float64)
    size = np.abs(x)
    with np.errstate(all="ignore"):
        near = np.minimum(size, 20)
        term = (near / 2) ** order
        small = term.copy()
        for k in range(1, 48):
            term = term * (near * near / 4 / (k * (k + order)))
            small += term
        far = np.maximum(size, 20)
        term, large = np.ones_like(far), np.ones_like(far)
        for k in range(1, 30):
            term = term * (((2 * k - 1) ** 2 - 4 * order) / (8 * k * far))
            large += term
        large /= np.sqrt(2 * np.pi * far)
        out = np.where(size < 20, small * np.exp(-near) if scaled else small, large if scaled else large * np.exp(far))
    return (np.copysign(out, x) if order else out).astype(dtype)
