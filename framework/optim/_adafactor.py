"""Adafactor."""
import numpy as np

from .. import _dtypes
from .._backends import of_array
from .._core.hooks import written
from .._functional.dtypes import finfo
from ._hyper import check_lr_size, lives_on_device, number, scalar_state
from ._rule_optimizer import RuleOptimizer

__all__ = ["Adafactor"]


class Adafactor(RuleOptimizer):
    """Adafactor (Shazeer and Stern 2018, arXiv:1804.04235): the average of squared gradients of a matrix is kept as a row times a column.

    lr: upper bound of the relative step size, and the rate of the weight decay;  beta2_decay: the average at step t keeps 1 - t^beta2_decay;
    eps: (floor of the denominator, by default the machine epsilon; floor of the parameter's scale);  d: updates whose root mean square
    exceeds it are scaled down;  weight_decay: decoupled, as in AdamW;  foreach: accepted, the same update either way;  maximize: climb.
    A parameter of n dimensions (..., R, C) keeps row_var (..., R, 1) and col_var (..., 1, C); a vector keeps `variance`.
    In a step that is to be captured the scales are scalars of the device, so that the host does not wait; else they are Python numbers.
    """

    def __init__(self, params, lr=1e-2, beta2_decay=-0.8, eps=(None, 1e-3), d=1.0, weight_decay=0.0, *, foreach=None, maximize=False):
        check_lr_size(lr)
        for what, value, holds in (("Learning rate should be >= 0", lr, lr >= 0.0), ("beta2_decay should be <= 0", beta2_decay, beta2_decay <= 0.0),
                                   ("epsilon1 should be >= 0", eps[0], eps[0] is None or eps[0] >= 0.0),
                                   ("epsilon2 should be >= 0", eps[1], eps[1] >= 0.0), ("Clipping threshold d should be >= 1", d, d >= 1.0),
                                   ("weight_decay should be >= 0", weight_decay, weight_decay >= 0.0)):
            if not holds:
                raise ValueError(f"{what} but is: {value}")
        super().__init__(params, {"lr": lr, "beta2_decay": beta2_decay, "eps": eps, "d": d, "weight_decay": weight_decay,
                                  "foreach": foreach, "maximize": maximize})

    def init_state(self, state, param, group):
        """No updates yet, and averages of zero: a row and a column, or a vector."""
        if param.is_complex():
            raise RuntimeError("Adafactor does not support complex parameters")
        grad = param.grad
        state["step"] = scalar_state(0.0, group, param)
        if grad.dim() > 1:
            state["row_var"] = grad.new_zeros([*grad.shape[:-1], 1])
            state["col_var"] = grad.new_zeros([*grad.shape[:-2], 1, grad.shape[-1]])
        else:
            state["variance"] = grad.new_zeros(grad.shape)

    def update(self, param, grad, state, group):
        """One step in float32 or better; the results are rounded once."""
        count = self.count_step(state, param, group)
        if not param.numel():
            return
        lr, (eps1, eps2) = number(group["lr"], {}, param), group["eps"]
        eps1 = float(finfo(param.dtype).eps) if eps1 is None else eps1
        kept = 1 - count ** group["beta2_decay"]
        backend = of_array(param._data)
        with backend.on_device_of(param._data):
            xp, p, g = backend.xp, _wide(param._data), _wide(grad._data)
            on_device = lives_on_device(group, param)
            larger, smaller, rms = (xp.maximum, xp.minimum, _rms_on_device) if on_device else (max, min, _rms)
            step_size = larger(eps2, rms(xp, p)) * smaller(lr, 1 / count**0.5)
            if group["weight_decay"] != 0:
                p = p * (1 - lr * group["weight_decay"])
            if group["maximize"]:
                g = -g
            estimate = _matrix_variance(xp, g, state, kept, eps1) if g.ndim > 1 else _averaged(state["variance"], g * g, kept)
            update = g / xp.sqrt(xp.maximum(estimate, eps1 * eps1))
            scale = step_size / larger(1.0, rms(xp, update) / group["d"])
            param._data[...] = (p - update * scale).astype(param._data.dtype)
        written(param)


def _wide(a):
    return a.astype(np.float32) if _dtypes.is_half(a.dtype) else a


def _rms(xp, a):
    """The root of the mean square, as a Python number."""
    flat = a.reshape(-1)
    return float(xp.sqrt(xp.vdot(flat, flat))) / flat.size**0.5


def _rms_on_device(xp, a):
    """The root of the mean square, as a 0-d array."""
    return xp.sqrt((a * a).mean())


def _averaged(average, value, kept):
    """kept * average + (1 - kept) * value, written into the tensor `average` and returned unrounded."""
    old = _wide(average._data)
    new = old + (value - old) * (1 - kept)
    average._data[...] = new.astype(average._data.dtype)
    written(average)
    return new


def _matrix_variance(xp, g, state, kept, eps1):
    """The outer product of the row and column averages of g^2, over the mean of the rows.  g: (..., R, C) -> (..., R, C)."""
    squares = g * g
    row = _averaged(state["row_var"], squares.mean(axis=-1, keepdims=True), kept)
    column = _averaged(state["col_var"], squares.mean(axis=-2, keepdims=True), kept)
    return row * column / xp.maximum(row.mean(axis=-2, keepdims=True), eps1)
