"""New tensors: from data, of one value, of ranges."""
import math
import warnings

import numpy as np

from .. import ops
from .._backends import device_of, for_device, load_cuda, of_array
from .._core.tensor import Tensor, unwrap, wrap
from .._device import as_device
from .._dtypes import as_dtype, get_default_dtype, int64, scalar_dtype
from .._tensor.exchange import borrowed
from .._tensor.pinning import in_pinned_memory, pinned_if
from ..ops.creation import fresh, place_of
from ._data import known, read
from ._sizes import shape_of_new

# -- from data ---------------------------------------------------------------------------------------------------------


def tensor(data, *, dtype=None, device=None, requires_grad=False, pin_memory=False):
    """A new leaf tensor with a copy of `data`: a number, nested lists of numbers, an array.

    dtype   inferred when None: bool, int64, the default float, or its complex type; arrays and NumPy scalars keep theirs
    device  the default device when None
    ValueError for ragged lists; RuntimeError when gradients are asked of integers.
    """
    dtype = None if dtype is None else as_dtype(dtype)
    if isinstance(data, Tensor):
        warnings.warn("To copy construct from a tensor, it is recommended to use sourceTensor.detach().clone() or "
                      "sourceTensor.detach().clone().requires_grad_(True), rather than tensor(sourceTensor).", UserWarning, stacklevel=2)
        place = device_of(data._data) if device is None else as_device(device)
        return fresh(moved(data._data, place, None if dtype is None else dtype.np, copy=True), requires_grad)
    if _is_cupy(data):
        return fresh(moved(data, as_device("cuda" if device is None else device), None if dtype is None else dtype.np, copy=True), requires_grad)
    if isinstance(data, np.ndarray):
        _refuse_negative_strides(data)
    return pinned_if(pin_memory, fresh(to_place(read(data, dtype), as_device(device)), requires_grad))


_HOST_TYPES = (list, tuple, int, float, bool, np.ndarray)


def _is_cupy(data):
    return type(data) not in _HOST_TYPES and type(data).__module__.partition(".")[0] == "cupy"


def as_tensor(data, dtype=None, device=None):
    """`data` as a tensor, sharing memory (and history) where type and device allow: tensors, arrays; lists and numbers are copied."""
    if isinstance(data, Tensor):
        out = data
        if device is not None and as_device(device) != device_of(data._data):
            out = ops.to_device(out, as_device(device))
        return out if dtype is None or as_dtype(dtype).np == out._data.dtype else ops.astype(out, as_dtype(dtype).np)
    if isinstance(data, np.ndarray):
        shared = from_numpy(data)._data
        shared = shared if dtype is None or as_dtype(dtype).np == shared.dtype else shared.astype(as_dtype(dtype).np)
        return fresh(to_place(shared, as_device(device)))
    if _is_cupy(data):
        load_cuda()
        return as_tensor(wrap(data), dtype, device)
    lent = borrowed(data)
    return tensor(data, dtype=dtype, device=device) if lent is None else as_tensor(wrap(lent), dtype, device)


def from_numpy(array):
    """A CPU tensor on the memory of a NumPy array: writes to either show in both.  TypeError for types torch has no word for."""
    if not isinstance(array, np.ndarray):
        raise TypeError(f"expected np.ndarray (got {type(array).__name__})")
    known(array.dtype)
    _refuse_negative_strides(array)
    if not array.flags.writeable:
        warnings.warn("The given NumPy array is not writable: writing to the tensor will raise. Copy the array to protect its data or make it "
                      "writable.", UserWarning, stacklevel=2)
    return fresh(array.view(np.ndarray) if array.dtype.isnative else array.astype(array.dtype.newbyteorder("=")))


def _refuse_negative_strides(array):
    if array.size and any(s < 0 for s in array.strides):
        raise ValueError("At least one stride in the given numpy array is negative, and tensors with negative strides are not currently supported. "
                         "(You can probably work around this by making a copy of your array with array.copy().)")


def to_place(host_array, place):
    """A NumPy array on the device `place`: itself on the CPU."""
    return host_array if place.type == "cpu" else for_device(place).from_host(host_array, place.index)


def moved(array, place, np_dtype=None, copy=False):
    """A raw array of any device on `place` in `np_dtype`; a copy when anything changes, or always."""
    backend = of_array(array) if type(array) is not np.ndarray and place.type == "cpu" else for_device(place)
    if place.type == "cpu":
        out = backend.to_host(array)
    else:
        out = backend.from_host(array, place.index) if isinstance(array, np.ndarray) else backend.move(array, place.index)
    with of_array(out).on_device_of(out):
        if np_dtype is not None and out.dtype != np_dtype:
            return out.astype(np_dtype)
        return out.copy() if copy and out is array else out


