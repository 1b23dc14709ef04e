"""save and load: objects with tensors in them, in torch's file format, without loss on the way and without code on the way back."""
import io
import mmap as mapping
import os
import pickle
import sys
from collections.abc import Callable
from typing import Any

import numpy as np

from ._serialization.allowed import add_safe_globals, clear_safe_globals, get_safe_globals, safe_globals
from ._serialization.archive import ALIGNMENT, ArchiveReader, ArchiveWriter
from ._serialization.atomic import replacing
from ._serialization.machine import Machine
from ._serialization.pickling import dump
from ._serialization.storages import Storage, StorageType, restore_location
from ._serialization.trusted import TrustingUnpickler

__all__ = ["add_safe_globals", "clear_safe_globals", "get_safe_globals", "load", "safe_globals", "save"]

MAP_LOCATION = Callable[[Any, str], Any] | str | dict[str, str] | None  # what `map_location` may be
_DEFAULT_STEM = "archive"
_BYTES = np.dtype(np.uint8)


def save(obj, f, pickle_module=pickle, pickle_protocol=2, _use_new_zipfile_serialization=True):
    """Write `obj` - tensors, numbers, strings, and dicts, lists, ... of them - to a file that ringgrad.load and torch.load read.

    f: a path, or a file open for writing.  Tensors that share memory still do so after loading.
    A path is replaced as a whole or not at all, whatever happens on the way, and its contents are on the disk when `save` returns.
    RuntimeError when the folder does not exist; what pickle raises for what cannot be pickled.
    """
    if pickle_protocol != 2 or not _use_new_zipfile_serialization:
        raise ValueError("checkpoints are written in torch's zip format with pickle protocol 2, and in no other way")
    pickled, storages = dump(obj)
    if isinstance(f, (str, os.PathLike)):
        with replacing(f) as file:
            _write(file, _stem(f), pickled, storages)
    elif hasattr(f, "write"):
        _write(f, _DEFAULT_STEM, pickled, storages)
    else:
        raise TypeError(f"expected a path or a file open for writing, got {type(f).__name__}")


def _stem(path):
    return os.path.splitext(os.path.basename(os.fspath(path)))[0] or _DEFAULT_STEM


def _write(file, stem, pickled, storages):
    archive = ArchiveWriter(file, stem)
    try:
        archive.write("data.pkl", pickled)
        archive.write(".format_version", b"1")
        archive.write(".storage_alignment", str(ALIGNMENT).encode())
        archive.write("byteorder", sys.byteorder.encode())
        for storage in storages:
            archive.write(f"data/{storage.key}", storage.to_bytes())
        archive.write("version", b"3\n")
        archive.write(".data/serialization_id", archive.serialization_id())
        archive.finish()
    finally:
        archive.close()


def load(f, map_location=None, pickle_module=None, *, weights_only=None, mmap=None, **pickle_load_args):
    """Read what `save` or torch.save wrote.

    f: a path, or a file open for reading and seekable.
    map_location: where tensors go: None (where they were), a device, a dict {"cuda:1": "cuda:0"}, or a function (storage, location) ->
    storage. weights_only: True, the default, loads data and never runs code from the file; names outside of a short list are refused,
    unless `add_safe_globals` allows them.  False lets the file run any code it likes: only for files that you trust.
    mmap: map the file (a path) into memory instead of reading it; tensors are read when they are used, and writes to them do not reach
    the file. pickle_load_args: for Python's Unpickler, with weights_only=False.

    EOFError for an empty file;  RuntimeError for a truncated or altered one, by its name, and for devices that are not there;
    pickle.UnpicklingError for contents that are not allowed.  Checksums are checked before anything is returned (with mmap, those of all
    but the tensors' contents).
    """
    weights_only = weights_only is None or bool(weights_only)
    if weights_only and pickle_module is not None:
        raise RuntimeError("Can not safely load weights when explicit pickle_module is specified; pass weights_only=False if you trust the "
                           "file")
    is_path = isinstance(f, (str, os.PathLike))
    if mmap and not is_path:
        raise ValueError("f must be a string filename in order to use mmap argument")
    if is_path:
        with open(f, "rb") as file:
            return _read(file, os.fspath(f), map_location, weights_only, mmap, pickle_load_args)
    if not hasattr(f, "read"):
        raise TypeError(f"expected a path or a file open for reading, got {type(f).__name__}")
    if not (hasattr(f, "seek") and hasattr(f, "tell")):
        raise AttributeError("You can only load from a file that is seekable. Please pre-load the data into a buffer like io.BytesIO and "
                             "try to load from it instead.")
    return _read(f, str(getattr(f, "name", "the file")), map_location, weights_only, False, pickle_load_args)


def _read(file, name, map_location, weights_only, mmap, options):
    archive = ArchiveReader(file, name)
    try:
        memory = mapping.mmap(file.fileno(), 0, access=mapping.ACCESS_COPY) if mmap else None
        storages = _Storages(archive, name, map_location, memory)
        pickled = archive.read("data.pkl")
        if weights_only:
            try:
                result = Machine(pickled, storages.find).load()
            except pickle.UnpicklingError as error:
                raise pickle.UnpicklingError(f"Weights only load failed for {name}: {error}") from None
        else:
            result = TrustingUnpickler(io.BytesIO(pickled), storages.find, **options).load()
        archive.finish()
        return result
    finally:
        archive.close()


class _Storages:
    """The storages of a file, read when the pickle first asks for them."""

    def __init__(self, archive, name, map_location, memory):
        self._archive, self._name, self._map_location, self._memory = archive, name, map_location, memory
        self._swap = "byteorder" in archive and archive.read("byteorder").decode(errors="replace").strip() != sys.byteorder
        self._found = {}

    def find(self, pid):
        """The Storage of a persistent id: ("storage", type, key, location, number of elements)."""
        if type(pid) is not tuple or len(pid) != 5 or pid[0] != "storage" or type(pid[1]) is not StorageType \
                or not all(type(x) is str for x in pid[2:4]) or type(pid[4]) is not int:
            raise pickle.UnpicklingError(f"Only persistent_load of storage is allowed, but got {pid!r}")
        _, kind, key, location, count = pid
        found = self._found.get((key, kind.dtype))
        if found is None:
            found = self._found[key, kind.dtype] = self._other_type(key, kind) or self._load(key, kind, location, count)
        return found

    def _other_type(self, key, kind):
        """The storage, where it was read before as numbers of another type."""
        for (other, _), storage in self._found.items():
            if other == key:
                return Storage(storage.flat.view(_BYTES if kind.dtype is None else kind.dtype.np), kind.dtype is not None)
        return None

    def _load(self, key, kind, location, count):
        dtype = kind.dtype.np if kind.dtype is not None else _BYTES
        record = f"data/{key}"
        if self._archive.size(record) != count * dtype.itemsize:
            raise RuntimeError(f"{self._name} is damaged: data.pkl says that {record} holds {count} elements of {dtype.itemsize} bytes, "
                               f"and it holds {self._archive.size(record)} bytes")
        if self._memory is not None:
            flat = self._archive.map_array(record, dtype, self._memory)
        else:
            flat = self._archive.read_array(record, dtype)
        if self._swap:
            self._archive.finish()
            flat = flat.byteswap()
        return restore_location(Storage(flat, kind.dtype is not None), location, self._map_location)
