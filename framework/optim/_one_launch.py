"""Rules with a CUDA body over all parameters of a group in one launch (kernels/multi_tensor_rules.py).

While a group is updated, `RuleOptimizer.apply` gathers its calls here in place of running the rule for each parameter; then one launch does them
all.  Calls that a kernel cannot take run as they come: numbers that live on the device, sparse gradients, arrays of other types or layouts.
"""
import weakref

from .._backends import of_array
from .._core.tensor import count_write
from ..kernels import multi_tensor, multi_tensor_rules
from ._multi_tensor import parameters

_TABLES = weakref.WeakKeyDictionary()  # optimizer: {(rule, address of the first parameter): its last table}


def gathering(group):
    """An empty list to gather calls in where one launch can update the group; None where the rule runs for each parameter."""
    return None if group.get("capturable") or parameters(group)[0] is None else []


def takes(rule, numbers):
    """Whether a kernel knows the rule, and its numbers are known on the host."""
    return rule.cuda is not None and not any(hasattr(value, "shape") for value in numbers.values())


def run(optimizer, calls):
    """Do what was gathered: [(rule, parameter, gradient, states, numbers)]."""
    for rule in dict.fromkeys(call[0] for call in calls):
        own = [call[1:] for call in calls if call[0] is rule]
        columns = [[p for p, *_ in own], [g for _, g, _, _ in own]]
        columns += [None if tensors[0] is None else list(tensors) for tensors in zip(*[states for _, _, states, _ in own])]
        arrays = [c if c is None else [t._data for t in c] for c in columns]
        if not multi_tensor.fits(*[c for c in arrays if c]) or len({c[0].dtype for c in arrays if c}) > 1:
            for p, g, states, numbers in own:
                rule(p, g, *states, **numbers)
            continue
        backend = of_array(arrays[0][0])
        with backend.on_device_of(arrays[0][0]):
            table = _table(backend.xp, optimizer, rule.name, arrays)
            multi_tensor_rules.step(backend.xp, rule.name, table, [[float(numbers[n]) for n in rule.numbers] for *_, numbers in own])
        for column in (columns[0], *columns[2:]):
            for t in column or ():
                count_write(t)


def _table(xp, optimizer, name, arrays):
    """The last table again while every array is where it was."""
    kept, place = _TABLES.setdefault(optimizer, {}), (name, arrays[0][0].data.ptr)
    sizes, last = [a.size for a in arrays[0]], kept.get(place)
    if last is None or last[0] != sizes or last[1].addresses != multi_tensor.addresses_of(arrays).tobytes():
        kept[place] = last = sizes, multi_tensor.Table(xp, arrays)
    return last[1]
