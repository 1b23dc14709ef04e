"""The Pareto distribution."""
from . import constraints
from ._elementwise import Elementwise
from ._names import rg

__all__ = ["Pareto"]


class Pareto(Elementwise):
    """P(x) = 1 - (scale / x)^alpha, x >= scale."""

    arg_constraints = {"alpha": constraints.positive, "scale": constraints.positive}
    has_rsample = True

    def __init__(self, scale, alpha, validate_args=None):
        self._begin(validate_args, scale=scale, alpha=alpha)

    @constraints.dependent_property(is_discrete=False, event_dim=0)
    def support(self):
        """From scale on."""
        return constraints.greater_than_eq(self.scale)

    @property
    def mean(self):
        """inf up to alpha = 1."""
        a = self.alpha.clamp(min=1)
        return a * self.scale / (a - 1)

    mode = property(lambda self: self.scale)

    @property
    def variance(self):
        """inf up to alpha = 2."""
        a = self.alpha.clamp(min=2)
        return self.scale.pow(2) * a / ((a - 1).pow(2) * (a - 2))

    def rsample(self, sample_shape=()):
        """See Distribution."""
        shape = self._extended_shape(sample_shape)
        return self.scale * rg.exp(rg.empty(shape, dtype=self.scale.dtype, device=self.scale.device).exponential_() / self.alpha)

    def log_prob(self, value):
        """See Distribution."""
        return self.alpha.log() + self.alpha * self.scale.log() - (self.alpha + 1) * self._checked(value).log()

    def cdf(self, value):
        """See Distribution."""
        return 1 - (self.scale / self._checked(value)) ** self.alpha

    def icdf(self, value):
        """See Distribution."""
        return self.scale * rg.exp(-rg.log1p(-value) / self.alpha)

    def entropy(self):
        """See Distribution."""
        return (self.scale / self.alpha).log() + (1 + self.alpha.reciprocal())
