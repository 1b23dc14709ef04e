"""`autocast`: a region in which matrix products run in half precision and sensitive functions in float32."""
import functools
import warnings
from collections.abc import Iterable, Mapping

import numpy as np

from .. import cuda
from .._core.tensor import Tensor
from .._dtypes import as_dtype, bfloat16, float16, float64
from .._state import state
from ._state import install, settings
from ._switches import clear_autocast_cache, get_autocast_dtype, is_autocast_available, is_autocast_enabled

__all__ = ["autocast", "autocast_decorator", "custom_bwd", "custom_fwd", "is_autocast_available"]


def _check_device_type(device_type):
    if not isinstance(device_type, str):
        raise ValueError(f"Expected `device_type` of type `str`, got: `{type(device_type)}`")


def autocast_decorator(autocast_instance, func):
    """`func`, running in the region `autocast_instance`."""
    @functools.wraps(func)
    def inside(*args, **kwargs):
        with autocast_instance:
            return func(*args, **kwargs)
    return inside


class autocast:  # noqa: N801 - torch's name
    """A context manager or decorator inside which operations on `device_type` choose their type (see _lists.py).

    dtype: of matrix products and convolutions, bfloat16 on the CPU and float16 on the GPU by default, both half-precision types allowed;
    enabled=False: an island without casts;  cache_enabled: cast each parameter once, and keep that until the outermost region ends.
    Regions nest, and belong to a thread.  Parameters and inputs stay what they are: do not call .half() on the model.
    """

    def __init__(self, device_type, dtype=None, enabled=True, cache_enabled=None):
        _check_device_type(device_type)
        self.device = device_type
        self.fast_dtype = get_autocast_dtype(device_type) if dtype is None else as_dtype(dtype)
        if not is_autocast_available(device_type):
            raise RuntimeError(f"User specified an unsupported autocast device_type '{device_type}'")
        self._cache_enabled = settings.cache_enabled if cache_enabled is None else cache_enabled
        self._enabled = enabled and self._usable()

    def _usable(self):
        """Whether the region can be enabled; warns where it cannot."""
        if self.device == "cuda":
            if not cuda.is_available():
                warnings.warn("CUDA is not available or torch_xla is imported. Disabling autocast.", stacklevel=3)
                return False
            if self.fast_dtype is bfloat16 and not cuda.is_bf16_supported():
                raise RuntimeError("Current CUDA Device does not support bfloat16. Please switch dtype to float16.")
        elif self.fast_dtype not in (bfloat16, float16):
            name = self.device.upper()
            warnings.warn(f"In {name} autocast, but the target dtype is not supported. Disabling autocast.\n"
                          f"{name} Autocast only supports dtypes of {bfloat16}, {float16} currently.", stacklevel=3)
            return False
        return True

    def __enter__(self):
        device = self.device
        settings.outer.append((settings.enabled[device], settings.dtypes[device], settings.cache_enabled, settings.traces, state.tracer))
        settings.enabled[device], settings.dtypes[device], settings.cache_enabled = self._enabled, self.fast_dtype, self._cache_enabled
        settings.nesting += 1
        install()
        return self

    def __exit__(self, *_):
        settings.nesting -= 1
        if settings.nesting == 0:
            clear_autocast_cache()
        device = self.device
        settings.enabled[device], settings.dtypes[device], settings.cache_enabled, settings.traces, state.tracer = settings.outer.pop()
        return False

    def __call__(self, func):
        if not callable(func):
            raise TypeError(f"autocast()(func) requires a callable, but got {type(func).__name__}. Did you mean to use autocast as a context "
                            "manager? For example:\n    with torch.autocast(device_type=...):\n        output = model(input)")
        return autocast_decorator(self, func)


def _enter_autocast(*vals):
    """Enter a region without a `with` block; `_exit_autocast` leaves it."""
    return autocast(*vals).__enter__()


def _exit_autocast(mode):
    mode.__exit__(None, None, None)


def _cast(value, device_type, dtype):
    """`value` with the floating-point tensors in it, on the device type and but for float64, cast to `dtype`."""
    if isinstance(value, Tensor):
        eligible = value.is_floating_point() and value.device.type == device_type and value.dtype is not float64
        return value.to(dtype) if eligible else value
    if isinstance(value, (str, bytes, np.ndarray)):
        return value
    if isinstance(value, Mapping):
        return {_cast(k, device_type, dtype): _cast(v, device_type, dtype) for k, v in value.items()}
    if isinstance(value, Iterable):
        members = (_cast(v, device_type, dtype) for v in value)
        return type(value)(members) if isinstance(value, (list, tuple)) else members
    return value


def custom_fwd(fwd=None, *, device_type, cast_inputs=None):
    """Decorator for `forward` of an autograd.Function: it and its backward (see `custom_bwd`) agree on autocast.

    cast_inputs: cast floating-point tensors among the arguments to this type and run forward without autocast; None: run it as it is.
    Outside of a region neither happens.
    """
    _check_device_type(device_type)
    if fwd is None:
        return functools.partial(custom_fwd, device_type=device_type, cast_inputs=cast_inputs)

    @functools.wraps(fwd)
    def forward(*args, **kwargs):
        args[0]._dtype = get_autocast_dtype(device_type)
        inside = is_autocast_enabled(device_type)
        args[0]._fwd_used_autocast = inside and cast_inputs is None
        if cast_inputs is None or not inside:
            return fwd(*args, **kwargs)
        with autocast(device_type, enabled=False):
            return fwd(*_cast(args, device_type, cast_inputs), **_cast(kwargs, device_type, cast_inputs))
    return forward


def custom_bwd(bwd=None, *, device_type):
    """Decorator for `backward` of an autograd.Function whose forward has `custom_fwd`: it runs with the autocast settings of forward."""
    _check_device_type(device_type)
    if bwd is None:
        return functools.partial(custom_bwd, device_type=device_type)

    @functools.wraps(bwd)
    def backward(*args, **kwargs):
        with autocast(device_type, enabled=args[0]._fwd_used_autocast, dtype=args[0]._dtype):
            return bwd(*args, **kwargs)
    return backward
