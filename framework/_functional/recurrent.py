"""Recurrent networks of several layers and directions, and single steps of them, under torch's names; the layers of `ringgrad.nn` call these."""
from .. import ops
from .._core.tensor import Tensor
from .dropout import drop

KINDS = {"lstm": ops.lstm_layer, "gru": ops.gru_layer, "rnn": ops.rnn_layer}


# -- one step ----------------------------------------------------------------------------------------------------------

def _check_step(input, states, w_ih, w_hh):
    """RuntimeError in torch's words unless the sizes of a step fit."""
    if input.shape[1] != w_ih.shape[1]:
        raise RuntimeError(f"input has inconsistent input_size: got {input.shape[1]} expected {w_ih.shape[1]}")
    for k, h in enumerate(states):
        if h.shape[0] != input.shape[0]:
            raise RuntimeError(f"Input batch size {input.shape[0]} doesn't match hidden{k} batch size {h.shape[0]}")
        if h.shape[1] != w_hh.shape[1]:
            raise RuntimeError(f"hidden{k} has inconsistent hidden_size: got {h.shape[1]}, expected {w_hh.shape[1]}")


def lstm_cell(input, hx, w_ih, w_hh, b_ih=None, b_hh=None):
    """One step of an LSTM.  input: (B, in), hx: (h, c), each (B, H), w_ih: (4H, in), w_hh: (4H, H) -> (h', c')"""
    if len(hx) != 2:
        raise RuntimeError("lstm_cell expects two hidden states")
    _check_step(input, hx, w_ih, w_hh)
    return ops.lstm_layer(input, *hx, w_ih, w_hh, b_ih, b_hh, None, (input.shape[0],))[1:3]


def gru_cell(input, hx, w_ih, w_hh, b_ih=None, b_hh=None):
    """One step of a GRU.  input: (B, in), hx: (B, H), w_ih: (3H, in), w_hh: (3H, H) -> (B, H)"""
    _check_step(input, (hx,), w_ih, w_hh)
    return ops.gru_layer(input, hx, w_ih, w_hh, b_ih, b_hh, (input.shape[0],))[1]


def rnn_tanh_cell(input, hx, w_ih, w_hh, b_ih=None, b_hh=None):
    """tanh(w_ih input + b_ih + w_hh hx + b_hh).  input: (B, in), hx: (B, H) -> (B, H)"""
    _check_step(input, (hx,), w_ih, w_hh)
    return ops.rnn_layer(input, hx, w_ih, w_hh, b_ih, b_hh, "tanh", (input.shape[0],))[1]


def rnn_relu_cell(input, hx, w_ih, w_hh, b_ih=None, b_hh=None):
    """max(w_ih input + b_ih + w_hh hx + b_hh, 0).  input: (B, in), hx: (B, H) -> (B, H)"""
    _check_step(input, (hx,), w_ih, w_hh)
    return ops.rnn_layer(input, hx, w_ih, w_hh, b_ih, b_hh, "relu", (input.shape[0],))[1]


# -- whole networks ----------------------------------------------------------------------------------------------------

def lstm(*args, **kwargs):
    """A network of LSTM layers: (output, h_n, c_n).  Called in one of torch's two ways, all arguments by position or name:

        lstm(input, hx, params, has_biases, num_layers, dropout, train, bidirectional, batch_first)   input: (T, B, in), or (B, T, in)
        lstm(data, batch_sizes, hx, params, has_biases, num_layers, dropout, train, bidirectional)    data: (rows, in), packed

    hx is (h, c), each (num_layers * directions, B, H); params lists the weights of layer after layer, forward before backward.
    """
    return _network("lstm", {}, args, kwargs)


def gru(*args, **kwargs):
    """A network of GRU layers: (output, h_n).  Called as `lstm`, with hx: (num_layers * directions, B, H)."""
    return _network("gru", {}, args, kwargs)


def rnn_tanh(*args, **kwargs):
    """A network of Elman layers with tanh: (output, h_n).  Called as `gru`."""
    return _network("rnn", {"activation": "tanh"}, args, kwargs)


