"""The negative binomial distribution."""
from .._core.modes import no_grad
from ..nn import functional as F
from . import constraints
from ._elementwise import ProbsOrLogits
from ._names import rg
from .gamma import Gamma

__all__ = ["NegativeBinomial"]


class NegativeBinomial(ProbsOrLogits):
    """The number of successes before `total_count` failures, in trials that succeed with probability `probs` (log odds `logits`)."""

    arg_constraints = {"total_count": constraints.greater_than_eq(0), "probs": constraints.half_open_interval(0.0, 1.0),
                       "logits": constraints.real}
    support = constraints.nonnegative_integer

    def __init__(self, total_count, probs=None, logits=None, validate_args=None):
        self._begin_choice(probs, logits, validate_args, total_count=total_count)

    mean = property(lambda self: self.total_count * rg.exp(self.logits))
    mode = property(lambda self: ((self.total_count - 1) * self.logits.exp()).floor().clamp(min=0.0))
    variance = property(lambda self: self.mean / rg.sigmoid(-self.logits))

    def sample(self, sample_shape=()):
        """See Distribution."""
        with no_grad():
            return rg.poisson(Gamma(self.total_count, rg.exp(-self.logits), validate_args=False).sample(sample_shape))

    def log_prob(self, value):
        """See Distribution."""
        n = self.total_count
        self._checked(value)
        unnormalized = n * F.logsigmoid(-self.logits) + value * F.logsigmoid(self.logits)
        normalizer = -rg.lgamma(n + value) + rg.lgamma(1.0 + value) + rg.lgamma(n)
        return unnormalized - normalizer.masked_fill(n + value == 0.0, 0.0)
