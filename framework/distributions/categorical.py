"""The categorical distribution."""
from .._core.modes import no_grad
from ..nn import functional as F
from . import constraints
from ._names import rg
from .distribution import Distribution
from .utils import lazy_property, logits_to_probs, probs_to_logits

__all__ = ["Categorical"]


class Categorical(Distribution):
    """Category i with a probability proportional to probs[..., i] (to exp(logits[..., i])).  probs, logits: (..., k)

    `probs` and `logits` are normalised when it is made.  ValueError for parameters without dimensions.
    """

    arg_constraints = {"probs": constraints.simplex, "logits": constraints.real_vector}
    has_enumerate_support = True

    def __init__(self, probs=None, logits=None, validate_args=None):
        if (probs is None) == (logits is None):
            raise ValueError("Either `probs` or `logits` must be specified, but not both.")
        given, name = (logits, "logits") if probs is None else (probs, "probs")
        if given.dim() < 1:
            raise ValueError(f"`{name}` parameter must be at least one-dimensional.")
        self._is_probs = probs is not None
        if self._is_probs:
            self.probs = probs / probs.sum(-1, keepdim=True)
        else:
            self.logits = logits - logits.logsumexp(dim=-1, keepdim=True)
        self._num_events = given.shape[-1]
        super().__init__(given.shape[:-1], validate_args=validate_args)

    _expanded = ("_is_probs", "_num_events")

    @lazy_property
    def logits(self):
        """Logarithms of the probabilities."""
        return probs_to_logits(self.probs)

    @lazy_property
    def probs(self):
        """The probabilities, which add up to 1."""
        return logits_to_probs(self.logits)

    @constraints.dependent_property(is_discrete=True, event_dim=0)
    def support(self):
        """0 ... k - 1"""
        return constraints.integer_interval(0, self._num_events - 1)

    _param = property(lambda self: self.probs if self._is_probs else self.logits)
    param_shape = property(lambda self: self._param.size(), doc="The shape of the parameter.")
    mean = property(lambda self: self._nan())
    variance = property(lambda self: self._nan())
    mode = property(lambda self: self.probs.argmax(dim=-1))

    def _nan(self):
        return rg.full(self._extended_shape(), float("nan"), dtype=self.probs.dtype, device=self.probs.device)

    def sample(self, sample_shape=()):
        """See Distribution."""
        count = 1
        for n in sample_shape:
            count *= n
        with no_grad():
            rows = self.probs.reshape(-1, self._num_events)
            shape = self._extended_shape(sample_shape)
            if not count or not rows.shape[0]:
                return rg.zeros(shape, dtype=rg.arange(0).dtype, device=rows.device)
            return rg.multinomial(rows, count, True).T.reshape(shape)

    def log_prob(self, value):
        """See Distribution."""
        if self._validate_args:
            self._validate_sample(value)
        value, log_pmf = rg.broadcast_tensors(value.long().unsqueeze(-1), self.logits)
        return log_pmf.gather(-1, value[..., :1]).squeeze(-1)

    def entropy(self):
        """See Distribution."""
        logits = self.logits.clamp(min=rg.finfo(self.logits.dtype).min)
        return -(logits * self.probs).sum(-1)

    def enumerate_support(self, expand=True):
        """See Distribution."""
        values = rg.arange(self._num_events, device=self._param.device).view((-1, *(1,) * len(self._batch_shape)))
        return values.expand((-1, *self._batch_shape)) if expand else values

    def _one_hot(self, index):
        return F.one_hot(index, self._num_events).to(self._param.dtype)
