"""Losses, elementwise, before any reduction: (*), (*) -> (*)."""
import numpy as np

from .._core.op import op
from .._core.promotion import same, to_float
from ._run import run
from .exponential import sigmoid


@op(promote=same, grad_name="MseLoss", cuda="const auto d = x - y; out = d * d")
def squared_difference(xp, x, y):
    """(x - y)^2."""
    d = x - y
    return d * d


@squared_difference.vjp("x", cuda="d = g * 2 * (x - y)")
def _(xp, g, x, y):
    return g * 2 * (x - y)


@squared_difference.vjp("y", cuda="d = g * 2 * (y - x)")
def _(xp, g, x, y):
    return g * 2 * (y - x)


@op(promote=to_float, grad_name="SmoothL1Loss", cuda="const auto d = fabs(x - y); out = d < beta ? d * d / (2 * beta) : d - beta / 2")
def smooth_l1(xp, x, y, beta: float = 1.0):
    """d^2 / (2 beta) where d = |x - y| < beta, else d - beta / 2.  Girshick 2015, arXiv:1504.08083."""
    d = xp.absolute(x - y)
    return xp.where(d < beta, d * d * (0.5 / beta), d - 0.5 * beta) if beta else d


def _smooth_l1_slope(xp, d, beta):
    return xp.minimum(xp.maximum(d / beta, -1), 1) if beta else xp.sign(d)


@smooth_l1.vjp("x", cuda="const auto e = x - y, s = e / beta; d = g * (e == 0 ? e : s < -1 ? -1 : s > 1 ? 1 : s)")
def _(xp, g, x, y, beta):
    return g * _smooth_l1_slope(xp, x - y, beta)


@smooth_l1.vjp("y", cuda="const auto e = y - x, s = e / beta; d = g * (e == 0 ? e : s < -1 ? -1 : s > 1 ? 1 : s)")
def _(xp, g, x, y, beta):
    return g * _smooth_l1_slope(xp, y - x, beta)


@op(promote=to_float, grad_name="HuberLoss", cuda="const auto d = fabs(x - y); out = d <= delta ? d * d / 2 : delta * (d - delta / 2)")
def huber(xp, x, y, delta: float = 1.0):
    """d^2 / 2 where d = |x - y| <= delta, else delta * (d - delta / 2).  Huber 1964."""
    d = xp.absolute(x - y)
    return xp.where(d <= delta, 0.5 * d * d, delta * (d - 0.5 * delta))


@huber.vjp("x", cuda="const auto e = x - y; d = g * (e < -delta ? -delta : e > delta ? delta : e)")
def _(xp, g, x, y, delta):
    return g * xp.minimum(xp.maximum(x - y, -delta), delta)


@huber.vjp("y", cuda="const auto e = y - x; d = g * (e < -delta ? -delta : e > delta ? delta : e)")
def _(xp, g, x, y, delta):
    return g * xp.minimum(xp.maximum(y - x, -delta), delta)


@op(promote=to_float, cuda="const auto no = log1p(-x), yes = log(x); out = (y - 1) * (no < -100 ? -100 : no) - y * (yes < -100 ? -100 : yes)")
def binary_cross_entropy(xp, x, y):
    """-(y log x + (1 - y) log(1 - x)) for probabilities x and targets y in [0, 1]; the logarithms stop at -100."""
    if xp is np and x.size and not (x.min() >= 0 and x.max() <= 1):
        raise RuntimeError("all elements of input should be between 0 and 1, but they lie between "
                           f"{float(x.min()):g} and {float(x.max()):g}; for logits use binary_cross_entropy_with_logits")
    return (y - 1) * xp.maximum(xp.log1p(-x), -100) - y * xp.maximum(xp.log(x), -100)


@binary_cross_entropy.vjp("x", cuda="const auto w = (1 - x) * x; d = g * (x - y) / (w < (A)1e-12 ? (A)1e-12 : w)")
def _(xp, g, x, y):
    return g * (x - y) / xp.maximum((1 - x) * x, 1e-12)


@binary_cross_entropy.vjp("y", cuda="const auto no = log1p(-x), yes = log(x); d = g * ((no < -100 ? -100 : no) - (yes < -100 ? -100 : yes))")
def _(xp, g, x):
    return g * (xp.maximum(xp.log1p(-x), -100) - xp.maximum(xp.log(x), -100))


@op(promote=to_float, cuda="const auto low = x < 0 ? -x : 0; out = (1 - y) * x + (low + log1p(exp(-fabs(x)))) * (1 + (pos_weight - 1) * y)")
def binary_cross_entropy_with_logits(xp, x, y, pos_weight=None):
    """binary_cross_entropy of sigmoid(x), without overflow; pos_weight multiplies the part of the positive targets."""
    tail = xp.maximum(-x, 0) + xp.log1p(xp.exp(-xp.absolute(x)))  # log(1 + exp(-x))
    return (1 - y) * x + (tail if pos_weight is None else tail * (1 + (pos_weight - 1) * y))


@binary_cross_entropy_with_logits.vjp("x", cuda="d = g * ((1 - y) + (1 + (pos_weight - 1) * y) * (1 / (1 + exp(-x)) - 1))")
def _(xp, g, x, y, pos_weight):
    s = run(sigmoid, xp, x)
    if pos_weight is None:
        return g * (s - y)
    return g * ((1 - y) + (1 + (pos_weight - 1) * y) * (s - 1))


@binary_cross_entropy_with_logits.vjp("y")
def _(xp, g, x, pos_weight):
    if pos_weight is None:
        return g * -x
    tail = xp.maximum(-x, 0) + xp.log1p(xp.exp(-xp.absolute(x)))
    return g * ((pos_weight - 1) * tail - x)
