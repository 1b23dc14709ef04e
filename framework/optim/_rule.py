"""Update rules: an optimizer's formula, written once, and the four ways in which it is run.

    @rule
    def sgd(xp, p, g, *, lr):        # positional: arrays (parameter, gradient, state); keyword-only: hyperparameters
        p -= lr * g
        return (p,)                  # the new values of all arrays but the gradient, updated in place or not

On NumPy a rule runs over blocks that stay in cache, so that what looks like full-size temporaries never leaves it; with numba installed
the same formula is compiled to one loop (_compiled.py).  On CuPy it runs on whole arrays.  With differentiable=True it runs on Tensors,
with `ringgrad.ops` for `xp`, and is recorded.  Complex arrays are updated as pairs of real numbers, and half-precision ones are computed
in float32.
"""
import inspect

import numpy as np

from .. import _dtypes, ops
from .._backends import of_array
from .._core.hooks import written
from . import _compiled

BLOCK = 16384  # elements: 64 KiB of float32; half a dozen of them fit into the L2 cache of any current core


def descent(p, g, weight_decay, maximize):
    """The gradient that a rule descends: negated to maximize, with the gradient weight_decay * p of the L2 penalty added."""
    if maximize:
        g = -g
    return g + weight_decay * p if weight_decay else g


class Rule:
    """A formula that can be applied to a parameter.  See the head of this file."""

    def __init__(self, formula):
        self.formula, self.name, self.__doc__ = formula, formula.__name__, formula.__doc__
        parameters = list(inspect.signature(formula).parameters.values())[1:]
        self.arrays = tuple(p.name for p in parameters if p.kind is not p.KEYWORD_ONLY)
        self.numbers = tuple(p.name for p in parameters if p.kind is p.KEYWORD_ONLY)
        self._loops = {}

    def __call__(self, param, grad, *states, **numbers):
        """Update the tensor `param` and its state.  states: tensors, None where a variant has none."""
        p, g = param._data, grad._data
        if g.shape != p.shape:
            raise RuntimeError(f"The size of tensor a {list(p.shape)} (the parameter) must match the size of tensor b {list(g.shape)} "
                               "(its gradient)")
        arrays = [p, g, *[t if t is None else t._data for t in states]]
        if type(p) is np.ndarray and p.size <= BLOCK and p.dtype.char in "fd":
            self._store(np, arrays, numbers)
        else:
            backend = of_array(p)
            with backend.on_device_of(p):
                self._run(backend.xp, [_as_real(a) for a in arrays], numbers)
        written(param)
        for t in states:
            if t is not None:
                written(t)

    def recorded(self, param, *others, **numbers):
        """Update `param` in place with the computation recorded for autograd.  Returns the new state tensors."""
        copies = [t if t is None or i == 1 else t.clone() for i, t in enumerate((param, *others))]
        new, *states = self.formula(ops, *copies, **numbers)
        param.copy_(new)
        return states

    def _run(self, xp, arrays, numbers):
        p = arrays[0]
        store = self._store_half if _dtypes.is_half(p.dtype) else self._store
        flat = _flat(arrays) if xp is np and p.size > BLOCK else None
        if flat is None:
            store(xp, arrays, numbers)
            return
        loop = self._loop_for(flat)
        if loop is not None:
            kind = p.dtype.type
            loop(*[a for a in flat if a is not None], *[x if type(x) is bool else kind(x) for x in map(numbers.get, self.numbers)])
            return
        for start in range(0, p.size, BLOCK):
            store(xp, [a if a is None else a[start:start + BLOCK] for a in flat], numbers)

    def _store(self, xp, arrays, numbers):
        p, _, *states = arrays
        for place, value in zip((p, *states), self.formula(xp, *arrays, **numbers)):
            if value is not place:
                place[...] = value

    def _store_half(self, xp, arrays, numbers):
        """Half precision: the formula in float32, its results rounded once."""
        p, _, *states = arrays
        wide = [a if a is None else a.astype(np.float32) for a in arrays]
        for place, value in zip((p, *states), self.formula(xp, *wide, **numbers)):
            if place is not None:
                place[...] = value.astype(place.dtype)

    def _loop_for(self, flat):
        """The compiled loop for arrays of float32 or of float64, where numba is installed; None elsewhere."""
        kind = flat[0].dtype
        if not _compiled.available() or kind.char not in "fd" or any(a is not None and a.dtype != kind for a in flat):
            return None
        absent = tuple(a is None for a in flat)
        if absent not in self._loops:
            self._loops[absent] = _compiled.loop(self, absent, descent)
        return self._loops[absent]


rule = Rule


def _as_real(a):
    """A complex array as the pairs of real numbers in its memory; any other as it is."""
    if a is None or a.dtype.kind != "c":
        return a
    return a[..., None].view(a.real.dtype)


def _flat(arrays):
    """One-dimensional views in a common order, or None where the memory layouts do not allow that."""
    for order, flag in (("C", "c_contiguous"), ("F", "f_contiguous")):
        if all(a is None or getattr(a.flags, flag) for a in arrays):
            return [a if a is None else a.reshape(-1, order=order) for a in arrays]
    return None

