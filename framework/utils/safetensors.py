"""Tensors in safetensors files, through the safetensors library (extra `safetensors`): its functions for torch, on our tensors.

    from ringgrad.utils.safetensors import load_file, save_file

The format: eight bytes with the length of a JSON header, the header, and the tensors one behind the other, row-major and little-endian;
https://huggingface.co/docs/safetensors.  Nothing in such a file is code.
"""
import mmap as mapping
import os

import numpy as np

from .._backends import of_array
from .._core.tensor import Tensor, wrap
from .._device import as_device
from .._serialization.atomic import replacing
from .._serialization.names import DTYPES

__all__ = ["load", "load_file", "load_model", "save", "save_file", "save_model"]

_DTYPES = {"F64": "float64", "F32": "float32", "F16": "float16", "BF16": "bfloat16", "I64": "int64", "I32": "int32", "I16": "int16", "I8": "int8",
           "U8": "uint8", "BOOL": "bool", "C64": "complex64", "U16": "uint16", "U32": "uint32", "U64": "uint64"}
_WORD = 8


def _library():
    try:
        import safetensors
    except ImportError:
        raise ImportError("safetensors files are read and written by the safetensors library, which is not installed: "
                          "pip install 'ringgrad[safetensors]'") from None
    return safetensors


def save_file(tensors, filename, metadata=None):
    """Write a flat dict {name: tensor} to a path, which is replaced as a whole or not at all.

    metadata: a dict of text, kept in the header.  ValueError for what is not such a dict;  RuntimeError for tensors that share memory (the
    format has no word for it: save a `.clone()`, or use `save_model`, which writes shared parameters once).
    """
    data = save(tensors, metadata)
    with replacing(filename) as file:
        file.write(data)


def save(tensors, metadata=None):
    """The bytes of a safetensors file; arguments as for `save_file`."""
    library = _library()
    arrays = {name: np.ascontiguousarray(_to_host(t)).reshape(t.shape) for name, t in _checked(tensors).items()}
    if not (metadata is None or all(isinstance(x, str) for item in metadata.items() for x in item)):
        raise ValueError(f"metadata is a dict of text, got {metadata!r}")
    specs = {name: library.TensorSpec(dtype=a.dtype.name, shape=a.shape, data_ptr=a.ctypes.data, data_len=a.nbytes) for name, a in arrays.items()}
    return bytes(library.serialize(specs, metadata=metadata))


def _checked(tensors):
    if not isinstance(tensors, dict):
        raise ValueError(f"Expected a dict of [str, Tensor] but received {type(tensors)}")
    owners = {}
    for name, t in tensors.items():
        if not isinstance(name, str) or not isinstance(t, Tensor):
            raise ValueError(f"Key `{name}` is invalid, expected Tensor but received {type(t)}")
        if t.dtype.is_complex and t.dtype.name != "complex64":
            raise ValueError(f"tensor {name!r} is of type {t.dtype}, which the safetensors format does not have; convert it first")
        other = owners.setdefault((t.device, _memory(t._data)), name) if t.numel() else name
        if other != name:
            raise RuntimeError(f"Some tensors share memory, this will lead to duplicate memory on disk and potential differences when loading "
                               f"them again: {other!r} and {name!r}. Save a `.clone()` of one of them, or the whole module with save_model")
    return tensors


def _memory(array):
    """The address of the block that an array looks into."""
    while isinstance(array.base, type(array)):
        array = array.base
    return of_array(array).data_ptr(array)


def _to_host(t):
    return of_array(t._data).to_host(t._data)


def load_file(filename, device="cpu", *, mmap=False):
    """{name: tensor} of a safetensors file.  device: where the tensors go.

    mmap: map the file instead of reading it; a tensor's bytes are read when they are used, and writes to them do not reach the file.
    FileNotFoundError, or the library's SafetensorError for a file that is truncated or of another kind.
    """
    library, filename = _library(), os.fspath(filename)
    with library.safe_open(filename, framework="np") as file:
        if not mmap:
            return {name: _tensor(file.get_tensor(name), device) for name in file.keys()}  # noqa: SIM118 - not a dict
        layout = {name: (file.get_slice(name).get_dtype(), file.get_slice(name).get_shape()) for name in file.offset_keys()}
    return {name: _tensor(array, device) for name, array in _mapped(filename, layout)}


def _mapped(filename, layout):
    """(name, array) for each tensor, in the order of the file: the library has checked that they lie one behind the other."""
    with open(filename, "rb") as file:
        at = _WORD + int.from_bytes(file.read(_WORD), "little")
        memory = mapping.mmap(file.fileno(), 0, access=mapping.ACCESS_COPY)
    for name, (code, shape) in layout.items():
        dtype = _dtype(code, name)
        count = int(np.prod(shape, dtype=object))
        yield name, np.frombuffer(memory, dtype, count, at).reshape(shape) if count else np.empty(shape, dtype)
        at += count * dtype.itemsize


def load(data):
    """{name: tensor} of the bytes of a safetensors file."""
    library, found = _library(), {}
    for name, view in library.deserialize(data):
        found[name] = wrap(np.frombuffer(view["data"], _dtype(view["dtype"], name)).reshape(view["shape"]))
    return found


def _dtype(code, name):
    if _DTYPES.get(code) not in DTYPES:
        raise RuntimeError(f"tensor {name!r} in the file is of type {code}, which ringgrad does not have; convert it where it was written")
    return DTYPES[_DTYPES[code]].np


def _tensor(array, device):
    t = wrap(array)
    return t if as_device(device).type == "cpu" else t.to(device)


def save_model(model, filename, metadata=None, force_contiguous=True):
    """Write a module's state dict, parameters that share memory once.  The names left out stand in the metadata: {left out: written}."""
    state, written, metadata = {}, {}, dict(metadata or {})
    for name, t in model.state_dict().items():
        first = written.setdefault((t.device, _memory(t._data)), name) if t.numel() else name
        if first == name:
            state[name] = t
        else:
            metadata[name] = first
    save_file(state, filename, metadata)


def load_model(model, filename, strict=True, device="cpu"):
    """Read into a module what `save_model` wrote.  Returns (missing names, unexpected names);  strict: RuntimeError if there are any."""
    state = load_file(filename, device)
    with _library().safe_open(os.fspath(filename), framework="np") as file:
        shared = file.metadata() or {}
    own = model.state_dict()
    state.update({name: state[first] for name, first in shared.items() if name in own and first in state})
    missing, unexpected = model.load_state_dict(state, strict=False)
    if strict and (missing or unexpected):
        raise RuntimeError(f"Error(s) in loading state_dict for {type(model).__name__}: missing {sorted(missing)}, unexpected "
                           f"{sorted(unexpected)}")
    return set(missing), list(unexpected)
