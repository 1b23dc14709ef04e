"""The Poisson distribution."""
from .._core.modes import no_grad
from . import constraints
from ._elementwise import Elementwise
from ._names import rg
from .exp_family import ExponentialFamily
from .utils import broadcast_all

__all__ = ["Poisson"]


class Poisson(Elementwise, ExponentialFamily):
    """P(k) = rate^k exp(-rate) / k!"""

    arg_constraints = {"rate": constraints.nonnegative}
    support = constraints.nonnegative_integer

    def __init__(self, rate, validate_args=None):
        self._begin(validate_args, rate=rate)

    mean = property(lambda self: self.rate)
    mode = property(lambda self: self.rate.floor())
    variance = property(lambda self: self.rate)

    def sample(self, sample_shape=()):
        """See Distribution."""
        with no_grad():
            return rg.poisson(self.rate.expand(self._extended_shape(sample_shape)))

    def log_prob(self, value):
        """See Distribution."""
        rate, value = broadcast_all(self.rate, self._checked(value))
        return rg.xlogy(value, rate) - rate - rg.lgamma(value + 1)

    @property
    def _natural_params(self):
        return (rg.log(self.rate),)

    def _log_normalizer(self, x):
        return rg.exp(x)
