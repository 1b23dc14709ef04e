"""Arrays joined to one, in a CUDA graph's capture too."""
from .._state import state

FEW = 8  # arrays that CuPy copies one by one; of more it uploads a table of addresses, which a capture refuses


def joined(xp, arrays, axis=0):
    """xp.concatenate(arrays, axis); in a capture a few at a time."""
    while state.capture is not None and len(arrays) > FEW:
        arrays = [xp.concatenate(arrays[i:i + FEW], axis) for i in range(0, len(arrays), FEW)]
    return xp.concatenate(arrays, axis)


def stacked(xp, arrays, axis):
    """xp.stack(arrays, axis), in the same way."""
    if state.capture is None or len(arrays) <= FEW:
        return xp.stack(arrays, axis)
    return joined(xp, [xp.expand_dims(a, axis) for a in arrays], axis)
