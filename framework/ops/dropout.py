"""Dropout: a random mask, and its application; on a GPU both at once."""
from .. import _rng
from .._backends import BACKENDS, philox
from .._core.op import op
from .._core.tensor import Tensor, unwrap, wrap
from ._layer_types import floats_only, like_first


def keep_scale(p):
    """What is left is multiplied by this, so that the mean stays."""
    return 1 / (1 - p) if p < 1 else 0.0


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


@op(promote=floats_only("dropout"), random=True, broadcasts=False, grad_name="NativeDropout")
def drop(xp, x, drawn, p: float):
    """masked_scale of x and a mask that is drawn, with keep_scale(p).

    drawn: what was drawn is written into it: the mask, or by the kernel, which keeps none, the state {seed, counter} that it is drawn from again, (2)
    int64
    """
    drawn[...] = keep_mask.forward(xp, x, p)
    return masked_scale.forward(xp, x, drawn, keep_scale(p))


@drop.vjp("x")
def _(xp, g, drawn, p):
    return g * mask_of(drawn, g.shape, p) * keep_scale(p)


def mask_of(drawn, shape, p):
    """The mask from what `drop` has written."""
    raw = unwrap(drawn)
    if raw.dtype.kind == "b":
        return drawn
    mask = philox.below(BACKENDS[type(raw)].xp, raw, 0, shape, 1.0 - p)
    return wrap(mask) if isinstance(drawn, Tensor) else mask
