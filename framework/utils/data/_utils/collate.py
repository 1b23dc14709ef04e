"""default_collate and default_convert: what a list of samples becomes, and a single one."""
import copy
import numbers
from collections.abc import Mapping, MutableMapping, MutableSequence, Sequence

import numpy as np

from ...._backends import of_array
from ...._core.tensor import Tensor, wrap
from ...._dtypes import get_default_dtype, of_numpy
from ....ops import stack

UNKNOWN = "default_collate: batch must contain tensors, numpy arrays, numbers, dicts or lists; found {}"
_TEXT = frozenset("SUO")  # kinds of NumPy arrays that are not numbers


def default_collate(batch):
    """Put a list of samples together: tensors, arrays and numbers are stacked along a new dimension 0, inside whatever holds them.

    Tensors and arrays -> one tensor; floats -> a float64 tensor, ints -> int64, bools -> bool; strings stay a list; mappings, named
    tuples and sequences keep their kind (a tuple becomes a list), with each field collated.  TypeError for anything else, RuntimeError
    for sequences or tensors of different sizes.
    """
    first = batch[0]
    if isinstance(first, Tensor):
        return _stack(batch)
    if isinstance(first, np.ndarray):
        if first.dtype.kind in _TEXT:
            raise TypeError(UNKNOWN.format(first.dtype))
        return _stack([_tensor(a) for a in batch])
    if isinstance(first, (np.bool_, np.number)):
        return _tensor(np.array(batch))
    if isinstance(first, (float, int)):
        return wrap(np.array(batch, np.float64 if isinstance(first, float) else bool if isinstance(first, bool) else np.int64))
    if isinstance(first, (str, bytes)):
        return batch
    if isinstance(first, numbers.Number):
        return wrap(np.array(batch, get_default_dtype().to_complex().np))
    if isinstance(first, Mapping):
        return _like_mapping(first, {key: default_collate([sample[key] for sample in batch]) for key in first})
    if isinstance(first, tuple) and hasattr(first, "_fields"):
        return type(first)(*(default_collate(field) for field in zip(*batch)))
    if isinstance(first, Sequence):
        return _collate_sequences(first, batch)
    raise TypeError(UNKNOWN.format(type(first)))


def default_convert(data):
    """A single sample with its NumPy arrays and numbers made tensors (which share their memory), inside whatever holds them."""
    if isinstance(data, Tensor):
        return data
    if isinstance(data, (np.ndarray, np.generic)):
        return data if np.asarray(data).dtype.kind in _TEXT else _tensor(data)
    if isinstance(data, Mapping):
        return _like_mapping(data, {key: default_convert(data[key]) for key in data})
    if isinstance(data, tuple) and hasattr(data, "_fields"):
        return type(data)(*(default_convert(d) for d in data))
    if isinstance(data, Sequence) and not isinstance(data, (str, bytes)):
        converted = [default_convert(d) for d in data]
        return converted if isinstance(data, tuple) else _like_sequence(data, converted)
    return data


def _tensor(array):
    """A tensor on the memory of a NumPy array.  TypeError for a type that has no word in torch."""
    array = np.asarray(array)
    of_numpy(array.dtype)
    return wrap(array)


def _stack(tensors):
    """Tensors of one shape along a new dimension 0.  Recorded when one requires grad."""
    first = tensors[0]._data
    if any(t.shape != first.shape for t in tensors):
        odd = next(i for i, t in enumerate(tensors) if t.shape != first.shape)
        raise RuntimeError(f"stack expects each tensor to be equal size, but got {list(first.shape)} at entry 0 and "
                           f"{list(tensors[odd].shape)} at entry {odd}")
    if any(t.requires_grad for t in tensors) or any(t._data.dtype != first.dtype for t in tensors):
        return stack(tensors, 0)
    return wrap(of_array(first).xp.stack([t._data for t in tensors]))


def _collate_sequences(first, batch):
    if any(len(sample) != len(first) for sample in batch):
        raise RuntimeError("each element in list of batch should be of equal size")
    columns = [default_collate(column) for column in zip(*batch)]
    return columns if isinstance(first, tuple) else _like_sequence(first, columns)


def _like_mapping(original, items):
    """`items` in a mapping of the kind of `original`, or a dict where that cannot be made from a dict."""
    try:
        if isinstance(original, MutableMapping):
            clone = copy.copy(original)
            clone.update(items)
            return clone
        return type(original)(items)
    except TypeError:
        return items


def _like_sequence(original, items):
    """`items` in a sequence of the kind of `original`, or a list where that cannot be made from a list."""
    if type(original) is list:
        return items
    try:
        if isinstance(original, MutableSequence):
            clone = copy.copy(original)
            for i, item in enumerate(items):
                clone[i] = item
            return clone
        return type(original)(items)
    except TypeError:
        return items
