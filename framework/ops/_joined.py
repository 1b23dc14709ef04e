"""Arrays joined to one, in a CUDA graph's capture too."""
import numpy as np

from .._core.tensor import Tensor
from .._state import state
from ._layout import lies_last

FEW = 8  # arrays that CuPy copies one by one; of more it uploads a table of addresses, which a capture refuses


def joined(xp, arrays, axis=0):
    """xp.concatenate(arrays, axis); in a capture a few at a time.  On a GPU images that all have their channels last keep them so."""
    if xp is not np and type(arrays[0]) is not Tensor and arrays[0].ndim > 2 and all(map(lies_last, arrays)):
        last = arrays[0].ndim - 1
        at = (0, last, *range(1, last))[axis % arrays[0].ndim]
        return xp.moveaxis(joined(xp, [xp.moveaxis(a, 1, -1) for a in arrays], at), -1, 1)
    while state.capture is not None and len(arrays) > FEW:
        arrays = [xp.concatenate(arrays[i:i + FEW], axis) for i in range(0, len(arrays), FEW)]
    return xp.concatenate(arrays, axis)


def stacked(xp, arrays, axis):
    """xp.stack(arrays, axis), in the same way."""
    if state.capture is None or len(arrays) <= FEW:
        return xp.stack(arrays, axis)
    return joined(xp, [xp.expand_dims(a, axis) for a in arrays], axis)
