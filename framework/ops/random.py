"""Random numbers in the shape, type and place of a tensor.  What was in the tensor plays no part, so its gradient is zero."""
from functools import partial
from typing import Any

import numpy as np

from .. import _rng
from .._core.op import op


def _random(formula, syncs=False):
    """Declare a random op of one tensor; its attribute `generator` is None for the default one of the tensor's device."""
    record = op(random=True, fast=False, syncs=syncs)(formula)

    @record.vjp("x")
    def _(xp, g):
        return xp.zeros_like(g)
    return record


def _scaled(z, factor, shift):
    """factor * z + shift, over z."""
    if factor != 1:
        z *= factor
    if shift:
        z += shift
    return z


@_random
def normal(xp, x, mean: float = 0.0, std: float = 1.0, generator: object = None):
    """Normal numbers with this mean and standard deviation."""
    if std < 0:
        raise RuntimeError(f"normal expects std >= 0.0, but found std {std}")
    return _scaled(_rng.generator_beside(x, generator).normal(x.shape, x.dtype), std, mean)


@_random
def uniform(xp, x, low: float = 0.0, high: float = 1.0, generator: object = None):
    """Numbers evenly from [low, high)."""
    if not low <= high:
        raise RuntimeError(f"uniform_ expects to return a [from, to) range, but found from={low} > to={high}")
    return _scaled(_rng.generator_beside(x, generator).uniform(x.shape, x.dtype), high - low, low)


@_random
def exponential(xp, x, rate: float = 1.0, generator: object = None):
    """Exponential numbers: density rate * exp(-rate * x)."""
    if not rate > 0:
        raise RuntimeError(f"exponential_ expects lambda > 0.0, but found lambda={rate}")
    return _scaled(_rng.generator_beside(x, generator).exponential(x.shape, x.dtype), 1 / rate, 0)


@_random
def log_normal(xp, x, mean: float = 1.0, std: float = 2.0, generator: object = None):
    """Numbers whose logarithm is normal with this mean and standard deviation."""
    if not std > 0:
        raise RuntimeError(f"log_normal_ expects std > 0.0, but found std={std}")
    return xp.exp(_scaled(_rng.generator_beside(x, generator).normal(x.shape, x.dtype), std, mean))


@_random
def bernoulli(xp, x, p: Any = None, generator: object = None):
    """Ones with probability `p` (a number or an array that broadcasts; None: the elements of `x` are the probabilities), else zeros."""
    p = x if p is None else p
    inside = (p >= 0) & (p <= 1)
    if not (inside if isinstance(p, (int, float)) else xp is not np or inside.all()):
        raise RuntimeError(f"Expected p_in >= 0 && p_in <= 1 to be true, but got false: probabilities lie between 0 and 1, not at {p}")
    return _rng.generator_beside(x, generator).below(x.shape, p).astype(x.dtype)


@_random
def integers(xp, x, low: int, high: int, generator: object = None):
    """Integers evenly from [low, high), in the type of `x`."""
    if low >= high:
        raise RuntimeError(f"random_ expects 'from' to be less than 'to', but got from={low} >= to={high}")
    return _rng.generator_beside(x, generator).integers(low, high, x.shape, x.dtype)


@_random
def cauchy(xp, x, median: float = 0.0, sigma: float = 1.0, generator: object = None):
    """Cauchy numbers: density sigma / pi / ((x - median)^2 + sigma^2)."""
    if not sigma > 0:
        raise RuntimeError(f"cauchy_ expects sigma > 0.0, but found sigma={sigma}")
    return _scaled(xp.tan((_rng.generator_beside(x, generator).uniform(x.shape, x.dtype) - 0.5) * np.pi), sigma, median).astype(x.dtype, copy=False)


@_random
def geometric(xp, x, p: float, generator: object = None):
    """The number of the first success, 1, 2, ..., in trials that succeed with probability `p`."""
    if not 0 < p < 1:
        raise RuntimeError(f"geometric_ expects p to be in (0, 1), but got p={p}")
    u = _rng.generator_beside(x, generator).uniform(x.shape, np.dtype(np.float64))
    return xp.maximum(xp.ceil(xp.log1p(-u) / np.log1p(-p)), 1).astype(x.dtype)


@partial(_random, syncs=True)
def poisson(xp, x, generator: object = None):
    """Poisson numbers, each element of `x` a rate.  On CUDA they are drawn on the host."""
    rates = x if xp is np else x.get()
    if not bool((rates >= 0).all()):
        raise RuntimeError("invalid Poisson rate, expected rate to be non-negative")
    return xp.asarray(_rng.generator_beside(x, generator).on_host().poisson(rates.astype(np.float64))).astype(x.dtype)


@op(random=True, fast=False, syncs=True)
def binomial(xp, x, y, generator: object = None):
    """The number of successes among `x` trials that succeed with probability `y`.  On CUDA they are drawn on the host."""
    count, chance = (a.astype(np.float64) if xp is np else a.get().astype(np.float64) for a in (x, y))
    if not bool((count >= 0).all()):
        raise RuntimeError("invalid binomial count, expected all counts to be non-negative")
    if not bool(((chance >= 0) & (chance <= 1)).all()):
        raise RuntimeError("invalid binomial probability, expected all probabilities to lie between 0 and 1")
    return xp.asarray(_rng.generator_beside(x, generator).on_host().binomial(np.rint(count).astype(np.int64), chance)).astype(x.dtype)


@binomial.vjp("x", "y")
def _(xp, g, x_shape, y_shape):
    return xp.zeros_like(g), xp.zeros_like(g)
