"""Parameter and Buffer: tensors that a Module recognises when they are assigned to it."""
import numpy as np

from .. import _dtypes
from .._core.tensor import Tensor, wrap


def _sharing(cls, data, requires_grad):
    """A leaf of class `cls` on the memory of the tensor `data` (None: an empty tensor)."""
    if data is None:
        return wrap(np.empty(0, _dtypes.get_default_dtype().np), requires_grad, cls)
    if not isinstance(data, Tensor):
        raise TypeError(f"{cls.__name__} data must be a Tensor, not {type(data).__name__}; write {cls.__name__}(ringgrad.tensor(...))")
    if requires_grad and data._data.dtype.kind not in "fcV":
        raise RuntimeError("Only Tensors of floating point and complex dtype can require gradients, and the data given is "
                           f"{data.dtype}; pass requires_grad=False")
    leaf = wrap(data._data, bool(requires_grad), cls)
    leaf._cell = data._cell
    return leaf


class Parameter(Tensor):
    """A tensor that a Module lists among its `parameters()` when it is assigned as an attribute.

    data: Tensor whose memory it shares (None: empty);  requires_grad: True by default, also under `no_grad`.
    """

    def __new__(cls, data=None, requires_grad=True):
        return _sharing(cls, data, requires_grad)

    def __init__(self, data=None, requires_grad=True):
        """All is done in __new__."""

    def __deepcopy__(self, memo):
        if id(self) in memo:
            return memo[id(self)]
        memo[id(self)] = copy = type(self)(wrap(self._data.copy()), self.requires_grad)
        return copy

    def __reduce_ex__(self, protocol):
        return _rebuild_parameter, (type(self), self.data, self.requires_grad, dict(self.__dict__))

    def __repr__(self):
        return "Parameter containing:\n" + super().__repr__()


class Buffer(Tensor):
    """A tensor that a Module lists among its `buffers()` when it is assigned as an attribute.

    persistent: whether it is part of the module's `state_dict`.
    """

    def __new__(cls, data=None, *, persistent=True):
        buffer = _sharing(cls, data, data.requires_grad if isinstance(data, Tensor) else False)
        buffer.persistent = persistent
        return buffer

    def __init__(self, data=None, *, persistent=True):
        """All is done in __new__."""

    def __reduce_ex__(self, protocol):
        return _rebuild_buffer, (self.detach(), self.persistent)


def _rebuild_parameter(cls, data, requires_grad, attributes):
    parameter = cls(data, requires_grad)
    parameter.__dict__.update(attributes)
    return parameter


def _rebuild_buffer(data, persistent):
    return Buffer(data, persistent=persistent)


def typename(value):
    """The name of a value's type as it appears in error messages: "int", "ringgrad.FloatTensor", "package.Class"."""
    if isinstance(value, Tensor):
        return value.type()
    cls = type(value)
    return cls.__qualname__ if cls.__module__ in ("builtins", None) else f"{cls.__module__}.{cls.__qualname__}"


__all__ = ["Buffer", "Parameter"]
