"""Recording what is done with a data frame, to do it again with every frame of a pipe.

`pipe.trace_as_dataframe()` looks like a frame: `df["c"] = df["a"] + df["b"] * 2`.  Each such operation becomes an object with `execute()`,
and those of one frame stand in one list, `ctx["operations"]`.
"""
import operator
import pkgutil
from collections.abc import Callable
from functools import partial

from .._decorator import functional_datapipe
from ..datapipe import DFIterDataPipe, IterDataPipe
from .structures import DataChunkDF

__all__ = ["Capture", "CaptureA", "CaptureAdd", "CaptureCall", "CaptureControl", "CaptureDataFrame", "CaptureDataFrameWithDataPipeOps",
           "CaptureF", "CaptureGetAttr", "CaptureGetItem", "CaptureInitial", "CaptureLikeMock", "CaptureMul", "CaptureSetItem", "CaptureSub",
           "CaptureVariable", "CaptureVariableAssign", "DataFrameTracedOps", "DataFrameTracer", "disable_capture", "get_val"]

DATAPIPES_OPS = ["_dataframes_as_tuples", "groupby", "_dataframes_filter", "map", "to_datapipe", "shuffle", "concat", "batch",
                 "_dataframes_per_row", "_dataframes_concat", "_dataframes_shuffle"]
UNIMPLEMENTED_ATTR = ["__deepcopy__", "__setstate__", "is_shardable", "apply_sharding"]


class CaptureControl:
    """Whether recording is off."""

    disabled = False


def disable_capture():
    """Record nothing any more: a RuntimeError for who tries."""
    CaptureControl.disabled = True


def get_val(capture):
    """What a recorded operation gives; other values as they are, text in quotation marks."""
    if isinstance(capture, Capture):
        return capture.execute()
    return f'"{capture}"' if isinstance(capture, str) else capture


def _context(schema_df=None):
    return {"operations": [], "variables": [], "schema_df": schema_df}


class Capture:
    """Something that stands for a value that there is only when a frame is there."""

    def __init__(self, schema_df=None):
        self.ctx = _context(schema_df)

    def __str__(self):
        return self._ops_str()

    def _ops_str(self):
        return "\n".join(map(str, self.ctx["operations"]))

    def __getstate__(self):
        self.ctx["schema_df"] = None
        for var in self.ctx["variables"]:
            var.calculated_value = None
        return dict(self.__dict__)

    def __setstate__(self, state):
        self.__dict__.update(state)

    def __getattr__(self, attrname):
        if attrname in ("kwarg", "kwargs"):
            raise RuntimeError("no kwargs!")
        if attrname == "ctx" or (attrname.startswith("__") and attrname.endswith("__")):
            raise AttributeError(attrname)
        return CaptureGetAttr(self, attrname, ctx=self.ctx)

    def __getitem__(self, key):
        return CaptureGetItem(self, key, ctx=self.ctx)

    def __setitem__(self, key, value):
        self.ctx["operations"].append(CaptureSetItem(self, key, value, ctx=self.ctx))

    def _assigned(self, variable_value, value):
        variable = CaptureVariable(variable_value, ctx=self.ctx)
        self.ctx["operations"].append(CaptureVariableAssign(variable=variable, value=value, ctx=self.ctx))
        return variable

    def _binary(self, kind, other):
        value = kind(self, other, ctx=self.ctx)
        return self._assigned(value, value)

    def __add__(self, add_val):
        return self._binary(CaptureAdd, add_val)

    def __sub__(self, add_val):
        return self._binary(CaptureSub, add_val)

    def __mul__(self, add_val):
        return self._binary(CaptureMul, add_val)

    def _is_context_empty(self):
        return not self.ctx["operations"] and not self.ctx["variables"]

    def apply_ops_2(self, dataframe):
        """Do what was recorded, with `dataframe` in the place of the input."""
        self.ctx["variables"][0].calculated_value = dataframe
        for op in self.ctx["operations"]:
            op.execute()

    @property
    def columns(self):
        """The columns, as they are for the frame that was there when recording began."""
        self.apply_ops_2(self.ctx["schema_df"])
        return self.execute().columns

    def __call__(self, *args, **kwargs):
        others = [a for a in (*args, *kwargs, *kwargs.values()) if isinstance(a, Capture) and not a._is_context_empty()]
        if self._is_context_empty() and others:
            self.ctx = others[0].ctx
        return self._assigned(None, CaptureCall(self, ctx=self.ctx, args=args, kwargs=kwargs))


