"""State dicts under the model's own names, whatever wraps it: `module.` of DistributedDataParallel is left out, and optimizer states go by
parameter names instead of numbers, so they fit another world size and another order."""

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

from ringgrad import Tensor, no_grad, zeros_like
from ringgrad.nn import Module
from ringgrad.optim import Optimizer

from .._init import get_rank, get_world_size, is_initialized
from .._objects import broadcast_object_list

__all__ = ["StateDictOptions", "get_model_state_dict", "get_optimizer_state_dict", "get_state_dict", "set_model_state_dict",
           "set_optimizer_state_dict", "set_state_dict"]

_WRAPPER = "module."


@dataclass
class StateDictOptions:
    """full_state_dict: whole tensors, which all are here.  cpu_offload: move them to the CPU (with full_state_dict, on rank 0 only; others
    get {}).  ignore_frozen_params: leave parameters without requires_grad out.  strict: as load_state_dict's.  broadcast_from_rank0: when
    loading, take rank 0's values (needs full_state_dict).  flatten_optimizer_state_dict: one level, "state.<parameter>.<key>"."""

    full_state_dict: bool = False
    cpu_offload: bool = False
    ignore_frozen_params: bool = False
    keep_submodule_prefixes: bool = True
    strict: bool = True
    broadcast_from_rank0: bool = False
    flatten_optimizer_state_dict: bool = False


def _checked(options: StateDictOptions | None) -> StateDictOptions:
    options = options or StateDictOptions()
    if options.broadcast_from_rank0 and not options.full_state_dict:
        raise ValueError("full_state_dict must be True when broadcast_from_rank0 is True.")
    return options


def _own(name: str) -> str:
    """A name without the wrapper's part: module.layer.weight -> layer.weight."""
    return name.removeprefix(_WRAPPER)


def _is_wrapped(model: Module) -> bool:
    return type(model).__name__ in ("DistributedDataParallel", "DataParallel")


def _name(model: Module, name: str) -> str:
    return _own(name) if _is_wrapped(model) else name


def _parameter_names(model: Module) -> dict[int, str]:
    return {id(p): _name(model, name) for name, p in model.named_parameters()}


def _delivered(values: dict[str, Any], options: StateDictOptions) -> dict[str, Any]:
    """The values as asked for: on the CPU, and on rank 0 only when both options say so."""
    if not options.cpu_offload:
        return values
    if options.full_state_dict and is_initialized() and get_world_size() > 1 and get_rank() != 0:
        return {}
    return _mapped(values, lambda t: t.detach().cpu())


def _mapped(value: Any, function: Any) -> Any:
    if isinstance(value, Tensor):
        return function(value)
    if isinstance(value, dict):
        return type(value)((k, _mapped(v, function)) for k, v in value.items())
    return type(value)(_mapped(v, function) for v in value) if type(value) in (list, tuple) else value


def _from_rank0(value: dict[str, Any], options: StateDictOptions) -> dict[str, Any]:
    if not (options.broadcast_from_rank0 and is_initialized() and get_world_size() > 1):
        return value
    box: list[Any] = [_mapped(value, lambda t: t.detach().cpu())] if get_rank() == 0 else [None]
    broadcast_object_list(box)
    return box[0]


def get_model_state_dict(model: Module, *, submodules: set[Module] | None = None, options: StateDictOptions | None = None) -> dict[str, Any]:
    """The model's state dict under its own names; submodules: only what belongs to these."""
    options = _checked(options)
    values = {_name(model, name): value for name, value in model.state_dict().items()}
    if options.ignore_frozen_params:
        frozen = {_name(model, name) for name, p in model.named_parameters() if not p.requires_grad}
        values = {name: value for name, value in values.items() if name not in frozen}
    if submodules:
        prefixes = [f"{_name(model, name)}." for name, module in model.named_modules() if module in submodules]
        values = {name if options.keep_submodule_prefixes else name.removeprefix(prefix): value
                  for name, value in values.items() for prefix in prefixes if name.startswith(prefix)}
    return _delivered(values, options)


def set_model_state_dict(model: Module, model_state_dict: dict[str, Any], *, options: StateDictOptions | None = None) -> Any:
    """Load what `get_model_state_dict` returned.  Returns (missing_keys, unexpected_keys)."""
    options = _checked(options)
    values = _from_rank0(model_state_dict, options)
    inner = model.module if _is_wrapped(model) else model
    without_memory = any(t.is_meta for t in inner.state_dict().values())
    return inner.load_state_dict(values, strict=options.strict, assign=without_memory)


