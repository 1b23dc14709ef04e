"""DLPack: tensors and arrays of other libraries on the same memory."""
from .._tensor.exchange import DLDeviceType, from_dlpack, to_dlpack

__all__ = ["DLDeviceType", "from_dlpack", "to_dlpack"]