class CaptureF(Capture):
    """A recorded operation with named parts."""

    def __init__(self, ctx=None, **kwargs):
        self.ctx = _context() if ctx is None else ctx
        self.kwargs = kwargs


class CaptureA(CaptureF):
    """A function of the outside world, by name."""

    def __str__(self):
        return f"{self.kwargs['name']}"

    def execute(self):
        """The function."""
        return self.kwargs["real_attribute"]


class CaptureLikeMock:
    """Inside the `with` block the function that "package.module.name" names is recorded instead of called."""

    def __init__(self, name):
        target, _, self.attribute = name.rpartition(".")
        self.name, self.get_target = name, partial(pkgutil.resolve_name, target)

    def __enter__(self):
        self.save = getattr(self.get_target(), self.attribute)
        setattr(self.get_target(), self.attribute, CaptureA(name=self.name, real_attribute=self.save))

    def __exit__(self, *exc_info):
        setattr(self.get_target(), self.attribute, self.save)


class CaptureCall(CaptureF):
    """callable(*args, **kwargs)."""

    def __init__(self, callable, ctx=None, **kwargs):
        super().__init__(ctx, **kwargs)
        self.callable = callable

    def __str__(self):
        return f"{self.callable}({self.kwargs['args']},{self.kwargs['kwargs']})"

    def execute(self):
        """The result of the call."""
        args = [a.execute() if isinstance(a, Capture) else a for a in self.kwargs["args"]]
        return get_val(self.callable)(*args, **self.kwargs["kwargs"])


class CaptureVariableAssign(CaptureF):
    """variable = value."""

    def __str__(self):
        return f"{self.kwargs['variable']} = {self.kwargs['value']}"

    def execute(self):
        """Compute the value and keep it in the variable."""
        self.kwargs["variable"].calculated_value = self.kwargs["value"].execute()


class CaptureVariable(Capture):
    """A name for a result."""

    names_idx = 0

    def __init__(self, value, ctx):
        if CaptureControl.disabled:
            raise RuntimeError("Attempting to create capture variable with capture off")
        self.ctx, self.value, self.name = ctx, value, f"var_{CaptureVariable.names_idx}"
        CaptureVariable.names_idx += 1
        ctx["variables"].append(self)

    def __str__(self):
        return self.name

    def execute(self):
        """The value that was computed last."""
        return self.calculated_value

    def apply_ops(self, dataframe):
        """Do what was recorded with `dataframe`.  Returns this variable's value."""
        self.apply_ops_2(dataframe)
        return self.calculated_value


class CaptureGetItem(Capture):
    """left[key]."""

    def __init__(self, left, key, ctx):
        self.ctx, self.left, self.key = ctx, left, key

    def __str__(self):
        return f"{self.left}[{get_val(self.key)}]"

    def execute(self):
        """The item."""
        return self.left.execute()[self.key]


class CaptureSetItem(Capture):
    """left[key] = value."""

    def __init__(self, left, key, value, ctx):
        self.ctx, self.left, self.key, self.value = ctx, left, key, value

    def __str__(self):
        return f"{self.left}[{get_val(self.key)}] = {self.value}"

    def execute(self):
        """Write the item."""
        self.left.execute()[self.key] = self.value.execute()


class _CaptureBinary(Capture):
    sign: str = ""
    compute: Callable = None  # type: ignore[assignment]

    def __init__(self, left, right, ctx):
        self.ctx, self.left, self.right = ctx, left, right

    def __str__(self):
        return f"{self.left} {self.sign} {self.right}"

    def execute(self):
        """The result."""
        return type(self).compute(get_val(self.left), get_val(self.right))


