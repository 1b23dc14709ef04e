"""The categorical distribution over unit vectors."""
from .._core.modes import no_grad
from . import constraints
from ._names import rg
from .categorical import Categorical
from .distribution import Distribution

__all__ = ["OneHotCategorical", "OneHotCategoricalStraightThrough"]


class OneHotCategorical(Distribution):
    """Categorical, its value a vector with 1 at the category.  probs, logits: (..., k) -> (..., k)"""

    arg_constraints = {"probs": constraints.simplex, "logits": constraints.real_vector}
    support = constraints.one_hot
    has_enumerate_support = True
    _expanded = ("_categorical",)

    def __init__(self, probs=None, logits=None, validate_args=None):
        self._categorical = Categorical(probs, logits)
        super().__init__(self._categorical.batch_shape, self._categorical.param_shape[-1:], validate_args=validate_args)

    probs = property(lambda self: self._categorical.probs)
    logits = property(lambda self: self._categorical.logits)
    _param = property(lambda self: self._categorical._param)
    param_shape = property(lambda self: self._categorical.param_shape, doc="The shape of the parameter.")
    mean = property(lambda self: self.probs)
    variance = property(lambda self: self.probs * (1 - self.probs))
    mode = property(lambda self: self._categorical._one_hot(self.probs.argmax(-1)))

    def sample(self, sample_shape=()):
        """See Distribution."""
        with no_grad():
            return self._categorical._one_hot(self._categorical.sample(sample_shape))

    def log_prob(self, value):
        """See Distribution."""
        if self._validate_args:
            self._validate_sample(value)
        return self._categorical.log_prob(value.argmax(-1))

    def entropy(self):
        """See Distribution."""
        return self._categorical.entropy()

    def enumerate_support(self, expand=True):
        """See Distribution."""
        n = self.event_shape[0]
        values = rg.eye(n, dtype=self._param.dtype, device=self._param.device).view((n, *(1,) * len(self._batch_shape), n))
        return values.expand((n, *self._batch_shape, n)) if expand else values


class OneHotCategoricalStraightThrough(OneHotCategorical):
    """OneHotCategorical whose samples pass gradients straight to the probabilities  (Bengio et al. 2013, arXiv:1308.3432)."""

    has_rsample = True

    def rsample(self, sample_shape=()):
        """See Distribution."""
        return self.sample(sample_shape) + (self.probs - self.probs.detach())
