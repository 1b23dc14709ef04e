"""Steps between data frames."""
import random

from .._decorator import functional_datapipe
from ..datapipe import DFIterDataPipe, IterDataPipe
from . import dataframe_wrapper

__all__ = ["ConcatDataFramesPipe", "DataFramesAsTuplesPipe", "ExampleAggregateAsDataFrames", "FilterDataFramesPipe", "PerRowDataFramesPipe",
           "ShuffleDataFramesPipe"]


def _rows(df):
    return [dataframe_wrapper.get_item(df, i) for i in range(dataframe_wrapper.get_len(df))]


def _joined(frames, size):
    """Frames put together, `size` at a time."""
    buffer = []
    for df in frames:
        buffer.append(df)
        if len(buffer) == size:
            yield dataframe_wrapper.concat(buffer)
            buffer = []
    if buffer:
        yield dataframe_wrapper.concat(buffer)


@functional_datapipe("_dataframes_as_tuples")
class DataFramesAsTuplesPipe(IterDataPipe):
    """The rows of all frames as tuples."""

    def __init__(self, source_datapipe):
        self.source_datapipe = source_datapipe

    def __iter__(self):
        for df in self.source_datapipe:
            yield from dataframe_wrapper.iterate(df)


@functional_datapipe("_dataframes_per_row", enable_df_api_tracing=True)
class PerRowDataFramesPipe(DFIterDataPipe):
    """The rows of all frames as frames."""

    def __init__(self, source_datapipe):
        self.source_datapipe = source_datapipe

    def __iter__(self):
        for df in self.source_datapipe:
            yield from _rows(df)


@functional_datapipe("_dataframes_concat", enable_df_api_tracing=True)
class ConcatDataFramesPipe(DFIterDataPipe):
    """`batch` frames as one."""

    def __init__(self, source_datapipe, batch=3):
        self.source_datapipe, self.n_batch = source_datapipe, batch

    def __iter__(self):
        yield from _joined(self.source_datapipe, self.n_batch)


class _Resized(DFIterDataPipe):
    """A subclass picks rows; they come in frames of the first one's size."""

    def __iter__(self):
        frames = list(self.source_datapipe)
        if frames:
            yield from _joined(self._picked([row for df in frames for row in _rows(df)]), dataframe_wrapper.get_len(frames[0]))


@functional_datapipe("_dataframes_shuffle", enable_df_api_tracing=True)
class ShuffleDataFramesPipe(_Resized):
    """All rows in random order (Python's `random`)."""

    def __init__(self, source_datapipe):
        self.source_datapipe = source_datapipe

    def _picked(self, rows):
        random.shuffle(rows)
        return rows


@functional_datapipe("_dataframes_filter", enable_df_api_tracing=True)
class FilterDataFramesPipe(_Resized):
    """The rows for which `filter_fn(row)` is true."""

    def __init__(self, source_datapipe, filter_fn):
        self.source_datapipe, self.filter_fn = source_datapipe, filter_fn

    def _picked(self, rows):
        return [row for row in rows if self.filter_fn(row.iloc[0])]


@functional_datapipe("_to_dataframes_pipe", enable_df_api_tracing=True)
class ExampleAggregateAsDataFrames(DFIterDataPipe):
    """Frames of `dataframe_size` elements, each of which is a row (or a single value)."""

    def __init__(self, source_datapipe, dataframe_size=10, columns=None):
        self.source_datapipe, self.dataframe_size, self.columns = source_datapipe, dataframe_size, columns

    def _as_list(self, item):
        try:
            return list(item)
        except Exception:
            return [item]

    def __iter__(self):
        rows = []
        for item in self.source_datapipe:
            rows.append(self._as_list(item))
            if len(rows) == self.dataframe_size:
                yield dataframe_wrapper.create_dataframe(rows, columns=self.columns)
                rows = []
        if rows:
            yield dataframe_wrapper.create_dataframe(rows, columns=self.columns)
