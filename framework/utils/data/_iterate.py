"""The iterators of a DataLoader: in this process, or over worker processes."""
import itertools
import os
import warnings
import weakref
from collections import deque
from multiprocessing.connection import wait

from ..._rng import Generator
from ...accelerator import current_accelerator
from ...profiler import record_function
from ...profiler._profile import _running
from ._start import Worker, default_context, stop
from ._transport import receive, send
from ._utils import worker as _worker
from ._utils.fetch import create_fetcher
from ._utils.pin_memory import pin_memory
from .datapipes.datapipe import IterDataPipe, MapDataPipe
from .distributed import process_group_module
from .graph_settings import apply_random_seed, apply_sharding
from .sampler import draw_seed


class _DatasetKind:
    """How samples are found: by index (Map) or one after another (Iterable)."""

    Map = 0
    Iterable = 1

    @staticmethod
    def create_fetcher(kind, dataset, auto_collation, collate_fn, drop_last):
        """The fetcher of a dataset of this kind."""
        return create_fetcher(kind == _DatasetKind.Iterable, dataset, auto_collation, collate_fn, drop_last)


class _BaseDataLoaderIter:
    """One pass over the data of a loader.  Subclasses define `_next_data`.

    It takes what it needs from the loader, and not the loader itself: with persistent workers that holds the iterator.
    """

    def __init__(self, loader):
        self._dataset, self._dataset_kind, self._auto_collation = loader.dataset, loader._dataset_kind, loader._auto_collation
        self._index_sampler, self._collate_fn, self._drop_last = loader._index_sampler, loader.collate_fn, loader.drop_last
        self._num_workers, self._timeout, self._persistent_workers = loader.num_workers, loader.timeout, loader.persistent_workers
        dist = process_group_module()
        self._world_size, self._rank = (dist.get_world_size(), dist.get_rank()) if dist else (1, 0)
        self._group = dist.new_group(backend="gloo") if dist and isinstance(self._dataset, IterDataPipe) else None
        self._pin_memory, self._pin_memory_device = _pinning(loader)
        self._begin_pass(loader)
        self._base_seed = draw_seed(loader.generator)
        self._profile_name = f"enumerate(DataLoader)#{type(self).__name__}.__next__"

    def _begin_pass(self, loader):
        self._shared_seed = self._share_seed(loader.generator) if isinstance(self._dataset, IterDataPipe) else None
        if self._shared_seed is not None:
            apply_random_seed(self._dataset, Generator().manual_seed(self._shared_seed))
        self._sampler_iter = iter(self._index_sampler)
        self._num_yielded, self._IterableDataset_len_called = 0, loader._IterableDataset_len_called

    def _share_seed(self, generator):
        """The seed of data pipes in this pass: rank 0's, where there are ranks."""
        seed = [draw_seed(generator)]
        if self._group is not None:
            process_group_module().broadcast_object_list(seed, src=0, group=self._group)
        return seed[0]

    def _reset(self, loader, first_iter=False):
        self._begin_pass(loader)

    def _next_index(self):
        return next(self._sampler_iter)

    def _next_data(self):
        raise NotImplementedError

    def __iter__(self):
        return self

    def __len__(self):
        return len(self._index_sampler)

    def __next__(self):
        if getattr(_running, "profiles", None):
            with record_function(self._profile_name):
                data = self._next_data()
        else:
            data = self._next_data()
        self._num_yielded += 1
        promised = self._IterableDataset_len_called
        if promised is not None and self._num_yielded > promised and self._dataset_kind == _DatasetKind.Iterable:
            text = (f"Length of IterableDataset {self._dataset} was reported to be {promised} (when accessing len(dataloader)), but "
                    f"{self._num_yielded} samples have been fetched. ")
            if self._num_workers > 0:
                text += ("For multiprocessing data-loading, this could be caused by not properly configuring the IterableDataset replica "
                         "at each worker: see get_worker_info.")
            warnings.warn(text, stacklevel=2)
        return data

    def __getstate__(self):
        raise NotImplementedError("{} cannot be pickled", type(self).__name__)


