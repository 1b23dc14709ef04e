"""Sizes as constructors take them."""


def as_tuple(value, n):
    """n ints: an int repeated, or the ints of a sequence."""
    return tuple(value) if isinstance(value, (tuple, list)) else (value,) * n
