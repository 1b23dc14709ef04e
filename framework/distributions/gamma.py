"""The gamma distribution."""
from .. import ops
from . import constraints
from ._elementwise import Elementwise
from ._names import rg
from .exp_family import ExponentialFamily

__all__ = ["Gamma"]


def standard_gamma(concentration):
    """Gamma numbers of rate 1, kept above 0, with implicit gradients."""
    return ops.standard_gamma(concentration)


class Gamma(Elementwise, ExponentialFamily):
    """Density rate^a x^(a - 1) exp(-rate x) / gamma(a), a = concentration, x > 0."""

    arg_constraints = {"concentration": constraints.positive, "rate": constraints.positive}
    support = constraints.nonnegative
    has_rsample = True
    _mean_carrier_measure = 0

    def __init__(self, concentration, rate, validate_args=None):
        self._begin(validate_args, concentration=concentration, rate=rate)

    mean = property(lambda self: self.concentration / self.rate)
    mode = property(lambda self: ((self.concentration - 1) / self.rate).clamp(min=0))
    variance = property(lambda self: self.concentration / self.rate.pow(2))

    def rsample(self, sample_shape=()):
        """See Distribution."""
        shape = self._extended_shape(sample_shape)
        value = standard_gamma(self.concentration.expand(shape)) / self.rate.expand(shape)
        return value.clamp(min=rg.finfo(value.dtype).tiny)

    def log_prob(self, value):
        """See Distribution."""
        value = rg.as_tensor(value, dtype=self.rate.dtype, device=self.rate.device)
        self._checked(value)
        a, rate = self.concentration, self.rate
        return rg.xlogy(a, rate) + rg.xlogy(a - 1, value) - rate * value - rg.lgamma(a)

    def cdf(self, value):
        """See Distribution."""
        return rg.igamma(self.concentration, self.rate * self._checked(value))

    def entropy(self):
        """See Distribution."""
        a = self.concentration
        return a - rg.log(self.rate) + rg.lgamma(a) + (1.0 - a) * rg.digamma(a)

    @property
    def _natural_params(self):
        return self.concentration - 1, -self.rate

    def _log_normalizer(self, x, y):
        return rg.lgamma(x + 1) + (x + 1) * rg.log(-y.reciprocal())
