"""New elements along axes, made of old ones: resizing, uneven averages.  x: (*lead, *old, *rest) -> (*lead, *new, *rest)"""
from functools import cached_property

import numpy as np

from .._core.op import op
from .._core.promotion import same
from ._run import run
from .matmul import matmul


class Shares:
    """How much of each old element is in each new one, along one axis.  A new one is made of neighbours.

    starts: (new) int32, the first of the old elements that new ones are made of;  weights: (new, width), their shares, 0 behind the last.
    The turned ones are those of the gradient: made of the new ones, in the same shares.
    """

    def __init__(self, matrix):
        """matrix: (old, new)."""
        there = matrix != 0
        self.old, new = matrix.shape
        first = np.where(there.any(0), there.argmax(0), 0)
        last = np.where(there.any(0), self.old - there[::-1].argmax(0), 1)
        at = np.minimum(first[:, None] + np.arange(max(1, int((last - first).max(initial=1)))), self.old - 1)
        inside = first[:, None] + np.arange(at.shape[1]) < last[:, None]
        self.starts, self.weights = first.astype(np.int32), np.where(inside, matrix[at, np.arange(new)[:, None]], 0.0)
        self.tables = {}  # on devices: kernels/mixing.py

    @classmethod
    def at(cls, old, index):
        """Where each new element is an old one: that of `index`, which does not fall."""
        shares = cls.__new__(cls)
        shares.old, shares.starts, shares.weights, shares.tables = old, index.astype(np.int32), np.ones((len(index), 1)), {}
        return shares

    def __repr__(self):
        return f"{self.old} to {self.new} by {self.weights.shape[1]}"

    @property
    def new(self):
        """How many new elements there are."""
        return len(self.starts)

    @property
    def matrix(self):
        """(old, new)."""
        out = np.zeros((self.old, self.new))
        at = np.minimum(self.starts[:, None] + np.arange(self.weights.shape[1]), self.old - 1)
        np.add.at(out, (at, np.arange(self.new)[:, None]), self.weights)
        return out

    @cached_property
    def turned(self):
        """Those of the gradient."""
        return Shares(np.ascontiguousarray(self.matrix.T))


def _turned(shares):
    return tuple([s.turned for s in shares])


@op(promote=same, broadcasts=False)
def mix(xp, x, shares: tuple, axis: int):
    """The elements along `axis` and the axes behind it made anew: one of `shares`, in the type of `x`, for each."""
    for a, s in enumerate(shares, axis):
        x = _mixed(xp, x, a, xp.asarray(s.matrix.astype(x.dtype)))
    return x


def _mixed(xp, x, axis, matrix):
    """A product with `matrix`: (old, new) along one axis."""
    if axis == x.ndim - 1:
        return run(matmul, xp, x, matrix)
    if axis == x.ndim - 2:
        return run(matmul, xp, matrix.T, x)
    flat = run(matmul, xp, matrix.T, x.reshape((*x.shape[:axis + 1], -1)))
    return flat.reshape((*x.shape[:axis], matrix.shape[1], *x.shape[axis + 1:]))


@mix.vjp("x")
def _(xp, g, shares, axis):
    return run(mix, xp, g, shares=_turned(shares), axis=axis)


@op(promote=same, broadcasts=False)
def pick(xp, x, shares: tuple, axis: int):
    """`mix` where each new element is an old one: of any type, and without arithmetic."""
    for a, s in enumerate(shares, axis):
        x = xp.take(x, xp.asarray(s.starts), axis=a)
    return x


@pick.vjp("x")
def _(xp, g, shares, axis):
    return run(mix, xp, g, shares=_turned(shares), axis=axis)
