"""Batches in page-locked memory, from which copies to a GPU need not wait."""
from collections.abc import Mapping, Sequence

from ._containers import like_mapping, like_sequence


def pin_memory(data, device=None):
    """`data` with its tensors in page-locked memory, inside whatever holds them; anything with a method `pin_memory` is asked to do so
    itself.  device: ignored, as in torch; the current one is used."""
    if hasattr(data, "pin_memory"):
        return data.pin_memory()
    if isinstance(data, (str, bytes)):
        return data
    if isinstance(data, Mapping):
        return like_mapping(data, {key: pin_memory(sample, device) for key, sample in data.items()})
    if isinstance(data, tuple):
        pinned = [pin_memory(sample, device) for sample in data]
        return type(data)(*pinned) if hasattr(data, "_fields") else type(data)(pinned)
    if isinstance(data, Sequence):
        return like_sequence(data, [pin_memory(sample, device) for sample in data])
    return data
