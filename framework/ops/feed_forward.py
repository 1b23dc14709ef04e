"""A linear layer with an activation after it, and two with one between: feed-forward networks.

The formulas are those of `linear` and of the activations, one after the other.  On a GPU the activation and its gradient may come with a product
(kernels/feed_forward.py); everywhere else the operations themselves do the same, so layers come here for arrays in FUSED_ON only.
"""
from .._backends import BACKENDS
from .._core.op import op
from .._core.tensor import Tensor
from ._layer_types import one_type
from ._run import run
from .activation import gelu, relu, silu
from .linear import linear

ACTIVATIONS = {"relu": (relu, {}), "gelu": (gelu, {"approximate": "none"}), "gelu_tanh": (gelu, {"approximate": "tanh"}), "silu": (silu, {})}
FUSED_ON = set()  # types of arrays on which kernels have a quicker way than the operations one by one; empty without a GPU


def activated(xp, h, activation):
    """An activation of `h`.  ValueError for one that there is not."""
    if activation not in ACTIVATIONS:
        raise ValueError(f"linear_activation, feed_forward: the activations are {', '.join(ACTIVATIONS)}, got {activation!r}")
    function, options = ACTIVATIONS[activation]
    return run(function, xp, h, **options)


def slope(xp, g, h, out, activation):
    """g times the derivative of an activation at `h`, by its kernel where it has one; None for no g.  out: its result, or None."""
    if g is None:
        return None
    function, options = ACTIVATIONS[activation]
    rule, read = function.rules[0], h
    if function is relu:  # whose rule reads the result
        read = run(relu, xp, h) if out is None else out
    fn = rule.fn if isinstance(read, Tensor) else function.rule_for(rule, BACKENDS[type(read)])
    return fn(xp, g, read, **options)


@op(promote=one_type("linear"), grad_name="Relu", broadcasts=False, half=True)
def linear_relu(xp, x, weight, bias=None):
    """max(x @ weight.T + bias, 0).  x: (*, in), weight: (out, in), bias: (out) -> (*, out).  Its rule reads the result, and not the sum."""
    return activated(xp, run(linear, xp, x, weight, bias), "relu")


@linear_relu.vjp("x", "weight", "bias", reads={"x": ("weight",), "weight": ("x",)})
def _(xp, g, out, x, weight, needs):
    return gradients(xp, slope(xp, g, None, out, "relu"), x, weight, needs)


@op(promote=one_type("linear"), grad_name="Gelu", fast=False, broadcasts=False, half=True)
def linear_activation(xp, x, weight, bias=None, activation: str = "gelu"):
    """(activation(h), h), h = x @ weight.T + bias.  x: (*, in), weight: (out, in), bias: (out) -> twice (*, out); the second is for the rule.

    activation: one of ACTIVATIONS;  for "relu" alone `linear_relu` keeps less
    """
    h = run(linear, xp, x, weight, bias)
    return activated(xp, h, activation), h


linear_activation.gives_away = 1


@linear_activation.vjp("x", "weight", "bias", reads={"x": ("weight",), "weight": ("x",)})
def _(xp, g, out, x, weight, activation, needs):
    return gradients(xp, total(slope(xp, g[0], out[1], None, activation), g[1]), x, weight, needs)


@op(promote=one_type("linear", "input", "weight", "weight2", "bias", "bias2"), grad_name="Addmm", fast=False, broadcasts=False, half=True)
def feed_forward(xp, x, weight, weight2, bias=None, bias2=None, activation: str = "gelu"):
    """(a @ weight2.T + bias2, a, h), a = activation(h), h = x @ weight.T + bias; a and h are for the rule.

    x: (*, in), weight: (hidden, in), bias: (hidden), weight2: (out, hidden), bias2: (out) -> (*, out), (*, hidden), (*, hidden)
    """
    a, h = run(linear_activation, xp, x, weight, bias, activation=activation)
    return run(linear, xp, a, weight2, bias2), a, h


feed_forward.gives_away = 1


@feed_forward.vjp("x", "weight", "weight2", "bias", "bias2", reads={"x": ("weight",), "weight": ("x",), "weight2": ("x", "weight", "bias")})
def _(xp, g, out, x, weight, weight2, activation, needs):
    _, a, h = out
    first, ga, gw2, gb2 = needs[0] or needs[1] or needs[3], None, None, None
    if g[0] is not None:
        ga, gw2, gb2 = gradients(xp, g[0], a, weight2, (first, needs[2], needs[4]))
    if not first:
        return None, None, gw2, None, gb2
    gh = total(slope(xp, total(ga, g[1]), h, a, activation), g[2])  # g[1] and g[2] are there where a gradient is differentiated itself
    gx, gw, gb = gradients(xp, gh, x, weight, (needs[0], needs[1], needs[3]))
    return gx, gw, gw2, gb, gb2


def gradients(xp, g, x, weight, needs):
    """The gradients of `linear` for x, weight and bias, where they are wanted, and else None: its three rules."""
    of_x, of_weight, of_bias = (rule.fn for rule in linear.rules)
    return (of_x(xp, g, weight) if needs[0] else None, of_weight(xp, g, x) if needs[1] else None, of_bias(xp, g) if needs[2] else None)


def total(a, b):
    """The sum of two gradients of which one may be missing."""
    return b if a is None else a if b is None else a + b
