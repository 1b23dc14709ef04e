"""Where the work of several GPUs is done: on the one that holds the operands, whichever is the current one, as in torch.

CuPy's functions work on the current device and put their results there: a program that never says `cuda.set_device` would compute on the first GPU
what lies on another.  With one GPU there is nothing to ask, and kernels run as they are.
"""
import contextlib

from .._backends import BACKENDS
from .._backends.sparse_ import SparseArray
from . import errors


def device_to_enter(arrays):
    """A context for work on `arrays`, operands of an operation, where the first that is on a GPU is not on the current one; else None."""
    for a in arrays:
        if type(a) is list:
            return device_to_enter(a)
        a = a.values if type(a) is SparseArray else a
        backend = BACKENDS.get(type(a))
        if backend is not None and backend.name == "cupy":
            return None if not backend.several() or backend.is_current(a) else a.device
    return None


def placed(op, fn, backend):
    """`fn`, what computes `op` on GPUs, on the device of its operands.  RuntimeError where those of an op that promotes them lie on several."""
    if not backend.several():
        return fn
    kind, current = backend.Array, backend.current_device

    def on_its_gpu(xp, *arrays, **attrs):
        here = current()
        for a in arrays:
            if type(a) is list or type(a) is kind and a.data.device_id != here:
                break
        else:
            return fn(xp, *arrays, **attrs)
        if op.promote is not None and len({a.data.device_id for a in arrays if type(a) is kind}) > 1:
            raise errors.mixed_devices(op, arrays)
        with device_to_enter(arrays) or contextlib.nullcontext():
            return fn(xp, *arrays, **attrs)
    return on_its_gpu
