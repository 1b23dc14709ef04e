"""What a forward pass leaves behind: nodes, edges, saved values, and the ties between views and their bases.

A Node points at the nodes (or leaves) that its gradients go to, never at its own output, so a graph dies by reference count as soon as the
last tensor that came out of it does.
"""
from collections import OrderedDict
from itertools import count

from .._state import state
from .tensor import Tensor, _new

next_sequence = count(1).__next__  # thread-safe: one C call

FREED = object()  # stands in Node.saved after a backward pass without retain_graph
OWN = object()  # source of a saved output: the node itself


class Node:
    """One recorded operation.

    op       the Op record
    edges    per input: the Node or leaf Tensor its gradient goes to, None where no gradient is wanted
    saved    per save slot of the op: None, or (value, version cell, version, source); FREED when used up
    attrs    the keyword attributes of the call, defaults filled in
    shapes   per input: its shape (None for what has no shape), or None when no input can have been broadcast
    dtypes   per input: its NumPy dtype before promotion, or None when nothing was promoted
    seq      grows with every recorded operation: the engine runs higher numbers first
    hooks    {handle id: function(gradient) -> gradient or None}, or None
    trace    where the forward call was, in anomaly mode
    """

    __slots__ = ("op", "edges", "saved", "attrs", "shapes", "dtypes", "seq", "hooks", "trace", "__weakref__")

    def name(self):
        """torch's name for the backward of this operation, such as "MulBackward0"."""
        return self.op.grad_name

    @property
    def next_functions(self):
        """((Node or AccumulateGrad or None, 0), ...), one pair per input, as torch gives them."""
        return tuple((AccumulateGrad(e) if isinstance(e, Tensor) else e, 0) for e in self.edges)

    @property
    def metadata(self):
        """An empty dict, torch's place for notes on a node."""
        return {}

    def register_hook(self, hook):
        """torch's Node.register_hook takes (grad_inputs, grad_outputs); use Tensor.register_hook to see one gradient."""
        raise NotImplementedError(f"hooks on graph nodes are not supported; register {hook!r} with Tensor.register_hook instead")

    def __repr__(self):
        return f"<{self.name()}>"


class AccumulateGrad:
    """Names a leaf among a node's `next_functions`; `variable` is the leaf."""

    __slots__ = ("variable",)

    def __init__(self, variable):
        self.variable = variable

    def name(self):
        """Always "AccumulateGrad"."""
        return "AccumulateGrad"

    next_functions = ()

    def __repr__(self):
        return "<AccumulateGrad>"


class Pick(Node):
    """Output `index` of an operation with several outputs; its one edge is that operation's node."""

    __slots__ = ("index",)


class ViewOf:
    """Why a tensor shares another's memory.

    base      the tensor that owns the memory's place in the graph, itself not a view
    path      ((op, attrs), ...) leads from the base to the view
    version   the memory's version for which the view's node is right; after an in-place write the node is made anew
    blocked   a sentence why in-place operations on it are refused in grad mode, or None
    several   one of several views that one call returned: it cannot be made anew after a write to its base
    """

    __slots__ = ("base", "path", "version", "blocked", "several")

    def __init__(self, base, path, version, blocked, several):
        self.base, self.path, self.version, self.blocked, self.several = base, path, version, blocked, several


def refresh_view(view_tensor):
    """Give a view the graph node that fits the present state of its base, when an in-place write came since it was made."""
    view = view_tensor._view
    version = view_tensor._cell[0]
    if view.version == version:
        return
    base = view.base
    if view.several and base._requires_grad and state.grad:
        raise RuntimeError(view.blocked.replace("is being modified", "its base or another view of its base has been modified"))
    view.version = version
    if view.blocked is not None or not base._requires_grad:
        return
    was, state.grad = state.grad, True
    try:
        step = base
        for op, attrs in view.path:
            step = op.apply((step,), attrs)
    finally:
        state.grad = was
    set_history(view_tensor, step._node)


def set_history(t, node):
    """Make `node` the history of `t`.  Hooks that follow the tensor, such as retain_grad's, move there; others stay with the old value."""
    old = t._node
    t._node, t._requires_grad = node, True
    if old is None or old.hooks is None or old is node:
        return
    for key, hook in list(old.hooks.items()):
        if getattr(hook, "follows", None) is not None and hook.follows() is t:
            if node.hooks is None:
                node.hooks = OrderedDict()
            node.hooks[key] = old.hooks.pop(key)


def source_of(t):
    """Where the gradient of `t` goes: its node, or itself when it is a leaf; None when none is wanted."""
    if not t._requires_grad:
        return None
    return t._node or t


def unpack(entry, node, as_tensor):
    """The saved value, checked against in-place writes; as a Tensor with its history when `as_tensor` (double backward).

    RuntimeError in torch's words when the value was overwritten since.
    """
    if entry is None:
        return None
    value, cell, version, source = entry
    if cell is None:
        return value
    if cell[0] != version:
        raise RuntimeError(
            "one of the variables needed for gradient computation has been modified by an inplace operation: "
            f"[{_kind(value)} {list(value.shape)}], saved by {node.name()}, is at version {cell[0]}; expected version {version} instead. "
            "Hint: use the out-of-place form of the operation that wrote to it, or run with ringgrad.autograd.set_detect_anomaly(True) "
            "to see the forward line.")
    if not as_tensor:
        return value
    if isinstance(source, Tensor):
        return source
    t = _new(Tensor)
    t._data, t._cell, t._view, t._grad, t._hooks = value, cell, None, None, None
    t._node = node if source is OWN else source
    t._requires_grad = t._node is not None
    return t


def _kind(array):
    return f"{type(array).__module__.split('.')[0]}.{array.dtype}"
