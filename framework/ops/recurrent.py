"""Recurrent layers: one op per layer and direction over whole sequences, with a hand-written walk back through time.

x: (rows, in) is packed as `_sequences` says; h: (B, H).  The inputs of all steps are multiplied in one matrix product; a step adds the product with
the state.  An op returns what a user sees - the states (rows, H) and the last one (B, H) - and after that what its gradient needs.  `recurrent_cpu`
does the same for NumPy in memory that every step uses again.

A gradient that is to be differentiated itself comes from the formula, run once more and recorded (`_sequences.differentiate`).
"""
from .. import _dtypes
from .._core.op import op
from .._core.promotion import refusing
from .._core.tensor import Tensor
from . import _sequences as seq
from ._layer_types import one_type
from ._recurrence import Recurrence, array_steps, columns, parameter_gradients
from ._run import run
from .matmul import matmul


def _floats(name, *inputs):
    """A policy: all inputs of one type, which is a real floating-point one."""
    names = ("input", *inputs, "w_ih", "w_hh", "b_ih", "b_hh", "w_hr")
    return refusing(one_type(name, *names), name, _dtypes.BOOL, _dtypes.INTEGER, _dtypes.COMPLEX)


# -- LSTM --------------------------------------------------------------------------------------------------------------

@op(promote=_floats("lstm", "hx", "cx"), fast=False, broadcasts=False, grad_name="Lstm")
def lstm_layer(xp, x, hx, cx, w_ih, w_hh, b_ih=None, b_hh=None, w_hr=None, batch_sizes: tuple = (), reverse: bool = False):
    """Gates i, f, g, o = w_ih x + b_ih + w_hh h + b_hh;  c' = sigmoid(f) c + sigmoid(i) tanh(g);  h' = w_hr sigmoid(o) tanh(c').

    w_ih: (4H, in), w_hh: (4H, P), w_hr: (P, H), without it P = H -> h': (rows, P), last h: (B, P), last c: (B, H), then gates: (rows, 4H), c' and
    tanh(c'): (rows, H).  Hochreiter and Schmidhuber 1997; Gers et al. 2000; the projection: Sak et al. 2014, arXiv:1402.1128.
    """
    def step(pre, h, c):
        i, f, g, o = columns(pre + seq.affine(xp, h, w_hh), 4)
        gates = seq.sigmoid(xp, i), seq.sigmoid(xp, f), xp.tanh(g), seq.sigmoid(xp, o)
        c = gates[1] * c + gates[0] * gates[2]
        t = xp.tanh(c)
        h = gates[3] * t if w_hr is None else seq.affine(xp, gates[3] * t, w_hr)
        return (h, c), (h, xp.concatenate(gates, 1), c, t)

    (y, *kept), last = seq.unroll(xp, step, seq.affine(xp, x, w_ih, b_ih, b_hh), (hx, cx), batch_sizes, reverse)
    return y, *last, *kept


lstm_layer.gives_away = 3


@lstm_layer.vjp("x", "hx", "cx", "w_ih", "w_hh", "b_ih", "b_hh", "w_hr")
def _(xp, g, x, hx, cx, w_ih, w_hh, b_ih, b_hh, w_hr, out, batch_sizes, reverse, needs):
    if isinstance(x, Tensor):
        inputs = (x, hx, cx, w_ih, w_hh, b_ih, b_hh, w_hr)
        return seq.differentiate(xp, lstm_layer.forward, g[:3], inputs, needs, batch_sizes=batch_sizes, reverse=reverse)
    gy, gh, gc, x, hx, cx, w_ih, w_hh, w_hr, gates, cells, t = seq.wide([*g[:3], x, hx, cx, w_ih, w_hh, w_hr, *out[3:]])
    d = xp.empty_like(gates)
    gh, gc = seq.copy_or_zeros(xp, gh, hx), seq.copy_or_zeros(xp, gc, cx)
    step = array_steps(xp, x).lstm(xp, gates, t, seq.previous(xp, cells, cx, batch_sizes, reverse), d)
    back = Recurrence(xp, w_hh, 4, gh)
    projected = None if w_hr is None else xp.empty((len(x), len(w_hr)), x.dtype)
    for start, stop in reversed(seq.steps(batch_sizes, reverse)):
        dh = gh[:stop - start]
        if gy is not None:
            dh += gy[start:stop]
        if w_hr is not None:
            projected[start:stop] = dh
            dh = run(matmul, xp, dh, w_hr)
        step(start, stop, dh, gc[:stop - start])
        back(d[start:stop])
    hidden = columns(gates, 4)[3] * t if needs[4] or needs[7] else None
    before = None
    if needs[4]:
        before = seq.previous(xp, hidden if w_hr is None else run(matmul, xp, hidden, w_hr.T), hx, batch_sizes, reverse)
    gx, *grads = parameter_gradients(xp, d, d, x, before, w_ih, (needs[0], *needs[3:7]))
    return gx, gh, gc, *grads, run(matmul, xp, projected.T, hidden) if needs[7] else None


# -- GRU ---------------------------------------------------------------------------------------------------------------

