"""The default random generators at one moment."""
import contextlib

from .. import _rng


class RandomState:
    """The default generators of all devices as they were when this was made."""

    def __init__(self):
        self.states = [(g, g.state_bytes()) for g in _rng.in_use()]

    def changed(self):
        """Whether a number was drawn since."""
        return any((g.state_bytes() != s).any() for g, s in self.states)

    def restore(self):
        """Wind the generators back."""
        for generator, state in self.states:
            generator.restore_bytes(state)

    @contextlib.contextmanager
    def again(self):
        """Inside, the generators start from there; afterwards they go on as if nothing had been drawn."""
        now = RandomState()
        self.restore()
        try:
            yield
        finally:
            now.restore()
