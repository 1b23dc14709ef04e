"""Gradients on their way: into `.grad`, and past the hooks that may see or replace them."""
import sys
from typing import Any

import numpy as np

from .._backends import BACKENDS
from .._backends.sparse_ import SparseArray
from .tensor import Tensor, wrap

SUMS: dict[type, Any] = {}  # array type -> function(held, g): how gradients are added on a GPU, put here by kernels/layout.py
# References to a gradient that only this engine holds: the caller's variable, the parameter, getrefcount's argument.  From Python 3.14 on variables
# may borrow references, which no count shows; there every gradient is copied.
_MINE = 3 if sys.version_info < (3, 14) else -3


def accumulate(leaf, g):
    """Add `g` into leaf.grad, which gets memory of its own.  A Tensor `g` (create_graph) keeps its history."""
    held = leaf._grad
    if isinstance(g, Tensor):
        leaf._grad = g if held is None else held + g
        return
    want = leaf._data
    if held is None:
        if type(g) is not type(want) or g.dtype != want.dtype:
            g = _beside(g, want)
        if sys.getrefcount(g) > _MINE + 2 or not (_owned(g) and (g.flags.c_contiguous or g.strides == want.strides)):
            g = g.copy(order="K" if g.strides == want.strides else "C")  # a weight with its channels last gets a gradient like it
        leaf._grad = wrap(g)
    elif held._requires_grad:
        leaf._grad = wrap(total(held._data, g))
    else:
        g = g if type(g) is type(want) else _beside(g, want)
        held._data += g.dense() if type(g) is SparseArray and type(held._data) is type(want) else g
        held._cell[0] += 1


def _owned(g):
    """Whether nobody but `g` looks into its memory, all of which it is."""
    base = g.base
    return base is None or getattr(base, "nbytes", None) == g.nbytes and sys.getrefcount(base) <= _MINE


def total(held, g):
    """held + g."""
    add = SUMS.get(type(held))
    if add is None:
        return held + g
    return g + held if type(g) is SparseArray else add(held, g)  # CuPy refuses what it does not know


def _beside(g, want):
    """The gradient `g` in the type of `want`, and on the CPU when that is a number there that was used on a GPU."""
    if type(g) is SparseArray:
        return g.astype(want.dtype)
    if type(want) is np.ndarray:
        g = BACKENDS[type(g)].to_host(g)
    return BACKENDS[type(want)].asarray(g, dtype=want.dtype)


def run_hooks(hooks, g):
    """Show a gradient to each hook in turn; what a hook returns takes its place."""
    raw = not isinstance(g, Tensor)
    for hook in tuple(hooks.values()):
        t = wrap(np.asarray(g) if isinstance(g, np.generic) else g) if raw else g
        answer = hook(t)
        if answer is not None:
            if not isinstance(answer, Tensor):
                raise TypeError(f"a gradient hook must return None or a Tensor, not {type(answer).__name__}")
            if answer.shape != t.shape:
                raise RuntimeError(f"hook '{getattr(hook, '__name__', hook)}' has changed the size of value: "
                                   f"{list(t.shape)} became {list(answer.shape)}")
            g = answer._data if raw else answer
    return g


def as_tensors(g):
    """A node's gradient, or the list of them, as the tuple of Tensors that its hooks see."""
    return tuple([x if x is None or isinstance(x, Tensor) else wrap(np.asarray(x) if isinstance(x, np.generic) else x)
                  for x in (g if type(g) is list else (g,))])


def replaced(hook, answer, g, recorded):
    """What a node's hook made of `g`, a gradient or a list of them."""
    if answer is None:
        return g
    name = getattr(hook, "__name__", hook)
    if not isinstance(answer, tuple):
        raise TypeError(f"expected tuple, but hook returned '{type(answer).__name__}'")
    expected = len(g) if type(g) is list else 1
    if len(answer) != expected:
        raise RuntimeError(f"hook '{name}' has returned an incorrect number of values (got {len(answer)}, but expected {expected})")
    values = [x._data if isinstance(x, Tensor) and not recorded else x for x in answer]
    return values if type(g) is list else values[0]
