"""vmap in one run: every operation works on the whole batch, while the function sees the shapes of a single slice.

Inside, a mapped tensor holds a Lane in the place of its array: the shape and type of a slice, and the array of all slices, batch dimension first.
The tracer slot hands every operation to `Batch`, which runs it on the whole arrays (`_batching.py` says how, family by family; what has no rule
runs slice by slice) and records it, if need be, with Lanes for arrays.  A backward pass inside the function is then a batched one: its rules are
operations on such tensors again.

Nothing but operations can use a Lane.  Whatever tries otherwise - a branch on a value, `item()`, an in-place write, random numbers, a gradient that
somebody outside wants to follow - fails or raises StepAside, and vmap runs the definition instead.
"""
import numpy as np

from .._backends import BACKENDS
from .._core.op import REGISTRY
from .._core.recording import record
from .._core.tensor import Tensor, unwrap, wrap
from .._state import state
from . import _batching


class StepAside(BaseException):
    """This cannot be done for all slices at once.  No Exception, so that the function does not catch it: it is none of its business."""


class Lane:
    """What a mapped tensor holds in the place of its array.

    array  the array of all slices, (batch, *shape): a NumPy array, or the Lane of an outer vmap
    batch  the Batch it belongs to
    """

    __slots__ = ("array", "batch", "shape", "dtype", "ndim", "size", "itemsize", "strides")

    def __init__(self, array, batch):
        self.array, self.batch, self.dtype, self.itemsize = array, batch, array.dtype, array.itemsize
        self.shape, self.strides, self.ndim = array.shape[1:], array.strides[1:], array.ndim - 1
        self.size = array.size // max(array.shape[0], 1)

    def __array_function__(self, function, types, args, kwargs):
        if function not in _NEW:
            raise StepAside(f"{function.__name__} of a mapped tensor's array")
        _, *rest = args
        dtype = kwargs.get("dtype", rest[0] if rest else None)
        return _NEW[function](self.shape, self.dtype if dtype is None else dtype)

    def _refuse(self, *_, **__):
        raise self.batch.refusal("its values")

    __array__ = __array_ufunc__ = __eq__ = __ne__ = __lt__ = __le__ = __gt__ = __ge__ = __bool__ = __len__ = __iter__ = __contains__ = _refuse
    __add__ = __sub__ = __mul__ = __truediv__ = __pow__ = __neg__ = __getitem__ = __setitem__ = _refuse
    __hash__ = object.__hash__

    def __getattr__(self, name):
        raise self.batch.refusal(f"the {name} of its array")


_NEW = {np.zeros_like: np.zeros, np.ones_like: np.ones, np.empty_like: np.empty}  # the same for all slices
BACKENDS[Lane] = BACKENDS[np.ndarray]


class Batch:
    """One vmap that runs in one go: the tracer while its function runs.  count: the number of slices."""

    def __init__(self, count):
        self.count, self.runs = count, False

    def __enter__(self):
        self.runs, self.outer, state.tracer = True, state.tracer, self
        return self

    def __exit__(self, *_):
        self.runs, state.tracer = False, self.outer

    def refusal(self, what):
        """What is raised when somebody but an operation asks a mapped tensor for `what`."""
        if self.runs:
            return StepAside(f"a mapped tensor was asked for {what}")
        return RuntimeError(f"this tensor was made inside a function under vmap, which has ended, and was asked for {what}; return it from the "
                            "function instead")

    def lane(self, t):
        """The mapped tensor of slices t[0], t[1], ..."""
        return wrap(Lane(unwrap(t), self))

    def holds(self, t):
        """Whether `t` is a mapped tensor of this vmap."""
        return isinstance(t, Tensor) and type(t._data) is Lane and t._data.batch is self

    def spread(self, t):
        """A mapped tensor every slice of which is `t`."""
        if self.holds(t):
            return t
        _refuse_history(t)
        return self.lane(self.below(REGISTRY["broadcast_to"], (t,), {"shape": (self.count, *t._data.shape)}))

    def whole(self, t):
        """The tensor of all slices, in the world outside this vmap."""
        return wrap(self.spread(t)._data.array)

    def below(self, op, inputs, attrs):
        """Run an operation outside this vmap, without recording it."""
        was = state.tracer, state.grad
        state.tracer, state.grad = self.outer, False
        try:
            return op.apply(inputs, attrs)
        finally:
            state.tracer, state.grad = was

    def __call__(self, op, inputs, attrs, inplace=False):
        """One operation of the function."""
        if inplace or op.random:
            raise StepAside(f"{op.name} writes in place or draws random numbers")
        inputs = tuple(wrap(t) if type(t) is Lane and t.batch is self else t for t in inputs)  # a rule passes on what it saved
        if not any(self.holds(t) for t in inputs):
            return self.on_shared(op, inputs, attrs)
        inputs, converted = self.promoted(op, inputs)
        made = _batching.composed(self, op, inputs, attrs)
        if made is not None:
            return made
        for t in inputs:
            if isinstance(t, Tensor) and not self.holds(t):
                _refuse_history(t)
        wholes = [wrap(t._data.array) if self.holds(t) else t for t in inputs]
        dims = [t._data.ndim if self.holds(t) else None for t in inputs]
        found = _batching.run(self, op, wholes, dims, attrs)
        outputs = [self.lane(t) for t in found] if isinstance(found, (tuple, list)) else self.lane(found)
        if state.grad and op.rules and any(isinstance(t, Tensor) and t._requires_grad for t in inputs):
            record(op, inputs, [unwrap(t) for t in inputs], converted, outputs, attrs)
        return tuple(outputs) if type(outputs) is list else outputs

    def on_shared(self, op, inputs, attrs):
        """An operation on tensors that are the same for all slices."""
        was, state.tracer = state.tracer, self.outer
        try:
            return op.apply(inputs, attrs)
        finally:
            state.tracer = was

    def promoted(self, op, inputs):
        """(inputs, what a rule will read of them) in the types that the operation computes in.

        They are found out with the shapes of a slice, because 0-d tensors count less.
        """
        if op.promote is None:
            return inputs, [unwrap(t) for t in inputs]
        samples = [np.zeros((1,) * t._data.ndim, t._data.dtype) if isinstance(t, Tensor) else t for t in inputs]
        converted, _ = op.promote(samples, BACKENDS[np.ndarray])
        inputs = tuple(REGISTRY["astype"].apply((t,), {"dtype": c.dtype}) if isinstance(t, Tensor) and c.dtype != t._data.dtype else t
                       for t, c in zip(inputs, converted))
        return inputs, [t._data if isinstance(t, Tensor) else c for t, c in zip(inputs, converted)]


def _refuse_history(t):
    if t._requires_grad and state.grad:
        raise StepAside("a gradient that goes to a tensor outside of vmap")


def running():
    """The innermost vmap that runs in one go in this thread, or None."""
    return state.tracer if type(state.tracer) is Batch else None
