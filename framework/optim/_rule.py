"""Update rules: an optimizer's formula, written once, and the four ways in which it is run.

    @rule
    def sgd(xp, p, g, *, lr):        # positional: arrays (parameter, gradient, state); keyword-only: hyperparameters
        p -= lr * g
        return (p,)                  # the new values of all arrays but the gradient, updated in place or not

On NumPy a rule runs over blocks that stay in cache, so that what looks like full-size temporaries never leaves it; with numba installed
the same formula is compiled to one loop (_compiled.py).  On CuPy it runs on whole arrays, or, where a body in CUDA C stands beside it, over all
parameters in one launch (_one_launch.py).  With differentiable=True it runs on Tensors,
with `ringgrad.ops` for `xp`, and is recorded.  Complex arrays are updated as pairs of real numbers, and half-precision ones are computed
in float32.

Where step counts live on the device, what a rule takes as numbers is computed there too: a body of factors in CUDA C says how.  In it the names of
`options` (an option of the group, or half of one: see PAIRS) are numbers, and so is `count`, the number of this step; the `scalars`, other
entries of a parameter's state of one number, are float pointers named NAME_at.  It sets every number of the rule that is no option.
"""
import functools
import inspect
from typing import NamedTuple

import numpy as np

from .. import _dtypes, ops
from .._backends import of_array
from .._core.recording import F32
from .._core.tensor import count_write
from .._functional._sparse_ops import coalesced
from ..kernels import multi_tensor_rules
from . import _compiled

BLOCK = 131072  # elements of all arrays of a rule together: 512 KiB of float32, which fit into the L2 cache of a current core
SMALL = 4096  # elements: up to here a compiled loop saves less than its call costs
MANY, ENOUGH = 64, 1 << 16  # parameters, and elements of all of them, from which on one compiled loop runs over all


PAIRS = {"beta1": ("betas", 0), "beta2": ("betas", 1), "fall": ("etas", 0), "rise": ("etas", 1), "lowest": ("step_sizes", 0),
         "highest": ("step_sizes", 1)}  # options of a group that are two numbers, and their names in rules


class Factors(NamedTuple):
    """How the numbers of a rule are computed on the device."""

    body: str
    options: tuple
    scalars: tuple

    def read(self, group):
        """The options of a group; a learning rate that is a tensor stays one."""
        found = [group[PAIRS[name][0]][PAIRS[name][1]] if name in PAIRS else group[name] for name in self.options]
        return tuple(found)


def descent(p, g, weight_decay, maximize):
    """The gradient that a rule descends: negated to maximize, with the gradient weight_decay * p of the L2 penalty added."""
    if maximize:
        g = -g
    return g + weight_decay * p if weight_decay else g


def same_shapes(p, g, *states):
    """RuntimeError unless the arrays of a gradient and of states (None for what is missing) have the shape of their parameter's."""
    for a, what, way in ((g, "its gradient", "run the backward pass again"),
                         *[(a, "its state", "make the optimizer anew, or pop the parameter from optimizer.state") for a in states]):
        if a is not None and a.shape != p.shape:
            raise RuntimeError(f"The size of tensor a {list(p.shape)} (the parameter) must match the size of tensor b {list(a.shape)} ({what}); "
                               f"where the parameter was given another shape, {way}")


