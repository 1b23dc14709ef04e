"""Trigonometric and hyperbolic functions and their inverses, elementwise, in radians.  Integers become the default float."""
from .. import _dtypes
from .._core.op import op
from .._core.promotion import refusing, to_float


@op(promote=to_float)
def sin(xp, x):
    """The sine."""
    return xp.sin(x)


@sin.vjp("x")
def _(xp, g, x):
    return g * xp.cos(x)


@op(promote=to_float)
def cos(xp, x):
    """The cosine."""
    return xp.cos(x)


@cos.vjp("x")
def _(xp, g, x):
    return xp.negative(g) * xp.sin(x)


@op(promote=to_float)
def tan(xp, x):
    """The tangent."""
    return xp.tan(x)


@tan.vjp("x")
def _(xp, g, out):
    return g * (out * out + 1)


@op(promote=to_float, grad_name="Asin")
def arcsin(xp, x):
    """The inverse of `sin`, in [-pi/2, pi/2]; nan outside [-1, 1]."""
    return xp.arcsin(x)


@arcsin.vjp("x")
def _(xp, g, x):
    return g / xp.sqrt(1 - x * x)


@op(promote=to_float, grad_name="Acos")
def arccos(xp, x):
    """The inverse of `cos`, in [0, pi]; nan outside [-1, 1]."""
    return xp.arccos(x)


@arccos.vjp("x")
def _(xp, g, x):
    return xp.negative(g) / xp.sqrt(1 - x * x)


@op(promote=to_float, grad_name="Atan")
def arctan(xp, x):
    """The inverse of `tan`, in (-pi/2, pi/2)."""
    return xp.arctan(x)


@arctan.vjp("x")
def _(xp, g, x):
    return g / (x * x + 1)


@op(promote=refusing(to_float, "atan2", _dtypes.COMPLEX), grad_name="Atan2")
def arctan2(xp, x, y):
    """The angle of the point (y, x), in [-pi, pi]: arctan(x / y) in the right quadrant.  Argument names as in torch.atan2(input, other)."""
    return xp.arctan2(x, y)


@arctan2.vjp("x")
def _(xp, g, x, y):
    return g * (y / _squares(xp, x, y))


@arctan2.vjp("y")
def _(xp, g, x, y):
    return xp.negative(g) * (x / _squares(xp, x, y))


def _squares(xp, x, y):
    """x * x + y * y, and 1 in the place of 0, where torch's gradient is 0."""
    total = x * x + y * y
    return xp.where(total == 0, 1, total)


@op(promote=to_float)
def sinh(xp, x):
    """The hyperbolic sine."""
    return xp.sinh(x)


@sinh.vjp("x")
def _(xp, g, x):
    return g * xp.cosh(x)


@op(promote=to_float)
def cosh(xp, x):
    """The hyperbolic cosine."""
    return xp.cosh(x)


@cosh.vjp("x")
def _(xp, g, x):
    return g * xp.sinh(x)


@op(promote=to_float)
def tanh(xp, x):
    """The hyperbolic tangent."""
    return xp.tanh(x)


@tanh.vjp("x", cuda="d = g * (1 - out * out)")
def _(xp, g, out):
    return g * (1 - out * out)


@op(promote=to_float, grad_name="Asinh")
def arcsinh(xp, x):
    """The inverse of `sinh`."""
    return xp.arcsinh(x)


@arcsinh.vjp("x")
def _(xp, g, x):
    return g / xp.sqrt(x * x + 1)


@op(promote=to_float, grad_name="Acosh")
def arccosh(xp, x):
    """The inverse of `cosh`, not negative; nan below 1."""
    return xp.arccosh(x)


@arccosh.vjp("x")
def _(xp, g, x):
    return g / (xp.sqrt(x - 1) * xp.sqrt(x + 1))


@op(promote=to_float, grad_name="Atanh")
def arctanh(xp, x):
    """The inverse of `tanh`; nan outside [-1, 1]."""
    return xp.arctanh(x)


@arctanh.vjp("x")
def _(xp, g, x):
    return g / (1 - x * x)
