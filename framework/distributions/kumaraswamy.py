"""The Kumaraswamy distribution."""
from . import constraints
from ._elementwise import Elementwise
from ._names import rg
from .utils import euler_constant, uniform

__all__ = ["Kumaraswamy"]


class Kumaraswamy(Elementwise):
    """P(x) = 1 - (1 - x^a)^b on [0, 1], a = concentration1, b = concentration0."""

    arg_constraints = {"concentration1": constraints.positive, "concentration0": constraints.positive}
    support = constraints.unit_interval
    has_rsample = True

    def __init__(self, concentration1, concentration0, validate_args=None):
        self._begin(validate_args, concentration1=concentration1, concentration0=concentration0)

    def _moment(self, n):
        a, b = self.concentration1, self.concentration0
        return rg.exp(b.log() + rg.lgamma(1 + n / a) + rg.lgamma(b) - rg.lgamma(1 + n / a + b))

    mean = property(lambda self: self._moment(1))
    variance = property(lambda self: self._moment(2) - rg.pow(self.mean, 2))

    @property
    def mode(self):
        """nan where a or b is below 1, or both are 1."""
        a, b = self.concentration1, self.concentration0
        mode = (a.reciprocal() * (-b).log1p() - a.reciprocal() * (-a * b).log1p()).exp()
        return mode.masked_fill((b < 1) | (a < 1), float("nan"))

    def rsample(self, sample_shape=()):
        """See Distribution."""
        info = rg.finfo(self.concentration1.dtype)
        u = uniform(self._extended_shape(sample_shape), self.concentration1).clamp(min=info.tiny, max=1 - info.eps)
        return self.icdf(u)

    def log_prob(self, value):
        """See Distribution."""
        a, b = self.concentration1, self.concentration0
        value = self._checked(value)
        return a.log() + b.log() + (a - 1) * value.log() + (b - 1) * rg.log1p(-value ** a)

    def cdf(self, value):
        """See Distribution."""
        return 1 - (1 - self._checked(value) ** self.concentration1) ** self.concentration0

    def icdf(self, value):
        """See Distribution."""
        return (-rg.expm1(rg.log1p(-value) / self.concentration0)) ** self.concentration1.reciprocal()

    def entropy(self):
        """See Distribution."""
        a, b = 1 - self.concentration1.reciprocal(), 1 - self.concentration0.reciprocal()
        h0 = rg.digamma(self.concentration0 + 1) + euler_constant
        return b + a * h0 - rg.log(self.concentration1) - rg.log(self.concentration0)
