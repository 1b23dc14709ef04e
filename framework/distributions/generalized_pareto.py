"""The generalised Pareto distribution."""
import math

from . import constraints
from ._elementwise import Elementwise
from ._names import rg
from .utils import uniform

__all__ = ["GeneralizedPareto"]


class GeneralizedPareto(Elementwise):
    """P(x) = 1 - (1 + c z)^(-1 / c), z = (x - loc) / scale, c = concentration; 1 - exp(-z) where c is 0."""

    arg_constraints = {"loc": constraints.real, "scale": constraints.positive, "concentration": constraints.real}
    has_rsample = True

    def __init__(self, loc, scale, concentration, validate_args=None):
        self._begin(validate_args, loc=loc, scale=scale, concentration=concentration)

    @constraints.dependent_property(is_discrete=False, event_dim=0)
    def support(self):
        """From loc on, up to loc - scale / c for negative c."""
        upper = rg.where(self.concentration < 0, self.loc - self.scale / self.concentration, rg.full_like(self.loc, math.inf))
        return constraints.interval(self.loc, upper)

    def _is_zero(self):
        return rg.isclose(self.concentration, rg.zeros_like(self.concentration))

    def _safe(self):
        return rg.where(self._is_zero(), rg.ones_like(self.concentration), self.concentration)

    @property
    def mean(self):
        """inf from c = 1 on."""
        mean = self.loc + self.scale / (1 - self.concentration)
        return rg.where(self.concentration < 1, mean, rg.full_like(self.loc, math.inf))

    @property
    def variance(self):
        """inf from c = 1/2 on."""
        c = self.concentration
        return rg.where(c < 0.5, self.scale ** 2 / ((1 - c) ** 2 * (1 - 2 * c)), rg.full_like(self.loc, math.inf))

    mode = property(lambda self: self.loc)

    def rsample(self, sample_shape=()):
        """See Distribution."""
        return self.icdf(uniform(self._extended_shape(sample_shape), self.loc))

    def _log_survival(self, value):
        z = (value - self.loc) / self.scale
        return rg.where(self._is_zero(), -z, -rg.log1p(self._safe() * z) / self._safe())

    def log_prob(self, value):
        """See Distribution."""
        log_survival = self._log_survival(self._checked(value))
        return -self.scale.log() + rg.where(self._is_zero(), log_survival, (1 + self.concentration) * log_survival)

    def cdf(self, value):
        """See Distribution."""
        return -rg.expm1(self._log_survival(self._checked(value)))

    def icdf(self, value):
        """See Distribution."""
        e = -rg.log1p(-value)
        return self.loc + self.scale * rg.where(self._is_zero(), e, rg.expm1(self._safe() * e) / self._safe())

    def entropy(self):
        """See Distribution."""
        return self.scale.log() + self.concentration + 1
