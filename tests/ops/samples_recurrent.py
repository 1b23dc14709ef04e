"""Samples of recurrent networks and their single steps."""
import numpy as np

from .sample import Fails, Sample, const, randint, randn

T, B, IN, H = 4, 3, 3, 4
SIZES = const([3, 2, 2, 1], "int64")  # of the steps of packed sequences


def sigmoid(x):
    return 1 / (1 + np.exp(-x))


# -- the definitions, one step each: (w_ih x + b_ih, w_hh h + b_hh, state) -> state -------------------------------------

def lstm_step(a, b, h, c, w_hr=None):
    i, f, g, o = np.split(a + b, 4, 1)
    c = sigmoid(f) * c + sigmoid(i) * np.tanh(g)
    h = sigmoid(o) * np.tanh(c)
    return (h if w_hr is None else h @ w_hr.T), c


def gru_step(a, b, h):
    (ar, az, an), (br, bz, bn) = np.split(a, 3, 1), np.split(b, 3, 1)
    z, n = sigmoid(az + bz), np.tanh(an + sigmoid(ar + br) * bn)
    return ((1 - z) * n + z * h,)


def tanh_step(a, b, h):
    return (np.tanh(a + b),)


def relu_step(a, b, h):
    return (np.maximum(a + b, 0),)


def affine(x, w, b):
    return x @ w.T + (0 if b is None else b)


def network(step):
    """The reference of a whole network, padded or packed, layer by layer, direction by direction, sequence by sequence and step by step."""
    def run(x, *args):
        packed = isinstance(args[0], np.ndarray) and args[0].dtype.kind == "i"
        sizes = args[0].tolist() if packed else None
        hx, params, biases, layers, _, _, both, *rest = args[packed:]
        states = hx if isinstance(hx, tuple) else (hx,)
        x = x.swapaxes(0, 1) if rest and rest[0] else x
        if packed:
            lengths = [sum(n > i for n in sizes) for i in range(sizes[0])]
            starts = np.cumsum([0, *sizes[:-1]])
            sequences = [x[starts[:n] + i] for i, n in enumerate(lengths)]
        else:
            sequences = [x[:, i] for i in range(x.shape[1])]
        per = len(params) // (layers * (1 + both))
        last = []
        for layer in range(layers):
            outs = []
            for direction in range(1 + both):
                k = layer * (1 + both) + direction
                w_ih, w_hh, *more = params[k * per:(k + 1) * per]
                b_ih, b_hh = more[:2] if biases else (None, None)
                projection = more[2 * biases:]
                ys, ends = [], []
                for i, s in enumerate(sequences):
                    state, y = tuple(t[k, i:i + 1] for t in states), []
                    for row in s[::-1] if direction else s:
                        state = step(affine(row[None], w_ih, b_ih), affine(state[0], w_hh, b_hh), *state, *projection)
                        y.append(state[0][0])
                    ys.append(np.array(y[::-1] if direction else y))
                    ends.append(state)
                outs.append(ys)
                last.append([np.concatenate(e) for e in zip(*ends, strict=True)])
            sequences = [np.concatenate(parts, 1) for parts in zip(*outs, strict=True)]
        ends = [np.stack(e) for e in zip(*last, strict=True)]
        if packed:
            y = np.concatenate([[sequences[i][t] for i in range(n)] for t, n in enumerate(sizes)])
        else:
            y = np.stack(sequences, 0 if rest[0] else 1)
        return y, *ends
    return run


def cell(step):
    def run(x, hx, w_ih, w_hh, b_ih=None, b_hh=None):
        states = hx if isinstance(hx, tuple) else (hx,)
        return step(affine(x, w_ih, b_ih), affine(states[0], w_hh, b_hh), *states)
    return run


def weights(gates, layers=1, directions=1, biases=True, projection=0):
    found = []
    for k in range(layers * directions):
        features = IN if k < directions else (projection or H) * directions
        found += [randn(gates * H, features), randn(gates * H, projection or H)]
        found += [randn(gates * H), randn(gates * H)] * biases
        found += [randn(projection, H)] * bool(projection)
    return found


