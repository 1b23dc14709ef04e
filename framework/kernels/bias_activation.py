"""The gradient of a bias with an activation: one launch for the features, and the sum of its rows.  The op itself is a body of elementwise.py."""
from ..ops.bias_activation import GRADIENT_CUDA, bias_activation, sum_over_rows
from .elementwise import Body

GRADIENT = Body("bias_activation_dx", GRADIENT_CUDA, ("g", "x", "bias"), {"activation": str}, "d")


def backward(xp, g, x, bias, activation, needs):
    """The gradients of the op `bias_activation` on CuPy arrays."""
    gx = GRADIENT(xp, (g, x, bias), {"activation": activation})
    if gx is None:
        return bias_activation.rules[0].formula(xp, g, x, bias, activation, needs)
    return gx, sum_over_rows(xp, gx) if needs[1] else None


def register():
    """Put the kernel in the place of the rule on CuPy arrays."""
    bias_activation.kernel("cupy", vjp="x")(backward)