class Rule:
    """A formula that can be applied to a parameter.  See the head of this file."""

    def __init__(self, formula, cuda=None, factors="", options=None, scalars=()):
        self.formula, self.name, self.__doc__, self.cuda = formula, formula.__name__, formula.__doc__, cuda
        self.factors = None if options is None else Factors(factors, tuple(options), tuple(scalars))
        parameters = list(inspect.signature(formula).parameters.values())[1:]
        self.arrays = tuple(p.name for p in parameters if p.kind is not p.KEYWORD_ONLY)
        self.numbers = tuple(p.name for p in parameters if p.kind is p.KEYWORD_ONLY)
        self._loops = {}
        if cuda is not None:
            multi_tensor_rules.RULES[self.name] = self.arrays[2:], self.numbers, cuda, self.factors

    def __call__(self, param, grad, *states, **numbers):
        """Update the tensor `param` and its state.  states: tensors, None where a variant has none."""
        p, g = param._data, grad._data
        if g.shape != p.shape:
            same_shapes(p, g)
        arrays = [p, g]
        for t in states:
            arrays.append(t if t is None else t._data)
        try:
            if type(p) is np.ndarray and p.dtype.char in "fd":
                if p.size <= (SMALL if _compiled.available() else BLOCK // 4):
                    self._store(np, arrays, numbers)
                else:
                    self._run(np, arrays, numbers)
            else:
                backend = of_array(p)
                with backend.on_device_of(p):
                    self._run(backend.xp, [_as_real(a) for a in arrays], numbers)
        except ValueError:  # in NumPy's words
            same_shapes(*arrays)
            raise
        count_write(param)
        for t in states:
            if t is not None:
                count_write(t)

    def on_all(self, pairs, **numbers):
        """Update parameters on the CPU that keep no state, with the same numbers.  pairs: (parameter, gradient) tensors"""
        together = []
        if len(pairs) >= MANY and _compiled.available() and sum([p._data.size for p, _ in pairs]) >= ENOUGH:
            pairs, together = _partition(pairs)
        for param, grad in pairs:
            self(param, grad, *[None] * (len(self.arrays) - 2), **numbers)
        if not together:
            return
        if "all" not in self._loops:
            self._loops["all"] = _compiled.loop_over_all(self, (False, False, *[True] * (len(self.arrays) - 2)), descent)
        addresses = [[t._data.__array_interface__["data"][0] for t in tensors] for tensors in zip(*together)]
        self._loops["all"](np.array(addresses, np.uint64), np.array([p._data.size for p, _ in together]),
                         *[x if type(x) is bool else np.float32(x) for x in map(numbers.get, self.numbers)])
        for param, _ in together:
            count_write(param)

    def at_places(self, param, grad, *states, **numbers):
        """Update the elements that the sparse tensor `grad` names, and no others."""
        g = coalesced(grad)._data
        at, p = tuple(g.indices), param._data
        with of_array(p).on_device_of(p):
            arrays = [a if a is None else a[at] for a in (p, *[t if t is None else t._data for t in states])]
            arrays.insert(1, g.values)
            store = self._store_half if _dtypes.is_half(p.dtype) else self._store
            store(of_array(p).xp, [_as_real(a) for a in arrays], numbers)
            for t, rows in zip((param, *states), (arrays[0], *arrays[2:])):
                if t is not None:
                    t._data[at] = rows
                    count_write(t)

    def recorded(self, param, *others, **numbers):
        """Update `param` in place with the computation recorded for autograd.  Returns the new state tensors."""
        copies = [t if t is None or i == 1 else t.clone() for i, t in enumerate((param, *others))]
        new, *states = self.formula(ops, *copies, **numbers)
        param.copy_(new)
        return states

    def _run(self, xp, arrays, numbers):
        p = arrays[0]
        store = self._store_half if _dtypes.is_half(p.dtype) else self._store
        flat = _flat(arrays) if xp is np and p.size > SMALL else None
        if flat is None:
            store(xp, arrays, numbers)
            return
        loop = self._loop_for(flat)
        if loop is not None:
            kind = p.dtype.type
            loop(*[a for a in flat if a is not None], *[x if type(x) is bool else kind(x) for x in map(numbers.get, self.numbers)])
            return
        block = BLOCK // sum(a is not None for a in flat)
        for start in range(0, p.size, block):
            store(xp, [a if a is None else a[start:start + block] for a in flat], numbers)

    def _store(self, xp, arrays, numbers):
        values = self.formula(xp, *arrays, **numbers)
        if values[0] is not arrays[0]:
            arrays[0][...] = values[0]
        for i in range(2, len(arrays)):
            if values[i - 1] is not arrays[i]:
                arrays[i][...] = values[i - 1]

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


def rule(formula=None, *, cuda=None, factors="", options=None, scalars=()):
    """Decorator: make a Rule.  cuda: its body in CUDA C, for one launch over all parameters (kernels/multi_tensor_rules.py);  factors, options,
    scalars: how its numbers come from step counts on the device, see the head of this file.
    """
    if formula is None:
        return functools.partial(Rule, cuda=cuda, factors=factors, options=options, scalars=scalars)
    return Rule(formula)


def _partition(pairs):
    """(pairs that go their own way, pairs of float32 arrays of one shape in one block of memory, which may be written to)."""
    apart, together = [], []
    for pair in pairs:
        p, g = pair[0]._data, pair[1]._data
        flags, others = p.flags, g.flags
        fits = p.dtype is F32 is g.dtype and p.shape == g.shape and flags.c_contiguous and others.c_contiguous and flags.writeable
        (together if fits and p.size else apart).append(pair)
    return apart, together


def _as_real(a):
    """A complex array as the pairs of real numbers in its memory; any other as it is."""
    if a is None or a.dtype.kind != "c":
        return a
    return a[..., None].view(a.real.dtype)


def _flat(arrays):
    """One-dimensional views in a common order, or None where the memory layouts, or sizes, do not allow that."""
    for order, flag in (("C", "c_contiguous"), ("F", "f_contiguous")):
        if all(a is None or getattr(a.flags, flag) and a.size == arrays[0].size for a in arrays):
            return [a if a is None else a.reshape(-1, order=order) for a in arrays]
    return None

