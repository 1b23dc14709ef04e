"""Optimizer: parameter groups, state, state dicts and hooks, as torch.optim.Optimizer has them."""
import functools
import warnings
from collections import OrderedDict, defaultdict
from collections.abc import Callable
from copy import deepcopy
from types import MappingProxyType

from .._core.hooks import RemovableHandle
from .._core.tensor import Tensor
from .._dtypes import float32
from .._state import state

__all__ = ["Optimizer", "register_optimizer_step_post_hook", "register_optimizer_step_pre_hook", "required"]

_pre_hooks, _post_hooks = OrderedDict(), OrderedDict()  # of every optimizer


class _Required:
    def __repr__(self):
        return "<required parameter>"


required = _Required()  # a default that every parameter group must override


def register_optimizer_step_pre_hook(hook):
    """Call hook(optimizer, args, kwargs) before every step of every optimizer.  It may return changed (args, kwargs)."""
    return RemovableHandle(_pre_hooks, hook)


def register_optimizer_step_post_hook(hook):
    """Call hook(optimizer, args, kwargs) after every step of every optimizer."""
    return RemovableHandle(_post_hooks, hook)


def _with_hooks(step):
    """`step` between the pre and post hooks; a step that calls its parent class's step runs them once."""
    @functools.wraps(step)
    def hooked(self, *args, **kwargs):
        if self._stepping:
            return step(self, *args, **kwargs)
        self._stepping, record = True, state.stepper
        try:
            if record is not None:
                record.begin(self)
            for hook in (*_pre_hooks.values(), *self._optimizer_step_pre_hooks.values()):
                changed = hook(self, (self, *args), kwargs)
                if changed is not None:
                    if not (isinstance(changed, tuple) and len(changed) == 2):
                        raise RuntimeError(f"{step} must return None or a tuple of (new_args, new_kwargs), but got {changed}.")
                    (_, *args), kwargs = changed
            result = step(self, *args, **kwargs)
            for hook in (*self._optimizer_step_post_hooks.values(), *_post_hooks.values()):
                hook(self, (self, *args), kwargs)
            return result
        finally:
            self._stepping = False
            self.step_called = True
            if record is not None:
                record.end(self)
    hooked.counts_steps = hooked.hooked = True
    return hooked


