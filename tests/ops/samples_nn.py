"""Samples of the operations of neural networks."""
import itertools
import math

import numpy as np

from .sample import FLOATS, INTS, Fails, Sample, apart, bools, const, elementwise, made, positive, rand, randint, randn

ERF = np.vectorize(math.erf, otypes=[float])
PLAIN = ("float32", "float64")
INSIDE = "inside nn.functional only"


def F(name):
    return f"nn.functional.{name}"


def copied(name):
    """A call of nn.functional.<name> whose results are copied: without a batch dimension they are views of memory of their own."""
    def call(lib, *args, **kwargs):
        out = getattr(lib.nn.functional, name)(*args, **kwargs)
        return tuple(t.clone() for t in out) if isinstance(out, tuple) else out.clone()
    return call


# -- activations -------------------------------------------------------------------------------------------------------

def sigmoid(x):
    return 1 / (1 + np.exp(-x))


def elu(x, alpha=1.0, scale=1.0, input_scale=1.0):
    return np.where(x > 0, scale * x, scale * alpha * np.expm1(input_scale * np.minimum(x, 0)))


def activation(name, ref, *attrs, op=None, draw=apart, **fields):
    return elementwise(F(name), draw(3, 4), *attrs, op=op or name, ref=lambda x, *_: ref(x), **fields)


ACTIVATIONS = [
    elementwise("relu", apart(3, 4), ref=lambda x: np.maximum(x, 0), dtypes=FLOATS + INTS),
    Sample(F("relu"), [apart(3, 4)], {"inplace": False}, inplace="the flag asks for it", ref=lambda x: np.maximum(x, 0)),
    activation("leaky_relu", lambda x: np.where(x > 0, x, 0.01 * x)),
    activation("leaky_relu", lambda x: np.where(x > 0, x, 1.5 * x), 1.5),
    activation("leaky_relu", lambda x: np.where(x > 0, x, 0 * x), 0.0),
    Sample("prelu", [apart(2, 3, 4), randn(3)], ref=lambda x, w: np.where(x > 0, x, w[:, None] * x)),
    Sample("prelu", [apart(2, 3), randn(1)], ref=lambda x, w: np.where(x > 0, x, w * x)),
    activation("relu6", lambda x: np.clip(x, 0, 6), op="hardtanh"),
    activation("hardtanh", lambda x: np.clip(x, -0.2, 0.31), -0.2, 0.31),
    activation("elu", elu),
    activation("elu", lambda x: elu(x, 0.3), 0.3),
    activation("selu", lambda x: elu(x, 1.6732632423543772848, 1.0507009873554804934), op="elu"),
    activation("celu", lambda x: elu(x, 0.5, 1, 2), 0.5, op="elu"),
    activation("silu", lambda x: x * sigmoid(x), draw=randn),
    activation("mish", lambda x: x * np.tanh(np.log1p(np.exp(x))), draw=randn),
    activation("softplus", lambda x: np.log1p(np.exp(x)), draw=randn),
    activation("softplus", lambda x: np.where(3 * x > 2, x, np.log1p(np.exp(3 * x)) / 3), 3, 2),
    activation("logsigmoid", lambda x: np.log(sigmoid(x)), draw=randn, op="log_sigmoid"),
    activation("hardsigmoid", lambda x: np.clip(x / 6 + 0.5, 0, 1), draw=lambda *s: rand(*s, low=-5, high=5),
               torch="its gradient multiplies by 1/6 rounded to float32"),
    activation("hardswish", lambda x: x * np.clip(x / 6 + 0.5, 0, 1), draw=lambda *s: rand(*s, low=-5, high=5)),
    activation("threshold", lambda x: np.where(x > 0.1, x, -7), 0.1, -7.0),
    activation("hardshrink", lambda x: np.where(np.abs(x) > 0.2, x, 0), 0.2),
    activation("softshrink", lambda x: np.sign(x) * np.maximum(np.abs(x) - 0.2, 0), 0.2),
    activation("gelu", lambda x: x * (1 + ERF(x / math.sqrt(2))) / 2, draw=lambda *s: rand(*s, low=-4, high=4)),
    Sample(F("gelu"), [rand(40, 50, low=-6, high=6)], ref=lambda x: x * (1 + ERF(x / math.sqrt(2))) / 2),
    Sample(F("gelu"), [rand(30, 40, low=-4, high=4)], {"approximate": "tanh"},
           ref=lambda x: x / 2 * (1 + np.tanh(math.sqrt(2 / math.pi) * (x + 0.044715 * x ** 3)))),
    Fails(F("gelu"), [randn(3)], {"approximate": "sigmoid"}, error=RuntimeError, says="must be either none or tanh, got 'sigmoid'"),
    Fails(F("softshrink"), [randn(3), -1.0], error=RuntimeError, says="lambda must be greater or equal to 0, but found to be -1.0"),
    Fails("prelu", [randn(2, 3), randn(4)], error=RuntimeError, says="Found parameter numbers = 4 and channel size = 3"),
    # torch says RuntimeError
    Fails(F("silu"), [randint(0, 3, 4)], error=NotImplementedError, says="not implemented for int64", torch_error=NotImplementedError),
]


# -- softmax -----------------------------------------------------------------------------------------------------------

def softmax(x, dim):
    e = np.exp(x - x.max(dim, keepdims=True))
    return e / e.sum(dim, keepdims=True)


def spread_rows(rng):
    """Rows far from each other, so that they have no maximum in common."""
    return rng.standard_normal((5, 6)) + 40.0 * np.arange(5)[:, None]


SOFTMAX = [row for dim in (0, 1, -1) for row in (
    Sample("softmax", [randn(3, 4, 5)], {"dim": dim}, ref=lambda x, dim=dim: softmax(x, dim)),
    Sample("log_softmax", [randn(3, 4, 5)], {"dim": dim}, ref=lambda x, dim=dim: np.log(softmax(x, dim))))] + [
    Sample("softmax", [made(spread_rows, "far_rows(5, 6)")], {"dim": -1}, ref=lambda x: softmax(x, -1), dtypes=PLAIN),
    Sample("log_softmax", [made(spread_rows, "far_rows(5, 6)")], {"dim": -1}, ref=lambda x: np.log(softmax(x, -1)), dtypes=PLAIN, slack=4),
    Sample("softmax", [randn()], {"dim": 0}, ref=np.ones_like),
    Sample("softmax", [randn(0, 3)], {"dim": 0}, ref=lambda x: x),
    Sample("log_softmax", [randn(3, 0)], {"dim": 1}, ref=lambda x: x),
    Fails("softmax", [randn(3)], {"dim": 1}, error=IndexError, says="Dimension out of range"),
    Fails("log_softmax", [randint(0, 3, 2)], {"dim": 0}, error=NotImplementedError, says="not implemented for int64"),
]


# -- linear, convolution -----------------------------------------------------------------------------------------------

