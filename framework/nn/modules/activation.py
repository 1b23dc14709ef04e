"""Activation layers, elementwise unless a dimension is named: (*) -> (*).  inplace: the result is written over the input."""
import warnings

from ... import ops
from .. import functional as F
from .. import init
from ._multihead_attention import MultiheadAttention  # noqa: F401 - torch keeps it in this file
from ._tensors import set_parameters
from .module import Module


class _Plain(Module):
    """A function without arguments."""

    def forward(self, input):
        """(*) -> (*)"""
        return self.function(input)


class _MaybeInPlace(Module):
    """A function with no argument but `inplace`."""

    def __init__(self, inplace=False):
        super().__init__()
        self.inplace = inplace

    def forward(self, input):
        """(*) -> (*)"""
        return self.function(input, self.inplace)

    def extra_repr(self):
        return "inplace=True" if self.inplace else ""


class Sigmoid(_Plain):
    """1 / (1 + exp(-x))."""

    function = staticmethod(F.sigmoid)


class Tanh(_Plain):
    """tanh(x)."""

    function = staticmethod(F.tanh)


class LogSigmoid(_Plain):
    """log(sigmoid(x))."""

    function = staticmethod(F.logsigmoid)


class Softsign(_Plain):
    """x / (1 + |x|)."""

    function = staticmethod(F.softsign)


class Tanhshrink(_Plain):
    """x - tanh(x)."""

    function = staticmethod(F.tanhshrink)


class ReLU(_MaybeInPlace):
    """max(x, 0)."""

    function = staticmethod(F.relu)


class ReLU6(_MaybeInPlace):
    """min(max(x, 0), 6)."""

    function = staticmethod(F.relu6)


class SELU(_MaybeInPlace):
    """elu with the scales under which activations keep mean 0 and variance 1."""

    function = staticmethod(F.selu)


class SiLU(_MaybeInPlace):
    """x * sigmoid(x)."""

    function = staticmethod(F.silu)


class Mish(_MaybeInPlace):
    """x * tanh(softplus(x))."""

    function = staticmethod(F.mish)


class Hardswish(_MaybeInPlace):
    """x * hardsigmoid(x)."""

    function = staticmethod(F.hardswish)
    extra_repr = Module.extra_repr  # torch does not print the flag here


class Hardsigmoid(_MaybeInPlace):
    """x / 6 + 1/2, held between 0 and 1."""

    function = staticmethod(F.hardsigmoid)
    extra_repr = Module.extra_repr


class Threshold(Module):
    """x where x > threshold, else value."""

    def __init__(self, threshold, value, inplace=False):
        super().__init__()
        self.threshold, self.value, self.inplace = threshold, value, inplace

    def forward(self, input):
        """(*) -> (*)"""
        return F.threshold(input, self.threshold, self.value, self.inplace)

    def extra_repr(self):
        return f"threshold={self.threshold}, value={self.value}{_inplace(self)}"


class RReLU(Module):
    """LeakyReLU with slopes drawn from [lower, upper] in training, and their middle in evaluation."""

    def __init__(self, lower=1.0 / 8, upper=1.0 / 3, inplace=False):
        super().__init__()
        self.lower, self.upper, self.inplace = lower, upper, inplace

    def forward(self, input):
        """(*) -> (*)"""
        return F.rrelu(input, self.lower, self.upper, self.training, self.inplace)

    def extra_repr(self):
        return f"lower={self.lower}, upper={self.upper}{_inplace(self)}"


class Hardtanh(Module):
    """x held between min_val and max_val.  min_value, max_value: their older names"""

    def __init__(self, min_val=-1.0, max_val=1.0, inplace=False, min_value=None, max_value=None):
        super().__init__()
        for name, value in (("min_val", min_value), ("max_val", max_value)):
            if value is not None:
                warnings.warn(f"keyword argument `{name}ue` is deprecated and renamed to `{name}`", FutureWarning, stacklevel=2)
        min_val, max_val = min_val if min_value is None else min_value, max_val if max_value is None else max_value
        if not max_val > min_val:
            raise AssertionError(f"max_val must be larger than min_val, got {max_val} and {min_val}")
        self.min_val, self.max_val, self.inplace = min_val, max_val, inplace

    def forward(self, input):
        """(*) -> (*)"""
        return F.hardtanh(input, self.min_val, self.max_val, self.inplace)

    def extra_repr(self):
        return f"min_val={self.min_val}, max_val={self.max_val}{_inplace(self)}"


