"""The constructors of torch's first years: Tensor(2, 3), FloatTensor([1, 2]), x.new(3), range(0, 3)."""
import numpy as np

from .. import _config, ops
from .._backends.sparse_ import SparseArray
from .._core.tensor import Tensor, _new
from .._device import as_device
from .._dtypes import as_dtype, get_default_dtype
from .._tensor import conversion
from .creation import tensor

_PLACES = {"": "cpu", "cuda": "cuda"}


def build(args, size, dtype, device, name):
    """A new tensor the old way: `f()` is empty, `f(2, 3)` and `f(Size)` are uninitialised, `f(sequence or array)` copies the numbers.

    A tensor is taken as it is when its type fits, sharing memory.  TypeError for a tensor of another type.
    """
    if size is not None:
        args = tuple(size)
    if not args:
        return ops.empty((0,), dtype, device)
    if len(args) == 1 and not _is_whole(args[0]):
        return _from_data(args[0], dtype, device, name)
    if not all(_is_whole(n) for n in args):
        raise TypeError(f"new(): invalid arguments {args!r} for {name}: pass sizes, or one sequence of numbers")
    for n in args:
        if n < 0:
            raise RuntimeError(f"Trying to create tensor with negative dimension {n}: {list(args)}")
    return ops.empty(tuple(int(n) for n in args), dtype, device)


def _is_whole(n):
    return hasattr(n, "__index__") and not isinstance(n, (bool, Tensor, np.ndarray))


def _from_data(data, dtype, device, name):
    if type(data).__name__ == "Size":
        return ops.empty(tuple(data), dtype, device)
    if isinstance(data, Tensor):
        if data.dtype is not dtype:
            raise TypeError(f"expected {name} (got {data.type()}); convert with .to({dtype})")
        return data.detach()
    if isinstance(data, (float, complex, bool, str)):
        raise TypeError(f"new(): data must be a sequence (got {type(data).__name__})")
    return tensor(data, dtype=dtype, device=device)


def tensor_new(cls, *args, size=None, device=None):
    """`Tensor(2, 3)`: uninitialised, of the default float; `Tensor([1, 2])`: these numbers.  Prefer `ringgrad.tensor` and `ringgrad.empty`."""
    made = build(args, size, get_default_dtype(), device, "ringgrad.Tensor")
    if cls is Tensor:
        return made
    out = _new(cls)
    for slot in ("_data", "_requires_grad", "_node", "_cell", "_view", "_grad", "_hooks"):
        setattr(out, slot, getattr(made, slot))
    return out


def new(self, *args, size=None, device=None):
    """A tensor in this one's type and place, from sizes (uninitialised) or from numbers, as `Tensor(...)` takes them."""
    device = self.device if device is None else device
    if len(args) == 1 and isinstance(args[0], Tensor) and args[0].dtype is self.dtype:
        return args[0].detach()
    return build(args, size, self.dtype, device, self.type())


class TensorType:
    """A type and a place under torch's older name, such as FloatTensor: called it makes a tensor, and isinstance() asks whether one is of it."""

    def __init__(self, place, name, dtype):
        self.place, self.name, self.dtype = place, name, dtype
        self.__name__ = name
        self.is_cuda = place == "cuda"

    @staticmethod
    def named(text):
        """The type that "torch.FloatTensor", "ringgrad.cuda.LongTensor" or "FloatTensor" names.  ValueError for any other text."""
        *front, name = text.split(".")
        kinds = CUDA_TYPES if "cuda" in front else TYPES
        if name not in kinds:
            raise ValueError(f"invalid type: '{text}'; the types are {', '.join(kinds)}")
        return kinds[name]

    def __call__(self, *args, size=None, device=None):
        return build(args, size, self.dtype, device or _PLACES[self.place], repr(self))

    def __instancecheck__(self, x):
        return isinstance(x, Tensor) and x.dtype is self.dtype and x.is_cuda == self.is_cuda and type(x._data) is not SparseArray

    def __repr__(self):
        return ".".join([_config.NAME, *([self.place] if self.place else []), self.name])

    def __reduce__(self):
        return TensorType.named, (repr(self),)


_REAL = {name: as_dtype(kind) for kind, name in conversion.LEGACY_NAMES.items() if not kind.startswith(("complex", "uint1", "uint3", "uint6"))}
TYPES, CUDA_TYPES = ({name: TensorType(place, name, dtype) for name, dtype in _REAL.items()} for place in ("", "cuda"))


def type_(self, dtype=None, non_blocking=False):
    """Without an argument, the name of this tensor's type, such as "ringgrad.FloatTensor"; with one, this tensor in that type.

    dtype: a dtype, a legacy type such as FloatTensor or cuda.FloatTensor, the name of one, or the class Tensor for the default float on the CPU.
    ValueError for an unknown name.
    """
    if dtype is Tensor:
        return conversion.to(self, dtype=get_default_dtype(), device=as_device("cpu"))
    if isinstance(dtype, str):
        dtype = TensorType.named(dtype)
    if isinstance(dtype, TensorType):
        return conversion.to(self, dtype=dtype.dtype, device=_PLACES[dtype.place])
    return conversion.type_name(self) if dtype is None else conversion.to(self, dtype=dtype)


def range(start=0, end=None, step=1, *, dtype=None, layout=None, device=None, requires_grad=False):  # noqa: A001
    """Numbers from `start` to `end`, the end included, in the default float.  torch deprecates it in favour of `arange`."""
    start, end = (0, start) if end is None else (start, end)
    if not step:
        raise RuntimeError("step must be nonzero")
    if (end - start) * step < 0:
        raise RuntimeError(f"upper bound and lower bound inconsistent with step sign: range({start}, {end}, {step})")
    dtype = get_default_dtype() if dtype is None else as_dtype(dtype)
    count = int((end - start) / step) + 1
    values = (start + step * np.arange(count)).astype(dtype.np)
    return tensor(values, device=as_device(device), requires_grad=requires_grad)


CONSTANTS = {**TYPES}
FUNCTIONS = {"range": range}
METHODS = {"__new__": staticmethod(tensor_new), "new": new, "type": type_}
INPLACE = {}
