"""ASGD."""
from .._backends import of_array
from .._core.hooks import written
from .._dtypes import get_default_dtype
from ._functional_form import functional_form
from ._hyper import check_from_zero, check_lr, lives_on_device, number, scalar_state, zeros_state
from ._rule import descent, rule
from ._rule_optimizer import RuleOptimizer

__all__ = ["ASGD", "asgd"]


@rule(cuda="""
    g = descent(p, g, weight_decay, maximize);
    p = p * shrink - eta * g;
    average = starts != 0 ? p : average + (p - average) * share;
""", factors="""
    eta = *eta_at; share = *mu_at; shrink = 1 - lambd * eta; starts = share == 1;
    *eta_at = (float)(lr / pow(1 + lambd * lr * count, alpha)); *mu_at = (float)(1 / (count - t0 > 1 ? count - t0 : 1));
""", options=("lr", "lambd", "alpha", "t0", "weight_decay", "maximize"), scalars=("eta", "mu"))
def asgd_rule(xp, p, g, average, *, eta, shrink, share, starts, weight_decay, maximize):
    """p = shrink * p - eta * g;  average += share * (p - average), or p itself while averaging `starts`."""
    g = descent(p, g, weight_decay, maximize)
    p *= shrink
    p -= eta * g
    if starts:
        average = p
    else:
        average += (p - average) * share
    return p, average


class ASGD(RuleOptimizer):
    """Averaged stochastic gradient descent (Polyak and Juditsky 1992); each parameter's state["ax"] is the average.

    lr: learning rate;  lambd: decay of the parameters;  alpha: power in the rate of step t, eta = lr / (1 + lambd * lr * t)^alpha;
    t0: the step at which averaging starts;  weight_decay: factor of an L2 penalty;  foreach, maximize, differentiable, capturable: as in Adam.
    """

    def __init__(self, params, lr=1e-2, lambd=1e-4, alpha=0.75, t0=1e6, weight_decay=0, foreach=None, maximize=False, differentiable=False,
                 capturable=False):
        check_lr(lr)
        check_from_zero("weight_decay value", weight_decay)
        super().__init__(params, {"lr": lr, "lambd": lambd, "alpha": alpha, "t0": t0, "weight_decay": weight_decay, "foreach": foreach,
                                  "maximize": maximize, "differentiable": differentiable, "capturable": capturable})

    def init_state(self, state, param, group):
        """No updates yet, the first rate, a share of one, and an average of zero."""
        state["step"] = scalar_state(0.0, group, param)
        state["eta"] = scalar_state(number(group["lr"], {}, param), group, param)
        state["mu"] = scalar_state(1.0, group, param)
        state["ax"] = zeros_state(param)

    def rule_of(self, group):
        """The rule, and what it keeps."""
        return asgd_rule, ("ax",)

    def update(self, param, grad, state, group):
        """See `asgd_rule` above; then the rate and share of the next step."""
        for name in ("eta", "mu"):  # torch once kept them as numbers
            if not hasattr(state[name], "_data"):
                state[name] = scalar_state(state[name], group, param)
        count, on_device = self.count_step(state, param, group), lives_on_device(group, param)
        lr, lambd = number(group["lr"], group, param), group["lambd"]
        eta, share = ((state[n]._data.copy() if on_device else state[n]._data.item()) for n in ("eta", "mu"))
        self.apply(asgd_rule, group, param, grad, state, ("ax",), eta=eta, shrink=1 - lambd * eta, share=share,
                   starts=not on_device and share == 1, weight_decay=group["weight_decay"], maximize=group["maximize"])
        lr, later = getattr(lr, "_data", lr), count - group["t0"]
        latest = of_array(param._data).xp.maximum(later, 1.0) if on_device else max(1, later)
        for name, value in (("eta", lr / (1 + lambd * lr * count) ** group["alpha"]), ("mu", 1 / latest)):
            state[name]._data[...] = value if on_device else get_default_dtype().np.type(value)  # torch rounds here, too
            written(state[name])


asgd = functional_form("asgd", ASGD, ("ax", "mu", "eta", "step"))
