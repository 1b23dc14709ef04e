"""Parts of the way back through time, on arrays: the product that carries a gradient to the step before, and the gates' gradients of one step.

A step is a function of (start, stop) rows, of the gradients of its new state, and, for an LSTM, of the cells, which it takes one step back in place.
"""
import functools
import types

import numpy as np

from .. import _mkl
from .._core.recording import F32
from .._numba import available
from . import _sequences as seq
from ._run import run
from .matmul import matmul as product

ROWS = 128  # of the gates that are prepared at a time, so that they stay in the cache
LARGE = 1 << 14  # elements of the inputs from which on compiled loops are used


class Recurrence:
    """gh <- d @ w_hh for the gradients d: (n, gates * H) of a step, into the first n rows of gh.

    On the CPU one product per gate is faster for few rows, but for MKL.
    """

    def __init__(self, xp, w_hh, gates, gh):
        self.xp, self.gates, self.gh = xp, gates, gh
        self.whole, self.weights = w_hh, w_hh.reshape(gates, -1, w_hh.shape[1])
        self.parts = np.empty((gates, *gh.shape), gh.dtype) if xp is np else None

    def __call__(self, d):
        n = len(d)
        if self.xp is not np:
            self.gh[:n] = run(product, self.xp, d, self.whole)
            return
        if self.gates == 1:
            np.matmul(d, self.whole, out=self.gh[:n])
            return
        if _mkl.PRESENT and _mkl.gemm(d, self.whole, self.gh[:n]) is not None:
            return
        parts = np.matmul(d.reshape(n, self.gates, -1).swapaxes(0, 1), self.weights, out=self.parts[:, :n])
        np.add.reduce(parts, 0, None, self.gh[:n])


def columns(a, n):
    """The matrix `a` as n equal blocks of columns."""
    size = a.shape[1] // n
    return [a[:, k * size:(k + 1) * size] for k in range(n)]


def parameter_gradients(xp, dx, dh, x, before, w_ih, needs):
    """Gradients of x, w_ih, w_hh, b_ih, b_hh from the gates' ones, dx: (rows, gates) towards the input and dh towards the states `before`."""
    matmul = _mkl.matmul if xp is np else functools.partial(run, product, xp)
    gb_ih = seq.sum_of_rows(xp, dx) if needs[3] else None
    gb_hh = None if not needs[4] else gb_ih.copy() if dx is dh and needs[3] else seq.sum_of_rows(xp, dh)
    return (matmul(dx, w_ih) if needs[0] else None, matmul(dx.T, x) if needs[1] else None,
            matmul(dh.T, before) if needs[2] else None, gb_ih, gb_hh)


def lstm(xp, gates, t, before, d):
    """The step of an LSTM.  t: tanh of the cells, before: the cells one step before, d: (rows, 4H), where the gates' gradients go."""
    di, df, du, do = columns(d, 4)
    f, through = columns(gates, 4)[1], xp.empty_like(t)
    for start in range(0, len(t), ROWS):
        rows = slice(start, start + ROWS)
        _lstm_slopes(xp, gates[rows], t[rows], before[rows], d[rows], through[rows])

    def step(start, stop, dh, dc):
        dc += dh * through[start:stop]
        for s in (di, df, du):
            s[start:stop] *= dc
        do[start:stop] *= dh
        dc *= f[start:stop]
    return step


def _lstm_slopes(xp, gates, t, before, d, through):
    """The gates' derivatives into d, those of h' by c' into `through`."""
    (i, _, u, o), slopes = columns(gates, 4), columns(d, 4)
    xp.subtract(1, gates, out=d)
    d *= gates
    xp.multiply(u, u, out=slopes[2])
    xp.subtract(1, slopes[2], out=slopes[2])
    for s, factor in zip(slopes, (u, before, i, t)):
        s *= factor
    xp.multiply(t, t, out=through)
    xp.subtract(1, through, out=through)
    through *= o


def gru(xp, gates, before, dx, dh):
    """The step of a GRU.  dx, dh: (rows, 3H), where the gates' gradients towards the input and the state go.  It returns what goes straight to h."""
    rows, size = before.shape
    r, z, n, hn = (gates[:, k * size:(k + 1) * size] for k in range(4))
    slopes = dh.reshape(rows, 3, size)
    towards_n = (1 - n * n) * (1 - z)
    slopes[:, 0] = r * (1 - r) * hn * towards_n
    slopes[:, 1] = z * (1 - z) * (before - n)
    slopes[:, 2] = r * towards_n
    dx[:, 2 * size:] = towards_n

    def step(start, stop, g):
        slopes[start:stop] *= g[:, None]
        dx[start:stop, 2 * size:] *= g
        dx[start:stop, :2 * size] = dh[start:stop, :2 * size]
        return g * z[start:stop]
    return step


def lstm_forward(half, rows):
    """What follows a step's product on the CPU, for up to `rows` sequences.

    half: (4H), 1/2 for the columns of sigmoids, 1 for those of tanh, by which the weights were multiplied before.
    """
    factor = np.tile(half, (rows, 1))  # whole matrices: NumPy is twice as fast with them as with rows that it broadcasts
    shift = np.where(factor < 1, factor, 0).astype(half.dtype)

    def activate(gates, product, c, cells, t, h):
        n, size = c.shape
        gates += product
        np.tanh(gates, out=gates)
        gates *= factor[:n]
        gates += shift[:n]
        i, f, u, o = gates.reshape(n, 4, size).swapaxes(0, 1)
        c *= f
        c += i * u
        cells[...] = c
        np.tanh(c, out=t)
        np.multiply(o, t, out=h)
    return activate


def gru_forward(size, dtype):
    """What follows a step's product on the CPU; the columns of r and z come halved."""
    def activate(inputs, product, bias, gates, h):
        product += bias
        split = 2 * h.shape[1]
        rz, n, hn = gates[:, :split], gates[:, split:split + h.shape[1]], gates[:, split + h.shape[1]:]
        np.add(inputs[:, :split], product[:, :split], out=rz)
        np.tanh(rz, out=rz)
        rz *= 0.5
        rz += 0.5
        hn[...] = product[:, split:]
        np.multiply(rz[:, :split // 2], hn, out=n)
        n += inputs[:, split:]
        np.tanh(n, out=n)
        h -= n
        h *= rz[:, split // 2:]
        h += n
    return activate


ARRAYS = types.SimpleNamespace(lstm=lstm, gru=gru, lstm_forward=lstm_forward, gru_forward=gru_forward)


def array_steps(xp, x):
    """Where `lstm` and `gru` come from for arrays like x: the functions above, or loops compiled by numba."""
    if xp is np and x.dtype is F32 and x.size >= LARGE and available():
        from . import _loops_recurrent
        return _loops_recurrent
    return ARRAYS
