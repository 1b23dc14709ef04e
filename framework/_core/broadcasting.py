"""Broadcasting, undone: the gradient of a broadcast input is summed over the axes along which it was repeated."""
from typing import Any

summed: Any = None  # summed(xp, g, axes): the op `sum` with its kernels, put here by the package of ops


def unbroadcast(xp, g, shape):
    """Sum `g` down to `shape`.  g: (*lead, *dims) -> shape, where dims of `shape` are 1 or equal."""
    lead = len(g.shape) - len(shape)
    axes = tuple(range(lead)) + tuple([i + lead for i, n in enumerate(shape) if n == 1 and g.shape[i + lead] != 1])
    if axes:
        g = summed(xp, g, axes)
    return g if g.shape == shape else xp.reshape(g, shape)


def mismatch(shapes):
    """torch's sentence for shapes that do not broadcast together, or None when they do."""
    for i, a in enumerate(shapes):
        for b in shapes[i + 1:]:
            for back in range(1, min(len(a), len(b)) + 1):
                if a[-back] != b[-back] and 1 not in (a[-back], b[-back]):
                    at = max(len(a), len(b)) - back
                    return (f"The size of tensor a ({a[-back]}) must match the size of tensor b ({b[-back]}) at non-singleton dimension {at}: "
                            f"shapes {list(a)} and {list(b)} do not broadcast; counted from the last dimension, sizes must be equal or 1 "
                            "(unsqueeze adds a dimension of 1)")
    return None
