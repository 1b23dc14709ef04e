"""In-place operations: the formula's result is stored in the first operand, and the graph is bent to match.

A write through a view is a write to the base.  It is recorded as the pure function it amounts to, base' = view_scatter(base, path, new value of
the view), and the view's own node is then made anew from base' when the view is next used (graph.refresh_view).
"""
import numpy as np

from .. import _dtypes
from .._backends.sparse_ import Elsewhere
from .._state import state
from .graph import refresh_view, set_history
from .op import op
from .placing import device_to_enter
from .quiet import OFF, restore, silence
from .recording import record, shares_memory
from .saved import pack_saved
from .tensor import Tensor, count_write, unwrap, wrap


def apply_inplace(op, target, others, attrs):
    """target <- op(target, *others, **attrs).  Returns target.

    RuntimeError in torch's words: a leaf that requires grad, a view that must not be written, a result of another shape or a higher type.
    """
    if state.tracer is not None:
        return state.tracer(op, (target, *others), attrs, inplace=True)
    inputs = (target, *others)
    for t in inputs:
        if isinstance(t, Tensor) and t._view is not None:
            refresh_view(t)
    records = state.grad and bool(op.rules) and any(isinstance(t, Tensor) and t._requires_grad for t in inputs)
    check_writable(target, records)
    records = records and target._data.dtype.kind in "fcV"
    raw = [unwrap(t) for t in inputs]
    if type(raw[0]) is not np.ndarray and (device := device_to_enter(raw)) is not None:
        with device:
            return apply_inplace(op, target, others, attrs)
    at_once = op.writer is not None and not (records and any(n in op.slots for n in op.inputs)) and _written_at_once(op, raw, attrs)
    if at_once and not records:
        count_write(target)
        return target
    if at_once:
        converted = raw
    else:
        try:
            backend, converted, result = op.compute(raw, attrs)
        except Elsewhere:
            return _take_over(op, target, op.elsewhere(inputs, attrs))
        _check_fits(op, target, result)
    if records:
        kept = [_copied(backend, converted[0]), *converted[1:]] if op.inputs[0] in op.slots else converted
        fresh = wrap(target._data)
        fresh._cell = target._cell
        record(op, inputs, raw, kept, fresh, attrs, overwrites=True)
    if at_once:
        count_write(target)
    else:
        write(target, backend.asarray(result))
    if records:
        node = fresh._node
        rebase(target, node)
        target._cell[1:] = (target._node.name(),)  # for the error about a saved value that this overwrote
        if state.saved_hooks:
            pack_saved(node, inputs)
    return target


def _copied(backend, array):
    return array.copy(order="K") if backend.name == "cupy" else array.copy()  # images keep their channels last


def _written_at_once(op, raw, attrs):
    token = silence(OFF)
    try:
        return op.writer(*raw, **attrs)
    finally:
        restore(token)


def _take_over(op, target, result):
    """Store what an op gave for sparse operands in `target`, with its history."""
    _check_fits(op, target, result._data)
    write(target, result._data)
    if result._requires_grad:
        rebase(target, result._node)
    return target


def write(target, values):
    """Store raw `values` in the memory of `target` and count the write.  RuntimeError for an expanded tensor, whose elements share memory."""
    check_apart(target)
    token = silence(OFF)
    try:
        if type(target._data) is np.ndarray or (device := device_to_enter((target._data,))) is None:
            target._data[...] = values
        else:
            with device:
                target._data[...] = values
    finally:
        restore(token)
    count_write(target)


def check_writable(target, records):
    """RuntimeError, in torch's words, when autograd forbids writing to `target`."""
    if not isinstance(target, Tensor):
        raise TypeError(f"an in-place operation writes to a Tensor, not to {type(target).__name__}")
    if type(target._cell) is not list and not state.inference:
        raise RuntimeError("Inplace update to inference tensor outside InferenceMode is not allowed. You can make a clone to get a normal "
                           "tensor before doing inplace update.")
    check_apart(target)
    if not state.grad:
        return
    view = target._view
    if view is None:
        if target._requires_grad and target._node is None:
            raise RuntimeError("a leaf Variable that requires grad is being used in an in-place operation. Use ringgrad.no_grad() around it, "
                               "or the out-of-place form.")
        return
    if view.blocked is not None and (records or target._requires_grad or view.base._requires_grad):
        raise RuntimeError(view.refusal())
    if view.base._requires_grad and view.base._node is None and view.blocked is None:
        raise RuntimeError("a view of a leaf Variable that requires grad is being used in an in-place operation. Use ringgrad.no_grad() "
                           "around it, or the out-of-place form.")


def check_apart(target):
    """RuntimeError for an expanded tensor, which shows one element at several places."""
    a = target._data
    if type(a) is np.ndarray and not a.flags.writeable or (
            0 in a.strides and a.size > 1 and any(step == 0 and n > 1 for step, n in zip(a.strides, a.shape))):
        raise RuntimeError("unsupported operation: more than one element of the written-to tensor refers to a single memory location. "
                           "Please clone() the tensor before performing the operation.")


def rebase(target, node):
    """Make `node` the history of `target` after a write; through a view, of its base too."""
    view = target._view
    if view is None:
        set_history(target, node)
        return
    base = view.base
    new_base = wrap(base._data)
    new_base._cell = base._cell
    new_value = wrap(target._data)
    new_value._node, new_value._requires_grad, new_value._cell = node, True, base._cell
    record(VIEW_SCATTER, (base, new_value), [base._data, target._data], [base._data, target._data], new_base, {"path": view.path})
    set_history(base, new_base._node)
    view.version = -1
    refresh_view(target)


def _check_fits(op, target, result):
    have = target._data
    if tuple(result.shape) != have.shape:
        raise RuntimeError(f"output with shape {list(have.shape)} doesn't match the broadcast shape {list(result.shape)} "
                           f"of in-place {op.name}_")
    if result.dtype != have.dtype and not _dtypes.can_cast(_dtypes.of_numpy(result.dtype), _dtypes.of_numpy(have.dtype)):
        raise RuntimeError(f"result type {_dtypes.of_numpy(result.dtype).name} can't be cast to the desired output type "
                           f"{_dtypes.of_numpy(have.dtype).name} of the tensor that {op.name}_ writes to")


def _follow(xp, x, path):
    """Apply the view operations of `path`, to an array or, recorded, to a Tensor."""
    for step, attrs in path:
        x = step.apply((x,), attrs) if isinstance(x, Tensor) else step.forward(xp, x, **attrs)
    return x


def view_scatter(xp, base, value, path: tuple):
    """`base` with the region that `path` leads to replaced by `value`."""
    out = base.copy(order="K")
    region = _follow(xp, out, path)
    if shares_memory(region, out):
        region[...] = value
        return out
    out = base.copy()  # in this layout the path leads to a copy: find the elements by their places instead
    places = _follow(xp, xp.arange(out.size).reshape(out.shape), path)
    out.reshape(-1)[places] = value
    return out


VIEW_SCATTER = op(holomorphic=False, fast=False, grad_name="torch::autograd::CopySlices")(view_scatter)


@VIEW_SCATTER.vjp("base")
def _(xp, g, path):
    return VIEW_SCATTER.apply((g, 0), {"path": path}) if isinstance(g, Tensor) else view_scatter(xp, g, 0, path)


@VIEW_SCATTER.vjp("value")
def _(xp, g, path):
    return _follow(xp, g, path)
