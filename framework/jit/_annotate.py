"""What programs write for torch's compiler: it reaches the program unchanged."""
import builtins
import typing
from collections import namedtuple
from typing import Final

from ..futures import Future

__all__ = ["Final"]

Attribute = namedtuple("Attribute", ["value", "type"])


class Error(RuntimeError):
    """What scripted code raises in torch; nothing raises it here."""


def is_scripting():
    """False: nothing is compiled."""
    return False


def is_tracing():
    """False: nothing is traced."""
    return False


def export(fn):
    """The function itself."""
    return fn


def unused(fn):
    """The function itself."""
    return fn


def interface(obj):
    """The class itself."""
    return obj


def _overload(func):
    return func


def _overload_method(func):
    return func


def ignore(drop=False, **kwargs):
    """The function itself; as `@ignore` or `@ignore(drop=True)`."""
    if callable(drop):
        return drop
    return lambda fn: fn


def annotate(the_type, the_value):
    """The value itself."""
    return the_value


def isinstance(obj, target_type):  # noqa: A001 - torch's name
    """Whether `obj` is of `target_type`: a class, a tuple of them, or List[int] and the like, whose elements are looked at too."""
    if builtins.isinstance(target_type, tuple):
        return any(isinstance(obj, t) for t in target_type)
    origin, inner = typing.get_origin(target_type), typing.get_args(target_type)
    if origin is typing.Union:
        return any(isinstance(obj, t) for t in inner)
    if origin is None:
        return builtins.isinstance(obj, target_type or type(None))
    if not builtins.isinstance(obj, origin):
        return False
    if origin is tuple:
        return len(obj) == len(inner) and all(isinstance(x, t) for x, t in zip(obj, inner))
    if origin is dict:
        return all(isinstance(k, inner[0]) and isinstance(v, inner[1]) for k, v in obj.items())
    return all(isinstance(x, inner[0]) for x in obj)


class TracerWarning(Warning):
    """What tracing warns with in torch; nothing is traced here, so it is only there to be filtered."""


def fork(func, *args, **kwargs):
    """Run the function now; its result, or its exception, is what `wait` returns or raises."""
    future = Future()
    try:
        future.set_result(func(*args, **kwargs))
    except Exception as error:  # noqa: BLE001 - it is the result
        future.set_exception(error)
    return future


def wait(future):
    """The result of `fork`."""
    return future.wait()
