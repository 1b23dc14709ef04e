"""torch.overrides: modes that see every call of a public function, and answers for programs that ask.

`__torch_function__` of classes is called by `handle_torch_function` only: ringgrad's functions do not look for it in their arguments.
"""
import functools

from . import _calls
from ._core.tensor import Tensor

__all__ = ["BaseTorchFunctionMode", "TorchFunctionMode", "enable_reentrant_dispatch", "get_default_nowrap_functions", "get_ignored_functions",
           "handle_torch_function", "has_torch_function", "has_torch_function_unary", "has_torch_function_variadic", "is_tensor_like",
           "is_tensor_method_or_property", "wrap_torch_function"]


def has_torch_function(relevant_args):
    """Whether one of the arguments is of a class, other than Tensor, with a `__torch_function__` of its own."""
    return any(type(a) is not Tensor and hasattr(type(a), "__torch_function__") for a in relevant_args)


def has_torch_function_unary(arg):
    """`has_torch_function` of one argument."""
    return has_torch_function((arg,))


def has_torch_function_variadic(*args):
    """`has_torch_function` of all arguments."""
    return has_torch_function(args)


def handle_torch_function(public_api, relevant_args, *args, **kwargs):
    """What the first `__torch_function__` among the arguments that feels responsible returns.  TypeError when none does."""
    kinds = tuple(dict.fromkeys(type(a) for a in relevant_args if type(a) is not Tensor and hasattr(type(a), "__torch_function__")))
    for kind in kinds:
        result = kind.__torch_function__(public_api, kinds, args, kwargs)
        if result is not NotImplemented:
            return result
    raise TypeError(f"no implementation found for {public_api.__name__!r} on types that implement __torch_function__: {list(kinds)}")


def wrap_torch_function(dispatcher):
    """A decorator: calls with arguments (found by `dispatcher`) that have a `__torch_function__` go there."""
    def decorate(fn):
        @functools.wraps(fn)
        def call(*args, **kwargs):
            relevant = dispatcher(*args, **kwargs)
            if has_torch_function(relevant):
                return handle_torch_function(call, relevant, *args, **kwargs)
            return fn(*args, **kwargs)
        return call
    return decorate


def is_tensor_like(inp):
    """Whether it is a Tensor or of a class with a `__torch_function__`."""
    return isinstance(inp, Tensor) or hasattr(type(inp), "__torch_function__")


def is_tensor_method_or_property(func):
    """Whether it is a method or property of Tensor."""
    return func in [v for v in vars(Tensor).values() if callable(v) or isinstance(v, property)]


def get_ignored_functions():
    """An empty set."""
    return set()


def get_default_nowrap_functions():
    """An empty set."""
    return set()


class TorchFunctionMode:
    """A `with` block in which `__torch_function__(function, types, args, kwargs)` of this object takes the place of every call of a public function.

    It returns the result, and may call the function, which the next mode outside of this one then sees.  types: of the arguments that have a
    `__torch_function__`; kwargs is a dict.
    """

    def __torch_function__(self, func, types, args=(), kwargs=None):
        raise NotImplementedError

    def __enter__(self):
        _calls.enter(self)
        return self

    def __exit__(self, *error):
        _calls.leave()

    @classmethod
    def push(cls, *args, **kwargs):
        """An instance, as `with cls(...)` makes it."""
        return cls(*args, **kwargs)


class BaseTorchFunctionMode(TorchFunctionMode):
    """A mode that calls every function as it is."""

    def __torch_function__(self, func, types, args=(), kwargs=None):
        return func(*args, **(kwargs or {}))


class enable_reentrant_dispatch:  # noqa: N801 - torch's name
    """A `with` block that changes nothing."""

    def __enter__(self):
        return self

    def __exit__(self, *error):
        return None
