"""Muon."""
import math

from .._core.modes import no_grad
from ._hyper import check_lr_size, number
from ._rule import rule
from ._rule_optimizer import RuleOptimizer

__all__ = ["Muon"]


@rule
def muon_momentum(xp, p, g, velocity, *, momentum, rate, nesterov):
    """velocity += rate * (g - velocity);  p is what to make orthogonal: the velocity, or with nesterov a look ahead along it.  rate: 1 - momentum."""
    velocity += (g - velocity) * rate
    p = g + (velocity - g) * momentum if nesterov else velocity
    return p, velocity


def orthogonal(matrix, coefficients, steps, eps):
    """U V^T of the singular value decomposition U S V^T, roughly: singular values end up near 1.  (R, C) -> (R, C), in bfloat16.

    Newton-Schulz iteration of fifth order, x -> a x + (b g + c g^2) x with g = x x^T, on the wide form of the matrix scaled to norm 1.
    """
    if steps >= 100:
        raise ValueError("Number of steps must be less than 100 for computational efficiency")
    if matrix.dim() != 2:
        raise ValueError("Input tensor gradient must be a 2D matrix")
    if len(coefficients) != 3:
        raise ValueError("Coefficients must be a tuple of exactly 3 values")
    a, b, c = coefficients
    tall = matrix.shape[0] > matrix.shape[1]
    x = matrix.bfloat16()
    x = x.T if tall else x
    x = x / x.norm().clamp(min=eps)
    for _ in range(steps):
        gram = x @ x.T
        x = x.addmm(gram.addmm(gram, gram, beta=b, alpha=c), x, beta=a)
    return x.T if tall else x


class Muon(RuleOptimizer):
    """Momentum whose update is made orthogonal (Jordan et al. 2024, "Muon: An optimizer for hidden layers in neural networks").

    For matrices only; give biases, embeddings and the last layer to AdamW.
    lr: learning rate;  weight_decay: decoupled, as in AdamW;  momentum: of the gradients' average;  nesterov: look ahead along it;
    ns_coefficients, ns_steps: of `orthogonal`;  eps: smallest norm to divide by;  adjust_lr_fn: "original" (the default; lr times
    sqrt(max(1, rows / columns))) or "match_rms_adamw" (lr times 0.2 sqrt(max(rows, columns)), Liu et al. 2025, arXiv:2502.16982).
    """

    def __init__(self, params, lr=1e-3, weight_decay=0.1, momentum=0.95, nesterov=True, ns_coefficients=(3.4445, -4.7750, 2.0315), eps=1e-7,
                 ns_steps=5, adjust_lr_fn=None):
        check_lr_size(lr)
        for what, value in (("Learning rate", lr), ("momentum", momentum), ("weight decay", weight_decay)):
            if not value >= 0.0:
                raise ValueError(f"{what} should be >= 0 but is: {value}")
        if adjust_lr_fn not in (None, "original", "match_rms_adamw"):
            raise ValueError(f"Adjust learning rate function {adjust_lr_fn} is not supported")
        super().__init__(params, {"lr": lr, "weight_decay": weight_decay, "momentum": momentum, "nesterov": nesterov,
                                  "ns_coefficients": ns_coefficients, "eps": eps, "ns_steps": ns_steps, "adjust_lr_fn": adjust_lr_fn})
        for group in self.param_groups:
            for p in group["params"]:
                if p.ndim != 2:
                    raise ValueError(f"Muon only supports 2D parameters whereas we found a parameter with size: {p.size()}")

    def init_state(self, state, param, group):
        """An average of zero."""
        if param.is_complex():
            raise RuntimeError("Muon does not support complex parameters")
        state["momentum_buffer"] = param.grad.new_zeros(param.shape)

    def update(self, param, grad, state, group):
        """The orthogonal form of the averaged gradient."""
        lr, momentum = number(group["lr"], {}, param), group["momentum"]
        direction = grad.clone()
        muon_momentum(direction, grad, state["momentum_buffer"], momentum=momentum, rate=1 - momentum, nesterov=group["nesterov"])
        with no_grad():
            step = orthogonal(direction, group["ns_coefficients"], group["ns_steps"], group["eps"])
            param.mul_(1 - lr * group["weight_decay"])
            param.add_(step, alpha=-lr * _ratio(group["adjust_lr_fn"], *param.shape))


def _ratio(adjustment, rows, columns):
    if adjustment == "match_rms_adamw":
        return 0.2 * math.sqrt(max(rows, columns))
    return math.sqrt(max(1, rows / columns))
