"""The multinomial distribution."""
from .._core.modes import no_grad
from . import constraints
from ._names import rg
from .binomial import Binomial
from .categorical import Categorical
from .distribution import Distribution
from .utils import broadcast_all

__all__ = ["Multinomial"]


class Multinomial(Distribution):
    """How often each category comes in `total_count` draws (an int).  probs, logits: (..., k) -> counts (..., k)"""

    arg_constraints = {"probs": constraints.simplex, "logits": constraints.real_vector}
    _expanded = ("_categorical", "total_count")

    def __init__(self, total_count=1, probs=None, logits=None, validate_args=None):
        if not isinstance(total_count, int):
            raise NotImplementedError("inhomogeneous total_count is not supported")
        self.total_count = total_count
        self._categorical = Categorical(probs=probs, logits=logits)
        super().__init__(self._categorical.batch_shape, self._categorical.param_shape[-1:], validate_args=validate_args)

    @constraints.dependent_property(is_discrete=True, event_dim=1)
    def support(self):
        """Counts up to total_count."""
        return constraints.multinomial(self.total_count)

    probs = property(lambda self: self._categorical.probs)
    logits = property(lambda self: self._categorical.logits)
    _param = property(lambda self: self._categorical._param)
    param_shape = property(lambda self: self._categorical.param_shape, doc="The shape of the parameter.")
    mean = property(lambda self: self.probs * self.total_count)
    variance = property(lambda self: self.total_count * self.probs * (1 - self.probs))
    _binomial = property(lambda self: Binomial(total_count=self.total_count, probs=self.probs))

    def sample(self, sample_shape=()):
        """See Distribution."""
        with no_grad():
            draws = self._categorical.sample((self.total_count, *sample_shape))
            return self._categorical._one_hot(draws).sum(0)

    def log_prob(self, value):
        """See Distribution."""
        if self._validate_args:
            self._validate_sample(value)
        logits, value = broadcast_all(self.logits, value)
        logits = logits.masked_fill((value == 0) & (logits == -float("inf")), 0)
        return rg.lgamma(value.sum(-1) + 1) - rg.lgamma(value + 1).sum(-1) + (logits * value).sum(-1)

    def entropy(self):
        """See Distribution."""
        n = rg.tensor(self.total_count)
        weights = self._binomial
        counts = weights.enumerate_support(expand=False)[1:]
        return self.total_count * self._categorical.entropy() - rg.lgamma(n + 1) + (
            rg.exp(weights.log_prob(counts)) * rg.lgamma(counts + 1)).sum((0, -1))
