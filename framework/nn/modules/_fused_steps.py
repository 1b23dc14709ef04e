"""Linear layers, the activations behind them and the linear layers behind those, run as one operation where nobody would see a difference.

It is the operation alone that is another one: hooks, subclasses, functions or methods put in the place of ours, and modes that look at each call or
operation all lead to the modules one by one.  nn/_functional/feed_forward.py says when an operation is worth it.
"""
from ... import ops
from ...ops.feed_forward import FUSED_ON
from .. import functional as F
from .._functional.feed_forward import fuses
from ._hooks import GLOBAL_BACKWARD, GLOBAL_BACKWARD_PRE, GLOBAL_FORWARD, GLOBAL_FORWARD_PRE
from .activation import GELU, ReLU
from .dropout import Dropout
from .linear import Linear
from .module import Module

OURS = Module.__call__, Linear.forward, ReLU.forward, GELU.forward, Dropout.forward, F.linear, F.relu, F.dropout  # as they were made


def activated(linear, activation, x):
    """activation(linear(x)), of a linear layer and a module or function."""
    name = _together(linear, activation, x) if FUSED_ON and _untouched() else None
    return activation(linear(x)) if name is None else _layer(linear, name, x)


def run(modules, x):
    """What `modules` make of `x`, which is on a GPU, one after the other, as Sequential has them."""
    modules, at, ours = list(modules), 0, _untouched()
    while at < len(modules):
        first, behind = modules[at], modules[at + 1:at + 4] if ours and modules[at].__class__ is Linear else ()
        name = _together(first, behind[0], x) if behind else None
        if name is None:
            x, at = first(x), at + 1
            continue
        skipped = 1 if len(behind) > 1 and _does_nothing(behind[1]) else 0
        second = behind[1 + skipped] if len(behind) > 1 + skipped else None
        if name != "relu" and _plain(second, Linear):
            x, at = ops.feed_forward(x, first.weight, second.weight, first.bias, second.bias, name)[0], at + 3 + skipped
        else:
            x, at = _layer(first, name, x), at + 2
    return x


def _layer(linear, name, x):
    """A linear layer with the activation of this name."""
    if name == "relu":
        return ops.linear_relu(x, linear.weight, linear.bias)
    return ops.linear_activation(x, linear.weight, linear.bias, name)[0]


def _together(linear, activation, x):
    """What `linear_activation` calls the activation, where it is worth doing both at once and these two are the plain ones; else None."""
    name = _name(activation)
    return name if name and _plain(linear, Linear) and fuses(x, linear.weight, name) else None


def _name(activation):
    """What `linear_activation` calls an activation that may be worth it; None for another."""
    if activation is F.relu or _plain(activation, ReLU):
        return "relu"
    return "gelu_tanh" if _plain(activation, GELU) and activation.approximate == "tanh" else None


def _plain(module, kind):
    """Whether a module is exactly of a class, without hooks or a forward of its own."""
    return module.__class__ is kind and not (module._forward_hooks or module._forward_pre_hooks or module._backward_hooks
                                             or module._backward_pre_hooks or "forward" in module.__dict__)


def _does_nothing(module):
    """Whether a module is a dropout that lets everything through."""
    return _plain(module, Dropout) and (not module.training or not module.p)


def _untouched():
    """Whether there are no hooks on all modules, and no program has put something in the place of our functions and methods."""
    now = Module.__call__, Linear.forward, ReLU.forward, GELU.forward, Dropout.forward, F.linear, F.relu, F.dropout
    return now == OURS and not (GLOBAL_FORWARD or GLOBAL_FORWARD_PRE or GLOBAL_BACKWARD or GLOBAL_BACKWARD_PRE)
