"""What CuPy's memory pool holds, under torch.cuda's names.  Bytes; every number is 0 without a GPU.

CuPy keeps no record of the highest use.  `max_memory_allocated` therefore answers with what the pool holds from the driver, which never
shrinks unless `empty_cache` is called, and so is at least the highest use since then.
"""
from collections import OrderedDict

from ._place import cupy, index_of, is_available

_fraction = {}


def _pool(device):
    with cupy().cuda.Device(index_of(device)):
        return cupy().get_default_memory_pool()


def memory_allocated(device=None):
    """Bytes of CuPy's pool that arrays occupy now; 0 without a GPU."""
    return _pool(device).used_bytes() if is_available() else 0


def memory_reserved(device=None):
    """Bytes that CuPy's pool holds from the driver; 0 without a GPU."""
    return _pool(device).total_bytes() if is_available() else 0


def max_memory_allocated(device=None):
    """At most so many bytes were in use since the last `empty_cache`: those that the pool holds."""
    return memory_reserved(device)


def max_memory_reserved(device=None):
    """The most that the pool has held since the last `empty_cache`, which is what it holds."""
    return memory_reserved(device)


memory_cached, max_memory_cached = memory_reserved, max_memory_reserved  # their names before torch 1.4


def reset_peak_memory_stats(device=None):
    """Nothing to reset: see the head of this file."""


reset_accumulated_memory_stats = reset_max_memory_allocated = reset_max_memory_cached = reset_peak_memory_stats


def mem_get_info(device=None):
    """(free, total) bytes of the GPU, as the driver counts them."""
    with cupy().cuda.Device(index_of(device)):
        return cupy().cuda.runtime.memGetInfo()


def memory_stats(device=None):
    """The numbers above under torch's keys; empty without a GPU."""
    if not is_available():
        return OrderedDict()
    used, held = memory_allocated(device), memory_reserved(device)
    return OrderedDict({"allocated_bytes.all.current": used, "allocated_bytes.all.peak": held, "reserved_bytes.all.current": held,
                        "reserved_bytes.all.peak": held, "num_ooms": 0})


def memory_summary(device=None, abbreviated=False):
    """The same as text."""
    stats = memory_stats(device)
    return "\n".join([f"CuPy's memory pool ({'no GPU' if not stats else 'bytes'})", *(f"{name:32} {value:>16,}" for name, value in stats.items())])


def memory_snapshot(mempool_id=None):
    """An empty list: CuPy tells of no single blocks."""
    return []


def get_allocator_backend():
    """"cupy"."""
    return "cupy"


def set_per_process_memory_fraction(fraction, device=None):
    """Let the pool hold at most this part (0 to 1) of the GPU's memory."""
    if not isinstance(fraction, float):
        raise TypeError("Invalid type for fraction argument, must be `float`")
    if not 0 <= fraction <= 1:
        raise ValueError(f"Invalid fraction value: {fraction}. Allowed range: 0~1")
    _pool(device).set_limit(fraction=fraction)
    _fraction[index_of(device)] = fraction


def get_per_process_memory_fraction(device=None):
    """What `set_per_process_memory_fraction` was told; 1.0 at first."""
    return _fraction.get(index_of(device), 1.0)


_blocks = {}


def caching_allocator_alloc(size, device=None, stream=None):
    """The address of `size` bytes from the pool, until `caching_allocator_delete`."""
    with cupy().cuda.Device(index_of(device)):
        block = cupy().cuda.alloc(size)
    _blocks[block.ptr] = block
    return block.ptr


def caching_allocator_delete(mem_ptr):
    """Give memory of `caching_allocator_alloc` back to the pool."""
    del _blocks[mem_ptr]
