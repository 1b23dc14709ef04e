"""The Laplace distribution."""
from . import constraints
from ._elementwise import Elementwise
from ._names import rg
from .utils import uniform

__all__ = ["Laplace"]


class Laplace(Elementwise):
    """Density exp(-|x - loc| / scale) / (2 scale)."""

    arg_constraints = {"loc": constraints.real, "scale": constraints.positive}
    support = constraints.real
    has_rsample = True

    def __init__(self, loc, scale, validate_args=None):
        self._begin(validate_args, loc=loc, scale=scale)

    mean = property(lambda self: self.loc)
    mode = property(lambda self: self.loc)
    variance = property(lambda self: 2 * self.scale.pow(2))
    stddev = property(lambda self: 2 ** 0.5 * self.scale)

    def rsample(self, sample_shape=()):
        """See Distribution."""
        eps = rg.finfo(self.loc.dtype).eps
        u = (uniform(self._extended_shape(sample_shape), self.loc) * 2 - 1).clamp(min=eps - 1)
        return self.loc - self.scale * u.sign() * rg.log1p(-u.abs())

    def log_prob(self, value):
        """See Distribution."""
        return -rg.log(2 * self.scale) - rg.abs(self._checked(value) - self.loc) / self.scale

    def cdf(self, value):
        """See Distribution."""
        d = self._checked(value) - self.loc
        return 0.5 - 0.5 * d.sign() * rg.expm1(-d.abs() / self.scale)

    def icdf(self, value):
        """See Distribution."""
        p = value - 0.5
        return self.loc - self.scale * p.sign() * rg.log1p(-2 * p.abs())

    def entropy(self):
        """See Distribution."""
        return 1 + rg.log(2 * self.scale)
