"""Dropout of single elements, for layers and recurrent networks."""
import numpy as np

from .. import ops
from .._backends import BACKENDS
from .._core.tensor import wrap
from ..ops.dropout import keep_scale


def drop(x, p):
    """x with each element set to 0 with probability p, the others divided by 1 - p: on a GPU in one operation, which keeps no mask."""
    backend = BACKENDS.get(type(x._data))
    if getattr(backend, "name", "") == "cupy" and x._data.dtype.kind in "fV":
        with backend.on_device_of(x._data):
            return ops.drop(x, wrap(backend.xp.empty((2,), np.int64)), p)
    return ops.masked_scale(x, ops.keep_mask(x, p), keep_scale(p))
