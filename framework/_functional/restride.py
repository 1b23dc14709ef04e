"""The tensor itself takes another shape: t_, squeeze_, resize_ and kin; and the memory behind it."""
import math

import numpy as np

from .. import ops
from .._backends import device_of, of_array
from .._core.graph import set_history
from .._core.inplace import check_writable
from .._core.tensor import _new, count_write, wrap
from .._dtypes import of_numpy
from .._sharing import memory_of, shared_copy
from .._state import state
from ..ops.shape import wrap_dim


def _becomes(self, view_op):
    """Turn `self` into view_op(self), in the same memory.  Returns self.  RuntimeError for leaves that require grad."""
    check_writable(self, state.grad and self.requires_grad)
    old = _new(type(self))
    old._data, old._requires_grad, old._node, old._cell = self._data, self._requires_grad, self._node, self._cell
    old._view, old._grad, old._hooks = self._view, None, None
    out = view_op(old)
    if self._view is not None:
        self._view = out._view
    self._data = out._data
    count_write(self)
    if out._node is not None and out._node is not old._node:
        set_history(self, out._node)
    if self._view is not None and type(self._cell) is list:
        self._view.version = self._cell[0]
    return self


def unsqueeze_(self, dim):
    """In-place form of `unsqueeze`.  Returns self."""
    axis = wrap_dim(dim, self._data.ndim + 1)
    return _becomes(self, lambda x: ops.expand_dims(x, axis))


def squeeze_(self, dim=None):
    """In-place form of `squeeze`.  Returns self."""
    return _becomes(self, lambda x: x.squeeze() if dim is None else x.squeeze(dim))


def transpose_(self, dim0, dim1):
    """In-place form of `transpose`.  Returns self."""
    return _becomes(self, lambda x: x.transpose(dim0, dim1))


def t_(self):
    """In-place form of `t`.  Returns self."""
    return _becomes(self, lambda x: x.t())


def as_strided_(self, size, stride, storage_offset=None):
    """In-place form of `as_strided`.  Returns self."""
    return _becomes(self, lambda x: x.as_strided(size, stride, storage_offset))


# -- size and memory ---------------------------------------------------------------------------------------------------

def _memory(a):
    """The whole memory that an array looks into, as a flat array of its type."""
    owner = a
    while isinstance(owner.base, type(a)):
        owner = owner.base
    flat = owner.reshape(-1) if owner.flags.c_contiguous else owner.T.reshape(-1)
    return flat if flat.dtype == a.dtype else flat.view(np.uint8).view(a.dtype)


def resize_(self, *size, memory_format=None):
    """Another size, in row-major order, in the same memory where it is large enough; else in new memory, the old elements first.

    What lies behind the old elements is undefined.  RuntimeError for tensors that require grad.  Returns self.
    """
    shape = tuple(size[0]) if len(size) == 1 and isinstance(size[0], (tuple, list)) else size
    if self.requires_grad:
        raise RuntimeError("cannot resize variables that require grad")
    if self._data.shape == shape:
        return self
    n, memory, start = math.prod(shape), _memory(self._data), self.storage_offset()
    if start + n > memory.size:
        backend = of_array(memory)
        with backend.on_device_of(memory):
            grown = backend.xp.zeros(start + n, memory.dtype)
            grown[:memory.size] = memory
        memory = grown
        self._cell, self._view = [0], None
    self._data = memory[start:start + n].reshape(shape)
    return self


def resize_as_(self, the_template, memory_format=None):
    """`resize_` to the shape of another tensor.  Returns self."""
    return resize_(self, *the_template._data.shape)


def resize(self, *sizes):
    """The same elements in another shape, row-major; prefer `reshape`.  RuntimeError for another number of elements."""
    shape = tuple(sizes[0]) if len(sizes) == 1 and isinstance(sizes[0], (tuple, list)) else sizes
    if math.prod(shape) != self._data.size:
        raise RuntimeError(f"requested resize to {'x'.join(map(str, shape))}, but the given tensor has a size of "
                           f"{'x'.join(map(str, self._data.shape))} ({self._data.size} elements)")
    return self.reshape(shape)


