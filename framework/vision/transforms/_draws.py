"""Numbers by chance, all from the CPU's default generator, so that `manual_seed` repeats every transform."""
import numpy as np

from ..._core.tensor import wrap
from ..._rng import default_generator

_FLOAT32 = np.dtype(np.float32)
_INT64 = np.dtype(np.int64)


def uniform(low, high):
    """A number evenly from [low, high), rounded to float32."""
    low = float(low)
    return float(np.float32(low + (float(high) - low) * float(default_generator("cpu").uniform((1,), _FLOAT32)[0])))


def chance(p):
    """True with probability p."""
    return uniform(0, 1) < p


def integer(low, high):
    """An integer evenly from [low, high).  RuntimeError where there is none."""
    if low >= high:
        raise RuntimeError(f"random_ expects 'from' to be less than 'to', but got from={low} >= to={high}")
    return int(default_generator("cpu").integers(low, high, (1,), _INT64)[0])


def order(n):
    """The numbers 0 ... n - 1 in random order: a tensor (n)."""
    return wrap(default_generator("cpu").permutation(n))


def choice(weights):
    """An index, in proportion to `weights`."""
    edges = np.cumsum(np.asarray(weights, np.float64))
    return min(int(np.searchsorted(edges, uniform(0, 1) * edges[-1], side="right")), len(edges) - 1)


def uniforms(*shape):
    """A tensor of numbers from [0, 1), float32."""
    return wrap(default_generator("cpu").uniform(shape, _FLOAT32))


def normals(*shape):
    """A tensor of standard normal numbers, float32."""
    return wrap(default_generator("cpu").normal(shape, _FLOAT32))


def beta(alpha):
    """A number of the distribution Beta(alpha, alpha)."""
    return float(np.float32(default_generator("cpu").on_host().beta(alpha, alpha)))


def dirichlet(alpha, width, rows):
    """Rows of `width` positive numbers that add up to 1, Dirichlet(alpha, alpha, ...): a tensor (rows, width), float32."""
    return wrap(default_generator("cpu").on_host().dirichlet([alpha] * width, rows).astype(np.float32))
