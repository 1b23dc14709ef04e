"""The argument checks of collectives: torch's exception types, both sides of the disagreement, and the way out."""

from collections.abc import Sequence
from typing import Any

from ._arrays import arrays_of, device_type
from .backends._base import Array

MAX_USER_TAG = 32766  # MPI guarantees tags up to 32767; the last one is monitored_barrier's
MONITOR_TAG = 32767


def check_rank(collective: str, name: str, rank: Any, size: int) -> None:
    """TypeError, ValueError: not a rank of a group of `size`."""
    if isinstance(rank, bool) or not isinstance(rank, int):
        raise TypeError(f"{collective}: {name} must be an integer rank, but got {rank!r}")
    if not 0 <= rank < size:
        raise ValueError(f"{collective}: {name} is rank {rank}, but the group has ranks 0 to {size - 1}")


def check_peer(role: str, rank: Any, tag: Any, own_rank: int, size: int) -> None:
    """ValueError: the other side of a message is this rank itself or outside the group, or the tag is outside 0 to 32766."""
    if rank is not None:
        check_rank("send" if role == "destination" else "recv", role, rank, size)
        if rank == own_rank:
            raise ValueError(f"Invalid {role} rank: {role} rank should not be the same as the rank of the current process.")
    if not isinstance(tag, int) or not (0 <= tag <= MAX_USER_TAG or tag == MONITOR_TAG):
        raise ValueError(f"a message's tag must be an integer from 0 to {MAX_USER_TAG}, but is {tag!r}")


def check_alike(collective: str, arrays: Sequence[Array]) -> None:
    """ValueError: tensors of one call differ in dtype or device."""
    found = sorted({array.dtype.name for array in arrays})
    if len(found) > 1:
        raise ValueError(f"{collective}: Invalid usage of tensors with different dtypes. Found {' and '.join(found)}; convert them to one")
    if len({device_type(array) for array in arrays}) > 1:
        raise ValueError(f"{collective}: all tensors must be on one device, but some are on the CPU and some on a GPU; move them")


def check_length(collective: str, name: str, arrays: Sequence[Array], size: int) -> None:
    """RuntimeError: a list does not have one tensor per rank."""
    if len(arrays) != size:
        raise RuntimeError(f"{collective}: {name} must have one tensor for each of the group's {size} ranks, but has {len(arrays)}")


def check_list(collective: str, name: str, arrays: Sequence[Array], own: Array, size: int, places: Sequence[int]) -> None:
    """One tensor per rank, all of the dtype of this rank's own tensor; those at `places` hold as many elements as it does."""
    check_length(collective, name, arrays, size)
    check_alike(collective, [own, *arrays])
    for place in places:
        if arrays[place].size != own.size:
            raise RuntimeError(
                f"{collective}: {name}[{place}] has shape {arrays[place].shape}, but this rank's tensor has shape {own.shape}; "
                f"they must hold the same number of elements"
            )


def check_multiple(collective: str, large_name: str, large: Array, small_name: str, small: Array, size: int) -> None:
    """RuntimeError: the large tensor does not hold one small tensor per rank."""
    if large.size != small.size * size:
        raise RuntimeError(
            f"{collective}: {large_name} must hold {size} ranks times the {small.size} elements of {small_name}, shape {small.shape}, "
            f"that is {small.size * size}, but its shape is {large.shape}: {large.size} elements"
        )


def list_of_root(collective: str, name: str, role: str, values: Any, own: Array, size: int, is_root: bool) -> list[Array]:
    """The arrays of a list that only the root gives; empty elsewhere.  ValueError: it is missing, or given elsewhere."""
    if not is_root:
        if values:
            raise ValueError(f"Argument ``{name}`` must NOT be specified on non-{role} ranks.")
        return []
    if not values:
        raise ValueError(f"Argument ``{name}`` must be specified on {role} rank.")
    arrays = arrays_of(values, name)
    check_list(collective, name, arrays, own, size, places=range(size))
    return arrays


def split_counts(name: str, array: Array, sizes: Sequence[int] | None, size: int) -> list[int]:
    """Elements for each rank, from rows of dimension 0 for each rank (None or empty: equal parts).  RuntimeError: they do not add up."""
    rows = array.shape[0] if array.ndim else 1
    row_size = array.size // rows if rows else 0
    if not sizes:
        if rows % size:
            raise RuntimeError(
                f"all_to_all_single: dimension 0 of {name} has {rows} rows, which {size} ranks cannot share equally; "
                f"give {name}_split_sizes"
            )
        return [rows // size * row_size] * size
    if len(sizes) != size:
        raise RuntimeError(f"Number of tensor splits not equal to group size: {name}_split_sizes has {len(sizes)}, the group {size} ranks")
    if sum(sizes) != rows or min(sizes) < 0:
        raise RuntimeError(
            f"Split sizes doesn't match total dim 0 size: {name}_split_sizes {list(sizes)} add up to {sum(sizes)}, "
            f"but dimension 0 of {name} has {rows} rows"
        )
    return [count * row_size for count in sizes]
