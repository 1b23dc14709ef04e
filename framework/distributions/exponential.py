"""The exponential distribution."""
from . import constraints
from ._elementwise import Elementwise
from ._names import rg
from .exp_family import ExponentialFamily

__all__ = ["Exponential"]


class Exponential(Elementwise, ExponentialFamily):
    """Density rate exp(-rate x), x >= 0."""

    arg_constraints = {"rate": constraints.positive}
    support = constraints.nonnegative
    has_rsample = True
    _mean_carrier_measure = 0

    def __init__(self, rate, validate_args=None):
        self._begin(validate_args, rate=rate)

    mean = property(lambda self: self.rate.reciprocal())
    mode = property(lambda self: rg.zeros_like(self.rate))
    stddev = property(lambda self: self.rate.reciprocal())
    variance = property(lambda self: self.rate.pow(-2))

    def rsample(self, sample_shape=()):
        """See Distribution."""
        shape = self._extended_shape(sample_shape)
        return rg.empty(shape, dtype=self.rate.dtype, device=self.rate.device).exponential_() / self.rate

    def log_prob(self, value):
        """See Distribution."""
        return self.rate.log() - self.rate * self._checked(value)

    def cdf(self, value):
        """See Distribution."""
        return 1 - rg.exp(-self.rate * self._checked(value))

    def icdf(self, value):
        """See Distribution."""
        return -rg.log1p(-value) / self.rate

    def entropy(self):
        """See Distribution."""
        return 1 - rg.log(self.rate)

    @property
    def _natural_params(self):
        return (-self.rate,)

    def _log_normalizer(self, x):
        return -rg.log(-x)
