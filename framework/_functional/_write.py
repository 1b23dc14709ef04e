"""Writing into a tensor: `assign`, behind x[...] = y, copy_, fill_ and zero_."""
import numpy as np

from .. import ops
from .._backends import device_of
from .._core.graph import refresh_view
from .._core.inplace import apply_inplace, write
from .._core.tensor import Tensor
from .._state import state


def assign(target, value):
    """Write `value`, a tensor of this device or a number, into `target`, converted and broadcast.  Returns target."""
    if _quick(target, value):
        write(target, value._data if isinstance(value, Tensor) else value)
        return target
    return apply_inplace(ops.assign.op, target, (value,), {})


def _quick(target, value):
    """Whether NumPy's own assignment does the same: nothing is recorded, refused or checked."""
    a = target._data
    if state.tracer is not None or type(target._cell) is not list or a.dtype.kind != "f":
        return False
    if isinstance(value, Tensor):
        v = value._data
        if type(v) is not type(a) or v.dtype.kind not in "fiub" or v.shape != a.shape:
            return False
        if state.grad and watched(value):
            return False
    elif type(value) is not float and type(value) is not int:
        return False
    if type(a) is np.ndarray and not a.flags.writeable:
        return False
    return not (state.grad and (watched(target) or target._view is not None and target._view.base._requires_grad))


def watched(t):
    """Whether autograd records what is computed from `t`."""
    if t._view is not None:
        refresh_view(t)
    return t._requires_grad


def beside(value, target, non_blocking=False):
    """`value` where an assignment to `target` can read it: a tensor of another device is copied over, the rest stays as it is.

    non_blocking: the host need not wait for a copy to a GPU; it does wait for one to the CPU, which it is about to read.
    """
    if isinstance(value, Tensor) and type(value._data) is not type(target._data):
        place = device_of(target._data)
        return ops.to_device(value, place, bool(non_blocking) and place.type != "cpu")
    return value
