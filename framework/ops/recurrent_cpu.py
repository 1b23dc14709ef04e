"""The recurrent layers' formulas for NumPy: steps write into memory that is made once.

Three things make them fast.  The weights of the states are laid out anew, one (P, H) matrix per gate: small products are faster that way
(but one matrix for MKL).
sigmoid(x) is (1 + tanh(x / 2)) / 2, so that with weights halved beforehand all gates of a step go through one tanh.  And where numba is
installed, what follows a step's product is one compiled loop.
"""
import numpy as np

from .. import _mkl
from . import _sequences as seq
from ._recurrence import array_steps
from .recurrent import gru_layer, lstm_layer, rnn_layer


class Product:
    """h @ w_hh.T for a step's states h: (n, P) -> (n, gates * H), in memory that the next call writes over.

    scale: (gates * H), what the columns are multiplied by, or None
    """

    def __init__(self, w_hh, gates, rows, scale=None):
        weights = w_hh if scale is None else w_hh * scale[:, None]
        if rows * weights.size >= _mkl.LARGE and _mkl.PRESENT:
            gates = 1
        self.weights = np.ascontiguousarray(weights.reshape(gates, -1, w_hh.shape[1]).swapaxes(1, 2))
        self.out = np.empty((rows, len(w_hh)), w_hh.dtype)
        self.parts = self.out.reshape(rows, gates, -1).swapaxes(0, 1)

    def __call__(self, h):
        n = len(h)
        if len(self.weights) == 1:
            _mkl.matmul(h, self.weights[0], out=self.out[:n])
        else:
            np.matmul(h, self.weights, out=self.parts[:, :n])
        return self.out[:n]


def _inputs(x, w_ih, biases, scale=None):
    """x @ w_ih.T + biases for all steps at once, the columns times `scale`."""
    bias = sum(b for b in biases if b is not None)
    if scale is not None:
        w_ih, bias = w_ih * scale[:, None], bias * scale
    y = _mkl.matmul(x, w_ih.T)
    y += bias
    return y


def _halves(dtype, size, gates):
    """Per column 1/2 for a gate with a sigmoid, 1 for one with a tanh.  gates: booleans, whether it is a sigmoid."""
    return np.repeat(np.where(gates, 0.5, 1.0).astype(dtype), size)


@lstm_layer.kernel("numpy")
def _(xp, x, hx, cx, w_ih, w_hh, b_ih=None, b_hh=None, w_hr=None, batch_sizes=(), reverse=False):
    size, dtype = cx.shape[1], x.dtype
    half = _halves(dtype, size, [True, True, False, True])
    gates = _inputs(x, w_ih, (b_ih, b_hh), half)
    times = Product(w_hh, 4, len(hx), half)
    cells, t = np.empty((2, len(x), size), dtype)
    y = np.empty((len(x), hx.shape[1]), dtype)
    h, c = hx.copy(), cx.copy()
    hidden = h if w_hr is None else np.empty_like(c)
    activate = array_steps(np, x).lstm_forward(half, len(hx))
    for start, stop in seq.steps(batch_sizes, reverse):
        n = stop - start
        activate(gates[start:stop], times(h[:n]), c[:n], cells[start:stop], t[start:stop], hidden[:n])
        if w_hr is not None:
            np.matmul(hidden[:n], w_hr.T, out=h[:n])
        y[start:stop] = h[:n]
    return y, h, c, gates, cells, t


@gru_layer.kernel("numpy")
def _(xp, x, hx, w_ih, w_hh, b_ih=None, b_hh=None, batch_sizes=(), reverse=False):
    size, dtype = hx.shape[1], x.dtype
    half = _halves(dtype, size, [True, True, False])
    inputs = _inputs(x, w_ih, (b_ih,), half)
    times = Product(w_hh, 3, len(hx), half)
    bias = np.zeros(3 * size, dtype) if b_hh is None else b_hh * half
    gates, y, h = np.empty((len(x), 4 * size), dtype), np.empty((len(x), size), dtype), hx.copy()
    activate = array_steps(np, x).gru_forward(size, dtype)
    for start, stop in seq.steps(batch_sizes, reverse):
        n = stop - start
        activate(inputs[start:stop], times(h[:n]), bias, gates[start:stop], h[:n])
        y[start:stop] = h[:n]
    return y, h, gates, y.copy()


@rnn_layer.kernel("numpy")
def _(xp, x, hx, w_ih, w_hh, b_ih=None, b_hh=None, activation="tanh", batch_sizes=(), reverse=False):
    y = _inputs(x, w_ih, (b_ih, b_hh))
    times, h = Product(w_hh, 1, len(hx)), hx.copy()
    for start, stop in seq.steps(batch_sizes, reverse):
        n = stop - start
        state = y[start:stop]
        state += times(h[:n])
        if activation == "tanh":
            np.tanh(state, out=state)
        else:
            np.maximum(state, 0, out=state)
        h[:n] = state
    return y, h, y.copy()
