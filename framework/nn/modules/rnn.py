"""Recurrent layers.  T: steps, B: batch, L: layers times directions."""
import math
import numbers
import warnings

from ... import ops
from ..._functional import recurrent
from .. import init
from .._packed_sequence import PackedSequence
from ._modes import in_autocast
from ._tensors import new_parameter
from .module import Module

GATES = {"LSTM": 4, "GRU": 3, "RNN_TANH": 1, "RNN_RELU": 1}
NETWORKS = {"LSTM": recurrent.lstm, "GRU": recurrent.gru, "RNN_TANH": recurrent.rnn_tanh, "RNN_RELU": recurrent.rnn_relu}


class RNNBase(Module):
    """What RNN, LSTM and GRU share: the weights of all layers, checks, and the call.

    Layer k has weight_ih_l<k>: (gates * H, in), weight_hh_l<k>: (gates * H, H), bias_ih_l<k> and bias_hh_l<k>: (gates * H), for the way backwards
    the same with "_reverse" behind the name, and an LSTM with a projection weight_hr_l<k>: (P, H).  All start uniform on +-1 / sqrt(H).
    """

    def __init__(self, mode, input_size, hidden_size, num_layers=1, bias=True, batch_first=False, dropout=0.0, bidirectional=False, proj_size=0,
                 device=None, dtype=None):
        super().__init__()
        self.mode, self.input_size, self.hidden_size, self.num_layers, self.bias = mode, input_size, hidden_size, num_layers, bias
        _check_options(mode, input_size, hidden_size, num_layers, bias, batch_first, dropout, proj_size)
        self.batch_first, self.dropout, self.bidirectional, self.proj_size = batch_first, float(dropout), bidirectional, proj_size
        rows, states = GATES[mode] * hidden_size, proj_size or hidden_size
        self._flat_weights_names, self._all_weights = [], []
        for layer in range(num_layers):
            features = input_size if layer == 0 else states * (2 if bidirectional else 1)
            shapes = {"weight_ih": (rows, features), "weight_hh": (rows, states)}
            shapes.update({"bias_ih": (rows,), "bias_hh": (rows,)} if bias else {})
            shapes.update({"weight_hr": (proj_size, hidden_size)} if proj_size else {})
            for suffix in ("", "_reverse") if bidirectional else ("",):
                names = {f"{name}_l{layer}{suffix}": shape for name, shape in shapes.items()}
                for name, shape in names.items():
                    setattr(self, name, new_parameter(shape, device, dtype))
                self._flat_weights_names.extend(names)
                self._all_weights.append(list(names))
        self.reset_parameters()

    @property
    def _flat_weights(self):
        """All weights, in the order of `all_weights`."""
        return [getattr(self, name, None) for name in self._flat_weights_names]

    @_flat_weights.setter
    def _flat_weights(self, weights):
        for name, weight in zip(self._flat_weights_names, weights, strict=True):
            setattr(self, name, weight)

    @property
    def all_weights(self):
        """A list of the weights for each layer and direction."""
        return [[getattr(self, name) for name in names] for names in self._all_weights]

    def reset_parameters(self):
        """Draw new initial values, uniform on +-1 / sqrt(hidden_size)."""
        bound = 1.0 / math.sqrt(self.hidden_size) if self.hidden_size > 0 else 0
        for weight in self.parameters():
            init.uniform_(weight, -bound, bound)

    def flatten_parameters(self):
        """Nothing: the weights need no common memory here."""

    # -- checks --------------------------------------------------------------------------------------------------------

    def check_input(self, input, batch_sizes):
        """ValueError for the wrong type, RuntimeError for wrong sizes, in torch's words."""
        weight = self._flat_weights[0]
        if input.dtype != weight.dtype and not in_autocast():  # which makes them agree
            raise ValueError(f"RNN input dtype ({input.dtype}) does not match weight dtype ({weight.dtype}). Convert input: "
                             f"input.to({weight.dtype}), or convert model: model.to({input.dtype})")
        expected = 3 if batch_sizes is None else 2
        if input.ndim != expected:
            raise RuntimeError(f"input must have {expected} dimensions, got {input.ndim}")
        if input.shape[-1] != self.input_size:
            raise RuntimeError(f"input.size(-1) must be equal to input_size. Expected {self.input_size}, got {input.shape[-1]}")

    def get_expected_hidden_size(self, input, batch_sizes):
        """(L, B, P or H) for an input."""
        batch = int(batch_sizes[0]) if batch_sizes is not None else input.shape[0 if self.batch_first else 1]
        return self.num_layers * (2 if self.bidirectional else 1), batch, self.proj_size or self.hidden_size

    def check_hidden_size(self, hx, expected_hidden_size, msg="Expected hidden size {}, got {}"):
        """RuntimeError unless `hx` has the expected shape."""
        if tuple(hx.shape) != tuple(expected_hidden_size):
            raise RuntimeError(msg.format(tuple(expected_hidden_size), list(hx.shape)))

    def check_forward_args(self, input, hidden, batch_sizes):
        """Check an input and its first states."""
        self.check_input(input, batch_sizes)
        self.check_hidden_size(hidden, self.get_expected_hidden_size(input, batch_sizes))

    def permute_hidden(self, hx, permutation):
        """The states of the sequences in another order; None: as they are."""
        return hx if permutation is None else hx.index_select(1, permutation)

    # -- the call ------------------------------------------------------------------------------------------------------

    def _first_states(self, input, batch_sizes):
        """Zeros."""
        return input.new_zeros(self.get_expected_hidden_size(input, batch_sizes))

    def _check_batched(self, hx, ndim):
        """RuntimeError unless the states have `ndim` dimensions, as the input has."""
        if hx.ndim != ndim:
            raise RuntimeError(f"For {_BATCHED[ndim]} input, hx should also be {ndim}-D but got {hx.ndim}-D tensor")

    def forward(self, input, hx=None):
        """input: (T, B, in), (B, T, in) when batch_first, (T, in), or a PackedSequence -> (output, last states).  hx: first states, or None"""
        if isinstance(input, PackedSequence):
            data, batch_sizes, sorted_indices, unsorted_indices = input
            hx = self._first_states(data, batch_sizes) if hx is None else self.permute_hidden(hx, sorted_indices)
            output, hx = self._run(data, hx, batch_sizes)
            return PackedSequence(output, batch_sizes, sorted_indices, unsorted_indices), self.permute_hidden(hx, unsorted_indices)
        if input.ndim not in (2, 3):
            raise ValueError(f"{self._get_name()}: Expected input to be 2D or 3D, got {input.ndim}D {self._word}instead")
        if hx is not None:
            self._check_batched(hx, input.ndim)
        if input.ndim == 3:
            return self._run(input, self._first_states(input, None) if hx is None else hx, None)
        batch_dim = 0 if self.batch_first else 1
        input = ops.expand_dims(input, batch_dim)
        output, hx = self._run(input, self._first_states(input, None) if hx is None else _each(hx, lambda h: ops.expand_dims(h, 1)), None)
        return ops.squeeze(output, (batch_dim,)), _each(hx, lambda h: ops.squeeze(h, (1,)))

    _word = ""

    def _run(self, input, hx, batch_sizes):
        self.check_forward_args(input, hx, batch_sizes)
        options = (self._flat_weights, self.bias, self.num_layers, self.dropout, self.training, self.bidirectional)
        if batch_sizes is None:
            output, *last = NETWORKS[self.mode](input, hx, *options, self.batch_first)
        else:
            output, *last = NETWORKS[self.mode](input, batch_sizes, hx, *options)
        return output, tuple(last) if self.mode == "LSTM" else last[0]

    def extra_repr(self):
        shown = {"proj_size": 0, "num_layers": 1, "bias": True, "batch_first": False, "dropout": 0, "bidirectional": False}
        extra = [f"{name}={getattr(self, name)}" for name, default in shown.items() if getattr(self, name) != default]
        return ", ".join([f"{self.input_size}, {self.hidden_size}", *extra])