class CaptureAdd(_CaptureBinary):
    """left + right."""

    sign, compute = "+", operator.add


class CaptureMul(_CaptureBinary):
    """left * right."""

    sign, compute = "*", operator.mul


class CaptureSub(_CaptureBinary):
    """left - right."""

    sign, compute = "-", operator.sub


class CaptureGetAttr(Capture):
    """src.name."""

    def __init__(self, src, name, ctx):
        self.ctx, self.src, self.name = ctx, src, name

    def __str__(self):
        return f"{self.src}.{self.name}"

    def execute(self):
        """The attribute."""
        return getattr(get_val(self.src), self.name)


class CaptureInitial(CaptureVariable):
    """The frame with which recording begins."""

    def __init__(self, schema_df=None):
        super().__init__(None, _context(schema_df))
        self.name = f"input_{self.name}"


class CaptureDataFrame(CaptureInitial):
    """A data frame."""


class CaptureDataFrameWithDataPipeOps(CaptureDataFrame):
    """A data frame with the methods of pipes."""

    def as_datapipe(self):
        """The pipe of the frames on which what was recorded is done."""
        return DataFrameTracedOps(self.ctx["variables"][0].source_datapipe, self)

    def raw_iterator(self):
        """The frames."""
        return iter(self.as_datapipe())

    def __iter__(self):
        return iter(self._dataframes_as_tuples())

    def batch(self, batch_size=10, drop_last=False, wrapper_class=DataChunkDF):
        """Batches of `batch_size` rows."""
        pipe = self._dataframes_per_row()._dataframes_concat(batch_size).as_datapipe()
        pipe = pipe.batch(1, drop_last=drop_last, wrapper_class=wrapper_class)
        pipe._dp_contains_dataframe = True
        return pipe

    def groupby(self, group_key_fn, *, buffer_size=10000, group_size=None, guaranteed_group_size=None, drop_remaining=False):
        """Groups of rows with the same key."""
        return self._dataframes_per_row().as_datapipe().groupby(group_key_fn, buffer_size=buffer_size, group_size=group_size,
                                                                guaranteed_group_size=guaranteed_group_size, drop_remaining=drop_remaining)

    def shuffle(self, *args, **kwargs):
        """Rows in random order."""
        return self._dataframes_shuffle(*args, **kwargs)

    def filter(self, *args, **kwargs):
        """Rows for which a function is true."""
        return self._dataframes_filter(*args, **kwargs)

    def collate(self, *args, **kwargs):
        """RuntimeError: only batches can be collated."""
        raise RuntimeError("Can't collate unbatched DataFrames stream")

    def __getattr__(self, attrname):
        if attrname in UNIMPLEMENTED_ATTR:
            raise AttributeError("Attempting to get ", attrname)
        if attrname in DATAPIPES_OPS:
            return getattr(self.as_datapipe(), attrname)
        return super().__getattr__(attrname)


class DataFrameTracedOps(DFIterDataPipe):
    """Every frame of a pipe, with what was recorded done to it."""

    def __init__(self, source_datapipe, output_var):
        self.source_datapipe, self.output_var = source_datapipe, output_var

    def __iter__(self):
        for item in self.source_datapipe:
            yield self.output_var.apply_ops(item)


@functional_datapipe("trace_as_dataframe")
class DataFrameTracer(CaptureDataFrameWithDataPipeOps, IterDataPipe):
    """A pipe of frames, as one frame whose operations are recorded."""

    source_datapipe = None

    def __init__(self, source_datapipe, schema_df=None):
        self.source_datapipe = source_datapipe
        super().__init__(schema_df=next(iter(source_datapipe)) if schema_df is None else schema_df)

    def set_shuffle_settings(self, *args, **kwargs):
        """Taken for torch's sake."""

    def is_shardable(self):
        """False: shares are taken before frames are made."""
        return False
