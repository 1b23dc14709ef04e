"""Losses against class indexes: negative log likelihood, and cross entropy, which is log_softmax and that in one.

x: (C), (N, C) or (N, C, *spatial), target: int (), (N) or (N, *spatial), weight: (C).  Inside, x is a matrix (rows, C), one row per target.
"""
import numpy as np

from .._backends import BACKENDS
from .._core.op import op
from .._core.tensor import Tensor, unwrap, wrap
from ._layer_types import floats_only
from ._run import run
from .softmax import row_exponentials, softmax


@op(promote=floats_only("nll_loss"), broadcasts=False, grad_name="NllLoss")
def nll_loss(xp, x, target, weight=None, ignore_index: int = -100, reduction: str = "mean"):
    """-weight[t] * x[t] for log probabilities `x`; the mean divides by the sum of weight[t]."""
    rows, t = _matrix(xp, x), _checked(xp, x, target, weight, ignore_index)
    w, divisor = _weights(xp, t, weight, ignore_index, reduction, x.dtype)
    return _reduced(-_picked(xp, rows, t, ignore_index) * w, divisor, target.shape, reduction)


@nll_loss.vjp("x")
def _(xp, g, target, weight, x_shape, ignore_index, reduction):
    target, weight = unwrap(target), unwrap(weight)
    raw = BACKENDS[type(target)].xp
    t = target.reshape(-1)
    w, divisor = _weights(raw, t, weight, ignore_index, reduction, unwrap(g).dtype)
    slope = _one_hot(raw, t, _classes(x_shape), -w / divisor)
    return _unmatrix(xp, _per_row(xp, g) * _like(g, slope), x_shape)


@nll_loss.kernel("numpy", vjp="x")
def _(xp, g, target, weight, x_shape, ignore_index, reduction):
    t = target.reshape(-1)
    w, divisor = _weights(np, t, weight, ignore_index, reduction, g.dtype)
    rows = np.zeros((len(t), _classes(x_shape)), g.dtype)
    rows[np.arange(len(t)), _safe(np, t, ignore_index)] = g.reshape(-1) * (-w / divisor)
    return _unmatrix(np, rows, x_shape)


@op(promote=floats_only("cross_entropy"), broadcasts=False, grad_name="NllLoss")
def cross_entropy(xp, x, target, weight=None, ignore_index: int = -100, reduction: str = "mean", label_smoothing: float = 0.0):
    """nll_loss of log_softmax(x).  label_smoothing: the share of the target's probability that is spread evenly over all classes.

    Szegedy et al. 2015, arXiv:1512.00567.
    """
    rows, t = _matrix(xp, x), _checked(xp, x, target, weight, ignore_index)
    w, divisor = _weights(xp, t, weight, ignore_index, reduction, x.dtype)
    log_sum = _log_sum_exp(xp, rows)
    loss = (log_sum - _picked(xp, rows, t, ignore_index)) * w
    if label_smoothing:
        even, total = (rows.sum(axis=1), rows.shape[1]) if weight is None else (rows @ weight, weight.sum())
        share = ((t != ignore_index) * (label_smoothing / rows.shape[1])).astype(x.dtype)
        loss = loss * (1 - label_smoothing) + (log_sum * total - even) * share
    return _reduced(loss, divisor, target.shape, reduction)


@cross_entropy.vjp("x")
def _(xp, g, x, target, weight, ignore_index, reduction, label_smoothing):
    target, weight = unwrap(target), unwrap(weight)
    raw, c, dtype = BACKENDS[type(target)].xp, _classes(x.shape), unwrap(g).dtype
    t = target.reshape(-1)
    w, divisor = _weights(raw, t, weight, ignore_index, reduction, dtype)
    towards = _one_hot(raw, t, c, w * (1 - label_smoothing) / divisor)  # what the gradient pulls at, per row and class
    if label_smoothing:
        even = ((t != ignore_index) * (label_smoothing / c)).astype(dtype) / divisor
        towards += even[:, None] * (1 if weight is None else weight)
    p = run(softmax, xp, _matrix(xp, x), axis=1)
    return _unmatrix(xp, _per_row(xp, g) * (p * _like(g, towards.sum(axis=1, keepdims=True)) - _like(g, towards)), x.shape)


@cross_entropy.kernel("numpy", vjp="x")
def _(xp, g, x, target, weight, ignore_index, reduction, label_smoothing):
    if label_smoothing:
        return cross_entropy.rules[0].fn(xp, g, x, target, weight, ignore_index, reduction, label_smoothing)
    rows, t = _matrix(xp, x), target.reshape(-1)
    w, divisor = _weights(xp, t, weight, ignore_index, reduction, x.dtype)
    p, total, _ = row_exponentials(rows)
    w = w * (g.reshape(-1) / divisor)
    p *= w[:, None] / total
    p[np.arange(len(t)), _safe(xp, t, ignore_index)] -= w
    return _unmatrix(xp, p, x.shape)


