"""Shape, type and place of a tensor."""
import numpy as np

from .. import _config
from .._backends import device_of, of_array
from .._backends.meta_ import MetaArray
from .._core.tensor import InferenceVersion
from .._dtypes import of_numpy
from ..ops._layout import is_dense


class Size(tuple):
    """The shape of a tensor: a tuple of ints with `numel()`."""

    __slots__ = ()

    def numel(self):
        """Number of elements of a tensor of this shape."""
        return int(np.prod(self, dtype=np.int64))

    def __repr__(self):
        return f"{_config.NAME}.Size({list(self)})"

    def __getitem__(self, index):
        item = tuple.__getitem__(self, index)
        return Size(item) if isinstance(index, slice) else item

    def __add__(self, other):
        return Size(tuple.__add__(self, other))

    def __reduce__(self):
        return Size, (tuple(self),)


def _shape(self):
    """The size of each dimension."""
    return Size(self._data.shape)


def size(self, dim=None):
    """The shape, or the size of dimension `dim`.  IndexError when there is no such dimension."""
    if dim is None:
        return Size(self._data.shape)
    n = self._data.ndim
    if not -n <= dim < max(n, 1) or n == 0:
        raise IndexError(f"Dimension out of range (expected to be in range of [{-n}, {n - 1}], but got {dim})" if n else
                         "Dimension specified as 0 but tensor has no dimensions")
    return self._data.shape[dim]


def stride(self, dim=None):
    """Steps in elements, not bytes, from one element to the next along each dimension (or along `dim`)."""
    steps = _torch_strides(self._data)
    return steps if dim is None else steps[dim]


def _torch_strides(a):
    return tuple(s // a.itemsize for s in a.strides)


def numel(self):
    """Number of elements."""
    return int(self._data.size)


def is_contiguous(self, memory_format=None):
    """Whether the elements lie in row-major order without gaps; for channels_last, on a GPU, with the channels last."""
    if memory_format is not None and self.is_cuda and "channels_last" in str(memory_format):
        return self._data.ndim == (5 if str(memory_format).endswith("3d") else 4) and is_dense(self._data, True)
    return bool(self._data.flags.c_contiguous)


def data_ptr(self):
    """Address of the first element, in the memory of its device; 0 when there is none."""
    return of_array(self._data).data_ptr(self._data)


def storage_offset(self):
    """Elements between the start of the memory this tensor looks into and its first element."""
    owner = self._data.base if self._data.base is not None and hasattr(self._data.base, "dtype") else self._data
    backend = of_array(self._data)
    return backend.offset(self._data, owner) // self._data.itemsize if self._data.size else 0


def get_device(self):
    """The CUDA index, or -1 on other devices."""
    return self.device.index if self.device.type == "cuda" else -1


def is_floating_point(self):
    """Whether the elements are floating-point numbers."""
    return of_numpy(self._data.dtype).is_floating_point


def is_complex(self):
    """Whether the elements are complex numbers."""
    return self._data.dtype.kind == "c"


def is_inference(self):
    """Whether this tensor was made in inference mode."""
    return type(self._cell) is InferenceVersion


def _dtype(self):
    """The type of the elements."""
    return of_numpy(self._data.dtype)


def _device(self):
    """Where the elements are."""
    return device_of(self._data)


def _version(self):
    """How often the memory of this tensor was written in place.  RuntimeError for an inference tensor, of which nobody counts it."""
    if type(self._cell) is not list:
        raise RuntimeError("Inference tensors do not track version counter.")
    return list.__getitem__(self._cell, 0)


ATTRIBUTES = {
    "shape": property(_shape), "size": size, "stride": stride, "numel": numel, "nelement": numel, "dim": lambda self: self._data.ndim,
    "ndimension": lambda self: self._data.ndim, "ndim": property(lambda self: self._data.ndim), "is_contiguous": is_contiguous,
    "data_ptr": data_ptr, "storage_offset": storage_offset, "get_device": get_device,
    "element_size": lambda self: self._data.itemsize, "itemsize": property(lambda self: self._data.itemsize),
    "nbytes": property(lambda self: int(self._data.size) * self._data.itemsize), "dtype": property(_dtype), "device": property(_device),
    "is_cuda": property(lambda self: _device(self).type == "cuda"), "is_cpu": property(lambda self: _device(self).type == "cpu"),
    "is_floating_point": is_floating_point, "is_complex": is_complex, "is_inference": is_inference, "_version": property(_version),
    "is_quantized": property(lambda self: False), "is_meta": property(lambda self: type(self._data) is MetaArray),
    "is_xpu": property(lambda self: False), "is_mps": property(lambda self: False),
}
