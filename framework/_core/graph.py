"""What a forward pass leaves behind: nodes, edges, saved values, and the ties between views and their bases.

A Node points at the nodes (or leaves) that its gradients go to, never at its own output, so a graph dies by reference count as soon as the
last tensor that came out of it does.
"""
import weakref
from collections import OrderedDict
from itertools import count
from typing import NamedTuple

from .._state import state
from .hooks import RemovableHandle
from .saved import ALREADY_FREED, FREED, OWN, SavedTensor, public
from .tensor import Hooks, Tensor, _new

next_sequence = count(1).__next__  # thread-safe: one C call

SAVED_AS = {"self": 0, "input": 0, "other": 1}  # torch's names of saved values that are inputs: which
NO_GRAD_VIEW = ("A view was created in no_grad mode and is being modified inplace with grad mode enabled. Given that this use case is "
                "ambiguous and error-prone, it is forbidden. You can clarify your code by moving both the view and the inplace either both inside "
                "the no_grad block (if you don't want the inplace to be tracked) or both outside (if you want the inplace to be tracked).")
ATTRIBUTE_AS = {"dim": "axis", "dims": "axes", "keepdim": "keepdims"}  # torch's names of attributes


class Node:
    """One recorded operation.  Each op has its own subclass, so that a node's type carries torch's name, such as MulBackward0.

    op       the Op record
    edges    per input: the Node or leaf Tensor its gradient goes to, None where no gradient is wanted
    saved    per save slot of the op: None, or an entry (see saved.py), or a list of them; FREED when used up
    attrs    the keyword attributes of the call, defaults filled in
    shapes   per input: its shape (None for what has no shape), or None when no input can have been broadcast
    dtypes   per input: its NumPy dtype before promotion, or None when nothing was promoted
    seq      grows with every recorded operation: the engine runs higher numbers first
    hooks    the functions that see the gradient pass: {handle id: function(gradient) -> gradient or None}, or None.  See NodeHooks
    trace    where the forward call was, in anomaly mode
    """

    __slots__ = ("op", "edges", "saved", "attrs", "shapes", "dtypes", "seq", "hooks", "trace", "_metadata", "__weakref__")

    def name(self):
        """torch's name for the backward of this operation, such as "MulBackward0"."""
        op = self.op
        return op.backward_name(self) if op.backward_name is not None else op.grad_name

    @property
    def next_functions(self):
        """((Node or AccumulateGrad or None, which of its outputs), ...), one pair per input, as torch gives them."""
        return tuple((None, 0) if e is None else public_edge(e) for e in self.edges)

    @property
    def metadata(self):
        """A dict for notes on this node."""
        try:
            return self._metadata
        except AttributeError:
            self._metadata = {}
            return self._metadata

    @property
    def requires_grad(self):
        """Always True: what needs no gradient has no node."""
        return True

    def _sequence_nr(self):
        return self.seq

    def register_hook(self, hook):
        """Call `hook(grad_inputs, grad_outputs)`, two tuples, after this node has computed its gradients; a tuple takes grad_inputs' place.

        Returns a handle with `remove()`.
        """
        if self.dtypes is None:
            self.dtypes = (None,) * len(self.edges)  # the engine's plain path does not look at hooks of this kind
        return RemovableHandle(node_hooks(self).post, hook)

    def register_prehook(self, hook):
        """Call `hook(grad_outputs)`, a tuple, before this node computes its gradients; a tuple takes its place.  Returns a handle."""
        return RemovableHandle(node_hooks(self).pre, hook)

    def edge_to(self, source):
        """Where the gradient of a saved value goes, by the source in its entry: a Node or None."""
        if source is OWN:
            return self
        if isinstance(source, Tensor):
            return pick_of(self, source, 0, None)
        return pick_of(self, self, source, self.shapes[-1][source]) if type(source) is int else source

    def __getattr__(self, name):
        """The saved values by torch's names: `_saved_self`, `_saved_other`, `_saved_result`, `_saved_<input or attribute>`."""
        raw = name.startswith("_raw_saved_")
        if not raw and not name.startswith("_saved_"):
            raise AttributeError(f"{type(self).__name__!r} object has no attribute {name!r}")
        op, wanted = self.op, name.partition("saved_")[2]
        attribute = ATTRIBUTE_AS.get(wanted, wanted)
        if not raw and attribute in self.attrs:
            return self.attrs[attribute]
        slot = "out" if wanted in ("result", "output") else wanted
        if SAVED_AS.get(slot, len(op.inputs)) < len(op.inputs) and slot not in op.inputs:
            slot = op.inputs[SAVED_AS[slot]]
        if slot not in op.slots:
            raise AttributeError(f"{type(self).__name__!r} object has no attribute {name!r}: {op.name} saves {', '.join(op.slots) or 'nothing'}")
        if self.saved is FREED:
            raise RuntimeError(ALREADY_FREED)
        if raw:
            return SavedTensor(self, op.slots.index(slot))
        entry = self.saved[op.slots.index(slot)]
        return tuple(public(e, self) for e in entry) if type(entry) is list else public(entry, self)

    def __repr__(self):
        return f"<{type(self).__name__} object at {id(self):#x}>"


