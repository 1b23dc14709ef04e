"""What libraries take from torch's compiler, or ask of it.  Nothing is compiled here, so there is nothing to help, and nothing is of its types."""
import contextlib

__all__ = ["OptimizedModule", "TransformGetItemToIndex"]


class TransformGetItemToIndex(contextlib.nullcontext):
    """A region in which indexing with tensors may be traced; it always may."""


class OptimizedModule:
    """What torch.compile makes of a module; here it returns the module itself, and nothing is an instance of this."""
