"""Device memory: CuPy's caching pool with torch's accounts, private pools for graphs, and memory that another stream still reads.

The accounts are exact and cost one call per allocation: what is in use grows nowhere else, so its peak is found by looking after each one.  CuPy
counts bytes in use and held by itself.  The allocation and the look are one step of C code (`starmap`), so no other thread comes between.
"""
import sys
import threading
from collections import defaultdict
from itertools import starmap
from operator import call

from .._state import state
from .out_of_memory import OutOfMemoryError, words


def _references():
    """References to a block that only `Allocator.sweep` holds, counted as there: its table's, and those of variables that this Python counts."""
    counts = []
    for _, (memory, _) in list({0: (object(), {})}.items()):
        counts.append(sys.getrefcount(memory))
    return counts[0]


_MINE = _references()


class Allocator:
    """All pools of a process.  xp: CuPy.

    pool           CuPy's own, from which everything comes but what graphs use
    highest_used, highest_held    {device index: bytes}, since the last `forget_peaks`
    retries, failures    how often memory was given back because there was too little, and how often that did not help
    """

    def __init__(self, xp):
        self.xp, self.pool = xp, xp.get_default_memory_pool()
        self.highest_used, self.highest_held, self.allocations = defaultdict(int), defaultdict(int), defaultdict(int)
        self.retries = self.failures = 0
        self._held, self._waiting, self._lock = {}, [], threading.RLock()
        self._count([self.pool])
        self.fault = type("OutOfMemoryError", (OutOfMemoryError, xp.cuda.memory.OutOfMemoryError),  # CuPy catches its own at some places
                          {"__module__": "ringgrad", "__init__": RuntimeError.__init__, "__reduce__": _plain})
        self.allocate = self.from_pool(self.pool)

    def install(self):
        """Make CuPy allocate here, unless the program gave it an allocator of its own."""
        if self.xp.cuda.get_allocator() == self.pool.malloc:
            self.xp.cuda.set_allocator(self.allocate)

    def private_pool(self):
        """A new pool, counted with the others for as long as somebody holds it."""
        pool = PrivatePool(self)
        with self._lock:
            self._count([*self.pools, pool.native])
        return pool

    def drop(self, native):
        """A private pool has gone; blocks of it that are in use keep their memory."""
        with self._lock:
            self._count([p for p in self.pools if p is not native])

    def _count(self, pools):
        """Let these pools be counted.  looks: the calls that tell what is in use of each, and then what each holds."""
        self.pools, self.looks = pools, [(p.used_bytes,) for p in pools] + [(p.total_bytes,) for p in pools]

    def from_pool(self, pool):
        """A function for CuPy: a number of bytes -> a pointer to so many, taken from `pool`."""
        malloc, used_here, held_here = pool.malloc, (pool.used_bytes,), (pool.total_bytes,)
        highest_used, highest_held, allocations = self.highest_used, self.highest_held, self.allocations

        def allocate(size):
            if self._held or self._waiting:
                self.sweep()
            looks = self.looks
            try:
                if len(looks) == 2:
                    pointer, used, held = starmap(call, ((malloc, size), used_here, held_here))
                else:
                    pointer, *rest = starmap(call, ((malloc, size), *looks))
                    used, held = sum(rest[:len(looks) // 2]), sum(rest[len(looks) // 2:])
            except MemoryError:
                return self.try_again(malloc, size)
            at = pointer.device_id
            allocations[at] += 1
            if used > highest_used[at] or held > highest_held[at]:
                self._raise_peaks(at, used, held)
            return pointer
        return allocate

    def _raise_peaks(self, at, used, held):
        with self._lock:  # two threads may have come here
            self.highest_used[at], self.highest_held[at] = max(self.highest_used[at], used), max(self.highest_held[at], held)

    def try_again(self, malloc, size):
        """Once more, after all that can be given back was.  OutOfMemoryError, in torch's words."""
        if state.capture is None:
            self.retries += 1
            self.sweep(wait=True)
            self.free_unused()
        try:
            pointer = malloc(size)
        except MemoryError:
            self.failures += 1
            device, (free, total) = self.xp.cuda.runtime.getDevice(), self.xp.cuda.runtime.memGetInfo()
            raise self.fault(words(size, device, free, total, self.used(), self.held())) from None
        self._raise_peaks(pointer.device_id, self.used(), self.held())
        return pointer

    def free_unused(self):
        """Give the unused blocks on the current device back to the driver: those of CuPy's pool, for graphs use theirs at every replay."""
        self.pool.free_all_blocks()

    # -- accounts of the current device ------------------------------------------------------------------------------------

    def used(self):
        """Bytes in use."""
        return sum(pool.used_bytes() for pool in self.pools)

    def held(self):
        """Bytes held from the driver."""
        return sum(pool.total_bytes() for pool in self.pools)

    def peaks(self):
        """(most bytes in use, most held) since `forget_peaks`; what came from elsewhere counts from when it is seen."""
        at = self.xp.cuda.runtime.getDevice()
        self._raise_peaks(at, self.used(), self.held())
        return self.highest_used[at], self.highest_held[at]

    def forget_peaks(self):
        """The peaks are what there is now."""
        at = self.xp.cuda.runtime.getDevice()
        with self._lock:
            self.highest_used[at], self.highest_held[at] = self.used(), self.held()

    # -- memory that other streams read ------------------------------------------------------------------------------------

    def record_stream(self, array, stream):
        """Keep the memory of `array`, when its last user lets go of it, until `stream` has done what it was given by then.

        CuPy's pool gives a block to the stream that it was allocated on as soon as nobody refers to it, and would let that stream write into what
        the other still reads.
        """
        memory = array.data.mem
        with self._lock:
            self._held.setdefault(id(memory), (memory, {}))[1][stream.ptr] = stream

    def sweep(self, wait=False):
        """Look which recorded blocks nobody uses any more, and let go of those whose streams have passed.  wait: wait for them."""
        if state.capture is not None or not self._lock.acquire(blocking=wait):
            return  # a stream that is captured knows no "now"; another thread sweeps
        try:
            for key, (memory, streams) in list(self._held.items()):
                if sys.getrefcount(memory) <= _MINE:
                    self._waiting.append(([self._mark(stream) for stream in streams.values()], memory))
                    del self._held[key]
            if wait:
                for events, _ in self._waiting:
                    for event in events:
                        event.synchronize()
            self._waiting = [entry for entry in self._waiting if not all(event.done for event in entry[0])]
        finally:
            self._lock.release()

    def _mark(self, stream):
        with self.xp.cuda.Device(stream.device_id if stream.device_id >= 0 else None):
            event = self.xp.cuda.Event(disable_timing=True)
            event.record(stream)
        return event


class PrivatePool:
    """Memory of one graph, or of several that share it: never used for anything else, and held as long as the pool.

    A block that was freed while a graph was captured is unused for CuPy, which would give it back to the driver when memory is short; the graph
    still works in it.
    """

    def __init__(self, allocator):
        cuda, self.segments = allocator.xp.cuda, []
        segments = self.segments

        def from_driver(size):  # which must not know `self`: the pool goes with its last user
            memory = cuda.Memory(size)
            segments.append(memory)
            return cuda.MemoryPointer(memory, 0)
        self.native = cuda.MemoryPool(from_driver)
        self.allocate, self._allocator = allocator.from_pool(self.native), allocator

    def __del__(self):
        self._allocator.drop(self.native)


def _plain(error):
    return OutOfMemoryError, error.args
