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

    CUDA has no atomic operations for halves and for integers of one or two bytes: those go through a wider type.  Floats are compared as whole
    numbers of the same order, because CuPy's maximum.at and minimum.at round float64 to float32 and pass nan over.
    """
    dtype = out.dtype
    if xp is np:
        getattr(np, name).at(out, where, values)
    elif dtype.itemsize <= 2:
        wide = out.astype(np.float32 if dtype.kind in "fV" else np.int32)
        reduce_at_places(xp, name, wide, where, xp.asarray(values).astype(wide.dtype))
        out[...] = wide.astype(dtype)
    elif dtype.kind == "f" and name != "add":
        nan = np.iinfo(f"i{dtype.itemsize}").max if name == "maximum" else np.iinfo(f"i{dtype.itemsize}").min
        ranks = _ranks(xp, out, nan)
        getattr(xp, name).at(ranks, where, _ranks(xp, xp.asarray(values, dtype), nan))
        out[...] = _turned(xp, ranks).view(dtype)
    else:
        getattr(xp, name).at(out, where, values)


def _ranks(xp, x, nan):
    """Whole numbers in the order of the floats `x`; nan has this one."""
    return xp.where(x != x, nan, _turned(xp, x.view(f"i{x.itemsize}")))


def _turned(xp, bits):
    """Bits of a float as a whole number that rises with it, and back: below zero all but the sign are turned round."""
    return xp.where(bits < 0, bits ^ np.iinfo(bits.dtype).max, bits)
