"""What a file may name without being trusted, and what a user adds to that."""
import pickle
import threading
from collections import Counter, OrderedDict
from contextlib import contextmanager

import numpy as np

from .._core.tensor import Tensor
from .._device import device
from .._tensor.info import Size
from ..nn.parameter import Parameter
from . import storages
from .names import DTYPES, torch_module

_OLD_NAMES = {"__builtin__": "builtins", "numpy.core.multiarray": "numpy._core.multiarray"}  # protocol 2 speaks Python 2; NumPy 2 moved


class Allowed:
    """A function or class that the machine may call.  The machine handles this token, never the thing itself."""

    __slots__ = ("value", "check")

    def __init__(self, value, check=None):
        self.value, self.check = value, check

    def call(self, args):
        """The result of calling it."""
        if self.check is not None:
            self.check(*args)
        return self.value(*[opened(a) for a in args])

    def new(self, args):
        """An object of the class, not initialised but with these arguments of its __new__."""
        if self.value in (OrderedDict, Counter, set, Size, Parameter):
            return self.call(args)
        return self.value.__new__(self.value, *[opened(a) for a in args])

    def __repr__(self):
        return f"<{getattr(self.value, '__name__', self.value)}>"


def opened(value):
    """A token that is an argument or an item means the function or class it stands for."""
    return value.value if type(value) is Allowed else value


_KEY_PARTS = 1000


def check_key(key):
    """UnpicklingError for a key with too many parts: hashing a tuple that holds another twice, sixty times over, would not end."""
    if type(key) in (str, int):
        return key
    parts, seen = [key], 0
    while parts:
        part = parts.pop()
        if type(part) in (tuple, frozenset):
            parts.extend(part)
        seen += 1
        if seen > _KEY_PARTS:
            raise pickle.UnpicklingError(f"a key of a dict or set has more than {_KEY_PARTS} parts")
    return key


# -- a few functions that do less than the ones they stand for ---------------------------------------------------------


def _latin1(text, encoding):
    """_codecs.encode, which is how protocol 2 writes bytes."""
    if type(text) is not str or encoding != "latin1":
        raise pickle.UnpicklingError(f"bytes are written as latin1 text, not as {encoding!r}")
    return text.encode("latin1")


def _plain_items(*args):
    """Arguments of set, OrderedDict, Counter: one list, tuple or dict, with keys that can be hashed in time."""
    if len(args) > 1 or (args and type(args[0]) not in (list, tuple, dict, set)):
        raise pickle.UnpicklingError("a container is made of something that is not one")
    for key in args[0] if args else ():
        check_key(key)


def _never(*args):
    raise pickle.UnpicklingError("a class that only stands as an argument is called")


def _bytes_only(*args):
    if len(args) > 1 or (args and type(args[0]) is not bytes):
        raise pickle.UnpicklingError("bytes are made of bytes")


def _numbers_only(*args):
    if not all(type(a) in (int, float) for a in args):
        raise pickle.UnpicklingError("a number is made of numbers")


def _sizes_only(*args):
    if len(args) != 1 or type(args[0]) not in (tuple, list) or not all(type(n) is int for n in args[0]):
        raise pickle.UnpicklingError("a Size is made of whole numbers")


class NumpyType:
    """numpy.dtype in two steps: a name and, in the next instruction, a byte order.  Numbers only, so nothing in an array is an object."""

    __slots__ = ("name", "order")

    def __init__(self, name, align=False, copy=True):
        if type(name) is not str or not (name[:1] in "biufc" and name[1:].isdigit()):
            raise pickle.UnpicklingError(f"NumPy arrays of type {name!r} are not loaded: only numbers are")
        self.name, self.order = name, "="

    def set_state(self, state):
        """(version, byte order, and what numbers do not have)."""
        if type(state) is not tuple or len(state) < 5 or state[1] not in ("<", ">", "|", "=") or any(state[2:5]):
            raise pickle.UnpicklingError("a NumPy type in the file is not one of numbers")
        self.order = state[1]

    def resolve(self):
        """The NumPy dtype."""
        return np.dtype(self.name).newbyteorder(self.order)


def _numpy_scalar(kind, data):
    if type(kind) is not NumpyType or type(data) is not bytes:
        raise pickle.UnpicklingError("a NumPy number is made of a type and bytes")
    return np.frombuffer(data, kind.resolve(), 1)[0].astype(np.dtype(kind.name))


def _numpy_array(cls, shape, kind):
    if cls is not np.ndarray:
        raise pickle.UnpicklingError("subclasses of NumPy arrays are not loaded")
    return np.empty(0)


def _set_numpy_array(array, state):
    _, shape, kind, fortran, data = state
    if type(kind) is not NumpyType or type(data) is not bytes or not all(type(n) is int and n >= 0 for n in shape):
        raise pickle.UnpicklingError("a NumPy array in the file is not one of numbers")
    dtype = kind.resolve()
    if len(data) != dtype.itemsize * int(np.prod(shape, dtype=object)):
        raise pickle.UnpicklingError(f"a NumPy array in the file has shape {shape} but {len(data)} bytes")
    array.__setstate__((1, shape, dtype, bool(fortran), data))


_REBUILDERS = (storages.rebuild_tensor_v1, storages.rebuild_tensor, storages.rebuild_tensor_v3, storages.rebuild_parameter,
               storages.rebuild_parameter_with_state, storages.rebuild_meta)


def _rebuilder_first(function, cls, args, state):
    if type(function) is not Allowed or function.value not in _REBUILDERS:
        raise pickle.UnpicklingError(f"a tensor in the file is made by {function!r}, which does not make tensors")


