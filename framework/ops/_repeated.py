"""Writing to places of which some may be named several times.

On a GPU many threads write at once.  Additions to one place are atomic, and their order, and with it the last bits of a float, differs from run to
run; of several values for one place any may be the last.  Under `use_deterministic_algorithms` both are brought into order: additions go by the
kernel that adds rows in the order of their indexes, and the last value named stays.  Integers add up to the same in any order.
"""
import numpy as np

from .._backends.adding import add_at_places
from .._config import DETERMINISTIC
from .embedding import add_rows


def add_repeated(xp, out, where, values):
    """out[where] += values, where a place that is named several times gets all of them.  where: what indexes an array"""
    if xp is np or out.dtype.kind not in "fcV" or not DETERMINISTIC["on"] or not out.size:
        add_at_places(xp, out, where, values)
        return
    places = _places(xp, out, where)
    values = xp.broadcast_to(xp.asarray(values, dtype=out.dtype), places.shape).reshape(-1, 1)
    if out.dtype.kind == "c":  # as pairs of real numbers
        values = xp.ascontiguousarray(values).view(out.real.dtype)
    sums = add_rows.kernels[type(out)](xp, xp.ascontiguousarray(values), places.reshape(-1), rows=out.size)
    out += (sums.view(out.dtype) if out.dtype.kind == "c" else sums).reshape(out.shape)


def put_repeated(xp, out, where, values):
    """out[where] = values, where of several values for one place the last one stays; without asking for determinism, on a GPU, any of them."""
    if xp is np or not DETERMINISTIC["on"] or not out.size:
        out[where] = values
        return
    places = _places(xp, out, where)
    values = xp.broadcast_to(xp.asarray(values), places.shape).reshape(-1)
    if not values.size:
        return
    last = xp.full(out.size, -1, np.int64)
    xp.maximum.at(last, places.reshape(-1), xp.arange(values.size))  # the largest is the largest in any order
    chosen, kept = values[xp.maximum(last, 0)].astype(out.dtype, copy=False), out.reshape(-1)
    if out.dtype.kind == "V":  # CuPy's `where` does not know bfloat16
        chosen, kept = chosen.view(np.int16), kept.view(np.int16)
    out[...] = xp.where(last >= 0, chosen, kept).view(out.dtype).reshape(out.shape)


def _places(xp, out, where):
    """The places in `out`, counted from 0 through its elements, that an index names."""
    return xp.arange(out.size).reshape(out.shape)[where]
