"""The geometric distribution."""
from .._core.modes import no_grad
from ..nn import functional as F
from . import constraints
from ._elementwise import ProbsOrLogits
from ._names import rg
from .utils import broadcast_all, open_uniform

__all__ = ["Geometric"]


class Geometric(ProbsOrLogits):
    """The number of failures before the first success, in trials that succeed with probability `probs` (log odds `logits`)."""

    arg_constraints = {"probs": constraints.unit_interval, "logits": constraints.real}
    support = constraints.nonnegative_integer

    def __init__(self, probs=None, logits=None, validate_args=None):
        self._begin_choice(probs, logits, validate_args)
        if self._validate_args and probs is not None and not bool((self.probs > 0).all()):
            wrong = self.probs[~(self.probs > 0)]
            raise ValueError(f"Expected parameter probs (Tensor of shape {tuple(self.probs.shape)}) of distribution {self!r} to be positive but "
                             f"found invalid values:\n{wrong}")

    mean = property(lambda self: 1.0 / self.probs - 1.0)
    mode = property(lambda self: rg.zeros_like(self.probs))
    variance = property(lambda self: (1.0 / self.probs - 1.0) / self.probs)

    def sample(self, sample_shape=()):
        """See Distribution."""
        with no_grad():
            return (open_uniform(self._extended_shape(sample_shape), self.probs).log() / (-self.probs).log1p()).floor()

    def log_prob(self, value):
        """See Distribution."""
        value, probs = broadcast_all(self._checked(value), self.probs)
        probs = probs.masked_fill((probs == 1) & (value == 0), 0)
        return value * (-probs).log1p() + self.probs.log()

    def entropy(self):
        """See Distribution."""
        return F.binary_cross_entropy_with_logits(self.logits, self.probs, reduction="none") / self.probs
