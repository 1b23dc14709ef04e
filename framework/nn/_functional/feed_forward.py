"""A linear layer with its activation, and two with one between: names of ours.  On a GPU the activation may come with the product."""
from ... import ops
from ..._calls import modes
from ..._core.tensor import Tensor
from ..._dtypes import is_half
from ..._state import state
from ...ops.feed_forward import FUSED_ON
from .activation import gelu, relu, silu
from .sparse import linear

ACTIVATIONS = {"relu": relu, "gelu": gelu, "gelu_tanh": lambda h: gelu(h, "tanh"), "silu": silu}


def linear_activation(input, weight, bias=None, activation="relu"):
    """activation(linear(input, weight, bias)).  A function of ringgrad's own.

    input: (*, in), weight: (out, in), bias: (out) -> (*, out);  activation: "relu", "gelu" (of erf), "gelu_tanh" or "silu", else ValueError.
    On a GPU the same values with fewer launches: cuBLASLt's, where it computes the same function, for "gelu_tanh" in half precision.
    """
    _check(activation)
    if not fuses(input, weight, activation):
        return ACTIVATIONS[activation](linear(input, weight, bias))
    return ops.linear_relu(input, weight, bias) if activation == "relu" else ops.linear_activation(input, weight, bias, activation)[0]


def feed_forward(input, weight1, bias1, weight2, bias2, activation="gelu"):
    """linear(activation(linear(input, weight1, bias1)), weight2, bias2).  A function of ringgrad's own.

    input: (*, in), weight1: (hidden, in), bias1: (hidden) or None, weight2: (out, hidden), bias2: (out) or None -> (*, out)
    activation: as in `linear_activation`.  On a GPU its gradient comes with the product before it, for "gelu_tanh" in half precision.
    """
    _check(activation)
    if activation == "relu" or not fuses(input, weight1, activation):
        return linear(linear_activation(input, weight1, bias1, activation), weight2, bias2)
    return ops.feed_forward(input, weight1, weight2, bias1, bias2, activation)[0]


def _check(activation):
    if activation not in ACTIVATIONS:
        raise ValueError(f"the activations are {', '.join(ACTIVATIONS)}, got {activation!r}")


def fuses(input, weight, activation):
    """Whether a linear layer and an activation of its result are worth one operation, and nobody looks at each: on a GPU, ReLU, which does not keep
    the sum, and the tanh form of GELU in half precision, under autocast too.
    """
    if not FUSED_ON or type(input) is not Tensor or type(input._data) not in FUSED_ON or modes.stack or weight.ndim != 2:
        return False
    tracer = state.tracer
    lowers = tracer is not None and getattr(tracer, "is_autocast", False) and tracer.outer is None
    if tracer is not None and not lowers:
        return False
    return activation == "relu" or activation == "gelu_tanh" and (lowers or is_half(weight._data.dtype))


__all__ = ["feed_forward", "linear_activation"]
