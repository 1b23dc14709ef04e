"""torch.cuda's names over CuPy.  Every question has an answer on a machine without a GPU; CuPy is imported when there is one to use."""
import importlib
import sys

from .._backends import load_cuda
from .._core.errors import OutOfMemoryError
from .._device import device as Device
from .._functional.legacy import CUDA_TYPES
from .._left_out import reason
from .._rng import default_generator
from . import amp, nccl, nvtx, profiler
from ._capture import CaptureError
from ._graph import CUDAGraph, graph, graph_pool_handle, is_current_stream_capturing
from ._management import clock_rate, device_memory_used, list_gpu_processes, memory_usage, power_draw, temperature, utilization
from ._mem_pool import MemPool, use_mem_pool
from ._memory import (
    caching_allocator_alloc,
    caching_allocator_delete,
    empty_cache,
    get_allocator_backend,
    get_per_process_memory_fraction,
    max_memory_allocated,
    max_memory_cached,
    max_memory_reserved,
    mem_get_info,
    memory_allocated,
    memory_cached,
    memory_reserved,
    memory_snapshot,
    memory_stats,
    memory_stats_as_nested_dict,
    memory_summary,
    reset_accumulated_memory_stats,
    reset_max_memory_allocated,
    reset_max_memory_cached,
    reset_peak_memory_stats,
    set_per_process_memory_fraction,
)
from ._place import cupy as _cupy
from ._place import current_device, device_count, is_available
from ._place import index_of as _index
from ._runtime import CudaError, DeferredCudaCallError, check_error, cudart, cudaStatus
from ._streams import (
    Event,
    ExternalStream,
    Stream,
    StreamContext,
    current_stream,
    default_stream,
    get_stream_from_external,
    set_stream,
    stream,
)
from ._sync_debug import get_sync_debug_mode, set_sync_debug_mode

__all__ = ["CUDAGraph", "CaptureError", "CudaError", "DeferredCudaCallError", "Event", "ExternalStream", "MemPool", "OutOfMemoryError", "Stream",
           "StreamContext", "amp", "caching_allocator_alloc", "caching_allocator_delete", "can_device_access_peer", "check_error", "clock_rate",
           "cudaStatus", "cudart", "current_blas_handle", "current_device", "current_solver_handle", "current_stream", "default_generators",
           "default_stream", "device", "device_count", "device_memory_used", "device_of", "empty_cache", "get_allocator_backend", "get_arch_list",
           "get_device_capability", "get_device_name", "get_device_properties", "get_gencode_flags", "get_per_process_memory_fraction",
           "get_rng_state", "get_rng_state_all", "get_stream_from_external", "get_sync_debug_mode", "graph", "graph_pool_handle", "init",
           "initial_seed", "ipc_collect", "is_available", "is_bf16_supported", "is_current_stream_capturing", "is_initialized",
           "is_tf32_supported", "list_gpu_processes", "make_graphed_callables", "manual_seed", "manual_seed_all", "max_memory_allocated",
           "max_memory_cached", "max_memory_reserved", "mem_get_info", "memory_allocated", "memory_cached", "memory_reserved", "memory_snapshot",
           "memory_stats", "memory_stats_as_nested_dict", "memory_summary", "memory_usage", "nccl", "nvtx", "power_draw", "profiler",
           "reset_accumulated_memory_stats", "reset_max_memory_allocated", "reset_max_memory_cached", "reset_peak_memory_stats", "seed",
           "seed_all", "set_device", "set_per_process_memory_fraction", "set_rng_state", "set_rng_state_all", "set_stream", "set_sync_debug_mode",
           "stream", "synchronize", "temperature", "use_mem_pool", "utilization", *CUDA_TYPES]

globals().update(CUDA_TYPES)  # FloatTensor, LongTensor, ...: calling one needs a GPU
has_magma = False
has_half = True


def __getattr__(name):
    if name == "make_graphed_callables":  # it stands above this package
        return importlib.import_module(f"{__package__.rpartition('.')[0]}.compiler._graphed_callables").make_graphed_callables
    if name == "default_generators":
        return tuple(_generators())
    why = reason(f"torch.cuda.{name}")
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}{': ' + why if why else ''}")


def is_initialized():
    """Whether CuPy has been loaded in this process."""
    return "cupy" in sys.modules and is_available()


def init():
    """Load CuPy now, instead of with the first CUDA tensor."""
    load_cuda()


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
        self.index = None if device is None or isinstance(device, int) and (device < 0 or not is_available()) else _index(device)

    def __enter__(self):
        if self.index is not None:
            self.context = _cupy().cuda.Device(self.index)
            self.context.__enter__()

    def __exit__(self, *error):
        if self.index is not None:
            self.context.__exit__(*error)


