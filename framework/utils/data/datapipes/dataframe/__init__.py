"""Pipes of data frames, whose operations are recorded and applied to every frame.

torch calls this a prototype.  Frames are pandas' unless `dataframe_wrapper.set_df_wrapper` names another library.
"""
from .dataframes import CaptureDataFrame, DFIterDataPipe
from .datapipes import DataFramesAsTuplesPipe

__all__ = ["CaptureDataFrame", "DFIterDataPipe", "DataFramesAsTuplesPipe"]
