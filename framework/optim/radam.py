"""RAdam."""
from .._backends import of_array
from ._functional_form import functional_form
from ._hyper import check_betas, check_from_zero, check_lr, lives_on_device, number, scalar_state, zeros_state
from ._rule import descent, rule
from ._rule_optimizer import RuleOptimizer

__all__ = ["RAdam", "radam"]


@rule(cuda="""
    p *= decoupled != 0 ? shrink : 1;
    g = descent(p, g, weight_decay, maximize);
    mean += (g - mean) * rate1;
    square = square * beta2 + g * g * rate2;
    p -= mean * step_size * (rectified != 0 ? adaptive / (sqrt(square) + eps) + plain : 1);
""", factors="""
    decoupled = decoupled_weight_decay; shrink = 1 - lr * weight_decay; weight_decay = decoupled != 0 ? 0 : weight_decay;
    rate1 = 1 - beta1; rate2 = 1 - beta2; step_size = lr / (1 - pow(beta1, count));
    double rho_inf = 2 / (1 - beta2) - 1, bias2 = 1 - pow(beta2, count), rho = rho_inf - 2 * count * pow(beta2, count) / bias2;
    rectified = rho > 5; plain = rho > 5 ? 0 : 1;
    adaptive = rho > 5 ? sqrt((rho - 4) * (rho - 2) * rho_inf / ((rho_inf - 4) * (rho_inf - 2) * rho)) * sqrt(bias2) : 0;
""", options=("lr", "beta1", "beta2", "eps", "weight_decay", "decoupled_weight_decay", "maximize"))
def radam_rule(xp, p, g, mean, square, *, decoupled, shrink, rate1, beta2, rate2, eps, step_size, rectified, adaptive, plain, weight_decay,
               maximize):
    """mean and square are the moving averages of g and g^2;  p -= step_size * mean * (adaptive / (sqrt(square) + eps) + plain).

    decoupled: shrink p first, by the factor 1 - lr * weight_decay;  rate1, rate2: 1 - beta1, 1 - beta2;  rectified: whether `adaptive` counts.
    """
    if decoupled:
        p *= shrink
    g = descent(p, g, weight_decay, maximize)
    mean += (g - mean) * rate1
    square *= beta2
    square += g * g * rate2
    if rectified:
        p -= mean * step_size * (adaptive / (xp.sqrt(square) + eps) + plain)
    else:
        p -= mean * step_size
    return p, mean, square


class RAdam(RuleOptimizer):
    """Adam whose adaptive rate waits until its variance can be estimated (Liu et al. 2020, arXiv:1908.03265).

    lr, betas, eps, weight_decay, decoupled_weight_decay, maximize, foreach, capturable, differentiable: as in Adam.  In the first few steps,
    and for betas[1] of at most 0.6 in all of them, the update is momentum without a denominator.
    """

    def __init__(self, params, lr=1e-3, betas=(0.9, 0.999), eps=1e-8, weight_decay=0, decoupled_weight_decay=False, *, foreach=None,
                 maximize=False, capturable=False, differentiable=False):
        check_lr(lr)
        check_from_zero("epsilon value", eps)
        check_betas(betas)
        check_from_zero("weight_decay value", weight_decay)
        super().__init__(params, {"lr": lr, "betas": betas, "eps": eps, "weight_decay": weight_decay, "maximize": maximize,
                                  "foreach": foreach, "capturable": capturable, "decoupled_weight_decay": decoupled_weight_decay,
                                  "differentiable": differentiable})

    def init_state(self, state, param, group):
        """No updates yet, and averages of zero."""
        state["step"] = scalar_state(0.0, group, param)
        state["exp_avg"] = zeros_state(param)
        state["exp_avg_sq"] = zeros_state(param)

    def rule_of(self, group):
        """The rule, and what it keeps."""
        return radam_rule, ("exp_avg", "exp_avg_sq")

    def update(self, param, grad, state, group):
        """See `radam_rule` above."""
        count = self.count_step(state, param, group)
        lr, (beta1, beta2), decay = number(group["lr"], group, param), group["betas"], group["weight_decay"]
        rectified, adaptive, plain = _rectification(count, beta2, of_array(param._data).xp if lives_on_device(group, param) else None)
        decoupled = group["decoupled_weight_decay"]
        self.apply(radam_rule, group, param, grad, state, ("exp_avg", "exp_avg_sq"), decoupled=decoupled, shrink=1 - lr * decay,
                   rate1=1 - beta1, beta2=beta2, rate2=1 - beta2, eps=group["eps"], step_size=lr / (1 - beta1**count),
                   rectified=rectified, adaptive=adaptive, plain=plain, weight_decay=0.0 if decoupled else decay, maximize=group["maximize"])


def _rectification(count, beta2, xp):
    """(rectified, adaptive, plain) of `radam_rule` at step `count`; xp: the array module when `count` is a device scalar, else None.

    rho, the length of the average, must exceed 5; then adaptive is sqrt(1 - beta2^count) times the paper's r (its algorithm 2).
    """
    rho_inf = 2 / (1 - beta2) - 1
    bias2 = 1 - beta2**count
    rho = rho_inf - 2 * count * beta2**count / bias2
    if xp is None and not rho > 5.0:
        return False, 0.0, 1.0
    adaptive = ((rho - 4) * (rho - 2) * rho_inf / ((rho_inf - 4) * (rho_inf - 2) * rho)) ** 0.5 * bias2**0.5
    if xp is None:
        return True, adaptive, 0.0
    return True, xp.where(rho > 5.0, adaptive, 0.0), xp.where(rho > 5.0, 0.0, 1.0)


radam = functional_form("radam", RAdam, ("exp_avg", "exp_avg_sq", "step"))
