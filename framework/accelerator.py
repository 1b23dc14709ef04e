"""torch.accelerator: the GPU of this machine, whatever its make; here CUDA or nothing."""
from . import cuda
from ._device import device as Device

__all__ = ["current_accelerator", "current_device_idx", "current_device_index", "current_stream", "device_count", "device_index", "empty_cache",
           "get_memory_info", "is_available", "max_memory_allocated", "max_memory_reserved", "memory_allocated", "memory_reserved", "memory_stats",
           "reset_accumulated_memory_stats", "reset_peak_memory_stats", "set_device_idx", "set_device_index", "set_stream", "synchronize"]


def is_available():
    """Whether there is an accelerator that can be used."""
    return cuda.is_available()


def device_count():
    """How many there are."""
    return cuda.device_count()


def current_accelerator(check_available=False):
    """device("cuda") where there is a GPU, else None."""
    return Device("cuda") if cuda.is_available() else None


def _required(function):
    def call(*args, **kwargs):
        if not cuda.is_available():
            raise RuntimeError("Cannot access accelerator device when none is available.")
        return function(*args, **kwargs)

    call.__name__ = call.__qualname__ = function.__name__
    call.__doc__ = f"`cuda.{function.__name__}`.  RuntimeError without an accelerator."
    return call


current_device_index = current_device_idx = _required(cuda.current_device)
set_device_index = set_device_idx = _required(cuda.set_device)
current_stream = _required(cuda.current_stream)
set_stream = _required(cuda.set_stream)
synchronize = _required(cuda.synchronize)
empty_cache = _required(cuda.empty_cache)
memory_allocated = _required(cuda.memory_allocated)
memory_reserved = _required(cuda.memory_reserved)
max_memory_allocated = _required(cuda.max_memory_allocated)
max_memory_reserved = _required(cuda.max_memory_reserved)
memory_stats = _required(cuda.memory_stats)
reset_peak_memory_stats = _required(cuda.reset_peak_memory_stats)
reset_accumulated_memory_stats = _required(cuda.reset_accumulated_memory_stats)
get_memory_info = _required(cuda.mem_get_info)


class device_index:  # noqa: N801 - torch's name
    """Inside the `with` block this index is the current accelerator's; None changes nothing."""

    def __init__(self, device):
        self.index = device

    def __enter__(self):
        if self.index is not None:
            self._context = cuda.device(_checked(self.index))
            self._context.__enter__()

    def __exit__(self, *error):
        if self.index is not None:
            self._context.__exit__(*error)


@_required
def _checked(index):
    return index
