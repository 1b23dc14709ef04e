"""The constructors of storages, the one-dimensional memory behind tensors: UntypedStorage (bytes), TypedStorage, FloatStorage and kin."""
import numpy as np

from .. import _config
from .._backends import of_array
from .._dtypes import as_dtype, get_default_dtype
from .._tensor.conversion import LEGACY_NAMES
from . import _data
from .buffers import from_file
from .restride import Storage


class StorageType:
    """A kind of storage: called it makes one, from a number of elements (uninitialised) or from their values; isinstance() asks whether one is of it.

    dtype: of the elements; None where any will do, and is asked for
    """

    def __init__(self, name, dtype=None, untyped=False):
        self.name, self.dtype, self.untyped = name, dtype, untyped
        self.__name__ = name

    def __call__(self, *args, dtype=None, device=None):
        kind = self.dtype or (get_default_dtype() if dtype is None else as_dtype(dtype))
        if len(args) > 1:
            raise TypeError(f"{self.name}(): takes a number of elements or a sequence of them, got {len(args)} arguments")
        if device is not None and str(device) != "cpu":
            raise NotImplementedError(f"{self.name}(): makes storages on the CPU; that of a tensor made on {device} is its untyped_storage()")
        given = args[0] if args else 0
        flat = np.empty(given, kind.np) if isinstance(given, int) else _data.read(list(given), kind).reshape(-1)
        return Storage(flat, self.untyped)

    def from_file(self, filename, shared=False, size=0, *, nbytes=None):
        """A storage on the first `size` elements (untyped: `nbytes`) of a file, mapped into memory.  shared: writes go to the file."""
        return Storage(from_file(filename, shared, size if nbytes is None else nbytes, dtype=self.dtype)._data, self.untyped)

    def __instancecheck__(self, x):
        return isinstance(x, Storage) and x._untyped == self.untyped and (self.untyped or self.dtype is None or x.dtype is self.dtype)

    def __repr__(self):
        return f"<class 'ringgrad.{self.name}'>"

    def __reduce__(self):
        return _named, (self.name,)


def _named(name):
    return TYPES[name]


def storage_type(self):
    """The kind of storage behind this tensor, such as FloatStorage."""
    return TYPES[LEGACY_NAMES[self.dtype.name].replace("Tensor", "Storage")]


# -- what storages do ---------------------------------------------------------------------------------------------------

def _fill_(self, value):
    """Every element becomes `value`.  Returns self."""
    self._flat[...] = value
    return self


def _copy_(self, source, non_blocking=None):
    """The elements of another storage of the same length, converted.  Returns self."""
    if source._flat.size != self._flat.size:
        raise RuntimeError(f"size mismatch: a storage of {source._flat.size} elements does not fit into one of {self._flat.size}")
    self._flat[...] = source._flat
    return self


def _clone(self):
    """A copy, in memory of its own."""
    return Storage(self._flat.copy(), self._untyped)


def _cpu(self):
    """This storage, or a copy of it, on the CPU."""
    return Storage(of_array(self._flat).to_host(self._flat), self._untyped)


def _untyped(self):
    """The same memory, byte by byte."""
    return Storage(self._flat.view(np.uint8), untyped=True)


def _lines(self):
    place = f"UntypedStorage(device={self.device})" if self._untyped else f"TypedStorage(dtype={self.dtype}, device={self.device})"
    if self.device.type == "meta":
        return f"...\n[{_config.NAME}.storage.{place} of size {len(self)}]"
    values = self._flat.tolist()
    shown = values if len(values) <= 1000 else [*values[:5], "...", *values[-5:]]
    return "".join(f" {v}\n" for v in shown) + f"[{_config.NAME}.storage.{place} of size {len(self)}]"


for _name, _what in {"fill_": _fill_, "copy_": _copy_, "clone": _clone, "cpu": _cpu, "untyped": _untyped, "__repr__": _lines,
                     "is_cuda": property(lambda self: self.device.type == "cuda")}.items():
    setattr(Storage, _name, _what)

TYPES = {"UntypedStorage": StorageType("UntypedStorage", as_dtype("uint8"), untyped=True), "TypedStorage": StorageType("TypedStorage")}
TYPES.update({name: StorageType(name, as_dtype(kind)) for kind, name in (
    (kind, legacy.replace("Tensor", "Storage")) for kind, legacy in LEGACY_NAMES.items() if not legacy.startswith("UInt"))})
CONSTANTS = dict(TYPES)
FUNCTIONS = {}
METHODS = {"storage_type": storage_type}
INPLACE = {}
