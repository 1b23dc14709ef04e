"""Array libraries behind one interface.

A backend knows an array module (`xp`), how to make and move arrays, and where they are.  `BACKENDS` finds it by the type of an array, which is
how dispatch does; `for_device` finds it by a device, which is how creation functions do.  CuPy is imported when the first CUDA tensor is asked for.
"""
import functools

from .._device import CPU, META
from .._device import device as Device
from . import _meta_rules, meta_, numpy_, sparse_  # noqa: F401 - the rules register themselves

WHEN_CUDA_LOADS = []  # called once, after CuPy's array type is registered: the CUDA kernels wait here
BACKENDS = {**dict.fromkeys(numpy_.ARRAY_TYPES, numpy_), sparse_.SparseArray: sparse_, meta_.MetaArray: meta_}
sparse_.dense_backends = BACKENDS


def for_device(device):
    """The backend that holds tensors of `device`.  RuntimeError with the way out where its library or hardware is missing.

    NotImplementedError for kinds of device on which ringgrad does not compute.
    """
    if device.type == "cpu":
        return numpy_
    if device.type == "meta":
        return meta_
    if device.type != "cuda":
        raise NotImplementedError(f"tensors live on 'cpu', 'cuda' and 'meta' devices here, not on {str(device)!r}")
    return load_cuda()


def load_cuda():
    """Import CuPy, register its array type and return its backend."""
    from . import cupy_  # CuPy costs 0.4 s to import and a GPU-less program never needs it
    cupy_.require_device()
    BACKENDS[cupy_.Array] = cupy_
    while WHEN_CUDA_LOADS:
        WHEN_CUDA_LOADS.pop()()
    return cupy_


def of_array(array):
    """The backend of an array."""
    return BACKENDS[type(array)]


def device_of(array):
    """The device an array lives on."""
    backend = BACKENDS[type(array)]
    if backend is meta_:
        return META
    index = None if backend is numpy_ else backend.index_of(array)
    return CPU if index is None else _gpu(index)


@functools.cache
def _gpu(index):
    """The device of an index, made once."""
    return Device("cuda", index)
