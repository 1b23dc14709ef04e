"""Steps of SGD, Adam and AdamW on a GPU: all parameters of a group in one launch (kernels/multi_tensor.py) in place of the rule for each.

What it takes: parameters and gradients on one CUDA device, contiguous, of one float type, not sparse, not differentiable.  Everything else goes
the way of the rules.  Compiled and emulated, not run on a device yet.
"""
import weakref

import numpy as np

from .._backends import of_array
from .._core.tensor import Tensor, count_write
from ..kernels import multi_tensor
from ._hyper import lives_on_device, scalar_state


def parameters(group):
    """(backend, the group's parameters that have a gradient) where one launch can update them; else (None, None)."""
    every = group["params"]
    if not every or type(every[0]._data) is np.ndarray or group.get("differentiable"):
        return None, None
    params = [p for p in every if p.grad is not None]
    if not params:
        return None, None
    backend = of_array(params[0]._data)
    if backend.name != "cupy":
        return None, None
    arrays = [[p._data for p in params], [p.grad._data for p in params]]
    one_place = all(type(a) is backend.Array and a.device.id == arrays[0][0].device.id for column in arrays for a in column)
    if not (one_place and arrays[0][0].dtype == arrays[1][0].dtype and multi_tensor.fits(*arrays)):
        return None, None
    return backend, params


def takes_scale(optimizer):
    """Whether every group of a fused optimizer steps here, so that the loss scale and found_inf can stay on the device."""
    return all(optimizer.one_launch(group) for group in optimizer.param_groups if any(p.grad is not None for p in group["params"]))


def sgd(optimizer, group):
    """A step of SGD.  Returns False, and has done nothing, where it cannot be one launch."""
    backend, params = parameters(group)
    if backend is None or isinstance(group["weight_decay"], Tensor):
        return False
    with backend.on_device_of(params[0]._data):
        xp, momentum = backend.xp, group["momentum"]
        first = [momentum and optimizer.state[p].get("momentum_buffer") is None for p in params]
        for p, new in zip(params, first):
            if new:
                optimizer.init_velocity(p)
        states = [[optimizer.state[p]["momentum_buffer"] for p in params]] if momentum else []
        table = _table(xp, optimizer, params, states)
        gain = xp.asarray(np.array([1.0 if new else 1.0 - group["dampening"] for new in first], multi_tensor.computing(params[0]._data)))
        multi_tensor.sgd(xp, table, _rate(xp, group, params[0]), gain, momentum=momentum, weight_decay=group["weight_decay"],
                         nesterov=group["nesterov"], maximize=group["maximize"], **_scaling(xp, optimizer, params[0]))
    _written(params, states, optimizer)
    return True


def adam(optimizer, group):
    """A step of Adam or AdamW.  Returns False, and has done nothing, where it cannot be one launch."""
    backend, params = parameters(group)
    if backend is None or any(isinstance(value, Tensor) for value in (*group["betas"], group["weight_decay"])):
        return False
    with backend.on_device_of(params[0]._data):
        xp = backend.xp
        for p in params:
            if not optimizer.state[p]:
                optimizer.init_state(optimizer.state[p], p, group)
            if not isinstance(optimizer.state[p].get("step"), Tensor):
                optimizer.state[p]["step"] = scalar_state(optimizer.state[p].get("step") or 0.0, group, p)
        names = ("exp_avg", "exp_avg_sq", *(["max_exp_avg_sq"] if group["amsgrad"] else []))
        states = [[optimizer.state[p][name] for p in params] for name in names]
        scaling = _scaling(xp, optimizer, params[0])
        table = _table(xp, optimizer, params, states)
        steps = _counted(xp, optimizer, group, params, scaling.get("found"))
        multi_tensor.adam(xp, table, _rate(xp, group, params[0]), steps, betas=group["betas"], eps=group["eps"], weight_decay=group["weight_decay"],
                          decoupled=group["decoupled_weight_decay"], maximize=group["maximize"], **scaling)
    _written(params, states, optimizer)
    return True


_TABLES = weakref.WeakKeyDictionary()  # optimizer: {first parameter's address: its group's last table}


def _table(xp, optimizer, params, states):
    """The table of a group: the last one again while every array is where it was."""
    columns = [[p._data for p in params], [p.grad._data for p in params], *([t._data for t in column] for column in states)]
    kept, place = _TABLES.setdefault(optimizer, {}), columns[0][0].data.ptr
    last = kept.get(place)
    sizes = sum(a.size for a in columns[0])
    if last is None or last[0] != sizes or last[1].addresses != multi_tensor.addresses_of(columns).tobytes():
        kept[place] = last = sizes, multi_tensor.Table(xp, columns)
    return last[1]


def _rate(xp, group, param):
    """The learning rate as a device array of one element."""
    lr, kind = group["lr"], multi_tensor.computing(param._data)
    if isinstance(lr, Tensor):
        return xp.asarray(lr._data).reshape(-1).astype(kind, copy=False)
    return xp.asarray(np.array([lr], kind))


def _counted(xp, optimizer, group, params, found):
    """The number of this step for each parameter, counted: on the device where it lives there."""
    counters = [optimizer.state[p]["step"] for p in params]
    if all(lives_on_device(group, p) for p in params) and all(c._data.dtype == np.float32 for c in counters):
        steps = multi_tensor.advance_steps(xp, params[0]._data, [c._data for c in counters], found)
    else:
        for c in counters:
            c._data[...] += 1
        steps = xp.asarray(np.array([float(c._data) for c in counters], multi_tensor.computing(params[0]._data)))
    for c in counters:
        count_write(c)
    return steps


def _scaling(xp, optimizer, param):
    """What a GradScaler left: the loss scale and whether an inf was found, as device arrays; empty when there is none."""
    kind, found = multi_tensor.computing(param._data), {}
    if not (optimizer._step_supports_amp_scaling and takes_scale(optimizer)):  # `step` has divided by it, or nobody left one
        return found
    for name, attribute in (("scale", "grad_scale"), ("found", "found_inf")):
        value = getattr(optimizer, attribute, None)
        if value is not None:
            found[name] = xp.asarray(value._data).reshape(-1).astype(kind, copy=False)
    return found


def _written(params, states, optimizer):
    for p in params:
        count_write(p)
        if getattr(optimizer, "grad_scale", None) is not None:
            count_write(p.grad)
    for column in states:
        for t in column:
            count_write(t)
