"""The two kinds of data pipes: read one after another (IterDataPipe), or by key (MapDataPipe).

A pipe reads from the pipes that it was given, so a chain of them is a dataset.  Steps have a class, `Mapper(pipe, f)`, and mostly a method
as well, `pipe.map(f)`, which `functional_datapipe` registers.
"""
import functools
import importlib.util
import pickle

from ..dataset import Dataset, IterableDataset, T_co
from ._hook_iterator import _SnapshotState
from ._typing import _DataPipeMeta, _IterDataPipeMeta

__all__ = ["DFIterDataPipe", "DataChunk", "IterDataPipe", "MapDataPipe"]

HAS_DILL = importlib.util.find_spec("dill") is not None
UNTRACABLE_DATAFRAME_PIPES = ["batch", "groupby", "_dataframes_as_tuples", "trace_as_dataframe"]  # what they yield is no data frame


class DataChunk(list):
    """The list of elements that `batch` and `groupby` yield."""

    def __init__(self, items):
        items = list(items)
        super().__init__(items)
        self.items = items

    def as_str(self, indent=""):
        """The elements as text, behind `indent`."""
        return f"{indent}[{', '.join(map(str, iter(self)))}]"

    def __iter__(self):
        yield from super().__iter__()

    def raw_iterator(self):
        """The elements as they were given (a subclass may unpack them in `__iter__`)."""
        yield from self.items


class _Functional:
    """What both kinds share: methods registered by name, hooks for pickling, and their names as text."""

    reduce_ex_hook = None
    getstate_hook = None
    str_hook = None
    repr_hook = None

    def __getattr__(self, attribute_name):
        if attribute_name in self._root().functions:
            step = self._root().functions[attribute_name]
            return functools.update_wrapper(functools.partial(step, self), step, assigned=("__doc__",))
        raise AttributeError(f"'{type(self).__name__}' object has no attribute '{attribute_name}'")

    @classmethod
    def register_function(cls, function_name, function):
        """Make `pipe.function_name(...)` call `function(pipe, ...)`."""
        cls.functions[function_name] = function

    @classmethod
    def _register(cls, name, cls_to_register, make):
        if name in cls.functions:
            raise Exception(f"Unable to add DataPipe function name {name} as it is already taken")  # torch's type
        cls.functions[name] = functools.update_wrapper(make, cls_to_register, assigned=("__doc__",))

    def __getstate__(self):
        hook = self._root().getstate_hook
        return self.__dict__ if hook is None else hook(self.__dict__)

    def __reduce_ex__(self, *args, **kwargs):
        hook = self._root().reduce_ex_hook
        if hook is not None:
            try:
                return hook(self)
            except NotImplementedError:
                pass
        return super().__reduce_ex__(*args, **kwargs)

    @classmethod
    def set_getstate_hook(cls, hook_fn):
        """Let `hook_fn(state)` change what is pickled of every pipe; None ends that.  RuntimeError when there is one already."""
        if cls._root().getstate_hook is not None and hook_fn is not None:
            raise RuntimeError("Attempt to override existing getstate_hook")
        cls._root().getstate_hook = hook_fn

    @classmethod
    def set_reduce_ex_hook(cls, hook_fn):
        """Let `hook_fn(pipe)` say how a pipe is pickled, or raise NotImplementedError; None ends that.  RuntimeError when there is one
        already."""
        if cls._root().reduce_ex_hook is not None and hook_fn is not None:
            raise RuntimeError("Attempt to override existing reduce_ex_hook")
        cls._root().reduce_ex_hook = hook_fn

    def __repr__(self):
        return type(self).__qualname__ if self.repr_hook is None else self.repr_hook(self)

    def __str__(self):
        return type(self).__qualname__ if self.str_hook is None else self.str_hook(self)

    def __dir__(self):
        return [*super().__dir__(), *self.functions]


class IterDataPipe(_Functional, IterableDataset[T_co], metaclass=_IterDataPipeMeta):
    """A pipe that is read one element after another.  A subclass defines `__iter__`, and `reset` where it has buffers to empty.

    Only one iterator is valid at a time: `iter(pipe)` calls `reset` and makes earlier iterators raise RuntimeError; `pipe.fork(n)` gives
    n pipes over one source.
    """

    functions = {}
    _valid_iterator_id = None
    _number_of_samples_yielded = 0
    _snapshot_state = _SnapshotState.NotStarted
    _fast_forward_iterator = None

    @staticmethod
    def _root():
        return IterDataPipe

    def __iter__(self):
        return self

    @classmethod
    def register_datapipe_as_function(cls, function_name, cls_to_register, enable_df_api_tracing=False):
        """Make `pipe.function_name(...)` return `cls_to_register(pipe, ...)`.  Exception when the name is taken."""
        def make(source_dp, *args, **kwargs):
            pipe = cls_to_register(source_dp, *args, **kwargs)
            framed = enable_df_api_tracing or isinstance(source_dp, DFIterDataPipe)
            if isinstance(pipe, IterDataPipe) and framed and function_name not in UNTRACABLE_DATAFRAME_PIPES:
                return pipe.trace_as_dataframe()
            return pipe
        cls._register(function_name, cls_to_register, make)

    def reset(self):
        """Go back to the beginning; called by `iter`."""


class DFIterDataPipe(IterDataPipe):
    """A pipe of data frames."""

    def _is_dfpipe(self):
        return True


class MapDataPipe(_Functional, Dataset[T_co], metaclass=_DataPipeMeta):
    """A pipe that is read by key.  A subclass defines `__getitem__` and, for most samplers, `__len__`."""

    functions = {}

    @staticmethod
    def _root():
        return MapDataPipe

    @classmethod
    def register_datapipe_as_function(cls, function_name, cls_to_register):
        """Make `pipe.function_name(...)` return `cls_to_register(pipe, ...)`.  Exception when the name is taken."""
        def make(source_dp, *args, **kwargs):
            return cls_to_register(source_dp, *args, **kwargs)
        cls._register(function_name, cls_to_register, make)


class _DataPipeSerializationWrapper:
    """A pipe on its way into a worker: pickled by pickle, or where that cannot and dill is installed by dill."""

    def __init__(self, datapipe):
        self._datapipe = datapipe

    def __getstate__(self):
        try:
            return pickle.dumps(self._datapipe), False
        except Exception:
            if not HAS_DILL:
                raise
            return importlib.import_module("dill").dumps(self._datapipe), True

    def __setstate__(self, state):
        value, use_dill = state
        self._datapipe = (importlib.import_module("dill") if use_dill else pickle).loads(value)

    def __len__(self):
        try:
            return len(self._datapipe)
        except Exception as error:
            raise TypeError(f"{type(self).__name__} instance doesn't have valid length") from error


class _IterDataPipeSerializationWrapper(_DataPipeSerializationWrapper, IterDataPipe):
    def __init__(self, datapipe):
        super().__init__(datapipe)
        self._datapipe_iter = None

    def __iter__(self):
        self._datapipe_iter = iter(self._datapipe)
        return self

    def __next__(self):
        if self._datapipe_iter is None:
            raise AssertionError("Iterator has not been initialized; call __iter__() before __next__()")
        return next(self._datapipe_iter)


class _MapDataPipeSerializationWrapper(_DataPipeSerializationWrapper, MapDataPipe):
    def __getitem__(self, idx):
        return self._datapipe[idx]
