"""New tensors under NumPy's names and signatures.  They record nothing; gradient rules and the functional surface use them."""
from contextlib import nullcontext

import numpy as np

from .._backends import BACKENDS, for_device
from .._core.tensor import InferenceVersion, Tensor, wrap
from .._device import as_device
from .._dtypes import as_dtype, get_default_dtype
from .._state import state


def fresh(array, requires_grad=False):
    """A leaf around a new array.  RuntimeError when gradients are asked of integers."""
    if requires_grad and array.dtype.kind not in "fcV":
        raise RuntimeError("Only Tensors of floating point and complex dtype can require gradients")
    t = wrap(array, requires_grad)
    if state.inference:
        t._cell = InferenceVersion((0,))
    return t


def place_of(device=None):
    """(array module, context in which its arrays are made there) for a device as users spell it."""
    device = as_device(device)
    backend = for_device(device)
    if device.type != "cuda":
        return backend.xp, nullcontext()
    backend.require_device(device.index)
    return backend.xp, backend.xp.cuda.Device(device.index)


def _np_dtype(dtype):
    return get_default_dtype().np if dtype is None else as_dtype(dtype).np


def _maker(name):
    def make(shape, dtype=None, device=None, requires_grad=False):
        if device is None and state.device is None:
            return fresh(getattr(np, name)(shape, _np_dtype(dtype)), requires_grad)
        xp, there = place_of(device)
        with there:
            return fresh(getattr(xp, name)(shape, _np_dtype(dtype)), requires_grad)
    make.__name__ = make.__qualname__ = name
    make.__doc__ = f"numpy.{name} as a tensor: `shape` elements of `dtype` (default: the default float)."
    return make


zeros, ones, empty = _maker("zeros"), _maker("ones"), _maker("empty")


def full(shape, fill_value, dtype=None, device=None, requires_grad=False):
    """A tensor of `shape` filled with a number."""
    xp, there = place_of(device)
    with there:
        return fresh(xp.full(shape, fill_value, _np_dtype(dtype)), requires_grad)


def _like(name):
    def make(x, dtype=None, device=None, requires_grad=False):
        a = x._data if isinstance(x, Tensor) else x
        dtype = a.dtype if dtype is None else as_dtype(dtype).np
        backend = BACKENDS[type(a)]
        if device is not None:
            xp, there = place_of(device)
            if xp is not backend.xp:
                with there:
                    return fresh(getattr(xp, name)(a.shape, dtype), requires_grad)
        else:
            there = backend.on_device_of(a)
        with there:
            return fresh(getattr(backend.xp, f"{name}_like")(a, dtype), requires_grad)
    make.__name__ = make.__qualname__ = f"{name}_like"
    make.__doc__ = f"numpy.{name}_like as a tensor: of the shape, type and device of `x` where nothing else is said."
    return make


zeros_like, ones_like, empty_like = _like("zeros"), _like("ones"), _like("empty")


def full_like(x, fill_value, dtype=None, device=None, requires_grad=False):
    """A tensor shaped as `x`, filled with a number."""
    out = empty_like(x, dtype, device, requires_grad)
    with BACKENDS[type(out._data)].on_device_of(out._data):
        out._data[...] = fill_value
    return out


def arange(start, stop=None, step=1, dtype=None, device=None, requires_grad=False):
    """Numbers from `start` (0 when only one is given) to before `stop`, by `step`; int64 for integers, else the default float."""
    start, stop = (0, start) if stop is None else (start, stop)
    if step == 0:
        raise RuntimeError("step must be nonzero")
    if (stop - start) * step < 0:
        raise RuntimeError(f"upper bound and lower bound inconsistent with step sign: arange({start}, {stop}, {step})")
    whole = all(isinstance(n, (int, np.integer)) for n in (start, stop, step))
    want = as_dtype(dtype).np if dtype is not None else np.dtype(np.int64) if whole else get_default_dtype().np
    xp, there = place_of(device)
    with there:
        if whole and want.kind in "iu":
            return fresh(xp.arange(start, stop, step, dtype=want), requires_grad)
        n = max(0, -int(-(stop - start) // step))
        return fresh((xp.arange(n) * step + start).astype(want), requires_grad)


HELPERS = {"zeros": zeros, "ones": ones, "empty": empty, "full": full, "zeros_like": zeros_like, "ones_like": ones_like,
           "empty_like": empty_like, "full_like": full_like, "arange": arange}