_BATCHED = {2: "unbatched 2-D", 3: "batched 3-D"}


def _each(hx, function):
    return tuple(function(h) for h in hx) if isinstance(hx, tuple) else function(hx)


def _check_options(mode, input_size, hidden_size, num_layers, bias, batch_first, dropout, proj_size):
    """ValueError or TypeError in torch's words for a constructor's arguments."""
    if not isinstance(dropout, numbers.Number) or isinstance(dropout, bool) or not 0 <= dropout <= 1:
        raise ValueError("dropout should be a number in range [0, 1] representing the probability of an element being zeroed")
    if dropout > 0 and num_layers == 1:
        warnings.warn("dropout option adds dropout after all but last recurrent layer, so non-zero dropout expects num_layers greater than 1, "
                      f"but got dropout={dropout} and num_layers={num_layers}", stacklevel=4)
    for name, value, kind in (("bias", bias, bool), ("batch_first", batch_first, bool), ("input_size", input_size, int),
                              ("hidden_size", hidden_size, int)):
        if not isinstance(value, kind):
            raise TypeError(f"{name} should be of type {kind.__name__}, got: {type(value).__name__}")
    for name, value in (("input_size", input_size), ("hidden_size", hidden_size), ("num_layers", num_layers)):
        if value <= 0:
            raise ValueError(f"{name} must be greater than zero")
    if proj_size < 0:
        raise ValueError("proj_size should be a positive integer or zero to disable projections")
    if proj_size >= hidden_size:
        raise ValueError("proj_size has to be smaller than hidden_size")
    if mode not in GATES:
        raise ValueError(f"Unrecognized RNN mode: {mode}")


