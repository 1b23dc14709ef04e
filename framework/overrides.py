"""torch.overrides for programs that ask: `__torch_function__` of classes that are no Tensors is not called by ringgrad's functions."""
import functools

from ._core.tensor import Tensor

__all__ = ["enable_reentrant_dispatch", "get_default_nowrap_functions", "get_ignored_functions", "handle_torch_function", "has_torch_function",
           "has_torch_function_unary", "has_torch_function_variadic", "is_tensor_like", "is_tensor_method_or_property", "wrap_torch_function"]


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


class enable_reentrant_dispatch:  # noqa: N801 - torch's name
    """A `with` block that changes nothing."""

    def __enter__(self):
        return self

    def __exit__(self, *error):
        return None
