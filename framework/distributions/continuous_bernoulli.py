"""The continuous Bernoulli distribution."""
import math

from ..nn import functional as F
from . import constraints
from ._elementwise import ProbsOrLogits
from ._names import rg
from .exp_family import ExponentialFamily
from .utils import broadcast_all, clamp_probs, lazy_property, probs_to_logits, uniform

__all__ = ["ContinuousBernoulli"]


class ContinuousBernoulli(ProbsOrLogits, ExponentialFamily):
    """Density proportional to p^x (1 - p)^(1 - x) on [0, 1]  (Loaiza-Ganem and Cunningham 2019, arXiv:1907.06845).

    lims: between these probabilities, where the formulas divide 0 by 0, their Taylor series at 1/2 are used.
    """

    arg_constraints = {"probs": constraints.unit_interval, "logits": constraints.real}
    support = constraints.unit_interval
    has_rsample = True
    _mean_carrier_measure = 0
    _expanded = ("_is_probs", "_lims")

    def __init__(self, probs=None, logits=None, lims=(0.499, 0.501), validate_args=None):
        self._lims = lims
        if probs is not None:
            (probs,) = broadcast_all(probs)
            if validate_args and not bool(constraints.unit_interval.check(probs).all()):
                raise ValueError("The parameter probs has invalid values")
            probs = clamp_probs(probs)
        self._begin_choice(probs, logits, validate_args)

    @lazy_property
    def logits(self):
        """Log odds."""
        return probs_to_logits(self.probs, is_binary=True)

    @lazy_property
    def probs(self):
        """Probabilities, kept away from 0 and 1."""
        return clamp_probs(rg.sigmoid(self.logits))

    def _outside(self):
        """Where the formulas hold as they are."""
        return (self.probs <= self._lims[0]) | (self.probs > self._lims[1])

    def _cut(self):
        """The probabilities, those near 1/2 moved to where the formulas hold."""
        return rg.where(self._outside(), self.probs, self._lims[0] * rg.ones_like(self.probs))

    def _log_norm(self):
        cut = self._cut()
        below = rg.where(cut <= 0.5, cut, rg.zeros_like(cut))
        above = rg.where(cut >= 0.5, cut, rg.ones_like(cut))
        log_norm = rg.log(rg.abs(rg.log1p(-cut) - rg.log(cut))) - rg.where(cut <= 0.5, rg.log1p(-2.0 * below), rg.log(2.0 * above - 1.0))
        x = rg.pow(self.probs - 0.5, 2)
        return rg.where(self._outside(), log_norm, math.log(2.0) + (4.0 / 3.0 + 104.0 / 45.0 * x) * x)

    @property
    def mean(self):
        """See Distribution."""
        cut = self._cut()
        x = self.probs - 0.5
        return rg.where(self._outside(), cut / (2.0 * cut - 1.0) + 1.0 / (rg.log1p(-cut) - rg.log(cut)), 0.5 + (1.0 / 3.0 + 16.0 / 45.0 * x ** 2) * x)

    @property
    def variance(self):
        """See Distribution."""
        cut = self._cut()
        x = (self.probs - 0.5) ** 2
        exact = cut * (cut - 1.0) / (1.0 - 2.0 * cut) ** 2 + 1.0 / (rg.log1p(-cut) - rg.log(cut)) ** 2
        return rg.where(self._outside(), exact, 1.0 / 12.0 - (1.0 / 15.0 - 128.0 / 945.0 * x) * x)

    stddev = property(lambda self: self.variance.sqrt())

    def rsample(self, sample_shape=()):
        """See Distribution."""
        return self.icdf(uniform(self._extended_shape(sample_shape), self.probs))

    def log_prob(self, value):
        """See Distribution."""
        logits, value = broadcast_all(self.logits, self._checked(value))
        return -F.binary_cross_entropy_with_logits(logits, value, reduction="none") + self._log_norm()

    def cdf(self, value):
        """See Distribution."""
        self._checked(value)
        cut = self._cut()
        inside = (cut ** value * (1.0 - cut) ** (1.0 - value) + cut - 1.0) / (2.0 * cut - 1.0)
        inside = rg.where(self._outside(), inside, value)
        return rg.where(value <= 0, rg.zeros_like(value), rg.where(value >= 1, rg.ones_like(value), inside))

    def icdf(self, value):
        """See Distribution."""
        cut = self._cut()
        found = (rg.log1p(-cut + value * (2.0 * cut - 1.0)) - rg.log1p(-cut)) / (rg.log(cut) - rg.log1p(-cut))
        return rg.where(self._outside(), found, value)

    def entropy(self):
        """See Distribution."""
        log0, log1 = rg.log1p(-self.probs), rg.log(self.probs)
        return self.mean * (log0 - log1) - self._log_norm() - log0

    @property
    def _natural_params(self):
        return (self.logits,)

    def _log_normalizer(self, x):
        outside = (x <= self._lims[0] - 0.5) | (x > self._lims[1] - 0.5)
        cut = rg.where(outside, x, (self._lims[0] - 0.5) * rg.ones_like(x))
        return rg.where(outside, rg.log(rg.abs(rg.expm1(cut))) - rg.log(rg.abs(cut)), 0.5 * x + x ** 2 / 24.0 - x ** 4 / 2880.0)