class _WithAlpha(Module):
    def __init__(self, alpha=1.0, inplace=False):
        super().__init__()
        self.alpha, self.inplace = alpha, inplace

    def forward(self, input):
        """(*) -> (*)"""
        return self.function(input, self.alpha, self.inplace)

    def extra_repr(self):
        return f"alpha={self.alpha}{_inplace(self)}"


class ELU(_WithAlpha):
    """x where x > 0, else alpha * (exp(x) - 1)."""

    function = staticmethod(F.elu)


class CELU(_WithAlpha):
    """x where x > 0, else alpha * (exp(x / alpha) - 1)."""

    function = staticmethod(F.celu)


class LeakyReLU(Module):
    """x where x > 0, else negative_slope * x."""

    def __init__(self, negative_slope=0.01, inplace=False):
        super().__init__()
        self.negative_slope, self.inplace = negative_slope, inplace

    def forward(self, input):
        """(*) -> (*)"""
        return F.leaky_relu(input, self.negative_slope, self.inplace)

    def extra_repr(self):
        return f"negative_slope={self.negative_slope}{_inplace(self)}"


class PReLU(Module):
    """x where x > 0, else weight * x.  weight: (num_parameters), one for all or one per channel, `init` at first."""

    def __init__(self, num_parameters=1, init=0.25, device=None, dtype=None):
        super().__init__()
        self.num_parameters, self.init = num_parameters, init
        set_parameters(self, device, dtype, weight=(num_parameters,))
        self.reset_parameters()

    def reset_parameters(self):
        """The initial slope everywhere."""
        init.constant_(self.weight, self.init)

    def forward(self, input):
        """(N, C, *) -> (N, C, *)"""
        return F.prelu(input, self.weight)

    def extra_repr(self):
        return f"num_parameters={self.num_parameters}"


class GELU(Module):
    """x * Phi(x), Phi the normal distribution function; approximate="tanh": its tanh form."""

    def __init__(self, approximate="none"):
        super().__init__()
        self.approximate = approximate

    def forward(self, input):
        """(*) -> (*)"""
        return ops.gelu(input, self.approximate)

    def extra_repr(self):
        return f"approximate={self.approximate!r}"


class GLU(Module):
    """a * sigmoid(b) for the two halves a, b of the input along `dim`."""

    def __init__(self, dim=-1):
        super().__init__()
        self.dim = dim

    def forward(self, input):
        """(*, 2n, *) -> (*, n, *)"""
        return F.glu(input, self.dim)

    def extra_repr(self):
        return f"dim={self.dim}"


class Softplus(Module):
    """log(1 + exp(beta * x)) / beta, and x itself where beta * x > threshold."""

    def __init__(self, beta=1.0, threshold=20.0):
        super().__init__()
        self.beta, self.threshold = beta, threshold

    def forward(self, input):
        """(*) -> (*)"""
        return F.softplus(input, self.beta, self.threshold)

    def extra_repr(self):
        return f"beta={self.beta}, threshold={self.threshold}"


class _Shrink(Module):
    def __init__(self, lambd=0.5):
        super().__init__()
        self.lambd = lambd

    def forward(self, input):
        """(*) -> (*)"""
        return self.function(input, self.lambd)

    def extra_repr(self):
        return f"{self.lambd}"


class Hardshrink(_Shrink):
    """x where |x| > lambd, else 0."""

    function = staticmethod(F.hardshrink)


class Softshrink(_Shrink):
    """x moved towards 0 by lambd."""

    function = staticmethod(F.softshrink)


class _AlongDim(Module):
    def __init__(self, dim=None):
        super().__init__()
        self.dim = dim

    def forward(self, input):
        """(*) -> (*)"""
        return self.function(input, self.dim)

    def extra_repr(self):
        return f"dim={self.dim}"


class Softmax(_AlongDim):
    """exp(x) / sum of exp(x) along `dim`."""

    function = staticmethod(F.softmax)


class LogSoftmax(_AlongDim):
    """log(softmax(x)) along `dim`."""

    function = staticmethod(F.log_softmax)


class Softmin(_AlongDim):
    """softmax(-x) along `dim`."""

    function = staticmethod(F.softmin)


class Softmax2d(Module):
    """Softmax over the channels of (N, C, H, W) or (C, H, W)."""

    def forward(self, input):
        """(N, C, H, W) -> (N, C, H, W)"""
        if input.ndim not in (3, 4):
            raise ValueError(f"Softmax2d: expected input to be 3D or 4D, got {input.ndim}D instead")
        return F.softmax(input, -3)


def _inplace(module):
    return ", inplace=True" if module.inplace else ""
