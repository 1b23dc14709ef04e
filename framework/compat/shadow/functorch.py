"""functorch, as torch brings it along: the transforms of torch.func, and models as functions of their parameters."""
import copy

import torch
from torch.func import *  # noqa: F403
from torch.func import functional_call, stack_module_state

__version__ = torch.__version__


def make_functional_with_buffers(model, disable_autograd_tracking=False):
    """(function of (parameters, buffers, *inputs), the model's parameters, its buffers), each a tuple of tensors."""
    shell = copy.deepcopy(model)
    names, buffer_names = [n for n, _ in model.named_parameters()], [n for n, _ in model.named_buffers()]

    def function(parameters, buffers, *args, **kwargs):
        state = {**dict(zip(names, parameters)), **dict(zip(buffer_names, buffers))}
        return functional_call(shell, state, args, kwargs)

    parameters = tuple(p.detach() if disable_autograd_tracking else p for _, p in model.named_parameters())
    return function, parameters, tuple(b for _, b in model.named_buffers())


def make_functional(model, disable_autograd_tracking=False):
    """(function of (parameters, *inputs), the model's parameters), for models without buffers."""
    function, parameters, buffers = make_functional_with_buffers(model, disable_autograd_tracking)
    if buffers:
        raise RuntimeError("make_functional(model): `model` has buffers. Please use make_functional_with_buffers(model) instead.")
    return lambda parameters, *args, **kwargs: function(parameters, (), *args, **kwargs), parameters


def combine_state_for_ensemble(models):
    """(function, stacked parameters, stacked buffers) of several models of one kind, for vmap over the first dimension."""
    function, _, _ = make_functional_with_buffers(models[0])
    parameters, buffers = stack_module_state(models)
    return function, tuple(parameters.values()), tuple(buffers.values())
