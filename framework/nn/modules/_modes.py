"""What layers ask about the mode that they run in."""
from ..._state import state


def needs_gradient(*tensors):
    """Whether an operation on these tensors, some of which may be None, would be recorded."""
    return state.grad and any(t is not None and t.requires_grad for t in tensors)


def in_autocast():
    """Whether autocast sees the operations of this thread."""
    return hasattr(state.tracer, "is_autocast")
