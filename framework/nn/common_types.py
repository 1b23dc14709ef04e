"""Aliases for annotations: an int, or one per dimension."""
from typing import Any, TypeVar

from .._core.tensor import Tensor

_T = TypeVar("_T")
T: Any = _T
_scalar_or_tuple_any_t = T | tuple[T, ...]
_scalar_or_tuple_1_t, _scalar_or_tuple_2_t, _scalar_or_tuple_3_t = T | tuple[T], T | tuple[T, T], T | tuple[T, T, T]
_scalar_or_tuple_4_t, _scalar_or_tuple_5_t = T | tuple[T, T, T, T], T | tuple[T, T, T, T, T]
_scalar_or_tuple_6_t = T | tuple[T, T, T, T, T, T]

_size_any_t, _size_1_t, _size_2_t, _size_3_t = (t[int] for t in (
    _scalar_or_tuple_any_t, _scalar_or_tuple_1_t, _scalar_or_tuple_2_t, _scalar_or_tuple_3_t))
_size_4_t, _size_5_t, _size_6_t = (t[int] for t in (_scalar_or_tuple_4_t, _scalar_or_tuple_5_t, _scalar_or_tuple_6_t))
_size_any_opt_t, _size_2_opt_t, _size_3_opt_t = (t[int | None] for t in (_scalar_or_tuple_any_t, _scalar_or_tuple_2_t, _scalar_or_tuple_3_t))
_ratio_any_t, _ratio_2_t, _ratio_3_t = (t[float] for t in (_scalar_or_tuple_any_t, _scalar_or_tuple_2_t, _scalar_or_tuple_3_t))
_tensor_list_t, _maybe_indices_t = _scalar_or_tuple_any_t[Tensor], _scalar_or_tuple_2_t[Tensor]
