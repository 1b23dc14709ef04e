"""torch.cuda.nvtx: marks in the time line of NVIDIA's profilers.  Without a GPU they do nothing."""
import contextlib

from ._place import cupy, is_available

__all__ = ["mark", "range", "range_end", "range_pop", "range_push", "range_start"]
_depth = 0


def _nvtx():
    return cupy().cuda.nvtx


def range_push(msg):
    """Open a range called `msg`; returns the depth it is at, from 0."""
    global _depth
    if is_available():
        _nvtx().RangePush(msg)
    _depth += 1
    return _depth - 1


def range_pop():
    """Close the innermost range; returns the depth it was at."""
    global _depth
    if is_available():
        _nvtx().RangePop()
    _depth -= 1
    return _depth


def range_start(msg):
    """Open a range that may end in another thread.  Opened as an ordinary one here; returns what `range_end` wants."""
    return range_push(msg)


def range_end(range_id):
    """Close a range of `range_start`."""
    range_pop()


def mark(msg):
    """A single point in time."""
    if is_available():
        _nvtx().Mark(msg)


@contextlib.contextmanager
def range(msg, *args, **kwargs):
    """A range for the length of a `with` block or a function; `msg` is formatted with the other arguments."""
    range_push(msg.format(*args, **kwargs))
    try:
        yield
    finally:
        range_pop()
