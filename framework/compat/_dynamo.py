"""What libraries take from torch's compiler to help it along.  Nothing is compiled here, so there is nothing to help."""
import contextlib

__all__ = ["TransformGetItemToIndex"]


class TransformGetItemToIndex(contextlib.nullcontext):
    """A region in which indexing with tensors may be traced; it always may."""