class Optimizer:
    """Base class of all optimizers.

    params    an iterable of tensors, of (name, tensor) pairs, or of dicts: parameter groups with options of their own
    defaults  the options of groups that do not set them

    `state` maps each parameter to a dict; `param_groups` is a list of dicts with "params" and the options.  A subclass defines `step`.
    """

    _stepping = False
    step_called = False  # since a learning-rate schedule first asked
    _watched = False
    _optimizer_step_pre_hooks = _optimizer_step_post_hooks = MappingProxyType({})  # of subclasses that never call __init__
    OptimizerPreHook = OptimizerPostHook = Callable
    profile_hook_step = staticmethod(_with_hooks)

    def __init_subclass__(cls, **kwargs):
        super().__init_subclass__(**kwargs)
        if "step" in cls.__dict__:
            cls.step = _with_hooks(cls.step)

    def __init__(self, params, defaults):
        self.defaults = defaults
        self._make_hooks()
        if isinstance(params, Tensor):
            raise TypeError("params argument given to the optimizer should be an iterable of Tensors or dicts, but got " + params.type())
        self.state = defaultdict(dict)
        self.param_groups = []
        groups = list(params)
        if not groups:
            raise ValueError("optimizer got an empty parameter list")
        if not isinstance(groups[0], dict):
            groups = [{"params": groups}]
        for group in groups:
            self.add_param_group(group)

    def _make_hooks(self):
        for name in ("step_pre", "step_post", "state_dict_pre", "state_dict_post", "load_state_dict_pre", "load_state_dict_post"):
            self.__dict__.setdefault(f"_optimizer_{name}_hooks", OrderedDict())

    def __getstate__(self):
        return {"defaults": self.defaults, "state": self.state, "param_groups": self.param_groups}

    def __setstate__(self, state):
        self.__dict__.update(state)
        self._make_hooks()
        for group in self.param_groups:
            for name, value in self.defaults.items():
                if value is not required:
                    group.setdefault(name, value)

    def __repr__(self):
        lines = [type(self).__name__ + " ("]
        for i, group in enumerate(self.param_groups):
            lines.append(f"Parameter Group {i}")
            lines += [f"    {key}: {group[key]}" for key in sorted(group) if key != "params"]
            lines.append("")
        return "\n".join(lines).rstrip("\n") + "\n)"

    # -- parameter groups ----------------------------------------------------------------------------------------------

    def add_param_group(self, param_group):
        """Add a dict with "params" (a tensor or an ordered collection) and options; missing options take their defaults.

        TypeError for what is not a dict or not a tensor, ValueError for a non-leaf, a missing option, or a parameter that has a group
        already.
        """
        if not isinstance(param_group, dict):
            raise TypeError(f"param_group must be a dict, but got {type(param_group)}")
        tensors, names = _ordered(param_group["params"])
        param_group["params"] = tensors
        if names:
            param_group["param_names"] = names
        for t in tensors:
            self._check_optimizable(t)
        for name, default in self.defaults.items():
            if default is required and name not in param_group:
                raise ValueError(f"parameter group didn't specify a value of required optimization parameter {name}")
            param_group.setdefault(name, default)
        if len(tensors) != len(set(tensors)):
            warnings.warn("optimizer contains a parameter group with duplicate parameters; in future, this will cause an error",
                          stacklevel=3)
        self._check_apart(param_group)
        self.param_groups.append(param_group)

    def _check_optimizable(self, t):
        if not isinstance(t, Tensor):
            raise TypeError(f"optimizer can only optimize Tensors, but one of the params is {type(t).__name__}")
        if not self.defaults.get("differentiable") and not (t.is_leaf or t.retains_grad):
            raise ValueError("can't optimize a non-leaf Tensor")

    def _check_apart(self, new):
        held = set()
        for group in self.param_groups:
            held.update(group["params"])
            if ("param_names" in new) != ("param_names" in group):
                raise ValueError("all optimizer param groups should be with/without names. cannot add param group "
                                 f"{'with' if 'param_names' in new else 'without'} names to the optimizer")
        if not held.isdisjoint(new["params"]):
            raise ValueError("some parameters appear in more than one parameter group")

    def zero_grad(self, set_to_none=True):
        """Forget the gradients of all parameters: None, or with set_to_none=False zeros in the memory they have."""
        for group in self.param_groups:
            for p in group["params"]:
                g = p.grad
                if g is None:
                    continue
                if set_to_none:
                    p.grad = None
                else:
                    g.detach_()
                    g.zero_()

    def watch_steps(self):
        """Begin to note in `step_called` whether `step` was called, for the schedules' warning; later calls change nothing."""
        if not self._watched:
            self._watched, self.step_called = True, False

    def step(self, closure=None):
        """Update the parameters once.  closure: computes the loss anew and returns it."""
        raise NotImplementedError

    # -- state dicts ---------------------------------------------------------------------------------------------------

    def state_dict(self):
        """{"state": {parameter number: state}, "param_groups": [options, "params" as numbers]}, sharing the state's tensors."""
        for hook in self._optimizer_state_dict_pre_hooks.values():
            hook(self)
        numbers = {}
        for group in self.param_groups:
            for p in group["params"]:
                numbers.setdefault(id(p), len(numbers))
        groups = [{**{k: v for k, v in group.items() if k != "params"}, "params": [numbers[id(p)] for p in group["params"]]}
                  for group in self.param_groups]
        state = {numbers[id(k)] if isinstance(k, Tensor) else k: v for k, v in self.state.items()}
        result = {"state": state, "param_groups": groups}
        for hook in self._optimizer_state_dict_post_hooks.values():
            changed = hook(self, result)
            if changed is not None:
                result = changed
        return result

    def load_state_dict(self, state_dict):
        """Take over what `state_dict` returned, matching parameters by their order.

        State tensors are copied, in their parameter's type (beside master weights in their own) and on its device.  ValueError when the groups
        differ in number or size.
        """
        state_dict = state_dict.copy()
        for hook in self._optimizer_load_state_dict_pre_hooks.values():
            changed = hook(self, state_dict)
            if changed is not None:
                state_dict = changed
        groups, saved = self.param_groups, deepcopy(state_dict["param_groups"])
        if len(groups) != len(saved):
            raise ValueError(f"loaded state dict has a different number of parameter groups: {len(saved)}, and the optimizer "
                             f"has {len(groups)}")
        for i, (group, other) in enumerate(zip(groups, saved)):
            if len(group["params"]) != len(other["params"]):
                raise ValueError("loaded state dict contains a parameter group that doesn't match the size of optimizer's group: "
                                 f"group {i} has {len(other['params'])} parameters in the state dict and {len(group['params'])} here")
        by_number = {n: (p, group) for group, other in zip(groups, saved) for n, p in zip(other["params"], group["params"])}
        options = {n: other for other in saved for n in other["params"]}
        state = defaultdict(dict)
        for key, value in state_dict["state"].items():
            if key in by_number:
                param = by_number[key][0]
                state[param] = _fitted(param, value, options[key])
            else:
                state[key] = value
        for group, other in zip(groups, saved):
            other["params"] = group["params"]
            if "param_names" in group:
                other.setdefault("param_names", group["param_names"])
        self.__setstate__({"state": state, "param_groups": saved})
        for hook in self._optimizer_load_state_dict_post_hooks.values():
            hook(self)

    # -- hooks ---------------------------------------------------------------------------------------------------------

    def register_step_pre_hook(self, hook):
        """Call hook(optimizer, args, kwargs) before each step.  It may return changed (args, kwargs)."""
        return RemovableHandle(self._optimizer_step_pre_hooks, hook)

    def register_step_post_hook(self, hook):
        """Call hook(optimizer, args, kwargs) after each step."""
        return RemovableHandle(self._optimizer_step_post_hooks, hook)

    def register_state_dict_pre_hook(self, hook, prepend=False):
        """Call hook(optimizer) before `state_dict`."""
        return RemovableHandle(self._optimizer_state_dict_pre_hooks, hook, prepend)

    def register_state_dict_post_hook(self, hook, prepend=False):
        """Call hook(optimizer, state_dict) after `state_dict`; a dict that it returns is returned instead."""
        return RemovableHandle(self._optimizer_state_dict_post_hooks, hook, prepend)

    def register_load_state_dict_pre_hook(self, hook, prepend=False):
        """Call hook(optimizer, state_dict) before `load_state_dict`; a dict that it returns is loaded instead."""
        return RemovableHandle(self._optimizer_load_state_dict_pre_hooks, hook, prepend)

    def register_load_state_dict_post_hook(self, hook, prepend=False):
        """Call hook(optimizer) after `load_state_dict`."""
        return RemovableHandle(self._optimizer_load_state_dict_post_hooks, hook, prepend)


