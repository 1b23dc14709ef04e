"""Pipes of some of the elements."""
from .._decorator import functional_datapipe
from ..dataframe import dataframe_wrapper
from ..datapipe import IterDataPipe, T_co
from ..utils.common import StreamWrapper, _check_unpickable_fn, validate_input_col

__all__ = ["FilterIterDataPipe"]


@functional_datapipe("filter")
class FilterIterDataPipe(IterDataPipe[T_co]):
    """The elements for which `filter_fn` says True (method `filter`).

    input_col: the index or key, or a list of them, of the element's parts that `filter_fn` takes (default: the element).  For a data frame
    `filter_fn` may give a column, and the rows where it is true are kept.  ValueError for an answer that is no bool.
    """

    def __init__(self, datapipe, filter_fn, input_col=None):
        _check_unpickable_fn(filter_fn)
        validate_input_col(filter_fn, input_col)
        self.datapipe, self.filter_fn, self.input_col = datapipe, filter_fn, input_col

    def _apply_filter_fn(self, data):
        if self.input_col is None:
            return self.filter_fn(data)
        if isinstance(self.input_col, (list, tuple)):
            return self.filter_fn(*(data[col] for col in self.input_col))
        return self.filter_fn(data[self.input_col])

    def __iter__(self):
        for data in self.datapipe:
            keep, kept = self._select(data)
            if keep:
                yield kept
            else:
                StreamWrapper.close_streams(data)

    def _select(self, data):
        condition = self._apply_filter_fn(data)
        if dataframe_wrapper.is_column(condition):
            rows = [dataframe_wrapper.get_item(data, i) for i, keep in enumerate(dataframe_wrapper.iterate(condition)) if keep]
            return bool(rows), dataframe_wrapper.concat(rows) if rows else None
        if not isinstance(condition, bool):
            raise ValueError("Boolean output is required for `filter_fn` of FilterIterDataPipe, got", type(condition))
        return condition, data
