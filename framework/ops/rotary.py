"""Rotary position embedding: pairs of elements turned by angles that grow with the position."""
import numpy as np

from .. import _dtypes
from .._core.op import op
from ._run import run
from .reductions import sum_


def _types(raw, backend):
    """The type of `x`; the cosines may be wider than half precision, and are brought to it (half precision: to float32) otherwise."""
    x = raw[0]
    kind = np.dtype(np.float32) if _dtypes.is_half(x.dtype) else x.dtype
    if x.dtype.kind not in "fV":
        raise RuntimeError(f"rotary_embedding: expected a floating-point input, got {_dtypes.of_numpy(x.dtype).name}")
    return [x, *[t if t.dtype in (x.dtype, kind) else t.astype(kind) for t in raw[1:]]], x.dtype


@op(promote=_types, broadcasts=False)
def rotary_embedding(xp, x, cos, sin, interleaved: bool = False):
    """(a, b) -> (a cos - b sin, b cos + a sin) for the pairs of the first 2 R elements of the last dimension; the others stay.

    x: (*, S, D);  cos, sin: (S, R), or of dimensions that broadcast to (*, S, R) -> (*, S, D)
    interleaved: a and b are neighbours, x[2 i] and x[2 i + 1]; else halves, x[i] and x[i + R].  Su et al. 2021, arXiv:2104.09864.
    """
    _check(x.shape, cos.shape, sin.shape)
    a, b = _pair(x, cos.shape[-1], interleaved)
    return _joined(xp, a * cos - b * sin, b * cos + a * sin, x, interleaved)


def _check(x, cos, sin):
    if cos != sin or not cos or not x or 2 * cos[-1] > x[-1] or any(m not in (1, n) for m, n in zip(cos[-2::-1], x[-2::-1])) or len(cos) > len(x):
        raise RuntimeError(f"rotary_embedding: cos and sin of shape (S, R), with 2 R elements to turn, must fit the input (*, S, D); got cos "
                           f"{list(cos)}, sin {list(sin)}, input {list(x)}")


def _pair(x, r, interleaved):
    """(first, second) elements of the pairs, each (*, S, R)."""
    return (x[..., 0:2 * r:2], x[..., 1:2 * r:2]) if interleaved else (x[..., :r], x[..., r:2 * r])


def _joined(xp, a, b, x, interleaved):
    """The pairs back in their places, and the rest of `x` behind them."""
    turned = xp.reshape(xp.stack([a, b], -1), (*a.shape[:-1], 2 * a.shape[-1])) if interleaved else xp.concatenate([a, b], -1)
    rest = x[..., turned.shape[-1]:]
    return xp.concatenate([turned, rest], -1) if rest.shape[-1] else turned


@rotary_embedding.vjp("x")
def _(xp, g, cos, sin, interleaved):
    return run(rotary_embedding, xp, g, cos, xp.negative(sin), interleaved=interleaved)


@rotary_embedding.vjp("cos", "sin")
def _(xp, g, x, cos_shape, needs, interleaved):
    r = cos_shape[-1]
    (a, b), (ga, gb) = _pair(x, r, interleaved), _pair(g, r, interleaved)
    along, across = ga * a + gb * b, gb * a - ga * b
    return tuple([_fitted(xp, t, cos_shape) if wanted else None for t, wanted in zip((along, across), needs)])


def _fitted(xp, t, shape):
    """Summed over the dimensions along which cosines of `shape` were repeated."""
    lead = t.ndim - len(shape)
    axes = tuple(range(lead)) + tuple([i + lead for i, n in enumerate(shape) if n == 1 and t.shape[i + lead] != 1])
    t = run(sum_, xp, t, axis=axes, keepdims=True) if axes else t
    return xp.reshape(t, shape)
