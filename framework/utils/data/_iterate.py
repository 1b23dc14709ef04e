"""The iterators of a DataLoader: in this process, or over worker processes."""
import itertools
import os
import warnings
import weakref
from collections import deque
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from multiprocessing.connection import wait
from typing import Any

from ..._core.tensor import Tensor
from . import _worker
from ._fetch import IterableFetcher, MapFetcher
from ._start import Worker, default_context, stop
from ._transport import receive, send
from .sampler import draw_seed


@dataclass
class Plan:
    """What a pass needs of its DataLoader.  (Not the loader itself: with persistent workers that holds the iterator.)"""

    dataset: Any
    iterable: bool
    batched: bool
    indices: Any  # sampler of the indices, or lists of them, that are fetched at once
    collate_fn: Any
    drop_last: bool
    generator: Any
    pin_memory: bool
    promised_length: int | None
    num_workers: int
    timeout: float
    worker_init_fn: Any
    context: Any
    prefetch_factor: int | None
    persistent: bool
    in_order: bool


class LoaderIterator:
    """One pass over the data.  Subclasses define `_next_batch`."""

    def __init__(self, plan):
        self._plan = plan
        self._base_seed = draw_seed(plan.generator)
        self._count = 0

    def __iter__(self):
        return self

    def __len__(self):
        return len(self._plan.indices)

    def __next__(self):
        batch = self._next_batch()
        self._count += 1
        promised = self._plan.promised_length
        if promised is not None and self._count > promised:
            text = (f"Length of IterableDataset {self._plan.dataset} was reported to be {promised} (when accessing len(dataloader)), but "
                    f"{self._count} samples have been fetched. ")
            if self._plan.num_workers > 0:
                text += ("For multiprocessing data-loading, this could be caused by not properly configuring the IterableDataset replica "
                         "at each worker: see get_worker_info.")
            warnings.warn(text, stacklevel=2)
        return pin(batch) if self._plan.pin_memory else batch

    def __getstate__(self):
        raise NotImplementedError(f"{type(self).__name__} cannot be pickled")


class SerialIterator(LoaderIterator):
    """Fetches each batch when it is asked for."""

    def __init__(self, plan):
        super().__init__(plan)
        self._indices = iter(plan.indices)
        kind = IterableFetcher if plan.iterable else MapFetcher
        self._fetch = kind(plan.dataset, plan.batched, plan.collate_fn, plan.drop_last).fetch

    def _next_batch(self):
        return self._fetch(next(self._indices))


class ParallelIterator(LoaderIterator):
    """Keeps `prefetch_factor` batches per worker under way, and hands them out in the sampler's order (or with in_order=False as they
    come).

    Each worker answers its tasks in order, so the order of all batches is that of `_tasks`: whose batch is due, first to last.
    """

    def __init__(self, plan):
        super().__init__(plan)
        self._workers = []
        self._finalizer = weakref.finalize(self, stop, self._workers, os.getpid())
        context = plan.context or default_context()
        try:
            for i in range(plan.num_workers):
                self._workers.append(Worker(context, _worker.Job(plan.dataset, plan.iterable, plan.batched, plan.collate_fn, plan.drop_last,
                                                                 plan.worker_init_fn, self._base_seed, i, plan.num_workers)))
        except BaseException:
            self._finalizer()
            raise
        self._begin()

    def _begin(self):
        self._indices = iter(self._plan.indices)
        self._tasks = deque()
        self._ended = set()
        self._turns = itertools.cycle(self._workers)
        for _ in range(self._plan.prefetch_factor * len(self._workers)):
            self._assign()

    @property
    def alive(self):
        """Whether the workers are there; they are not after one of them has died."""
        return self._finalizer.alive

    def restart(self, plan):
        """Begin a new pass with the same workers."""
        while self._tasks:
            self._receive(self._tasks.popleft())
        self._plan, self._count = plan, 0
        for w in self._workers:
            self._send(w, _worker.RESTART)
        self._begin()

    def _assign(self):
        """Give the next index to the next worker that has not reached its end."""
        for _ in self._workers:
            worker = next(self._turns)
            if worker not in self._ended and (self._plan.in_order or self._tasks.count(worker) < self._plan.prefetch_factor):
                break
        else:
            return
        try:
            index = next(self._indices)
        except StopIteration:
            return
        self._send(worker, index)
        self._tasks.append(worker)

    def _next_batch(self):
        while self._tasks:
            worker = self._tasks[0] if self._plan.in_order else self._any_ready()
            kind, content = self._receive(worker)
            self._tasks.remove(worker)
            if kind == _worker.END:
                self._ended.add(worker)
            self._assign()
            if kind == _worker.BATCH:
                return content
            if kind == _worker.FAILED:
                content.reraise()
        if not self._plan.persistent:
            self._finalizer()
        raise StopIteration

    def _send(self, worker, message):
        try:
            send(worker.connection, message)
        except OSError:
            self._give_up(worker)

    def _receive(self, worker):
        self._wait_for([worker])
        try:
            return receive(worker.connection)
        except (EOFError, OSError):
            self._give_up(worker)

    def _any_ready(self):
        ready = self._wait_for(list(dict.fromkeys(self._tasks)))
        return next(w for w in self._tasks if w.connection in ready)

    def _wait_for(self, workers):
        """Wait until one of `workers` has answered.  RuntimeError when that takes longer than `timeout`, or when any worker has died."""
        timeout = self._plan.timeout or None
        connections = [w.connection for w in workers]
        ready = wait([*connections, *(w.process.sentinel for w in self._workers)], timeout)
        if not ready:
            raise RuntimeError(f"DataLoader timed out after {timeout} seconds")
        if not any(c in ready for c in connections):
            self._give_up(next(w for w in self._workers if w.process.sentinel in ready))
        return ready

    def _give_up(self, worker):
        reason = worker.describe_death()
        self._tasks.clear()
        self._finalizer()
        raise RuntimeError(reason) from None


def pin(batch):
    """A batch with its tensors in page-locked memory, where a GPU is in use; anything with a method `pin_memory` is asked to do so
    itself."""
    if isinstance(batch, Tensor) or hasattr(batch, "pin_memory"):
        return batch.pin_memory()
    if isinstance(batch, (str, bytes)):
        return batch
    if isinstance(batch, Mapping):
        return type(batch)({k: pin(v) for k, v in batch.items()})
    if isinstance(batch, tuple) and hasattr(batch, "_fields"):
        return type(batch)(*(pin(v) for v in batch))
    if isinstance(batch, Sequence):
        return type(batch)([pin(v) for v in batch])
    return batch
