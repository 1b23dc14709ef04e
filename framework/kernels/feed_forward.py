"""Feed-forward networks on CuPy arrays: GELU and its gradient within cuBLASLt's products, where it computes the same; else kernels after them.

The library's GELU is the tanh form, of a precision that is not documented, so it is for halves only; its ReLU is reported to give 0 for nan
(developer forum, 329783), which would hide what went wrong.  So ReLU, the GELU of erf and SiLU are one launch after the product that adds the bias.
What the library refuses, it refuses once for a plan.
"""
from .._backends import BACKENDS
from ..ops._run import run
from ..ops.activation import relu
from ..ops.bias_activation import bias_activation
from ..ops.feed_forward import FUSED_ON, activated, feed_forward, linear_activation, linear_relu, slope, total
from ..ops.matmul import matmul
from .gemm import affine, product, weight_and_bias

HALVES = "eE"  # codes of the types for which the library's GELU is precise enough


def relu_forward(xp, x, weight, bias=None):
    """The op `linear_relu`.  Where the product cannot add the bias, it is added with the activation."""
    if bias is None or not _fits(x, weight, bias):
        return run(relu, xp, affine(xp, x, weight, bias))
    h = product(xp, x, weight.T, bias, epilogue="bias")
    return relu.kernels[xp.ndarray](xp, h) if h is not None else run(bias_activation, xp, affine(xp, x, weight), bias, activation="relu")


def relu_backward(xp, g, out, x, weight, needs):
    """Its gradients."""
    return gradients(xp, slope(xp, g, None, out, "relu"), x, weight, needs)


def activation_forward(xp, x, weight, bias=None, activation="gelu"):
    """The op `linear_activation`."""
    if activation == "gelu_tanh" and x.dtype.char in HALVES and x.ndim and weight.ndim == 2 and (bias is None or _fits(x, weight, bias)):
        h = xp.empty((*x.shape[:-1], weight.shape[0]), x.dtype)
        out = product(xp, x, weight.T, bias, h, "gelu" if bias is None else "bias, gelu")
        if out is not None:
            return out, h
    h = affine(xp, x, weight, bias)
    return activated(xp, h, activation), h


def activation_backward(xp, g, out, x, weight, activation, needs):
    """Its gradients."""
    return gradients(xp, total(slope(xp, g[0], out[1], None, activation), g[1]), x, weight, needs)


def network_forward(xp, x, weight, weight2, bias=None, bias2=None, activation="gelu"):
    """The op `feed_forward`."""
    a, h = activation_forward(xp, x, weight, bias, activation)
    return affine(xp, a, weight2, bias2), a, h


def network_backward(xp, g, out, x, weight, weight2, activation, needs):
    """Its gradients.  The slope of GELU, and the sums for the first bias, come with the product that gives the gradient of what lies between."""
    _, a, h = out
    if g[0] is None or g[1] is not None or g[2] is not None:
        return feed_forward.rules[0].formula(xp, g, out, x, weight, weight2, activation, needs)
    _, gw2, gb2 = gradients(xp, g[0], a, None, (False, needs[2], needs[4]))
    if not (needs[0] or needs[1] or needs[3]):
        return None, None, gw2, None, gb2
    gh, gb = _of_the_sum(xp, g[0], weight2, h, a, activation, needs[3])
    gx, gw, later = gradients(xp, gh, x, weight, (needs[0], needs[1], needs[3] and gb is None))
    return gx, gw, gw2, later if gb is None else gb, gb2


def _of_the_sum(xp, g, weight2, h, a, activation, sums):
    """(the gradient of h, that of the bias in it or None) of a = activation(h), y = a @ weight2.T + bias2, for y's gradient g."""
    if activation == "gelu_tanh" and h.dtype.char in HALVES and g.dtype == h.dtype and h.flags.c_contiguous:
        gb = xp.empty(h.shape[-1:], h.dtype) if sums else None
        for vector, epilogue in ((gb, "gelu slope and sums"), (None, "gelu slope")) if sums else ((None, "gelu slope"),):
            gh = product(xp, g, weight2, vector, h, epilogue)
            if gh is not None:
                return gh, vector
    return slope(xp, run(matmul, xp, g, weight2), h, a, activation), None


def gradients(xp, g, x, weight, needs):
    """The gradients of `linear` for x, weight and bias, where they are wanted, and else None."""
    return run(matmul, xp, g, weight) if needs[0] else None, *(weight_and_bias(xp, g, x, needs[1:]) if needs[1] or needs[2] else (None, None))


def _fits(x, weight, bias):
    """Whether a bias may be told to the library; shapes and types that do not fit are refused by the formula."""
    return weight.ndim == 2 and bias.shape == weight.shape[:1] and bias.dtype == x.dtype and bias.flags.c_contiguous


def register():
    """Put these in the place of the formulas on CuPy arrays, and let layers know."""
    for op, forward, backward in ((linear_relu, relu_forward, relu_backward), (linear_activation, activation_forward, activation_backward),
                                  (feed_forward, network_forward, network_backward)):
        op.kernel("cupy")(forward)
        op.kernel("cupy", vjp="x")(backward)
    FUSED_ON.update(kind for kind, backend in BACKENDS.items() if backend.name == "cupy")
