"""Gamma numbers, and how they move with their shape parameter."""
from typing import Any

import numpy as np

from .. import _rng
from .._core.op import op
from .._core.promotion import to_float
from ._gamma import digamma
from ._run import refuses_gradient, run

LARGE = 200.0  # shapes from here on by the Wilson-Hilferty approximation; the series would need as many terms


@op(promote=to_float, random=True, fast=False, grad_name="StandardGamma", syncs=True)
def standard_gamma(xp, x, generator: object = None):
    """Gamma numbers of rate 1, each element of `x` a shape parameter.  On CUDA they are drawn on the host.

    The gradient is implicit (Figurnov et al. 2018, arXiv:1805.08498): dz/dx = -(dP(x, z)/dx) / density(z), P the distribution function.
    """
    source: Any = _rng.generator_beside(x, generator)
    shapes = (x if xp is np else x.get()).astype(np.float64)
    return xp.asarray(source.on_host().standard_gamma(shapes)).astype(x.dtype)


@standard_gamma.vjp("x")
def _(xp, g, x, out):
    return g * run(standard_gamma_grad, xp, x, out)


@op(promote=to_float, fast=False, syncs=True)
def standard_gamma_grad(xp, x, y):
    """dz/dx of a gamma number z = y of shape x, its quantile kept; see `standard_gamma`."""
    a, z = (np.asarray(v if xp is np else v.get(), np.float64) for v in np.broadcast_arrays(x, y))
    z = np.maximum(z, np.finfo(np.float64).tiny)
    out = np.where(a < LARGE, _by_series(np.minimum(a, LARGE), z), _by_wilson_hilferty(a, z))
    return xp.asarray(out).astype(x.dtype)


for _name in ("x", "y"):
    refuses_gradient(standard_gamma_grad, _name)


def _by_series(a, z):
    """-(dP/da) / p, from P(a, z) = sum over n of z^(a + n) exp(-z) / gamma(a + n + 1)  (A. and S. 6.5.29), term by term.

    term_n / p = z (z / (a + 1)) ... (z / (a + n)) / a, and its derivative for a is term_n (log z - digamma(a + n + 1)).
    """
    log_z = np.log(z)
    term = z / a
    psi = digamma(a + 1)
    total = term * (psi - log_z)
    for n in range(1, 2000):
        term = term * (z / (a + n))
        psi = psi + 1 / (a + n)
        step = term * (psi - log_z)
        total = total + step
        if not np.any(np.abs(step) > 1e-15 * np.abs(total)) and n > 8:
            break
    tail = z > a + 12 * np.sqrt(a) + 25  # where the sum is a small difference of large terms: from log Q = (a - 1) log z - z - lgamma(a)
    return np.where(tail, (log_z - digamma(a)) / (1 - (a - 1) / z), total)


def _by_wilson_hilferty(a, z):
    """From z = a c^3, c = 1 - 1 / (9 a) + q / (3 sqrt(a)), q normal and kept (Wilson and Hilferty 1931)."""
    c = np.cbrt(z / a)
    q = (c - 1 + 1 / (9 * a)) * 3 * np.sqrt(a)
    return c ** 3 + 3 * a * c ** 2 * (1 / (9 * a ** 2) - q / (6 * a ** 1.5))
