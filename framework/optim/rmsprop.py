"""RMSprop."""
from ._functional_form import functional_form
from ._hyper import check_from_zero, check_lr, number, scalar_state, zeros_state
from ._rule import descent, rule
from ._rule_optimizer import RuleOptimizer

__all__ = ["RMSprop", "rmsprop"]


@rule(cuda="""
    g = descent(p, g, weight_decay, maximize);
    square = square * alpha + g * g * rate;
    if (mean_at) mean += (g - mean) * rate;
    A scaled = g / (sqrt(square - (mean_at ? mean * mean : 0)) + eps);
    if (velocity_at) scaled = velocity = velocity * momentum + scaled;
    p -= lr * scaled;
""", factors="rate = 1 - alpha;", options=("lr", "alpha", "eps", "momentum", "weight_decay", "maximize"))
def rmsprop_rule(xp, p, g, square, velocity, mean, *, lr, alpha, rate, eps, momentum, weight_decay, maximize):
    """square is the moving average of g^2, less mean^2 when centered;  p -= lr * g / (sqrt(square) + eps), through a velocity with
    momentum.

    rate: 1 - alpha.
    """
    g = descent(p, g, weight_decay, maximize)
    square *= alpha
    square += g * g * rate
    if mean is not None:
        mean += (g - mean) * rate
        scaled = g / (xp.sqrt(square - mean * mean) + eps)
    else:
        scaled = g / (xp.sqrt(square) + eps)
    if velocity is not None:
        velocity *= momentum
        velocity += scaled
        p -= lr * velocity
    else:
        p -= lr * scaled
    return p, square, velocity, mean


class RMSprop(RuleOptimizer):
    """RMSprop (Tieleman and Hinton 2012, lecture 6.5; centered: Graves 2013, arXiv:1308.0850).

    lr: learning rate;  alpha: decay rate of the average;  eps: added to the denominator;  weight_decay: factor of an L2 penalty;
    momentum: of the scaled gradients;  centered: divide by an estimate of the variance instead;  capturable, foreach, maximize,
    differentiable: as in Adam.
    """

    def __init__(self, params, lr=1e-2, alpha=0.99, eps=1e-8, weight_decay=0, momentum=0, centered=False, capturable=False, foreach=None,
                 maximize=False, differentiable=False):
        check_lr(lr)
        check_from_zero("epsilon value", eps)
        check_from_zero("momentum value", momentum)
        check_from_zero("weight_decay value", weight_decay)
        check_from_zero("alpha value", alpha)
        super().__init__(params, {"lr": lr, "momentum": momentum, "alpha": alpha, "eps": eps, "centered": centered,
                                  "weight_decay": weight_decay, "capturable": capturable, "foreach": foreach, "maximize": maximize,
                                  "differentiable": differentiable})

    def init_state(self, state, param, group):
        """No updates yet, and averages of zero."""
        state["step"] = scalar_state(0.0, group, param)
        state["square_avg"] = zeros_state(param)
        if group["momentum"] > 0:
            state["momentum_buffer"] = zeros_state(param)
        if group["centered"]:
            state["grad_avg"] = zeros_state(param)

    def rule_of(self, group):
        """The rule, and what it keeps."""
        return rmsprop_rule, ("square_avg", "momentum_buffer" if group["momentum"] > 0 else None, "grad_avg" if group["centered"] else None)

    def update(self, param, grad, state, group):
        """See `rmsprop_rule` above."""
        self.count_step(state, param, group)
        self.apply(rmsprop_rule, group, param, grad, state, self.rule_of(group)[1], lr=number(group["lr"], group, param), alpha=group["alpha"],
                   rate=1 - group["alpha"], eps=group["eps"], momentum=group["momentum"], weight_decay=group["weight_decay"],
                   maximize=group["maximize"])


rmsprop = functional_form("rmsprop", RMSprop, ("square_avg", "grad_avg", "momentum_buffer", "step"))
