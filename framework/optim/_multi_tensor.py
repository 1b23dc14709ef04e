"""Steps of SGD, Adam and AdamW on a GPU: all parameters of a group in one launch (kernels/multi_tensor.py) in place of the rule for each.

What it takes: parameters and gradients on one CUDA device, contiguous, of one float type, not sparse, not differentiable.  Everything else goes
the way of the rules.  Compiled and emulated, not run on a device yet.
"""
import weakref

import numpy as np

from .._backends import of_array
from .._backends.uploads import constant, upload
from .._core.tensor import Tensor, count_write
from .._state import state
from ..kernels import multi_tensor
from ._hyper import counter, lives_on_device
from ._master_weights import has_master, master_of


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
        xp, momentum, masters = backend.xp, group["momentum"], _masters(optimizer, params, group)
        first = [momentum and optimizer.state[p].get("momentum_buffer") is None for p in params]
        for p, like, new in zip(params, masters or params, first):
            if new:
                optimizer.init_velocity(p, like)
        states = [[optimizer.state[p]["momentum_buffer"] for p in params]] if momentum else []
        table = _table(xp, optimizer, params, states, masters)
        gain = constant(xp, np.array([1.0 if new else 1.0 - group["dampening"] for new in first], multi_tensor.computing(params[0]._data)))
        multi_tensor.sgd(xp, table, _numbers(xp, optimizer, group, _of_sgd), gain, nesterov=group["nesterov"], maximize=group["maximize"],
                         **_scaling(xp, optimizer, params[0]))
    _written(params, [*states, masters or []], optimizer)
    return True


def adam(optimizer, group):
    """A step of Adam or AdamW.  Returns False, and has done nothing, where it cannot be one launch."""
    backend, params = parameters(group)
    if backend is None or any(isinstance(value, Tensor) for value in (*group["betas"], group["weight_decay"])):
        return False
    with backend.on_device_of(params[0]._data):
        xp, masters = backend.xp, _masters(optimizer, params, group)
        for p in params:
            if not optimizer.state[p]:
                optimizer.init_state(optimizer.state[p], p, group)
            counter(optimizer.state[p], p, group)
        names = ("exp_avg", "exp_avg_sq", *(["max_exp_avg_sq"] if group["amsgrad"] else []))
        states = [[optimizer.state[p][name] for p in params] for name in names]
        scaling = _scaling(xp, optimizer, params[0])
        table = _table(xp, optimizer, params, states, masters)
        steps = _counted(xp, optimizer, group, params, scaling.get("found"))
        multi_tensor.adam(xp, table, _numbers(xp, optimizer, group, _of_adam), steps, decoupled=group["decoupled_weight_decay"],
                          maximize=group["maximize"], **scaling)
    _written(params, [*states, masters or []], optimizer)
    return True


_TABLES = weakref.WeakKeyDictionary()  # optimizer: {first parameter's address: its group's last table}


def _masters(optimizer, params, group):
    """The master weights of parameters that have them, or None.  A group has parameters of one type here."""
    return [master_of(optimizer, p, group) for p in params] if has_master(params[0], group) else None


def _table(xp, optimizer, params, states, masters):
    """The table of a group: the last one again while every array is where it was."""
    columns = [[p._data for p in params], [p.grad._data for p in params], *([t._data for t in column] for column in states)]
    if masters is not None:
        columns += [None] * (5 - len(columns)) + [[m._data for m in masters]]
    kept, place = _TABLES.setdefault(optimizer, {}), columns[0][0].data.ptr
    last = kept.get(place)
    sizes = sum(a.size for a in columns[0])
    if last is None or last[0] != sizes or last[1].addresses != multi_tensor.addresses_of(columns).tobytes():
        kept[place] = last = sizes, multi_tensor.Table(xp, columns)
    return last[1]


def _of_sgd(group):
    return group["lr"], group["momentum"], group["weight_decay"]


def _of_adam(group):
    return group["lr"], *group["betas"], group["eps"], group["weight_decay"]


class _Numbers:
    """The hyperparameters of a group as a device array of float64, and what it holds: a copy from the host only when one has changed."""

    def __init__(self, xp, values):
        self.xp, self.values, self.array = xp, values, upload(xp, np.array(values, np.float64))

    def become(self, values):
        """Hold `values` from here on, in the order of the current stream."""
        if values != self.values:
            self.values = values
            self.array[...] = self.xp.asarray(np.array(values, np.float64))


_NUMBERS = weakref.WeakKeyDictionary()  # optimizer: {number of a group: _Numbers}


def _numbers(xp, optimizer, group, read):
    """`read(group)` in device memory.  A captured step reads it there at each replay, and before each it is brought up to date.

    A learning rate that is a tensor is copied on the device, whenever the step runs.
    """
    def values():
        return tuple([0.0 if isinstance(v, Tensor) else float(v) for v in read(group)])
    kept = _NUMBERS.setdefault(optimizer, {})
    place = next(i for i, other in enumerate(optimizer.param_groups) if other is group)
    held = kept.get(place)
    if held is None:
        held = kept[place] = _Numbers(xp, values())
    elif state.capture is None:
        held.become(values())
    if state.stepper is not None:
        state.stepper.before_replays(lambda: held.become(values()))
    if isinstance(group["lr"], Tensor):
        held.values = None  # not what the host knows
        held.array[:1] = xp.asarray(group["lr"]._data).reshape(-1)
    return held.array


def _counted(xp, optimizer, group, params, found):
    """The number of this step for each parameter, counted: on the device where it lives there."""
    counters = [optimizer.state[p]["step"] for p in params]
    if all(lives_on_device(group, p) for p in params) and all(c._data.dtype == np.float32 for c in counters):
        steps = multi_tensor.advance_steps(xp, params[0]._data, [c._data for c in counters], found)
    else:
        for c in counters:
            c._data[...] += 1
        steps = upload(xp, np.array([float(c._data) for c in counters], multi_tensor.computing(params[0]._data)))
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
