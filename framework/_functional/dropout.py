"""Dropout of single elements, for layers and recurrent networks."""
from .. import ops
from .._backends import BACKENDS
from ..ops.dropout import keep_scale


def drop(x, p):
    """x with each element set to 0 with probability p, the others divided by 1 - p: on a GPU in one operation, which keeps no mask."""
    if getattr(BACKENDS.get(type(x._data)), "name", "") == "cupy" and x._data.dtype.kind in "fV":
        return ops.drop(x, p)[0]
    return ops.masked_scale(x, ops.keep_mask(x, p), keep_scale(p))
