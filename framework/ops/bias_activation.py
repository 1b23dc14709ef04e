"""A bias added to features and an activation of the sum, in one pass: what follows the product of a linear layer."""
from .._core.op import op
from .._core.promotion import same
from ._run import run
from .activation import gelu, relu, silu
from .reductions import sum_

ACTIVATIONS = {"relu": relu, "gelu": gelu, "silu": silu}
CUDA = {
    "relu": "const auto v = x + bias; out = v < 0 ? 0 : v",
    "gelu": "const auto v = x + bias; out = v * ((1 + erf(v * (A)0.7071067811865476)) / 2)",
    "silu": "const auto v = x + bias; out = v / (1 + exp(-v))",
}
GRADIENT_CUDA = {
    "relu": "const auto v = x + bias; d = v < 0 || v == 0 ? 0 : g",
    "gelu": "const auto v = x + bias; d = g * ((1 + erf(v * (A)0.7071067811865476)) / 2 + v * (exp(v * v / -2) * (A)0.3989422804014327))",
    "silu": "const auto v = x + bias, s = 1 / (1 + exp(-v)); d = g * (s * (1 + v * (1 - s)))",
}


@op(promote=same, broadcasts=False, cuda=CUDA)
def bias_activation(xp, x, bias, activation: str = "relu"):
    """activation(x + bias), activation "relu", "gelu" (of erf) or "silu".  x: (*, n);  bias: (n) -> (*, n)"""
    if activation not in ACTIVATIONS:
        raise ValueError(f"bias_activation: the activations are {', '.join(ACTIVATIONS)}, got {activation!r}")
    if bias.shape != x.shape[-1:]:
        raise RuntimeError(f"bias_activation: a bias for {x.shape[-1] if x.ndim else 'no'} features was expected, got shape {list(bias.shape)}")
    return run(ACTIVATIONS[activation], xp, x + bias)


@bias_activation.vjp("x", "bias")
def _(xp, g, x, bias, activation, needs):
    gx = slope(xp, g, x + bias, activation)
    return gx, sum_over_rows(xp, gx) if needs[1] else None


def slope(xp, g, v, activation):
    """g times the derivative of an activation at v."""
    rule = ACTIVATIONS[activation].rules[0].fn
    if activation == "relu":  # which reads its output
        return rule(xp, g, run(relu, xp, v))
    return rule(xp, g, v, "none") if activation == "gelu" else rule(xp, g, v)


def sum_over_rows(xp, gx):
    """(*, n) -> (n)"""
    return run(sum_, xp, gx, axis=tuple(range(gx.ndim - 1)), keepdims=False) if gx.ndim > 1 else gx
