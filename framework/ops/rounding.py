"""Rounding to whole numbers, elementwise.  Integers stay as they are; gradients are zero."""
from .. import _dtypes
from .._core.op import op
from .._core.promotion import refusing, same

_real = {name: refusing(same, name, _dtypes.COMPLEX) for name in ("floor", "ceil", "trunc", "round")}


def _is_whole(x):
    return x.dtype.kind in "biu"


@op(promote=_real["floor"])
def floor(xp, x):
    """The largest whole number <= x."""
    return x.copy() if _is_whole(x) else xp.floor(x)


@op(promote=_real["ceil"])
def ceil(xp, x):
    """The smallest whole number >= x."""
    return x.copy() if _is_whole(x) else xp.ceil(x)


@op(promote=_real["trunc"])
def trunc(xp, x):
    """x without its fraction."""
    return x.copy() if _is_whole(x) else xp.trunc(x)


@op(promote=_real["round"])
def round_(xp, x, decimals: int = 0):
    """x rounded to `decimals` decimals (negative: to tens, hundreds, ...); halves go to the even neighbour."""
    if _is_whole(x):
        return x.copy()
    if decimals == 0:
        return xp.rint(x)
    tens = 10.0 ** abs(decimals)
    return xp.rint(x * tens) / tens if decimals > 0 else xp.rint(x / tens) * tens


for _op in (floor, ceil, trunc, round_):
    @_op.vjp("x")
    def _(xp, g):
        return xp.zeros_like(g)


@op(promote=refusing(same, "frac", _dtypes.BOOL, _dtypes.INTEGER, _dtypes.COMPLEX), cuda="out = x - trunc(x)")
def frac(xp, x):
    """The fraction of x, with its sign: x - trunc(x)."""
    return x - xp.trunc(x)


@frac.vjp("x")
def _(xp, g):
    return g
