"""Padding layers.  padding: an int for all sides, or (before, after) of the last dimension, then of the last but one, ..."""
from .. import functional as F
from ._sizes import as_tuple
from .module import Module


class _Pad(Module):
    """`dims`: how many dimensions are padded;  `mode`: where the new elements come from."""

    def __init__(self, padding):
        super().__init__()
        self.padding = as_tuple(padding, 2 * self.dims)

    def forward(self, input):
        """(N, C, *in) or without N -> (N, C, *out)"""
        return F.pad(input, self.padding, self.mode)

    def extra_repr(self):
        return f"{self.padding}"


class _ConstantPad(_Pad):
    mode = "constant"

    def __init__(self, padding, value):
        super().__init__(padding)
        self.value = value

    def forward(self, input):
        """(N, C, *in) or without N -> (N, C, *out)"""
        return F.pad(input, self.padding, "constant", self.value)

    def extra_repr(self):
        return f"padding={self.padding}, value={self.value}"


class _ZeroPad(_Pad):
    mode = "constant"


class _ReflectionPad(_Pad):
    mode = "reflect"


class _ReplicationPad(_Pad):
    mode = "replicate"


class _CircularPad(_Pad):
    mode = "circular"


class ConstantPad1d(_ConstantPad):
    """A constant, round the last dimension."""

    dims = 1


class ConstantPad2d(_ConstantPad):
    """A constant, round the last two dimensions."""

    dims = 2


class ConstantPad3d(_ConstantPad):
    """A constant, round the last three dimensions."""

    dims = 3


class ZeroPad1d(_ZeroPad):
    """Zeros, round the last dimension."""

    dims = 1


class ZeroPad2d(_ZeroPad):
    """Zeros, round the last two dimensions."""

    dims = 2


class ZeroPad3d(_ZeroPad):
    """Zeros, round the last three dimensions."""

    dims = 3


class ReflectionPad1d(_ReflectionPad):
    """Elements mirrored at the edge, which is not repeated, round the last dimension."""

    dims = 1


class ReflectionPad2d(_ReflectionPad):
    """Elements mirrored at the edge, which is not repeated, round the last two dimensions."""

    dims = 2


class ReflectionPad3d(_ReflectionPad):
    """Elements mirrored at the edge, which is not repeated, round the last three dimensions."""

    dims = 3


class ReplicationPad1d(_ReplicationPad):
    """The edge, repeated, round the last dimension."""

    dims = 1


class ReplicationPad2d(_ReplicationPad):
    """The edge, repeated, round the last two dimensions."""

    dims = 2


class ReplicationPad3d(_ReplicationPad):
    """The edge, repeated, round the last three dimensions."""

    dims = 3


class CircularPad1d(_CircularPad):
    """Elements of the other side, round the last dimension."""

    dims = 1


class CircularPad2d(_CircularPad):
    """Elements of the other side, round the last two dimensions."""

    dims = 2


class CircularPad3d(_CircularPad):
    """Elements of the other side, round the last three dimensions."""

    dims = 3
