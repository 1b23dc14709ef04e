"""Datasets: things with samples, found by index (Dataset) or one after another (IterableDataset)."""
import bisect
import functools
import itertools
import math
import operator
import warnings
from typing import Generic, TypeVar

import numpy as np

from ..._backends import of_array
from ..._core.tensor import Tensor, wrap
from ..._dtypes import of_numpy
from ..._rng import default_generator

__all__ = ["ChainDataset", "ConcatDataset", "Dataset", "IterableDataset", "StackDataset", "Subset", "TensorDataset", "random_split"]

T_co = TypeVar("T_co", covariant=True)


class Dataset(Generic[T_co]):
    """Base class of datasets with an index.  A subclass defines `__getitem__(index)` and, for most samplers, `__len__`.

    `__getitems__(indices)`, where it exists, returns the list of samples of a batch at once.  `__getbatch__(indices)`, where it exists,
    returns the batch itself: what `default_collate` makes of these samples, mostly tensors that one look-up per array has made, or None
    for batches that have to be made sample by sample.  A DataLoader asks for it when it collates by `default_collate`.  A subclass that
    defines `__getitem__` or `__getitems__` anew and not `__getbatch__` is not asked.

        class Images(Dataset):
            def __getitem__(self, i):
                return self.pixels[i], self.labels[i]

            def __getbatch__(self, indices):
                return [ringgrad.from_numpy(self.pixels[indices]), ringgrad.from_numpy(self.labels[indices])]

    TensorDataset, Subset, ConcatDataset and StackDataset have it, and look up NumPy arrays and tensors themselves.
    """

    def __getitem__(self, index):
        raise NotImplementedError("Subclasses of Dataset should implement __getitem__.")

    def __add__(self, other):
        return ConcatDataset([self, other])


class IterableDataset(Dataset[T_co]):
    """Base class of datasets that are read in their own order.  A subclass defines `__iter__`.

    Every DataLoader worker iterates over a copy of its own; use `get_worker_info` to give each a part.
    """

    def __add__(self, other):
        return ChainDataset([self, other])


class TensorDataset(Dataset[tuple]):
    """Samples are tuples of rows: one of each tensor (or NumPy array).  All must have the same size in dimension 0."""

    def __init__(self, *tensors):
        if any(t.shape[0] != tensors[0].shape[0] for t in tensors):
            sizes = ", ".join(str(t.shape[0]) for t in tensors)
            raise AssertionError(f"Size mismatch between tensors: dimension 0 has sizes {sizes}")
        self.tensors = tensors

    def __getitem__(self, index):
        return tuple(t[index] for t in self.tensors)

    def __getitems__(self, indices):
        if type(self).__getitem__ is not TensorDataset.__getitem__:
            return [self[i] for i in indices]
        return list(zip(*(_rows(t, indices) for t in self.tensors)))

    def __getbatch__(self, indices):
        """One look-up per tensor; None where gradients have to flow back into rows."""
        return _all_collated(self.tensors, indices)

    def __len__(self):
        return self.tensors[0].shape[0]


def _rows(t, indices):
    """The rows of a tensor as a list of tensors."""
    if not isinstance(t, Tensor) or t.requires_grad or t.ndim == 1:
        return [t[i] for i in indices]
    return [wrap(row) for row in t._data[np.asarray(indices)]]


class StackDataset(Dataset):
    """Samples made of one sample of each dataset: tuples, StackDataset(images, labels), or dicts, StackDataset(image=..., label=...)."""

    def __init__(self, *args, **kwargs):
        if args and kwargs:
            raise ValueError("Supported either ``tuple``- (via ``args``) or``dict``- (via ``kwargs``) like input/output, but both types "
                             "are given.")
        if not args and not kwargs:
            raise ValueError("At least one dataset should be passed")
        members = args or tuple(kwargs.values())
        self._length = len(members[0])
        if any(len(d) != self._length for d in members):
            raise ValueError(f"Size mismatch between datasets: their lengths are {', '.join(str(len(d)) for d in members)}")
        self.datasets = args or kwargs

    def __getitem__(self, index):
        if isinstance(self.datasets, dict):
            return {k: d[index] for k, d in self.datasets.items()}
        return tuple(d[index] for d in self.datasets)

    def __getitems__(self, indices):
        if isinstance(self.datasets, dict):
            columns = [_nested(d, indices) for d in self.datasets.values()]
            return [dict(zip(self.datasets, row)) for row in zip(*columns)]
        return list(zip(*(_nested(d, indices) for d in self.datasets)))

    def __getbatch__(self, indices):
        """What each dataset says, in a list or a dict."""
        named = isinstance(self.datasets, dict)
        batches = _all_collated(self.datasets.values() if named else self.datasets, indices)
        return dict(zip(self.datasets, batches)) if named and batches is not None else batches

    def __len__(self):
        return self._length


