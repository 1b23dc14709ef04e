"""Adamax."""
from ._functional_form import functional_form
from ._hyper import check_betas, check_from_zero, check_lr, number, scalar_state, zeros_state
from ._rule import descent, rule
from ._rule_optimizer import RuleOptimizer

__all__ = ["Adamax", "adamax"]


@rule(cuda="""
    g = descent(p, g, weight_decay, maximize);
    mean += (g - mean) * rate1;
    largest = larger(largest * beta2, fabs(g) + eps);
    p -= mean / largest * step_size;
""", factors="rate1 = 1 - beta1; step_size = lr / (1 - pow(beta1, count));", options=("lr", "beta1", "beta2", "eps", "weight_decay", "maximize"))
def adamax_rule(xp, p, g, mean, largest, *, rate1, beta2, eps, step_size, weight_decay, maximize):
    """mean: moving average of g;  largest = max(beta2 * largest, |g| + eps);  p -= step_size * mean / largest.  rate1: 1 - beta1."""
    g = descent(p, g, weight_decay, maximize)
    mean += (g - mean) * rate1
    largest = xp.maximum(largest * beta2, xp.absolute(g) + eps)
    p -= mean / largest * step_size
    return p, mean, largest


class Adamax(RuleOptimizer):
    """Adam with the infinity norm in place of the average of squares (Kingma and Ba 2015, arXiv:1412.6980, section 7.1).

    lr, betas, eps, weight_decay, foreach, maximize, differentiable, capturable: as in Adam.
    """

    def __init__(self, params, lr=2e-3, betas=(0.9, 0.999), eps=1e-8, weight_decay=0, foreach=None, *, maximize=False, differentiable=False,
                 capturable=False):
        check_lr(lr)
        check_from_zero("epsilon value", eps)
        check_betas(betas)
        check_from_zero("weight_decay value", weight_decay)
        super().__init__(params, {"lr": lr, "betas": betas, "eps": eps, "weight_decay": weight_decay, "foreach": foreach,
                                  "maximize": maximize, "differentiable": differentiable, "capturable": capturable})

    def init_state(self, state, param, group):
        """No updates yet, and zeros."""
        state["step"] = scalar_state(0.0, group, param)
        state["exp_avg"] = zeros_state(param)
        state["exp_inf"] = zeros_state(param)

    def rule_of(self, group):
        """The rule, and what it keeps."""
        return adamax_rule, ("exp_avg", "exp_inf")

    def update(self, param, grad, state, group):
        """See `adamax_rule` above."""
        count = self.count_step(state, param, group)
        lr, (beta1, beta2) = number(group["lr"], group, param), group["betas"]
        self.apply(adamax_rule, group, param, grad, state, ("exp_avg", "exp_inf"), rate1=1 - beta1, beta2=beta2, eps=group["eps"],
                   step_size=lr / (1 - beta1**count), weight_decay=group["weight_decay"], maximize=group["maximize"])


adamax = functional_form("adamax", Adamax, ("exp_avg", "exp_inf", "step"))
