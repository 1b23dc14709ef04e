"""collate, default_collate and default_convert: what a list of samples becomes, and a single one."""
import re
from collections.abc import Mapping, Sequence

import numpy as np

from ...._backends import of_array
from ...._core.tensor import Tensor, wrap
from ...._dtypes import of_numpy
from ...._functional.creation import tensor
from ....ops import stack
from ._containers import like_mapping, like_sequence

default_collate_err_msg_format = "default_collate: batch must contain tensors, numpy arrays, numbers, dicts or lists; found {}"
np_str_obj_array_pattern = re.compile(r"[SaUO]")
_TEXT = frozenset("SUO")  # kinds of NumPy arrays that are not numbers


def collate(batch, *, collate_fn_map=None):
    """Put a list of samples together.

    collate_fn_map: {type, or tuple of types: function(batch, collate_fn_map=...)} for what the samples are made of; the first entry that
    fits the first sample is taken, its very type before its base classes.  Mappings, named tuples and sequences keep their kind (a tuple
    becomes a list), with each field collated.  TypeError for anything else, RuntimeError for sequences of different sizes.
    """
    first = batch[0]
    if collate_fn_map is not None:
        function = collate_fn_map.get(type(first))
        if function is None:
            function = next((f for kind, f in collate_fn_map.items() if isinstance(first, kind)), None)
        if function is not None:
            return function(batch, collate_fn_map=collate_fn_map)
    if isinstance(first, Mapping):
        return like_mapping(first, {key: collate([sample[key] for sample in batch], collate_fn_map=collate_fn_map) for key in first})
    if isinstance(first, tuple) and hasattr(first, "_fields"):
        return type(first)(*(collate(field, collate_fn_map=collate_fn_map) for field in zip(*batch)))
    if isinstance(first, Sequence):
        if any(len(sample) != len(first) for sample in batch):
            raise RuntimeError("each element in list of batch should be of equal size")
        columns = [collate(column, collate_fn_map=collate_fn_map) for column in zip(*batch)]
        return columns if isinstance(first, tuple) else like_sequence(first, columns)
    raise TypeError(default_collate_err_msg_format.format(type(first)))


def collate_tensor_fn(batch, *, collate_fn_map=None):
    """Tensors of one shape along a new dimension 0.  Recorded when one requires grad."""
    return _stack(batch)


def collate_numpy_array_fn(batch, *, collate_fn_map=None):
    """Arrays of one shape as one tensor.  TypeError for text and objects."""
    if batch[0].dtype.kind in _TEXT:
        raise TypeError(default_collate_err_msg_format.format(batch[0].dtype))
    return collate([_tensor(a) for a in batch], collate_fn_map=collate_fn_map)


def collate_numpy_scalar_fn(batch, *, collate_fn_map=None):
    """NumPy's numbers as a 1-D tensor of their type."""
    return _tensor(np.array(batch))


def collate_float_fn(batch, *, collate_fn_map=None):
    """Floats as a 1-D float64 tensor."""
    return wrap(np.array(batch, np.float64))


def collate_int_fn(batch, *, collate_fn_map=None):
    """Ints as a 1-D int64 tensor, bools as a bool tensor.  ValueError for an int of more than 64 bits."""
    try:
        return wrap(np.array(batch, np.int64)) if set(map(type, batch)) == {int} else tensor(batch)
    except OverflowError as error:
        raise ValueError(f"an int that does not fit into 64 bits cannot be collated: {max(batch, key=abs)}") from error


def collate_str_fn(batch, *, collate_fn_map=None):
    """Strings stay a list."""
    return batch


default_collate_fn_map = {
    Tensor: collate_tensor_fn, np.ndarray: collate_numpy_array_fn, (np.bool_, np.number, np.object_): collate_numpy_scalar_fn,
    float: collate_float_fn, int: collate_int_fn, str: collate_str_fn, bytes: collate_str_fn,
}
_AS_BUILT = dict(default_collate_fn_map)


def map_is_default():
    """Whether nobody has changed `default_collate_fn_map`."""
    return default_collate_fn_map == _AS_BUILT


def default_collate(batch):
    """Put a list of samples together: tensors, arrays and numbers are stacked along a new dimension 0, inside whatever holds them.

    Tensors and arrays -> one tensor; floats -> a float64 tensor, ints -> int64, bools -> bool; strings stay a list; mappings, named
    tuples and sequences keep their kind (a tuple becomes a list), with each field collated.  TypeError for anything else, RuntimeError
    for sequences or tensors of different sizes.  `default_collate_fn_map` says what is done with which type, and may be changed.
    """
    return collate(batch, collate_fn_map=default_collate_fn_map)


def default_convert(data):
    """A single sample with its NumPy arrays and numbers made tensors (which share their memory), inside whatever holds them."""
    if isinstance(data, Tensor):
        return data
    if isinstance(data, (np.ndarray, np.generic)):
        return data if np.asarray(data).dtype.kind in _TEXT else _tensor(data)
    if isinstance(data, Mapping):
        return like_mapping(data, {key: default_convert(data[key]) for key in data})
    if isinstance(data, tuple) and hasattr(data, "_fields"):
        return type(data)(*(default_convert(d) for d in data))
    if isinstance(data, Sequence) and not isinstance(data, (str, bytes)):
        converted = [default_convert(d) for d in data]
        return converted if isinstance(data, tuple) else like_sequence(data, converted)
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
