"""AdamW."""
from ._functional_form import functional_form
from .adam import Adam

__all__ = ["AdamW", "adamw"]


class AdamW(Adam):
    """Adam with weight decay apart from the gradient, p -= lr * weight_decay * p (Loshchilov and Hutter 2019, arXiv:1711.05101).

    The arguments are those of Adam; weight_decay is 0.01 by default.
    """

    def __init__(self, params, lr=1e-3, betas=(0.9, 0.999), eps=1e-8, weight_decay=1e-2, amsgrad=False, *, maximize=False, foreach=None,
                 capturable=False, differentiable=False, fused=None):
        super().__init__(params, lr, betas, eps, weight_decay, amsgrad, foreach=foreach, maximize=maximize, capturable=capturable,
                         differentiable=differentiable, fused=fused, decoupled_weight_decay=True)

    def __setstate__(self, state):
        super().__setstate__(state)
        for group in self.param_groups:
            group["decoupled_weight_decay"] = True


def adamw(*lists, **options):
    """One step of `AdamW` on lists: parameters, gradients, exp_avg, exp_avg_sq, max_exp_avg_sq, step; options by name.  In place."""
    _adamw(*lists, **{**options, "decoupled_weight_decay": True})


_adamw = functional_form("adamw", AdamW, ("exp_avg", "exp_avg_sq", "max_exp_avg_sq", "step"))
