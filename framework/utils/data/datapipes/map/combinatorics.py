"""Pipes in another order."""
import random

from ...sampler import draw_seed
from ..datapipe import IterDataPipe, MapDataPipe, T_co

__all__ = ["ShufflerIterDataPipe"]


class ShufflerIterDataPipe(IterDataPipe[T_co]):
    """The elements of a MapDataPipe in random order (method `shuffle`), as an IterDataPipe.

    indices: its keys, by default 0, 1, ....  `set_seed` fixes the next pass, `set_shuffle(False)` leaves the order alone; a DataLoader
    calls both.
    """

    def __init__(self, datapipe, *, indices=None):
        self.datapipe = datapipe
        self.indices = list(range(len(datapipe))) if indices is None else indices
        self._enabled, self._seed, self._rng = True, None, random.Random()
        self._shuffled_indices = self.indices

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
            for i in self.indices:
                yield self.datapipe[i]
            return
        while self._shuffled_indices:
            yield self.datapipe[self._shuffled_indices.pop()]

    def reset(self):
        """Draw a new order, from the seed that was set, or from a new one."""
        if self._enabled and self._seed is None:
            self._seed = draw_seed()
        self._rng.seed(self._seed)
        self._seed = None
        self._shuffled_indices = self._rng.sample(self.indices, len(self.indices))

    def __len__(self):
        return len(self.datapipe)

    def __getstate__(self):
        state = (self.datapipe, self.indices, self._enabled, self._seed, self._rng.getstate(), self._shuffled_indices,
                 self._valid_iterator_id, self._number_of_samples_yielded)
        return state if IterDataPipe.getstate_hook is None else IterDataPipe.getstate_hook(state)

    def __setstate__(self, state):
        (self.datapipe, self.indices, self._enabled, self._seed, rng_state, self._shuffled_indices, self._valid_iterator_id,
         self._number_of_samples_yielded) = state
        self._rng = random.Random()
        self._rng.setstate(rng_state)


MapDataPipe.register_datapipe_as_function("shuffle", ShufflerIterDataPipe)
