"""Exponential families."""
from .. import autograd
from .distribution import Distribution

__all__ = ["ExponentialFamily"]


class ExponentialFamily(Distribution):
    """Densities exp(<t(x), natural parameters> - log_normalizer + carrier measure).

    A subclass that gives `_natural_params`, `_log_normalizer` and `_mean_carrier_measure` has its entropy by Nielsen and Nock 2010, "Entropies
    and cross-entropies of exponential families": the log normalizer minus its gradient times the parameters.
    """

    @property
    def _natural_params(self):
        raise NotImplementedError

    def _log_normalizer(self, *natural_params):
        raise NotImplementedError

    @property
    def _mean_carrier_measure(self):
        raise NotImplementedError

    def entropy(self):
        """By the gradient of the log normalizer."""
        result = -self._mean_carrier_measure
        params = [p.detach().requires_grad_() for p in self._natural_params]
        normalizer = self._log_normalizer(*params)
        result = result + normalizer
        for p, g in zip(params, autograd.grad(normalizer.sum(), params, create_graph=True)):
            result = result - (p * g).reshape((*self._batch_shape, -1)).sum(-1)
        return result