@op(broadcasts=False, fast=False, grad_name="NllLoss")
def cross_entropy_in_float32(xp, x, target, weight=None, ignore_index: int = -100, reduction: str = "mean", label_smoothing: float = 0.0):
    """cross_entropy of x.float(), for half precision: what autocast makes of it.  On a GPU nothing is stored in float32 but the loss."""
    return cross_entropy.forward(xp, _single(xp, x), target, weight, ignore_index, reduction, label_smoothing)


@cross_entropy_in_float32.vjp("x")
def _(xp, g, x, target, weight, ignore_index, reduction, label_smoothing):
    found = cross_entropy.rules[0].fn(xp, g, _single(xp, x), target, weight, ignore_index, reduction, label_smoothing)
    return xp.astype(found, unwrap(x).dtype)


cross_entropy.in_float32 = cross_entropy_in_float32


def _single(xp, x):
    """x in float32 where it is of half precision."""
    return xp.astype(x, np.float32) if unwrap(x).dtype.itemsize < 4 else x


# -- rows and targets --------------------------------------------------------------------------------------------------

def _matrix(xp, x):
    """(C) -> (1, C);  (N, C) as it is;  (N, C, *spatial) -> (N * spatial, C)."""
    if x.ndim == 2:
        return x
    return xp.reshape(x, (1, -1)) if x.ndim == 1 else xp.reshape(xp.moveaxis(x, 1, -1), (-1, x.shape[1]))


def _unmatrix(xp, rows, shape):
    """`_matrix`, undone."""
    if len(shape) < 3:
        return xp.reshape(rows, shape)
    return xp.moveaxis(xp.reshape(rows, (shape[0], *shape[2:], shape[1])), -1, 1)


def _classes(shape):
    return shape[1] if len(shape) > 1 else shape[0]


def _safe(xp, t, ignore_index):
    """Targets with 0 in place of the ignored ones."""
    if ignore_index >= 0 or xp is not np or (t.size and t.min() < 0):
        return xp.where(t == ignore_index, 0, t)
    return t


def _log_sum_exp(xp, rows):
    if xp is np and rows.size:
        _, total, high = row_exponentials(rows)
    else:
        high = rows.max(axis=1, keepdims=True)
        total = xp.exp(rows - high).sum(axis=1, keepdims=True)
    return (xp.log(total) + high)[:, 0]


def _picked(xp, rows, t, ignore_index):
    return rows[xp.arange(len(t)), _safe(xp, t, ignore_index)]


def _weights(xp, t, weight, ignore_index, reduction, dtype):
    """(weight of each row, 0 where it is ignored; divisor of the reduction)."""
    if weight is None and xp is np and not (t == ignore_index).any():
        return np.ones((), dtype), len(t) if reduction == "mean" and len(t) else np.nan if reduction == "mean" else 1
    w = (t != ignore_index).astype(dtype)
    if weight is not None:
        w = w * weight[_safe(xp, t, ignore_index)]
    return w, w.sum() if reduction == "mean" else 1


def _one_hot(xp, t, classes, values):
    """(rows, classes) with `values` (per row, or one) at the targets and 0 elsewhere."""
    hit = xp.arange(classes) == t[:, None]
    return hit * (values[:, None] if getattr(values, "ndim", 0) else values)


def _per_row(xp, g):
    """The gradient of the loss as a column, or a number that all rows share."""
    return xp.reshape(g, (-1, 1))


def _like(g, array):
    """A constant for a gradient rule: a Tensor when `g` is one."""
    return wrap(array) if isinstance(g, Tensor) else array


def _reduced(loss, divisor, shape, reduction):
    if reduction == "none":
        return loss.reshape(shape)
    return loss.sum() / divisor if reduction == "mean" else loss.sum()


def _checked(xp, x, target, weight, ignore_index):
    """Targets as a vector.  Errors in torch's words for classes that do not fit."""
    if target.dtype.kind not in "iu":
        raise RuntimeError(f"expected scalar type Long but found {target.dtype}: class indexes are integers, and probabilities have the "
                           "input's shape")
    classes = _classes(x.shape)
    if weight is not None and weight.shape != (classes,):
        raise RuntimeError(f"weight tensor should be defined either for all {classes} classes or no classes but got weight tensor of "
                           f"shape: {list(weight.shape)}")
    t = target.reshape(-1)
    if xp is np and t.size:  # a check on the GPU would make the host wait
        low, high = int(t.min()), int(t.max())
        if low < 0 or high >= classes:
            wrong = t[((t < 0) | (t >= classes)) & (t != ignore_index)]
            if wrong.size:
                raise IndexError(f"Target {int(wrong[0])} is out of bounds: there are {classes} classes, numbered from 0")
    return t
