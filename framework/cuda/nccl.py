"""torch.cuda.nccl: which NCCL there is.  Collectives are `ringgrad.distributed`'s; among the devices of one process, `cuda.comm`'s."""
import ctypes

from .._libraries.loading import open_library
from ._place import is_available as _has_gpu

__all__ = ["is_available", "version"]


def version():
    """NCCL's version as (major, minor, patch).  RuntimeError where the library cannot be opened."""
    library, reason = open_library("nccl")
    if library is None:
        raise RuntimeError(f"NCCL is not to be had here ({reason}); pip install nvidia-nccl-cu13 (or -cu12)")
    number = ctypes.c_int(0)
    if library.ncclGetVersion(ctypes.byref(number)):
        raise RuntimeError("NCCL does not tell its version")
    return split(number.value)


def split(number):
    """(major, minor, patch) of NCCL's one number: 22907 is 2.29.7; before 2.9 the major one had three digits behind it."""
    return (number // 1000, number % 1000 // 100, number % 100) if number < 10000 else (number // 10000, number % 10000 // 100, number % 100)


def is_available(tensors=()):
    """Whether NCCL is here and takes these tensors: dense, contiguous, on GPUs that differ."""
    if not _has_gpu() or open_library("nccl")[0] is None:
        return False
    devices = [t.device for t in tensors]
    return len(set(devices)) == len(devices) and all(t.is_cuda and not t.is_sparse and t.is_contiguous() for t in tensors)
