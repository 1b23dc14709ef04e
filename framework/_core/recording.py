"""What follows an operation: its results become views, or get a Node that keeps what the gradient rules will read.

`Op.apply` and the functions that compile.py writes come here with raw results; nothing here computes.
"""
import numpy as np

from .._state import state
from .graph import NO_GRAD_VIEW, OWN, Pick, ViewOf, next_sequence, pick_of, source_of
from .saved import RAW, pack_saved
from .tensor import Tensor, _new

F32, F64 = np.dtype(np.float32), np.dtype(np.float64)


def shares_memory(out, x):
    """Whether `out`, just made from `x`, is a look into its memory rather than a copy."""
    if out is x or (out.base is not None and (out.base is x or out.base is x.base)):
        return True
    if type(out) is np.ndarray:
        return False
    memory = getattr(getattr(out, "data", None), "mem", None)  # CuPy's as_strided knows no base
    return memory is not None and memory is getattr(x.data, "mem", None)


def tie_view(op, x, out, attrs, index=None):
    """Mark the tensor `out` as a view of `x` through `op`."""
    out._cell = x._cell
    out._view = None
    if type(x._cell) is not list:
        return
    out._requires_grad = x._requires_grad and not state.grad and out._data.dtype.kind in "fcV"
    parent = x._view
    blocked = None
    if index is not None:
        blocked = index, op.grad_name
    elif not state.grad and not state.inference:
        blocked = NO_GRAD_VIEW
    if parent is None:
        out._view = ViewOf(x, ((op, attrs),), x._cell[0], blocked, index is not None)
    else:
        out._view = ViewOf(parent.base, (*parent.path, (op, attrs)), x._cell[0], blocked or parent.blocked, index is not None or parent.several)


def several_outputs(op, x, arrays, attrs, node):
    """The tensors around the `arrays` that `op` made of `x`: views of it if they look into its memory, and in front of `node`, if there is one.

    What wrapping, `tie_view` and `add_picks` do for each, in one loop.
    """
    cell = None
    if op.view and arrays and shares_memory(arrays[0], x._data):
        cell, parent = x._cell, x._view
        tied = type(cell) is list
        if tied:
            base, path = (x, ((op, attrs),)) if parent is None else (parent.base, (*parent.path, (op, attrs)))
            version, name = cell[0], op.grad_name
    found, edges = [], (node,)
    for at, a in enumerate(arrays):
        out = _new(Tensor)
        out._data = a
        out._grad = out._hooks = None
        if cell is None:
            out._cell, out._view = [0], None
        else:
            out._cell = cell
            out._view = ViewOf(base, path, version, (at, name), True) if tied else None
        if node is None or a.dtype.kind not in "fcV":
            out._requires_grad, out._node = x._requires_grad and out._view is not None and a.dtype.kind in "fcV", None
        else:
            out._requires_grad = True
            out._node = pick = _new(Pick)
            pick.op = op
            pick.attrs = attrs
            pick.hooks = pick.trace = None
            pick.saved = ()
            pick.edges = edges
            pick.index = at
            pick.shapes, pick.dtypes = node.shapes[-1][at]
            pick.seq = next_sequence()
        found.append(out)
    return tuple(found)


def record(op, inputs, raw, converted, outputs, attrs, overwrites=False):
    """Put one Node (and a Pick per output, when there are several) behind the outputs that can carry a gradient.  Returns the Node.

    overwrites: the output is about to be written over the first input, of whose old value `converted` holds a copy
    """
    several = type(outputs) is list
    if not several and outputs._data.dtype.kind not in "fcV":
        return None
    node = _new(op.node_class)
    node.op, node.attrs, node.hooks, node.trace = op, attrs, None, None
    node.edges = tuple([source_of(t) if isinstance(t, Tensor) and t._data.dtype.kind in "fcV" else None for t in inputs])
    node.shapes = tuple([a.shape if hasattr(a, "shape") else None for a in raw])
    node.dtypes = _types_to_restore(node.edges, raw, outputs if several else (outputs,))
    node.saved = save(op, node, inputs, converted, outputs, overwrites)
    node.seq = next_sequence()
    if several:
        node.shapes = (*node.shapes, tuple([(o._data.shape, o._data.dtype) for o in outputs]))
        add_picks(node, [(i, o) for i, o in enumerate(outputs) if o._data.dtype.kind in "fcV"])
    else:
        outputs._node, outputs._requires_grad = node, True
    if state.saved_hooks and not overwrites:
        pack_saved(node, (*inputs, *outputs) if several else (*inputs, outputs))
    return node


def _types_to_restore(edges, raw, outputs):
    """The inputs' types, or None where every gradient has the right type already: all of it is float32, or float64."""
    common = outputs[0]._data.dtype if outputs else None
    if (common is F32 or common is F64) and all(o._data.dtype is common or o._data.dtype.kind not in "fcV" for o in outputs) and all(
            edge is None or a.dtype is common for edge, a in zip(edges, raw)):
        return None
    return tuple([a.dtype if hasattr(a, "dtype") else None for a in raw])


def add_picks(node, outputs):
    """Give each (index, output) of an operation with several outputs its own Pick in front of `node`."""
    for i, out in outputs:
        out._node, out._requires_grad = pick_of(node, node, i, (out._data.shape, out._data.dtype)), True


def save(op, node, inputs, converted, outputs, overwrites=False):
    """The save slots' entries, in order: only what a wanted gradient will read."""
    edges, entries = node.edges, []
    for name, users in zip(op.slots, op.users):
        wanted = op.variadic or any(edges[i] is not None for i in users)
        entries.append(_save_one(op, name, edges, inputs, converted, outputs, overwrites) if wanted else None)
    return tuple(entries)


def _save_one(op, name, edges, inputs, converted, outputs, overwrites):
    if op.variadic:
        return [(x, t._cell, t._cell[0], edge) if isinstance(t, Tensor) else (x, None, 0, None)
                for x, t, edge in zip(converted, inputs, edges)]
    if name == "out":
        if type(outputs) is list:
            return [None if i < op.gives_away else (o._data, o._cell, o._cell[0], i if o._data.dtype.kind in "fcV" else RAW)
                    for i, o in enumerate(outputs)]
        return outputs._data, outputs._cell, outputs._cell[0] + overwrites, OWN
    if name not in op.inputs:
        name, _, what = name.rpartition("_")
        x = converted[op.inputs.index(name)]
        return getattr(x, what, None), None, 0, None
    i = op.inputs.index(name)
    x, t = converted[i], inputs[i]
    if overwrites and i == 0:
        return x, [0], 0, edges[i]
    if not isinstance(t, Tensor):
        return x, None, 0, None
    return x, t._cell, t._cell[0], source_of(t)

