"""Pipes that apply a function."""
import functools
import importlib
from collections import namedtuple

from ..._utils.collate import default_collate
from .._decorator import functional_datapipe
from .._length import length_of
from ..dataframe import dataframe_wrapper
from ..datapipe import IterDataPipe, T_co
from ..utils.common import _check_unpickable_fn, validate_input_col

__all__ = ["CollatorIterDataPipe", "MapperIterDataPipe"]


@functional_datapipe("map")
class MapperIterDataPipe(IterDataPipe[T_co]):
    """`fn` of every element (method `map`).

    input_col: the index or key, or a list of them, of the element's parts that `fn` takes (default: the element);  output_col: where its
    result goes: an index or key, -1 to append; by default in the place of the first input, and the other inputs are removed.
    ValueError when the number of columns does not fit `fn`.
    """

    def __init__(self, datapipe, fn, input_col=None, output_col=None):
        _check_unpickable_fn(fn)
        if input_col is None and output_col is not None:
            raise ValueError("`output_col` must be None when `input_col` is None.")
        if isinstance(output_col, (list, tuple)):
            if len(output_col) > 1:
                raise ValueError("`output_col` must be a single-element list or tuple")
            output_col = output_col[0]
        validate_input_col(fn, input_col)
        self.datapipe, self.fn, self.input_col, self.output_col = datapipe, fn, input_col, output_col

    def _apply_fn(self, data):
        if self.input_col is None:
            return self.fn(data)
        inputs = self.input_col if isinstance(self.input_col, (list, tuple)) else [self.input_col]
        result = self.fn(*(data[col] for col in inputs))
        parts = list(data) if isinstance(data, tuple) else data
        if self.output_col is None:
            parts[inputs[0]] = result
            for col in sorted(inputs[1:], reverse=True):
                del parts[col]
        elif self.output_col == -1:
            parts.append(result)
        else:
            parts[self.output_col] = result
        return tuple(parts) if isinstance(data, tuple) else parts

    def __iter__(self):
        for data in self.datapipe:
            yield self._apply_fn(data)

    def __len__(self):
        return length_of(self, self.datapipe)


def _collate_columns(conversion, item):
    """A named tuple of the columns of the one data frame in `item`, each through the function that `conversion` names for it."""
    if len(item.items) > 1:
        raise RuntimeError("Only supports one DataFrame per batch")
    frame = item.items[0]
    names = dataframe_wrapper.get_columns(frame)
    if not set(conversion) <= set(names):
        raise RuntimeError("Conversion keys mismatch")
    if not all(map(callable, conversion.values())):
        raise RuntimeError("Collate (DF)DataPipe requires callable as dict values")
    default = None
    if set(conversion) != set(names):
        try:
            default = importlib.import_module("torcharrow.pytorch").rec.Default()
        except Exception as error:
            raise RuntimeError("unable to import default collation function from the TorchArrow; name a function for every column") from error
    values = [conversion.get(name, default)(frame[name]) for name in names]
    return namedtuple("CollateResult", [str(name) for name in names])(*values)


@functional_datapipe("collate")
class CollatorIterDataPipe(MapperIterDataPipe):
    """Every element, mostly a batch, collated (method `collate`).

    conversion: a function (default_collate), or for data frames a dict of one function per column;  collate_fn: the function, too.
    """

    def __init__(self, datapipe, conversion=default_collate, collate_fn=None):
        function = collate_fn or conversion
        super().__init__(datapipe, fn=function if callable(function) else functools.partial(_collate_columns, conversion))
