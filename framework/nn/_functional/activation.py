"""Activation functions."""
import warnings

from ... import _rng, ops
from ..._core.inplace import apply_inplace
from ..._core.tensor import wrap
from ..._functional.nn_ops import log_softmax as _log_softmax
from ..._functional.nn_ops import prelu
from ..._functional.nn_ops import softmax as _softmax
from ._arguments import in_place_or_not

SELU_ALPHA, SELU_SCALE = 1.6732632423543772848170429916717, 1.0507009873554804934193349852946


def relu(input, inplace=False):
    """max(x, 0), elementwise."""
    return in_place_or_not(ops.relu, inplace, input)


def relu6(input, inplace=False):
    """min(max(x, 0), 6), elementwise."""
    return in_place_or_not(ops.hardtanh, inplace, input, 0.0, 6.0)


def hardtanh(input, min_val=-1.0, max_val=1.0, inplace=False):
    """x held between min_val and max_val, elementwise."""
    if min_val > max_val:
        raise ValueError(f"min_val cannot be greater than max_val, got {min_val} and {max_val}")
    return in_place_or_not(ops.hardtanh, inplace, input, min_val, max_val)


def leaky_relu(input, negative_slope=0.01, inplace=False):
    """x where x > 0, else negative_slope * x, elementwise."""
    return in_place_or_not(ops.leaky_relu, inplace, input, negative_slope)


def rrelu(input, lower=1.0 / 8, upper=1.0 / 3, training=False, inplace=False):
    """leaky_relu with a slope per element drawn evenly from [lower, upper] in training, and their middle otherwise.

    Xu et al. 2015, arXiv:1505.00853.
    """
    if not training:
        return in_place_or_not(ops.leaky_relu, inplace, input, (lower + upper) / 2)
    data = input._data
    slopes = wrap(_rng.generator_beside(data).uniform(data.shape, data.dtype)) * (upper - lower) + lower
    return apply_inplace(ops.prelu.op, input, (slopes,), {}) if inplace else ops.prelu(input, slopes)


def elu(input, alpha=1.0, inplace=False):
    """x where x > 0, else alpha * (exp(x) - 1), elementwise."""
    return in_place_or_not(ops.elu, inplace, input, alpha)


def selu(input, inplace=False):
    """elu with the scales under which activations keep mean 0 and variance 1.  Klambauer et al. 2017, arXiv:1706.02515."""
    return in_place_or_not(ops.elu, inplace, input, SELU_ALPHA, SELU_SCALE)


def celu(input, alpha=1.0, inplace=False):
    """x where x > 0, else alpha * (exp(x / alpha) - 1), elementwise.  Barron 2017, arXiv:1704.07483."""
    if alpha == 0:
        raise RuntimeError("ZeroDivisionError: alpha cannot be 0 for CELU")
    return in_place_or_not(ops.elu, inplace, input, alpha, 1.0, 1.0 / alpha)


def gelu(input, approximate="none"):
    """x * Phi(x), Phi the normal distribution function; approximate="tanh": its tanh form."""
    return ops.gelu(input, approximate)


def silu(input, inplace=False):
    """x * sigmoid(x), elementwise."""
    return in_place_or_not(ops.silu, inplace, input)


def mish(input, inplace=False):
    """x * tanh(softplus(x)), elementwise."""
    return in_place_or_not(ops.mish, inplace, input)


def hardsigmoid(input, inplace=False):
    """x / 6 + 1/2, held between 0 and 1, elementwise."""
    return in_place_or_not(ops.hardsigmoid, inplace, input)


def hardswish(input, inplace=False):
    """x * hardsigmoid(x), elementwise."""
    return in_place_or_not(ops.hardswish, inplace, input)


def threshold(input, threshold, value, inplace=False):
    """x where x > threshold, else value, elementwise."""
    return in_place_or_not(ops.threshold, inplace, input, threshold, value)


def sigmoid(input):
    """1 / (1 + exp(-x)), elementwise."""
    return ops.sigmoid(input)


def tanh(input):
    """tanh, elementwise."""
    return ops.tanh(input)


def logsigmoid(input):
    """log(sigmoid(x)), elementwise, without underflow."""
    return ops.log_sigmoid(input)


def softplus(input, beta=1.0, threshold=20.0):
    """log(1 + exp(beta * x)) / beta, and x itself where beta * x > threshold, elementwise."""
    return ops.softplus(input, beta, threshold)


