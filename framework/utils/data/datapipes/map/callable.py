"""Pipes that apply a function."""
from .._decorator import functional_datapipe
from ..datapipe import MapDataPipe, T_co
from ..utils.common import _check_unpickable_fn

__all__ = ["MapperMapDataPipe", "default_fn"]


def default_fn(data):
    """The data as it is."""
    return data


@functional_datapipe("map")
class MapperMapDataPipe(MapDataPipe[T_co]):
    """`fn` of every element (method `map`)."""

    def __init__(self, datapipe, fn=default_fn):
        _check_unpickable_fn(fn)
        self.datapipe, self.fn = datapipe, fn

    def __len__(self):
        return len(self.datapipe)

    def __getitem__(self, index):
        return self.fn(self.datapipe[index])
