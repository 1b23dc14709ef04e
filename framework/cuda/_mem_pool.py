"""Pools of device memory of the program's own."""
import contextlib

from .._backends import load_cuda
from ._graph import PoolHandle
from ._memory import memory_snapshot
from ._place import index_of


class MemPool:
    """A pool of device memory apart from the others: `with use_mem_pool(pool)`, or `pool=pool.id` of a graph.

    allocator: one of torch's C++ allocators, which CuPy's pools cannot use: TypeError for anything but None;  use_on_oom, no_split: taken for
    torch's sake.  RuntimeError without a GPU.
    """

    __module__ = "ringgrad.cuda"

    def __init__(self, allocator=None, use_on_oom=False, no_split=False):
        if allocator is not None:
            raise TypeError(f"MemPool: allocator must be None, memory comes from CuPy's driver calls; got {type(allocator).__name__}")
        self._handle = PoolHandle()

    @property
    def id(self):
        """The token of this pool, as `graph_pool_handle` returns one."""
        return self._handle

    def use_count(self):
        """1: the pool lives as long as its object, and graphs that were captured in it."""
        return 1

    def snapshot(self, include_traces=True):
        """An empty list: CuPy tells of no single blocks."""
        return memory_snapshot(self.id, include_traces)


@contextlib.contextmanager
def use_mem_pool(pool, device=None):
    """Inside the `with` block, what this thread allocates comes from a MemPool.  device: taken for torch's sake, a pool serves every GPU"""
    index_of(device)
    if not isinstance(pool, MemPool):
        raise TypeError(f"use_mem_pool: a MemPool was expected, got {type(pool).__name__}")
    with load_cuda().xp.cuda.using_allocator(pool.id.pool.allocate):
        yield
