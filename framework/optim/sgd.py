"""Stochastic gradient descent."""
import numpy as np

from .._core.tensor import Tensor
from . import _multi_tensor, _on_device
from ._functional_form import functional_form
from ._hyper import check_from_zero, check_implementation, check_lr, number, zeros_state
from ._rule import descent, rule
from ._rule_optimizer import RuleOptimizer

__all__ = ["SGD", "sgd"]


@rule
def sgd_rule(xp, p, g, velocity, *, lr, momentum, gain, weight_decay, nesterov, maximize):
    """velocity = momentum * velocity + gain * g;  p -= lr * velocity (nesterov: lr * (g + momentum * velocity))."""
    g = descent(p, g, weight_decay, maximize)
    if velocity is not None:
        velocity *= momentum
        velocity += g if gain == 1 else gain * g
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
        self._step_supports_amp_scaling = bool(fused)

    def keeps_state(self, group):
        """Only momentum needs any."""
        return group["momentum"] != 0

    def check_sparse(self, group):
        """Sparse gradients move the elements that they name; momentum and weight decay would move all."""
        if group["momentum"] or group["weight_decay"]:
            raise RuntimeError("SGD takes sparse gradients without momentum and weight_decay only, please consider SparseAdam instead")

    def one_launch(self, group):
        """Whether `update_group` updates the group in one launch on a GPU, and may leave the step out when an inf was found."""
        plain = not isinstance(group["weight_decay"], Tensor) and not group["dampening"]
        return plain and _on_device.parameters(group)[0] is not None

    def init_velocity(self, param, like):
        """A velocity of zero for a parameter without one, in the type of `like`."""
        self.state[param]["momentum_buffer"] = zeros_state(like)

    def update_group(self, group):
        """Without momentum nothing is kept, and the same numbers serve all parameters on the CPU: one loop over all of them.

        On a GPU all parameters at once, where they allow it.
        """
        if _multi_tensor.sgd(self, group):
            return
        if group["momentum"] or group["differentiable"] or "master_weights" in group:
            super().update_group(group)
            return
        pairs = []
        for p in group["params"]:
            grad = p.grad
            if grad is None:
                continue
            if type(grad._data) is np.ndarray:
                pairs.append((p, self.clipped(grad)))
            else:
                self.update_one(p, grad, group)
        if pairs:
            sgd_rule.on_all(pairs, **self._numbers(group, pairs[0][0], True))

    def update(self, param, grad, state, group):
        """See `sgd_rule` above."""
        momentum, first = group["momentum"], state.get("momentum_buffer") is None
        if momentum and first:
            state["momentum_buffer"] = zeros_state(param)
        numbers = self._numbers(group, param, first)
        self.apply(sgd_rule, group, param, grad, state, ("momentum_buffer",), **numbers)

    def _numbers(self, group, param, first):
        return {"lr": number(group["lr"], group, param), "momentum": group["momentum"], "gain": 1.0 if first else 1.0 - group["dampening"],
                "weight_decay": number(group["weight_decay"], group, param), "nesterov": group["nesterov"], "maximize": group["maximize"]}


sgd = functional_form("sgd", SGD, ("momentum_buffer",))
