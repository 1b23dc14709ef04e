"""Datasets: things with samples, found by index (Dataset) or one after another (IterableDataset)."""
import bisect
import itertools
import math
import warnings
from typing import Generic, TypeVar

import numpy as np

from ..._core.tensor import wrap
from ..._rng import default_generator

__all__ = ["ChainDataset", "ConcatDataset", "Dataset", "IterableDataset", "StackDataset", "Subset", "TensorDataset", "random_split"]

T_co = TypeVar("T_co", covariant=True)


class Dataset(Generic[T_co]):
    """Base class of datasets with an index.  A subclass defines `__getitem__(index)` and, for most samplers, `__len__`.

    `__getitems__(indices)`, where it exists, returns the list of samples of a batch at once.
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
    """Samples are tuples of rows: one of each tensor.  All tensors must have the same size in dimension 0."""

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

    def _collated(self, indices):
        """What `default_collate` makes of these samples, by one look-up per tensor; None when a subclass makes its samples itself."""
        kind = type(self)
        if kind.__getitem__ is not TensorDataset.__getitem__ or kind.__getitems__ is not TensorDataset.__getitems__:
            return None
        if any(t.requires_grad for t in self.tensors):
            return None
        at = np.asarray(indices)
        return [wrap(t._data[at]) for t in self.tensors] if at.dtype.kind == "i" and at.ndim == 1 else None

    def __len__(self):
        return self.tensors[0].shape[0]


def _rows(t, indices):
    """The rows of a tensor as a list of tensors."""
    return [t[i] for i in indices] if t.requires_grad or t.ndim == 1 else [wrap(row) for row in t._data[np.asarray(indices)]]


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

    def __len__(self):
        return self._length


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

    def __getitem__(self, index):
        if index < 0:
            if -index > len(self):
                raise ValueError("absolute value of index should not exceed dataset length")
            index += len(self)
        member = bisect.bisect_right(self.cumulative_sizes, index)
        before = self.cumulative_sizes[member - 1] if member else 0
        return self.datasets[member][index - before]


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

    def __getitem__(self, index):
        if isinstance(index, list):
            return self.dataset[[self.indices[i] for i in index]]
        return self.dataset[self.indices[index]]

    def __getitems__(self, indices):
        return samples_of(self.dataset, [self.indices[i] for i in indices])

    def _collated(self, indices):
        """As in TensorDataset, where the dataset below can do it."""
        below = getattr(self.dataset, "_collated", None)
        if below is None or type(self).__getitems__ is not Subset.__getitems__:
            return None
        return below([self.indices[i] for i in indices])

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

