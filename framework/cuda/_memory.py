"""What the pools of device memory hold, under torch.cuda's names.  Bytes; every number is 0 without a GPU.

The accounts are those of `_backends/allocator.py`: exact, all pools and streams together.  A block counts as allocated while a tensor (or a stream
of `Tensor.record_stream`) uses it, rounded up to 512 bytes, and as reserved while the pool holds it from the driver.  Memory that other
libraries take (cuBLAS, NCCL, the context itself) is in neither; `mem_get_info` counts it.
"""
from collections import OrderedDict

from .._backends import load_cuda
from ._place import cupy, index_of, is_available

_fraction = {}


def _asked(device, question, absent=0):
    """question(allocator) with `device` as the current one; `absent` without a GPU."""
    if not is_available():
        return absent
    backend = load_cuda()
    with backend.xp.cuda.Device(index_of(device)):
        return question(backend.allocator)


def memory_allocated(device=None):
    """Bytes that tensors occupy now; 0 without a GPU."""
    return _asked(device, lambda a: a.used())


def memory_reserved(device=None):
    """Bytes that the pools hold from the driver now; 0 without a GPU."""
    return _asked(device, lambda a: a.held())


def max_memory_allocated(device=None):
    """The most bytes that tensors occupied at once, since the program began or `reset_peak_memory_stats`."""
    return _asked(device, lambda a: a.peaks()[0])


def max_memory_reserved(device=None):
    """The most bytes that the pools held at once, since the program began or `reset_peak_memory_stats`."""
    return _asked(device, lambda a: a.peaks()[1])


memory_cached, max_memory_cached = memory_reserved, max_memory_reserved  # their names before torch 1.4


def reset_peak_memory_stats(device=None):
    """Let the peaks begin anew at what there is now.  Does nothing without a GPU."""
    _asked(device, lambda a: a.forget_peaks())


reset_max_memory_allocated = reset_max_memory_cached = reset_peak_memory_stats


def reset_accumulated_memory_stats(device=None):
    """Let the counts of allocations, retries and failures begin anew.  Does nothing without a GPU."""
    def forget(allocator):
        allocator.retries = allocator.failures = 0
        allocator.allocations.pop(index_of(device), None)
    _asked(device, forget)


def empty_cache():
    """Give unused memory, pinned memory too, back to the driver; what belongs to graphs stays.  Does nothing without a GPU."""
    if is_available():
        backend = load_cuda()
        backend.allocator.sweep()
        backend.allocator.free_unused()
        backend.xp.get_default_pinned_memory_pool().free_all_blocks()


def mem_get_info(device=None):
    """(free, total) bytes of the GPU, as the driver counts them."""
    with cupy().cuda.Device(index_of(device)):
        return cupy().cuda.runtime.memGetInfo()


def memory_stats(device=None):
    """The numbers above under torch's keys; empty without a GPU.

    There is one pool for small and large blocks, so its numbers stand under "all"; what is allocated is active, and requested sizes are not kept.
    "allocation.all.allocated" counts allocations, "num_alloc_retries" and "num_ooms" how often memory was given back and how often in vain.
    """
    if not is_available():
        return OrderedDict()
    used, held = memory_allocated(device), memory_reserved(device)
    most_used, most_held = _asked(device, lambda a: a.peaks())
    retries, failures, count = _asked(device, lambda a: (a.retries, a.failures, a.allocations[index_of(device)]))
    stats = OrderedDict()
    for name, now, most in (("active_bytes", used, most_used), ("allocated_bytes", used, most_used), ("reserved_bytes", held, most_held)):
        stats[f"{name}.all.current"], stats[f"{name}.all.peak"] = now, most
    stats.update({"allocation.all.allocated": count, "num_alloc_retries": retries, "num_ooms": failures})
    return stats


def memory_stats_as_nested_dict(device=None):
    """`memory_stats` with a dict per part of a key."""
    nested = {}
    for key, value in memory_stats(device).items():
        *path, last = key.split(".")
        place = nested
        for part in path:
            place = place.setdefault(part, {})
        place[last] = value
    return nested


_ROWS = (("allocated_bytes.all", "Allocated memory"), ("active_bytes.all", "Active memory"), ("reserved_bytes.all", "GPU reserved memory"))


def memory_summary(device=None, abbreviated=False):
    """The numbers as a table, to print.  abbreviated: taken for torch's sake, since there is one pool."""
    stats = memory_stats(device)
    line, index = "-" * 57, index_of(device) if stats else "none"
    lines = ["=" * 57, f"  ringgrad CUDA memory summary, device ID {index}", line,
             f"  CUDA OOMs: {stats.get('num_ooms', 0):<12} | retries: {stats.get('num_alloc_retries', 0)}", "=" * 57,
             "        Metric         |   Cur Usage   |   Peak Usage  ", line]
    for key, name in _ROWS:
        now, most = (stats.get(f"{key}.{when}", 0) for when in ("current", "peak"))
        lines.append(f" {name:21} | {_kib(now)} | {_kib(most)} ")
    return "\n".join([*lines, "=" * 57, ""])


def _kib(count):
    return f"{count // 2**10:>8} KiB " if count < 2**30 else f"{count // 2**20:>8} MiB "


def memory_snapshot(mempool_id=None, include_traces=True):
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
    with cupy().cuda.Device(index_of(device)):
        cupy().get_default_memory_pool().set_limit(fraction=fraction)
    _fraction[index_of(device)] = fraction


def get_per_process_memory_fraction(device=None):
    """What `set_per_process_memory_fraction` was told; 1.0 at first."""
    return _fraction.get(index_of(device), 1.0)


_blocks = {}


def caching_allocator_alloc(size, device=None, stream=None):
    """The address of `size` bytes from the pool, until `caching_allocator_delete`.  stream: the one whose order they are for (None: current)."""
    with cupy().cuda.Device(index_of(device)):
        native = cupy().cuda.get_current_stream() if stream is None else stream.native
        with native:
            block = cupy().cuda.alloc(size)
    _blocks[block.ptr] = block
    return block.ptr


def caching_allocator_delete(mem_ptr):
    """Give memory of `caching_allocator_alloc` back to the pool."""
    del _blocks[mem_ptr]
