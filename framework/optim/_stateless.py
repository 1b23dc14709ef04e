"""Running an optimizer on other parameters and another state for a while."""
import contextlib
from collections import defaultdict

from .._core.tensor import Tensor

NAME = "swap_in_optimizer_params_and_state"


@contextlib.contextmanager
def swap_in_optimizer_params_and_state(optimizer, swapin_parameters, swapin_optim_state):
    """Inside the `with` block, `optimizer` has other parameters and state; afterwards its own again.

    swapin_parameters: {name: tensor}, in the order of the optimizer's parameters;  swapin_optim_state: laid out as `optimizer.state_dict()`
    Steps write into the tensors given; new entries they make in the state are lost.  RuntimeError when the layouts do not match, and for an
    optimizer that has no state yet.
    """
    if not optimizer.state:
        raise RuntimeError(f"{NAME} requires initialized optimizer state.")
    state, groups = _checked(optimizer, swapin_optim_state)
    tensors, swapped = iter(swapin_parameters.values()), defaultdict(dict)
    new = [[t for _, t in zip(group["params"], tensors)] for group in groups]
    if any(len(a) != len(group["params"]) for a, group in zip(new, groups)):
        raise RuntimeError(f"{NAME} requires the explicit parameter state to match optimizer.param_groups ordering.")
    for parameters, group in zip(new, groups):
        swapped.update({p: dict(state.get(n, {})) for p, n in zip(parameters, group["params"])})
    own_state, own_groups = optimizer.state, [dict(g) for g in optimizer.param_groups]
    try:
        for live, parameters, group in zip(optimizer.param_groups, new, groups):
            live.update({**group, "params": parameters})
        optimizer.state = swapped
        yield
    finally:
        for live, own in zip(optimizer.param_groups, own_groups):
            live.clear()
            live.update(own)
        optimizer.state = own_state


def _checked(optimizer, packed):
    """(state, param_groups) of a state dict that fits `optimizer`; RuntimeError for one that does not."""
    if not isinstance(packed, dict):
        raise RuntimeError(f"{NAME} requires a DCP-style optimizer state_dict.")
    state, groups = packed.get("state"), packed.get("param_groups")
    if not isinstance(state, dict):
        raise RuntimeError(f"{NAME} requires swapin_optim_state['state'] to be a dict mapping packed parameter ids to per-param state dicts, "
                           f"got {type(state).__name__}.")
    if any(isinstance(key, Tensor) for key in state):
        raise RuntimeError(f"{NAME} requires optimizer.state_dict()-style state keyed by packed parameter ids.")
    if any(isinstance(key, int) and not isinstance(value, dict) for key, value in state.items()):
        raise RuntimeError(f"{NAME} requires per-parameter optimizer state entries to be dictionaries.")
    if not isinstance(groups, list):
        raise RuntimeError(f"{NAME} requires swapin_optim_state['param_groups'] to be a list of param-group dicts, got {type(groups).__name__}.")
    if len(groups) != len(optimizer.param_groups):
        raise RuntimeError("swapin_optim_state has a different number of parameter groups than the live optimizer.")
    for i, (live, group) in enumerate(zip(optimizer.param_groups, groups)):
        _check_group(i, live, group)
    extra = [key for key in state if not any(key in group["params"] for group in groups)]
    if extra:
        raise RuntimeError(f"{NAME} requires swapin_optim_state['state'] to be keyed only by packed parameter ids from "
                           f"param_groups[*]['params']; got extra keys {extra!r}.")
    return state, groups


def _check_group(i, live, group):
    if not isinstance(group, dict):
        raise RuntimeError(f"{NAME} requires each optimizer param group to be a dictionary.")
    numbers = group.get("params")
    if not isinstance(numbers, list) or not all(isinstance(n, int) for n in numbers):
        raise RuntimeError(f"{NAME} requires optimizer.state_dict()-style param_groups[*]['params'] entries keyed by packed parameter ids.")
    if len(numbers) != len(live["params"]):
        raise RuntimeError(f"swapin_optim_state param group {i} has a different number of params than the live optimizer param group.")
    here, there = [k for k in live if k not in group], [k for k in group if k not in live]
    if here or there:
        raise RuntimeError(f"{NAME} requires optimizer.state_dict()-style param group keys to exactly match the live optimizer group keys for "
                           f"group {i}. Keys only in swap-in: {there}. Keys only in live: {here}.")
