"""Adagrad."""
from ._functional_form import functional_form
from ._hyper import check_from_zero, check_implementation, check_lr, number, scalar_state, zeros_state
from ._rule import descent, rule
from ._rule_optimizer import RuleOptimizer

__all__ = ["Adagrad", "adagrad"]


@rule(cuda="g = descent(p, g, weight_decay, maximize); total += g * g; p -= g / (sqrt(total) + eps) * rate;",
      factors="rate = lr / (1 + (count - 1) * lr_decay);", options=("lr", "lr_decay", "eps", "weight_decay", "maximize"))
def adagrad_rule(xp, p, g, total, *, rate, eps, weight_decay, maximize):
    """total += g^2;  p -= rate * g / (sqrt(total) + eps)."""
    g = descent(p, g, weight_decay, maximize)
    total += g * g
    p -= g / (xp.sqrt(total) + eps) * rate
    return p, total


class Adagrad(RuleOptimizer):
    """Adagrad (Duchi et al. 2011, JMLR 12): each element's rate falls with the sum of its squared gradients.

    lr: learning rate;  lr_decay: the rate is lr / (1 + updates * lr_decay);  weight_decay: factor of an L2 penalty;
    initial_accumulator_value: what the sums begin with;  eps: added to the denominator;  maximize: climb instead of descend;
    foreach, fused: accepted, the same update either way;  differentiable: record the step.
    """

    def __init__(self, params, lr=1e-2, lr_decay=0, weight_decay=0, initial_accumulator_value=0, eps=1e-10, foreach=None, *,
                 maximize=False, differentiable=False, fused=None):
        check_lr(lr)
        check_from_zero("lr_decay value", lr_decay)
        check_from_zero("weight_decay value", weight_decay)
        check_from_zero("initial_accumulator_value value", initial_accumulator_value)
        check_from_zero("epsilon value", eps)
        check_implementation(foreach, fused, differentiable)
        super().__init__(params, {"lr": lr, "lr_decay": lr_decay, "eps": eps, "weight_decay": weight_decay,
                                  "initial_accumulator_value": initial_accumulator_value, "foreach": foreach, "maximize": maximize,
                                  "differentiable": differentiable, "fused": fused})
        self._step_supports_amp_scaling = bool(fused)
        for group in self.param_groups:
            for p in group["params"]:
                self.init_state(self.state[p], p, group)

    def share_memory(self):
        """Move the sums into memory that processes share."""
        for group in self.param_groups:
            for p in group["params"]:
                self.state[p]["sum"].share_memory_()

    def init_state(self, state, param, group):
        """No updates yet, and the initial sum (in both parts of complex numbers)."""
        initial = group["initial_accumulator_value"]
        state["step"] = scalar_state(0.0, group, param)
        state["sum"] = zeros_state(param, complex(initial, initial) if param.is_complex() else initial)

    def check_sparse(self, group):
        """Sparse gradients move the elements that they name; weight decay would move all."""
        if group["weight_decay"]:
            raise RuntimeError("weight_decay option is not compatible with sparse gradients")

    def rule_of(self, group):
        """The rule, and what it keeps."""
        return adagrad_rule, ("sum",)

    def update(self, param, grad, state, group):
        """See `adagrad_rule` above."""
        count = self.count_step(state, param, group)
        lr = number(group["lr"], group, param)
        self.apply(adagrad_rule, group, param, grad, state, ("sum",), rate=lr / (1 + (count - 1) * group["lr_decay"]), eps=group["eps"],
                   weight_decay=group["weight_decay"], maximize=group["maximize"])


adagrad = functional_form("adagrad", Adagrad, ("sum", "step"))
