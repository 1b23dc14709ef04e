"""Adam for sparse gradients."""
from ._hyper import check_betas, check_lr_size, number, zeros_state
from ._rule import rule
from ._rule_optimizer import RuleOptimizer

__all__ = ["SparseAdam"]


@rule
def sparse_adam(xp, p, g, mean, square, *, rate1, rate2, eps, step_size, maximize):
    """mean and square are the moving averages of g and g^2;  p -= step_size * mean / (sqrt(square) + eps)."""
    if maximize:
        g = -g
    mean += (g - mean) * rate1
    square += (g * g - square) * rate2
    p -= mean / (xp.sqrt(square) + eps) * step_size
    return p, mean, square


class SparseAdam(RuleOptimizer):
    """Adam that updates, of a parameter and of its averages, only the elements that a sparse gradient names ("lazy" Adam).

    lr: learning rate, a number or a tensor of one element;  betas: decay rates of the averages of the gradient and of its square;
    eps: added to the denominator;  maximize: climb instead of descend.
    ValueError for sparse or complex parameters, RuntimeError for dense gradients: Adam is for those.
    """

    def __init__(self, params, lr=1e-3, betas=(0.9, 0.999), eps=1e-8, maximize=False):
        check_lr_size(lr)
        for what, value in (("learning rate", lr), ("epsilon value", eps)):
            if not value > 0.0:
                raise ValueError(f"Invalid {what}: {value}")
        check_betas(betas)
        super().__init__(params, {"lr": lr, "betas": betas, "eps": eps, "maximize": maximize})
        places = [([i, k], p) for i, group in enumerate(self.param_groups) for k, p in enumerate(group["params"])]
        for kind, wrong, why in (("Sparse", [at for at, p in places if p.is_sparse], "requires dense parameter tensors"),
                                 ("Complex", [at for at, p in places if p.is_complex()], "does not support complex parameters")):
            if wrong:
                raise ValueError(f"{kind} params at indices {wrong}: SparseAdam {why}")

    def check_sparse(self, group):
        """Sparse gradients are what it is for."""

    def init_state(self, state, param, group):
        """No updates yet, and averages of zero."""
        state["step"] = 0
        state["exp_avg"] = zeros_state(param)
        state["exp_avg_sq"] = zeros_state(param)

    def update(self, param, grad, state, group):
        """See `sparse_adam` above."""
        if not grad.is_sparse:
            raise RuntimeError("SparseAdam does not support dense gradients, please consider Adam instead")
        state["step"] += 1
        count, (beta1, beta2) = state["step"], (number(b, group, param) for b in group["betas"])
        step_size = number(group["lr"], group, param) * (1 - beta2**count) ** 0.5 / (1 - beta1**count)
        self.apply(sparse_adam, group, param, grad, state, ("exp_avg", "exp_avg_sq"), rate1=1 - beta1, rate2=1 - beta2, eps=group["eps"],
                   step_size=step_size, maximize=group["maximize"])
