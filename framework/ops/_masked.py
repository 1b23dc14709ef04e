"""A gradient where a condition holds, and exact zeros elsewhere: g * mask would make nan of inf * 0."""
import numpy as np

# Integers of a float type's size: times True they keep the bits, times False they are +0.0.
_BITS = {"f": np.dtype(np.int32), "d": np.dtype(np.int64)}
_SMALL = 256  # below, np.where is the quicker way; from 10,000 elements on it is seven times slower than a product


def kept(xp, g, mask):
    """`g` where `mask`, a bool array or Tensor of the same shape, is True; 0 elsewhere."""
    if xp is np and g.size > _SMALL and g.dtype.char in _BITS:
        return (g.view(_BITS[g.dtype.char]) * mask).view(g.dtype)
    return xp.where(mask, g, 0)