def _pinning(loader):
    """(whether to pin, the type of the device): only where there is an accelerator, with a warning where there is none."""
    if not loader.pin_memory:
        return False, None
    if loader.pin_memory_device:
        warnings.warn("pin_memory_device is deprecated, the current accelerator will be used as the device,ignore "
                      f"pin_memory_device='{loader.pin_memory_device}'.", stacklevel=5)
    device = current_accelerator()
    if device is None:
        warnings.warn("'pin_memory' argument is set as true but no accelerator is found, then device pinned memory won't be used.",
                      stacklevel=5)
        return False, None
    return True, device.type


class _SingleProcessDataLoaderIter(_BaseDataLoaderIter):
    """Fetches each batch when it is asked for."""

    def __init__(self, loader):
        super().__init__(loader)
        if self._timeout != 0:
            raise AssertionError("_SingleProcessDataLoaderIter requires timeout == 0: a time limit is for workers, and num_workers is 0")
        if self._num_workers != 0:
            raise AssertionError("_SingleProcessDataLoaderIter requires num_workers == 0")
        if isinstance(self._dataset, (IterDataPipe, MapDataPipe)):
            apply_sharding(self._dataset, self._world_size, self._rank)
        self._dataset_fetcher = _DatasetKind.create_fetcher(self._dataset_kind, self._dataset, self._auto_collation, self._collate_fn,
                                                            self._drop_last)

    def _next_data(self):
        data = self._dataset_fetcher.fetch(self._next_index())
        return pin_memory(data, self._pin_memory_device) if self._pin_memory else data


class _MultiProcessingDataLoaderIter(_BaseDataLoaderIter):
    """Keeps `prefetch_factor` batches per worker under way, and hands them out in the sampler's order (or with in_order=False as they
    come).

    Each worker answers its tasks in order, so the order of all batches is that of `_tasks`: whose batch is due, first to last.
    """

    def __init__(self, loader):
        super().__init__(loader)
        self._prefetch_factor, self._in_order = loader.prefetch_factor, loader.in_order
        self._workers = []
        self._finalizer = weakref.finalize(self, stop, self._workers, os.getpid())
        context = loader.multiprocessing_context or default_context()
        share = (self._world_size, self._rank) if isinstance(self._dataset, (IterDataPipe, MapDataPipe)) else None
        try:
            for i in range(self._num_workers):
                job = _worker.Job(self._dataset, self._dataset_kind == _DatasetKind.Iterable, self._auto_collation, self._collate_fn,
                                  self._drop_last, loader.worker_init_fn, self._base_seed, i, self._num_workers, self._shared_seed, share)
                self._workers.append(Worker(context, job))
        except BaseException:
            self._finalizer()
            raise
        self._begin()

    def _begin(self):
        self._tasks = deque()
        self._ended = set()
        self._turns = itertools.cycle(self._workers)
        for _ in range(self._prefetch_factor * len(self._workers)):
            self._assign()

    @property
    def alive(self):
        """Whether the workers are there; they are not after one of them has died."""
        return self._finalizer.alive

    def _reset(self, loader, first_iter=False):
        """Begin a new pass with the same workers."""
        while self._tasks:
            self._receive(self._tasks.popleft())
        super()._reset(loader, first_iter)
        for w in self._workers:
            self._send(w, _worker.Restart(self._shared_seed))
        self._begin()

    def _shutdown_workers(self):
        """End the workers, and with them this pass."""
        self._tasks.clear()
        self._finalizer()

    def _assign(self):
        """Give the next index to the next worker that has not reached its end."""
        for _ in self._workers:
            worker = next(self._turns)
            if worker not in self._ended and (self._in_order or self._tasks.count(worker) < self._prefetch_factor):
                break
        else:
            return
        try:
            index = self._next_index()
        except StopIteration:
            return
        self._send(worker, index)
        self._tasks.append(worker)

    def _next_data(self):
        while self._tasks:
            worker = self._tasks[0] if self._in_order else self._any_ready()
            kind, content = self._receive(worker)
            self._tasks.remove(worker)
            if kind == _worker.END:
                self._ended.add(worker)
            self._assign()
            if kind == _worker.BATCH:
                return pin_memory(content, self._pin_memory_device) if self._pin_memory else content
            if kind == _worker.FAILED:
                content.reraise()
        if not self._persistent_workers:
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
        timeout = self._timeout or None
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