def softsign(input):
    """x / (1 + |x|), elementwise."""
    return input / (ops.absolute(input) + 1)


def tanhshrink(input):
    """x - tanh(x), elementwise."""
    return input - ops.tanh(input)


def hardshrink(input, lambd=0.5):
    """x where |x| > lambd, else 0, elementwise."""
    return ops.hardshrink(input, lambd)


def softshrink(input, lambd=0.5):
    """x moved towards 0 by lambd, elementwise."""
    if lambd < 0:
        raise RuntimeError(f"lambda must be greater or equal to 0, but found to be {lambd}.")
    return ops.softshrink(input, lambd)


def glu(input, dim=-1):
    """a * sigmoid(b) for the two halves a, b of x along `dim`.  (*, 2n, *) -> (*, n, *).  Dauphin et al. 2016, arXiv:1612.08083."""
    if input.ndim == 0:
        raise RuntimeError("glu does not support scalars because halving size must be even")
    n = input.shape[dim]
    if n % 2:
        raise RuntimeError(f"Halving dimension must be even, but dimension {dim} is size {n}")
    return ops.glu(input, dim % input.ndim)


def _implicit_dim(name, ndim):
    """The dimension that torch guesses when none is given, with its warning."""
    warnings.warn(f"Implicit dimension choice for {name} has been deprecated. Change the call to include dim=X as an argument.", stacklevel=3)
    return 0 if ndim in (0, 1, 3) else 1


def softmax(input, dim=None, _stacklevel=3, dtype=None):
    """exp(x) / sum of exp(x) along `dim`.  dtype: convert the input first."""
    return _softmax(input, _implicit_dim("softmax", input.ndim) if dim is None else dim, dtype)


def softmin(input, dim=None, _stacklevel=3, dtype=None):
    """softmax(-x) along `dim`."""
    return _softmax(-input, _implicit_dim("softmin", input.ndim) if dim is None else dim, dtype)


def log_softmax(input, dim=None, _stacklevel=3, dtype=None):
    """log(softmax(x)) along `dim`.  dtype: convert the input first."""
    return _log_softmax(input, _implicit_dim("log_softmax", input.ndim) if dim is None else dim, dtype)


def gumbel_softmax(logits, tau=1.0, hard=False, eps=1e-10, dim=-1):
    """A sample from the Gumbel-softmax distribution of temperature tau; hard: one-hot forward, with the soft gradient.

    Jang et al. 2016, arXiv:1611.01144; Maddison et al. 2016, arXiv:1611.00712.
    """
    if eps != 1e-10:
        warnings.warn("`eps` parameter is deprecated and has no effect.", stacklevel=2)
    data = logits._data
    noise = -ops.log(wrap(_rng.generator_beside(data).exponential(data.shape, data.dtype)))
    soft = _softmax((logits + noise) / tau, dim)
    if not hard:
        return soft
    index = ops.argmax(soft, dim, True)
    one_hot = ops.scatter(ops.zeros_like(soft), index, 1.0, dim)
    return one_hot - soft.detach() + soft


def _twin(function):
    """The in-place form `name_` of a function that has an `inplace` flag."""
    def twin(*args, **kwargs):
        return function(*args, **kwargs, inplace=True)
    twin.__name__ = twin.__qualname__ = f"{function.__name__}_"
    twin.__doc__ = f"In-place form of `{function.__name__}`."
    return twin


relu_, hardtanh_, leaky_relu_, rrelu_ = _twin(relu), _twin(hardtanh), _twin(leaky_relu), _twin(rrelu)
elu_, selu_, celu_, threshold_ = _twin(elu), _twin(selu), _twin(celu), _twin(threshold)

__all__ = ["celu", "celu_", "elu", "elu_", "gelu", "glu", "gumbel_softmax", "hardshrink", "hardsigmoid", "hardswish", "hardtanh", "hardtanh_",
           "leaky_relu", "leaky_relu_", "log_softmax", "logsigmoid", "mish", "prelu", "relu", "relu6", "relu_", "rrelu", "rrelu_", "selu",
           "selu_", "sigmoid", "silu", "softmax", "softmin", "softplus", "softshrink", "softsign", "tanh", "tanhshrink", "threshold",
           "threshold_"]
