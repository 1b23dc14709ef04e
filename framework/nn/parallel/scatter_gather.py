"""Batches cut into parts for several devices, and results put together again."""
from . import _plug

scatter = _plug.function("scatter", "One part of the inputs for each device: tensors are cut along `dim`, other objects repeated.")
scatter_kwargs = _plug.function("scatter_kwargs", "(positional, keyword) arguments of each device's replica, as many of both.")
gather = _plug.function("gather", "The replicas' outputs as one, on one device: tensors joined along `dim`.")


def is_namedtuple(obj):
    """Whether `obj` is an instance of a named tuple."""
    return isinstance(obj, tuple) and hasattr(obj, "_asdict") and hasattr(obj, "_fields")


_is_namedtuple = is_namedtuple

__all__ = ["gather", "is_namedtuple", "scatter", "scatter_kwargs"]
