"""The regularised incomplete gamma functions P(a, x) and Q(a, x) = 1 - P, for NumPy arrays of floats, in double precision.

x < a + 1: the series A. and S. 6.5.29; beyond, Legendre's continued fraction 6.5.31 by Lentz's method; a >= 100: Gauss and Legendre's rule
over the part of the integrand that counts (Numerical Recipes, 3rd edition, section 6.2), which needs no more steps for a larger `a`.
"""
import functools

import numpy as np

from ._gamma import in_double, lgamma

_MANY = 100.0  # from this `a` on by quadrature
_STEPS = 400
_TINY = 1e-300


@functools.cache
def _rule():
    """Nodes and weights on [-1, 1]; made when first needed, since NumPy imports its polynomials for them."""
    return np.polynomial.legendre.leggauss(64)


def _front(a, x):
    """x^a exp(-x) / gamma(a)"""
    return np.exp(a * np.log(x) - x - lgamma(a))


def _series(a, x):
    """P(a, x)"""
    term = total = 1 / a
    for k in range(1, _STEPS):
        term = term * x / (a + k)
        total = total + term
        if not np.any(term > total * 1e-17):
            break
    return total * _front(a, x)


def _fraction(a, x):
    """Q(a, x)"""
    b = x + 1 - a
    c, d = np.full_like(b, 1 / _TINY), 1 / b
    h = d
    for k in range(1, _STEPS):
        step, b = -k * (k - a), b + 2
        d = step * d + b
        d = 1 / np.where(np.abs(d) < _TINY, _TINY, d)
        c = b + step / c
        c = np.where(np.abs(c) < _TINY, _TINY, c)
        h = h * (d * c)
        if not np.any(np.abs(d * c - 1) > 1e-16):
            break
    return h * _front(a, x)


def _quadrature(a, x):
    """(P, Q) for large `a`: the side that x is on by the rule, the other one as the rest."""
    top, width = a - 1, np.sqrt(a)
    above = x > top
    end = np.where(above, np.maximum(top + 11.5 * width, x + 6 * width), np.maximum(0, np.minimum(top - 7.5 * width, x - 5 * width)))
    nodes, weights = _rule()
    t = x[..., None] + (end - x)[..., None] * (1 + nodes) / 2
    top = top[..., None]
    away = (t - top) / top  # Stirling's series for gamma(a) taken into the exponent, where it cancels almost all
    density = np.exp(top * (np.log1p(away) - away) - 1 / (12 * top) + 1 / (360 * top ** 3)) / np.sqrt(2 * np.pi * top)
    part = np.abs((density * weights).sum(-1) * (end - x) / 2)
    return np.where(above, 1 - part, part), np.where(above, part, 1 - part)


@in_double
def gammainc(a, x, upper=False):
    """P(a, x), or with `upper` Q(a, x): nan where one is negative or both are 0."""
    a, x = np.broadcast_arrays(a, x)
    good = (a > 0) & (x > 0) & np.isfinite(a) & np.isfinite(x)
    low, high = np.zeros(a.shape), np.ones(a.shape)
    for part, both in ((good & (a < _MANY) & (x < a + 1), lambda a, x: _with_rest(_series(a, x))),
                       (good & (a < _MANY) & (x >= a + 1), lambda a, x: _with_rest(_fraction(a, x))[::-1]),
                       (good & (a >= _MANY), _quadrature)):
        if part.any():
            low[part], high[part] = both(a[part], x[part])
    everything = (x > 0) & ((a == 0) | (np.isinf(x) & np.isfinite(a)))
    undefined = (a < 0) | (x < 0) | np.isnan(a) | np.isnan(x) | ((a == 0) & (x == 0)) | (np.isinf(a) & np.isinf(x))
    low, high = np.where(everything, 1, low), np.where(everything, 0, high)
    return np.where(undefined, np.nan, high if upper else low)


def _with_rest(part):
    return part, 1 - part
