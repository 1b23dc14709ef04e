"""Host values that kernels read from device memory: tables of addresses, sizes, constants.

A CUDA graph's capture takes no copy from the host, because every replay would copy again from wherever that was.  Values that stay what they are for
as long as the graph lives may be copied beside it: that is what both functions do during a capture.
"""
import weakref
from collections import OrderedDict

import numpy as np

from .._state import state

MOST = 1024  # constants kept per array library
_kept = weakref.WeakKeyDictionary()  # array library: {(device, type, shape, bytes): array}, the last used one last


def upload(xp, host):
    """A new array on the current device with the values of a NumPy array."""
    return xp.asarray(host) if state.capture is None else state.capture.upload(xp, host)


def constant(xp, host):
    """An array on the current device with the values of a NumPy array, made once for the same values.  Nobody may write into it."""
    if xp is np:
        return host
    kept = _kept.setdefault(xp, OrderedDict())
    key = xp.cuda.Device().id, host.dtype.str, host.shape, host.tobytes()
    found = kept.get(key)
    if found is None:
        found = kept[key] = upload(xp, host)
        if len(kept) > MOST:
            kept.popitem(last=False)
    else:
        kept.move_to_end(key)
    if state.capture is not None:
        state.capture.keep(found)
    return found
