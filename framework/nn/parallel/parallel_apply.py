"""Several modules at once, a thread each."""
from ..._core.tensor import Tensor
from . import _plug

parallel_apply = _plug.function("parallel_apply", "[module(*input, **kwargs), ...], each in a thread of its own, on its own device.")


def get_a_var(obj):
    """The first tensor in nested lists, tuples and dicts; None when there is none."""
    if isinstance(obj, Tensor):
        return obj
    parts = obj.items() if isinstance(obj, dict) else obj if isinstance(obj, (list, tuple)) else ()
    return next((found for found in map(get_a_var, parts) if found is not None), None)


__all__ = ["get_a_var", "parallel_apply"]
