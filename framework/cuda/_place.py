"""Which GPUs there are, and which one is meant."""
import ctypes
import importlib.util
from functools import lru_cache

from .._backends import load_cuda
from .._device import device as Device


@lru_cache(maxsize=1)
def device_count():
    """Number of CUDA devices that CUDA_VISIBLE_DEVICES leaves; 0 without a driver or without CuPy.  Makes no CUDA context."""
    if importlib.util.find_spec("cupy") is None:
        return 0
    try:
        driver = ctypes.CDLL("libcuda.so.1")
    except OSError:
        return 0
    count = ctypes.c_int(0)
    if driver.cuInit(0) or driver.cuDeviceGetCount(ctypes.byref(count)):
        return 0
    return count.value


def is_available():
    """Whether CUDA tensors can be made: a GPU, its driver, and CuPy are there."""
    return device_count() > 0


def cupy():
    """The module cupy.  RuntimeError, with the way out, where there is none or no GPU."""
    return load_cuda().xp


def current_device():
    """Index of the device on which new CUDA tensors are made in this thread."""
    return cupy().cuda.runtime.getDevice()


def index_of(spelled):
    """The index of an index, string, device or None (the current device)."""
    if spelled is None:
        return current_device()
    place = spelled if isinstance(spelled, Device) else Device(spelled)
    if place.type != "cuda":
        raise ValueError(f"Expected a cuda device, but got: {place}")
    return current_device() if place.index is None else place.index