class Storage:
    """The one-dimensional memory behind a tensor, shared by all its views: of elements (storage), or of bytes (untyped_storage)."""

    def __init__(self, flat, untyped=False):
        self._flat, self._untyped = flat, untyped

    def nbytes(self):
        """Size in bytes."""
        return self._flat.nbytes

    def size(self):
        """Number of elements; of bytes, when untyped."""
        return self._flat.size

    def element_size(self):
        """Bytes per element."""
        return self._flat.itemsize

    def data_ptr(self):
        """Address of the first byte."""
        return of_array(self._flat).data_ptr(self._flat)

    def tolist(self):
        """The elements as Python numbers."""
        return self._flat.tolist()

    def is_shared(self):
        """Whether forked processes see each other's writes to it."""
        return _is_shared(self._flat)

    @property
    def dtype(self):
        """The type of the elements; uint8 when untyped."""
        return of_numpy(self._flat.dtype)

    @property
    def device(self):
        """Where it is."""
        return device_of(self._flat)

    def __len__(self):
        return self._flat.size

    def __dlpack__(self, **kwargs):
        return self._flat.__dlpack__(**kwargs)

    def __dlpack_device__(self):
        return self._flat.__dlpack_device__()

    def __getitem__(self, i):
        return Storage(self._flat[i], self._untyped) if isinstance(i, slice) else self._flat[i].item()

    def __setitem__(self, i, value):
        self._flat[i] = value

    def __repr__(self):
        return f"[ringgrad.{'Untyped' if self._untyped else 'Typed'}Storage(dtype={self.dtype}, device={self.device}) of size {len(self)}]"


def storage(self):
    """The memory behind this tensor, element by element."""
    return Storage(_memory(self._data))


def untyped_storage(self):
    """The memory behind this tensor, byte by byte."""
    return Storage(_memory(self._data).view(np.uint8), untyped=True)


def _is_shared(a):
    return memory_of(a) is not None


def share_memory_(self):
    """Move the elements to memory that other processes can share: those forked from now on, and those that the tensor is sent to through
    a queue or pipe of `ringgrad.multiprocessing`.  Returns self.  Does nothing for CUDA tensors.

    Views made before keep the old memory.
    """
    a = self._data
    if isinstance(a, np.ndarray) and not _is_shared(a):
        self._data = shared_copy(a)
    return self


def is_shared(self):
    """Whether forked processes share the elements: after share_memory_(), and always for CUDA tensors."""
    return self.is_cuda or _is_shared(self._data)


def record_stream(self, stream):
    """Keep the memory, once nobody uses it any more, from new tensors until `stream` has done what it was given by then.

    For a tensor that was made on one stream and is used on another.  RuntimeError for a tensor that is not on a GPU.
    """
    backend = of_array(self._data)
    if backend.name != "cupy":
        raise RuntimeError(f"record_stream: the tensor is on {device_of(self._data)}, and only memory of a GPU belongs to a stream")
    backend.allocator.record_stream(self._data, stream.native)


def set_(self, source=None):
    """Look into the memory of another tensor of the same type from now on (into none, without one).  Returns self."""
    if self.requires_grad:
        raise RuntimeError("set_: the tensor requires grad; assign to .data, or detach it first")
    source = wrap(self._data.reshape(-1)[:0]) if source is None else source
    if source._data.dtype != self._data.dtype:
        raise RuntimeError(f"Could not set tensor of type {source.dtype} to a tensor of type {self.dtype}")
    self._data, self._cell, self._view = source._data, source._cell, None
    return self


FUNCTIONS = {}
METHODS = {
    "unsqueeze_": unsqueeze_, "squeeze_": squeeze_, "transpose_": transpose_, "swapaxes_": transpose_, "swapdims_": transpose_, "t_": t_,
    "as_strided_": as_strided_,
    "resize": resize, "resize_": resize_, "resize_as_": resize_as_, "storage": storage, "untyped_storage": untyped_storage,
    "share_memory_": share_memory_,
    "is_shared": is_shared, "record_stream": record_stream, "set_": set_,
}
INPLACE = {}