def _refuse_projection(options):
    if "proj_size" in options:
        raise ValueError("proj_size argument is only supported for LSTM, not RNN or GRU")


class RNN(RNNBase):
    """Elman's network: h' = tanh(w_ih x + b_ih + w_hh h + b_hh), or with relu.

    RNN(input_size, hidden_size, num_layers=1, nonlinearity="tanh", bias=True, batch_first=False, dropout=0.0, bidirectional=False)
    x: (T, B, in), h: (L, B, H) -> (T, B, H * directions), (L, B, H)
    """

    _word = "tensor "

    def __init__(self, *args, **kwargs):
        _refuse_projection(kwargs)
        if len(args) > 3:
            nonlinearity, args = args[3], (*args[:3], *args[4:])
        else:
            nonlinearity = kwargs.pop("nonlinearity", "tanh")
        if nonlinearity not in ("tanh", "relu"):
            raise ValueError(f"Unknown nonlinearity '{nonlinearity}'. Select from 'tanh' or 'relu'.")
        super().__init__(f"RNN_{nonlinearity.upper()}", *args, **kwargs)
        self.nonlinearity = nonlinearity


class LSTM(RNNBase):
    """Long short-term memory (Hochreiter and Schmidhuber 1997), `ops.lstm_layer` in several layers.

    LSTM(input_size, hidden_size, num_layers=1, bias=True, batch_first=False, dropout=0.0, bidirectional=False, proj_size=0)
    x: (T, B, in), (h: (L, B, P or H), c: (L, B, H)) -> (T, B, (P or H) * directions), (h, c)
    """

    def __init__(self, *args, **kwargs):
        super().__init__("LSTM", *args, **kwargs)

    def get_expected_cell_size(self, input, batch_sizes):
        """(L, B, H) for an input."""
        return *self.get_expected_hidden_size(input, batch_sizes)[:2], self.hidden_size

    def check_forward_args(self, input, hidden, batch_sizes):
        """Check an input and its first states (h, c)."""
        self.check_input(input, batch_sizes)
        self.check_hidden_size(hidden[0], self.get_expected_hidden_size(input, batch_sizes), "Expected hidden[0] size {}, got {}")
        self.check_hidden_size(hidden[1], self.get_expected_cell_size(input, batch_sizes), "Expected hidden[1] size {}, got {}")

    def permute_hidden(self, hx, permutation):
        """(h, c) of the sequences in another order; None: as they are."""
        return hx if permutation is None else (hx[0].index_select(1, permutation), hx[1].index_select(1, permutation))

    def _first_states(self, input, batch_sizes):
        return input.new_zeros(self.get_expected_hidden_size(input, batch_sizes)), input.new_zeros(self.get_expected_cell_size(input, batch_sizes))

    def _check_batched(self, hx, ndim):
        if hx[0].ndim != ndim or hx[1].ndim != ndim:
            raise RuntimeError(f"For {_BATCHED[ndim]} input, hx and cx should also be {ndim}-D but got ({hx[0].ndim}-D, {hx[1].ndim}-D) tensors")


class GRU(RNNBase):
    """Gated recurrent units (Cho et al. 2014), `ops.gru_layer` in several layers.

    GRU(input_size, hidden_size, num_layers=1, bias=True, batch_first=False, dropout=0.0, bidirectional=False)
    x: (T, B, in), h: (L, B, H) -> (T, B, H * directions), (L, B, H)
    """

    def __init__(self, *args, **kwargs):
        _refuse_projection(kwargs)
        super().__init__("GRU", *args, **kwargs)


