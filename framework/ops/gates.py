"""Gates: one part of the features multiplied by an activation of the other.  Shazeer 2020, arXiv:2002.05202."""
from .._core.op import op
from .._core.promotion import same
from ._layer_types import floats_only
from ._run import run
from .bias_activation import ACTIVATIONS as OTHERS
from .bias_activation import slope
from .exponential import sigmoid

ACTIVATIONS = {"sigmoid": sigmoid, **OTHERS}


def _slope(xp, g, x, activation):
    """g times the derivative of an activation at x."""
    return sigmoid.rules[0].fn(xp, g, run(sigmoid, xp, x)) if activation == "sigmoid" else slope(xp, g, x, activation)


@op(promote=same, broadcasts=False)
def gated(xp, x, y, activation: str = "silu"):
    """activation(x) * y, elementwise, of one shape: SwiGLU ("silu"), GeGLU ("gelu"), ReGLU ("relu") or the first of them, GLU ("sigmoid")."""
    if activation not in ACTIVATIONS:
        raise ValueError(f"gated: the activations are {', '.join(ACTIVATIONS)}, got {activation!r}")
    if x.shape != y.shape:
        raise RuntimeError(f"gated: both inputs must have one shape, got {list(x.shape)} and {list(y.shape)}")
    return run(ACTIVATIONS[activation], xp, x) * y


@gated.vjp("x", "y")
def _(xp, g, x, y, activation, needs):
    return (_slope(xp, g * y, x, activation) if needs[0] else None, g * run(ACTIVATIONS[activation], xp, x) if needs[1] else None)


@op(promote=floats_only("glu"), grad_name="Glu")
def glu(xp, x, axis: int):
    """a * sigmoid(b) for the two halves a, b of x along `axis`.  (*, 2n, *) -> (*, n, *).  Dauphin et al. 2016, arXiv:1612.08083."""
    a, b = halves(x, axis)
    return a * run(sigmoid, xp, b)


def halves(x, axis):
    """The two halves along `axis`, counted from the front."""
    n, before = x.shape[axis] // 2, (slice(None),) * axis
    return x[(*before, slice(n))], x[(*before, slice(n, None))]


@glu.vjp("x")
def _(xp, g, x, axis):
    a, b = halves(x, axis)
    s = run(sigmoid, xp, b)
    return xp.concatenate([g * s, g * a * s * (1 - s)], axis)
