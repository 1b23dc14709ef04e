"""NAdam."""
from ._functional_form import functional_form
from ._hyper import check_betas, check_from_zero, check_lr, lives_on_device, number, scalar_state, zeros_state
from ._rule import descent, rule
from ._rule_optimizer import RuleOptimizer

__all__ = ["NAdam", "nadam"]


@rule(cuda="""
    p *= decoupled != 0 ? shrink : 1;
    g = descent(p, g, weight_decay, maximize);
    mean += (g - mean) * rate1;
    square = square * beta2 + g * g * rate2;
    p -= (g * grad_size + mean * mean_size) / (sqrt(square / bias2) + eps);
""", factors="""
    decoupled = decoupled_weight_decay; shrink = 1 - lr * weight_decay; weight_decay = decoupled != 0 ? 0 : weight_decay;
    rate1 = 1 - beta1; rate2 = 1 - beta2; bias2 = 1 - pow(beta2, count);
    double mu = beta1 * (1 - 0.5 * pow(0.96, count * momentum_decay)), mu_next = beta1 * (1 - 0.5 * pow(0.96, (count + 1) * momentum_decay));
    double product = (*mu_product_at *= (float)mu);
    grad_size = lr * (1 - mu) / (1 - product); mean_size = lr * mu_next / (1 - product * mu_next);
""", options=("lr", "beta1", "beta2", "eps", "weight_decay", "momentum_decay", "decoupled_weight_decay", "maximize"), scalars=("mu_product",))
def nadam_rule(xp, p, g, mean, square, *, decoupled, shrink, rate1, beta2, rate2, eps, grad_size, mean_size, bias2, weight_decay, maximize):
    """p -= (grad_size * g + mean_size * mean) / (sqrt(square / bias2) + eps), mean and square the moving averages of g and g^2.

    decoupled: shrink p first, by the factor 1 - lr * weight_decay;  rate1, rate2: 1 - beta1, 1 - beta2.
    """
    if decoupled:
        p *= shrink
    g = descent(p, g, weight_decay, maximize)
    mean += (g - mean) * rate1
    square *= beta2
    square += g * g * rate2
    denominator = xp.sqrt(square / bias2) + eps
    p -= g / denominator * grad_size
    p -= mean / denominator * mean_size
    return p, mean, square


class NAdam(RuleOptimizer):
    """Adam with Nesterov's momentum (Dozat 2016, "Incorporating Nesterov Momentum into Adam").

    lr, betas, eps, weight_decay, decoupled_weight_decay, maximize, foreach, capturable, differentiable: as in Adam;
    momentum_decay: how fast the momentum grows towards betas[0], mu_t = beta1 * (1 - 0.5 * 0.96^(t * momentum_decay)).
    """

    def __init__(self, params, lr=2e-3, betas=(0.9, 0.999), eps=1e-8, weight_decay=0, momentum_decay=4e-3, decoupled_weight_decay=False, *,
                 foreach=None, maximize=False, capturable=False, differentiable=False):
        check_lr(lr)
        check_from_zero("epsilon value", eps)
        check_betas(betas)
        check_from_zero("weight_decay value", weight_decay)
        check_from_zero("momentum_decay value", momentum_decay)
        super().__init__(params, {"lr": lr, "betas": betas, "eps": eps, "weight_decay": weight_decay, "momentum_decay": momentum_decay,
                                  "decoupled_weight_decay": decoupled_weight_decay, "maximize": maximize, "foreach": foreach,
                                  "capturable": capturable, "differentiable": differentiable})

    def init_state(self, state, param, group):
        """No updates yet, an empty product of momenta, and averages of zero."""
        state["step"] = scalar_state(0.0, group, param)
        state["mu_product"] = scalar_state(1.0, group, param)
        state["exp_avg"] = zeros_state(param)
        state["exp_avg_sq"] = zeros_state(param)

    def rule_of(self, group):
        """The rule, and what it keeps."""
        return nadam_rule, ("exp_avg", "exp_avg_sq")

    def update(self, param, grad, state, group):
        """See `nadam_rule` above."""
        on_device = lives_on_device(group, param)
        count = self.count_step(state, param, group)
        lr, (beta1, beta2), decay = number(group["lr"], group, param), group["betas"], group["weight_decay"]
        mu, mu_next = (beta1 * (1.0 - 0.5 * 0.96 ** (n * group["momentum_decay"])) for n in (count, count + 1))
        product = state["mu_product"]._data
        product *= mu
        product = product if on_device else product.item()
        decoupled = group["decoupled_weight_decay"]
        self.apply(nadam_rule, group, param, grad, state, ("exp_avg", "exp_avg_sq"), decoupled=decoupled, shrink=1 - lr * decay, rate1=1 - beta1,
                   beta2=beta2, rate2=1 - beta2, eps=group["eps"], grad_size=lr * (1.0 - mu) / (1.0 - product),
                   mean_size=lr * mu_next / (1.0 - product * mu_next), bias2=1 - beta2**count, weight_decay=0.0 if decoupled else decay,
                   maximize=group["maximize"])


nadam = functional_form("nadam", NAdam, ("exp_avg", "exp_avg_sq", "mu_product", "step"))