def states(kind, layers, projection=0):
    h = randn(layers, B, projection or H)
    return (h, randn(layers, B, H)) if kind == "lstm" else h


KINDS = {"lstm": (4, lstm_step, "lstm_layer"), "gru": (3, gru_step, "gru_layer"), "rnn_tanh": (1, tanh_step, "rnn_layer"),
         "rnn_relu": (1, relu_step, "rnn_layer")}


def rows(kind):
    gates, step, op = KINDS[kind]
    common = {"op": op, "ref": network(step), "slack": 20}

    def padded(layers, both, batch_first, biases=True, projection=0):
        x = randn(B, T, IN) if batch_first else randn(T, B, IN)
        n = layers * (1 + both)
        return Sample(kind, [x, states(kind, n, projection), weights(gates, layers, 1 + both, biases, projection), biases, layers, 0.5, False, both,
                             batch_first], **common)

    def packed(layers, both):
        n = layers * (1 + both)
        return Sample(kind, [randn(8, IN), SIZES, states(kind, n), weights(gates, layers, 1 + both), True, layers, 0.0, True, both], **common)

    found = [padded(1, False, False), padded(2, True, True), padded(1, True, False, biases=False), packed(1, False), packed(2, True)]
    if kind == "lstm":
        found += [padded(2, True, False, projection=2), padded(1, False, True, biases=False, projection=2)]
    return found


def steps(kind):
    gates, step, op = KINDS[kind]
    hidden = (randn(B, H), randn(B, H)) if kind == "lstm" else randn(B, H)
    w = [randn(gates * H, IN), randn(gates * H, H), randn(gates * H), randn(gates * H)]
    name, common = f"{kind}_cell", {"op": op, "ref": cell(step), "slack": 20}
    hx = (randn(2, H), randn(2, H)) if kind == "lstm" else randn(2, H)
    other = (randn(B, H + 1), randn(B, H + 1)) if kind == "lstm" else randn(B, H + 1)
    return [
        Sample(name, [randn(B, IN), hidden, *w], **common),
        Sample(name, [randn(B, IN), hidden, *w[:2]], **common),
        Fails(name, [randn(B, IN + 1), hidden, *w], error=RuntimeError, says="input has inconsistent input_size: got 4 expected 3"),
        Fails(name, [randn(B, IN), hx, *w], error=RuntimeError, says="Input batch size 3 doesn't match hidden0 batch size 2"),
        Fails(name, [randn(B, IN), other, *w], error=RuntimeError, says="hidden0 has inconsistent hidden_size: got 5, expected 4"),
    ]


LSTM = weights(4)
REFUSED = [
    Fails("lstm_cell", [randn(B, IN), (randn(B, H),), *LSTM], error=RuntimeError, says="lstm_cell expects two hidden states"),
    Fails("lstm", [randn(T, B, IN), (randn(1, B, H),), LSTM, True, 1, 0.0, False, False, False], error=RuntimeError, says="lstm expects two hidden"),
    Fails("lstm", [randn(T, B, IN), states("lstm", 1), LSTM[:3], True, 1, 0.0, False, False, False], error=RuntimeError, says="expected 4 weights"),
    Fails("gru", [randn(0, B, IN), states("gru", 1), weights(3), True, 1, 0.0, False, False, False], error=RuntimeError,
          says="Expected sequence length to be larger than 0 in RNN"),
    Fails("gru_cell", [randn(B, IN), randn(B, H), const(np.ones((3 * H, IN)), "float32"), *weights(3)[1:]], error=RuntimeError,
          says="gru: input and w_ih must have the same dtype, but got float64 and float32"),
    Fails("rnn_relu_cell", [randint(0, 3, B, IN), randint(0, 3, B, H), randint(0, 3, H, IN), randint(0, 3, H, H)], error=NotImplementedError,
          says="is not implemented for int64 tensors", torch="adds up whole numbers, which overflow"),
    Fails("gru", [randn(T, B, IN), states("gru", 1), weights(3)], error=TypeError, says="gru\\(\\) takes the arguments \\(input, hx, params"),
]

SAMPLES = [*(r for kind in KINDS for r in rows(kind)), *(s for kind in KINDS for s in steps(kind)), *REFUSED]
