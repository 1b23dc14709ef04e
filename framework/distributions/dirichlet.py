"""The Dirichlet distribution."""
from . import constraints
from ._names import rg
from .exp_family import ExponentialFamily
from .gamma import standard_gamma

__all__ = ["Dirichlet"]


class Dirichlet(ExponentialFamily):
    """Density of probabilities x: (..., k) proportional to the product of x_i^(a_i - 1).  concentration a: (..., k)

    ValueError for a concentration without dimensions.  Samples are gamma numbers over their sum, and so are their gradients.
    """

    arg_constraints = {"concentration": constraints.independent(constraints.positive, 1)}
    support = constraints.simplex
    has_rsample = True
    _mean_carrier_measure = 0

    def __init__(self, concentration, validate_args=None):
        if concentration.dim() < 1:
            raise ValueError("`concentration` parameter must be at least one-dimensional.")
        self.concentration = concentration
        super().__init__(concentration.shape[:-1], concentration.shape[-1:], validate_args=validate_args)

    def rsample(self, sample_shape=()):
        """See Distribution."""
        tiny = rg.finfo(self.concentration.dtype).tiny
        parts = standard_gamma(self.concentration.expand(self._extended_shape(sample_shape))).clamp(min=tiny)
        return parts / parts.sum(-1, keepdim=True)

    def log_prob(self, value):
        """See Distribution."""
        if self._validate_args:
            self._validate_sample(value)
        a = self.concentration
        return rg.xlogy(a - 1.0, value).sum(-1) + rg.lgamma(a.sum(-1)) - rg.lgamma(a).sum(-1)

    @property
    def mean(self):
        """a over its sum."""
        return self.concentration / self.concentration.sum(-1, True)

    @property
    def mode(self):
        """Where all concentrations are at most 1, the place of the largest."""
        a = (self.concentration - 1).clamp(min=0.0)
        mode = a / a.sum(-1, True)
        small = (self.concentration < 1).all(-1)
        one_hot = rg.arange(mode.shape[-1], device=mode.device) == mode.argmax(-1, keepdim=True)
        return rg.where(small.unsqueeze(-1), one_hot.to(mode.dtype), mode)

    @property
    def variance(self):
        """See Distribution."""
        total = self.concentration.sum(-1, True)
        return self.concentration * (total - self.concentration) / (total.pow(2) * (total + 1))

    def entropy(self):
        """See Distribution."""
        a, k = self.concentration, self.concentration.shape[-1]
        total = a.sum(-1)
        return rg.lgamma(a).sum(-1) - rg.lgamma(total) - (k - total) * rg.digamma(total) - ((a - 1.0) * rg.digamma(a)).sum(-1)

    @property
    def _natural_params(self):
        return (self.concentration,)

    def _log_normalizer(self, x):
        return x.lgamma().sum(-1) - rg.lgamma(x.sum(-1))
