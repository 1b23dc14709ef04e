"""Decorators of pipes: names for methods, promises of determinism, checks of types."""
import functools
import inspect
from typing import get_type_hints

from ._typing import _DataPipeMeta
from .datapipe import IterDataPipe, MapDataPipe

_determinism = False
_runtime_validation_enabled = True


class functional_datapipe:  # noqa: N801 - torch's name
    """`@functional_datapipe("name")` above a pipe class: every pipe of that kind gets a method `name` that appends this step.

    enable_df_api_tracing: what the method returns is a data frame whose operations are recorded.
    """

    def __init__(self, name, enable_df_api_tracing=False):
        self.name, self.enable_df_api_tracing = name, enable_df_api_tracing

    def __call__(self, cls):
        step = getattr(cls, "__self__", cls)
        if isinstance(step, non_deterministic) or issubclass(cls, IterDataPipe):
            IterDataPipe.register_datapipe_as_function(self.name, cls, enable_df_api_tracing=self.enable_df_api_tracing)
        elif issubclass(cls, MapDataPipe):
            MapDataPipe.register_datapipe_as_function(self.name, cls)
        return cls


class guaranteed_datapipes_determinism:  # noqa: N801 - torch's name
    """Inside the `with` block making a pipe that is marked `non_deterministic` is a TypeError."""

    def __init__(self):
        global _determinism
        self.prev, _determinism = _determinism, True

    def __enter__(self):
        pass

    def __exit__(self, *error):
        global _determinism
        _determinism = self.prev


class non_deterministic:  # noqa: N801 - torch's name
    """Mark a pipe class whose order may differ from run to run: `@non_deterministic`, or `@non_deterministic(f)` where `f`, called with the
    pipe's arguments, says whether that pipe is such a one."""

    def __init__(self, arg):
        self.cls = self.deterministic_fn = None
        if isinstance(arg, type):
            if not issubclass(arg, IterDataPipe):
                raise TypeError(f"Only `IterDataPipe` can be decorated with `non_deterministic`, but {arg.__name__} is found")
            self.cls = arg
        elif callable(arg):
            self.deterministic_fn = arg
        else:
            raise TypeError(f"{arg} can not be decorated by non_deterministic")

    def __call__(self, *args, **kwargs):
        if self.cls is not None:
            return self._make("", args, kwargs)
        if not (isinstance(args[0], type) and issubclass(args[0], IterDataPipe)):
            raise TypeError(f"Only `IterDataPipe` can be decorated, but {args[0].__name__} is found")
        self.cls = args[0]
        return self.deterministic_wrapper_fn

    def deterministic_wrapper_fn(self, *args, **kwargs):
        """The pipe, where its arguments make it deterministic or nobody asked for that."""
        answer = self.deterministic_fn(*args, **kwargs)
        if not isinstance(answer, bool):
            raise TypeError("deterministic_fn of `non_deterministic` decorator is required to return a boolean value, but "
                            f"{type(answer)} is found")
        return self._make(" with the inputs", args, kwargs) if answer else self.cls(*args, **kwargs)

    def _make(self, when, args, kwargs):
        if _determinism:
            raise TypeError(f"{self.cls.__name__} is non-deterministic{when}, but you set 'guaranteed_datapipes_determinism'. You can turn off "
                            "determinism for this DataPipe if that is acceptable for your application")
        return self.cls(*args, **kwargs)


def argument_validation(f):
    """A function (mostly `__init__`) that compares arguments annotated as IterDataPipe with what it gets.  TypeError when one is none."""
    signature, hints = inspect.signature(f), get_type_hints(f)

    @functools.wraps(f)
    def wrapper(*args, **kwargs):
        for name, value in signature.bind(*args, **kwargs).arguments.items():
            hint = hints.get(name)
            if not isinstance(hint, _DataPipeMeta):
                continue
            if not isinstance(value, IterDataPipe):
                raise TypeError(f"Expected argument '{name}' as a IterDataPipe, but found {type(value)}")
            if not value.type.issubtype(hint.type):
                raise TypeError(f"Expected type of argument '{name}' as a subtype of hint {hint.type}, but found {value.type}")
        return f(*args, **kwargs)
    return wrapper


class runtime_validation_disabled:  # noqa: N801 - torch's name
    """Inside the `with` block `runtime_validation` checks nothing."""

    def __init__(self):
        global _runtime_validation_enabled
        self.prev, _runtime_validation_enabled = _runtime_validation_enabled, False

    def __enter__(self):
        pass

    def __exit__(self, *error):
        global _runtime_validation_enabled
        _runtime_validation_enabled = self.prev


def runtime_validation(f):
    """An `__iter__` that compares each element with the pipe's type (see `reinforce_type`).  RuntimeError when one is of another."""
    if f.__name__ != "__iter__":
        raise TypeError(f"Can not decorate function {f.__name__} with 'runtime_validation'")

    @functools.wraps(f)
    def wrapper(self):
        if not _runtime_validation_enabled:
            yield from f(self)
            return
        for element in f(self):
            if not self.type.issubtype_of_instance(element):
                raise RuntimeError(f"Expected an instance as subtype of {self.type}, but found {element}({type(element)})")
            yield element
    return wrapper
