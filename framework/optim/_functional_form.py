"""Optimizers as functions of lists, torch's older form: `adam(params, grads, exp_avgs, ..., state_steps, beta1=..., lr=..., ...)`."""
from .._core.modes import no_grad, set_grad_enabled
from .._core.tensor import Tensor

PAIRS = {"betas": ("beta1", "beta2"), "etas": ("etaminus", "etaplus"), "step_sizes": ("step_size_min", "step_size_max")}


def functional_form(name, optimizer, states):
    """One step of the class `optimizer` as a function `name`.

    It takes the parameters, their gradients and one list per entry of `states` (the keys in an optimizer's state), all of one length, then the
    options of a parameter group by name, those of PAIRS one by one.  Everything is updated in place; what a step adds to a state (the
    first momentum) goes into the list.
    """
    def step(params, grads, *lists, **options):
        options, lists = _sorted(name, states, lists, options)
        found_inf, scale = options.pop("found_inf", None), options.pop("grad_scale", None)
        if found_inf is not None and found_inf.item():
            return
        group = {**dict.fromkeys(("foreach", "fused", "capturable", "differentiable", "maximize", "decoupled_weight_decay"), False), **options}
        for pair, names in PAIRS.items():
            if names[0] in group:
                group[pair] = tuple(group.pop(n) for n in names)
        runner = object.__new__(optimizer)
        with set_grad_enabled(bool(group["differentiable"])):
            for i, (p, g) in enumerate(zip(params, grads)):
                if scale is not None:
                    with no_grad():
                        g.div_(scale)
                state = {key: values[i] for key, values in zip(states, lists) if len(values) > i and values[i] is not None}
                runner.update(p, g, state, group)
                for key, values in zip(states, lists):
                    if len(values) > i and values[i] is None and isinstance(state.get(key), Tensor):
                        values[i] = state[key]
    step.__name__ = step.__qualname__ = name
    step.__doc__ = f"One step of `{optimizer.__name__}` on lists: parameters, gradients, {', '.join(states)}; options by name.  In place."
    return step


def _sorted(name, states, lists, options):
    """(options, lists), of which some may have been given by position or by name."""
    if len(lists) < len(states):
        raise TypeError(f"{name}() takes the parameters, their gradients and lists of {', '.join(states)}; {len(lists)} of {len(states)} were given")
    if len(lists) > len(states):
        raise TypeError(f"{name}() takes its options by name")
    return {k: v for k, v in options.items() if k not in ("has_complex", "has_sparse_grad")}, lists