class NodeHooks(OrderedDict):
    """The hooks of one node: of the tensor that it made (the dict itself), and of the node, before and after it runs."""

    __slots__ = ("pre", "post")

    def __init__(self):
        super().__init__()
        self.pre, self.post = {}, {}


def node_hooks(node):
    """The NodeHooks of a node, made when first asked for."""
    if node.hooks is None:
        node.hooks = NodeHooks()
    return node.hooks


class AccumulateGrad(Node):
    """What stands for a leaf among the nodes of a graph; `variable` is the leaf.  Its hooks are kept with the leaf."""

    __slots__ = ("variable",)

    def __init__(self, variable):
        self.variable = variable

    def name(self):
        """Always torch's "torch::autograd::AccumulateGrad"."""
        return "torch::autograd::AccumulateGrad"

    next_functions = ()

    def _sequence_nr(self):
        return (1 << 64) - 1  # it runs before all others, as soon as its gradient is complete

    def register_hook(self, hook):
        """Call `hook((), (gradient,))` when a gradient has been accumulated into the leaf.  Returns a handle."""
        return RemovableHandle(leaf_hooks(self.variable).accumulated, hook)

    def register_prehook(self, hook):
        """Call `hook((gradient,))` before a gradient is accumulated; a tuple takes its place.  Returns a handle."""
        return RemovableHandle(leaf_hooks(self.variable).before_accumulate, hook)

    def __getattr__(self, name):
        raise AttributeError(f"'AccumulateGrad' object has no attribute {name!r}")


def leaf_hooks(leaf):
    """The Hooks of a leaf, made when first asked for."""
    if leaf._hooks is None:
        leaf._hooks = Hooks()
    return leaf._hooks


def accumulator(leaf):
    """The AccumulateGrad of a leaf: the same object as long as somebody holds it."""
    hooks = leaf_hooks(leaf)
    found = hooks.node and hooks.node()
    if found is None:
        found = AccumulateGrad(leaf)
        hooks.node = weakref.ref(found)
    return found


class Pick(Node):
    """Output `index` of an operation with several outputs; its one edge is that operation's node (or the leaf that a saved value was)."""

    __slots__ = ("index",)


def pick_of(node, target, index, form):
    """A Pick that hands its gradient on to `target`, a node or a leaf.  form: (shape, dtype) of the output."""
    pick = _new(Pick)
    pick.op, pick.attrs, pick.hooks, pick.trace, pick.saved, pick.edges = node.op, node.attrs, None, None, (), (target,)
    pick.index, pick.seq = index, next_sequence()
    pick.shapes, pick.dtypes = form or (None, ())  # types given: never the engine's plain path
    return pick


class GradientEdge(NamedTuple):
    """The place in the graph where a tensor's gradient is computed: `autograd.grad` takes it for the tensor, and does not keep that alive.

    node: Node or AccumulateGrad;  output_nr: which of its outputs;  ownership_token: what keeps the edge alive
    """

    node: object
    output_nr: int
    ownership_token: object = None


def public_edge(edge):
    """(Node or AccumulateGrad, which of its outputs), for an edge as the graph keeps it."""
    if isinstance(edge, Tensor):
        return accumulator(edge), 0
    return (edge.edges[0], edge.index) if type(edge) is Pick and isinstance(edge.edges[0], Node) else (edge, 0)


class ViewOf:
    """Why a tensor shares another's memory.

    base      the tensor that owns the memory's place in the graph, itself not a view
    path      ((op, attrs), ...) leads from the base to the view
    version   the memory's version for which the view's node is right; after an in-place write the node is made anew
    blocked   why in-place operations on it are refused in grad mode: a sentence, or for one of several views (index, backward name), or None
    several   one of several views that one call returned: it cannot be made anew after a write to its base
    """

    __slots__ = ("base", "path", "version", "blocked", "several")

    def __init__(self, base, path, version, blocked, several):
        self.base, self.path, self.version, self.blocked, self.several = base, path, version, blocked, several

    def refusal(self):
        """The sentence for `blocked`."""
        if type(self.blocked) is str:
            return self.blocked
        index, name = self.blocked[0], self.blocked[1].removesuffix("Backward0")
        return (f"Output {index} of {name} is a view and is being modified inplace. This view is the output of a function that returns "
                "multiple views. Such functions do not allow the output views to be modified inplace. You should replace the inplace "
                "operation by an out-of-place one.")


def refresh_view(view_tensor):
    """Give a view the graph node that fits the present state of its base, when an in-place write came since it was made."""
    view = view_tensor._view
    version = view_tensor._cell[0]
    if view.version == version:
        return
    base = view.base
    if (view.several or view.blocked is NO_GRAD_VIEW) and base._requires_grad and state.grad:
        raise RuntimeError(view.refusal().replace("is being modified", "its base or another view of its base has been modified"))
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
            node_hooks(node)[key] = old.hooks.pop(key)


def source_of(t):
    """Where the gradient of `t` goes: its node, or itself when it is a leaf; None when none is wanted."""
    if not t._requires_grad:
        return None
    return t._node or t