def scalar_tensor(value, *, dtype=None, device=None, requires_grad=False):
    """A 0-d tensor of a number, in the default float unless told otherwise."""
    return tensor(value, dtype=dtype or get_default_dtype(), device=device, requires_grad=requires_grad)


def asarray(obj, *, dtype=None, device=None, copy=None, requires_grad=False):
    """`as_tensor` with a choice: copy=True always copies, copy=False raises ValueError where a copy is needed."""
    out = as_tensor(obj, dtype, device)
    shared = out is obj or out._data is obj or (isinstance(obj, np.ndarray) and type(out._data) is np.ndarray and np.shares_memory(out._data, obj))
    if copy and shared:
        out = ops.copy(out)
    if copy is False and not shared:
        raise ValueError("can't alias arbitrary sequence into a tensor: pass copy=None or a tensor or array of the wanted type")
    out = out.detach() if out is obj and requires_grad != out._requires_grad else out
    out._requires_grad = bool(requires_grad)
    return out


# -- of one value ------------------------------------------------------------------------------------------------------

_FILLED_DOCS = {
    "zeros": "A tensor of zeros: zeros(2, 3) or zeros((2, 3)), in the default float unless `dtype` says otherwise.",
    "ones": "A tensor of ones: ones(2, 3) or ones((2, 3)), in the default float unless `dtype` says otherwise.",
    "empty": "A tensor whose elements hold whatever was in memory: empty(2, 3) or empty((2, 3)).",
}


def _filled(name):
    make, like = getattr(ops, name), getattr(ops, f"{name}_like")

    def filled(*args, size=None, dtype=None, layout=None, device=None, requires_grad=False, pin_memory=False):
        return pinned_if(pin_memory, make(shape_of_new(args, size, name), dtype, device, requires_grad))

    def filled_like(input, *, dtype=None, layout=None, device=None, requires_grad=False, memory_format=None, pin_memory=False):
        return pinned_if(pin_memory, like(input, dtype, device, requires_grad))

    def new_filled(self, *args, size=None, dtype=None, layout=None, device=None, requires_grad=False, pin_memory=False):
        return pinned_if(pin_memory, make(shape_of_new(args, size, f"new_{name}"), *_as(self, dtype, device), requires_grad))

    for function, called, doc in ((filled, name, _FILLED_DOCS[name]),
                                  (filled_like, f"{name}_like", f"As `{name}`, in the shape, type and place of `input` unless told otherwise."),
                                  (new_filled, f"new_{name}", f"As `{name}`, in the type and place of this tensor unless told otherwise.")):
        function.__name__, function.__qualname__, function.__doc__ = called, called, doc
    return filled, filled_like, new_filled


def _as(t, dtype, device):
    """(dtype, device), taken from `t` where they are None."""
    return t.dtype if dtype is None else dtype, t.device if device is None else device


zeros, zeros_like, new_zeros = _filled("zeros")
ones, ones_like, new_ones = _filled("ones")
empty, empty_like, new_empty = _filled("empty")


def full(size, fill_value, *, dtype=None, layout=None, device=None, requires_grad=False, pin_memory=False):
    """A tensor of `size` filled with a number, whose kind decides the type unless `dtype` does."""
    value = unwrap(fill_value)
    value = value.item() if hasattr(value, "item") else value
    dtype = scalar_dtype(value) if dtype is None else dtype
    return pinned_if(pin_memory, ops.full(shape_of_new((size,), None, "full"), value, dtype, device, requires_grad))


def full_like(input, fill_value, *, dtype=None, layout=None, device=None, requires_grad=False, memory_format=None):
    """A tensor filled with a number, in the shape, type and place of `input` unless told otherwise."""
    return ops.full_like(input, unwrap(fill_value), dtype, device, requires_grad)


def new_full(self, size, fill_value, *, dtype=None, device=None, requires_grad=False, layout=None, pin_memory=False):
    """As `full`, in the type and place of this tensor unless told otherwise."""
    made = ops.full(shape_of_new((size,), None, "new_full"), unwrap(fill_value), *_as(self, dtype, device), requires_grad)
    return pinned_if(pin_memory, made)


def new_tensor(self, data, *, dtype=None, device=None, requires_grad=False):
    """A copy of `data` in the type and place of this tensor unless told otherwise."""
    dtype, device = _as(self, dtype, device)
    return tensor(data.detach() if isinstance(data, Tensor) else data, dtype=dtype, device=device, requires_grad=requires_grad)


