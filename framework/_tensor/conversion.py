"""Between tensors and everything else: types, devices, NumPy, Python numbers, copies, pickles."""
import copy as copying
import numbers

import numpy as np

from .. import _config, ops
from .._backends import device_of, for_device, of_array
from .._backends.meta_ import MetaArray, array_of
from .._backends.sparse_ import Pattern, SparseArray
from .._core.tensor import Tensor, unwrap, wrap
from .._device import as_device, device
from .._dtypes import ALIASES, as_dtype, dtype, of_numpy
from ..ops import _layout
from . import pinning


def to(self, *args, dtype=None, device=None, non_blocking=False, copy=False, memory_format=None):
    """This tensor in another type, on another device, or both: to(dtype), to(device), to(device, dtype), to(other).

    memory_format: channels_last lets images on a GPU lie so, which convolutions then keep; the CPU takes the word and keeps its own order.
    Returns self when nothing changes and copy=False.  The copy is recorded: gradients come back in this tensor's type and place.
    non_blocking: the host does not wait for a copy between pinned memory and a GPU; one to the CPU is pinned then, and right once its stream has come
    that far (`ringgrad.cuda.synchronize()`, say).
    """
    for a in args:
        if isinstance(a, Tensor):
            dtype, device = a.dtype, a.device
        elif isinstance(a, bool):
            copy, non_blocking = (a, non_blocking) if non_blocking else (copy, a)
        elif _is_dtype(a):
            dtype = a
        elif a is not None:
            device = a
    out = self
    if device is not None and not _is_on(self, as_device(device)):
        place = as_device(device)
        if non_blocking and place.type == "cpu" and dtype is not None:  # the host must not touch what is on its way
            return ops.to_device(to(self, dtype=dtype), place, True)
        out = ops.to_device(out, place, bool(non_blocking))
    if dtype is not None and as_dtype(dtype).np != self._data.dtype:
        out = ops.astype(out, as_dtype(dtype).np)
    out = ops.copy(out) if copy and out is self else out
    return out if memory_format is None else _layout.convert(ops, out, memory_format)


def _is_dtype(a):
    return isinstance(a, dtype) or a in (float, int, bool, complex)


def _is_on(t, place):
    here = device_of(t._data)
    return here.type == place.type and (place.index is None or here.index == place.index or place.type == "cpu")


def cpu(self, memory_format=None):
    """This tensor on the CPU; itself when it is there."""
    return to(self, device="cpu")


def cuda(self, device=None, non_blocking=False, memory_format=None):
    """This tensor on a CUDA device (default: the current one)."""
    return to(self, device="cuda" if device is None else device, non_blocking=non_blocking, memory_format=memory_format)


def type_name(self):
    """The older name of this tensor's type and place, such as "ringgrad.FloatTensor"."""
    place = "" if self.device.type == "cpu" else f"{self.device.type}."
    return f"{_config.NAME}.{place}{'sparse.' if type(self._data) is SparseArray else ''}{LEGACY_NAMES[self.dtype.name]}"


LEGACY_NAMES = {"float32": "FloatTensor", "float64": "DoubleTensor", "float16": "HalfTensor", "bfloat16": "BFloat16Tensor",
                "uint8": "ByteTensor", "int8": "CharTensor", "int16": "ShortTensor", "int32": "IntTensor", "int64": "LongTensor",
                "bool": "BoolTensor", "complex64": "ComplexFloatTensor", "complex128": "ComplexDoubleTensor",
                "uint16": "UInt16Tensor", "uint32": "UInt32Tensor", "uint64": "UInt64Tensor"}


def type_as(self, other):
    """This tensor in the type and on the device of `other`."""
    return to(self, other)


def _caster(name, target):
    def cast(self, memory_format=None):
        return to(self, dtype=target)
    cast.__name__ = cast.__qualname__ = name
    cast.__doc__ = f"This tensor as {target.name}; itself when it is that already."
    return cast


CASTS = {**ALIASES, "bool": as_dtype(bool), "bfloat16": as_dtype("bfloat16"), "char": as_dtype("int8"), "byte": as_dtype("uint8")}


def numpy(self, *, force=False):
    """The NumPy array of this tensor, which shares its memory.

    TypeError for a CUDA tensor, RuntimeError for one that requires grad, unless force=True (which detaches and copies to the host).
    """
    if self.requires_grad and not force:
        raise RuntimeError("Can't call numpy() on Tensor that requires grad. Use tensor.detach().numpy() instead.")
    if of_array(self._data).name in ("cupy", "meta") and not force:
        raise TypeError(f"can't convert {self.device} device type tensor to numpy. Use Tensor.cpu() to copy the tensor to host memory first.")
    return of_array(self._data).to_host(self._data)


def __array__(self, dtype=None, copy=None):
    a = numpy(self)
    a = a if dtype is None else a.astype(dtype, copy=False)
    return a.copy() if copy and a is self._data else a


def item(self):
    """The one element, as a Python number.  RuntimeError when there are more or none."""
    if self._data.size != 1:
        raise RuntimeError(f"a Tensor with {self._data.size} elements cannot be converted to Scalar")
    value = self._data.item()
    return value if isinstance(value, (bool, int, float, complex)) else float(value)


def tolist(self):
    """The elements as nested lists of Python numbers; a number for a 0-d tensor."""
    a = of_array(self._data).to_host(self._data)
    return (a.astype(np.float32) if a.dtype.kind == "V" else a).tolist()


