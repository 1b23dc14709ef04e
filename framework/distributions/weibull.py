"""The Weibull distribution."""
from . import constraints
from ._elementwise import Elementwise
from ._names import rg
from .utils import euler_constant

__all__ = ["Weibull"]


class Weibull(Elementwise):
    """P(x) = 1 - exp(-(x / scale)^concentration), x > 0."""

    arg_constraints = {"scale": constraints.positive, "concentration": constraints.positive}
    support = constraints.positive
    has_rsample = True

    def __init__(self, scale, concentration, validate_args=None):
        self._begin(validate_args, scale=scale, concentration=concentration)

    @property
    def concentration_reciprocal(self):
        """1 / concentration."""
        return self.concentration.reciprocal()

    mean = property(lambda self: self.scale * rg.exp(rg.lgamma(1 + self.concentration_reciprocal)))

    @property
    def mode(self):
        """See Distribution."""
        return self.scale * ((self.concentration - 1) / self.concentration) ** self.concentration_reciprocal

    @property
    def variance(self):
        """See Distribution."""
        r = self.concentration_reciprocal
        return self.scale.pow(2) * (rg.exp(rg.lgamma(1 + 2 * r)) - rg.exp(2 * rg.lgamma(1 + r)))

    def rsample(self, sample_shape=()):
        """See Distribution."""
        shape = self._extended_shape(sample_shape)
        e = rg.empty(shape, dtype=self.scale.dtype, device=self.scale.device).exponential_().clamp(min=rg.finfo(self.scale.dtype).tiny)
        return self.scale * e ** self.concentration_reciprocal

    def log_prob(self, value):
        """See Distribution."""
        k = self.concentration
        z = self._checked(value) / self.scale
        return k.log() - self.scale.log() + (k - 1) * z.log() - z ** k

    def cdf(self, value):
        """See Distribution."""
        return -rg.expm1(-(self._checked(value) / self.scale) ** self.concentration)

    def icdf(self, value):
        """See Distribution."""
        return self.scale * (-rg.log1p(-value)) ** self.concentration_reciprocal

    def entropy(self):
        """See Distribution."""
        r = self.concentration_reciprocal
        return euler_constant * (1 - r) + rg.log(self.scale * r) + 1
