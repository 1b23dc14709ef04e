"""The CUDA backend: CuPy arrays.  Imported only when a CUDA tensor is asked for."""
import functools
import math
import os

import numpy as np

from .allocator import Allocator

try:
    import cupy
    import cupyx
except ImportError as error:
    raise RuntimeError(
        "CUDA tensors need CuPy, which is not installed: pip install 'ringgrad[cuda13]' (or cuda12), or use device='cpu'"
    ) from error

xp = cupy
name = "cupy"
Array = cupy.ndarray
ARRAY_TYPES = (cupy.ndarray,)
COMPUTES_HALF_IN_FLOAT32 = True  # formulas; kernels take halves as they are: Op.widens_half
allocator = Allocator(cupy)  # all device memory comes from it
allocator.install()
current_device = cupy.cuda.runtime.getDevice
_forked: list[bool] = []  # not empty in a child of a process that had this module: CUDA does not go on there

if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=lambda: _forked.append(True))


def require_device(index=None):
    """RuntimeError, with what was asked and what is there, unless CUDA device `index` exists and this process may use it."""
    if _forked:
        raise RuntimeError("Cannot re-initialize CUDA in forked subprocess. To use CUDA with multiprocessing, you must use the 'spawn' start method")
    try:
        count = cupy.cuda.runtime.getDeviceCount()
    except cupy.cuda.runtime.CUDARuntimeError as error:
        raise RuntimeError(f"no CUDA device is available ({error}); use device='cpu'") from None
    if index is not None and index >= count:
        raise RuntimeError(f"CUDA error: invalid device ordinal: device cuda:{index} was asked for but this machine has {count}")


def asarray(x, dtype=None):
    """`x` as a CuPy array, where it is if it is one, else on the current device; copies only when it must."""
    if type(x) is cupy.ndarray:
        return x if dtype is None or x.dtype == dtype else _of_type(x, dtype)
    return cupy.asarray(x, dtype=dtype)


def _of_type(x, dtype):
    with x.device:
        return x.astype(dtype)


def from_host(array, index=None, non_blocking=False):
    """Copy a NumPy array to CUDA device `index` (None: the current one), in the order of its current stream.

    The host goes on at once.  What lies in pageable memory was copied aside by then, and may be changed.  From pinned memory the device reads by
    itself; CuPy keeps it alive until then, and the host waits unless non_blocking.
    """
    require_device(index)
    with cupy.cuda.Device(index):
        return cupy.asarray(array, blocking=not non_blocking and is_pinned(array))


def to_host(array, non_blocking=False):
    """Copy to a NumPy array; waits for the device, unless non_blocking: the result is pinned then, and right once the stream has come that far."""
    if not non_blocking:
        return cupy.asnumpy(array)
    with array.device:
        dense, stream = cupy.ascontiguousarray(array), cupy.cuda.get_current_stream()
        out = empty_pinned(array.shape, array.dtype)
        dense.get(stream=stream, out=out, blocking=False)
        done = cupy.cuda.Event(disable_timing=True)
        done.record(stream)
        cupy.cuda.pinned_memory._add_to_watch_list(done, (dense, out))  # both stay until the copy is over
    return out


def empty_pinned(shape, dtype):
    """An uninitialised NumPy array in page-locked memory, from CuPy's pool of it."""
    return cupyx.empty_pinned(shape, dtype) if math.prod(shape) else np.empty(shape, dtype)


def is_pinned(array):
    """Whether a NumPy array lies in page-locked memory, whoever locked it."""
    return array.size > 0 and cupy.cuda.pinned_memory.is_memory_pinned(array.ctypes.data)


def move(array, index):
    """`array` on CUDA device `index` (None: where it is), in the order of the current streams of both devices."""
    source = array.device.id
    if index is None or source == index:
        return array
    require_device(index)
    _follow(index, source)  # the copy runs on the target's stream, after what is still to be written
    with cupy.cuda.Device(index):
        out = cupy.array(array)
    _follow(source, index)  # and before whatever the source's stream writes there next, when the memory is given to somebody else
    return out


def _follow(waiting, other):
    """Let the current stream of one device wait for what that of the other has been given so far."""
    with cupy.cuda.Device(other):
        event = cupy.cuda.Event(disable_timing=True)
        event.record(cupy.cuda.get_current_stream())
    with cupy.cuda.Device(waiting):
        cupy.cuda.get_current_stream().wait_event(event)


def index_of(array):
    """Number of the device that holds `array`."""
    return array.device.id


def data_ptr(array):
    """Address of the first element in device memory."""
    return array.data.ptr


def offset(array, owner):
    """Bytes from the first element of `owner` to that of `array`, which looks into its memory."""
    return array.data.ptr - owner.data.ptr


def synchronize(index=None):
    """Wait until device `index` (None: the current one) has finished all its work."""
    with cupy.cuda.Device(index):
        cupy.cuda.runtime.deviceSynchronize()


def checking_matrices():
    """A context in which a matrix that cannot be inverted, solved with or factored raises NumPy's LinAlgError.  The host waits for the answer."""
    return cupyx.errstate(linalg="raise")


def scalar(value, dtype):
    """A Python number as a NumPy scalar, which CuPy passes to kernels by value; out-of-range integers wrap as torch's do."""
    return np.asarray(value).astype(dtype)[()]


def on_device_of(array):
    """A context in which kernels go to the device of `array` (an array, a Tensor, or a list of them with gaps)."""
    if type(array) is list:
        array = next(a for a in array if a is not None)
    return getattr(array, "_data", array).device


@functools.cache
def several():
    """Whether there is more than one GPU, so that arrays may lie on another than the current one."""
    return cupy.cuda.runtime.getDeviceCount() > 1


def is_current(array):
    """Whether `array` lies on the current device."""
    return array.data.device_id == current_device()
