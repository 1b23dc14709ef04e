"""Hyperparameters: checked when an optimizer is made, read as numbers (or device scalars) when it steps."""
import numpy as np

from .. import _dtypes
from .._backends import of_array
from .._core.tensor import Tensor, count_write, wrap
from .._state import state


def check_lr(lr, foreach=False, capturable=False):
    """ValueError unless `lr` is a non-negative number or a tensor of one such element."""
    if isinstance(lr, Tensor) and foreach and not capturable:
        raise ValueError("lr as a Tensor is not supported for capturable=False and foreach=True")
    check_lr_size(lr)
    check_from_zero("learning rate", lr)


def check_lr_size(lr):
    """ValueError for a tensor of more or less than one element."""
    if isinstance(lr, Tensor) and lr._data.size != 1:
        raise ValueError("Tensor lr must be 1-element")


def check_from_zero(what, value):
    """ValueError unless 0 <= value."""
    if not value >= 0.0:
        raise ValueError(f"Invalid {what}: {value}")


def check_betas(betas):
    """ValueError unless both decay rates lie in [0, 1)."""
    for i, beta in enumerate(betas):
        if not 0.0 <= beta < 1.0:
            raise ValueError(f"Invalid beta parameter at index {i}: {beta}")


def check_implementation(foreach, fused, differentiable):
    """RuntimeError for torch's contradictory choices of implementation."""
    if fused and differentiable:
        raise RuntimeError("`fused` does not support `differentiable`")
    if fused and foreach:
        raise RuntimeError("`fused` and `foreach` cannot be `True` together.")


def check_fused(params):
    """RuntimeError for parameters of a type that fused=True does not take: complex ones."""
    for p in params:
        if p._data.dtype.kind == "c" and p.grad is not None:
            raise RuntimeError("`fused=True` requires all the params to be floating point Tensors of supported devices: ['cuda', 'cpu'] but "
                               f"{p.dtype} and {p.device.type}")


def number(value, group, param):
    """A hyperparameter as a Python number; a tensor as a 0-d array when `lives_on_device`, so that the host need not wait for it.

    In a differentiable group it stays a tensor, and gradients flow to it.
    """
    if not isinstance(value, Tensor):
        return value
    if group.get("differentiable"):
        return value.reshape(())
    stays = of_array(value._data).name != "numpy" and lives_on_device(group, param)
    return value._data.reshape(()) if stays else value._data.item()


def lives_on_device(group, param):
    """Whether this group's step counts are scalars on the device of `param`, so that a step never waits for it.

    So it is with capturable=True, with fused=True, and in a step that is to be captured.  AssertionError, as in torch, for capturable=True
    with a parameter on the CPU.
    """
    if not group.get("capturable") and (type(param._data) is np.ndarray or not (group.get("fused") or state.stepper is not None)):
        return False
    is_cuda = of_array(param._data).name != "numpy"
    if group.get("capturable") and not is_cuda:
        raise AssertionError("If capturable=True, params and state_steps must be on supported devices: ['cuda'], "
                             "and one of the params is on the CPU.")
    return is_cuda


def scalar_state(value, group, param):
    """A 0-d float tensor for a count or product kept in an optimizer's state: on the CPU, unless `lives_on_device`."""
    wide = _dtypes.get_default_dtype() is _dtypes.float64 and not group.get("fused")
    dtype = np.float64 if wide else np.float32
    if not lives_on_device(group, param):
        return wrap(np.full((), value, dtype))
    backend = of_array(param._data)
    with backend.on_device_of(param._data):
        return wrap(backend.xp.full((), value, dtype))


def zeros_state(param, value=0):
    """A tensor like `param` (same layout and device) filled with `value`."""
    backend = of_array(param._data)
    with backend.on_device_of(param._data):
        return wrap(backend.xp.full_like(param._data, value) if value else backend.xp.zeros_like(param._data))


def counter(entry, param, group):
    """The tensor that counts a parameter's steps in its state, made where there is none, and moved to the device when it is to live there."""
    step = entry.get("step")
    if not isinstance(step, Tensor):
        entry["step"] = step = scalar_state(step or 0.0, group, param)
    elif type(step._data) is np.ndarray and lives_on_device(group, param):
        for name, value in entry.items():  # with it whatever else is one number
            if isinstance(value, Tensor) and type(value._data) is np.ndarray and not value._data.ndim:
                entry[name] = scalar_state(value._data.item(), group, param)
        step = entry["step"]
    return step


def advance(entry, param, group):
    """Count one step.  Returns the new count: a Python float, or a device scalar when `lives_on_device`."""
    step = counter(entry, param, group)
    count = step._data
    count += 1
    count_write(step)
    return count if lives_on_device(group, param) else count.item()
