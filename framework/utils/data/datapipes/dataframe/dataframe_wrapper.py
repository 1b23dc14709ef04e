"""What pipes need of a library of data frames: pandas', or the one that `set_df_wrapper` names."""
import importlib
import sys


def _pandas():
    try:
        return importlib.import_module("pandas")
    except ImportError as error:
        raise RuntimeError("DataFrames prototype requires pandas to function") from error


class PandasWrapper:
    """pandas, imported with the first frame.  RuntimeError where it is not installed."""

    @classmethod
    def create_dataframe(cls, data, columns):
        """A frame of rows."""
        return _pandas().DataFrame(data, columns=columns)

    @classmethod
    def is_dataframe(cls, data):
        """Whether this is a frame; nothing is, before pandas is imported."""
        return "pandas" in sys.modules and isinstance(data, sys.modules["pandas"].DataFrame)

    @classmethod
    def is_column(cls, data):
        """Whether this is a column; nothing is, before pandas is imported."""
        return "pandas" in sys.modules and isinstance(data, sys.modules["pandas"].Series)

    @classmethod
    def iterate(cls, data):
        """The rows of a frame as tuples, the elements of a column."""
        yield from data.itertuples(index=False) if cls.is_dataframe(data) else data

    @classmethod
    def concat(cls, buffer):
        """Frames one below the other."""
        return _pandas().concat(buffer)

    @classmethod
    def get_item(cls, data, idx):
        """One row, as a frame."""
        return data[idx:idx + 1]

    @classmethod
    def get_len(cls, df):
        """The number of rows."""
        return len(df.index)

    @classmethod
    def get_columns(cls, df):
        """The names of the columns."""
        return list(df.columns)


default_wrapper = PandasWrapper


def get_df_wrapper():
    """The class that is in use."""
    return default_wrapper


def set_df_wrapper(wrapper):
    """Use another class with PandasWrapper's methods."""
    global default_wrapper
    default_wrapper = wrapper


def create_dataframe(data, columns=None):
    """A frame of rows."""
    return default_wrapper.create_dataframe(data, columns)


def is_dataframe(data):
    """Whether this is a frame."""
    return default_wrapper.is_dataframe(data)


def get_columns(data):
    """The names of a frame's columns."""
    return default_wrapper.get_columns(data)


def is_column(data):
    """Whether this is a column."""
    return default_wrapper.is_column(data)


def concat(buffer):
    """Frames one below the other."""
    return default_wrapper.concat(buffer)


def iterate(data):
    """The rows of a frame, or the elements of a column."""
    return default_wrapper.iterate(data)


def get_item(data, idx):
    """One row of a frame, as a frame."""
    return default_wrapper.get_item(data, idx)


def get_len(df):
    """The number of a frame's rows."""
    return default_wrapper.get_len(df)