def _init_optim_state(optim: Optimizer) -> None:
    """Have the optimizer make its state, by a step that changes nothing."""
    if optim.state:
        return
    parameters = [p for group in optim.param_groups for p in group["params"]]
    if any(p.grad is not None for p in parameters):
        return
    rates = [group["lr"] for group in optim.param_groups]
    before = [p.detach().clone() for p in parameters]
    for p in parameters:
        if p.requires_grad:
            p.grad = zeros_like(p)
    for group in optim.param_groups:
        group["lr"] = zeros_like(group["lr"]) if isinstance(group["lr"], Tensor) else 0.0
    optim.step(closure=None)
    for group, rate in zip(optim.param_groups, rates):
        group["lr"] = rate
    optim.zero_grad(set_to_none=True)
    with no_grad():
        for p, value in zip(parameters, before):
            p.copy_(value)


def _all(optimizers: Optimizer | Iterable[Optimizer]) -> list[Optimizer]:
    return [optimizers] if isinstance(optimizers, Optimizer) else list(optimizers)


def get_optimizer_state_dict(
    model: Module, optimizers: Optimizer | Iterable[Optimizer], *, submodules: set[Module] | None = None, options: StateDictOptions | None = None
) -> dict[str, Any]:
    """{"state": {parameter name: state}, "param_groups": [options, "params" as names]} of one or several optimizers."""
    options = _checked(options)
    names = _parameter_names(model)
    result: dict[str, Any] = {"state": {}, "param_groups": []}
    for optimizer in _all(optimizers):
        _init_optim_state(optimizer)
        own = [[names[id(p)] for p in group["params"]] for group in optimizer.param_groups]
        by_number = [name for group in own for name in group]
        saved = optimizer.state_dict()
        result["state"].update({by_number[number]: dict(state) for number, state in saved["state"].items()})
        result["param_groups"] += [{**group, "params": list(params)} for group, params in zip(saved["param_groups"], own)]
    if options.flatten_optimizer_state_dict:
        result = _flat(result)
    return _delivered(result, options)


def _flat(nested: dict[str, Any]) -> dict[str, Any]:
    flat = {f"state.{name}.{key}": value for name, state in nested["state"].items() for key, value in state.items()}
    for group in nested["param_groups"]:
        flat.update({f"param_groups.{name}.{key}": value for name in group["params"] for key, value in group.items() if key != "params"})
    return flat


def set_optimizer_state_dict(
    model: Module, optimizers: Optimizer | Iterable[Optimizer], optim_state_dict: dict[str, Any], *, options: StateDictOptions | None = None
) -> None:
    """Load what `get_optimizer_state_dict` returned, flat or not.  KeyError for a parameter that it does not hold."""
    options = _checked(options)
    values = _from_rank0(optim_state_dict, options)
    names = _parameter_names(model)
    for optimizer in _all(optimizers):
        _init_optim_state(optimizer)
        own = [[names[id(p)] for p in group["params"]] for group in optimizer.param_groups]
        saved = optimizer.state_dict()
        by_number = [name for group in own for name in group]
        state = {number: _state_of(values, name, saved["state"].get(number, {})) for number, name in enumerate(by_number)}
        groups = [{**_group_of(values, params, group), "params": group["params"]} for group, params in zip(saved["param_groups"], own)]
        optimizer.load_state_dict({"state": {n: s for n, s in state.items() if s}, "param_groups": groups})


def _state_of(values: dict[str, Any], name: str, like: dict[str, Any]) -> dict[str, Any]:
    if "state" in values:
        return values["state"].get(name, {})
    return {key: values[f"state.{name}.{key}"] for key in like if f"state.{name}.{key}" in values}


def _group_of(values: dict[str, Any], params: list[str], like: dict[str, Any]) -> dict[str, Any]:
    """The options of the group that holds these parameters."""
    if "param_groups" in values:
        for group in values["param_groups"]:
            if set(params) & set(group["params"]):
                return {key: value for key, value in group.items() if key != "params"}
        raise KeyError(f"the optimizer's state dict has no parameter group with {params[:3]}")
    return {key: values.get(f"param_groups.{params[0]}.{key}", value) for key, value in like.items() if key != "params"}


def get_state_dict(
    model: Module, optimizers: Optimizer | Iterable[Optimizer], *, submodules: set[Module] | None = None, options: StateDictOptions | None = None
) -> tuple[dict[str, Any], dict[str, Any]]:
    """(`get_model_state_dict`, `get_optimizer_state_dict`)."""
    return (get_model_state_dict(model, submodules=submodules, options=options),
            get_optimizer_state_dict(model, optimizers, submodules=submodules, options=options))


def set_state_dict(
    model: Module, optimizers: Optimizer | Iterable[Optimizer], *, model_state_dict: dict[str, Any], optim_state_dict: dict[str, Any],
    options: StateDictOptions | None = None,
) -> Any:
    """Load both.  Returns the model's (missing_keys, unexpected_keys)."""
    set_optimizer_state_dict(model, optimizers, optim_state_dict, options=options)
    return set_model_state_dict(model, model_state_dict, options=options)