def collated(dataset, indices):
    """What `default_collate` makes of these samples, where the dataset can say so at once; else None."""
    kind = type(dataset)
    if kind is np.ndarray or kind is np.memmap:
        return _look_up(np.asarray(dataset), indices) if dataset.ndim and _is_number(dataset.dtype) else None
    if kind is Tensor:
        return None if dataset.requires_grad or not dataset.ndim else _look_up(dataset._data, indices)
    return dataset.__getbatch__(indices) if _answers_for_itself(kind) else None


@functools.lru_cache(maxsize=256)
def _answers_for_itself(kind):
    """Whether a class's `__getbatch__` is of the class that says what a sample is, or of a later one."""
    names = ("__getitem__", "__getitems__", "__getbatch__")
    first = next((c for c in kind.__mro__ if any(name in vars(c) for name in names)), object)
    return "__getbatch__" in vars(first)


@functools.cache
def _is_number(dtype):
    try:
        of_numpy(dtype)
    except TypeError:
        return False
    return True


def _look_up(array, indices):
    at = np.asarray(indices)
    return wrap(array[at]) if at.dtype.kind == "i" and at.ndim == 1 and len(at) else None


def _all_collated(datasets, indices):
    """A list of what each dataset says; None when one says nothing."""
    batches = []
    for d in datasets:
        batch = collated(d, indices)
        if batch is None:
            return None
        batches.append(batch)
    return batches


def samples_of(dataset, indices):
    """A batch of samples: what `__getitems__` returns where the dataset has it, else a list."""
    if callable(getattr(dataset, "__getitems__", None)):
        return dataset.__getitems__(indices)
    return [dataset[i] for i in indices]


def _nested(dataset, indices):
    items = samples_of(dataset, indices)
    if len(items) != len(indices):
        raise ValueError(f"Nested dataset's output size mismatch. Expected {len(indices)}, got {len(items)}")
    return items


class ConcatDataset(Dataset[T_co]):
    """Several datasets, one behind the other."""

    @staticmethod
    def cumsum(sequence):
        """The index after the last sample of each dataset."""
        return list(itertools.accumulate(len(d) for d in sequence))

    def __init__(self, datasets):
        self.datasets = list(datasets)
        if not self.datasets:
            raise AssertionError("datasets should not be an empty iterable")
        if any(isinstance(d, IterableDataset) for d in self.datasets):
            raise AssertionError("ConcatDataset does not support IterableDataset")
        self.cumulative_sizes = self.cumsum(self.datasets)

    def __len__(self):
        return self.cumulative_sizes[-1]

    @property
    def cummulative_sizes(self):
        """`cumulative_sizes`, by a name that torch has misspelled once."""
        warnings.warn("cummulative_sizes attribute is renamed to cumulative_sizes", FutureWarning, stacklevel=2)
        return self.cumulative_sizes

    def __getitem__(self, idx):
        if idx < 0:
            if -idx > len(self):
                raise ValueError("absolute value of index should not exceed dataset length")
            idx += len(self)
        member = bisect.bisect_right(self.cumulative_sizes, idx)
        before = self.cumulative_sizes[member - 1] if member else 0
        return self.datasets[member][idx - before]

    def __getbatch__(self, indices):
        """What each dataset says for its own indices, put together in their order; None where the parts do not fit."""
        at = np.asarray(indices)
        if at.dtype.kind != "i" or at.ndim != 1 or not len(at) or at.min() < 0 or at.max() >= len(self):
            return None
        members = np.searchsorted(self.cumulative_sizes, at, side="right")
        parts, places = [], []
        for member in sorted(set(members.tolist())):
            mine = np.flatnonzero(members == member)
            part = collated(self.datasets[member], (at[mine] - (self.cumulative_sizes[member - 1] if member else 0)).tolist())
            if part is None:
                return None
            parts.append(part)
            places.append(mine)
        return parts[0] if len(parts) == 1 else _merged(parts, places, len(at))


