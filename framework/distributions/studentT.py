# ruff: noqa: N999 - torch's name of the module
"""Student's t distribution."""
import math

from . import constraints
from ._elementwise import Elementwise
from ._names import rg
from .chi2 import Chi2
from .utils import standard_normal

__all__ = ["StudentT"]


class StudentT(Elementwise):
    """loc + scale Z / sqrt(X / df), Z standard normal, X chi-squared with df degrees of freedom."""

    arg_constraints = {"df": constraints.positive, "loc": constraints.real, "scale": constraints.positive}
    support = constraints.real
    has_rsample = True
    _expanded = ("_chi2",)

    def __init__(self, df, loc=0.0, scale=1.0, validate_args=None):
        self._begin(validate_args, df=df, loc=loc, scale=scale)
        self._chi2 = Chi2(self.df, validate_args=validate_args)

    mode = property(lambda self: self.loc)

    @property
    def mean(self):
        """nan up to df = 1."""
        return rg.where(self.df > 1, self.loc, self._number(math.nan))

    @property
    def variance(self):
        """inf for df in (1, 2], nan up to 1."""
        v = rg.where(self.df > 2, self.scale.pow(2) * self.df / (self.df - 2), self._number(math.inf))
        return rg.where(self.df > 1, v, self._number(math.nan))

    def _number(self, value):
        return rg.tensor(value, dtype=self.df.dtype, device=self.df.device)

    def rsample(self, sample_shape=()):
        """See Distribution."""
        z = standard_normal(self._extended_shape(sample_shape), self.df)
        return self.loc + self.scale * z * rg.rsqrt(self._chi2.rsample(sample_shape) / self.df)

    def log_prob(self, value):
        """See Distribution."""
        y = (self._checked(value) - self.loc) / self.scale
        front = self.scale.log() + 0.5 * self.df.log() + 0.5 * math.log(math.pi) + rg.lgamma(0.5 * self.df) - rg.lgamma(0.5 * (self.df + 1.0))
        return -0.5 * (self.df + 1.0) * rg.log1p(y ** 2.0 / self.df) - front

    def entropy(self):
        """See Distribution."""
        lbeta = rg.lgamma(0.5 * self.df) + math.lgamma(0.5) - rg.lgamma(0.5 * (self.df + 1))
        return self.scale.log() + 0.5 * (self.df + 1) * (rg.digamma(0.5 * (self.df + 1)) - rg.digamma(0.5 * self.df)) + 0.5 * self.df.log() + lbeta
