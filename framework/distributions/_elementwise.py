"""Distributions of one number per element of their broadcast parameters."""
from .distribution import Distribution
from .utils import broadcast_all, lazy_property, logits_to_probs, probs_to_logits


class Elementwise(Distribution):
    """A distribution whose tensors all have the batch's shape."""

    def _begin(self, validate_args, **parameters):
        """Broadcast the parameters, keep them under their names, and begin."""
        values = broadcast_all(*parameters.values())
        self.__dict__.update(zip(parameters, values))
        Distribution.__init__(self, values[0].shape, validate_args=validate_args)

    def _checked(self, value):
        """`value`, which is one of this distribution's when arguments are checked."""
        if self._validate_args:
            self._validate_sample(value)
        return value


class ProbsOrLogits(Elementwise):
    """A distribution whose parameter is given as probabilities or as logits; the other is computed when it is asked for."""

    _expanded: tuple[str, ...] = ("_is_probs",)
    _binary = True  # logits are log odds; else of categories, along the last dimension

    def _begin_choice(self, probs, logits, validate_args, **others):
        if (probs is None) == (logits is None):
            raise ValueError("Either `probs` or `logits` must be specified, but not both.")
        self._is_probs = probs is not None
        self._begin(validate_args, **others, **({"probs": probs} if self._is_probs else {"logits": logits}))

    @lazy_property
    def logits(self):
        """Log odds, or logarithms of normalised probabilities."""
        return probs_to_logits(self.probs, is_binary=self._binary)

    @lazy_property
    def probs(self):
        """Probabilities."""
        return logits_to_probs(self.logits, is_binary=self._binary)

    @property
    def _param(self):
        return self.probs if self._is_probs else self.logits

    @property
    def param_shape(self):
        """The shape of the parameter."""
        return self._param.size()
