"""Rprop."""
from ._functional_form import functional_form
from ._hyper import check_lr, number, scalar_state, zeros_state
from ._rule import rule
from ._rule_optimizer import RuleOptimizer

__all__ = ["Rprop", "rprop"]


@rule(cuda="""
    g = maximize != 0 ? -g : g;
    A agreement = sign(g * previous);
    size *= agreement > 0 ? rise : agreement < 0 ? fall : 1;
    size = size < lowest ? lowest : size > highest ? highest : size;
    g = agreement < 0 ? 0 : g;
    p -= sign(g) * size;
    previous = g;
""", factors="zero = 0; one = 1;", options=("fall", "rise", "lowest", "highest", "maximize"))
def rprop_rule(xp, p, g, previous, size, *, fall, rise, zero, one, lowest, highest, maximize):
    """p -= size * sign(g), where size grows by the factor `rise` while the sign of g stays, and shrinks by `fall` when it changes.

    After a change of sign the element stands still for one step.  zero, one: those numbers, in the parameter's type where it is compiled.
    """
    if maximize:
        g = -g
    agreement = xp.sign(g * previous)  # 1, 0 or -1
    changed = xp.maximum(-agreement, zero)
    factor = rise * xp.maximum(agreement, zero) + fall * changed + (one - agreement * agreement)
    size = xp.minimum(xp.maximum(size * factor, lowest), highest)
    g = g * (one - changed)
    p -= xp.sign(g) * size
    return p, g, size


class Rprop(RuleOptimizer):
    """Resilient backpropagation (Riedmiller and Braun 1993): the size of a step depends on signs of the gradient only.  For full batches.

    lr: the first size of every element's step;  etas: factors (below 1, above 1) of the sizes;  step_sizes: their lower and upper bound;
    capturable, foreach, maximize, differentiable: as in Adam.
    """

    def __init__(self, params, lr=1e-2, etas=(0.5, 1.2), step_sizes=(1e-6, 50), *, capturable=False, foreach=None, maximize=False,
                 differentiable=False):
        check_lr(lr)
        if not 0.0 < etas[0] < 1.0 < etas[1]:
            raise ValueError(f"Invalid eta values: {etas[0]}, {etas[1]}")
        super().__init__(params, {"lr": lr, "etas": etas, "step_sizes": step_sizes, "foreach": foreach, "maximize": maximize,
                                  "differentiable": differentiable, "capturable": capturable})

    def init_state(self, state, param, group):
        """No updates yet, no earlier gradient, and the first size (in both parts of complex numbers)."""
        lr = number(group["lr"], {}, param)
        state["step"] = scalar_state(0.0, group, param)
        state["prev"] = zeros_state(param)
        state["step_size"] = zeros_state(param, complex(lr, lr) if param.is_complex() else lr)

    def rule_of(self, group):
        """The rule, and what it keeps."""
        return rprop_rule, ("prev", "step_size")

    def update(self, param, grad, state, group):
        """See `rprop_rule` above."""
        self.count_step(state, param, group)
        (fall, rise), (lowest, highest) = group["etas"], group["step_sizes"]
        self.apply(rprop_rule, group, param, grad, state, ("prev", "step_size"), fall=fall, rise=rise, zero=0.0, one=1.0, lowest=lowest,
                   highest=highest, maximize=group["maximize"])


rprop = functional_form("rprop", Rprop, ("prev", "step_size", "step"))
