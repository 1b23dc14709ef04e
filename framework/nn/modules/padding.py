"""Padding layers.  padding: an int for all sides, or (before, after) of the last dimension, then of the last but one, ..."""
from .. import functional as F
from ._sizes import as_tuple
from .module import Module
from .utils import _ntuple, _pair, _quadruple  # noqa: F401 - old programs import them from here


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


class _ConstantPadNd(_Pad):
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


class _ReflectionPadNd(_Pad):
    mode = "reflect"


class _ReplicationPadNd(_Pad):
    mode = "replicate"


class _CircularPadNd(_Pad):
    mode = "circular"


class ConstantPad1d(_ConstantPadNd):
    """A constant, round the last dimension."""

    dims = 1


class ConstantPad2d(_ConstantPadNd):
    """A constant, round the last two dimensions."""

    dims = 2


class ConstantPad3d(_ConstantPadNd):
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


class ReflectionPad1d(_ReflectionPadNd):
    """Elements mirrored at the edge, which is not repeated, round the last dimension."""

    dims = 1


class ReflectionPad2d(_ReflectionPadNd):
    """Elements mirrored at the edge, which is not repeated, round the last two dimensions."""

    dims = 2


class ReflectionPad3d(_ReflectionPadNd):
    """Elements mirrored at the edge, which is not repeated, round the last three dimensions."""

    dims = 3


class ReplicationPad1d(_ReplicationPadNd):
    """The edge, repeated, round the last dimension."""

    dims = 1


class ReplicationPad2d(_ReplicationPadNd):
    """The edge, repeated, round the last two dimensions."""

    dims = 2


class ReplicationPad3d(_ReplicationPadNd):
    """The edge, repeated, round the last three dimensions."""

    dims = 3


class CircularPad1d(_CircularPadNd):
    """Elements of the other side, round the last dimension."""

    dims = 1


class CircularPad2d(_CircularPadNd):
    """Elements of the other side, round the last two dimensions."""

    dims = 2


class CircularPad3d(_CircularPadNd):
    """Elements of the other side, round the last three dimensions."""

    dims = 3


__all__ = ["CircularPad1d", "CircularPad2d", "CircularPad3d", "ConstantPad1d", "ConstantPad2d", "ConstantPad3d", "ReflectionPad1d",
           "ReflectionPad2d", "ReflectionPad3d", "ReplicationPad1d", "ReplicationPad2d", "ReplicationPad3d", "ZeroPad1d", "ZeroPad2d", "ZeroPad3d"]
