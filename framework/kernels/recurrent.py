"""Recurrent layers on CuPy arrays: two launches per step and direction, the product with the state and what follows it; the same on the way back.

Products take halves and sum them in float32.  Between them everything is computed in float32 and rounded once when it is stored; the cells of an
LSTM, and what reaches them on the way back, stay in float32 from step to step.  The inputs of all steps are one product, and so is each weight's
gradient.  The definitions are the formulas of `ops/recurrent.py`, which are left sizes without elements.
"""
import numpy as np

from .._backends.uploads import constant
from ..ops import _sequences as seq
from ..ops._recurrence import columns
from ..ops._run import run
from ..ops.linear import linear
from ..ops.matmul import matmul
from ..ops.recurrent import gru_layer, lstm_layer, rnn_layer
from ..ops.reductions import sum_
from ._recurrent_text import TEXT
from .family import I32, I64, Family, flat_grid, number

FAMILY = Family("recurrent", TEXT)
MANY = 1 << 17  # elements of a step from which on a thread takes 16 bytes of them: fewer are spread over as many threads as there are


def _takes(*arrays):
    return all(a is None or FAMILY.takes(a) for a in arrays)


class _Launch:
    """Launches of one kernel, step after step, for states of `size` elements; rest: its last arguments."""

    def __init__(self, xp, name, like, size, *rest):
        self.xp, self.name, self.like, self.size, self.rest = xp, name, like, size, rest
        self.together = 16 // like.itemsize

    def __call__(self, rows, *arrays):
        packs = rows * self.size >= MANY and self.size % self.together == 0 and not any(a is not None and a.data.ptr % 16 for a in arrays)
        count = rows * self.size // (self.together if packs else 1)
        FAMILY.launch(self.xp, f"{self.name}_packs" if packs else self.name, self.like, *flat_grid(count, 128), *arrays, I64(rows), I64(self.size),
                      *self.rest)


def _inputs(xp, x, w_ih, b_ih, b_hh=None):
    """(rows, gates * H): w_ih x and the biases, for all steps at once, in memory of its own."""
    biases = [b for b in (b_ih, b_hh) if b is not None]
    if len(biases) == 2:
        biases = [sum(b.astype(number(x), copy=False) for b in biases).astype(x.dtype, copy=False)]
    return run(linear, xp, x, w_ih, *(biases or [None]))


def _product(xp, h, w):
    """h @ w.T, contiguous."""
    return xp.ascontiguousarray(run(matmul, xp, h, w.T))


def _contiguous(xp, *arrays):
    return [a if a is None else xp.ascontiguousarray(a) for a in arrays]


def _wide_copy(a):
    """A copy in the type that kernels compute in."""
    return a.astype(number(a), order="C")


def _previous(xp, values, first, batch_sizes, reverse):
    """`_sequences.previous`, in one launch."""
    b = len(first)
    if batch_sizes[-1] == b:
        return xp.concatenate([values[b:], first] if reverse else [first, values[:-b]])
    places, state = np.empty(len(values), np.int64), len(values) + np.arange(b)  # rows of values, and of first behind them
    for start, stop in seq.steps(batch_sizes, reverse):
        places[start:stop] = state[:stop - start]
        state[:stop - start] = np.arange(start, stop)
    return xp.take(xp.concatenate([values, first]), constant(xp, places), 0)


class _Carried:
    """The gradient of the state, (B, H), on its way back: of the first rows a product takes the place."""

    def __init__(self, xp, w_hh, given, like):
        self.xp, self.w_hh = xp, w_hh
        self.held = xp.zeros(like.shape, like.dtype) if given is None else xp.ascontiguousarray(given).astype(like.dtype, copy=True)

    def step(self, d):
        """The gradient of the state before, from the gates' gradients d: (n, gates * H)."""
        product = self.xp.ascontiguousarray(run(matmul, self.xp, d, self.w_hh))
        if len(d) == len(self.held):
            self.held = product
        else:
            self.held[:len(d)] = product


def _gradients(xp, dx, dh, x, before, w_ih, needs):
    """`_recurrence.parameter_gradients`: of x, w_ih, w_hh, b_ih, b_hh, from the gates' ones towards the input and towards the states `before`."""
    b_ih = run(sum_, xp, dx, axis=(0,), keepdims=False) if needs[3] or needs[4] and dx is dh else None
    b_hh = b_ih if dx is dh or not needs[4] else run(sum_, xp, dh, axis=(0,), keepdims=False)
    return (run(matmul, xp, dx, w_ih) if needs[0] else None, run(matmul, xp, dx.T, x) if needs[1] else None,
            run(matmul, xp, dh.T, before) if needs[2] else None, b_ih if needs[3] else None, b_hh if needs[4] else None)


