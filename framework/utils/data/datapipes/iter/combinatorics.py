"""Pipes in another order."""
import random
from collections.abc import Sized

from ...sampler import SequentialSampler, draw_seed
from .._decorator import functional_datapipe
from .._length import length_of
from ..datapipe import IterDataPipe, T_co

__all__ = ["SamplerIterDataPipe", "ShufflerIterDataPipe"]


class SamplerIterDataPipe(IterDataPipe[T_co]):
    """What a sampler class, made with data_source=datapipe and these arguments, says.  AssertionError for a pipe without length."""

    def __init__(self, datapipe, sampler=SequentialSampler, sampler_args=None, sampler_kwargs=None):
        if not isinstance(datapipe, Sized):
            raise AssertionError("Sampler class requires input datapipe implemented `__len__`")
        self.datapipe = datapipe
        self.sampler_args = () if sampler_args is None else sampler_args
        self.sampler_kwargs = {**(sampler_kwargs or {}), "data_source": datapipe}
        self.sampler = sampler(*self.sampler_args, **self.sampler_kwargs)

    def __iter__(self):
        return iter(self.sampler)

    def __len__(self):
        return length_of(self, self.sampler)


@functional_datapipe("shuffle")
class ShufflerIterDataPipe(IterDataPipe[T_co]):
    """Elements in random order, as far as a buffer of `buffer_size` elements goes (method `shuffle`): each new element takes the place of a
    random one, which is yielded.

    unbatch_level: take batches apart first (see `unbatch`).  `set_seed` fixes the next pass, `set_shuffle(False)` leaves the order alone;
    a DataLoader calls both.
    """

    def __init__(self, datapipe, *, buffer_size=10000, unbatch_level=0):
        self._buffer = []
        if buffer_size <= 0:
            raise AssertionError("buffer_size should be larger than 0")
        self.datapipe = datapipe if unbatch_level == 0 else datapipe.unbatch(unbatch_level=unbatch_level)
        self.buffer_size = buffer_size
        self._enabled, self._seed, self._rng = True, None, random.Random()

    def set_shuffle(self, shuffle=True):
        """Shuffle or not.  Returns the pipe."""
        self._enabled = shuffle
        return self

    def set_seed(self, seed):
        """The seed of the next pass.  Returns the pipe."""
        self._seed = seed
        return self

    def __iter__(self):
        if not self._enabled:
            yield from self.datapipe
            return
        for x in self.datapipe:
            if len(self._buffer) < self.buffer_size:
                self._buffer.append(x)
                continue
            i = self._rng.randint(0, len(self._buffer) - 1)
            x, self._buffer[i] = self._buffer[i], x
            yield x
        while self._buffer:
            yield self._buffer.pop(self._rng.randint(0, len(self._buffer) - 1))

    def __len__(self):
        return length_of(self, self.datapipe)

    def reset(self):
        """Empty the buffer, and take the seed that was set, or a new one."""
        self._buffer = []
        if self._enabled:
            self._rng.seed(draw_seed() if self._seed is None else self._seed)
            self._seed = None

    def __getstate__(self):
        state = (self.datapipe, self.buffer_size, self._enabled, self._seed, self._buffer, self._rng.getstate(), self._valid_iterator_id,
                 self._number_of_samples_yielded)
        return state if IterDataPipe.getstate_hook is None else IterDataPipe.getstate_hook(state)

    def __setstate__(self, state):
        (self.datapipe, self.buffer_size, self._enabled, self._seed, self._buffer, rng_state, self._valid_iterator_id,
         self._number_of_samples_yielded) = state
        self._rng = random.Random()
        self._rng.setstate(rng_state)
