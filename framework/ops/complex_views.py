"""Complex numbers and pairs of real ones, made into each other."""
import numpy as np

from .._core.op import op
from ._run import run

_REAL = {"F": np.dtype(np.float32), "D": np.dtype(np.float64)}
_COMPLEX = {"f": np.dtype(np.complex64), "d": np.dtype(np.complex128)}


@op(view=True, holomorphic=False)
def view_as_real(xp, x):
    """Complex numbers as pairs of real and imaginary part: a view.  (*) -> (*, 2)"""
    if x.dtype.char not in _REAL:
        raise RuntimeError(f"view_as_real is only supported for complex tensors, not for {x.dtype}")
    return x[..., None].view(_REAL[x.dtype.char])


@view_as_real.vjp("x")
def _(xp, g):
    return run(view_as_complex, xp, g)


@op(view=True, holomorphic=False)
def view_as_complex(xp, x):
    """Pairs of numbers as complex ones: a view where the pairs lie together, otherwise a copy.  (*, 2) -> (*)"""
    if x.dtype.char not in _COMPLEX:
        raise RuntimeError(f"view_as_complex is only supported for float and double tensors, but got a tensor of {x.dtype}")
    if not x.ndim or x.shape[-1] != 2:
        raise RuntimeError(f"Tensor must have a last dimension of size 2, but its shape is {list(x.shape)}")
    pairs = x if x.strides[-1] == x.itemsize else x.copy()
    return pairs.view(_COMPLEX[x.dtype.char])[..., 0]


@view_as_complex.vjp("x")
def _(xp, g):
    return run(view_as_real, xp, g)


def _same_floats(raw, backend):
    real, imag = raw
    if real.dtype.char not in _COMPLEX or imag.dtype != real.dtype:
        raise RuntimeError(f"Expected object of scalar type Float or Double twice, but got scalar types {real.dtype} and {imag.dtype}")
    return raw, None


@op(promote=_same_floats, holomorphic=False, broadcasts=True)
def complex_(xp, x, y):
    """x + i y, of two real tensors, which broadcast."""
    out = xp.empty(np.broadcast_shapes(x.shape, y.shape), _COMPLEX[x.dtype.char])
    out.real, out.imag = x, y
    return out


@complex_.vjp("x")
def _(xp, g):
    return xp.real(g)


@complex_.vjp("y")
def _(xp, g):
    return xp.imag(g)