# -- LSTM --------------------------------------------------------------------------------------------------------------

def lstm_forward(xp, x, hx, cx, w_ih, w_hh, b_ih=None, b_hh=None, w_hr=None, batch_sizes=(), reverse=False):
    """The op `lstm_layer`."""
    if not _takes(x, hx, cx, w_ih, w_hh, w_hr):
        return lstm_layer.formula(xp, x, hx, cx, w_ih, w_hh, b_ih, b_hh, w_hr, batch_sizes, reverse)
    rows, size = len(x), cx.shape[1]
    gates = _inputs(xp, x, w_ih, b_ih, b_hh)
    cells, t, hidden = (xp.empty((rows, size), x.dtype) for _ in range(3))
    y = hidden if w_hr is None else xp.empty((rows, hx.shape[1]), x.dtype)
    h, c = xp.ascontiguousarray(hx).copy(), _wide_copy(cx)
    launch = _Launch(xp, "lstm_forward", x, size)
    for start, stop in seq.steps(batch_sizes, reverse):
        n = stop - start
        launch(n, gates[start:stop], _product(xp, h[:n], w_hh), c, cells[start:stop], t[start:stop], hidden[start:stop],
               h if w_hr is None else None)
        if w_hr is not None:
            y[start:stop] = h[:n] = _product(xp, hidden[start:stop], w_hr)
    return y, h, c.astype(x.dtype, copy=False), gates, cells, t


def lstm_backward(xp, g, x, hx, cx, w_ih, w_hh, b_ih, b_hh, w_hr, out, batch_sizes, reverse, needs):
    """The gradients of `lstm_forward`."""
    gates, cells, t = out[3:]
    if not _takes(x, hx, cx, w_ih, w_hh, w_hr, gates):
        return lstm_layer.rules[0].formula(xp, g, x, hx, cx, w_ih, w_hh, b_ih, b_hh, w_hr, out, batch_sizes, reverse, needs)
    gy, gh, gc, gates, cells, t = _contiguous(xp, *g[:3], gates, cells, t)
    d, before = xp.empty(gates.shape, x.dtype), _previous(xp, cells, cx, batch_sizes, reverse)
    dc = xp.zeros(cx.shape, number(x)) if gc is None else _wide_copy(gc)
    carried, launch = _Carried(xp, w_hh, gh, hx), _Launch(xp, "lstm_backward", x, cx.shape[1])
    projected = None if w_hr is None else xp.empty((len(x), len(w_hr)), x.dtype)
    for start, stop in reversed(seq.steps(batch_sizes, reverse)):
        n = stop - start
        towards, above = carried.held, None if gy is None else gy[start:stop]
        if w_hr is not None:
            projected[start:stop] = towards[:n] if above is None else towards[:n] + above
            towards, above = xp.ascontiguousarray(run(matmul, xp, projected[start:stop], w_hr)), None
        launch(n, gates[start:stop], t[start:stop], before[start:stop], towards, above, dc, d[start:stop])
        carried.step(d[start:stop])
    hidden = columns(gates, 4)[3] * t if needs[4] or needs[7] else None
    states = None
    if needs[4]:
        states = _previous(xp, hidden if w_hr is None else _product(xp, hidden, w_hr), hx, batch_sizes, reverse)
    gx, *grads = _gradients(xp, d, d, x, states, w_ih, (needs[0], *needs[3:7]))
    return gx, carried.held, dc.astype(x.dtype, copy=False), *grads, run(matmul, xp, projected.T, hidden) if needs[7] else None


# -- GRU ---------------------------------------------------------------------------------------------------------------

