"""Dropout: a random mask, and its application."""
from .. import _rng
from .._core.op import op
from ._layer_types import like_first


@op(random=True)
def keep_mask(xp, x, p: float, shape: tuple = None):
    """Booleans of `shape` (default: that of x), each True with probability 1 - p."""
    return _rng.generator_beside(x).below(x.shape if shape is None else shape, 1.0 - p)


@op(promote=like_first, broadcasts=False)
def masked_scale(xp, x, mask, scale: float):
    """x * scale where the mask, which broadcasts to x, is True, and 0 elsewhere.  Srivastava et al. 2014."""
    y = xp.multiply(x, mask)
    y *= scale
    return y


@masked_scale.vjp("x")
def _(xp, g, mask, scale):
    return g * mask * scale


@masked_scale.kernel("numpy", vjp="x")
def _(xp, g, mask, scale):
    return masked_scale.forward(xp, g, mask, scale)
