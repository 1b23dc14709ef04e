"""Activation functions, elementwise: (*) -> (*).  sigmoid and tanh are with the other elementary functions."""
import numpy as np

from .._core.op import op
from .._core.promotion import same
from . import _gelu
from ._layer_types import floats_only
from ._masked import kept
from ._run import run
from .exponential import sigmoid
from .special import erf

# 0-d arrays by type code: a ufunc takes them in half the time that a Python number takes.
ZERO = {c: np.zeros((), c) for c in np.typecodes["AllInteger"] + "?efd"}
SQRT_HALF, SQRT_2_PI = 0.7071067811865476, _gelu.SQRT_2_PI
GELU_CUDA = {
    "none": "out = x * ((1 + erf(x * (A)0.7071067811865476)) / 2)",
    "tanh": "out = x * ((1 + tanh((A)0.7978845608028654 * (x + (A)0.044715 * x * x * x))) / 2)",
}
GELU_GRADIENT_CUDA = {
    "none": "d = g * ((1 + erf(x * (A)0.7071067811865476)) / 2 + x * (exp(x * x / -2) * (A)0.3989422804014327))",
    "tanh": "const auto t = tanh((A)0.7978845608028654 * (x + (A)0.044715 * x * x * x)); "
            "d = g * ((1 + t + x * (1 - t * t) * ((A)0.7978845608028654 * (1 + (A)0.134145 * x * x))) / 2)",
}


@op(promote=same, cuda="out = x < 0 ? 0 : x")
def relu(xp, x):
    """max(x, 0)."""
    return xp.maximum(x, 0)


@relu.vjp("x", cuda="d = out != 0 ? g : 0")
def _(xp, g, out):
    return kept(xp, g, out != 0)  # True for nan, which torch lets through


@relu.kernel("numpy")
def _(xp, x):
    return np.maximum(x, ZERO[x.dtype.char])


@relu.kernel("numpy", vjp="x")
def _(xp, g, out):
    zero = ZERO[out.dtype.char]
    return np.where(out, g, zero) if out.size < 256 else kept(np, g, out != zero)


@op(promote=same, cuda="out = x > 0 ? x : x * negative_slope")
def leaky_relu(xp, x, negative_slope: float = 0.01):
    """x where x > 0, else negative_slope * x.  Maas et al. 2013."""
    return xp.where(x > 0, x, x * negative_slope)


@leaky_relu.vjp("x", cuda="d = x > 0 ? g : g * negative_slope")
def _(xp, g, x, negative_slope):
    return xp.where(x > 0, g, g * negative_slope)


@leaky_relu.kernel("numpy")
def _(xp, x, negative_slope):
    if not 0 < negative_slope <= 1 or x.dtype.kind != "f":
        return np.where(x > 0, x, x * negative_slope)
    low = x * negative_slope
    return np.maximum(x, low, out=low) if x.ndim else np.maximum(x, low)  # choosing by a mask of mixed signs is ten times slower


@leaky_relu.kernel("numpy", vjp="x")
def _(xp, g, x, negative_slope):
    if not 0 <= negative_slope <= 1:
        return np.where(x > 0, g, g * negative_slope)
    slope = np.maximum((x > 0).astype(g.dtype), negative_slope)
    slope *= g
    return slope


@op(promote=same, cuda="out = x > 0 ? x : x * weight")
def prelu(xp, x, weight):
    """x where x > 0, else weight * x; the weight is broadcast.  He et al. 2015, arXiv:1502.01852."""
    return xp.where(x > 0, x, x * weight)


@prelu.vjp("x", cuda="d = x > 0 ? g : g * weight")
def _(xp, g, x, weight):
    return xp.where(x > 0, g, g * weight)


@prelu.vjp("weight", cuda="d = g * (x > 0 ? 0 : x)")
def _(xp, g, x):
    return g * xp.minimum(x, 0)


@op(promote=floats_only("elu"), cuda="out = x > 0 ? x * scale : expm1(x * input_scale) * (alpha * scale)")
def elu(xp, x, alpha: float = 1.0, scale: float = 1.0, input_scale: float = 1.0):
    """scale * x where x > 0, else scale * alpha * (exp(input_scale * x) - 1).  Clevert et al. 2015, arXiv:1511.07289.

    selu and celu are this with other constants.
    """
    return xp.where(x > 0, x * scale, xp.expm1(xp.minimum(x, 0) * input_scale) * (alpha * scale))


