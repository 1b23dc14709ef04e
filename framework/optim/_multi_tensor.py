"""Steps of SGD, Adam and AdamW on a GPU: all parameters of a group in one launch (kernels/multi_tensor.py) in place of the rule for each.

Everything that a launch does not take (_on_device.py says what it takes) goes the way of the rules.  Compiled and emulated, not run on a device yet.
"""
import numpy as np

from .._backends.uploads import constant, upload
from .._core.tensor import Tensor, count_write
from ..kernels import multi_tensor
from ._hyper import counter, lives_on_device
from ._on_device import masters_of, numbers, parameters, scaling, table_of, written


def sgd(optimizer, group):
    """A step of SGD.  Returns False, and has done nothing, where it cannot be one launch."""
    backend, params = parameters(group)
    if backend is None or isinstance(group["weight_decay"], Tensor):
        return False
    with backend.on_device_of(params[0]._data):
        xp, momentum, masters = backend.xp, group["momentum"], masters_of(optimizer, params, group)
        states, first = [], [False] * len(params)
        if momentum:
            entries = [optimizer.state[p] for p in params]
            first = [entry.get("momentum_buffer") is None for entry in entries]
            for p, like, new in zip(params, masters or params, first):
                if new:
                    optimizer.init_velocity(p, like)
            states = [[entry["momentum_buffer"] for entry in entries]]
        table = table_of(xp, optimizer, "sgd", params, states, masters)
        gain = constant(xp, np.array([1.0 if new else 1.0 - group["dampening"] for new in first], multi_tensor.computing(params[0]._data)))
        multi_tensor.sgd(xp, table, numbers(xp, optimizer, group, _of_sgd), gain, nesterov=group["nesterov"], maximize=group["maximize"],
                         **scaling(xp, optimizer, params[0]))
    written(params, [*states, masters], optimizer)
    return True


def adam(optimizer, group):
    """A step of Adam or AdamW.  Returns False, and has done nothing, where it cannot be one launch."""
    backend, params = parameters(group)
    if backend is None or any(isinstance(value, Tensor) for value in (*group["betas"], group["weight_decay"])):
        return False
    with backend.on_device_of(params[0]._data):
        xp, masters = backend.xp, masters_of(optimizer, params, group)
        entries = [optimizer.state[p] for p in params]
        for p, entry in zip(params, entries):
            if not entry:
                optimizer.init_state(entry, p, group)
            counter(entry, p, group)
        names = ("exp_avg", "exp_avg_sq", *(["max_exp_avg_sq"] if group["amsgrad"] else []))
        states = [[entry[name] for entry in entries] for name in names]
        scales = scaling(xp, optimizer, params[0])
        table = table_of(xp, optimizer, "adam", params, states, masters)
        steps = _counted(xp, [entry["step"] for entry in entries], group, params[0], scales.get("found"))
        multi_tensor.adam(xp, table, numbers(xp, optimizer, group, _of_adam), steps, decoupled=group["decoupled_weight_decay"],
                          maximize=group["maximize"], **scales)
    written(params, [*states, masters], optimizer)
    return True


def _of_sgd(group):
    return group["lr"], group["momentum"], group["weight_decay"]


def _of_adam(group):
    return group["lr"], *group["betas"], group["eps"], group["weight_decay"]


def _counted(xp, counters, group, param, found):
    """The number of this step for each parameter, of which `param` is one, counted: on the device where it lives there."""
    counts = [c._data for c in counters]
    if lives_on_device(group, param) and all(c.dtype == np.float32 for c in counts):
        steps = multi_tensor.advance_steps(xp, param._data, counts, found)
    else:
        for c in counts:
            c += 1
        steps = upload(xp, np.array([float(c) for c in counts], multi_tensor.computing(param._data)))
    for c in counters:
        count_write(c)
    return steps
