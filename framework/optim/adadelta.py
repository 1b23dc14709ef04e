"""Adadelta."""
from ._functional_form import functional_form
from ._hyper import check_from_zero, check_lr, number, scalar_state, zeros_state
from ._rule import descent, rule
from ._rule_optimizer import RuleOptimizer

__all__ = ["Adadelta", "adadelta"]


@rule(cuda="""
    g = descent(p, g, weight_decay, maximize);
    square = square * rho + g * g * rate;
    A delta = sqrt(travelled + eps) / sqrt(square + eps) * g;
    travelled = travelled * rho + delta * delta * rate;
    p -= lr * delta;
""", factors="rate = 1 - rho;", options=("lr", "rho", "eps", "weight_decay", "maximize"))
def adadelta_rule(xp, p, g, square, travelled, *, lr, rho, rate, eps, weight_decay, maximize):
    """delta = g * sqrt(travelled + eps) / sqrt(square + eps);  p -= lr * delta.

    square, travelled: moving averages of g^2 and of delta^2;  rate: 1 - rho.
    """
    g = descent(p, g, weight_decay, maximize)
    square *= rho
    square += g * g * rate
    delta = xp.sqrt(travelled + eps) / xp.sqrt(square + eps) * g
    travelled *= rho
    travelled += delta * delta * rate
    p -= lr * delta
    return p, square, travelled


class Adadelta(RuleOptimizer):
    """Adadelta (Zeiler 2012, arXiv:1212.5701): steps in the units of the parameter, without a rate to tune.

    lr: factor of each step;  rho: decay rate of both averages;  eps: added under both roots;  weight_decay: factor of an L2 penalty;
    capturable, foreach, maximize, differentiable: as in Adam.
    """

    def __init__(self, params, lr=1.0, rho=0.9, eps=1e-6, weight_decay=0, foreach=None, *, capturable=False, maximize=False,
                 differentiable=False):
        check_lr(lr)
        if not 0.0 <= rho <= 1.0:
            raise ValueError(f"Invalid rho value: {rho}")
        check_from_zero("epsilon value", eps)
        check_from_zero("weight_decay value", weight_decay)
        super().__init__(params, {"lr": lr, "rho": rho, "eps": eps, "weight_decay": weight_decay, "maximize": maximize,
                                  "capturable": capturable, "foreach": foreach, "differentiable": differentiable})

    def init_state(self, state, param, group):
        """No updates yet, and averages of zero."""
        state["step"] = scalar_state(0.0, group, param)
        state["square_avg"] = zeros_state(param)
        state["acc_delta"] = zeros_state(param)

    def rule_of(self, group):
        """The rule, and what it keeps."""
        return adadelta_rule, ("square_avg", "acc_delta")

    def update(self, param, grad, state, group):
        """See `adadelta_rule` above."""
        self.count_step(state, param, group)
        self.apply(adadelta_rule, group, param, grad, state, ("square_avg", "acc_delta"), lr=number(group["lr"], group, param),
                   rho=group["rho"], rate=1 - group["rho"], eps=group["eps"], weight_decay=group["weight_decay"],
                   maximize=group["maximize"])


adadelta = functional_form("adadelta", Adadelta, ("square_avg", "acc_delta", "step"))