def _ordered(params):
    """(tensors, names) from a tensor, an ordered collection of tensors, or one of (name, tensor) pairs."""
    if isinstance(params, Tensor):
        return [params], []
    if isinstance(params, set):
        raise TypeError("optimizer parameters need to be organized in ordered collections, but the ordering of tensors in sets will change "
                        "between runs. Please use a list instead.")
    params = list(params)
    names = [p[0] for p in params if isinstance(p, tuple)]
    if names and len(names) != len(params):
        raise ValueError("all optimizer params should be with/without names. Some param names are missing")
    return [p[1] if isinstance(p, tuple) else p for p in params], names


def _fitted(param, value, options, key=None):
    """A copy of loaded state with its tensors in the type and place of `param`; a count stays what it is."""
    if isinstance(value, Tensor):
        if key == "step":
            on_device = options.get("capturable") or options.get("fused")
            return value.detach().to(device=param.device, dtype=float32, copy=True) if on_device else value.detach().clone()
        dtype = param.dtype if param.is_floating_point() and not options.get("master_weights") else value.dtype
        return value.detach().to(device=param.device, dtype=dtype, copy=True)
    if isinstance(value, dict):
        return {k: _fitted(param, v, options, k) for k, v in value.items()}
    if isinstance(value, (list, tuple)):
        return type(value)(_fitted(param, v, options) for v in value)
    return value
