"""Mixtures of distributions of one family."""
from .._core.modes import no_grad
from . import constraints
from ._names import rg
from .categorical import Categorical
from .distribution import Distribution

__all__ = ["MixtureSameFamily"]


class MixtureSameFamily(Distribution):
    """A component, the last batch dimension of `component_distribution`, chosen by the Categorical `mixture_distribution`.

    ValueError for distributions of another kind, or whose batches do not fit.
    """

    arg_constraints = {}
    _expanded = ("_mixture_distribution", "_component_distribution", "_num_component", "_event_ndims")

    def __init__(self, mixture_distribution, component_distribution, validate_args=None):
        self._mixture_distribution, self._component_distribution = mixture_distribution, component_distribution
        if not isinstance(mixture_distribution, Categorical):
            raise ValueError(" The Mixture distribution needs to be an instance of torch.distributions.Categorical")
        if not isinstance(component_distribution, Distribution):
            raise ValueError("The Component distribution need to be an instance of torch.distributions.Distribution")
        mixed, batch = mixture_distribution.batch_shape, component_distribution.batch_shape[:-1]
        for a, b in zip(reversed(mixed), reversed(batch)):
            if a != 1 and b != 1 and a != b:
                raise ValueError(f"`mixture_distribution.batch_shape` ({mixed}) is not compatible with "
                                 f"`component_distribution.batch_shape`({batch})")
        count, components = mixture_distribution.logits.shape[-1], component_distribution.batch_shape[-1]
        if count != components:
            raise ValueError(f"`mixture_distribution component` ({count}) does not equal `component_distribution.batch_shape[-1]` ({components})")
        self._num_component, self._event_ndims = count, len(component_distribution.event_shape)
        super().__init__(batch, component_distribution.event_shape, validate_args=validate_args)

    def expand(self, batch_shape, _instance=None):
        """See Distribution."""
        new = self._new_of(type(self), _instance)
        new._component_distribution = self._component_distribution.expand((*batch_shape, self._num_component))
        new._mixture_distribution = self._mixture_distribution.expand(batch_shape)
        new._num_component, new._event_ndims = self._num_component, self._event_ndims
        return self._finish(new, batch_shape)

    mixture_distribution = property(lambda self: self._mixture_distribution, doc="Of the components.")
    component_distribution = property(lambda self: self._component_distribution, doc="The components.")

    @constraints.dependent_property
    def support(self):
        """That of the components."""
        return constraints.MixtureSameFamilyConstraint(self._component_distribution.support)

    def _weights(self):
        return self._mixture_distribution.probs.reshape((*self._mixture_distribution.probs.shape, *(1,) * self._event_ndims))

    @property
    def mean(self):
        """See Distribution."""
        return (self._weights() * self._component_distribution.mean).sum(-1 - self._event_ndims)

    @property
    def variance(self):
        """Within the components, and between them."""
        at = -1 - self._event_ndims
        parts = self._component_distribution
        return (self._weights() * parts.variance).sum(at) + (self._weights() * (parts.mean - self.mean.unsqueeze(at)).pow(2.0)).sum(at)

    def cdf(self, x):
        """See Distribution."""
        return (self._component_distribution.cdf(x.unsqueeze(-1 - self._event_ndims)) * self._mixture_distribution.probs).sum(-1)

    def log_prob(self, x):
        """See Distribution."""
        if self._validate_args:
            self._validate_sample(x)
        log_parts = self._component_distribution.log_prob(x.unsqueeze(-1 - self._event_ndims))
        weights = self._mixture_distribution.logits
        return rg.logsumexp(log_parts + (weights - weights.logsumexp(-1, keepdim=True)), -1)

    def sample(self, sample_shape=()):
        """See Distribution."""
        with no_grad():
            at = len(sample_shape) + len(self._batch_shape)
            chosen = self._mixture_distribution.expand(self._batch_shape).sample(sample_shape)
            parts = self._component_distribution.sample(sample_shape)
            index = chosen.reshape((*chosen.shape, 1, *(1,) * self._event_ndims)).expand((*chosen.shape, 1, *self._event_shape))
            return rg.gather(parts, at, index).squeeze(at)

    def __repr__(self):
        return f"MixtureSameFamily(\n  {self._mixture_distribution},\n  {self._component_distribution})"
