"""The normal distribution."""
import math

from .._core.modes import no_grad
from . import constraints
from ._elementwise import Elementwise
from ._names import rg
from .exp_family import ExponentialFamily
from .utils import standard_normal

__all__ = ["Normal"]


class Normal(Elementwise, ExponentialFamily):
    """Density exp(-((x - loc) / scale)^2 / 2) / (scale sqrt(2 pi))."""

    arg_constraints = {"loc": constraints.real, "scale": constraints.positive}
    support = constraints.real
    has_rsample = True
    _mean_carrier_measure = 0

    def __init__(self, loc, scale, validate_args=None):
        self._begin(validate_args, loc=loc, scale=scale)

    mean = property(lambda self: self.loc)
    mode = property(lambda self: self.loc)
    stddev = property(lambda self: self.scale)
    variance = property(lambda self: self.stddev ** 2)

    def sample(self, sample_shape=()):
        """See Distribution."""
        with no_grad():
            return self.rsample(sample_shape)

    def rsample(self, sample_shape=()):
        """See Distribution."""
        return self.loc + standard_normal(self._extended_shape(sample_shape), self.loc) * self.scale

    def log_prob(self, value):
        """See Distribution."""
        z = (self._checked(value) - self.loc) / self.scale
        return -(z ** 2) / 2 - rg.log(self.scale) - math.log(math.sqrt(2 * math.pi))

    def cdf(self, value):
        """See Distribution."""
        return 0.5 * (1 + rg.erf((self._checked(value) - self.loc) * self.scale.reciprocal() / math.sqrt(2)))

    def icdf(self, value):
        """See Distribution."""
        return self.loc + self.scale * rg.erfinv(2 * value - 1) * math.sqrt(2)

    def entropy(self):
        """See Distribution."""
        return 0.5 + 0.5 * math.log(2 * math.pi) + rg.log(self.scale)

    @property
    def _natural_params(self):
        return self.loc / self.scale.pow(2), -0.5 * self.scale.pow(2).reciprocal()

    def _log_normalizer(self, x, y):
        return -0.25 * x.pow(2) / y + 0.5 * rg.log(-math.pi / y)
