"""A tensor as its direction times its lengths.  Salimans & Kingma 2016, arXiv:1602.07868."""
from ... import ops


def norm_except_dim(v, dim):
    """The lengths of the slices of `v` along `dim` (-1: the length of all), in a shape that broadcasts against `v`."""
    axes = tuple(range(v.ndim)) if dim == -1 else tuple(d for d in range(v.ndim) if d != dim % v.ndim)
    if dim == -1:
        return ops.reshape(ops.vector_norm(v, 2.0, None, False), ())
    return ops.vector_norm(v, 2.0, axes, True)


def scaled(v, g, dim):
    """g * v / its lengths along `dim`."""
    return v * (g / norm_except_dim(v, dim))