def empty_strided(size, stride, *, dtype=None, layout=None, device=None, requires_grad=False, pin_memory=False):
    """Uninitialised elements of which neighbours along dimension i lie stride[i] elements apart."""
    dtype = get_default_dtype() if dtype is None else as_dtype(dtype)
    extent = 1 + sum((n - 1) * s for n, s in zip(size, stride)) if math.prod(size) else 0
    memory = ops.empty((extent,), dtype, device)._data
    if pin_memory:
        memory = in_pinned_memory(wrap(memory))._data
    lib = of_array(memory).xp.lib.stride_tricks
    return fresh(lib.as_strided(memory, tuple(size), tuple(s * memory.itemsize for s in stride)), requires_grad)


# -- ranges and patterns -----------------------------------------------------------------------------------------------

def arange(start=None, end=None, step=1, *, dtype=None, layout=None, device=None, requires_grad=False, pin_memory=False):
    """Numbers from `start` (0 when only one is given) to before `end`, by `step`; int64 for integers, else the default float."""
    if start is None:
        if end is None:
            raise TypeError('arange() missing 1 required positional arguments: "end"')
        start = 0
    start, end, step = (None if n is None else _number(n) for n in (start, end, step))
    return pinned_if(pin_memory, ops.arange(start, end, step, dtype, device, requires_grad))


def linspace(start, end, steps, *, dtype=None, layout=None, device=None, requires_grad=False):
    """`steps` numbers from `start` to `end`, both included, evenly spaced."""
    start, end = _number(start), _number(end)
    points = _spaced(start, end, steps)
    return _placed(points, dtype, device, requires_grad, isinstance(start, complex) or isinstance(end, complex))


def logspace(start, end, steps, base=10.0, *, dtype=None, layout=None, device=None, requires_grad=False):
    """`steps` numbers from base**start to base**end, both included, with evenly spaced exponents."""
    start, end = _number(start), _number(end)
    points = np.power(base, _spaced(start, end, steps))
    return _placed(points, dtype, device, requires_grad, isinstance(start, complex) or isinstance(end, complex))


def _spaced(start, end, steps):
    if steps < 0:
        raise RuntimeError(f"number of steps must be non-negative, got {steps}")
    return np.linspace(start, end, steps)


def _placed(points, dtype, device, requires_grad, is_complex=False):
    default = get_default_dtype()
    dtype = (default.to_complex() if is_complex else default) if dtype is None else as_dtype(dtype)
    return fresh(to_place(points.astype(dtype.np), as_device(device)), requires_grad)


def _number(n):
    return n.item() if hasattr(n, "item") else n


def eye(n, m=None, *, dtype=None, layout=None, device=None, requires_grad=False):
    """Ones on the diagonal, zeros elsewhere.  -> (n, m), (n, n) when `m` is None"""
    m = n if m is None else m
    for name, size in (("n", n), ("m", m)):
        if size < 0:
            raise RuntimeError(f"{name} must be greater or equal to 0, got {size}")
    xp, there = place_of(device)
    with there:
        return fresh(xp.eye(n, m, dtype=(get_default_dtype() if dtype is None else as_dtype(dtype)).np), requires_grad)


def tril_indices(row, col, offset=0, *, dtype=None, device=None, layout=None):
    """Row and column numbers of the lower triangle of a (row, col) matrix, row by row.  -> (2, count) int64"""
    return _indices(np.tril_indices(row, offset, col), dtype, device)


def triu_indices(row, col, offset=0, *, dtype=None, device=None, layout=None):
    """Row and column numbers of the upper triangle of a (row, col) matrix, row by row.  -> (2, count) int64"""
    return _indices(np.triu_indices(row, offset, col), dtype, device)


def _indices(pairs, dtype, device):
    return fresh(to_place(np.stack(pairs).astype((int64 if dtype is None else as_dtype(dtype)).np), as_device(device)))


FUNCTIONS = {
    "tensor": tensor, "as_tensor": as_tensor, "asarray": asarray, "from_numpy": from_numpy, "scalar_tensor": scalar_tensor,
    "zeros": zeros, "ones": ones, "empty": empty, "full": full, "zeros_like": zeros_like, "ones_like": ones_like, "empty_like": empty_like,
    "full_like": full_like, "empty_strided": empty_strided, "arange": arange, "linspace": linspace, "logspace": logspace, "eye": eye,
    "tril_indices": tril_indices, "triu_indices": triu_indices,
}
METHODS = {"new_tensor": new_tensor, "new_zeros": new_zeros, "new_ones": new_ones, "new_empty": new_empty, "new_full": new_full}
INPLACE = {}
