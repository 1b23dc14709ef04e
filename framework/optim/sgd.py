"""Stochastic gradient descent."""
from ._hyper import check_from_zero, check_implementation, check_lr, number, zeros_state
from ._rule import descent, rule
from .optimizer import RuleOptimizer

__all__ = ["SGD"]


@rule
def sgd(xp, p, g, velocity, *, lr, momentum, gain, weight_decay, nesterov, maximize):
    """velocity = momentum * velocity + gain * g;  p -= lr * velocity (nesterov: lr * (g + momentum * velocity))."""
    g = descent(p, g, weight_decay, maximize)
    if velocity is not None:
        velocity *= momentum
        velocity += gain * g
        g = g + momentum * velocity if nesterov else velocity
    p -= lr * g
    return p, velocity


class SGD(RuleOptimizer):
    """Stochastic gradient descent, with momentum (Sutskever et al. 2013, "On the importance of initialization and momentum").

    lr: learning rate, a number or a tensor of one element;  momentum, dampening: velocity = momentum * velocity + (1 - dampening) *
    gradient, where the first velocity is the first gradient;  weight_decay: factor of an L2 penalty;  nesterov: look ahead along the
    velocity; maximize: climb instead of descend.  foreach, fused: accepted, the same update either way.  differentiable: record the step.
    ValueError for a negative rate, and for nesterov without momentum or with dampening.
    """

    def __init__(self, params, lr=1e-3, momentum=0, dampening=0, weight_decay=0, nesterov=False, *, maximize=False, foreach=None,
                 differentiable=False, fused=None):
        check_lr(lr)
        check_from_zero("momentum value", momentum)
        check_from_zero("weight_decay value", weight_decay)
        if nesterov and (momentum <= 0 or dampening != 0):
            raise ValueError("Nesterov momentum requires a momentum and zero dampening")
        check_implementation(foreach, fused, differentiable)
        super().__init__(params, {"lr": lr, "momentum": momentum, "dampening": dampening, "weight_decay": weight_decay,
                                  "nesterov": nesterov, "maximize": maximize, "foreach": foreach, "differentiable": differentiable,
                                  "fused": fused})

    def keeps_state(self, group):
        """Only momentum needs any."""
        return group["momentum"] != 0

    def update(self, param, grad, state, group):
        """See `sgd` above."""
        momentum, first = group["momentum"], state.get("momentum_buffer") is None
        if momentum and first:
            state["momentum_buffer"] = zeros_state(param)
        self.apply(sgd, group, param, grad, state, ("momentum_buffer",), lr=number(group["lr"], group, param),
                   momentum=momentum, gain=1.0 if first else 1.0 - group["dampening"],
                   weight_decay=number(group["weight_decay"], group, param), nesterov=group["nesterov"], maximize=group["maximize"])