@op(promote=_floats("gru", "hx"), fast=False, broadcasts=False, grad_name="Gru")
def gru_layer(xp, x, hx, w_ih, w_hh, b_ih=None, b_hh=None, batch_sizes: tuple = (), reverse: bool = False):
    """Gates r, z = sigmoid(w_ih x + b_ih + w_hh h + b_hh), of which n = tanh(w_in x + b_in + r (w_hn h + b_hn));  h' = (1 - z) n + z h.

    w_ih: (3H, in), w_hh: (3H, H) in the order r, z, n -> h': (rows, H), last h: (B, H), then r, z, n, w_hn h + b_hn: (rows, 4H) and h' once more.
    Cho et al. 2014, arXiv:1406.1078, with the reset gate behind the product.
    """
    def step(pre, h):
        pr, pz, pn = columns(pre, 3)
        hr, hz, hn = columns(seq.affine(xp, h, w_hh, b_hh), 3)
        r, z = seq.sigmoid(xp, pr + hr), seq.sigmoid(xp, pz + hz)
        n = xp.tanh(pn + r * hn)
        h = n + z * (h - n)
        return (h,), (h, xp.concatenate([r, z, n, hn], 1))

    (y, kept), last = seq.unroll(xp, step, seq.affine(xp, x, w_ih, b_ih), (hx,), batch_sizes, reverse)
    return y, *last, kept, y + 0


gru_layer.gives_away = 2


@gru_layer.vjp("x", "hx", "w_ih", "w_hh", "b_ih", "b_hh")
def _(xp, g, x, hx, w_ih, w_hh, b_ih, b_hh, out, batch_sizes, reverse, needs):
    if isinstance(x, Tensor):
        inputs = (x, hx, w_ih, w_hh, b_ih, b_hh)
        return seq.differentiate(xp, gru_layer.forward, g[:2], inputs, needs, batch_sizes=batch_sizes, reverse=reverse)
    gy, gh, x, hx, w_ih, w_hh, gates, states = seq.wide([*g[:2], x, hx, w_ih, w_hh, *out[2:]])
    before = seq.previous(xp, states, hx, batch_sizes, reverse)
    gh = seq.copy_or_zeros(xp, gh, hx)
    dx, dh = (xp.empty((len(x), len(w_hh)), x.dtype) for _ in range(2))
    step = array_steps(xp, x).gru(xp, gates, before, dx, dh)
    back = Recurrence(xp, w_hh, 3, gh)
    for start, stop in reversed(seq.steps(batch_sizes, reverse)):
        current = gh[:stop - start]
        if gy is not None:
            current += gy[start:stop]
        direct = step(start, stop, current)
        back(dh[start:stop])
        current += direct
    gx, *grads = parameter_gradients(xp, dx, dh, x, before, w_ih, (needs[0], *needs[2:]))
    return gx, gh, *grads


# -- Elman's network ---------------------------------------------------------------------------------------------------

@op(promote=_floats("rnn", "hx"), fast=False, broadcasts=False, grad_name="Rnn")
def rnn_layer(xp, x, hx, w_ih, w_hh, b_ih=None, b_hh=None, activation: str = "tanh", batch_sizes: tuple = (), reverse: bool = False):
    """h' = activation(w_ih x + b_ih + w_hh h + b_hh), "tanh" or "relu".

    w_ih: (H, in), w_hh: (H, H) -> h': (rows, H), last h: (B, H), then h' once more.  Elman 1990.
    """
    def step(pre, h):
        h = pre + seq.affine(xp, h, w_hh)
        h = xp.tanh(h) if activation == "tanh" else xp.maximum(h, 0)
        return (h,), (h,)

    (y,), last = seq.unroll(xp, step, seq.affine(xp, x, w_ih, b_ih, b_hh), (hx,), batch_sizes, reverse)
    return y, *last, y + 0


rnn_layer.gives_away = 2


@rnn_layer.vjp("x", "hx", "w_ih", "w_hh", "b_ih", "b_hh")
def _(xp, g, x, hx, w_ih, w_hh, b_ih, b_hh, out, activation, batch_sizes, reverse, needs):
    if isinstance(x, Tensor):
        inputs, attrs = (x, hx, w_ih, w_hh, b_ih, b_hh), {"activation": activation, "batch_sizes": batch_sizes, "reverse": reverse}
        return seq.differentiate(xp, rnn_layer.forward, g[:2], inputs, needs, **attrs)
    gy, gh, x, hx, w_ih, w_hh, states = seq.wide([*g[:2], x, hx, w_ih, w_hh, out[2]])
    gh = seq.copy_or_zeros(xp, gh, hx)
    d = 1 - states * states if activation == "tanh" else (states > 0).astype(x.dtype)
    back = Recurrence(xp, w_hh, 1, gh)
    for start, stop in reversed(seq.steps(batch_sizes, reverse)):
        current = gh[:stop - start]
        if gy is not None:
            current += gy[start:stop]
        d[start:stop] *= current
        back(d[start:stop])
    before = seq.previous(xp, states, hx, batch_sizes, reverse) if needs[3] else None
    gx, *grads = parameter_gradients(xp, d, d, x, before, w_ih, (needs[0], *needs[2:]))
    return gx, gh, *grads
