"""What a node keeps for its rules, and how they get it back.

An entry is None or (value, version cell, version, source).  `unpack` refuses a value that was overwritten since; under `saved_tensors_hooks`
it asks the user's unpack hook for it instead.  A packed entry's cell never shows the version that the entry names, so the engine, which compares
the two for every value anyway, needs no further question to find it.
"""
from .._state import state
from .tensor import Tensor, _new, wrap

FREED = object()  # stands in Node.saved after a backward pass without retain_graph
OWN = object()  # source of a saved output: the node itself; one of several outputs has its index (an int) instead
RAW = object()  # source of a saved output without gradient, such as indices: rules get the array even when the pass is recorded

ALREADY_FREED = ("Trying to backward through the graph a second time (or directly access saved tensors after they have already been freed). "
                 "Saved intermediate values of the graph are freed when you call .backward() or autograd.grad(). Specify retain_graph=True "
                 "if you need to backward through the graph a second time or if you need to access saved tensors after calling backward.")


class Packed(list):
    """The version cell of an entry whose value a pack hook made: [None], and the hook that turns it into a tensor again."""

    __slots__ = ("unpack_hook",)

    def __init__(self, unpack_hook):
        super().__init__((None,))
        self.unpack_hook = unpack_hook

    def tensor(self, packed):
        """The tensor that the unpack hook makes of what the pack hook returned."""
        t = self.unpack_hook(packed)
        if not isinstance(t, Tensor):
            raise TypeError(f"Output of saved tensor unpack_hook expected to be a Tensor but got result of type {type(t).__name__}")
        return t


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
        if type(cell) is not Packed:
            raise RuntimeError(_overwritten(value, cell, version, node, source))
        value = cell.tensor(value)._data
        cell = [0]
        if isinstance(source, Tensor) and value is not source._data:
            source = node.edge_to(source)
    if not as_tensor or source is RAW:
        return value
    if isinstance(source, Tensor):
        return source
    t = _new(Tensor)
    t._data, t._cell, t._view, t._grad, t._hooks = value, cell, None, None, None
    t._node = node.edge_to(source)
    t._requires_grad = t._node is not None
    return t


def pack_saved(node, tensors):
    """Hand what `node` saved to the pack hook that is in force.  tensors: the inputs and outputs, of which a hook gets the very objects."""
    pack_hook, unpack_hook = state.saved_hooks[-1]
    node.saved = tuple([[packed(e, node, tensors, pack_hook, unpack_hook) for e in entry] if type(entry) is list
                        else packed(entry, node, tensors, pack_hook, unpack_hook) for entry in node.saved])


def packed(entry, node, tensors, pack_hook, unpack_hook):
    """The entry with what `pack_hook` makes of its tensor in the place of the array.  Shapes, types and numbers stay as they are."""
    if entry is None or entry[1] is None or not hasattr(entry[0], "dtype"):
        return entry
    t = next((t for t in tensors if isinstance(t, Tensor) and t._data is entry[0]), None)
    t = unpack(entry, node, True) if t is None else t
    version = t._cell[0]
    was, state.grad = state.grad, False
    try:
        kept = pack_hook(t)
    finally:
        state.grad = was
    if t._cell[0] != version:
        raise RuntimeError("A saved tensor pack hook is modifying its input in place. Tensors provided as input to pack hook cannot be modified "
                           "by in-place operations as this can lead to unexpected side-effects: clone the tensor in the hook.")
    return kept, Packed(unpack_hook), 0, entry[3]


class SavedTensor:
    """One saved value of a node, `grad_fn._raw_saved_self`: the place to give it hooks of its own."""

    __slots__ = ("node", "slot")

    def __init__(self, node, slot):
        self.node, self.slot = node, slot

    def register_hooks(self, pack_hook, unpack_hook):
        """Pack this value at once with `pack_hook(tensor)`; `unpack_hook` gets the answer when the value is needed."""
        if not (callable(pack_hook) and callable(unpack_hook)):
            raise TypeError(f"register_hooks(): expected two functions, got {pack_hook!r} and {unpack_hook!r}")
        if self.node.saved is FREED:
            raise RuntimeError(ALREADY_FREED)
        entries = list(self.node.saved)
        if entries[self.slot] is None:
            raise RuntimeError("Calling register_hooks on a saved tensor with value None is forbidden")
        if type(entries[self.slot][1]) is Packed:
            raise RuntimeError("Calling register_hooks on a saved tensor whose hooks have already been set. Hint: only one pair of hooks is "
                               "allowed at a time.")
        constant = public(entries[self.slot], self.node).detach()
        entries[self.slot] = packed(entries[self.slot], self.node, (constant,), pack_hook, unpack_hook)
        self.node.saved = tuple(entries)


def public(entry, node):
    """A saved value as the user sees it: a tensor with its history, or the plain value."""
    value = unpack(entry, node, True)
    return value if isinstance(value, Tensor) or not hasattr(value, "tobytes") else wrap(value)


def _overwritten(value, cell, expected, node, source):
    maker = node if source is OWN or source is RAW or type(source) is int else None if isinstance(source, Tensor) else source
    last = cell[1] if len(cell) > 1 else maker and maker.name()
    of = f"which is output {source if type(source) is int else 0} of {last.removesuffix('0').removesuffix('Backward')}, " if last else ""
    return ("one of the variables needed for gradient computation has been modified by an inplace operation: "
            f"[{_kind(value)} {list(value.shape)}], {of}saved by {node.name()}, is at version {cell[0]}; expected version {expected} instead. "
            "Hint: use the out-of-place form of the operation that wrote to it, or run with ringgrad.autograd.set_detect_anomaly(True) "
            "to see the forward line.")


def _kind(array):
    return f"{type(array).__module__.split('.')[0]}.{array.dtype}"
