"""The Cauchy distribution."""
import math

from . import constraints
from ._elementwise import Elementwise
from ._names import rg
from .utils import uniform

__all__ = ["Cauchy"]


class Cauchy(Elementwise):
    """Density 1 / (pi scale (1 + ((x - loc) / scale)^2)); it has no moments."""

    arg_constraints = {"loc": constraints.real, "scale": constraints.positive}
    support = constraints.real
    has_rsample = True

    def __init__(self, loc, scale, validate_args=None):
        self._begin(validate_args, loc=loc, scale=scale)

    mean = property(lambda self: rg.full(self._extended_shape(), math.nan, dtype=self.loc.dtype, device=self.loc.device))
    mode = property(lambda self: self.loc)
    variance = property(lambda self: rg.full(self._extended_shape(), math.inf, dtype=self.loc.dtype, device=self.loc.device))

    def rsample(self, sample_shape=()):
        """See Distribution."""
        return self.loc + rg.tan((uniform(self._extended_shape(sample_shape), self.loc) - 0.5) * math.pi) * self.scale

    def log_prob(self, value):
        """See Distribution."""
        return -math.log(math.pi) - self.scale.log() - ((self._checked(value) - self.loc) / self.scale).pow(2).log1p()

    def cdf(self, value):
        """See Distribution."""
        return rg.atan((self._checked(value) - self.loc) / self.scale) / math.pi + 0.5

    def icdf(self, value):
        """See Distribution."""
        return rg.tan(math.pi * (value - 0.5)) * self.scale + self.loc

    def entropy(self):
        """See Distribution."""
        return math.log(4 * math.pi) + self.scale.log()
