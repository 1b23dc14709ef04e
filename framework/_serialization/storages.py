"""Memory behind tensors: found when they are saved, shared again when they are loaded."""


import numpy as np

from .. import _dtypes
from .._backends import device_of, for_device, of_array
from .._backends.meta_ import array_of
from .._core.tensor import Tensor, wrap
from .._device import as_device, device
from .._functional.sparse import LAYOUTS, sparse_coo_tensor, sparse_csr_tensor
from ..nn.parameter import Parameter
from .names import ELSEWHERE, STORAGES

# -- saving ------------------------------------------------------------------------------------------------------------


class SavedStorage:
    """One block of memory that goes into a file as a record.  key: its name there;  flat: a one-dimensional array over all of it."""

    __slots__ = ("key", "flat", "dtype", "location")

    def __init__(self, key, flat):
        self.key, self.flat = key, flat
        self.dtype = _dtypes.of_numpy(flat.dtype)
        self.location = str(device_of(flat))

    def to_bytes(self):
        """The contents, in host memory and without a copy where possible."""
        return memoryview(of_array(self.flat).to_host(self.flat).view(np.uint8))


class StorageTable:
    """The storages of one file, numbered as tensors ask for them."""

    def __init__(self):
        self.storages, self._by_root = [], {}

    def place(self, array):
        """(storage, offset, strides) of an array: which storage it looks into, from which element, and in steps of how many elements."""
        root = _root(array)
        steps = _steps(array)
        if steps is None or root.dtype != array.dtype or not (root.flags.c_contiguous or root.flags.f_contiguous):
            array = root = of_array(array).xp.ascontiguousarray(array).reshape(array.shape)
            steps = _steps(array)
        storage = self._by_root.get(id(root))
        if storage is None:
            flat = root.reshape(-1) if root.flags.c_contiguous else root.reshape(-1, order="F")
            storage = self._by_root[id(root)] = SavedStorage(str(len(self.storages)), flat)
            self.storages.append((root, storage))  # the root stays alive: ids of dead arrays are used again
        address = of_array(array).data_ptr
        offset = (address(array) - address(storage.flat)) // array.itemsize if array.size else 0
        return storage, offset, steps


def _root(array):
    while isinstance(array.base, type(array)):
        array = array.base
    return array


def _steps(array):
    """Strides in elements, as torch has them; None where torch could not have them (negative, or a part of an element)."""
    steps, dense = [], 1
    for n, s in zip(reversed(array.shape), reversed(array.strides)):
        step, rest = divmod(s, array.itemsize)
        if n > 1 and array.size and (rest or step < 0):
            return None
        steps.append(step if n > 1 and array.size else dense)  # the steps that are never taken, as torch has them
        dense *= max(n, 1)
    return tuple(reversed(steps))


# -- loading -----------------------------------------------------------------------------------------------------------


class StorageType:
    """What a name such as torch.FloatStorage stands for.  dtype None: bytes without a type."""

    __slots__ = ("dtype",)

    def __init__(self, dtype):
        self.dtype = dtype


STORAGE_TYPES = {**{name: StorageType(d) for name, d in STORAGES.items()}, "UntypedStorage": StorageType(None)}


class Storage:
    """A loaded block of memory.  A `map_location` function gets one and returns it, or a copy elsewhere (`cpu()`, `cuda(index)`)."""

    __slots__ = ("flat", "typed")

    def __init__(self, flat, typed=True):
        self.flat, self.typed = flat, typed

    @property
    def device(self):
        """Where it is."""
        return device_of(self.flat)

    def nbytes(self):
        """Its size in bytes."""
        return int(self.flat.nbytes)

    def __len__(self):
        return int(self.flat.size)

    def to(self, place):
        """This storage on a device; itself when it is there."""
        place = as_device(place)
        here = self.device
        if place.type == here.type and place.index in (None, here.index):
            return self
        host = self.flat if isinstance(self.flat, np.ndarray) else of_array(self.flat).to_host(self.flat)
        return Storage(host if place.type == "cpu" else for_device(place).from_host(host, place.index), self.typed)

    def cpu(self):
        """This storage on the CPU."""
        return self.to("cpu")

    def cuda(self, index=None):
        """This storage on a CUDA device."""
        return self.to(device("cuda", index))


def restore_location(storage, location, map_location):
    """A storage just read into host memory, moved to where the file or `map_location` wants it.

    RuntimeError when that is a device this machine does not have.
    """
    if callable(map_location):
        moved = map_location(storage, location)
        if moved is not None:
            return moved
        map_location = None
    if isinstance(map_location, dict):
        map_location = map_location.get(location)
    place = location if map_location is None else map_location
    try:
        place = as_device(place)
    except RuntimeError as error:
        raise RuntimeError(f"don't know how to restore data location of a storage tagged with {location!r}: {error}; pass "
                           "map_location='cpu'") from None
    try:
        return storage.to(place)
    except RuntimeError as error:
        if map_location is not None:
            raise
        raise RuntimeError(f"Attempting to deserialize object on a CUDA device ({location}) but that is not available: {error}. If you are "
                           "running on a CPU-only machine, please use ringgrad.load with map_location='cpu' to map your storages to the "
                           "CPU.") from None


