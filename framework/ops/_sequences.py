"""What recurrent layers share: walking over the steps of packed sequences, and the gradients that need no walk.

Packed rows: step after step, of step t the first `batch_sizes[t]` sequences, which are sorted by falling length.  All sequences of equal length are
the case (B,) * T.  A state has one row per sequence, (B, H); a step changes the first rows of it, and the others keep what they have: going
forwards that is the state after a sequence's last step, going backwards the one before its first.
"""
import functools

import numpy as np

from .._core import engine
from ._columns import column_sums
from ._joined import joined
from ._run import run
from .matmul import matmul


@functools.lru_cache(maxsize=256)
def steps(batch_sizes, reverse):
    """((start, stop), ...) of the rows of each step, in the order in which they are walked."""
    stops = np.cumsum(batch_sizes).tolist()
    spans = tuple(zip([0, *stops[:-1]], stops))
    return spans[::-1] if reverse else spans


def unroll(xp, step, inputs, states, batch_sizes, reverse):
    """Walk `step(input rows, *states) -> (new states, values)` over packed inputs: (rows, *).  The definition: no memory is written twice.

    Returns (the values of all steps, each concatenated to (rows, *), and the last states (B, *)).
    """
    kept, states = [], list(states)
    for start, stop in steps(batch_sizes, reverse):
        n = stop - start
        whole = n == states[0].shape[0]
        new, values = step(inputs[start:stop], *(states if whole else [s[:n] for s in states]))
        states = list(new) if whole else [xp.concatenate([a, s[n:]], 0) for a, s in zip(new, states)]
        kept.append(values)
    columns = zip(*(kept[::-1] if reverse else kept))
    return [joined(xp, list(c)) for c in columns], states


def previous(xp, values, first, batch_sizes, reverse):
    """For each packed row, the state before it: values: (rows, H) the states after each step, first: (B, H) those before all."""
    out, b = xp.empty_like(values), len(first)
    if batch_sizes[-1] == b:  # all sequences are of one length
        out[-b if reverse else 0:len(out) if reverse else b] = first
        if reverse:
            out[:-b] = values[b:]
        else:
            out[b:] = values[:-b]
        return out
    state = first.copy()
    for start, stop in steps(batch_sizes, reverse):
        n = stop - start
        out[start:stop] = state[:n]
        state[:n] = values[start:stop]
    return out


def sigmoid(xp, x):
    """1 / (1 + exp(-x)) in a form that no x overflows, its gradient neither."""
    return 0.5 * xp.tanh(0.5 * x) + 0.5


def affine(xp, x, weight, *biases):
    """x @ weight.T + biases; None among them is left out."""
    y = run(matmul, xp, x, xp.swapaxes(weight, 0, 1))
    for b in biases:
        y = y if b is None else y + b
    return y


def copy_or_zeros(xp, a, like):
    """A copy of `a`; zeros like `like` where it is None."""
    return xp.zeros_like(like) if a is None else a.copy()


def sum_of_rows(xp, a):
    """Sums over the rows of a matrix."""
    return column_sums(a) if xp is np else a.sum(axis=0)


def wide(arrays):
    """Half precision on the CPU as float32, in which the engine expects it; None stays."""
    return [a.astype(np.float32) if isinstance(a, np.ndarray) and a.dtype.itemsize == 2 else a for a in arrays]


def differentiate(xp, formula, g, inputs, needs, **attrs):
    """The gradients of formula(xp, *inputs), recorded so that they can be differentiated again: the formula runs once more in the
    differentiable namespace `xp`, and a backward pass over what it recorded gives them.

    g: the outputs' gradients, None for those without one.  needs: which inputs want a gradient.
    """
    own = [t if t is None else xp.reshape(t, tuple(t.shape)) for t in inputs]  # one tensor may be given twice: each gets a node of its own
    outputs = formula(xp, *own, **attrs)
    ends = [(o, s) for o, s in zip(outputs, g) if s is not None]
    wanted = [t for t, need in zip(own, needs) if need]
    found = engine.backward([o for o, _ in ends], [s for _, s in ends], True, True, wanted, accumulate=False)
    return tuple(found.get(id(t)) if need else None for t, need in zip(own, needs))