# -- the list ----------------------------------------------------------------------------------------------------------

_BUILT_IN = {
    "collections.OrderedDict": Allowed(OrderedDict, _plain_items),
    "collections.Counter": Allowed(Counter, _plain_items),
    "builtins.set": Allowed(set, _plain_items),
    "builtins.bytes": Allowed(bytes, _bytes_only),
    "builtins.bytearray": Allowed(bytearray, _bytes_only),
    "builtins.complex": Allowed(complex, _numbers_only),
    "_codecs.encode": Allowed(_latin1),
    "torch.Size": Allowed(Size, _sizes_only),
    "torch.device": Allowed(device),
    "torch.Tensor": Allowed(Tensor, _never),
    "torch.nn.parameter.Parameter": Allowed(Parameter),
    "torch._utils._rebuild_tensor": Allowed(storages.rebuild_tensor_v1),
    "torch._utils._rebuild_tensor_v2": Allowed(storages.rebuild_tensor),
    "torch._utils._rebuild_tensor_v3": Allowed(storages.rebuild_tensor_v3),
    "torch._utils._rebuild_meta_tensor_no_storage": Allowed(storages.rebuild_meta),
    "torch._utils._rebuild_sparse_tensor": Allowed(storages.rebuild_sparse),
    "torch.serialization._get_layout": Allowed(storages.layout),
    "torch._utils._rebuild_parameter": Allowed(storages.rebuild_parameter),
    "torch._utils._rebuild_parameter_with_state": Allowed(storages.rebuild_parameter_with_state),
    "torch._tensor._rebuild_from_type_v2": Allowed(storages.rebuild_from_type, _rebuilder_first),
    "numpy.dtype": Allowed(NumpyType),
    "numpy.ndarray": Allowed(np.ndarray, _never),
    "numpy._core.multiarray.scalar": Allowed(_numpy_scalar),
    "numpy._core.multiarray._reconstruct": Allowed(_numpy_array),
    **{f"torch.{name}": d for name, d in DTYPES.items()},
    **{f"{module}.{name}": t for name, t in storages.STORAGE_TYPES.items() for module in ("torch", "torch.storage")},
}
_added, _lock = {}, threading.Lock()


def find(module, name):
    """What a name in a file stands for.  UnpicklingError for one that is not on the list."""
    module = _OLD_NAMES.get(module, module)
    full = f"{module}.{name}"
    found = _BUILT_IN.get(full)
    if found is None:
        found = _added.get(full)
    if found is not None:
        return found
    if module == "torch":
        problem = storages.unsupported_dtype(name)
        if problem is not None:
            raise problem
    raise pickle.UnpicklingError(
        f"Unsupported global: GLOBAL {full} was not an allowed global by default, because calling it could run code of the file's "
        f"choosing. If you trust it, allow it with `ringgrad.serialization.add_safe_globals([{name}])`; if you trust the whole "
        "file, load it with weights_only=False")


def settable(target):
    """The function that gives `target` the state of a BUILD instruction.  UnpicklingError for what must not get any."""
    kind = type(target)
    if kind is OrderedDict:
        return _set_attributes_of_dict
    if kind is NumpyType:
        return NumpyType.set_state
    if kind is np.ndarray:
        return _set_numpy_array
    if any(allowed.value is kind for allowed in _added.values()):
        return _set_state
    raise pickle.UnpicklingError(f"the pickle sets attributes of a {kind.__name__}, which loading does not allow")


def _set_attributes_of_dict(target, state):
    """A state dict carries `_metadata`."""
    if type(state) is not dict or any(type(k) is not str or hasattr(OrderedDict, k) for k in state):
        raise pickle.UnpicklingError("the pickle replaces methods of a dict")
    target.__dict__.update(state)


def _set_state(target, state):
    """What Python's Unpickler does, for classes that the user allowed."""
    if hasattr(target, "__setstate__"):
        target.__setstate__(state)
        return
    attributes, slots = state if isinstance(state, tuple) and len(state) == 2 else (state, None)
    target.__dict__.update(attributes or {})
    for name, value in (slots or {}).items():
        setattr(target, name, value)


# -- the user's additions ----------------------------------------------------------------------------------------------


def _names(safe_globals):
    """{full name: function or class} of a list of them, or of (function or class, full name) pairs."""
    named = {}
    for item in safe_globals:
        if isinstance(item, tuple):
            if len(item) != 2:
                raise ValueError(f"Expected tuple of length 2 (global, str of callable full path), but got tuple of length: {len(item)}")
            if not isinstance(item[1], str):
                raise TypeError(f"Expected second item in tuple to be str of callable full path, but got: {type(item[1])}")
            named[item[1]] = item[0]
        else:
            for module in (item.__module__, torch_module(item.__module__)):
                if module is not None:
                    named[f"{module}.{item.__qualname__}"] = item
    return named


def add_safe_globals(safe_globals):
    """Let files name these functions and classes (or (object, "full.name") pairs), which loading will then call with the file's
    arguments."""
    with _lock:
        _added.update({name: Allowed(value) for name, value in _names(safe_globals).items()})


def get_safe_globals():
    """The functions and classes that were added."""
    return list(dict.fromkeys(a.value for a in _added.values()))


def clear_safe_globals():
    """Take back all that was added."""
    with _lock:
        _added.clear()


@contextmanager
def safe_globals(safe_globals):
    """Inside, files may name these functions and classes too."""
    before = dict(_added)
    add_safe_globals(safe_globals)
    try:
        yield
    finally:
        with _lock:
            _added.clear()
            _added.update(before)

