"""Samples of gamma numbers and of their slope."""
import math

import numpy as np

from .sample import Sample, const
from .samples_nn import INSIDE
from .samples_random import N, drawn, moments
from .samples_special import digamma

SHAPES, PLACES = np.array([0.4, 1.0, 2.5, 7.0, 30.0]), np.array([0.3, 1.4, 0.8, 9.0, 33.0])


def density(a, z):
    """Of gamma numbers of shape `a`."""
    return np.exp((a - 1) * np.log(z) - z - np.vectorize(math.lgamma)(a))


def slope(a, z):
    """-(dP(a, z) / da) / density(a, z), from the integral of density(a, t) * (log t - digamma(a)) up to z: Gauss' rule in u = log t."""
    nodes, weights = np.polynomial.legendre.leggauss(400)
    reach = np.maximum(45 / a, 6)[..., None]  # beyond it exp(a u) has vanished
    u = np.log(z)[..., None] + (nodes - 1) / 2 * reach
    inner = density(a[..., None], np.exp(u)) * np.exp(u) * (u - digamma(a)[..., None])
    return -(inner * weights * reach / 2).sum(-1) / density(a, z)


SAMPLES = [
    drawn("ops.standard_gamma", [const(np.full(N, 2.5))], lambda x, _: moments(2.5, math.sqrt(2.5), lambda x: x > 0)(x), op="standard_gamma",
          dtypes=("float32", "float64"), gives="same", torch=INSIDE, grad=False, call=lambda lib, a: lib.ops.standard_gamma(a.detach())),
    Sample("ops.standard_gamma_grad", [const(SHAPES), const(PLACES)], op="standard_gamma_grad", torch=INSIDE, ref=slope, grad=False, slack=1000,
           dtypes=("float32", "float64"), call=lambda lib, a, z: lib.ops.standard_gamma_grad(a.detach(), z.detach())),
]
