"""Two tensors that change places, for everybody who holds one of them."""
from .._core.tensor import Tensor

_SLOTS = tuple(name for name in Tensor.__slots__ if not name.startswith("__"))


def swap_tensors(t1, t2):
    """Exchange class, attributes, memory and history of two tensors.

    RuntimeError while one of them has a history, an accumulated gradient, hooks or views: others would be left with the wrong one.
    """
    for t in (t1, t2):
        if t._node is not None or t._view is not None or t._hooks is not None or t._grad is not None:
            raise RuntimeError("swap_tensors: Expected a tensor without a history, gradient, hooks or base; use .detach() or clear them first")
    values = [tuple(getattr(t, name) for name in _SLOTS) for t in (t1, t2)]
    attributes = [dict(t.__dict__) for t in (t1, t2)]
    t1.__class__, t2.__class__ = t2.__class__, t1.__class__
    for t, own, named in ((t1, values[1], attributes[1]), (t2, values[0], attributes[0])):
        for name, value in zip(_SLOTS, own):
            setattr(t, name, value)
        t.__dict__.clear()
        t.__dict__.update(named)
