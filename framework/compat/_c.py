"""The few names of torch._C that programs reach for."""
from .._core.tensor import Tensor as _TensorBase
from .._functional.random import Generator
from ..func._lanes import running

__all__ = ["Generator"]
__path__: list = []  # torch has modules below it

TensorBase = _TensorBase
_TensorMeta = type(_TensorBase)


def _get_tracing_state():
    """None: nothing is being traced."""


def _disabled_torch_function_impl(function, types, args=(), kwargs=None):
    """What torch puts in the place of `__torch_function__` where a class has none: the function itself is called."""
    return function(*args, **(kwargs or {}))


def _log_api_usage_once(*names):
    """torch counts calls of its API; ringgrad does not."""


def _jit_set_profiling_executor(mode):
    return False


def _jit_set_profiling_mode(mode):
    return False


def _are_functorch_transforms_active():
    """Whether a vmap runs in one go: values are out of reach then, as programs that ask suppose.  Other transforms hide nothing here."""
    return running() is not None
