"""DataLoader: batches of a dataset, in the order of a sampler, fetched here or by worker processes."""
import math
import multiprocessing
import os
import warnings
from itertools import repeat
from multiprocessing.context import BaseContext
from typing import Generic, TypeVar

from . import _utils  # noqa: F401 - torch.utils.data.dataloader._utils
from ._iterate import _BaseDataLoaderIter, _DatasetKind, _MultiProcessingDataLoaderIter, _SingleProcessDataLoaderIter
from ._utils.collate import default_collate, default_convert
from ._utils.worker import get_worker_info
from .datapipes.datapipe import IterDataPipe, MapDataPipe, _IterDataPipeSerializationWrapper, _MapDataPipeSerializationWrapper
from .dataset import Dataset, IterableDataset
from .graph_settings import apply_shuffle_settings
from .sampler import BatchSampler, RandomSampler, Sampler, SequentialSampler

__all__ = ["DataLoader", "default_collate", "default_convert", "get_worker_info"]

T_co = TypeVar("T_co", covariant=True)
_FIXED = ("batch_size", "batch_sampler", "sampler", "drop_last", "dataset", "persistent_workers")


class _InfiniteConstantSampler(Sampler):
    """Stands in for a sampler where the dataset has an order of its own."""

    def __iter__(self):
        return repeat(None)


class DataLoader(Generic[T_co]):
    """An iterable of batches.

    dataset: a Dataset or an IterableDataset;  batch_size: samples per batch, None for single samples;  shuffle: a new random order each
    pass; sampler: an iterable of indices;  batch_sampler: an iterable of lists of indices;  num_workers: processes that fetch (0: none);
    collate_fn: list of samples -> batch;  pin_memory: put tensors in page-locked memory, where CUDA is in use;  drop_last: leave out a last
    batch that is not full;  timeout: seconds to wait for a batch from a worker (0: for ever);  worker_init_fn: called with its id in each
    worker; multiprocessing_context: a start method or context (default: fork where that is safe, else forkserver; see _start.py);
    generator: a ringgrad.Generator for the order and the workers' seeds;  prefetch_factor: batches under way per worker (2);
    persistent_workers: keep the workers between passes;  pin_memory_device: accepted, the current device is used;  in_order: with False,
    batches come as they are ready.

    In a worker, Python's, NumPy's and ringgrad's random numbers are seeded with a base seed, drawn for each pass, + its id.  An exception
    in a worker is raised here with the worker's traceback; a worker that dies is a RuntimeError that says of what.  ValueError for
    contradictory arguments.

    Data pipes (see `datapipes`) are shared out among workers, and among ranks where there is a process group, at their `sharding_filter`,
    and shuffled where they contain a `shuffle`, from a seed that all workers and ranks share; with shuffle=True and none there, one is put
    behind them.  Whole batches are looked up at once in datasets that have `__getbatch__` (see Dataset).
    """

    _iterator = None
    __initialized = False

    def __init__(self, dataset: Dataset, batch_size=1, shuffle=None, sampler=None, batch_sampler=None, num_workers=0, collate_fn=None,
                 pin_memory=False, drop_last=False, timeout=0, worker_init_fn=None, multiprocessing_context=None, generator=None, *,
                 prefetch_factor=None, persistent_workers=False, pin_memory_device="", in_order=True):
        _check_workers(num_workers, timeout, prefetch_factor, persistent_workers)
        iterable = isinstance(dataset, IterableDataset)
        self._dataset_kind = _DatasetKind.Iterable if iterable else _DatasetKind.Map
        if isinstance(dataset, IterDataPipe):
            dataset, shuffle = apply_shuffle_settings(dataset, shuffle), None
        if iterable:
            _check_iterable(shuffle, sampler, batch_sampler)
        if sampler is not None and shuffle:
            raise ValueError("sampler option is mutually exclusive with shuffle")
        if batch_sampler is not None:
            if batch_size != 1 or shuffle or sampler is not None or drop_last:
                raise ValueError("batch_sampler option is mutually exclusive with batch_size, shuffle, sampler, and drop_last")
            batch_size = None
        elif batch_size is None and drop_last:
            raise ValueError("batch_size=None option disables auto-batching and is mutually exclusive with drop_last")
        if sampler is None:
            sampler = _default_sampler(dataset, iterable, shuffle, generator)
        if batch_size is not None and batch_sampler is None:
            batch_sampler = BatchSampler(sampler, batch_size, drop_last)
        self.dataset, self.batch_size, self.sampler, self.batch_sampler = _sendable(dataset), batch_size, sampler, batch_sampler
        self.num_workers, self.drop_last, self.timeout, self.worker_init_fn = num_workers, drop_last, timeout, worker_init_fn
        self.collate_fn = collate_fn or (default_collate if self._auto_collation else default_convert)
        self.pin_memory, self.pin_memory_device, self.generator, self.in_order = pin_memory, pin_memory_device, generator, in_order
        self.prefetch_factor = 2 if num_workers and prefetch_factor is None else prefetch_factor
        self.persistent_workers = persistent_workers
        self.multiprocessing_context = multiprocessing_context
        self._IterableDataset_len_called = self._iterator = None
        self.__initialized = True
        self.check_worker_number_rationality()

    @property
    def multiprocessing_context(self):
        """The context that workers start in; None leaves the choice to the loader."""
        return self._context

    @multiprocessing_context.setter
    def multiprocessing_context(self, context):
        if context is not None:
            if not self.num_workers:
                raise ValueError("multiprocessing_context can only be used with multi-process loading (num_workers > 0), but got "
                                 f"num_workers={self.num_workers}")
            if isinstance(context, str):
                methods = multiprocessing.get_all_start_methods()
                if context not in methods:
                    raise ValueError(f"multiprocessing_context option should specify a valid start method in {methods!r}, but got "
                                     f"multiprocessing_context={context!r}")
                context = multiprocessing.get_context(context)
            if not isinstance(context, BaseContext):
                raise TypeError("multiprocessing_context option should be a valid context object or a string specifying the start method, "
                                f"but got multiprocessing_context={context}")
        self._context = context

    def __setattr__(self, name, value):
        if self.__initialized and name in _FIXED:
            raise ValueError(f"{name} attribute should not be set after {type(self).__name__} is initialized")
        super().__setattr__(name, value)

    def _get_iterator(self) -> _BaseDataLoaderIter:
        return _MultiProcessingDataLoaderIter(self) if self.num_workers else _SingleProcessDataLoaderIter(self)

    def __iter__(self):
        if not self.num_workers or not self.persistent_workers:
            return self._get_iterator()
        if self._iterator is None or not self._iterator.alive:
            self._iterator = self._get_iterator()
        else:
            self._iterator._reset(self)
        return self._iterator

    @property
    def _auto_collation(self):
        return self.batch_sampler is not None

    @property
    def _index_sampler(self):
        return self.batch_sampler if self._auto_collation else self.sampler

    def __len__(self):
        if self._dataset_kind != _DatasetKind.Iterable:
            return len(self._index_sampler)
        n = self._IterableDataset_len_called = len(self.dataset)
        if self.batch_size is None:
            return n
        return n // self.batch_size if self.drop_last else math.ceil(n / self.batch_size)

    def check_worker_number_rationality(self):
        """Warn when there are more workers than cores."""
        cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count()
        if cores and self.num_workers > cores:
            warnings.warn(f"This DataLoader will create {self.num_workers} worker processes in total. Our suggested max number of worker "
                          f"in current system is {cores}, which is smaller than what this DataLoader is going to create. Please be aware "
                          "that excessive worker creation might get DataLoader running slow or even freeze, lower the worker number "
                          "to avoid potential slowness/freeze if necessary.", stacklevel=3)