def __bool__(self):
    if self._data.size != 1:
        raise RuntimeError("Boolean value of Tensor with no values is ambiguous" if not self._data.size else
                           "Boolean value of Tensor with more than one value is ambiguous")
    return bool(self._data.item())


def __float__(self):
    return float(_real_item(self))


def __int__(self):
    return int(_real_item(self))


def __complex__(self):
    return complex(item(self))


def __index__(self):
    if self._data.dtype.kind not in "iub" or self._data.size != 1:
        raise TypeError("only integer tensors of a single element can be converted to an index")
    return int(self._data.item())


def _real_item(self):
    if self._data.size != 1:
        raise ValueError("only one element tensors can be converted to Python scalars")
    value = item(self)
    if isinstance(value, complex):
        if value.imag:
            raise RuntimeError("value cannot be converted to a real number without overflow")
        return value.real
    return value


def __len__(self):
    if not self._data.ndim:
        raise TypeError("len() of a 0-d tensor")
    return self._data.shape[0]


def __contains__(self, element):
    if not isinstance(element, (Tensor, numbers.Number)):
        raise RuntimeError(f"Tensor.__contains__ only supports Tensor or scalar, but you passed in a {type(element)}.")
    with of_array(self._data).on_device_of(self._data):
        return bool((self._data == unwrap(element)).any())


def __format__(self, spec):
    if self._data.ndim == 0 and (spec or type(self) is Tensor) and type(self._data) is not MetaArray:
        return format(item(self), spec)
    return object.__format__(self, spec) if spec else str(self)


def __deepcopy__(self, memo):
    if not self.is_leaf:
        raise RuntimeError("Only Tensors created explicitly by the user (graph leaves) support the deepcopy protocol at the moment. "
                           "Use tensor.detach().clone() for a copy of the values.")
    if id(self) in memo:
        return memo[id(self)]
    new = memo[id(self)] = wrap(_copy_of_memory(self._data, memo), self._requires_grad, type(self))
    if self._grad is not None:
        new._grad = copying.deepcopy(self._grad, memo)
    for name, value in self.__dict__.items():
        new.__dict__[name] = copying.deepcopy(value, memo)
    return new


def _copy_of_memory(a, memo):
    """A copy with the same strides; arrays on one memory have copies on one memory, which `memo` holds."""
    owner = a if a.base is None else a.base
    backend = of_array(a)
    known = backend.name in ("numpy", "cupy") and type(owner) is type(a) is backend.Array
    dense = known and owner.base is None and (owner.flags.c_contiguous or owner.flags.f_contiguous)
    if not dense or owner.dtype != a.dtype or not a.size:
        with backend.on_device_of(a):
            return a.copy(order="K")
    if id(owner) not in memo:
        with backend.on_device_of(a):
            memo[id(owner)] = owner.copy(order="K")
        memo.setdefault(id(memo), []).append(owner)  # as copy.deepcopy does: nobody else gets its id
    copied = memo[id(owner)]
    if a is owner:
        return copied
    start, strided = backend.offset(a, owner) // a.itemsize, backend.xp.lib.stride_tricks.as_strided
    flat = strided(copied, (copied.size,), (copied.itemsize,))
    return strided(flat[start:], a.shape, a.strides)


def __reduce_ex__(self, protocol):
    if type(self._data) is MetaArray:
        return _rebuild_meta, (type(self), self._data.shape, self._data.strides, self.dtype.name, self._requires_grad, dict(self.__dict__))
    place = str(device_of(self._data))
    if type(self._data) is SparseArray:
        parts = wrap(self._data.indices), wrap(self._data.values)
        return _rebuild_sparse, (type(self), *parts, self._data.shape, self._data.coalesced, self._data.layout, self._requires_grad)
    data = of_array(self._data).to_host(self._data)
    raw = data.view(np.uint16) if data.dtype.kind == "V" else data
    return _rebuild, (type(self), raw.reshape(data.shape), of_numpy(data.dtype).name, place, self._requires_grad, dict(self.__dict__))


def _rebuild(cls, raw, name, place, requires_grad, attributes):
    """Make a tensor from what `__reduce_ex__` packed."""
    want = as_dtype(name).np
    raw = raw.view(want) if want.kind == "V" else raw
    where = device(place)
    t = wrap(raw if where.type == "cpu" else for_device(where).from_host(raw, where.index), requires_grad, cls)
    t.__dict__.update(attributes)
    return t


def _rebuild_meta(cls, shape, strides, name, requires_grad, attributes):
    """Make a meta tensor from what `__reduce_ex__` packed."""
    t = wrap(array_of(shape, as_dtype(name).np, strides), requires_grad, cls)
    t.__dict__.update(attributes)
    return t


def _rebuild_sparse(cls, indices, values, shape, coalesced, layout, requires_grad):
    """Make a sparse tensor from what `__reduce_ex__` packed."""
    return wrap(SparseArray(Pattern(indices._data, shape), values._data, coalesced, layout), requires_grad, cls)


ATTRIBUTES = {
    "to": to, "cpu": cpu, "cuda": cuda, "type_as": type_as, "numpy": numpy, "__array__": __array__, "item": item, "tolist": tolist,
    "__bool__": __bool__, "__float__": __float__, "__int__": __int__, "__complex__": __complex__, "__index__": __index__, "__len__": __len__,
    "__contains__": __contains__, "__format__": __format__, "__deepcopy__": __deepcopy__, "__reduce_ex__": __reduce_ex__,
    **pinning.ATTRIBUTES,
    **{name: _caster(name, target) for name, target in CASTS.items()},
}
