"""The uniform distribution."""
from . import constraints
from ._elementwise import Elementwise
from ._names import rg
from .utils import uniform

__all__ = ["Uniform"]


class Uniform(Elementwise):
    """Density 1 / (high - low) on [low, high).  ValueError unless low < high."""

    has_rsample = True

    def __init__(self, low, high, validate_args=None):
        self._begin(validate_args, low=low, high=high)

    @property
    def arg_constraints(self):
        """Each bound is on its side of the other."""
        return {"low": constraints.less_than(self.high), "high": constraints.greater_than(self.low)}

    @constraints.dependent_property(is_discrete=False, event_dim=0)
    def support(self):
        """[low, high]"""
        return constraints.interval(self.low, self.high)

    mean = property(lambda self: (self.high + self.low) / 2)
    mode = property(lambda self: float("nan") * self.high)
    stddev = property(lambda self: (self.high - self.low) / 12 ** 0.5)
    variance = property(lambda self: (self.high - self.low).pow(2) / 12)

    def rsample(self, sample_shape=()):
        """See Distribution."""
        return self.low + uniform(self._extended_shape(sample_shape), self.low) * (self.high - self.low)

    def log_prob(self, value):
        """See Distribution."""
        value = self._checked(value)
        inside = (self.low.le(value) & self.high.gt(value)).type_as(self.low)
        return rg.log(inside) - rg.log(self.high - self.low)

    def cdf(self, value):
        """See Distribution."""
        return ((self._checked(value) - self.low) / (self.high - self.low)).clamp(min=0, max=1)

    def icdf(self, value):
        """See Distribution."""
        return value * (self.high - self.low) + self.low

    def entropy(self):
        """See Distribution."""
        return rg.log(self.high - self.low)
