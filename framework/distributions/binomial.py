"""The binomial distribution."""
from .._core.modes import no_grad
from ..nn import functional as F
from . import constraints
from ._elementwise import ProbsOrLogits
from ._names import rg

__all__ = ["Binomial"]


class Binomial(ProbsOrLogits):
    """The number of successes in `total_count` trials that succeed with probability `probs` (log odds `logits`)."""

    arg_constraints = {"total_count": constraints.nonnegative_integer, "probs": constraints.unit_interval, "logits": constraints.real}
    has_enumerate_support = True

    def __init__(self, total_count=1, probs=None, logits=None, validate_args=None):
        self._begin_choice(probs, logits, validate_args, total_count=total_count)

    @constraints.dependent_property(is_discrete=True, event_dim=0)
    def support(self):
        """Whole numbers up to total_count."""
        return constraints.integer_interval(0, self.total_count)

    mean = property(lambda self: self.total_count * self.probs)
    mode = property(lambda self: ((self.total_count + 1) * self.probs).floor().clamp(max=self.total_count))
    variance = property(lambda self: self.total_count * self.probs * (1 - self.probs))

    def sample(self, sample_shape=()):
        """See Distribution."""
        shape = self._extended_shape(sample_shape)
        with no_grad():
            return rg.binomial(self.total_count.expand(shape), self.probs.expand(shape))

    def log_prob(self, value):
        """See Distribution."""
        n, logits = self.total_count, self.logits
        self._checked(value)
        normalizer = -n * F.logsigmoid(-logits) - rg.lgamma(n + 1)
        return value * logits - rg.lgamma(value + 1) - rg.lgamma(n - value + 1) - normalizer

    def entropy(self):
        """See Distribution.  NotImplementedError for a batch of different counts."""
        n = int(self.total_count.max())
        if int(self.total_count.min()) != n:
            raise NotImplementedError("Inhomogeneous total count not supported by `entropy`.")
        log_prob = self.log_prob(self.enumerate_support(False))
        return -(rg.exp(log_prob) * log_prob).sum(0)

    def enumerate_support(self, expand=True):
        """See Distribution.  NotImplementedError for a batch of different counts."""
        n = int(self.total_count.max())
        if int(self.total_count.min()) != n:
            raise NotImplementedError("Inhomogeneous total count not supported by `enumerate_support`.")
        values = rg.arange(1 + n, dtype=self._param.dtype, device=self._param.device).view((-1, *(1,) * len(self._batch_shape)))
        return values.expand((-1, *self._batch_shape)) if expand else values
