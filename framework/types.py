"""torch.types: names for annotations."""
import builtins
import os
from collections.abc import Sequence
from typing import IO, Any, List, Tuple, TypeAlias, Union  # noqa: UP035 - torch's names

from ._core.tensor import Tensor
from ._device import device
from ._dtypes import dtype
from ._functional.restride import Storage
from ._tensor.info import Size

__all__ = ["Device", "FileLike", "Number", "Storage", "SymBool", "SymFloat", "SymInt"]

Number: TypeAlias = Union[builtins.int, builtins.float, builtins.bool]  # noqa: UP007
Device: TypeAlias = Union[device, builtins.str, builtins.int, None]  # noqa: UP007
FileLike: TypeAlias = Union[builtins.str, os.PathLike, IO[bytes]]  # noqa: UP007
_TensorOrTensors: TypeAlias = Union[Tensor, Sequence[Tensor]]  # noqa: UP007
_dtype, _device, _size = dtype, device, Union[Size, List[builtins.int], Tuple[builtins.int, ...]]  # noqa: UP006, UP007
_int, _float, _bool, _complex = builtins.int, builtins.float, builtins.bool, builtins.complex
PySymType, Any_ = builtins.int, Any


class SymInt:
    """A size that is not known while a program is traced.  Nothing is traced here, so there are none; programs ask isinstance()."""


class SymFloat:
    """As SymInt, a number."""


class SymBool:
    """As SymInt, a truth value."""
