"""What the optimizers here share: their `step` is an update rule applied to one parameter after another."""
from .._backends.sparse_ import SparseArray
from .._core.modes import enable_grad, no_grad, set_grad_enabled
from . import _clip_in_step, _one_launch
from ._hyper import advance, check_fused
from ._master_weights import has_master, update_through_master
from ._on_device import takes_scale
from .optimizer import Optimizer


class RuleOptimizer(Optimizer):
    """An optimizer whose step applies a rule to each parameter that has a gradient.

    A subclass gives `init_state(state, param, group)`, called before a parameter's first update (it may be empty), and
    `update(param, grad, state, group)`.
    """

    _calls = None  # of rules, gathered while a group is updated in one launch
    _factor = None  # of clip_in_step, for the length of a step: a 0-d tensor
    total_norm = None  # of all gradients in the last step, where it clips
    _step_supports_amp_scaling = False  # a GradScaler leaves the division by the scale to `step`: with fused=True

    def step(self, closure=None):
        """Update the parameters that have a gradient.

        closure: called with gradients enabled, before the update; computes the loss and its gradients.  Returns what it returned.
        """
        loss = None
        if closure is not None:
            with enable_grad():
                loss = closure()
        if self._step_supports_amp_scaling and not takes_scale(self) and not self._unscale():
            return loss
        groups = self.param_groups
        if groups and _clip_in_step.MOST in groups[0]:
            self._factor = _clip_in_step.factor_of(self)
        try:
            with set_grad_enabled(self.defaults.get("differentiable", False)):
                for group in groups:
                    if group.get("fused"):
                        check_fused(group["params"])
                    self.update_group(group)
        finally:
            self._factor = None
        return loss

    def clipped(self, grad):
        """A gradient times the factor of this step, where `clip_in_step` asked for one."""
        return grad if self._factor is None else grad * self._factor.to(grad.device)

    def one_launch(self, group):
        """Whether `update_group` reads a GradScaler's scale and found_inf on the device, in the one launch that updates the group."""
        return _one_launch.takes_group(self, group)

    def rule_of(self, group):
        """(rule, names of the states it takes) of a step that is one rule; (None, ()) for any other."""
        return None, ()

    def update_group(self, group):
        """Update the parameters of a group that have a gradient: on a GPU in one launch, where the rule has a body for that."""
        if _one_launch.step(self, group):
            return
        self._calls = None if self.rule_of(group)[0] is None else _one_launch.gathering(group)
        try:
            for p in group["params"]:
                grad = p.grad
                if grad is not None:
                    self.update_one(p, grad, group)
            if self._calls:
                _one_launch.run(self, self._calls)
        finally:
            self._calls = None

    def update_one(self, p, grad, group):
        """Update one parameter, whose state may be empty."""
        if has_master(p, group):
            gathered, self._calls = self._calls, None  # the rounding comes right behind the rule
            try:
                update_through_master(self, p, self.clipped(grad), group)
            finally:
                self._calls = gathered
            return
        if type(grad._data) is SparseArray:
            self.check_sparse(group)
        if self._calls is None:
            grad = self.clipped(grad)  # else the launch does it
        state = self.state[p] if self.keeps_state(group) else {}
        if not state:
            self.init_state(state, p, group)
        self.update(p, grad, state, group)

    def _unscale(self):
        """Divide the gradients by the scale that a GradScaler left here.  Returns whether they are finite, so that the step may go on."""
        found_inf, scale = getattr(self, "found_inf", None), getattr(self, "grad_scale", None)
        if found_inf is not None and found_inf.item():
            return False
        if scale is not None:
            with no_grad():
                for group in self.param_groups:
                    for p in group["params"]:
                        if p.grad is not None:
                            p.grad.div_(scale.to(p.grad.device))
        return True

    def check_sparse(self, group):
        """RuntimeError unless a sparse gradient can be used with the options of this group."""
        raise RuntimeError(f"{type(self).__name__} does not support sparse gradients, please consider SparseAdam instead")

    def keeps_state(self, group):
        """Whether parameters of this group have an entry in `state`."""
        return True

    def init_state(self, state, param, group):
        """Fill the state of a parameter that has none."""

    def update(self, param, grad, state, group):
        """Update one parameter and its state."""
        raise NotImplementedError

    def apply(self, rule, group, param, grad, state, names, **numbers):
        """Run `rule` on a parameter, its gradient and the entries `names` of its state (None for a variant's missing one)."""
        states = [state.get(n) for n in names]
        if type(grad._data) is SparseArray:
            rule.at_places(param, grad, *states, **numbers)
            return
        if self._calls is not None:
            if _one_launch.takes(rule, numbers):
                self._calls.append((rule, param, grad, states, numbers))
                return
            grad = self.clipped(grad)
        if not group.get("differentiable"):
            rule(param, grad, *states, **numbers)
            return
        for name, new in zip(names, rule.recorded(param, grad, *states, **numbers)):
            if new is not None:
                state[name] = new

    def count_step(self, state, param, group):
        """Count one update of `param`.  Returns the new number of updates, as a float or a device scalar."""
        return advance(state, param, group)