def _merged(parts, places, n):
    """Batches put together to one of `n` samples: sample i of part p goes to places[p][i].  None when they are of different kinds."""
    first = parts[0]
    if any(type(part) is not type(first) for part in parts):
        return None
    if isinstance(first, Tensor):
        arrays = [part._data for part in parts]
        if any(a.shape[1:] != arrays[0].shape[1:] or a.dtype != arrays[0].dtype or type(a) is not type(arrays[0]) for a in arrays):
            return None
        whole = of_array(arrays[0]).xp.empty((n, *arrays[0].shape[1:]), arrays[0].dtype)
        for place, array in zip(places, arrays):
            whole[place] = array
        return wrap(whole)
    if type(first) is list and all(len(part) == len(first) for part in parts):
        columns = [_merged(column, places, n) for column in zip(*parts)]
        return None if any(c is None for c in columns) else columns
    if type(first) is dict and all(part.keys() == first.keys() for part in parts):
        columns = {key: _merged([part[key] for part in parts], places, n) for key in first}
        return None if any(c is None for c in columns.values()) else columns
    return None


class ChainDataset(IterableDataset):
    """Several iterable datasets, one after the other."""

    def __init__(self, datasets):
        self.datasets = datasets

    def _members(self):
        for d in self.datasets:
            if not isinstance(d, IterableDataset):
                raise AssertionError("ChainDataset only supports IterableDataset")
            yield d

    def __iter__(self):
        for d in self._members():
            yield from d

    def __len__(self):
        return sum(len(d) for d in self._members())


class Subset(Dataset[T_co]):
    """The samples of a dataset at these indices."""

    def __init__(self, dataset, indices):
        self.dataset, self.indices = dataset, indices
        kind = type(self)
        if kind.__getitem__ is not Subset.__getitem__ and kind.__getitems__ is Subset.__getitems__:
            raise NotImplementedError(f"{kind.__name__} overrides __getitem__ but not __getitems__. When subclassing Subset and overriding "
                                      "__getitem__, you must also override __getitems__ to ensure DataLoader works correctly with your "
                                      "custom logic. A simple implementation:\n\ndef __getitems__(self, indices):\n    return "
                                      "[self.__getitem__(idx) for idx in indices]")

    def __getitem__(self, idx):
        if isinstance(idx, list):
            return self.dataset[[self.indices[i] for i in idx]]
        return self.dataset[self.indices[idx]]

    def __getitems__(self, indices):
        return samples_of(self.dataset, [self.indices[i] for i in indices])

    def __getbatch__(self, indices):
        """What the dataset below says."""
        if len(indices) < 2:
            return collated(self.dataset, [self.indices[i] for i in indices])
        return collated(self.dataset, operator.itemgetter(*indices)(self.indices))

    def __len__(self):
        return len(self.indices)


def random_split(dataset, lengths, generator=None):
    """Split a dataset at random into Subsets of the given lengths, or of the given fractions (left-over samples go round, first to the
    first).

    generator: where the randomness comes from, the default generator unless given.  ValueError unless all samples are used.
    """
    if math.isclose(sum(lengths), 1) and sum(lengths) <= 1:
        lengths = _fractions(len(dataset), lengths)
    if sum(lengths) != len(dataset):
        raise ValueError("Sum of input lengths does not equal the length of the input dataset! "
                         f"{' + '.join(map(str, lengths))} is {sum(lengths)}, and the dataset has {len(dataset)} samples")
    order = (generator or default_generator("cpu")).permutation(len(dataset)).tolist()
    return [Subset(dataset, order[end - n:end]) for end, n in zip(itertools.accumulate(lengths), lengths)]


def _fractions(total, fractions):
    for i, part in enumerate(fractions):
        if part < 0 or part > 1:
            raise ValueError(f"Fraction at index {i} is not between 0 and 1")
    lengths = [math.floor(total * part) for part in fractions]
    for i in range(total - sum(lengths)):
        lengths[i % len(lengths)] += 1
    for i, n in enumerate(lengths):
        if n == 0:
            warnings.warn(f"Length of split at index {i} is 0. This might result in an empty dataset.", stacklevel=3)
    return lengths

