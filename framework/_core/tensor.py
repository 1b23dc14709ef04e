"""The Tensor: an array, and what autograd has to know of it.  No mathematics here; `_methods.py` attaches the operators.

Slots (private; the public names are in `_methods.py`):

    _data           numpy.ndarray or cupy.ndarray, never a scalar
    _requires_grad  gradients flow to or through this tensor
    _node           the graph Node that made it; None for a leaf
    _cell           [n], shared by all tensors on the same memory; n counts in-place writes; behind it the name of the last recorded one
    _view           ViewOf, when the tensor looks into another one's memory; else None
    _grad           accumulated gradient (a Tensor), of a leaf or after retain_grad()
    _hooks          Hooks, when any hook is registered; else None
"""

_new = object.__new__


class Tensor:
    """A multi-dimensional array of one data type on one device, which can record what is computed from it.

    `Tensor(2, 3)` is an uninitialised float tensor of that shape and `Tensor([1, 2])` copies data, both torch's legacy forms;
    prefer `ringgrad.tensor`, `ringgrad.zeros`, ...
    """

    __slots__ = ("_data", "_requires_grad", "_node", "_cell", "_view", "_grad", "_hooks", "__dict__", "__weakref__")
    __array_priority__ = 1000  # ndarray * Tensor is ours

    def __hash__(self):  # as torch's, which some programs compute by themselves
        return id(self)


class Hooks:
    """The hooks of one leaf, dicts by handle id, in the order in which they run.

    on_grad            see the gradient;  before_accumulate  see it as the node AccumulateGrad does
    post_accumulate    get the leaf;  accumulated  what was registered with AccumulateGrad for afterwards
    node               a weak reference to that AccumulateGrad, or None
    """

    __slots__ = ("on_grad", "before_accumulate", "post_accumulate", "accumulated", "node")

    def __init__(self):
        self.on_grad, self.before_accumulate, self.post_accumulate, self.accumulated, self.node = {}, {}, {}, {}, None


class InferenceVersion(list):
    """Version cell of a tensor made in inference mode: recording it for a backward pass is the one thing it refuses."""

    def __getitem__(self, index):
        raise RuntimeError("Inference tensors cannot be saved for backward. To work around you can make a clone to get a normal tensor and "
                           "use it in autograd.")


def count_write(t):
    """Note that the memory of `t` was overwritten.  Inference tensors, which nothing saves, do not count."""
    if type(t._cell) is list:
        t._cell[0] += 1


def wrap(array, requires_grad=False, cls=Tensor):
    """A leaf Tensor around `array`, which it shares."""
    t = _new(cls)
    t._data, t._requires_grad, t._node, t._cell, t._view, t._grad, t._hooks = array, requires_grad, None, [0], None, None, None
    return t


def unwrap(x):
    """The array of a Tensor; anything else as it is."""
    return x._data if isinstance(x, Tensor) else x


def as_number(factor):
    """A number that was given as one, or as a tensor of one element, such as the factor of a sum."""
    return factor._data.item() if isinstance(factor, Tensor) else factor
