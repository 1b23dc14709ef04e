"""torch.backends.mha: the switch of MultiheadAttention's fast path, which computes the same numbers; it is kept."""

_enabled = True


def get_fastpath_enabled():
    """What was set; True at first."""
    return _enabled


def set_fastpath_enabled(value):
    """Keep `value`."""
    global _enabled
    _enabled = value