def correlate(x, w, b=None, stride=1, padding=0, dilation=1, groups=1):
    """Cross-correlation by loops over kernel elements and groups, in any number of dimensions."""
    d = w.ndim - 2
    stride, padding, dilation = (np.broadcast_to(v, (d,)) for v in (stride, padding, dilation))
    x = np.pad(x, [(0, 0), (0, 0), *((p, p) for p in padding)])
    out = [(n - e * (k - 1) - 1) // s + 1 for n, k, s, e in zip(x.shape[2:], w.shape[2:], stride, dilation)]
    y = np.zeros((len(x), len(w), *out))
    per, c = len(w) // groups, w.shape[1]
    for g, at in itertools.product(range(groups), itertools.product(*map(range, w.shape[2:]))):
        part = x[(slice(None), slice(g * c, g * c + c), *(slice(k * e, k * e + (o - 1) * s + 1, s)
                                                          for k, e, o, s in zip(at, dilation, out, stride)))]
        y[:, g * per:g * per + per] += np.einsum("nc...,kc->nk...", part, w[(slice(g * per, g * per + per), slice(None), *at)])
    return y if b is None else y + b.reshape(-1, *(1,) * d)


def correlate_transposed(x, w, b=None, size=(), **how):
    """The adjoint of `correlate` for its input, of spatial `size`: by the definition, one unit vector at a time."""
    channels = w.shape[1] * how.get("groups", 1)
    y = np.zeros((len(x), channels, *size))
    for at in np.ndindex(channels, *size):
        unit = np.zeros((1, channels, *size))
        unit[(0, *at)] = 1
        y[(slice(None), *at)] = np.tensordot(x, correlate(unit, w, **how)[0], x.ndim - 1)
    return y if b is None else y + b.reshape(-1, *(1,) * len(size))


def conv(d, x, w, *rest, slack=4, **how):
    args = [randn(*x), randn(*w), *(randn(w[0]) for _ in rest)]
    return Sample(F(f"conv{d}d"), args, how, op="convolution", ref=lambda x, w, b=None: correlate(x, w, b, **how), slack=slack)


def transposed(d, x, w, size, *rest, output_padding=0, **how):
    args = [randn(*x), randn(*w), *(randn(w[1] * how.get("groups", 1)) for _ in rest)]
    more = {"output_padding": output_padding} if output_padding else {}
    return Sample(F(f"conv_transpose{d}d"), args, {**how, **more}, op="conv_transpose", slack=4,
                  ref=lambda x, w, b=None: correlate_transposed(x, w, b, size, **how))


def grad_of_weight(x, w, **how):
    """A row of the internal operation that a convolution's weight gets its gradient from."""
    g = correlate(np.zeros(x), np.zeros(w), **how)
    full = {k: tuple(np.broadcast_to(how.get(k, v), (len(w) - 2,)).tolist()) for k, v in (("stride", 1), ("padding", 0), ("dilation", 1))}
    attrs = {**full, "groups": how.get("groups", 1), "kernel": tuple(w[2:])}

    def ref(g, x):
        out = np.zeros(w)
        for at in np.ndindex(*w):
            unit = np.zeros(w)
            unit[at] = 1
            out[at] = np.sum(g * correlate(x, unit, **how))
        return out
    return Sample("ops.conv_weight", [randn(*g.shape), randn(*x)], call=lambda lib, g, x: lib.ops.conv_weight(g, x, **attrs), ref=ref,
                  torch=INSIDE, slack=4)


LINEAR = [
    Sample(F("linear"), [randn(3, 4), randn(5, 4), randn(5)], ref=lambda x, w, b: x @ w.T + b, slack=2),
    Sample(F("linear"), [randn(2, 3, 4), randn(5, 4)], ref=lambda x, w: x @ w.T, slack=2),
    Sample(F("linear"), [randn(4), randn(5, 4), randn(5)], ref=lambda x, w, b: x @ w.T + b, slack=2),
    Sample(F("linear"), [randn(0, 4), randn(5, 4), randn(5)], ref=lambda x, w, b: x @ w.T + b),
    Sample(F("linear"), [randn(3, 4), randn(4)], op="matmul", ref=lambda x, w: x @ w, slack=2),
    Fails(F("linear"), [randn(3, 4), randn(4, 5)], error=RuntimeError,
          says=r"mat1 and mat2 shapes cannot be multiplied \(3x4 and 5x4\).*4 features but weight \[4, 5\] expects 5; did you transpose"),
    Fails(F("linear"), [randn(3, 4), randint(0, 2, 5, 4)], error=RuntimeError, says="must have the same dtype, but got float64 and int64"),
    conv(2, (2, 3, 6, 5), (4, 3, 3, 2), "bias"),
    conv(2, (2, 3, 6, 5), (4, 3, 3, 2), padding=1),
    conv(2, (2, 3, 7, 8), (4, 3, 3, 3), "bias", stride=2, padding=(1, 0)),
    conv(2, (2, 3, 9, 8), (4, 3, 2, 3), stride=(1, 2), dilation=(2, 1)),
    conv(2, (2, 4, 5, 5), (6, 2, 3, 3), "bias", groups=2, padding=1),
    conv(2, (2, 3, 5, 5), (6, 1, 3, 3), groups=3, stride=2),
    conv(2, (2, 3, 4, 4), (5, 3, 1, 1), "bias"),
    conv(2, (1, 2, 24, 23), (3, 2, 3, 3), padding=1),  # large enough that images go one by one
    conv(1, (2, 3, 7), (4, 3, 3), "bias", padding=2, stride=2),
    conv(3, (1, 2, 4, 5, 3), (3, 2, 2, 2, 2), "bias", padding=(0, 1, 0)),
    Sample("conv2d", [randn(3, 6, 5), randn(4, 3, 3, 3)], call=copied("conv2d"), op="convolution", ref=lambda x, w: correlate(x[None], w)[0], slack=4),
    Sample(F("conv2d"), [randn(1, 2, 5, 6), randn(3, 2, 2, 3)], {"padding": "same"}, op="convolution", slack=4,
           ref=lambda x, w: correlate(np.pad(x, [(0, 0), (0, 0), (0, 1), (1, 1)]), w)),
    Sample(F("conv2d"), [randn(1, 2, 5, 6), randn(3, 2, 2, 3)], {"padding": "valid"}, op="convolution", ref=correlate, slack=4),
    Sample(F("conv2d"), [randn(0, 2, 5, 6), randn(3, 2, 2, 3)], op="convolution", ref=correlate),
    transposed(2, (2, 3, 4, 3), (3, 4, 3, 2), (6, 4), "bias"),
    transposed(2, (2, 3, 4, 3), (3, 4, 3, 3), (8, 6), stride=2, padding=1, output_padding=1),
    transposed(2, (2, 3, 14, 13), (3, 2, 3, 3), (14, 13), "bias", padding=1),  # adds rows
    transposed(2, (1, 2, 13, 14), (2, 2, 2, 3), (15, 18), dilation=2),
    transposed(2, (2, 4, 3, 3), (4, 3, 2, 2), (4, 4), "bias", groups=2),
    transposed(1, (2, 3, 4), (3, 2, 3), (9,), stride=2),
    transposed(3, (1, 2, 2, 3, 2), (2, 2, 2, 2, 2), (3, 4, 3)),
    grad_of_weight((2, 3, 6, 5), (4, 3, 3, 2), padding=1, stride=2),
    grad_of_weight((2, 4, 5, 5), (4, 2, 2, 2), groups=2, dilation=2),
    Fails(F("conv2d"), [randn(1, 3, 5, 5), randn(4, 2, 3, 3)], error=RuntimeError, says="to have 2 channels, but got 3 channels instead"),
    Fails(F("conv2d"), [randn(1, 3, 5, 5), randn(4, 3, 7, 3)], error=RuntimeError, says="Kernel size can't be greater than actual input size"),
    Fails(F("conv2d"), [randn(5, 5), randn(4, 3, 3, 3)], error=RuntimeError, says="but got input of size: \\[5, 5\\]"),
    Fails(F("conv2d"), [randn(1, 3, 5, 5), randn(4, 3, 3, 3)], {"padding": "same", "stride": 2}, error=RuntimeError,
          says="padding='same' is not supported for strided convolutions"),
    Fails(F("conv_transpose2d"), [randn(1, 3, 5, 5), randn(3, 3, 3, 3)], {"output_padding": 1}, error=RuntimeError,
          says="output padding must be smaller than either stride or dilation"),
]


# -- pooling -----------------------------------------------------------------------------------------------------------

def pool_windows(x, kernel, stride, padding, dilation, ceil_mode, fill):
    """Yield (output place, window values, flat input places) of two-dimensional pooling; places outside hold `fill` and -1."""
    (kh, kw), (sh, sw), (ph, pw), (dh, dw) = (np.broadcast_to(v, (2,)) for v in (kernel, stride, padding, dilation))
    h, w = x.shape[2:]
    sizes = []
    for n, k, s, p, d in ((h, kh, sh, ph, dh), (w, kw, sw, pw, dw)):
        o = (math.ceil if ceil_mode else math.floor)((n + 2 * p - d * (k - 1) - 1) / s) + 1
        sizes.append(o - 1 if ceil_mode and (o - 1) * s >= n + p else o)
    for i, j in np.ndindex(*sizes):
        rows, columns = i * sh - ph + dh * np.arange(kh), j * sw - pw + dw * np.arange(kw)
        r, c = np.meshgrid(rows, columns, indexing="ij")
        inside = (r >= 0) & (r < h) & (c >= 0) & (c < w)
        values = np.where(inside, x[..., np.clip(r, 0, h - 1), np.clip(c, 0, w - 1)], fill)
        yield (i, j), values.reshape(*x.shape[:2], -1), np.where(inside, r * w + c, -1).reshape(-1), sizes


def max_pool(x, kernel, stride=None, padding=0, dilation=1, ceil_mode=False):
    found = list(pool_windows(x, kernel, kernel if stride is None else stride, padding, dilation, ceil_mode, -np.inf))
    out, where = np.zeros((*x.shape[:2], *found[0][3])), np.zeros((*x.shape[:2], *found[0][3]), int)
    for (i, j), values, places, _ in found:
        out[..., i, j], where[..., i, j] = values.max(-1), places[values.argmax(-1)]
    return out, where


def avg_pool(x, kernel, stride=None, padding=0, ceil_mode=False, count_include_pad=True, divisor_override=None):
    found = list(pool_windows(x, kernel, kernel if stride is None else stride, padding, 1, ceil_mode, 0))
    (kh, kw), (sh, sw), (ph, pw) = (np.broadcast_to(v, (2,)) for v in (kernel, kernel if stride is None else stride, padding))
    out = np.zeros((*x.shape[:2], *found[0][3]))
    for (i, j), values, places, _ in found:
        with_pad = (min(i * sh - ph + kh, x.shape[2] + ph) - (i * sh - ph)) * (min(j * sw - pw + kw, x.shape[3] + pw) - (j * sw - pw))
        out[..., i, j] = values.sum(-1) / (divisor_override or (with_pad if count_include_pad else (places >= 0).sum()))
    return out


def cells(n, out):
    return [slice(i * n // out, -(-(i + 1) * n // out)) for i in range(out)]


def adaptive(x, size, function):
    out = np.zeros((*x.shape[:2], *size))
    for (i, a), (j, b) in itertools.product(enumerate(cells(x.shape[2], size[0])), enumerate(cells(x.shape[3], size[1]))):
        out[..., i, j] = function(x[..., a, b], (-2, -1))
    return out


def max_pools(shape, **how):
    return [Sample(F("max_pool2d"), [apart(*shape)], how, op="max_pool", ref=lambda x: max_pool(x, **_named(how))[0]),
            Sample(F("max_pool2d"), [apart(*shape)], {**how, "return_indices": True}, op="max_pool",
                   ref=lambda x: max_pool(x, **_named(how)))]


def _named(how):
    return {{"kernel_size": "kernel"}.get(k, k): v for k, v in how.items()}


def avg_pools(shape, **how):
    return Sample(F("avg_pool2d"), [randn(*shape)], how, op="avg_pool", ref=lambda x: avg_pool(x, **_named(how)))


WINDOW = {"kernel": (2, 2), "stride": (2, 1), "padding": (1, 0), "dilation": (1, 2)}
OVER = {"kernel": (2, 2), "stride": (1, 2), "padding": (1, 0)}


def spread_max(g, where):
    """Each gradient at the place of the winner of its window, WINDOW over (2, 2, 4, 5)."""
    y = np.zeros((2, 2, 4, 5))
    for n, c, i, j in np.ndindex(*g.shape):
        ki, kj = divmod(where[n, c, i, j], 2)
        y[n, c, i * 2 - 1 + ki, j + 2 * kj] += g[n, c, i, j]
    return y


def take_max(x, where):
    y = np.zeros(where.shape)
    for n, c, i, j in np.ndindex(*where.shape):
        ki, kj = divmod(where[n, c, i, j], 2)
        y[n, c, i, j] = x[n, c, i * 2 - 1 + ki, j + 2 * kj]
    return y


def winners(rng):
    """Numbers of kernel elements inside the input: WINDOW over (4, 5) has 2 x 3 windows, the upper ones half outside."""
    where = rng.integers(0, 4, (2, 2, 2, 3))
    where[:, :, 0] = 2 + where[:, :, 0] % 2
    return where


WINNERS = made(winners, "winners", follows=False)

POOLS = [
    *max_pools((2, 3, 6, 6), kernel_size=2),
    *max_pools((2, 3, 7, 6), kernel_size=3, stride=2, padding=1),
    *max_pools((1, 2, 7, 8), kernel_size=(2, 3), stride=(3, 2), ceil_mode=True),
    *max_pools((1, 2, 7, 8), kernel_size=2, stride=1, dilation=(2, 3), padding=(1, 0)),
    Sample(F("max_pool1d"), [apart(2, 3, 8), 3, 2], op="max_pool", ref=lambda x, *_: max_pool(x[:, :, None], (1, 3), (1, 2))[0][:, :, 0]),
    Sample("max_pool2d", [apart(3, 4, 4), 2], call=copied("max_pool2d"), op="max_pool", ref=lambda x, k: max_pool(x[None], k)[0][0]),
    Sample(F("max_pool3d"), [apart(1, 2, 4, 4, 4), 2], op="max_pool",
           ref=lambda x, k: x.reshape(1, 2, 2, 2, 2, 2, 2, 2).max((3, 5, 7))),
    Sample("ops.spread_to_max", [randn(2, 2, 2, 3), WINNERS], op="spread_to_max", torch=INSIDE, ref=spread_max,
           call=lambda lib, g, where: lib.ops.spread_to_max(g, where, shape=(2, 2, 4, 5), **WINDOW)),
    Sample("ops.take_max", [randn(2, 2, 4, 5), WINNERS], op="take_max", torch=INSIDE, ref=take_max,
           call=lambda lib, x, where: lib.ops.take_max(x, where, **WINDOW)),
    avg_pools((2, 3, 6, 6), kernel_size=2),
    avg_pools((2, 3, 7, 6), kernel_size=3, stride=2, padding=1),
    avg_pools((2, 3, 7, 6), kernel_size=3, stride=2, padding=1, count_include_pad=False),
    avg_pools((1, 2, 7, 8), kernel_size=(2, 3), stride=(3, 2), ceil_mode=True, padding=(1, 1)),
    avg_pools((1, 2, 7, 8), kernel_size=(2, 3), stride=2, ceil_mode=True, count_include_pad=False),
    avg_pools((1, 2, 5, 5), kernel_size=3, stride=1, divisor_override=5),
    Sample(F("avg_pool1d"), [randn(2, 3, 8), 3, 2, 1], op="avg_pool",
           ref=lambda x, *_: avg_pool(x[:, :, None], (1, 3), (1, 2), (0, 1))[:, :, 0]),
    Sample("ops.spread_average", [randn(1, 2, 6, 2)], op="spread_average", torch=INSIDE,
           ref=lambda g: np.einsum("ncij,ijhw->nchw", g, np.stack([np.stack(
               [avg_pool(np.eye(20).reshape(1, 20, 4, 5), **OVER)[0, :, i, j].reshape(4, 5) for j in range(2)]) for i in range(5)]))
           if g.shape[2] == 5 else np.zeros(0),
           call=lambda lib, g: lib.ops.spread_average(g[:, :, :5], shape=(1, 2, 4, 5), **OVER)),
    Sample(F("adaptive_avg_pool2d"), [randn(2, 3, 7, 5), (3, 2)], op=None, ref=lambda x, s: adaptive(x, s, np.mean), slack=2),
    Sample(F("adaptive_avg_pool2d"), [randn(2, 3, 6, 4), (3, 2)], op="avg_pool", ref=lambda x, s: adaptive(x, s, np.mean)),
    Sample("adaptive_avg_pool2d", [randn(3, 6, 4), 1], call=copied("adaptive_avg_pool2d"), op="mean", ref=lambda x, s: x.mean((1, 2), keepdims=True)),
    Sample(F("adaptive_avg_pool2d"), [randn(2, 3, 6, 4), (None, 2)], op=None, ref=lambda x, s: adaptive(x, (6, 2), np.mean)),
    Sample(F("adaptive_avg_pool1d"), [randn(2, 3, 7), 3], op=None, slack=2,
           ref=lambda x, s: adaptive(x[:, :, None], (1, s), np.mean)[:, :, 0]),
    Sample(F("adaptive_max_pool2d"), [apart(2, 3, 7, 5), (3, 2)], op="adaptive_max_pool", ref=lambda x, s: adaptive(x, s, np.max)),
    Sample("adaptive_max_pool2d", [apart(3, 4, 4), 2], {"return_indices": True}, call=copied("adaptive_max_pool2d"), op="adaptive_max_pool",
           ref=lambda x, s: [a[0] for a in max_pool(x[None], 2)]),
    Sample("ops.spread_to_indices", [randn(2, 1, 2), const([[[1, 1]], [[0, 3]]], "int64")], op="spread_to_indices", torch=INSIDE,
           ref=lambda g, i: np.stack([[[0, g[0].sum(), 0, 0]], [[g[1, 0, 0], 0, 0, g[1, 0, 1]]]]),
           call=lambda lib, g, i: lib.ops.spread_to_indices(g, i, shape=(2, 1, 4))),
    Sample("ops.take_indices", [randn(2, 1, 4), const([[[1, 1]], [[0, 3]]], "int64")], op="take_indices", torch=INSIDE,
           ref=lambda x, i: np.take_along_axis(x, i, -1), call=lambda lib, x, i: lib.ops.take_indices(x, i)),
    Fails(F("max_pool2d"), [randn(1, 1, 4, 4), 2], {"padding": 2}, error=RuntimeError, says="pad should be at most half of effective kernel size"),
    Fails(F("max_pool2d"), [randn(1, 1, 2, 2), 3], error=RuntimeError, says=r"Calculated output size: \(1x0x0\). Output size is too small"),
    Fails(F("avg_pool2d"), [randn(1, 1, 4, 4), 2], {"divisor_override": 0}, error=RuntimeError, says="divisor must be not zero"),
]
POOLS = [row for row in POOLS if row.name != "ops.spread_average"] + [
    Sample("ops.spread_average", [randn(1, 2, 5, 2)], op="spread_average", torch=INSIDE,
           ref=lambda g: np.einsum("ncij,ahwij->nchw", g, avg_pool(np.eye(20).reshape(1, 20, 4, 5), **OVER).reshape(1, 4, 5, 5, 2)),
           call=lambda lib, g: lib.ops.spread_average(g, shape=(1, 2, 4, 5), **OVER)),
]


# -- normalisation -----------------------------------------------------------------------------------------------------

def normalized(x, axes, eps=1e-5, center=True):
    off = x - x.mean(axes, keepdims=True) if center else x
    return off / np.sqrt((off * off).mean(axes, keepdims=True) + eps)


def channels(t, ndim):
    return t.reshape(-1, *(1,) * (ndim - 2))


def batch_norm(x, w, b):
    return normalized(x, (0, *range(2, x.ndim))) * channels(w, x.ndim) + channels(b, x.ndim)


def group_norm(x, groups, w, b):
    y = normalized(x.reshape(len(x), groups, -1), (2,)).reshape(x.shape)
    return y * channels(w, x.ndim) + channels(b, x.ndim)


def call_batch_norm(lib, x, w, b):
    return lib.nn.functional.batch_norm(x, None, None, w, b, training=True)


NORMS = [
    Sample(F("layer_norm"), [randn(3, 4, 5), [5], randn(5), randn(5)], op="normalize", ref=lambda x, s, w, b: normalized(x, -1) * w + b, slack=4),
    Sample(F("layer_norm"), [randn(3, 4, 5), [4, 5], randn(4, 5), randn(4, 5)], op="normalize", slack=4,
           ref=lambda x, s, w, b: normalized(x, (1, 2)) * w + b),
    Sample(F("layer_norm"), [randn(3, 4), [4]], op="normalize", ref=lambda x, s: normalized(x, -1), slack=4),
    Sample(F("layer_norm"), [randn(3, 4), [4], randn(4)], op="normalize", ref=lambda x, s, w: normalized(x, -1) * w, slack=4),
    Sample(F("layer_norm"), [randn(3, 4), [4]], {"eps": 0.3}, op="normalize", ref=lambda x, s: normalized(x, -1, 0.3), slack=4),
    Sample(F("rms_norm"), [randn(3, 4, 5), [5], randn(5)], {"eps": 1e-3}, op="normalize", slack=4,
           ref=lambda x, s, w: normalized(x, -1, 1e-3, center=False) * w),
    Sample(F("rms_norm"), [randn(3, 4, 5), [4, 5]], op="normalize", slack=4, dtypes=PLAIN,
           ref=lambda x, s: normalized(x, (1, 2), 0, center=False)),
    Sample(F("group_norm"), [randn(2, 6, 4, 3), 3, randn(6), randn(6)], op="group_normalize", ref=group_norm, slack=4),
    Sample(F("group_norm"), [randn(4, 6), 2, randn(6), randn(6)], op="group_normalize", ref=group_norm, slack=4),
    Sample("batch_norm", [randn(4, 3), randn(3), randn(3)], call=call_batch_norm, op="normalize", ref=batch_norm, slack=6),
    Sample("batch_norm", [randn(4, 3, 5), randn(3), randn(3)], call=call_batch_norm, op="normalize", ref=batch_norm, slack=6),
    Sample("batch_norm", [randn(4, 3, 2, 3), randn(3), randn(3)], call=call_batch_norm, op="normalize", ref=batch_norm, slack=6),
    Sample("batch_norm", [randn(4, 3, 5), positive(3), randn(3)], op="scale_shift", slack=4, dtypes=PLAIN,
           call=lambda lib, x, var, mean: lib.nn.functional.batch_norm(x, mean.detach(), var.detach(), None, None, training=False),
           ref=lambda x, var, mean: (x - mean[:, None]) / np.sqrt(var[:, None] + 1e-5), grad=(0,)),
    Sample("ops.scale_shift", [randn(2, 3, 4, 2), randn(3, 1, 1), randn(3, 1, 1)], op="scale_shift", torch=INSIDE,
           ref=lambda x, a, b: x * a + b, call=lambda lib, x, a, b: lib.ops.scale_shift(x, a, b)),
    Sample(F("instance_norm"), [randn(2, 3, 4, 5)], op="normalize", ref=lambda x: normalized(x, (2, 3)), slack=4),
    Sample(F("normalize"), [randn(3, 4)], op="vector_norm", ref=lambda x: x / np.linalg.norm(x, axis=1, keepdims=True), slack=4),
    Sample(F("local_response_norm"), [randn(2, 5, 3, 3), 3], {"alpha": 0.5}, op=None, slack=4,
           ref=lambda x, n: x / (1 + 0.5 * np.stack([(np.pad(x, [(0, 0), (1, 1), (0, 0), (0, 0)]) ** 2)[:, i:i + 3].sum(1) / 3
                                                     for i in range(5)], 1)) ** 0.75),
    Sample("ops.moments", [randn(2, 3, 4)], op="moments", torch=INSIDE, grad=False, gives="same", dtypes=PLAIN,
           call=lambda lib, x: lib.ops.moments(x, (0, 2)), ref=lambda x: (x.mean((0, 2), keepdims=True), x.var((0, 2), keepdims=True))),
    Sample("ops.tracked_moments", [randn(2, 3, 4)], op="tracked_moments", torch=INSIDE, grad=False, gives="same", dtypes=PLAIN,
           call=lambda lib, x: lib.ops.tracked_moments(x, None, None, (0, 2)),
           ref=lambda x: (x.mean((0, 2), keepdims=True), 1 / np.sqrt(x.var((0, 2), keepdims=True) + 1e-5))),
    Fails(F("layer_norm"), [randn(3, 4), [5]], error=RuntimeError, says=r"expected input with shape \[\*, 5\], but got input of size\[3, 4\]"),
    Fails(F("group_norm"), [randn(3, 4), 3], error=RuntimeError, says="to be divisible by num_groups"),
    Fails("batch_norm", [randn(1, 3)], call=lambda lib, x: lib.nn.functional.batch_norm(x, None, None, training=True), error=ValueError,
          says="Expected more than 1 value per channel when training"),
]


# -- losses ------------------------------------------------------------------------------------------------------------

def rows_of(x):
    """(N, C, *) -> (N * *, C)."""
    return x[None] if x.ndim == 1 else np.moveaxis(x, 1, -1).reshape(-1, x.shape[1])


def nll(x, t, weight=None, ignore_index=-100, reduction="mean"):
    rows, flat = rows_of(x), np.reshape(t, -1)
    keep = flat != ignore_index
    safe = np.where(keep, flat, 0)
    w = keep * (1.0 if weight is None else weight[safe])
    loss = -rows[np.arange(len(flat)), safe] * w
    return loss.sum() / w.sum() if reduction == "mean" else loss.sum() if reduction == "sum" else loss.reshape(np.shape(t))


def cross_entropy(x, t, weight=None, ignore_index=-100, reduction="mean", label_smoothing=0.0):
    axis = 1 if x.ndim > 1 else 0
    log_p = np.log(softmax(x, axis))
    hard = nll(log_p, t, weight, ignore_index, reduction)
    if not label_smoothing:
        return hard
    rows, keep = rows_of(log_p), np.reshape(t, -1) != ignore_index
    w = np.ones(rows.shape[1]) if weight is None else weight
    smooth = -(rows * w).sum(1) * keep
    picked = (keep * w[np.where(keep, np.reshape(t, -1), 0)]).sum()
    smooth = smooth.sum() / picked if reduction == "mean" else smooth.sum() if reduction == "sum" else smooth.reshape(np.shape(t))
    return (1 - label_smoothing) * hard + label_smoothing / rows.shape[1] * smooth


def index_losses(x, t, weighted=False, target=None, **how):
    """Rows of nll_loss and cross_entropy; weighted: with a weight per class, which is given to the reference by position."""
    classes = x[1] if len(x) > 1 else x[0]
    labels = target or randint(0, classes, *t)
    args = [randn(*x), labels, *([positive(classes)] if weighted else [])]
    plain = {k: v for k, v in how.items() if k != "label_smoothing"}
    yield Sample(F("cross_entropy"), args, how, ref=lambda x, t, w=None: cross_entropy(x, t, w, **how), grad=(0,), slack=4)
    if "label_smoothing" not in how:
        yield Sample(F("nll_loss"), args, plain, ref=lambda x, t, w=None: nll(x, t, w, **plain), grad=(0,), slack=2)


def bce(x, t):
    return -(t * np.log(x) + (1 - t) * np.log(1 - x))


def bce_logits(x, t, pos=1.0):
    return (1 - t) * x + (1 + (pos - 1) * t) * np.log1p(np.exp(-x))


def smooth(d, beta):
    return np.where(np.abs(d) < beta, d * d / 2 / beta, np.abs(d) - beta / 2)


IGNORED = made(lambda rng: np.where(rng.random(6) < 0.4, -100, rng.integers(0, 4, 6)), "some_ignored(6)", follows=False)
NO_WEIGHT_GRAD = {"grad": (0,)}

LOSSES = [
    *(row for how in ({}, {"reduction": "sum"}, {"reduction": "none"}, {"label_smoothing": 0.2}, {"label_smoothing": 0.2, "reduction": "none"})
      for weighted in (False, True) for row in index_losses((6, 4), (6,), weighted, **how)),
    *index_losses((6, 4), (6,), target=IGNORED),
    *index_losses((6, 4), (6,), True, target=IGNORED, label_smoothing=0.1),
    *index_losses((6, 4), (6,), target=IGNORED, reduction="none"),
    *index_losses((6, 4), (6,), ignore_index=2),
    *index_losses((2, 4, 3, 2), (2, 3, 2)),
    *index_losses((2, 4, 3), (2, 3), True, reduction="none"),
    *index_losses((4,), (), target=const(2, "int64")),
    Sample(F("cross_entropy"), [made(spread_rows, "far_rows(5, 6)"), randint(0, 6, 5)], ref=cross_entropy, grad=(0,), slack=4, dtypes=PLAIN),
    Sample(F("cross_entropy"), [randn(5, 4), rand(5, 4)], op="log_softmax", slack=4,
           ref=lambda x, p: -(np.log(softmax(x, 1)) * p).sum() / 5),
    Sample(F("cross_entropy"), [randn(5, 4, 2), rand(5, 4, 2)], {"label_smoothing": 0.1}, op="log_softmax", slack=4,
           ref=lambda x, p: -(np.log(softmax(x, 1)) * (0.9 * p + 0.025)).sum() / 10),
    Sample(F("mse_loss"), [randn(3, 4), randn(3, 4)], op="squared_difference", ref=lambda x, y: ((x - y) ** 2).mean(), slack=2),
    Sample(F("mse_loss"), [randn(3, 4), randn(3, 4)], {"reduction": "sum"}, op="squared_difference", ref=lambda x, y: ((x - y) ** 2).sum(), slack=2),
    Sample(F("l1_loss"), [apart(3, 4), const(np.zeros((3, 4)))], op="absolute", ref=lambda x, y: np.abs(x - y).mean(), grad=(0,)),
    Sample(F("smooth_l1_loss"), [apart(3, 4), const(np.zeros((3, 4)))], {"beta": 0.3, "reduction": "none"}, op="smooth_l1",
           ref=lambda x, y: smooth(x - y, 0.3)),
    Sample(F("smooth_l1_loss"), [apart(3, 4), const(np.zeros((3, 4)))], {"beta": 0.0}, op="smooth_l1", ref=lambda x, y: np.abs(x - y).mean()),
    Sample(F("huber_loss"), [apart(3, 4), const(np.zeros((3, 4)))], {"delta": 0.3, "reduction": "none"}, op="huber",
           ref=lambda x, y: np.where(np.abs(x - y) <= 0.3, (x - y) ** 2 / 2, 0.3 * (np.abs(x - y) - 0.15))),
    Sample(F("binary_cross_entropy"), [rand(3, 4, low=0.1, high=0.9), rand(3, 4)], ref=lambda x, t: bce(x, t).mean(), slack=2),
    Sample(F("binary_cross_entropy"), [rand(3, 4, low=0.1, high=0.9), rand(3, 4), positive(3, 4)], {"reduction": "sum"}, slack=4,
           ref=lambda x, t, w: (bce(x, t) * w).sum()),
    Sample(F("binary_cross_entropy_with_logits"), [randn(3, 4), rand(3, 4)], ref=lambda x, t: bce_logits(x, t).mean(), slack=2),
    Sample("bce_with_pos_weight", [randn(3, 4), rand(3, 4), positive(4)], op="binary_cross_entropy_with_logits", slack=4, grad=(0, 1),
           call=lambda lib, x, t, p: lib.nn.functional.binary_cross_entropy_with_logits(x, t, pos_weight=p.detach(), reduction="none"),
           ref=bce_logits),
    Sample(F("kl_div"), [randn(3, 4), positive(3, 4)], {"reduction": "batchmean"}, op="xlogy",
           ref=lambda x, t: (t * (np.log(t) - x)).sum() / 3, slack=4),
    Sample(F("kl_div"), [randn(3, 4), randn(3, 4)], {"reduction": "sum", "log_target": True}, op="exp", slack=4,
           ref=lambda x, t: (np.exp(t) * (t - x)).sum()),
    Sample(F("poisson_nll_loss"), [randn(3, 4), positive(3, 4)], op="exp", ref=lambda x, t: (np.exp(x) - t * x).mean(), slack=2),
    Sample(F("gaussian_nll_loss"), [randn(3, 4), randn(3, 4), positive(3, 4)], op="squared_difference", slack=2,
           ref=lambda x, t, v: (np.log(v) + (x - t) ** 2 / v).mean() / 2),
    Sample(F("margin_ranking_loss"), [apart(4), const(np.zeros(4)), const([1, -1, 1, -1.0])], {"margin": 0.1}, op="clip", grad=(0, 1),
           ref=lambda a, b, t: np.maximum(-t * (a - b) + 0.1, 0).mean()),
    Sample(F("hinge_embedding_loss"), [apart(4), const([1, -1, 1, -1.0])], {"margin": 0.12}, op="where", grad=(0,),
           ref=lambda x, t: np.where(t == 1, x, np.maximum(0.12 - x, 0)).mean()),
    Sample(F("soft_margin_loss"), [randn(3, 4), const([1, -1, 1, -1.0])], op="log1p", ref=lambda x, t: np.log1p(np.exp(-t * x)).mean(), slack=2),
    Sample(F("multilabel_soft_margin_loss"), [randn(3, 4), const([1, 0, 1, 0.0])], op="log_sigmoid", slack=2, grad=(0,),
           ref=lambda x, t: bce_logits(x, t).mean()),
    Sample(F("multi_margin_loss"), [apart(3, 4), randint(0, 4, 3)], {"margin": 0.72}, op="relu",
           ref=lambda x, t: (np.maximum(0.72 - x[np.arange(3), t][:, None] + x, 0) * (np.arange(4) != t[:, None])).sum() / 12),
    Sample(F("cosine_embedding_loss"), [randn(2, 4), randn(2, 4), const([1, -1.0])], op="vector_norm", slack=4, grad=(0, 1),
           ref=lambda a, b, t: np.where(t == 1, 1 - cosine(a, b), np.maximum(cosine(a, b), 0)).mean()),
    Sample(F("triplet_margin_loss"), [randn(3, 4), randn(3, 4), randn(3, 4)], {"margin": 5.0}, op="vector_norm", slack=4,
           ref=lambda a, p, n: np.maximum(distance(a, p) - distance(a, n) + 5, 0).mean()),
    Sample(F("cosine_similarity"), [randn(3, 4), randn(3, 4)], op="vector_norm", ref=lambda a, b: cosine(a, b), slack=4),
    Sample(F("pairwise_distance"), [randn(3, 4), randn(3, 4)], op="vector_norm", ref=lambda a, b: distance(a, b), slack=4, dtypes=PLAIN),
    Fails(F("cross_entropy"), [randn(3, 4), randint(4, 5, 3)], error=IndexError, says="Target 4 is out of bounds: there are 4 classes"),
    Fails(F("cross_entropy"), [randn(3, 4), randint(0, 4, 2)], error=ValueError,
          says=r"Expected input batch_size \(3\) to match target batch_size \(2\)"),
    Fails(F("cross_entropy"), [randn(3, 4), randn(3)], error=RuntimeError, says="expected scalar type Long but found float64"),
    Fails(F("cross_entropy"), [randn(3, 4), randint(0, 4, 3)], {"reduction": "average"}, error=ValueError, says="average is not a valid value"),
    Fails(F("nll_loss"), [randn(3, 4), randint(0, 4, 3), positive(5)], error=RuntimeError,
          says=r"for all 4 classes or no classes but got weight tensor of shape: \[5\]"),
    Fails(F("binary_cross_entropy"), [const([0.5, 2.0]), const([1.0, 0.0])], error=RuntimeError,
          says="all elements of input should be between 0 and 1"),
    Fails(F("binary_cross_entropy_with_logits"), [randn(3), randn(3, 1)], error=ValueError, says="must be the same as input size"),
]


def cosine(a, b):
    return (a * b).sum(-1) / np.linalg.norm(a, axis=-1) / np.linalg.norm(b, axis=-1)


def distance(a, b):
    return np.linalg.norm(a - b + 1e-6, axis=-1)


# -- tables, dropout, attention, padding -------------------------------------------------------------------------------

def add_rows(g, i):
    y = np.zeros((5, g.shape[-1]))
    np.add.at(y, i, g)
    return y


def add_scaled_rows(g, i):
    return add_rows(g, i) / np.maximum(np.bincount(i.ravel(), minlength=5), 1)[:, None] * (np.arange(5) != 1)[:, None]


def attend(q, k, v, mask=None, causal=False, scale=None):
    scores = q @ np.swapaxes(k, -1, -2) * (1 / math.sqrt(q.shape[-1]) if scale is None else scale)
    if causal:
        mask = np.tril(np.ones(scores.shape[-2:], bool))
    if mask is not None:
        scores = np.where(mask, scores, -np.inf) if mask.dtype == bool else scores + mask
    top = np.maximum(scores.max(-1, keepdims=True), -1e300)
    e = np.exp(scores - top)
    total = e.sum(-1, keepdims=True)
    return e / np.where(total == 0, 1, total) @ v


def attention(*shapes, **how):
    named = {"is_causal": "causal"}
    return Sample(F("scaled_dot_product_attention"), [randn(*s) for s in shapes], how, slack=6,
                  ref=lambda q, k, v, *m: attend(q, k, v, *m, **{named.get(a, a): b for a, b in how.items()}))


HALF_SEEN = const([[1, 1, 0], [0, 1, 1], [0, 0, 0], [1, 1, 1]], "bool")
QKV = (2, 3, 4, 5), (2, 3, 3, 5), (2, 3, 3, 6)


def kept_share(p, scale=None):
    """The check of dropout: about a share 1 - p of ones is left, as 1 / (1 - p)."""
    def check(out, *_):
        values = np.unique(out)
        assert set(np.round(values, 6)) <= {0.0, round(1 / (1 - p), 6)}
        assert abs((out != 0).mean() - (1 - p)) < 0.05
    return check


ONES = const(np.ones((40, 50)))

TABLES = [
    Sample(F("embedding"), [randint(0, 5, 2, 3), randn(5, 4)], ref=lambda i, w: w[i]),
    Sample("embedding", [randn(5, 4), randint(0, 5, 7)], ref=lambda w, i: w[i]),
    Sample(F("embedding"), [randint(0, 5, 7), randn(5, 4)], {"padding_idx": 1, "scale_grad_by_freq": True}, ref=lambda i, w: w[i], grad=False,
           call=lambda lib, i, w, **how: lib.nn.functional.embedding(i, w.detach(), **how)),
    Sample("ops.add_rows", [randn(2, 3, 4), randint(0, 5, 2, 3)], op="add_rows", torch=INSIDE, ref=add_rows,
           call=lambda lib, g, i: lib.ops.add_rows(g, i, rows=5)),
    Sample("ops.add_rows", [randn(7, 4), randint(0, 5, 7)], op="add_rows", torch=INSIDE, ref=add_scaled_rows, slack=4,
           call=lambda lib, g, i: lib.ops.add_rows(g, i, rows=5, padding_idx=1, scale_grad_by_freq=True)),
    Sample(F("one_hot"), [randint(0, 4, 2, 3), 5], op=None, gives="int64", dtypes=("float64",), ref=lambda i, n: np.eye(n, dtype=int)[i], grad=False),
    Sample(F("bilinear"), [randn(2, 3), randn(2, 4), randn(5, 3, 4), randn(5)], op="matmul", slack=4,
           ref=lambda a, b, w, c: np.einsum("ni,kij,nj->nk", a, w, b) + c),
    Sample(F("dropout"), [ONES], {"p": 0.3}, op="masked_scale", random=True, check=kept_share(0.3)),
    Sample("dropout", [randn(3, 4)], {"p": 0.3, "training": False}, op=None, ref=lambda x: x, call=copied("dropout")),
    Sample(F("dropout2d"), [const(np.ones((40, 50, 2, 2)))], {"p": 0.3}, op="masked_scale", random=True, check=kept_share(0.3)),
    Sample("ops.keep_mask", [ONES], op="keep_mask", random=True, torch=INSIDE, gives="bool", grad=False,
           call=lambda lib, x: lib.ops.keep_mask(x, 0.25), check=lambda out, x: np.testing.assert_allclose(out.mean(), 0.75, atol=0.04)),
    Sample("ops.drop", [ONES], op="drop", random=True, torch=INSIDE, check=kept_share(0.25),
           call=lambda lib, x: lib.ops.drop(x, lib.zeros_like(x, dtype=lib.bool), 0.25)),
    Sample("ops.masked_scale", [randn(3, 4), bools(3, 1)], op="masked_scale", torch=INSIDE, ref=lambda x, m: x * m * 2.5,
           call=lambda lib, x, m: lib.ops.masked_scale(x, m, 2.5)),
    attention(*QKV),
    attention((4, 5), (3, 5), (3, 2)),
    attention((2, 4, 5), (2, 4, 5), (2, 4, 5), is_causal=True),
    attention((2, 4, 5), (2, 6, 5), (2, 6, 3), is_causal=True, scale=0.7),
    attention(*QKV, (4, 3)),
    Sample(F("scaled_dot_product_attention"), [*(randn(*s) for s in QKV), HALF_SEEN], ref=attend, slack=6),
    Sample("attention_with_dropout", [*(randn(*s) for s in QKV), bools(2, 3, 4, 3)], op="scaled_dot_product_attention", torch=INSIDE, slack=6,
           call=lambda lib, q, k, v, m: lib.ops.scaled_dot_product_attention(q, k, v, None, m, False, 0.5, 2.0)[0],
           ref=lambda q, k, v, m: softmax(q @ np.swapaxes(k, -1, -2) * 0.5, -1) * m * 2 @ v),
    Sample("attention_without_softmax", [randn(2, 4, 3, 5), randn(2, 2, 4, 5), randn(2, 2, 4, 6)], op="flash_attention", torch=INSIDE, slack=6,
           call=lambda lib, q, k, v: lib.ops.flash_attention(q, k, v, None, None, True, 0.5)[0],
           ref=lambda q, k, v: attend(q, np.repeat(k, 2, 1), np.repeat(v, 2, 1), causal=True, scale=0.5)),
    Sample("watched", [randn(2, 3), randn(3)], op="watched", torch=INSIDE, view=True, ref=lambda x, y: (x, y),
           call=lambda lib, x, y: lib.nn.modules._backward_hook.watch([x, y], list)),
    Sample("constant_pad", [randn(2, 3, 4)], op="constant_pad", ref=lambda x: np.pad(x, [(0, 0), (0, 2), (1, 0)], constant_values=1.5),
           call=lambda lib, x: lib.nn.functional.pad(x, [1, 0, 0, 2], value=1.5)),
    Sample(F("pad"), [randn(2, 3, 4), [-1, 2, 1, -1]], op="constant_pad", ref=lambda x, w: np.pad(x[:, :-1, 1:], [(0, 0), (1, 0), (0, 2)])),
    *(Sample(F("pad"), [randn(1, 2, 4, 5), [1, 2, 2, 1]], {"mode": mode}, op="take",
             ref=lambda x, w, m=word: np.pad(x, [(0, 0), (0, 0), (2, 1), (1, 2)], mode=m))
      for mode, word in (("reflect", "reflect"), ("replicate", "edge"), ("circular", "wrap"))),
    Sample(F("unfold"), [randn(2, 3, 5, 4), (2, 3)], {"padding": 1, "stride": (2, 1)}, op="im2col",
           ref=lambda x, k: np.concatenate([v[:, :, None] for _, v, _, _ in pool_windows(x, k, (2, 1), 1, 1, False, 0)], 2)
           .transpose(0, 1, 3, 2).reshape(2, 18, -1)),
    Sample(F("fold"), [randn(2, 12, 6), (3, 4), (2, 2)], op="col2im", ref=lambda x, size, k: fold(x)),
    Fails(F("embedding"), [randint(5, 6, 2), randn(5, 4)], error=IndexError, says="index out of range in self: 5 is not a row of a table with 5"),
    Fails(F("embedding"), [rand(2, low=1, high=2), randn(5, 4)], error=RuntimeError, says="Expected tensor for argument #1 'indices'"),
    Fails(F("dropout"), [randn(2), 1.5], error=ValueError, says="dropout probability has to be between 0 and 1, but got 1.5"),
    Fails(F("scaled_dot_product_attention"), [*(randn(*s) for s in QKV), HALF_SEEN], {"is_causal": True}, error=RuntimeError,
          says="Explicit attn_mask should not be set when is_causal=True"),
    Fails(F("pad"), [randn(1, 3), [3, 0]], {"mode": "reflect"}, error=RuntimeError,
          says="Padding size should be less than the corresponding input dimension"),
    Fails(F("one_hot"), [const([0, 3], "int64"), 2], error=RuntimeError, says="Class values must be smaller than num_classes"),
]


def fold(x):
    """Columns of 2 x 2 windows over (3, 4)."""
    y = np.zeros((2, 3, 3, 4))
    columns = x.reshape(2, 3, 2, 2, 2, 3)
    for a, b in np.ndindex(2, 2):
        y[:, :, a:a + 2, b:b + 3] += columns[:, :, a, b]
    return y


# -- images ------------------------------------------------------------------------------------------------------------

RESIZES = [({"size": 7}, "nearest"), ({"scale_factor": 1.7}, "nearest-exact"), ({"size": (3, 9)}, "bilinear"),
           ({"scale_factor": 2.5, "align_corners": True}, "bilinear"), ({"size": 8}, "bicubic"), ({"scale_factor": 0.6}, "bicubic"),
           ({"size": (2, 3)}, "area")]

IMAGES = [
    *(Sample(F("interpolate"), [randn(1, 2, 5, 6)], {**how, "mode": mode}, op=None, slack=4) for how, mode in RESIZES),
    Sample(F("interpolate"), [randn(1, 2, 5)], {"size": 8, "mode": "linear"}, op=None, slack=4),
    Sample("pixel_shuffle", [randn(2, 8, 3, 2)], call=lambda lib, x: lib.nn.functional.pixel_shuffle(x, 2), op=None,
           ref=lambda x: x.reshape(2, 2, 2, 2, 3, 2).transpose(0, 1, 4, 2, 5, 3).reshape(2, 2, 6, 4)),
    Sample("pixel_unshuffle", [randn(2, 2, 6, 4)], call=lambda lib, x: lib.nn.functional.pixel_unshuffle(x, 2), op=None,
           ref=lambda x: x.reshape(2, 2, 3, 2, 2, 2).transpose(0, 1, 3, 5, 2, 4).reshape(2, 8, 3, 2)),
]

SAMPLES = [*ACTIVATIONS, *SOFTMAX, *LINEAR, *POOLS, *NORMS, *LOSSES, *TABLES, *IMAGES]
