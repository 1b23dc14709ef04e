"""The base class of distributions."""
import warnings

from .._core.modes import no_grad
from .._core.tensor import Tensor
from .._tensor.info import Size
from . import constraints
from ._names import rg
from .utils import lazy_property

__all__ = ["Distribution"]

_OURS = __name__.rpartition(".")[0]


class Distribution:
    """A distribution of events of shape `event_shape`, a batch of them of shape `batch_shape`.

    validate_args: check parameters when it is made and values in log_prob and cdf; None: as `set_default_validate_args` says.
    Samples have the shape sample_shape + batch_shape + event_shape, log_prob the shape of its value without the event.
    """

    has_rsample = False
    has_enumerate_support = False
    _validate_args = __debug__
    _expanded: tuple = ()  # names of tensors, beside those with constraints, that expand with the batch

    def __init__(self, batch_shape=Size(), event_shape=Size(), validate_args=None):  # noqa: B008 - an empty Size does not change
        self._batch_shape, self._event_shape = Size(batch_shape), Size(event_shape)
        if validate_args is not None:
            self._validate_args = validate_args
        if self._validate_args:
            self._check_parameters()

    @staticmethod
    def set_default_validate_args(value):
        """Whether distributions check their arguments unless told otherwise.  ValueError for what is not a bool."""
        if value not in (True, False):
            raise ValueError(f"set_default_validate_args takes True or False, not {value!r}")
        Distribution._validate_args = value

    def _check_parameters(self):
        try:
            expected = self.arg_constraints
        except NotImplementedError:
            warnings.warn(f"{type(self)} does not define `arg_constraints`. Please set `arg_constraints = {{}}` or initialize the distribution "
                          "with `validate_args=False` to turn off validation.", stacklevel=3)
            return
        for name, constraint in expected.items():
            if constraints.is_dependent(constraint) or (name not in self.__dict__ and isinstance(getattr(type(self), name), lazy_property)):
                continue
            value = getattr(self, name)
            if not bool(constraint.check(value).all()):
                raise ValueError(f"Expected parameter {name} ({type(value).__name__} of shape {tuple(value.shape)}) of distribution {self!r} "
                                 f"to satisfy the constraint {constraint!r}, but found invalid values:\n{value}")

    # -- shapes --------------------------------------------------------------------------------------------------------

    @property
    def batch_shape(self):
        """The shape of the batch of distributions."""
        return self._batch_shape

    @property
    def event_shape(self):
        """The shape of one event."""
        return self._event_shape

    def _extended_shape(self, sample_shape=()):
        """The shape of a sample."""
        return Size((*sample_shape, *self._batch_shape, *self._event_shape))

    def expand(self, batch_shape, _instance=None):
        """The same distribution for a larger batch; parameters share memory.

        NotImplementedError for a subclass of the user's with a constructor of its own, which has to say itself how it expands.
        """
        new = self._new_of(type(self), _instance)
        batch_shape, had = Size(batch_shape), len(self._batch_shape)
        for name in {**self.arg_constraints, **dict.fromkeys(self._expanded)}:
            value = self.__dict__.get(name)
            if isinstance(value, Tensor):
                setattr(new, name, value.expand((*batch_shape, *value.shape[had:])))
            elif isinstance(value, Distribution):
                setattr(new, name, value.expand(batch_shape))
            elif name in self.__dict__:
                setattr(new, name, value)
        return self._finish(new, batch_shape)

    def _new_of(self, cls, instance=None):
        if instance is not None:
            return instance
        maker = next(c for c in cls.__mro__ if "__init__" in c.__dict__)
        if not maker.__module__.startswith(_OURS):
            raise NotImplementedError(f"Subclass {type(self).__name__} of {cls.__mro__[cls.__mro__.index(maker) + 1].__name__} that defines a custom "
                                      "__init__ method must also define a custom .expand() method.")
        return cls.__new__(cls)

    def _get_checked_instance(self, cls, _instance=None):
        """A new, empty instance of this class for `expand`, or `_instance`.  NotImplementedError when a subclass changed `cls.__init__`."""
        if _instance is None and type(self).__init__ != cls.__init__:
            raise NotImplementedError(f"Subclass {type(self).__name__} of {cls.__name__} that defines a custom __init__ method must also define "
                                      "a custom .expand() method.")
        return self.__new__(type(self)) if _instance is None else _instance

    def _finish(self, new, batch_shape):
        Distribution.__init__(new, batch_shape, self._event_shape, validate_args=False)
        new._validate_args = self._validate_args
        return new

    # -- what it is ----------------------------------------------------------------------------------------------------

    @property
    def arg_constraints(self):
        """{name of a parameter: its constraint}."""
        raise NotImplementedError

    @property
    def support(self):
        """The constraint on its values."""
        raise NotImplementedError

    @property
    def mean(self):
        """The mean."""
        raise NotImplementedError

    @property
    def mode(self):
        """The most likely value."""
        raise NotImplementedError(f"{type(self)} does not implement mode")

    @property
    def variance(self):
        """The variance."""
        raise NotImplementedError

    @property
    def stddev(self):
        """The standard deviation."""
        return self.variance.sqrt()

    # -- what it does --------------------------------------------------------------------------------------------------

    def sample(self, sample_shape=Size()):  # noqa: B008
        """Draw sample_shape of samples, without gradients."""
        with no_grad():
            return self.rsample(sample_shape)

    def rsample(self, sample_shape=Size()):  # noqa: B008
        """Draw samples through which gradients reach the parameters."""
        raise NotImplementedError

    def sample_n(self, n):
        """The old form of sample((n,))."""
        warnings.warn("`sample_n(n)` will be deprecated. Use `sample((n,))` instead.", FutureWarning, stacklevel=2)
        return self.sample((n,))

    def log_prob(self, value):
        """The logarithm of the density or probability at `value`."""
        raise NotImplementedError

    def cdf(self, value):
        """The probability of values up to `value`."""
        raise NotImplementedError

    def icdf(self, value):
        """The value up to which the probability is `value`."""
        raise NotImplementedError

    def enumerate_support(self, expand=True):
        """All values of a discrete distribution along a new first dimension.  expand=False: batch dimensions of size 1."""
        raise NotImplementedError

    def entropy(self):
        """The entropy, in nats."""
        raise NotImplementedError

    def perplexity(self):
        """exp of the entropy."""
        return rg.exp(self.entropy())

    def _validate_sample(self, value):
        """ValueError unless `value` has a shape and values of this distribution."""
        if not isinstance(value, Tensor):
            raise ValueError("The value argument to log_prob must be a Tensor")
        if value.shape[len(value.shape) - len(self._event_shape):] != self._event_shape:
            raise ValueError(f"The right-most size of value must match event_shape: {value.size()} vs {self._event_shape}.")
        expected = self._batch_shape + self._event_shape
        for i, j in zip(reversed(value.shape), reversed(expected)):
            if i != 1 and j != 1 and i != j:
                raise ValueError(f"Value is not broadcastable with batch_shape+event_shape: {value.shape} vs {expected}.")
        try:
            support = self.support
        except NotImplementedError:
            warnings.warn(f"{type(self)} does not define `support` to enable sample validation. Please initialize the distribution with "
                          "`validate_args=False` to turn off validation.", stacklevel=3)
            return
        if not bool(support.check(value).all()):
            raise ValueError(f"Expected value argument ({type(value).__name__} of shape {tuple(value.shape)}) to be within the support "
                             f"({support!r}) of the distribution {self!r}, but found invalid values:\n{value}")

    def __repr__(self):
        shown = [(n, self.__dict__[n]) for n in self.arg_constraints if n in self.__dict__]
        return type(self).__name__ + "(" + ", ".join(f"{n}: {v if v.numel() == 1 else v.size()}" for n, v in shown) + ")"