@elu.vjp("x", cuda="d = x <= 0 ? g * (exp(x * input_scale) * (alpha * scale * input_scale)) : g * scale")
def _(xp, g, x, alpha, scale, input_scale):
    return xp.where(x <= 0, g * (xp.exp(xp.minimum(x, 0) * input_scale) * (alpha * scale * input_scale)), g * scale)


@op(promote=floats_only("silu"), cuda="out = x / (1 + exp(-x))")
def silu(xp, x):
    """x * sigmoid(x).  Elfwing et al. 2017, arXiv:1702.03118."""
    return x / (1 + xp.exp(-x))


@silu.vjp("x", cuda="const auto s = 1 / (1 + exp(-x)); d = g * (s * (1 + x * (1 - s)))")
def _(xp, g, x):
    s = 1 / (1 + xp.exp(-x))
    return g * (s * (1 + x * (1 - s)))


@op(promote=floats_only("mish"), cuda="out = x * tanh((x < 0 ? 0 : x) + log1p(exp(-fabs(x))))")
def mish(xp, x):
    """x * tanh(softplus(x)).  Misra 2019, arXiv:1908.08681."""
    return x * xp.tanh(_softplus(xp, x))


@mish.vjp("x", cuda="const auto t = tanh((x < 0 ? 0 : x) + log1p(exp(-fabs(x)))); d = g * (t + x * (1 - t * t) / (1 + exp(-x)))")
def _(xp, g, x):
    t = xp.tanh(_softplus(xp, x))
    return g * (t + x * (1 - t * t) * run(sigmoid, xp, x))


def _softplus(xp, x):
    """log(1 + exp(x)) without overflow."""
    return xp.maximum(x, 0) + xp.log1p(xp.exp(-xp.absolute(x)))


@op(promote=floats_only("softplus"), cuda="out = x * beta > threshold ? x : log1p(exp(x * beta)) / beta")
def softplus(xp, x, beta: float = 1.0, threshold: float = 20.0):
    """log(1 + exp(beta * x)) / beta, and x itself where beta * x > threshold.  Dugas et al. 2001."""
    z = x * beta
    return xp.where(z > threshold, x, xp.log1p(xp.exp(xp.minimum(z, threshold))) / beta)


@softplus.vjp("x", cuda="d = x * beta > threshold ? g : g * (1 / (1 + exp(-x * beta)))")
def _(xp, g, x, beta, threshold):
    z = x * beta
    return xp.where(z > threshold, g, g * run(sigmoid, xp, z))


@op(promote=floats_only("log_sigmoid"), cuda="out = (x > 0 ? 0 : x) - log1p(exp(-fabs(x)))")
def log_sigmoid(xp, x):
    """log(1 / (1 + exp(-x)))."""
    return xp.minimum(x, 0) - xp.log1p(xp.exp(-xp.absolute(x)))


@log_sigmoid.vjp("x", cuda="d = g * (1 / (1 + exp(x)))")
def _(xp, g, x):
    return g * run(sigmoid, xp, -x)


@op(promote=same, cuda="const auto low = x < min_val ? min_val : x; out = low > max_val ? max_val : low")
def hardtanh(xp, x, min_val: float = -1.0, max_val: float = 1.0):
    """x held between min_val and max_val; no gradient at or beyond them."""
    return xp.minimum(xp.maximum(x, min_val), max_val)


@hardtanh.vjp("x", cuda="d = x <= min_val || x >= max_val ? 0 : g")
def _(xp, g, x, min_val, max_val):
    return kept(xp, g, xp.logical_not(xp.logical_or(x <= min_val, x >= max_val)))


@op(promote=floats_only("hardsigmoid"), cuda="out = (x < -3 ? 0 : x > 3 ? 6 : x + 3) / 6")
def hardsigmoid(xp, x):
    """x / 6 + 1/2, held between 0 and 1.  Howard et al. 2019, arXiv:1905.02244."""
    return xp.minimum(xp.maximum(x + 3, 0), 6) / 6