def _sendable(dataset):
    """Data pipes in a wrapper that pickles them for workers; other datasets as they are."""
    if isinstance(dataset, IterDataPipe):
        return _IterDataPipeSerializationWrapper(dataset)
    return _MapDataPipeSerializationWrapper(dataset) if isinstance(dataset, MapDataPipe) else dataset


def _default_sampler(dataset, is_iterable, shuffle, generator):
    if is_iterable:
        return _InfiniteConstantSampler()
    return RandomSampler(dataset, generator=generator) if shuffle else SequentialSampler(dataset)


def _check_workers(num_workers, timeout, prefetch_factor, persistent_workers):
    if num_workers < 0:
        raise ValueError("num_workers option should be non-negative; use num_workers=0 to disable multiprocessing.")
    if timeout < 0:
        raise ValueError("timeout option should be non-negative")
    if not num_workers and prefetch_factor is not None:
        raise ValueError("prefetch_factor option could only be specified in multiprocessing. let num_workers > 0 to enable "
                         "multiprocessing, otherwise set prefetch_factor to None.")
    if prefetch_factor is not None and prefetch_factor < 1:
        raise ValueError(f"prefetch_factor option should be positive, and it is {prefetch_factor}")
    if persistent_workers and not num_workers:
        raise ValueError("persistent_workers option needs num_workers > 0")


def _check_iterable(shuffle, sampler, batch_sampler):
    for name, value in (("shuffle", shuffle or None), ("sampler", sampler), ("batch_sampler", batch_sampler)):
        if value is not None:
            raise ValueError(f"DataLoader with IterableDataset: expected unspecified {name} option, but got {name}={value}")
