"""Random numbers in a function that runs once per slice."""
from .._functional._random_state import RandomState

_MODES = ("error", "different", "same")


def check_randomness(randomness):
    """RuntimeError unless it is one of torch's three words."""
    if randomness not in _MODES:
        raise RuntimeError(f"Only allowed values for randomness are 'error', 'different', or 'same'. Got {randomness}")


class RandomGuard:
    """Keeps the default generators to one of three rules while the slices run.

    error      drawing a random number raises RuntimeError
    same       every slice draws the same numbers: `next_slice` winds the generators back
    different  every slice draws its own
    """

    def __init__(self, randomness):
        self.randomness = randomness

    def __enter__(self):
        if self.randomness != "different":
            self.start = RandomState()
        return self

    def next_slice(self):
        """To be called before each slice."""
        if self.randomness == "same":
            self.start.restore()

    def __exit__(self, error, *_):
        if error is None and self.randomness == "error" and self.start.changed():
            raise RuntimeError("vmap: called random operation while in randomness error mode. Please either use the 'same' or 'different' randomness "
                               "flags on vmap or perform the randomness operation out of vmap")