@hardsigmoid.vjp("x", cuda="d = (x > -3 && x < 3 ? g : 0) / 6")
def _(xp, g, x):
    return kept(xp, g, xp.logical_and(x > -3, x < 3)) / 6


@op(promote=floats_only("hardswish"), cuda="out = x * ((x < -3 ? 0 : x > 3 ? 6 : x + 3) / 6)")
def hardswish(xp, x):
    """x * hardsigmoid(x).  Howard et al. 2019, arXiv:1905.02244."""
    return x * (xp.minimum(xp.maximum(x + 3, 0), 6) / 6)


@hardswish.vjp("x", cuda="d = x <= -3 ? 0 : x < 3 ? g * ((2 * x + 3) / 6) : g")
def _(xp, g, x):
    return xp.where(x <= -3, 0, xp.where(x < 3, g * (x / 3 + 0.5), g))


@op(promote=same, cuda="out = x > threshold ? x : value")
def threshold(xp, x, threshold: float, value: float):
    """x where x > threshold, else value."""
    return xp.where(x > threshold, x, value)


@threshold.vjp("x", cuda="d = x <= threshold ? 0 : g")
def _(xp, g, x, threshold):
    return kept(xp, g, xp.logical_not(x <= threshold))


@op(promote=floats_only("hardshrink"), cuda="out = x * (fabs(x) > lambd)")
def hardshrink(xp, x, lambd: float = 0.5):
    """x where |x| > lambd, else 0."""
    return x * (xp.absolute(x) > lambd)


@hardshrink.vjp("x", cuda="d = fabs(x) <= lambd ? 0 : g")
def _(xp, g, x, lambd):
    return kept(xp, g, xp.logical_not(xp.absolute(x) <= lambd))


@op(promote=floats_only("softshrink"), cuda="out = x > lambd ? x - lambd : x < -lambd ? x + lambd : x * 0")
def softshrink(xp, x, lambd: float = 0.5):
    """x moved towards 0 by lambd, and 0 where it would cross."""
    return xp.maximum(x - lambd, 0) + xp.minimum(x + lambd, 0)


@softshrink.vjp("x", cuda="d = fabs(x) <= lambd ? 0 : g")
def _(xp, g, x, lambd):
    return kept(xp, g, xp.logical_not(xp.absolute(x) <= lambd))


@op(promote=floats_only("gelu"), cuda=GELU_CUDA)
def gelu(xp, x, approximate: str = "none"):
    """x * Phi(x), Phi the normal distribution function; approximate="tanh": its tanh form.  Hendrycks & Gimpel 2016, arXiv:1606.08415."""
    if approximate == "tanh":
        return x * (0.5 * (1 + xp.tanh(_tanh_argument(x))))
    if approximate != "none":
        raise RuntimeError(f"approximate argument must be either none or tanh, got {approximate!r}")
    return x * (0.5 * (1 + run(erf, xp, x * SQRT_HALF)))


def _tanh_argument(x):
    return SQRT_2_PI * (x + 0.044715 * x * x * x)


@gelu.vjp("x", cuda=GELU_GRADIENT_CUDA)
def _(xp, g, x, approximate):
    if approximate == "tanh":
        t = xp.tanh(_tanh_argument(x))
        slope = SQRT_2_PI * (1 + 0.134145 * x * x)
        return g * (0.5 * (1 + t + x * (1 - t * t) * slope))
    density = xp.exp(x * x * -0.5) * (SQRT_2_PI / 2)
    return g * (0.5 * (1 + run(erf, xp, x * SQRT_HALF)) + x * density)


@gelu.kernel("numpy")
def _(xp, x, approximate="none"):
    if approximate == "tanh":
        return _gelu.gelu_tanh(x)
    return _gelu.gelu32(x) if x.dtype == np.float32 and approximate == "none" else gelu.forward(xp, x, approximate)


@gelu.kernel("numpy", vjp="x")
def _(xp, g, x, approximate):
    if approximate == "tanh":
        return _gelu.gelu_tanh_gradient(g, x)
    return _gelu.gelu_gradient32(g, x) if x.dtype == np.float32 else gelu.rules[0].fn(xp, g, x, approximate)