def rebuild_tensor(storage, offset, size, stride, requires_grad=False, backward_hooks=None, metadata=None):
    """A tensor over a part of a storage (torch._utils._rebuild_tensor_v2).  RuntimeError when the part lies outside of it."""
    if not isinstance(storage, Storage):
        raise RuntimeError(f"a tensor in the file has a {type(storage).__name__} for its storage")
    flat = storage.flat
    size, stride = tuple(size), tuple(stride)
    numbers = (offset, *size, *stride)
    if len(size) != len(stride) or any(type(n) is not int or n < 0 for n in numbers):
        raise RuntimeError(f"a tensor in the file has offset {offset}, size {size} and stride {stride}, which do not fit together")
    last = offset + sum((n - 1) * s for n, s in zip(size, stride))
    if 0 not in size and last >= flat.size:
        raise RuntimeError(f"a tensor in the file with offset {offset}, size {size} and stride {stride} does not fit into its storage of "
                           f"{flat.size} elements")
    array = _strided(flat, offset if 0 not in size else 0, size, stride)
    flags = metadata if type(metadata) is dict else {}
    if flags.get("conj"):
        array = array.conj()
    if flags.get("neg"):
        array = -array
    return wrap(array, bool(requires_grad) and array.dtype.kind in "fcV")


def rebuild_tensor_v1(storage, offset, size, stride):
    """torch._utils._rebuild_tensor, of files from before gradients were kept."""
    return rebuild_tensor(storage, offset, size, stride)


def rebuild_tensor_v3(storage, offset, size, stride, requires_grad, backward_hooks, dtype, metadata=None):
    """torch._utils._rebuild_tensor_v3: as `rebuild_tensor`, over bytes that get their type here."""
    if not isinstance(storage, Storage) or not isinstance(dtype, _dtypes.dtype):
        raise RuntimeError(f"a tensor in the file has a {type(storage).__name__} for its storage and {dtype!r} for its type")
    return rebuild_tensor(Storage(storage.flat.view(dtype.np)), offset, size, stride, requires_grad, backward_hooks, metadata)


def rebuild_meta(dtype, size, stride, requires_grad):
    """torch._utils._rebuild_meta_tensor_no_storage."""
    if not isinstance(dtype, _dtypes.dtype):
        raise RuntimeError(f"a meta tensor in the file has {dtype!r} for its type")
    return wrap(array_of(tuple(size), dtype.np, tuple(s * dtype.itemsize for s in stride)), bool(requires_grad))


def layout(name):
    """torch.serialization._get_layout.  RuntimeError for a layout that ringgrad does not have."""
    found = LAYOUTS.get(str(name).removeprefix("torch."))
    if found is None:
        raise RuntimeError(f"the file holds tensors of the layout {name}, which ringgrad does not have; convert them in torch first")
    return found


def rebuild_sparse(layout, parts):
    """torch._utils._rebuild_sparse_tensor.  RuntimeError for parts that do not fit together."""
    name = getattr(layout, "name", None)
    if type(parts) is not tuple or len(parts) not in {"sparse_coo": (3, 4), "sparse_csr": (4,)}.get(name, ()):
        raise RuntimeError(f"a sparse tensor in the file has the layout {layout!r} and parts that do not belong to it")
    *tensors, size = parts[:3] if name == "sparse_coo" else parts
    if not all(isinstance(t, Tensor) for t in tensors) or not isinstance(size, (tuple, list)) or not all(type(n) is int for n in size):
        raise RuntimeError("a sparse tensor in the file has parts that are not tensors, or a size that is none")
    if name == "sparse_csr":
        return sparse_csr_tensor(*tensors, size)
    return sparse_coo_tensor(*tensors, size, is_coalesced=bool(parts[3]) if len(parts) > 3 else None, check_invariants=True)


def rebuild_parameter(data, requires_grad, backward_hooks):
    """torch._utils._rebuild_parameter."""
    return Parameter(data, bool(requires_grad))


def rebuild_parameter_with_state(data, requires_grad, backward_hooks, state):
    """torch._utils._rebuild_parameter_with_state: a parameter with attributes of the user's."""
    return _with_attributes(Parameter(data, bool(requires_grad)), state)


def rebuild_from_type(function, cls, args, state):
    """torch._tensor._rebuild_from_type_v2: a tensor with attributes of the user's."""
    if not isinstance(cls, type) or not issubclass(cls, Tensor):
        raise RuntimeError(f"a tensor in the file is of type {cls!r}, which is not a class of tensors")
    t = function(*args)
    if type(t) is not cls:
        t = wrap(t._data, t._requires_grad, cls)
    return _with_attributes(t, state)


def _with_attributes(t, state):
    attributes = state[0] if isinstance(state, tuple) and state else state
    if isinstance(attributes, dict):
        t.__dict__.update(attributes)
    return t


def unsupported_dtype(name):
    """The RuntimeError for a type of torch's that ringgrad does not have, or None when `name` is not one."""
    if name in ELSEWHERE:
        return RuntimeError(f"the file holds tensors of torch.{name}, a type that ringgrad does not have; convert them in torch first")
    return None


def _strided(flat, offset, size, stride):
    xp = of_array(flat)
    steps = tuple(s * flat.itemsize for s in stride)
    if xp.name == "numpy":
        if 0 in size:
            return flat[:0].reshape(size)
        return np.ndarray(size, flat.dtype, flat, offset * flat.itemsize, steps)
    if xp.name == "meta":
        return array_of(size, flat.dtype, steps)
    return xp.xp.ndarray(size, flat.dtype, flat.data + offset * flat.itemsize, strides=steps)


