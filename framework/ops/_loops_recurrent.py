"""One step of a recurrent layer in float32, compiled by numba: what `_recurrence` says on arrays, in one pass.  Imported where numba is installed."""
import numba
import numpy as np

from .._numba import kept
from ._loops_exp import HALF, ONE, TWO, ZERO, F, exp

exact = kept(numba.njit(nogil=True, error_model="numpy", fastmath={"contract"}))  # operations stay in the order in which they are written

EXACT_IN_FLOAT32 = F(9.01)  # from here on tanh rounds to 1
SMALL = F(0.25)  # below this tanh comes from its series, as 1 - 2 / (exp(2x) + 1) loses digits there
S3, S5, S7, S9 = F(-1 / 3), F(2 / 15), F(-17 / 315), F(62 / 2835)


@exact
def tanh(x):
    """tanh(x), to a relative 3e-7."""
    a = abs(x)
    z = EXACT_IN_FLOAT32 if a > EXACT_IN_FLOAT32 else a
    s = z * z
    e = exp(-TWO * z)
    far = (ONE - e) / (ONE + e)
    near = z * (ONE + s * (S3 + s * (S5 + s * (S7 + s * S9))))
    y = near if z < SMALL else far
    y = -y if x < ZERO else y
    return x if x != x else y


@exact
def _activate(y, half, shift):
    """y = half * tanh(y) + shift, for a row.  Loops that write to one array alone are the ones that LLVM vectorises."""
    for j in range(y.size):
        y[j] = half[j] * tanh(y[j]) + shift[j]


@exact
def _lstm_forward(gates, product, c, cells, t, h, half, shift):
    size = c.shape[1]
    for r in range(len(c)):
        row, state, top = gates[r], c[r], t[r]
        row += product[r]
        _activate(row, half, shift)
        i, f, u, o = row[:size], row[size:2 * size], row[2 * size:3 * size], row[3 * size:]
        for j in range(size):
            state[j] = f[j] * state[j] + i[j] * u[j]
        for j in range(size):
            top[j] = tanh(state[j])
        cells[r] = state
        for j in range(size):
            h[r, j] = o[j] * top[j]


@exact
def _lstm_back(gates, t, before, dh, dc, d):
    size = t.shape[1]
    for r in range(len(t)):
        row, out, g, gc, top, last = gates[r], d[r], dh[r], dc[r], t[r], before[r]
        i, f, u, o = row[:size], row[size:2 * size], row[2 * size:3 * size], row[3 * size:]
        di, df, du, do = out[:size], out[size:2 * size], out[2 * size:3 * size], out[3 * size:]
        for j in range(size):
            gc[j] += g[j] * o[j] * (ONE - top[j] * top[j])
        for j in range(size):
            di[j] = gc[j] * u[j] * i[j] * (ONE - i[j])
        for j in range(size):
            df[j] = gc[j] * last[j] * f[j] * (ONE - f[j])
        for j in range(size):
            du[j] = gc[j] * i[j] * (ONE - u[j] * u[j])
        for j in range(size):
            do[j] = g[j] * top[j] * o[j] * (ONE - o[j])
        for j in range(size):
            gc[j] *= f[j]


@exact
def _gru_forward(inputs, product, bias, gates, h, half):
    size = h.shape[1]
    for b in range(len(h)):
        row, pre, state = gates[b], inputs[b], h[b]
        product[b] += bias
        r, z, n, hn = row[:size], row[size:2 * size], row[2 * size:3 * size], row[3 * size:]
        row[:2 * size] = pre[:2 * size] + product[b, :2 * size]
        _activate(row[:2 * size], half, half)
        hn[:] = product[b, 2 * size:]
        pre_n = pre[2 * size:]
        for j in range(size):
            n[j] = tanh(pre_n[j] + r[j] * hn[j])
        for j in range(size):
            state[j] = n[j] + z[j] * (state[j] - n[j])


@exact
def _gru_back(gates, before, g, dx, dh, direct):
    size = before.shape[1]
    for b in range(len(g)):
        row, last, out = gates[b], before[b], dh[b]
        r, z, n, hn = row[:size], row[size:2 * size], row[2 * size:3 * size], row[3 * size:]
        dr, dz, dhn, dn = out[:size], out[size:2 * size], out[2 * size:], dx[b, 2 * size:]
        straight, towards = direct[b], g[b]
        for j in range(size):
            dn[j] = towards[j] * (ONE - n[j] * n[j]) * (ONE - z[j])
        for j in range(size):
            dr[j] = dn[j] * hn[j] * r[j] * (ONE - r[j])
        for j in range(size):
            dz[j] = towards[j] * (last[j] - n[j]) * z[j] * (ONE - z[j])
        for j in range(size):
            dhn[j] = dn[j] * r[j]
        for j in range(size):
            straight[j] = towards[j] * z[j]
        dx[b, :2 * size] = out[:2 * size]


def lstm_forward(half, rows):
    """`_recurrence.lstm_forward`."""
    shift = np.where(half < 1, half, ZERO)

    def activate(gates, product, c, cells, t, h):
        _lstm_forward(gates, product, c, cells, t, h, half, shift)
    return activate


def gru_forward(size, dtype):
    """`_recurrence.gru_forward`."""
    half = np.full(2 * size, HALF)

    def activate(inputs, product, bias, gates, h):
        _gru_forward(inputs, product, bias, gates, h, half)
    return activate


def lstm(xp, gates, t, before, d):
    """`_recurrence.lstm`."""
    def step(start, stop, dh, dc):
        _lstm_back(gates[start:stop], t[start:stop], before[start:stop], dh, dc, d[start:stop])
    return step


def gru(xp, gates, before, dx, dh):
    """`_recurrence.gru`."""
    direct = np.empty_like(before)

    def step(start, stop, g):
        _gru_back(gates[start:stop], before[start:stop], g, dx[start:stop], dh[start:stop], direct[start:stop])
        return direct[start:stop]
    return step
