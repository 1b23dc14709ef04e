"""Objects -> the bytes of data.pkl, in which everything of ours goes by torch's names.

Python's own Pickler (the one written in Python: the one in C looks each name up where it says it is, and torch may not be installed), with
protocol 2 as torch has it.  Tensors become calls of torch's rebuild functions on storages; those are persistent ids, and their contents
records of the archive.
"""
import io
import pickle
from collections import OrderedDict
from types import FunctionType
from typing import Any

from .._backends.meta_ import MetaArray
from .._backends.sparse_ import SparseArray
from .._core.tensor import Tensor, wrap
from .._device import device
from .._dtypes import dtype
from .._tensor.info import Size
from ..nn.parameter import Buffer, Parameter
from . import names
from .storages import SavedStorage, StorageTable


class _Reduced:
    """A call that stands for an object which is only made when the file is loaded."""

    def __init__(self, *call):
        self.call = call


class TorchPickler(pickle._Pickler):
    """Writes one object.  table: collects the storages it meets."""

    def __init__(self, file, table):
        super().__init__(file, 2)
        self.table = table

    def persistent_id(self, obj):
        if type(obj) is SavedStorage:
            if obj.dtype not in names.STORAGE_OF:
                raise TypeError(f"save: tensors of {obj.dtype} have no place in this file format; convert them first, for example with .to(int64)")
            name = names.GLOBAL_OF_STORAGE[names.STORAGE_OF[obj.dtype]]
            return "storage", name, obj.key, obj.location, int(obj.flat.size)
        return None

    def reducer_override(self, obj):
        if isinstance(obj, Tensor):
            return self.reduce_tensor(obj)
        if isinstance(obj, Size):
            return names.SIZE, (tuple(obj),)
        if type(obj) is device:
            return names.DEVICE, (obj.type,) if obj.index is None else (obj.type, obj.index)
        return NotImplemented

    def reduce_tensor(self, t):
        """How torch would make `t` again."""
        if type(t._data) is SparseArray:
            return self.reduce_sparse(t._data)
        requires_grad = bool(t._requires_grad)
        rebuild, args, unfollowed = self._rebuilt_by(t, requires_grad)
        if type(t) is Buffer or (type(t) is Tensor and not t.__dict__):
            return rebuild, args
        if type(t) is Parameter:
            plain = _Reduced(rebuild, unfollowed)
            if t.__dict__:
                return names.REBUILD_PARAMETER_WITH_STATE, (plain, requires_grad, OrderedDict(), dict(t.__dict__))
            return names.REBUILD_PARAMETER, (plain, requires_grad, OrderedDict())
        cls = names.TENSOR if type(t) is Tensor else type(t)
        return names.REBUILD_FROM_TYPE, (rebuild, cls, args, dict(t.__dict__))

    def _rebuilt_by(self, t, requires_grad):
        """(torch's function that makes a plain tensor like `t`, its arguments, the same without requires_grad)."""
        if type(t._data) is MetaArray:
            args = t.dtype, tuple(t._data.shape), t.stride()
            return names.REBUILD_META, (*args, requires_grad), (*args, False)
        storage, offset, stride = self.table.place(t._data)
        args = storage, offset, tuple(t._data.shape), stride
        return names.REBUILD_TENSOR, (*args, requires_grad, OrderedDict()), (*args, False, OrderedDict())

    def reduce_sparse(self, raw):
        """A sparse tensor is its layout and its parts, which are dense tensors."""
        layout, values, size = _Reduced(names.LAYOUT, (f"torch.{raw.layout}",)), wrap(raw.values), Size(raw.shape)
        if raw.layout == "sparse_csr":
            return names.REBUILD_SPARSE, (layout, (wrap(raw.pattern.by_row[3]), wrap(raw.indices[1]), values, size))
        return names.REBUILD_SPARSE, (layout, (wrap(raw.indices), values, size, raw.coalesced))

    def save_global(self, obj, name=None):
        """Write the name of a class or function: torch's, where torch has it too, so that a whole module can be read there."""
        module = names.torch_module(getattr(obj, "__module__", None) or "")
        if module is None:
            super().save_global(obj, name)
        else:
            self.save_name(names.Global(module, name or obj.__qualname__), obj)

    def save_name(self, obj, named=None):
        """Write a Global, as the name of `named`."""
        self.write(pickle.GLOBAL + f"{obj.module}\n{obj.name}\n".encode())
        self.memoize(obj if named is None else named)

    def save_dtype(self, obj):
        """Write one of our dtypes by torch's name."""
        self.save(names.GLOBAL_OF_DTYPE[obj])

    def save_reduced(self, obj):
        """Write a call."""
        self.save_reduce(*obj.call, obj=obj)

    by_type: Any = {names.Global: save_name, dtype: save_dtype, _Reduced: save_reduced, FunctionType: save_global}
    dispatch = {**pickle._Pickler.dispatch, **by_type}


def dump(obj):
    """(data.pkl, storages): the pickled object, and the blocks of memory that it refers to, in the order of their keys."""
    file, table = io.BytesIO(), StorageTable()
    TorchPickler(file, table).dump(obj)
    return file.getvalue(), [storage for _, storage in table.storages]
