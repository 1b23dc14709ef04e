"""torch.cuda's names over CuPy.  Every question has an answer on a machine without a GPU; CuPy is imported when there is one to use."""
import ctypes
import importlib.util
import sys
from functools import lru_cache

from .._backends import load_cuda
from .._device import device as Device
from .._functional.legacy import CUDA_TYPES
from .._rng import default_generator
from ._streams import Event, Stream, current_stream, default_stream, stream

__all__ = ["Event", "Stream", "current_device", "current_stream", "default_stream", "device", "device_count", "empty_cache",
           "get_device_capability", "get_device_name", "is_available", "is_bf16_supported", "is_initialized", "manual_seed",
           "manual_seed_all", "memory_allocated", "memory_reserved", "set_device",
           "stream", "synchronize", *CUDA_TYPES]

globals().update(CUDA_TYPES)  # FloatTensor, LongTensor, ...: calling one needs a GPU


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


def _cupy():
    return load_cuda().xp


def is_initialized():
    """Whether CuPy has been loaded in this process."""
    return "cupy" in sys.modules and is_available()


def _index(spelled):
    if spelled is None:
        return current_device()
    place = spelled if isinstance(spelled, Device) else Device(spelled)
    if place.type != "cuda":
        raise ValueError(f"Expected a cuda device, but got: {place}")
    return current_device() if place.index is None else place.index


def current_device():
    """Index of the device on which new CUDA tensors are made in this thread."""
    return _cupy().cuda.runtime.getDevice()


def set_device(device):
    """Make `device` (index, string or device) the current one of this thread; a negative index changes nothing."""
    if isinstance(device, int) and device < 0:
        return
    backend = load_cuda()
    place = device if isinstance(device, Device) else Device(device)
    if place.index is not None:
        backend.require_device(place.index)
        backend.xp.cuda.Device(place.index).use()


class device:  # noqa: N801 - torch's name
    """Inside the `with` block, `device` is the current one.  None and negative indexes change nothing."""

    def __init__(self, device):
        self.index = None if device is None or isinstance(device, int) and device < 0 else _index(device)

    def __enter__(self):
        if self.index is not None:
            self.context = _cupy().cuda.Device(self.index)
            self.context.__enter__()

    def __exit__(self, *error):
        if self.index is not None:
            self.context.__exit__(*error)


def synchronize(device=None):
    """Wait until all work on `device` (None: the current one) is done.  RuntimeError without a GPU."""
    load_cuda().synchronize(_index(device))


def get_device_name(device=None):
    """The product name, such as "NVIDIA H200"."""
    return _cupy().cuda.runtime.getDeviceProperties(_index(device))["name"].decode()


def get_device_capability(device=None):
    """Compute capability as (major, minor)."""
    text = _cupy().cuda.Device(_index(device)).compute_capability
    return int(text[:-1]), int(text[-1])


def is_bf16_supported(including_emulation=True):
    """Whether the current GPU computes with bfloat16: from compute capability 8.0 on, or any GPU when emulation counts.  False without one."""
    return is_available() and (including_emulation or get_device_capability() >= (8, 0))


def manual_seed(seed):
    """Seed the current GPU's default generator.  Does nothing without a GPU."""
    if is_available():
        default_generator(Device("cuda", current_device())).manual_seed(seed)


def manual_seed_all(seed):
    """Seed every GPU's default generator.  Does nothing without a GPU."""
    for index in range(device_count()):
        default_generator(Device("cuda", index)).manual_seed(seed)


def _pool(device):
    cupy = _cupy()
    with cupy.cuda.Device(_index(device)):
        return cupy.get_default_memory_pool()


def memory_allocated(device=None):
    """Bytes of CuPy's pool that arrays occupy now; 0 without a GPU."""
    return _pool(device).used_bytes() if is_available() else 0


def memory_reserved(device=None):
    """Bytes that CuPy's pool holds from the driver; 0 without a GPU."""
    return _pool(device).total_bytes() if is_available() else 0


def empty_cache():
    """Give unused memory of CuPy's pool back to the driver.  Does nothing without a GPU."""
    if is_available():
        _pool(None).free_all_blocks()
        _cupy().get_default_pinned_memory_pool().free_all_blocks()