def rnn_relu(*args, **kwargs):
    """A network of Elman layers with relu: (output, h_n).  Called as `gru`."""
    return _network("rnn", {"activation": "relu"}, args, kwargs)


PADDED = ("input", "hx", "params", "has_biases", "num_layers", "dropout", "train", "bidirectional", "batch_first")
PACKED = ("data", "batch_sizes", "hx", "params", "has_biases", "num_layers", "dropout", "train", "bidirectional")


def _network(kind, attrs, args, kwargs):
    """Bind a call to one of the two signatures, and run it."""
    packed = "batch_sizes" in kwargs or len(args) > 2 and (isinstance(args[2], Tensor) or len(args) > 3 and not isinstance(args[3], (bool, int)))
    names = PACKED if packed else PADDED
    given = {**dict(zip(names, args)), **kwargs}
    if len(args) > len(names) or set(given) != set(names):
        raise TypeError(f"{kind}() takes the arguments ({', '.join(PADDED)}), or for packed sequences ({', '.join(PACKED)})")
    hx, params = given["hx"], given["params"]
    states = tuple(hx) if kind == "lstm" else (hx,)
    if kind == "lstm" and len(states) != 2:
        raise RuntimeError("lstm expects two hidden states")
    if packed:
        sizes = tuple(given["batch_sizes"].tolist())
        return _stacked(kind, attrs, given["data"], sizes, states, params, given)
    batch_first = given["batch_first"]
    x = given["input"]
    x = ops.swapaxes(x, 0, 1) if batch_first else x
    time, batch, features = x.shape
    if not time:
        raise RuntimeError("Expected sequence length to be larger than 0 in RNN")
    y, *last = _stacked(kind, attrs, ops.reshape(x, (time * batch, features)), (batch,) * time, states, params, given)
    y = ops.reshape(y, (time, batch, y.shape[1]))
    return ops.swapaxes(y, 0, 1) if batch_first else y, *last


def _stacked(kind, attrs, x, batch_sizes, states, params, options):
    """Layer upon layer over packed rows: (rows of the last layer, and the last states, each (layers * directions, B, H))."""
    op, directions = KINDS[kind], 2 if options["bidirectional"] else 1
    weights = _weights(kind, states, params, options["has_biases"], options["num_layers"] * directions)
    last = []
    for layer in range(options["num_layers"]):
        outs = []
        for k in range(layer * directions, (layer + 1) * directions):
            y, *ends = op(x, *[s[k] for s in states], *weights[k], **attrs, batch_sizes=batch_sizes, reverse=k % directions == 1)
            outs.append(y)
            last.append(ends[:len(states)])
        x = outs[0] if directions == 1 else ops.concatenate(outs, 1)
        if options["dropout"] and options["train"] and layer < options["num_layers"] - 1:
            x = drop(x, options["dropout"])
    return x, *[ops.stack(list(s), 0) for s in zip(*last)]


def _weights(kind, states, params, has_biases, layers):
    """The weights of each layer and direction, in the order of the op's arguments."""
    projected = kind == "lstm" and states[0].shape[2] != states[1].shape[2]
    each = (4 if has_biases else 2) + projected
    if len(params) != each * layers:
        raise RuntimeError(f"{kind}: expected {each * layers} weights, {each} for each of {layers} layers and directions, got {len(params)}")
    chunks = [tuple(params[i:i + each]) for i in range(0, len(params), each)]
    missing = () if has_biases else (None, None)
    return [(*c[:2], *missing, *c[2:]) for c in chunks]


FUNCTIONS = {"lstm": lstm, "gru": gru, "rnn_tanh": rnn_tanh, "rnn_relu": rnn_relu, "lstm_cell": lstm_cell, "gru_cell": gru_cell,
             "rnn_tanh_cell": rnn_tanh_cell, "rnn_relu_cell": rnn_relu_cell}
METHODS = {}
INPLACE = {}