class device_of(device):  # noqa: N801 - torch's name
    """Inside the `with` block, the device of the tensor `obj` is the current one; a tensor on the CPU changes nothing."""

    def __init__(self, obj):
        super().__init__(obj.device if obj.is_cuda else None)


def synchronize(device=None):
    """Wait until all work on `device` (None: the current one) is done.  RuntimeError without a GPU."""
    load_cuda().synchronize(_index(device))


# What a GPU is


def get_device_properties(device=None):
    """name, major, minor, total_memory (bytes), multi_processor_count, warp_size of a GPU."""
    return _Properties(_cupy().cuda.runtime.getDeviceProperties(_index(device)))


class _Properties:
    def __init__(self, raw):
        self.name, self.major, self.minor = raw["name"].decode(), raw["major"], raw["minor"]
        self.total_memory, self.multi_processor_count = raw["totalGlobalMem"], raw["multiProcessorCount"]
        self.warp_size, self.max_threads_per_multi_processor = raw["warpSize"], raw["maxThreadsPerMultiProcessor"]

    def __repr__(self):
        return (f"_CudaDeviceProperties(name='{self.name}', major={self.major}, minor={self.minor}, "
                f"total_memory={self.total_memory // 2**20}MB, multi_processor_count={self.multi_processor_count})")


def get_device_name(device=None):
    """The product name, such as "NVIDIA H200"."""
    return get_device_properties(device).name


def get_device_capability(device=None):
    """Compute capability as (major, minor)."""
    text = _cupy().cuda.Device(_index(device)).compute_capability
    return int(text[:-1]), int(text[-1])


def is_bf16_supported(including_emulation=True):
    """Whether the current GPU computes with bfloat16: from compute capability 8.0 on, or any GPU when emulation counts.  False without one."""
    return is_available() and (including_emulation or get_device_capability() >= (8, 0))


def is_tf32_supported():
    """Whether the current GPU has TF32: from compute capability 8.0 on.  False without one."""
    return is_available() and get_device_capability() >= (8, 0)


def get_arch_list():
    """Kernels are compiled for the GPU at hand: its own architecture, such as ["sm_90"]; empty without one."""
    return ["sm_{}{}".format(*get_device_capability())] if is_available() else []


def get_gencode_flags():
    """An empty string: no kernels were compiled beforehand."""
    return ""


def can_device_access_peer(device, peer_device):
    """Whether one GPU can read the other's memory."""
    return bool(_cupy().cuda.runtime.deviceCanAccessPeer(_index(device), _index(peer_device)))


def current_blas_handle():
    """cuBLAS's handle as an integer."""
    return _cupy().cuda.get_cublas_handle()


def current_solver_handle():
    """cuSOLVER's handle as an integer."""
    return _cupy().cuda.device.get_cusolver_handle()


def ipc_collect():
    """Nothing to collect: CUDA tensors are not sent between processes."""


# Random numbers


def _generators():
    return [default_generator(Device("cuda", index)) for index in range(device_count())]


def _generator(device):
    return default_generator(Device("cuda", _index(None if device == "cuda" else device)))


def manual_seed(seed):
    """Seed the current GPU's default generator.  Does nothing without a GPU."""
    if is_available():
        _generator(None).manual_seed(seed)


def manual_seed_all(seed):
    """Seed every GPU's default generator.  Does nothing without a GPU."""
    for generator in _generators():
        generator.manual_seed(seed)


def seed():
    """Seed the current GPU's default generator from the system's randomness.  Does nothing without a GPU."""
    if is_available():
        _generator(None).seed()


def seed_all():
    """Seed every GPU's default generator alike from the system's randomness.  Does nothing without a GPU."""
    first, *others = _generators() or [None]
    if first is not None:
        number = first.seed()
        for generator in others:
            generator.manual_seed(number)


def initial_seed():
    """The seed of the current GPU's default generator."""
    return _generator(None).initial_seed()


def get_rng_state(device="cuda"):
    """The state of a GPU's default generator, as a byte tensor."""
    return _generator(device).get_state()


def get_rng_state_all():
    """The states of all GPUs' default generators; an empty list without one."""
    return [generator.get_state() for generator in _generators()]


def set_rng_state(new_state, device="cuda"):
    """Put a state of `get_rng_state` back.  Does nothing without a GPU."""
    if is_available():
        _generator(device).set_state(new_state)


def set_rng_state_all(new_states):
    """Put the states of `get_rng_state_all` back."""
    for generator, state in zip(_generators(), new_states):
        generator.set_state(state)
