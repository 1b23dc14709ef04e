"""Any iterable as a pipe."""
import copy
import warnings

from .._length import length_of
from ..datapipe import IterDataPipe, T_co

__all__ = ["IterableWrapperIterDataPipe"]


class IterableWrapperIterDataPipe(IterDataPipe[T_co]):
    """The elements of an iterable.  deepcopy: iterate over a copy of it, so that steps that change elements leave the original alone."""

    def __init__(self, iterable, deepcopy=True):
        self.iterable, self.deepcopy = iterable, deepcopy

    def __iter__(self):
        source = self.iterable
        if self.deepcopy:
            try:
                source = copy.deepcopy(self.iterable)
            except TypeError:
                warnings.warn("The input iterable can not be deepcopied, please be aware of in-place modification would affect source data.",
                              stacklevel=2)
        yield from source

    def __len__(self):
        return length_of(self, self.iterable)
