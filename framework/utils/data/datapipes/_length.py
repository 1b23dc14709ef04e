"""The length of a pipe that reads from others."""
from collections.abc import Sized


def length_of(pipe, *sources, combine=sum):
    """`combine` of the sources' lengths.  TypeError, in the name of `pipe`, when one has none."""
    if not all(isinstance(source, Sized) for source in sources):
        raise TypeError(f"{type(pipe).__name__} instance doesn't have valid length")
    return combine(len(source) for source in sources)


def batches(n, batch_size, drop_last):
    """How many batches `n` samples make."""
    return n // batch_size if drop_last else -(-n // batch_size)