# -- single steps ------------------------------------------------------------------------------------------------------

class RNNCellBase(Module):
    """What the cells share.  weight_ih: (gates * H, in), weight_hh: (gates * H, H), bias_ih, bias_hh: (gates * H), uniform on +-1 / sqrt(H)."""

    def __init__(self, input_size, hidden_size, bias, num_chunks, device=None, dtype=None):
        super().__init__()
        self.input_size, self.hidden_size, self.bias = input_size, hidden_size, bias
        rows = num_chunks * hidden_size
        self.weight_ih = new_parameter((rows, input_size), device, dtype)
        self.weight_hh = new_parameter((rows, hidden_size), device, dtype)
        for name in ("bias_ih", "bias_hh"):
            self.register_parameter(name, new_parameter((rows,), device, dtype) if bias else None)
        self.reset_parameters()

    def reset_parameters(self):
        """Draw new initial values, uniform on +-1 / sqrt(hidden_size)."""
        bound = 1.0 / math.sqrt(self.hidden_size) if self.hidden_size > 0 else 0
        for weight in self.parameters():
            init.uniform_(weight, -bound, bound)

    def _step(self, cell, input, hx):
        """cell(input, hx, weights), with a batch of one round what has none."""
        weights = self.weight_ih, self.weight_hh, self.bias_ih, self.bias_hh
        if input.ndim == 2:
            return cell(input, hx, *weights)
        return _each(cell(ops.expand_dims(input, 0), _each(hx, lambda h: ops.expand_dims(h, 0)), *weights), lambda h: ops.squeeze(h, (0,)))

    def _zeros(self, input):
        return input.new_zeros((*input.shape[:-1], self.hidden_size))

    def _check(self, input, hx, name="hidden"):
        if input.ndim not in (1, 2):
            raise ValueError(f"{self._get_name()}: Expected input to be 1D or 2D, got {input.ndim}D instead")
        if hx is not None and hx.ndim not in (1, 2):
            raise ValueError(f"{self._get_name()}: Expected {name} to be 1D or 2D, got {hx.ndim}D instead")

    def extra_repr(self):
        bias = "" if self.bias is True else f", bias={self.bias}"
        nonlinearity = getattr(self, "nonlinearity", "tanh")
        return f"{self.input_size}, {self.hidden_size}{bias}" + ("" if nonlinearity == "tanh" else f", nonlinearity={nonlinearity}")


class RNNCell(RNNCellBase):
    """One step of an RNN: h' = tanh(w_ih x + b_ih + w_hh h + b_hh), or with relu."""

    def __init__(self, input_size, hidden_size, bias=True, nonlinearity="tanh", device=None, dtype=None):
        super().__init__(input_size, hidden_size, bias, 1, device, dtype)
        self.nonlinearity = nonlinearity

    def forward(self, input, hx=None):
        """(B, in), (B, H) -> (B, H), or all without B; hx: zeros when None"""
        self._check(input, hx)
        if self.nonlinearity not in ("tanh", "relu"):
            raise RuntimeError(f"Unknown nonlinearity: {self.nonlinearity}")
        cell = recurrent.rnn_tanh_cell if self.nonlinearity == "tanh" else recurrent.rnn_relu_cell
        return self._step(cell, input, self._zeros(input) if hx is None else hx)


class LSTMCell(RNNCellBase):
    """One step of an LSTM."""

    def __init__(self, input_size, hidden_size, bias=True, device=None, dtype=None):
        super().__init__(input_size, hidden_size, bias, 4, device, dtype)

    def forward(self, input, hx=None):
        """(B, in), (h: (B, H), c: (B, H)) -> (h', c'), or all without B; hx: zeros when None"""
        self._check(input, None)
        if hx is None:
            zeros = self._zeros(input)
            hx = zeros, zeros
        for k, h in enumerate(hx):
            self._check(input, h, f"hx[{k}]")
        return self._step(recurrent.lstm_cell, input, tuple(hx))


class GRUCell(RNNCellBase):
    """One step of a GRU."""

    def __init__(self, input_size, hidden_size, bias=True, device=None, dtype=None):
        super().__init__(input_size, hidden_size, bias, 3, device, dtype)

    def forward(self, input, hx=None):
        """(B, in), (B, H) -> (B, H), or all without B; hx: zeros when None"""
        self._check(input, hx)
        return self._step(recurrent.gru_cell, input, self._zeros(input) if hx is None else hx)
