"""Arrays lent to other libraries and borrowed from them: DLPack and the CUDA array interface.

A capsule of DLPack holds a C struct that describes the memory (github.com/dmlc/dlpack).  NumPy and CuPy write and read it; where they have no word
for bfloat16, they are shown 16-bit integers instead and the struct's type code is changed.
"""
import ctypes
import enum

import numpy as np

from .._backends import BACKENDS, device_of, load_cuda
from .._core.tensor import wrap
from .._dtypes import as_dtype, of_numpy

BFLOAT16 = as_dtype("bfloat16").np
UINT, BFLOAT = 1, 4  # DLDataTypeCode
TYPE_CODE_AT = {b"dltensor": 20, b"dltensor_versioned": 52}  # bytes before DLTensor.dtype.code in the struct of each kind of capsule
_INVALID = ("from_dlpack received an invalid capsule. Note that DLTensor capsules can be consumed only once, so you might have already constructed "
            "a tensor from it once.")
_capsule_name = ctypes.pythonapi.PyCapsule_GetName
_capsule_name.restype, _capsule_name.argtypes = ctypes.c_char_p, [ctypes.py_object]
_capsule_pointer = ctypes.pythonapi.PyCapsule_GetPointer
_capsule_pointer.restype, _capsule_pointer.argtypes = ctypes.c_void_p, [ctypes.py_object, ctypes.c_char_p]


class DLDeviceType(enum.IntEnum):
    """DLPack's numbers for kinds of devices."""

    kDLCPU = 1  # noqa: N815 - DLPack's name
    kDLCUDA = 2  # noqa: N815 - DLPack's name
    kDLCUDAHost = 3  # noqa: N815 - DLPack's name
    kDLCUDAManaged = 13  # noqa: N815 - DLPack's name


def __dlpack_device__(self):
    """(DLDeviceType, index) of where the elements are."""
    device = device_of(self._data)
    return (DLDeviceType.kDLCPU, 0) if device.type == "cpu" else (DLDeviceType.kDLCUDA, device.index)


def __dlpack__(self, *, stream=None, max_version=None, dl_device=None, copy=None):
    """A capsule that lends this tensor's memory; `from_dlpack` of any library takes it, once.

    stream       the CUDA stream of the borrower; None on the CPU
    max_version  the newest DLPack version the borrower knows
    dl_device    where the borrower wants the data;  copy: whether it wants its own
    """
    if self.requires_grad:
        raise BufferError("Can't export tensors that require gradient, use tensor.detach()")
    if stream is not None and type(stream) is not int:
        raise TypeError("stream must be ``int`` or ``none``")
    if stream is not None and device_of(self._data).type == "cpu":
        raise AssertionError("stream should be None on cpu.")
    data, code = self._data, None
    if data.dtype == BFLOAT16:
        data, code = data.view(np.uint16), BFLOAT
    if not data.flags["C_CONTIGUOUS"] and device_of(self._data).type == "cpu" and any(s % data.itemsize for s in data.strides):
        data = data.copy()
    options = {"stream": stream, "max_version": max_version, "dl_device": dl_device, "copy": copy}
    capsule = data.__dlpack__(**{k: v for k, v in options.items() if v is not None})
    if code is not None:
        _type_code(capsule).value = code
    return capsule


def _type_code(capsule):
    """The byte of the capsule's struct that says which kind of numbers the elements are."""
    name = _capsule_name(capsule) if type(capsule).__name__ == "PyCapsule" else None
    if name not in TYPE_CODE_AT:
        raise RuntimeError(_INVALID)
    return ctypes.c_uint8.from_address(_capsule_pointer(capsule, name) + TYPE_CODE_AT[name])


class _Lender:
    """A capsule as NumPy and CuPy want to meet it: an object that exports it."""

    def __init__(self, capsule, device):
        self.capsule, self.device = capsule, device

    def __dlpack__(self, **_):
        return self.capsule

    def __dlpack_device__(self):
        return self.device


