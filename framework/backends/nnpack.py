"""torch.backends.nnpack: not used; the switch is kept."""
from ._flags import setting

enabled = False


def is_available():
    """False."""
    return False


def set_flags(_enabled):
    """Set the switch; returns what it was."""
    global enabled
    before, enabled = enabled, _enabled
    return (before,)


def flags(enabled=False):
    """The switch for the length of a `with` block."""
    return setting(__name__, enabled=enabled)
