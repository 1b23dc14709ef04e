"""Batches across a process border: the bytes of large arrays travel in a memory file, the rest through the pipe.

A memory file (memfd_create; an unlinked temporary file where the system has none) is passed as a file descriptor and mapped by the
receiver, whose tensors live in it: the parent copies nothing.  It has no name, so nothing is left in /dev/shm whatever dies when, and the
size limit that containers put on /dev/shm does not apply.
"""
import io
import mmap
import os
import pickle
import tempfile
from multiprocessing import reduction

from ..._core.tensor import Tensor
from ..._sharing import refuse_history

INLINE_BYTES = 1 << 15  # smaller batches go through the pipe, where a memory file would cost more than it saves
ALIGNMENT = 64
CAN_PASS_FILES = reduction.HAVE_SEND_HANDLE and hasattr(mmap, "MAP_SHARED")
_MAP_FLAGS = getattr(mmap, "MAP_SHARED", 0) | getattr(mmap, "MAP_POPULATE", 0)


class _Pickler(pickle.Pickler):
    """Pickles that do not take a tensor from its graph without a word."""

    def reducer_override(self, obj):
        if isinstance(obj, Tensor):
            refuse_history(obj)
        return NotImplemented


def send(connection, message):
    """Send any picklable object.  RuntimeError for tensors with a history."""
    buffers, payload = [], io.BytesIO()
    _Pickler(payload, 5, buffer_callback=buffers.append).dump(message)
    payload = payload.getvalue()
    views = [b.raw() for b in buffers]
    if not CAN_PASS_FILES or sum(v.nbytes for v in views) < INLINE_BYTES:
        connection.send_bytes(pickle.dumps((payload, [bytearray(v) for v in views], 0), 5))
        return
    places, size = [], 0
    for v in views:
        places.append((size, v.nbytes))
        size += -(-v.nbytes // ALIGNMENT) * ALIGNMENT
    with _memory_file() as file:
        os.ftruncate(file.fileno(), size)
        for view, (start, _) in zip(views, places):
            _write_at(file.fileno(), view, start)
        connection.send_bytes(pickle.dumps((payload, places, size), 5))
        reduction.send_handle(connection, file.fileno(), None)


def receive(connection):
    """The next object.  EOFError when the other end is closed."""
    payload, buffers, size = pickle.loads(connection.recv_bytes())
    if size:
        handle = reduction.recv_handle(connection)
        try:
            memory = memoryview(mmap.mmap(handle, size, _MAP_FLAGS))
        finally:
            os.close(handle)
        buffers = [memory[start:start + n] for start, n in buffers]
    return pickle.loads(payload, buffers=buffers)


def _memory_file():
    if hasattr(os, "memfd_create"):
        return os.fdopen(os.memfd_create("ringgrad-batch", os.MFD_CLOEXEC), "r+b", buffering=0)
    return tempfile.TemporaryFile(buffering=0)


def _write_at(descriptor, view, start):
    while view.nbytes:
        n = os.pwrite(descriptor, view, start)
        view, start = view[n:], start + n
