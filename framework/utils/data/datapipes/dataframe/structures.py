"""Batches of data frames."""
from ..datapipe import DataChunk
from . import dataframe_wrapper

__all__ = ["DataChunkDF"]


class DataChunkDF(DataChunk):
    """A list of data frames that is iterated row by row; `raw_iterator` gives the frames."""

    def __iter__(self):
        for df in self.items:
            yield from dataframe_wrapper.iterate(df)

    def __len__(self):
        return sum(map(dataframe_wrapper.get_len, self.items))
