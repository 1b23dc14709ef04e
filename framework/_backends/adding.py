"""Adding, and keeping the largest or smallest, at places that may repeat: for every type, on both array libraries."""
import numpy as np


def add_at_places(xp, out, where, values):
    """out[where] += values, where a place that occurs several times adds several times.  values: as many as places, or a number"""
    if xp is np:
        np.add.at(out, where, values)
    elif out.dtype.kind == "c":
        values = xp.asarray(values)
        xp.add.at(out.real, where, values.real)
        xp.add.at(out.imag, where, values.imag)
    else:
        reduce_at_places(xp, "add", out, where, values)


def reduce_at_places(xp, name, out, where, values):
    """out[where] = f(out[where], values), f the ufunc "add", "maximum" or "minimum"; places may repeat.

    CUDA has no atomic operations for halves and for integers of one or two bytes: those go through a wider type.
    """
    dtype = out.dtype
    if xp is np or dtype.itemsize > 2:
        getattr(xp, name).at(out, where, values)
        return
    wide = out.astype(np.float32 if dtype.kind in "fV" else np.int32)
    getattr(xp, name).at(wide, where, xp.asarray(values).astype(wide.dtype))
    out[...] = wide.astype(dtype)
