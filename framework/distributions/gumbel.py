"""The Gumbel distribution."""
import math

from . import constraints
from ._elementwise import Elementwise
from ._names import rg
from .utils import euler_constant, uniform

__all__ = ["Gumbel"]


class Gumbel(Elementwise):
    """P(x) = exp(-exp(-(x - loc) / scale)): the largest of many."""

    arg_constraints = {"loc": constraints.real, "scale": constraints.positive}
    support = constraints.real
    has_rsample = True

    def __init__(self, loc, scale, validate_args=None):
        self._begin(validate_args, loc=loc, scale=scale)

    mean = property(lambda self: self.loc + self.scale * euler_constant)
    mode = property(lambda self: self.loc)
    stddev = property(lambda self: math.pi / math.sqrt(6) * self.scale)
    variance = property(lambda self: self.stddev.pow(2))

    def rsample(self, sample_shape=()):
        """See Distribution."""
        info = rg.finfo(self.loc.dtype)
        u = uniform(self._extended_shape(sample_shape), self.loc).clamp(min=info.tiny, max=1 - info.eps)
        return self.icdf(u)

    def log_prob(self, value):
        """See Distribution."""
        y = (self.loc - self._checked(value)) / self.scale
        return y - y.exp() - self.scale.log()

    def cdf(self, value):
        """See Distribution."""
        return rg.exp(-rg.exp((self.loc - self._checked(value)) / self.scale))

    def icdf(self, value):
        """See Distribution."""
        return self.loc - self.scale * rg.log(-rg.log(value))

    def entropy(self):
        """See Distribution."""
        return self.scale.log() + (1 + euler_constant)