class _Memory:
    """NumPy takes what an old capsule lends for read-only, because that cannot say; torch lends memory to be written to."""

    def __init__(self, array):
        self.array = array
        self.__array_interface__ = {**array.__array_interface__, "data": (array.__array_interface__["data"][0], False)}


def from_dlpack(ext_tensor, *, device=None, copy=None):
    """A tensor on the memory of `ext_tensor`: an object with `__dlpack__`, such as an array of another library, or a capsule.

    device: where the tensor shall be;  copy: True for memory of its own, False to refuse one, None when needed
    """
    if hasattr(ext_tensor, "__dlpack__"):
        kind, index = map(int, ext_tensor.__dlpack_device__())
        capsule = _export(ext_tensor, kind, index)
    else:
        capsule, (kind, index) = ext_tensor, _device_in(ext_tensor)
    code = _type_code(capsule)
    half = code.value == BFLOAT
    if half:
        code.value = UINT
    lender, old = _Lender(capsule, (kind, index)), _capsule_name(capsule) == b"dltensor"
    array = np.from_dlpack(lender) if kind == DLDeviceType.kDLCPU else load_cuda().xp.from_dlpack(lender)
    if old and kind == DLDeviceType.kDLCPU and not array.flags.writeable:
        array = np.asarray(_Memory(array))
    t = wrap(array.view(BFLOAT16) if half else array)
    of_numpy(t._data.dtype)  # refuses what no tensor can hold
    return t if device is None and not copy else t.to(t.device if device is None else device, copy=bool(copy))


def _export(lender, kind, index):
    stream = {} if kind == DLDeviceType.kDLCPU else {"stream": load_cuda().xp.cuda.get_current_stream().ptr or 1}
    try:
        return lender.__dlpack__(max_version=(1, 0), **stream)
    except TypeError:  # a lender of an older DLPack
        return lender.__dlpack__(**stream)


def _device_in(capsule):
    """(DLDeviceType, index) that stand in the struct of a capsule, between the address of the memory and the number of dimensions."""
    at = ctypes.addressof(_type_code(capsule)) - 12
    return ctypes.c_int32.from_address(at).value, ctypes.c_int32.from_address(at + 4).value


def to_dlpack(tensor):
    """A capsule that lends the memory of `tensor`; prefer `other.from_dlpack(tensor)`."""
    return __dlpack__(tensor.detach())


def _cuda_array_interface(self):
    """The dict by which CUDA libraries (Numba, CuPy, ...) share this tensor's memory; AttributeError on the CPU."""
    device = device_of(self._data)
    if device.type == "cpu":
        raise AttributeError(f"Can't get __cuda_array_interface__ on non-CUDA tensor type: {self.type()} If CUDA data is required use tensor.cuda() "
                             "to copy tensor to device memory.")
    if self.requires_grad:
        raise RuntimeError("Can't get __cuda_array_interface__ on Variable that requires grad. If gradients aren't required, use var.detach() to "
                           "get Variable that doesn't require grad.")
    return {**self._data.__cuda_array_interface__, "version": 2}


def borrowed(data):
    """The array that an object of another library lends by DLPack or the CUDA array interface; None when it lends none."""
    if type(data) in BACKENDS:
        return None
    if hasattr(data, "__cuda_array_interface__"):
        return load_cuda().xp.asarray(data)
    return from_dlpack(data)._data if hasattr(data, "__dlpack__") and hasattr(data, "__dlpack_device__") else None


def __array_wrap__(self, array, context=None, return_scalar=False):
    """What NumPy's functions make of tensors is a tensor again; booleans become uint8, as in torch."""
    return wrap(np.asarray(array).astype(np.uint8) if array.dtype == bool else np.asarray(array))


ATTRIBUTES = {"__array_wrap__": __array_wrap__, "__dlpack__": __dlpack__, "__dlpack_device__": __dlpack_device__,
              "__cuda_array_interface__": property(_cuda_array_interface)}
