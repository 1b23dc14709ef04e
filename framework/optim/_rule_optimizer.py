"""What the optimizers here share: their `step` is an update rule applied to one parameter after another."""
from .._backends.sparse_ import SparseArray
from .._core.modes import enable_grad, no_grad, set_grad_enabled
from . import _one_launch
from ._hyper import advance, check_fused
from ._master_weights import has_master, update_through_master
from ._multi_tensor import takes_scale
from .optimizer import Optimizer


class RuleOptimizer(Optimizer):
    """An optimizer whose step applies a rule to each parameter that has a gradient.

    A subclass gives `init_state(state, param, group)`, called before a parameter's first update (it may be empty), and
    `update(param, grad, state, group)`.
    """

    _calls = None  # of rules, gathered while a group is updated in one launch
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
        with set_grad_enabled(self.defaults.get("differentiable", False)):
            for group in self.param_groups:
                if group.get("fused"):
                    check_fused(group["params"])
                self.update_group(group)
        return loss

    def one_launch(self, group):
        """Whether `update_group` reads a GradScaler's scale and found_inf on the device, in the one launch that updates the group."""
        return False

    def update_group(self, group):
        """Update the parameters of a group that have a gradient: on a GPU in one launch, where the rule has a body for that."""
        self._calls = _one_launch.gathering(group)
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
                update_through_master(self, p, grad, group)
            finally:
                self._calls = gathered
            return
        if type(grad._data) is SparseArray:
            self.check_sparse(group)
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
        if self._calls is not None and _one_launch.takes(rule, numbers):
            self._calls.append((rule, param, grad, states, numbers))
            return
        if not group.get("differentiable"):
            rule(param, grad, *states, **numbers)
            return
        for name, new in zip(names, rule.recorded(param, grad, *states, **numbers)):
            if new is not None:
                state[name] = new

    def count_step(self, state, param, group):
        """Count one update of `param`.  Returns the new number of updates, as a float or a device scalar."""
        return advance(state, param, group)
