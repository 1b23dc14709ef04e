"""The inverse gamma distribution."""
from . import constraints
from ._names import rg
from .gamma import Gamma
from .transformed_distribution import TransformedDistribution
from .transforms import PowerTransform

__all__ = ["InverseGamma"]


class InverseGamma(TransformedDistribution):
    """1 / X, X ~ Gamma(concentration, rate)."""

    arg_constraints = {"concentration": constraints.positive, "rate": constraints.positive}
    support = constraints.positive
    has_rsample = True

    def __init__(self, concentration, rate, validate_args=None):
        base = Gamma(concentration, rate, validate_args=validate_args)
        super().__init__(base, PowerTransform(-base.rate.new_ones(())), validate_args=validate_args)

    concentration = property(lambda self: self.base_dist.concentration)
    rate = property(lambda self: self.base_dist.rate)
    mode = property(lambda self: self.rate / (self.concentration + 1))

    @property
    def mean(self):
        """inf up to a concentration of 1."""
        return rg.where(self.concentration > 1, self.rate / (self.concentration - 1), rg.tensor(float("inf"), dtype=self.rate.dtype))

    @property
    def variance(self):
        """inf up to a concentration of 2."""
        a = self.concentration
        return rg.where(a > 2, self.rate.square() / ((a - 1).square() * (a - 2)), rg.tensor(float("inf"), dtype=self.rate.dtype))

    def entropy(self):
        """See Distribution."""
        a = self.concentration
        return a + self.rate.log() + a.lgamma() - (1 + a) * a.digamma()
