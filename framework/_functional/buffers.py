"""Tensors over memory that exists already (buffers, files), the fingerprint of a tensor, and reductions of its segments."""
import os

import numpy as np

from .. import ops
from .._backends import of_array
from .._core.tensor import wrap
from .._dtypes import as_dtype, get_default_dtype, uint64
from ..ops.shape import wrap_dim
from .creation import tensor


def frombuffer(buffer, *, dtype, count=-1, offset=0, requires_grad=False):
    """The bytes of an object with Python's buffer protocol as a 1-d tensor, which shares them.

    count: how many elements, -1 for all; offset: of the first one, in bytes.  ValueError for what does not fit.  Do not write over read-only bytes.
    """
    dtype = as_dtype(dtype)
    try:
        view = memoryview(buffer)
    except TypeError:
        raise ValueError("object does not implement Python buffer protocol.") from None
    length, size = view.nbytes, dtype.itemsize
    if not length or not count:
        raise ValueError(f"both buffer length ({length}) and count ({count}) must not be 0")
    if not 0 <= offset < length:
        raise ValueError(f"offset ({offset} bytes) must be non-negative and no greater than buffer length ({length} bytes) minus 1")
    if count < 0 and (length - offset) % size:
        raise ValueError(f"buffer length ({length - offset} bytes) after offset ({offset} bytes) must be a multiple of element size ({size})")
    count = (length - offset) // size if count < 0 else count
    if offset + count * size > length:
        raise ValueError(f"requested buffer length ({count} * {size} bytes) after offset ({offset} bytes) must not be greater than actual buffer "
                         f"length ({length} bytes)")
    flat = np.frombuffer(view, np.uint8, count * size, offset).view(dtype.np)
    return wrap(flat).requires_grad_() if requires_grad else wrap(flat)


def from_file(filename, shared=None, size=0, *, dtype=None, layout=None, device=None, pin_memory=False):
    """The first `size` elements of a file, mapped into memory: 1-d.  shared: writes go to the file, which is made long enough; else they stay here.

    RuntimeError for a file that cannot be opened or is too short.
    """
    dtype = get_default_dtype() if dtype is None else as_dtype(dtype)
    wanted = size * dtype.itemsize
    try:
        there = os.path.getsize(filename) if not shared or os.path.exists(filename) else 0
        if shared and there < wanted:
            with open(filename, "ab") as file:
                file.truncate(wanted)
        elif there < wanted:
            raise RuntimeError(f"file <{filename}> size <{there}> is smaller than the required mapping size <{wanted}>")
        if not size:
            return ops.empty((0,), dtype)
        return wrap(np.asarray(np.memmap(filename, np.uint8, "r+" if shared else "c", shape=(wanted,))).view(dtype.np))
    except OSError as error:
        raise RuntimeError(f"unable to open file <{filename}> in {'read-write' if shared else 'read-only'} mode: {error.strerror} "
                           f"({error.errno})") from None


def hash_tensor(input, dim=(), *, keepdim=False, mode=0):
    """The exclusive or of the elements over `dim` (all by default), each as 64 bits: of a float those of a double.  uint64"""
    if mode != 0:
        raise RuntimeError(f"hash_tensor: mode {mode} is not known; 0 is the exclusive or")
    a = input._data
    if a.dtype.kind == "c":
        raise NotImplementedError('"hash_tensor" not implemented for complex tensors')
    bits = (a.astype(np.float64) if a.dtype.kind in "fV" else a.astype(np.int64) if a.dtype != np.uint64 else a).view(np.uint64)
    dims = (dim,) if isinstance(dim, int) else tuple(dim)
    axes = tuple(wrap_dim(d, a.ndim) for d in dims) or tuple(range(a.ndim))
    bits = of_array(bits).to_host(bits)  # CuPy has no such reduction
    return tensor(np.asarray(np.bitwise_xor.reduce(bits, axis=axes, keepdims=keepdim)), dtype=uint64, device=input.device)


# -- segments ----------------------------------------------------------------------------------------------------------

_START = {"sum": 0.0, "mean": 0.0, "prod": 1.0, "max": -np.inf, "min": np.inf, "amax": -np.inf, "amin": np.inf}
_REDUCE = {"mean": "sum", "max": "amax", "min": "amin"}


def segment_reduce(data, reduce, *, lengths=None, indices=None, offsets=None, axis=0, unsafe=False, initial=None):
    """`data` reduced ("sum", "mean", "prod", "max", "min") over each of consecutive segments along `axis`.  (*a, n, *b) -> (*a, k, *b)

    lengths: (*a, k), how long each is, or offsets: (*a, k + 1), where each begins, and the end.  initial: takes part in each; by default what changes
    nothing, and nan for the mean of an empty segment.  RuntimeError unless the segments are all of `data`.
    """
    if reduce not in _START:
        raise RuntimeError(f"reduce argument must be either sum, prod, mean, amax or amin, got {reduce}")
    if lengths is None and offsets is None:
        raise RuntimeError("segment_reduce(): Either lengths or offsets must be defined.")
    shape, axis = data._data.shape, wrap_dim(axis, data._data.ndim)
    given = (offsets if lengths is None else lengths)._data
    given = of_array(given).to_host(given)
    sizes = given if lengths is not None else np.diff(given, axis=-1)
    if sizes.ndim != axis + 1:
        raise RuntimeError(f"segment_reduce(): Expected axis to be the last dimension of lengths but got {axis}.")
    if not unsafe and ((sizes < 0).any() or (sizes.sum(-1) != shape[axis]).any()):
        raise RuntimeError("segment_reduce(): Expected all rows of lengths along axis to sum to data.size(lengths.dim()-1) when !unsafe.")
    k, rest = sizes.shape[-1], shape[axis + 1:]
    owner = np.array([np.repeat(np.arange(k), row) for row in sizes.reshape(-1, k)], np.int64).reshape(*shape[:axis + 1], *(1,) * len(rest))
    start = ops.full((*shape[:axis], k, *rest), _START[reduce] if initial is None else initial, data.dtype, data.device)
    out = start.scatter_reduce(axis, tensor(np.broadcast_to(owner, shape).copy(), device=data.device), data, _REDUCE.get(reduce, reduce))
    if reduce != "mean":
        return out
    counts = sizes.reshape(*sizes.shape, *(1,) * len(rest)).astype(data._data.dtype)
    counts = np.where(counts == 0, np.nan if initial is None else 1, counts).astype(data._data.dtype)
    return out / tensor(counts, device=data.device)


def module_load(self, other, assign=False):
    """How `load_state_dict` puts `other` into this tensor: copied, or with `assign` in its place.  Returns the tensor to keep."""
    return other.detach() if assign else self.copy_(other).detach()


def _nowhere(name):
    def method(self, *args, **kwargs):
        raise RuntimeError(f"{name}: ringgrad has tensors on the CPU and on CUDA devices only")
    method.__name__ = method.__qualname__ = name
    method.__doc__ = "Raises RuntimeError: there are tensors on the CPU and on CUDA devices only."
    return method


def chalf(self, *, memory_format=None):
    """Raises NotImplementedError: complex numbers have 64 or 128 bits here."""
    raise NotImplementedError("chalf: ringgrad has no complex32; use .cfloat()")


FUNCTIONS = {"frombuffer": frombuffer, "from_file": from_file, "hash_tensor": hash_tensor, "segment_reduce": segment_reduce}
METHODS = {"hash_tensor": hash_tensor, "module_load": module_load, "chalf": chalf, "ipu": _nowhere("ipu"), "mtia": _nowhere("mtia")}
INPLACE = {}