def gru_forward(xp, x, hx, w_ih, w_hh, b_ih=None, b_hh=None, batch_sizes=(), reverse=False):
    """The op `gru_layer`."""
    if not _takes(x, hx, w_ih, w_hh):
        return gru_layer.formula(xp, x, hx, w_ih, w_hh, b_ih, b_hh, batch_sizes, reverse)
    rows, size = len(x), hx.shape[1]
    inputs, h = _inputs(xp, x, w_ih, b_ih), xp.ascontiguousarray(hx).copy()
    gates, y, kept = xp.empty((rows, 4 * size), x.dtype), xp.empty((rows, size), x.dtype), xp.empty((rows, size), x.dtype)
    launch = _Launch(xp, "gru_forward", x, size)
    bias = None if b_hh is None else xp.ascontiguousarray(b_hh)
    for start, stop in seq.steps(batch_sizes, reverse):
        n = stop - start
        launch(n, inputs[start:stop], _product(xp, h[:n], w_hh), bias, gates[start:stop], h, y[start:stop], kept[start:stop])
    return y, h, gates, kept


def gru_backward(xp, g, x, hx, w_ih, w_hh, b_ih, b_hh, out, batch_sizes, reverse, needs):
    """The gradients of `gru_forward`."""
    gates, states = out[2:]
    if not _takes(x, hx, w_ih, w_hh, gates):
        return gru_layer.rules[0].formula(xp, g, x, hx, w_ih, w_hh, b_ih, b_hh, out, batch_sizes, reverse, needs)
    gy, gh, gates, states = _contiguous(xp, *g[:2], gates, states)
    before, direct = _previous(xp, states, hx, batch_sizes, reverse), xp.zeros(hx.shape, number(x))
    dx, dh = (xp.empty((len(x), len(w_hh)), x.dtype) for _ in range(2))
    carried, launch = _Carried(xp, w_hh, gh, hx), _Launch(xp, "gru_backward", x, hx.shape[1])
    for start, stop in reversed(seq.steps(batch_sizes, reverse)):
        launch(stop - start, gates[start:stop], before[start:stop], carried.held, None if gy is None else gy[start:stop], direct, dx[start:stop],
               dh[start:stop])
        carried.step(dh[start:stop])
    gx, *grads = _gradients(xp, dx, dh, x, before, w_ih, (needs[0], *needs[2:]))
    return gx, (carried.held + direct).astype(x.dtype, copy=False), *grads


# -- Elman's network ---------------------------------------------------------------------------------------------------

def rnn_forward(xp, x, hx, w_ih, w_hh, b_ih=None, b_hh=None, activation="tanh", batch_sizes=(), reverse=False):
    """The op `rnn_layer`."""
    if not _takes(x, hx, w_ih, w_hh):
        return rnn_layer.formula(xp, x, hx, w_ih, w_hh, b_ih, b_hh, activation, batch_sizes, reverse)
    states, h = _inputs(xp, x, w_ih, b_ih, b_hh), xp.ascontiguousarray(hx).copy()
    y = xp.empty(states.shape, x.dtype)
    launch = _Launch(xp, "rnn_forward", x, hx.shape[1], I32(activation == "relu"))
    for start, stop in seq.steps(batch_sizes, reverse):
        n = stop - start
        launch(n, states[start:stop], _product(xp, h[:n], w_hh), y[start:stop], h)
    return y, h, states


def rnn_backward(xp, g, x, hx, w_ih, w_hh, b_ih, b_hh, out, activation, batch_sizes, reverse, needs):
    """The gradients of `rnn_forward`."""
    if not _takes(x, hx, w_ih, w_hh, out[2]):
        return rnn_layer.rules[0].formula(xp, g, x, hx, w_ih, w_hh, b_ih, b_hh, out, activation, batch_sizes, reverse, needs)
    gy, gh, states = _contiguous(xp, *g[:2], out[2])
    d, carried = xp.empty(states.shape, x.dtype), _Carried(xp, w_hh, gh, hx)
    launch = _Launch(xp, "rnn_backward", x, hx.shape[1], I32(activation == "relu"))
    for start, stop in reversed(seq.steps(batch_sizes, reverse)):
        launch(stop - start, states[start:stop], carried.held, None if gy is None else gy[start:stop], d[start:stop])
        carried.step(d[start:stop])
    before = _previous(xp, states, hx, batch_sizes, reverse) if needs[3] else None
    gx, *grads = _gradients(xp, d, d, x, before, w_ih, (needs[0], *needs[2:]))
    return gx, carried.held, *grads


def register():
    """Put the kernels in the place of the formulas on CuPy arrays."""
    for op, forward, backward in ((lstm_layer, lstm_forward, lstm_backward), (gru_layer, gru_forward, gru_backward),
                                  (rnn_layer, rnn_forward, rnn_backward)):
        op.kernel("cupy")(forward)
        op.kernel("cupy", vjp="x")(backward)
