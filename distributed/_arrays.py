"""The one place where tensors become arrays: callers hand in tensors (or bare arrays), backends get flat contiguous memory."""

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from ringgrad import Tensor
from ringgrad._core import hooks

from .backends._base import Array

Finish = Callable[[], None]


def array_of(value: Any, name: str = "tensor") -> Array:
    """The memory behind a tensor; an array as it is.  TypeError for anything else, in torch's words."""
    if isinstance(value, Tensor):
        return hooks.array(value)
    if isinstance(value, np.ndarray) or hasattr(value, "__cuda_array_interface__"):
        return value
    raise TypeError(
        f"Invalid function argument. Expected parameter `{name}` of type ringgrad.Tensor, but got {type(value).__name__} instead; "
        f"make one with ringgrad.tensor(...)"
    )


def arrays_of(values: Any, name: str) -> list[Array]:
    """The memory behind a list of tensors.  TypeError for anything else."""
    if not isinstance(values, (list, tuple)):
        raise TypeError(
            f"Invalid function argument. Expected parameter `{name}` to be a list of tensors, but got {type(values).__name__} instead"
        )
    return [array_of(value, f"{name}[{index}]") for index, value in enumerate(values)]


def device_type(array: Array) -> str:
    """'cpu' or 'cuda'."""
    return "cpu" if isinstance(array, np.ndarray) else "cuda"


def written(values: Sequence[Any]) -> None:
    """Tell autograd that these tensors are overwritten."""
    for value in values:
        if isinstance(value, Tensor):
            hooks.written(value)


def flat_input(array: Array) -> Array:
    """The array's elements in one contiguous row: a view where that is possible, otherwise a copy."""
    return array.reshape(-1)


def flat_output(array: Array) -> tuple[Array, tuple[Finish, ...]]:
    """A contiguous row to write into, and what copies it back into the array afterwards (nothing if the row is a view of it)."""
    if array.flags.c_contiguous:
        return array.reshape(-1), ()
    row = array.flatten()  # the old values, for collectives that read what they overwrite

    def copy_back() -> None:
        array[...] = row.reshape(array.shape)

    return row, (copy_back,)


def empty_row(like: Array, size: int) -> Array:
    """An uninitialised row of the same dtype on the same device."""
    return np.empty_like(like, shape=(size,))


def joined(arrays: Sequence[Array]) -> Array:
    """All elements of several arrays, one behind the other, in a new row."""
    return np.concatenate([flat_input(array) for array in arrays])


def cut_back(row: Array, outputs: Sequence[Array]) -> Finish:
    """What copies a row's parts into several arrays, once it has been filled."""

    def copy_parts() -> None:
        start = 0
        for output in outputs:
            output[...] = row[start : start + output.size].reshape(output.shape)
            start += output.size

    return copy_parts
