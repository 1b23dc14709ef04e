"""Modules as functions of their parameters."""
from .._functional.joining import stack
from ..nn.utils.stateless import _functional_call


def functional_call(module, parameter_and_buffer_dicts, args=None, kwargs=None, *, tie_weights=True, strict=False):
    """`module(*args, **kwargs)` with the given tensors in place of its parameters and buffers, which stay as they are.

    parameter_and_buffer_dicts  {name: Tensor}, or a sequence of such dicts with different names
    args                        a tuple of arguments, or one argument
    tie_weights                 a tensor given for one name of a shared parameter stands in for all of its names
    strict                      RuntimeError unless exactly the module's parameters and buffers are given
    """
    dicts = parameter_and_buffer_dicts
    if isinstance(dicts, (list, tuple)):
        if not all(isinstance(d, dict) for d in dicts):
            raise ValueError("Expected all elements of parameter_and_buffer_dicts to be dictionaries")
        names = [name for d in dicts for name in d]
        repeated = sorted({n for n in names if names.count(n) > 1}, key=names.index)
        if repeated:
            raise ValueError(f"{repeated} appeared in multiple dictionaries; behavior of functional call is ambiguous")
        dicts = {name: t for d in dicts for name, t in d.items()}
    elif not isinstance(dicts, dict):
        raise ValueError(f"Expected parameter_and_buffer_dicts to be a dict, or a list/tuple of dicts, but got {type(dicts)}")
    return _functional_call(module, dicts, args, kwargs, tie_weights=tie_weights, strict=strict)


def stack_module_state(models):
    """(parameters, buffers) of models of one class, each {name: the models' tensors, stacked along a new first dimension}; parameters are leaves."""
    models = list(models)
    if not models:
        raise RuntimeError("stack_module_state: Expected at least one model, got 0.")
    if len({m.training for m in models}) > 1:
        raise RuntimeError("stack_module_state: Expected all models to have the same training/eval mode.")
    if len({type(m) for m in models}) > 1:
        raise RuntimeError("stack_module_state: Expected all models to be of the same class.")
    return (_stacked([dict(m.named_parameters()) for m in models]), _stacked([dict(m.named_buffers()) for m in models]))


def _stacked(states):
    found = {}
    for name in states[0]:
        own = [s[name] for s in states]
        needs = {t.requires_grad for t in own}
        if len(needs) > 1:
            raise RuntimeError(f"Expected {name} from each model to have the same .requires_grad")
        whole = stack(own)
        found[name] = whole.detach().requires_grad_() if needs == {True} else whole
    return found
