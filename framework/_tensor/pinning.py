"""Page-locked ("pinned") host memory, from which a GPU copies by itself while the host goes on."""
import sys

import numpy as np

from .._backends import device_of, load_cuda
from .._backends.sparse_ import SparseArray
from .._core.tensor import count_write, wrap

_NO_GPU = "Cannot access accelerator device when none is available."
_NO_ALLOCATOR = ("pin_memory=True requires a CUDA or other accelerator backend; no pinned memory allocator is available on this system.")


def pin_memory(self, device=None):
    """A copy in page-locked host memory; this tensor where it lies there already.  device: taken for torch's sake.

    `.to("cuda", non_blocking=True)` from there runs while the host goes on.  RuntimeError without a GPU, and for tensors that are not on the CPU.
    """
    if type(self._data) is SparseArray:
        raise RuntimeError("cannot pin sparse tensors here: pin their indices() and values()")
    if type(self._data) is not np.ndarray:
        raise RuntimeError(f"cannot pin '{self.type()}' only dense CPU tensors can be pinned")
    backend = _backend(_NO_GPU)
    return self if backend.is_pinned(self._data) else wrap(_copied(backend, self._data), self._requires_grad and self._node is None)


def is_pinned(self, device=None):
    """Whether this tensor lies in page-locked host memory.  False without a GPU."""
    if type(self._data) is not np.ndarray or "cupy" not in sys.modules:
        return False
    try:
        return load_cuda().is_pinned(self._data)
    except RuntimeError:  # CuPy is here, and no GPU
        return False


def in_pinned_memory(t):
    """`t`, a new tensor, with its elements moved to page-locked memory: what pin_memory=True of creation functions means."""
    if device_of(t._data).type != "cpu":
        raise RuntimeError("Only dense CPU tensors can be pinned")
    t._data = _copied(_backend(_NO_ALLOCATOR), t._data)
    count_write(t)
    return t


def pinned_if(wanted, t):
    """A creation function's result, in page-locked memory where its pin_memory=True wants that."""
    return in_pinned_memory(t) if wanted else t


def _backend(refusal):
    try:
        return load_cuda()
    except RuntimeError:
        raise RuntimeError(refusal) from None


def _copied(backend, array):
    pinned = backend.empty_pinned(array.shape, array.dtype)
    pinned[...] = array
    return pinned


ATTRIBUTES = {"pin_memory": pin_memory, "is_pinned": is_pinned}
