"""Which pipes a pipe reads from."""
import functools
import warnings
from collections import deque
from collections.abc import Iterator

from .datapipes.datapipe import IterDataPipe, MapDataPipe

__all__ = ["traverse", "traverse_dps"]

_PIPES = (IterDataPipe, MapDataPipe)
_CONTAINERS = (list, tuple, set, frozenset, deque)
DataPipe = IterDataPipe | MapDataPipe
DataPipeGraph = dict[int, tuple[DataPipe, "DataPipeGraph"]]


def traverse_dps(datapipe):
    """The graph behind a pipe: {id(pipe): (pipe, {id: (source, {...}), ...})}, of the pipes among its attributes and in containers there.

    RuntimeError for what is no pipe.
    """
    return _traverse(datapipe, True, frozenset())


def traverse(datapipe, only_datapipe=None):
    """`traverse_dps`, which also looks into other attributes unless `only_datapipe`; deprecated by torch."""
    text = "`traverse` function is deprecated and will be removed after 1.13. Please use `traverse_dps` instead."
    if not only_datapipe:
        text += " And, the behavior will be changed to the equivalent of `only_datapipe=True`."
    warnings.warn(text, FutureWarning, stacklevel=2)
    return _traverse(datapipe, bool(only_datapipe), frozenset())


def _traverse(pipe, only_datapipe, above):
    """`above`: the ids of the pipes on the way here."""
    if not isinstance(pipe, _PIPES):
        raise RuntimeError(f"Expected `IterDataPipe` or `MapDataPipe`, but {type(pipe)} is found")
    if id(pipe) in above:
        return {}
    here, sources = above | {id(pipe)}, {}
    for source in _pipes_in(vars(pipe), only_datapipe):
        if id(source) not in sources:
            sources.update(_traverse(source, only_datapipe, here))
    return {id(pipe): (pipe, sources)}


def _pipes_in(value, only_datapipe):
    """The pipes in an attribute, nearest first; not those that they read from."""
    found, seen, waiting = [], set(), deque([value])
    while waiting:
        v = waiting.popleft()
        if isinstance(v, (str, bytes, int, float)) or id(v) in seen:
            continue
        seen.add(id(v))
        if isinstance(v, _PIPES):
            found.append(v)
        elif isinstance(v, dict):
            waiting.extend(v.values())
            waiting.extend(v)
        elif isinstance(v, _CONTAINERS):
            waiting.extend(v)
        elif not only_datapipe and isinstance(v, functools.partial):
            waiting.extend([v.func, v.args, v.keywords])
        elif not only_datapipe and not isinstance(v, (type, Iterator)):
            waiting.extend(getattr(v, "__dict__", {}).values())
    return found
