"""Complex numbers and their parts.  Gradients follow torch: that of z = a + bi is dL/da + i dL/db."""
from .. import _dtypes
from .._core.op import op
from .._core.promotion import refusing, to_float
from ._parts import is_complex


@op(holomorphic=False)
def conj(xp, x):
    """The complex conjugate.  A copy, also of real numbers."""
    return xp.conj(x) if x.dtype.kind == "c" else x.copy()


@conj.vjp("x")
def _(xp, g):
    return xp.conj(g)


@op(view=True, holomorphic=False)
def real(xp, x):
    """The real part, a view; of real numbers, themselves."""
    return x.real if x.dtype.kind == "c" else x


@real.vjp("x")
def _(xp, g, x_dtype):
    return xp.astype(g, x_dtype)


@op(view=True, holomorphic=False)
def imag(xp, x):
    """The imaginary part, a view.  RuntimeError for real numbers."""
    if x.dtype.kind != "c":
        raise RuntimeError(f"imag is not implemented for tensors with non-complex dtypes such as {_dtypes.of_numpy(x.dtype).name}")
    return x.imag


@imag.vjp("x")
def _(xp, g, x_dtype):
    return xp.astype(g, x_dtype) * 1j


@op(promote=refusing(to_float, "angle"), holomorphic=False)
def angle(xp, x):
    """The angle of x in the complex plane, in radians; for real numbers 0, pi where negative, nan where nan."""
    if x.dtype.kind == "c":
        return xp.arctan2(x.imag, x.real)
    return xp.where(x != x, x, xp.where(x < 0, xp.pi, 0).astype(x.dtype))


@angle.vjp("x")
def _(xp, g, x):
    if not is_complex(x):
        return xp.zeros_like(g)
    size = xp.absolute(x)
    return xp.where(size == 0, 0, g * (x * 1j) / xp.where(size == 0, 1, size * size))
