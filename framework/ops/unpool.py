"""Putting elements at flat places of the spatial dimensions: the inverse of max pooling."""
import math

from .._core.op import op
from ._run import run
from .pool import take_indices


@op(broadcasts=False, grad_name="MaxUnpool2D")
def unpool(xp, x, indices, size: tuple):
    """Zeros (N, C, *size) with x: (N, C, *in) at the flat places `indices`: int (N, C, *in); the last of several at one place stays."""
    total = math.prod(size)
    if indices.size and (int(indices.min()) < 0 or int(indices.max()) >= total):
        wrong = indices[(indices < 0) | (indices >= total)][0]
        raise RuntimeError(f"Found an invalid max index: {int(wrong)} (output volumes are of size {'x'.join(map(str, size))})")
    out = xp.zeros((*x.shape[:2], total), x.dtype)
    xp.put_along_axis(out, indices.reshape(*x.shape[:2], -1), x.reshape(*x.shape[:2], -1), 2)
    return out.reshape(*x.shape[:2], *size)


@unpool.vjp("x")
def _(xp, g, indices):
    return run(take_indices, xp, g, indices)
