"""Memory that several processes map: a memory file (memfd_create) without a name, so nothing is left behind whatever dies when.

Forked children see it at once; other processes get its file descriptor (see `multiprocessing/_reductions.py`).
"""
import mmap
import os
import weakref

import numpy as np

_known = weakref.WeakValueDictionary()  # (device, inode) of the file -> the SharedMemory of this process


class SharedMemory(mmap.mmap):
    """`nbytes` of shared memory; `descriptor` is its file."""

    def __new__(cls, descriptor, nbytes):
        self = super().__new__(cls, descriptor, max(nbytes, 1))
        self.descriptor, self.nbytes = descriptor, nbytes
        weakref.finalize(self, os.close, descriptor)
        status = os.fstat(descriptor)
        self.identity = status.st_dev, status.st_ino
        _known[self.identity] = self
        return self

    @classmethod
    def new(cls, nbytes):
        """Fresh memory, all zeros."""
        if hasattr(os, "memfd_create"):
            descriptor = os.memfd_create("ringgrad-shared", os.MFD_CLOEXEC)
        else:
            import tempfile  # where Linux's call is missing
            with tempfile.TemporaryFile() as file:
                descriptor = os.dup(file.fileno())
        os.ftruncate(descriptor, max(nbytes, 1))
        return cls(descriptor, nbytes)

    @classmethod
    def received(cls, descriptor, nbytes):
        """The memory behind a descriptor that another process sent: mapped once, however often it is sent."""
        status = os.fstat(descriptor)
        known = _known.get((status.st_dev, status.st_ino))
        if known is None:
            return cls(descriptor, nbytes)
        os.close(descriptor)
        return known


def memory_of(array):
    """The mmap that a NumPy array lies in; None for ordinary memory."""
    while isinstance(array, (np.ndarray, memoryview)):
        array = array.obj if isinstance(array, memoryview) else array.base
    return array if isinstance(array, mmap.mmap) else None


def shared_copy(array):
    """A contiguous copy of a NumPy array in shared memory."""
    copy = np.ndarray(array.shape, array.dtype, SharedMemory.new(array.nbytes))
    copy[...] = array
    return copy


def refuse_history(tensor):
    """RuntimeError for a tensor on its way to another process that was computed from others that require gradients: its graph stays here."""
    if tensor.requires_grad and not tensor.is_leaf:
        raise RuntimeError("Cowardly refusing to serialize non-leaf tensor which requires_grad, since autograd does not support crossing process "
                           "boundaries.  If you just want to transfer the data, call detach() on the tensor before serializing (e.g., putting it "
                           "on the queue).")
