"""Rules with a CUDA body over all parameters of a group in one launch (kernels/multi_tensor_rules.py).

Where step counts live on the device, `step` does a whole group: a launch that makes the rule's numbers, and one that updates.  Where they live on
the host, `RuleOptimizer.update_group` gathers its calls here in place of running the rule for each parameter; then one launch does them all.  Calls
that a kernel cannot take run as they come: sparse gradients, arrays of other types or layouts.
"""
import numpy as np

from .._backends import of_array
from .._core.tensor import Tensor, count_write
from ..kernels import multi_tensor, multi_tensor_rules
from ._hyper import counter, lives_on_device
from ._master_weights import NAME as MASTER
from ._master_weights import has_master
from ._on_device import masters_of, numbers, parameters, scaling, table_of, written


def takes_group(optimizer, group):
    """Whether `step` can update a group: a rule with a body and factors, step counts on the device, everything as its kernels read it."""
    rule, names = optimizer.rule_of(group)
    backend, params = parameters(group)
    if rule is None or rule.factors is None or backend is None or not lives_on_device(group, params[0]):
        return False
    like, scalars = params[0]._data, ("step", *rule.factors.scalars)
    masters = has_master(params[0], group)
    for p in params:
        entry = optimizer.state.get(p)
        if entry and not (masters and MASTER not in entry):  # else it is made, or made wider, as it has to be
            states = [entry[name]._data for name in names if name in entry]
            kind = np.float32 if masters else like.dtype
            if not all(type(a) is backend.Array and a.dtype == kind for a in states):
                return False
        if entry and not all(isinstance(entry.get(name), Tensor) and entry[name]._data.dtype == np.float32 for name in scalars):
            return False
    return True


def step(optimizer, group):
    """Update a group whose step counts live on the device.  Returns False, and has done nothing, where that cannot be."""
    if not takes_group(optimizer, group):
        return False
    (rule, names), (backend, params) = optimizer.rule_of(group), parameters(group)
    with backend.on_device_of(params[0]._data):
        xp, masters = backend.xp, masters_of(optimizer, params, group)
        for p in params:
            if not optimizer.state[p]:
                optimizer.init_state(optimizer.state[p], p, group)
            counter(optimizer.state[p], p, group)
        states = [[optimizer.state[p].get(name) for p in params] for name in names]
        scalars = [[optimizer.state[p][name] for name in ("step", *rule.factors.scalars)] for p in params]
        if any(s._data.dtype != np.float32 for row in scalars for s in row):  # just made, with a default type of float64
            return False
        scales, table = scaling(xp, optimizer, params[0]), table_of(xp, optimizer, rule.name, params, states, masters)
        rows = multi_tensor_rules.rows_on_device(xp, rule.name, params[0]._data, [[s._data for s in row] for row in scalars],
                                                 numbers(xp, optimizer, group, rule.factors.read), scales.get("found"))
        multi_tensor_rules.step(xp, rule.name, table, rows, **scales)
    written(params, [*states, *scalars, masters], optimizer)
    return True


def gathering(group):
    """An empty list to gather calls in where one launch can update the group; None where the rule runs for each parameter."""
    return None if group.get("capturable") or parameters(group)[0] is None else []


def takes(rule, values):
    """Whether a kernel knows the rule, and its numbers are known on the host."""
    return rule.cuda is not None and not any(hasattr(value, "shape") for value in values.values())


def run(optimizer, calls):
    """Do what was gathered: [(rule, parameter, gradient, states, numbers)]."""
    for rule in dict.fromkeys(call[0] for call in calls):
        own = [call[1:] for call in calls if call[0] is rule]
        columns = [[p for p, *_ in own], [g for _, g, _, _ in own]]
        columns += [None if tensors[0] is None else list(tensors) for tensors in zip(*[states for _, _, states, _ in own])]
        arrays = [[t._data for t in c] for c in columns if c]
        if not multi_tensor.fits(*arrays) or len({c[0].dtype for c in arrays}) > 1:
            for p, g, states, values in own:
                rule(p, optimizer.clipped(g), *states, **values)
            continue
        backend = of_array(arrays[0][0])
        with backend.on_device_of(arrays[0][0]):
            xp, like = backend.xp, arrays[0][0]
            table = table_of(xp, optimizer, rule.name, columns[0], columns[2:])
            rows = multi_tensor_rules.rows(xp, like, [[float(values[n]) for n in rule.numbers] for *_, values in own])
            factor = scaling(xp, optimizer, columns[0][0]).get("factor")
            multi_tensor_rules.step(xp, rule.name, table, rows, factor=factor)
        for column in (columns[0], *columns[2:]):
            for t in column or ():
                count_write(t)
