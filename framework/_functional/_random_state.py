"""The default random generators at one moment."""
import contextlib

from .. import _rng


class RandomState:
    """The default generators of all devices as they were when this was made.

    A GPU's generator is made when it is first drawn from, which may be later: it is then taken to have stood at the start of its stream.
    generators: only these
    """

    def __init__(self, generators=None):
        self.all = generators is None
        self.states = {g: g.state_bytes() for g in (_rng.in_use() if generators is None else generators)}
        self.seed = _rng.seed_of_new()

    def changed(self):
        """Whether a number was drawn since."""
        return any(g not in self.states or (g.state_bytes() != self.states[g]).any() for g in _rng.in_use())

    def restore(self):
        """Wind the generators back."""
        for generator, state in self.states.items():
            generator.restore_bytes(state)
        if self.all:
            for generator in _rng.in_use():
                if generator not in self.states:
                    generator.manual_seed(generator._first_seed if self.seed is None else self.seed)
            _rng.start_new_from(self.seed)

    @contextlib.contextmanager
    def again(self):
        """Inside, the generators start from there; afterwards they go on as if nothing had been drawn."""
        now = RandomState()
        self.restore()
        try:
            yield
        finally:
            now.restore()
