"""Adam."""
from .._core.tensor import Tensor
from . import _multi_tensor, _on_device
from ._functional_form import functional_form
from ._hyper import check_betas, check_from_zero, check_implementation, check_lr, number, scalar_state, zeros_state
from ._rule import descent, rule
from ._rule_optimizer import RuleOptimizer

__all__ = ["Adam", "adam"]


@rule
def adam_rule(xp, p, g, mean, square, peak, *, decoupled, shrink, rate1, beta2, rate2, eps, step_size, bias2_root, weight_decay, maximize):
    """mean and square are the moving averages of g and g^2;  p -= step_size * mean / (sqrt(square) / bias2_root + eps).

    decoupled: shrink p first, by the factor 1 - lr * weight_decay;  rate1, rate2: 1 - beta1, 1 - beta2;  peak: AMSGrad's largest `square`.
    """
    if decoupled:
        p *= shrink
    g = descent(p, g, weight_decay, maximize)
    mean += (g - mean) * rate1
    square *= beta2
    square += g * g * rate2
    if peak is not None:
        peak = xp.maximum(peak, square)
        p -= mean / (xp.sqrt(peak) / bias2_root + eps) * step_size
    else:
        p -= mean / (xp.sqrt(square) / bias2_root + eps) * step_size
    return p, mean, square, peak


class Adam(RuleOptimizer):
    """Adam (Kingma and Ba 2015, arXiv:1412.6980), and with amsgrad its variant AMSGrad (Reddi et al. 2018, arXiv:1904.09237).

    lr: learning rate, a number or a tensor of one element;  betas: decay rates of the averages of the gradient and of its square;
    eps: added to the denominator;  weight_decay: factor of an L2 penalty, or with decoupled_weight_decay the decay of AdamW;
    maximize: climb instead of descend;  capturable: keep step counts on the GPU, so that a step may be captured in a CUDA graph;
    foreach, fused: accepted, the same update either way;  differentiable: record the step.
    """

    def __init__(self, params, lr=1e-3, betas=(0.9, 0.999), eps=1e-8, weight_decay=0, amsgrad=False, *, foreach=None, maximize=False,
                 capturable=False, differentiable=False, fused=None, decoupled_weight_decay=False):
        check_lr(lr, foreach, capturable)
        check_from_zero("epsilon value", eps)
        check_betas(betas)
        check_from_zero("weight_decay value", weight_decay)
        self._check_kinds(betas, foreach, capturable)
        check_implementation(foreach, fused, differentiable)
        super().__init__(params, {"lr": lr, "betas": tuple(betas), "eps": eps, "weight_decay": weight_decay, "amsgrad": amsgrad,
                                  "maximize": maximize, "foreach": foreach, "capturable": capturable, "differentiable": differentiable,
                                  "fused": fused, "decoupled_weight_decay": decoupled_weight_decay})
        self._step_supports_amp_scaling = bool(fused)

    @staticmethod
    def _check_kinds(betas, foreach, capturable):
        kinds = [isinstance(b, Tensor) for b in betas]
        if kinds[0] != kinds[1] or not all(isinstance(b, (float, Tensor)) for b in betas):
            raise ValueError("betas must be either both floats or both Tensors")
        for i, beta in enumerate(betas):
            if isinstance(beta, Tensor) and not capturable and foreach:
                raise ValueError(f"betas[{i}] as a Tensor is not supported for capturable=False and foreach=True")

    def init_state(self, state, param, group):
        """No updates yet, and averages of zero."""
        state["step"] = scalar_state(0.0, group, param)
        state["exp_avg"] = zeros_state(param)
        state["exp_avg_sq"] = zeros_state(param)
        if group["amsgrad"]:
            state["max_exp_avg_sq"] = zeros_state(param)

    def one_launch(self, group):
        """Whether `update_group` updates the group in one launch on a GPU."""
        return _on_device.parameters(group)[0] is not None and not any(isinstance(b, Tensor) for b in (*group["betas"], group["weight_decay"]))

    def update_group(self, group):
        """All parameters at once on a GPU, where they allow it; else one after the other."""
        if not _multi_tensor.adam(self, group):
            super().update_group(group)

    def update(self, param, grad, state, group):
        """See `adam_rule` above."""
        count = self.count_step(state, param, group)
        lr, decay = number(group["lr"], group, param), group["weight_decay"]
        beta1, beta2 = (number(b, group, param) for b in group["betas"])
        decoupled = group["decoupled_weight_decay"]
        names = ("exp_avg", "exp_avg_sq", "max_exp_avg_sq" if group["amsgrad"] else None)
        self.apply(adam_rule, group, param, grad, state, names, decoupled=decoupled, shrink=1 - lr * decay, rate1=1 - beta1,
                   beta2=beta2, rate2=1 - beta2, eps=group["eps"], step_size=lr / (1 - beta1**count), bias2_root=(1 - beta2**count) ** 0.5,
                   weight_decay=0.0 if decoupled else decay, maximize=group["maximize"])


adam = functional_form("adam", Adam, ("exp_avg", "exp_avg_sq", "max_exp_avg_sq", "step"))
