"""What steps in one launch on a GPU share: which groups allow them, tables of addresses, numbers and loss scales in device memory."""
import weakref

import numpy as np

from .._backends import of_array
from .._backends.uploads import upload
from .._core.tensor import Tensor, count_write
from .._state import state
from ..kernels import multi_tensor
from ._master_weights import has_master, master_of
from ._rule import same_shapes


def parameters(group):
    """(backend, the group's parameters that have a gradient) where one launch can update them; else (None, None).

    That is: parameters and gradients on one CUDA device, without gaps and each gradient as its parameter lies (channels last, say), of one float
    type, not sparse, not differentiable.
    """
    every = group["params"]
    if not every or type(every[0]._data) is np.ndarray or group.get("differentiable"):
        return None, None
    pairs = [(p, g) for p in every if (g := p.grad) is not None]
    if not pairs:
        return None, None
    params = [p for p, _ in pairs]
    backend = of_array(params[0]._data)
    if backend.name != "cupy":
        return None, None
    arrays = [p._data for p in params], [g._data for _, g in pairs]
    home = backend.index_of(arrays[0][0])
    for column in arrays:
        for a in column:
            if type(a) is not backend.Array or a.device.id != home:
                return None, None
    if arrays[0][0].dtype != arrays[1][0].dtype or not multi_tensor.fits(*arrays):
        return None, None
    return backend, params


def takes_scale(optimizer):
    """Whether every group steps in one launch, so that a GradScaler's scale and found_inf can stay on the device."""
    return all(optimizer.one_launch(group) for group in optimizer.param_groups if any(p.grad is not None for p in group["params"]))


def masters_of(optimizer, params, group):
    """The master weights of parameters that have them, or None.  A group has parameters of one type here."""
    return [master_of(optimizer, p, group) for p in params] if has_master(params[0], group) else None


_TABLES = weakref.WeakKeyDictionary()  # optimizer: {(rule, address of the first parameter): its last table}


def table_of(xp, optimizer, name, params, states, masters=None):
    """The table for a launch of the rule `name`: the last one again while every array is where it was.

    states: lists of tensors, None for what is missing;  what lies otherwise than its parameter, after load_state_dict say, is laid out anew, and
    what is of another shape refused
    """
    for column in (*states, masters):
        for p, t in zip(params, column or ()):
            if t is not None and not multi_tensor.alike(p._data, t._data):
                same_shapes(p._data, None, t._data)
                t._data = _laid_out_as(p._data, t._data)
    columns = [[p._data for p in params], [p.grad._data for p in params]]
    columns += [None if column is None else [t if t is None else t._data for t in column] for column in states]
    if masters is not None:
        columns += [None] * (5 - len(columns)) + [[m._data for m in masters]]
    kept, place = _TABLES.setdefault(optimizer, {}), (name, columns[0][0].data.ptr)
    sizes, last = [a.size for a in columns[0]], kept.get(place)
    if last is None or last[0] != sizes or last[1].addresses != multi_tensor.addresses_of(columns).tobytes():
        for row in zip(*[column or [None] * len(params) for column in columns]):
            same_shapes(*row)  # the kernels know one size only
        kept[place] = last = sizes, multi_tensor.Table(xp, columns)
    return last[1]


def _laid_out_as(like, a):
    out = like.astype(a.dtype, order="K")
    out[...] = a
    return out


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


def numbers(xp, optimizer, group, read):
    """`read(group)` in device memory.  A captured step reads it there at each replay, and before each it is brought up to date.

    A learning rate that is a tensor is copied on the device, whenever the step runs; where there is one, it comes first.
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
    rate = read(group)[0]
    if isinstance(rate, Tensor):
        held.values = None  # not what the host knows
        held.array[:1] = xp.asarray(rate._data).reshape(-1)
    return held.array


def scaling(xp, optimizer, param):
    """What gradients are multiplied by, and whether at all, as device arrays for the kernels: the factor of `clip_in_step`, and what a GradScaler
    left, the loss scale and whether an inf was found."""
    kind, names, found = multi_tensor.computing(param._data), [("factor", "_factor")], {}
    if optimizer._step_supports_amp_scaling and takes_scale(optimizer):  # otherwise `step` has divided by it, or nobody left one
        names += [("scale", "grad_scale"), ("found", "found_inf")]
    for name, attribute in names:
        value = getattr(optimizer, attribute, None)
        if value is not None:
            found[name] = xp.asarray(value._data).reshape(-1).astype(kind, copy=False)
    return found


def written(params, states, optimizer):
    """Parameters and their states (lists of tensors) have new values."""
    unscaled = [p.grad for p in params] if getattr(optimizer, "grad_scale", None) is not None else ()
    for column in (params, unscaled, *states):
        for t in column or ():
            if t is not None:
                count_write(t)
