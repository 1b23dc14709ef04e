"""Samplers: the order in which a DataLoader visits a dataset."""
import itertools
from typing import Generic, TypeVar

import numpy as np

from ..._core.tensor import Tensor
from ..._rng import Generator, default_generator

__all__ = ["BatchSampler", "RandomSampler", "Sampler", "SequentialSampler", "SubsetRandomSampler", "WeightedRandomSampler"]

T_co = TypeVar("T_co", covariant=True)
CHUNK = 4096  # indices drawn at once, with replacement
SEEDS = np.dtype(np.int64)


def draw_seed(generator=None):
    """A seed from a generator (None: the default one): the same after the same `manual_seed`."""
    return int((generator or default_generator("cpu")).integers(0, 2**63 - 1, (), SEEDS))


def own_generator(generator):
    """The generator itself, or where none was given a fresh one seeded from the default one: its draws disturb nobody else's."""
    return generator if generator is not None else Generator().manual_seed(draw_seed())


class Sampler(Generic[T_co]):
    """Base class: an iterable of indices (or of lists of them), with a length where that is known."""

    def __iter__(self):
        raise NotImplementedError(f"{type(self).__name__} must define __iter__")


class SequentialSampler(Sampler[int]):
    """0, 1, 2, ..."""

    def __init__(self, data_source):
        self.data_source = data_source

    def __iter__(self):
        return iter(range(len(self.data_source)))

    def __len__(self):
        return len(self.data_source)


class RandomSampler(Sampler[int]):
    """All indices in random order, or with replacement independent draws.

    num_samples: how many (default: the length of the dataset); without replacement more than that go round again in new orders.
    generator: a ringgrad.Generator; without one each pass takes a new seed from the default generator.
    """

    def __init__(self, data_source, replacement=False, num_samples=None, generator=None):
        self.data_source, self.replacement, self._num_samples, self.generator = data_source, replacement, num_samples, generator
        if not isinstance(replacement, bool):
            raise TypeError(f"replacement should be a boolean value, but got replacement={replacement}")
        if not isinstance(self.num_samples, int) or self.num_samples <= 0:
            raise ValueError(f"num_samples should be a positive integer value, but got num_samples={self.num_samples}")

    @property
    def num_samples(self):
        """How many indices one pass yields."""
        return len(self.data_source) if self._num_samples is None else self._num_samples

    def __iter__(self):
        n, left, generator = len(self.data_source), self.num_samples, own_generator(self.generator)
        while left > 0:
            if self.replacement:
                drawn = generator.integers(0, n, (min(left, CHUNK),), SEEDS)
            else:
                drawn = generator.permutation(n)[:left]
            yield from drawn.tolist()
            left -= len(drawn)

    def __len__(self):
        return self.num_samples


class SubsetRandomSampler(Sampler[int]):
    """The given indices in random order."""

    def __init__(self, indices, generator=None):
        self.indices, self.generator = indices, generator

    def __iter__(self):
        for i in (self.generator or default_generator("cpu")).permutation(len(self.indices)).tolist():
            yield self.indices[i]

    def __len__(self):
        return len(self.indices)


class WeightedRandomSampler(Sampler[int]):
    """`num_samples` indices drawn in proportion to `weights`, a one-dimensional sequence that need not sum to one.

    Without replacement each draw is in proportion to the weights that are left (Efraimidis and Spirakis 2006, "Weighted random sampling
    with a reservoir": the order of exponential(1) / weight).  ValueError for arguments of the wrong kind, RuntimeError for weights that
    cannot be drawn from.
    """

    def __init__(self, weights, num_samples, replacement=True, generator=None):
        if not isinstance(num_samples, int) or isinstance(num_samples, bool) or num_samples <= 0:
            raise ValueError(f"num_samples should be a positive integer value, but got num_samples={num_samples}")
        if not isinstance(replacement, bool):
            raise ValueError(f"replacement should be a boolean value, but got replacement={replacement}")
        raw = np.asarray(weights.detach().tolist() if isinstance(weights, Tensor) else weights, np.float64)
        if raw.ndim != 1:
            raise ValueError(f"weights should be a 1d sequence but given weights have shape {raw.shape}")
        if not np.isfinite(raw).all() or (raw < 0).any() or not raw.any():
            raise RuntimeError("weights must be finite and not negative, and one at least greater than zero")
        if not replacement and num_samples > np.count_nonzero(raw):
            raise RuntimeError(f"cannot draw {num_samples} different samples: only {np.count_nonzero(raw)} of the {raw.size} weights are "
                               "greater than zero; use replacement=True or a smaller num_samples")
        self.weights, self.num_samples, self.replacement, self.generator = raw, num_samples, replacement, generator

    def __iter__(self):
        generator = self.generator or default_generator("cpu")
        if self.replacement:
            edges = np.cumsum(self.weights)
            drawn = np.searchsorted(edges, generator.uniform((self.num_samples,), edges.dtype) * edges[-1], side="right")
        else:
            waits = generator.exponential(self.weights.shape, self.weights.dtype)
            with np.errstate(divide="ignore"):
                drawn = np.argsort(waits / self.weights, kind="stable")[:self.num_samples]
        yield from drawn.tolist()

    def __len__(self):
        return self.num_samples


class BatchSampler(Sampler[list]):
    """Lists of `batch_size` indices from another sampler.  drop_last: leave out a last list that is not full."""

    def __init__(self, sampler, batch_size, drop_last):
        if not isinstance(batch_size, int) or isinstance(batch_size, bool) or batch_size <= 0:
            raise ValueError(f"batch_size should be a positive integer value, but got batch_size={batch_size}")
        if not isinstance(drop_last, bool):
            raise ValueError(f"drop_last should be a boolean value, but got drop_last={drop_last}")
        self.sampler, self.batch_size, self.drop_last = sampler, batch_size, drop_last

    def __iter__(self):
        indices = iter(self.sampler)
        while batch := list(itertools.islice(indices, self.batch_size)):
            if self.drop_last and len(batch) < self.batch_size:
                return
            yield batch

    def __len__(self):
        n = len(self.sampler)
        return n // self.batch_size if self.drop_last else (n + self.batch_size - 1) // self.batch_size
