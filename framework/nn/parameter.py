"""Parameter and Buffer: tensors that a Module recognises when they are assigned to it."""
import numpy as np

from .. import _dtypes
from .._core.tensor import Tensor, wrap
from ..ops.creation import empty


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


# -- tensors of unknown shape ------------------------------------------------------------------------------------------

_DATA = Tensor.__dict__["_data"]  # the slot, below the property that guards it here


def _forwarded(name):
    def convert(self, *args, **kwargs):
        return self._like(getattr(self._empty(), name)(*args, **kwargs))
    convert.__name__ = name
    convert.__doc__ = f"`Tensor.{name}`: what it says of type and device; there is no data yet."
    return convert


def _read(name):
    return property(lambda self: getattr(self._empty(), name), doc=f"`Tensor.{name}`, as it will be.")


class UninitializedTensorMixin:
    """A tensor whose shape is not known yet: it has a type and a device, takes no part in any operation, and becomes a `cls_to_become` when
    `materialize` gives it a shape."""

    __slots__ = ()

    @property
    def _data(self):
        raise ValueError("Attempted to use an uninitialized parameter. This error happens when you are using a `LazyModule` or explicitly "
                         f"manipulating `nn.parameter.{type(self).__name__}` objects. When using LazyModules Call `forward` with a dummy batch "
                         "to initialize the parameters before calling functions on them")

    @_data.setter
    def _data(self, array):
        _DATA.__set__(self, array)

    def _empty(self):
        """A plain tensor without elements, of the type and on the device that this one will have."""
        return wrap(_DATA.__get__(self))

    def _like(self, tensor):
        """An uninitialised tensor of this kind, with the type and the device of `tensor`."""
        return wrap(tensor._data, self.requires_grad, type(self))

    def materialize(self, shape, device=None, dtype=None):
        """Become a regular parameter or buffer of this shape, its values undefined, of its type and on its device unless others are given."""
        empty = self._empty()
        full = empty.new_empty(tuple(shape), device=device or empty.device, dtype=dtype or empty.dtype)
        _DATA.__set__(self, full._data)
        self.__class__ = self.cls_to_become

    @property
    def data(self):
        """An uninitialised tensor of the same kind."""
        return self._like(self._empty())

    @data.setter
    def data(self, other):
        _DATA.__set__(self, _DATA.__get__(other))

    @property
    def shape(self):
        """RuntimeError: there is none yet."""
        raise RuntimeError("Can't access the shape of an uninitialized parameter or buffer. This error usually happens in `load_state_dict` when "
                           "trying to load an uninitialized parameter into an initialized one. Call `forward` to initialize the parameters "
                           "before accessing their attributes.")

    def share_memory_(self):
        """RuntimeError: there is no memory yet."""
        raise RuntimeError("Can't share memory on an uninitialized parameter or buffer. Call `forward` to initialize the parameters before "
                           "calling `module.share_memory()`.")

    dtype, device, layout, ndim = _read("dtype"), _read("device"), _read("layout"), _read("ndim")
    is_cuda, is_cpu, is_meta, is_sparse = _read("is_cuda"), _read("is_cpu"), _read("is_meta"), _read("is_sparse")

    def is_floating_point(self):
        """Whether the type is a floating-point one."""
        return self._empty().is_floating_point()

    def is_complex(self):
        """Whether the type is a complex one."""
        return self._empty().is_complex()

    def __repr__(self):
        return f"<{type(self).__name__}>"

    def __deepcopy__(self, memo):
        if id(self) not in memo:
            memo[id(self)] = self._like(self._empty())
        return memo[id(self)]

    def __reduce_ex__(self, protocol):
        return type(self), (self.requires_grad,)


for _name in ("to", "cpu", "cuda", "half", "float", "double", "bfloat16", "char", "short", "int", "long", "type"):
    setattr(UninitializedTensorMixin, _name, _forwarded(_name))


def is_lazy(param):
    """Whether `param` is an UninitializedParameter or an UninitializedBuffer."""
    return isinstance(param, UninitializedTensorMixin)


class UninitializedParameter(UninitializedTensorMixin, Parameter):
    """A Parameter whose shape is inferred later.  device, dtype: of the parameter that it will be."""

    cls_to_become = Parameter

    def __new__(cls, requires_grad=True, device=None, dtype=None):
        return wrap(empty((0,), dtype, device)._data, requires_grad, cls)

    def __init__(self, requires_grad=True, device=None, dtype=None):
        """All is done in __new__."""


class UninitializedBuffer(UninitializedTensorMixin, Tensor):
    """A buffer whose shape is inferred later.  device, dtype: of the tensor that it will be; persistent: part of the state dict."""

    cls_to_become = Tensor

    def __new__(cls, requires_grad=False, device=None, dtype=None, persistent=True):
        buffer = wrap(empty((0,), dtype, device)._data, requires_grad, cls)
        buffer.persistent = persistent
        return buffer

    def __init__(self, requires_grad=False, device=None, dtype=None, persistent=True):
        """All is done in __new__."""


__all__ = ["Buffer", "Parameter", "UninitializedBuffer", "UninitializedParameter", "is_lazy"]
