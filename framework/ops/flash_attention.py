"""Attention that keeps no softmax: its rule computes it once more.

Half precision on a GPU goes this way, and what would take much memory there.  kernels/flash.py has the fused kernels, and the parts of bounded size.
B: batch, H: heads of queries, G: heads of keys and values, each for H / G neighbouring heads of queries, L: queries, S: keys, D, E: features.
"""
import numpy as np

from .._backends import BACKENDS
from .._core.op import op
from .._core.tensor import Tensor, unwrap, wrap
from ._layer_types import one_type
from ._run import run
from .attention import scaled_dot_product_attention

LARGE = 1 << 28  # bytes of a softmax above which a GPU computes it twice rather than keep it
HALVES = ("float16", "bfloat16")
fused = {"takes": lambda *_: False}  # (q, k, v, bias, causal, dropout, learns): whether a kernel does all of it; kernels/flash.py puts its own here

_three_types = one_type("scaled_dot_product_attention", "query", "key", "value", "attn_mask")


def _types(raw, backend):
    return raw, _three_types([*raw[:3], *(raw[3:4] if raw[3] is not None else ())], backend)[1]


@op(promote=_types, fast=False, broadcasts=False)
def flash_attention(xp, q, k, v, bias=None, seed=None, causal: bool = False, scale: float = 1.0, dropout: float = 0.0):
    """(attention, what the kernel keeps for its rule).  q: (*B, H, L, D), k: (*B, G, S, D), v: (*B, G, S, E) -> (*B, H, L, E)

    bias     added to the scaled scores, finite; broadcasts to (*B, H, L, S)
    causal   queries look at no later keys
    dropout  of the softmax, on a GPU only;  seed: (2) int64, the state of the random source, for kernel and rule

    Dao et al. 2022, arXiv:2205.14135.
    """
    _refuse(dropout)
    return run(scaled_dot_product_attention, xp, q, *for_each_head(xp, q, k, v), bias, None, causal=causal, scale=scale)[0], xp.zeros((0,), "f4")


@flash_attention.vjp("q", "k", "v", "bias")
def _(xp, g, q, k, v, bias, seed, out, causal, scale, dropout, needs):
    _refuse(dropout)
    each_k, each_v = for_each_head(xp, q, k, v)
    raw, plain = [unwrap(a) for a in (q, each_k, each_v)], scaled_dot_product_attention
    backend = BACKENDS[type(raw[0])]
    p = run(plain, backend.xp, *raw, None if bias is None else unwrap(bias), None, causal=causal, scale=scale)[1]
    recorded = isinstance(g[0], Tensor)
    rule = plain.rules[0].fn if recorded else plain.rule_for(plain.rules[0], backend)
    gq, gk, gv, gbias = rule(xp, [g[0]], q, each_k, each_v, bias, None, (None, wrap(p) if recorded else p), causal, scale, 1.0, needs)
    return gq, for_one_head(xp, gk, k.shape), for_one_head(xp, gv, v.shape), gbias


def _refuse(dropout):
    if dropout:
        raise RuntimeError("derivative for aten::_scaled_dot_product_flash_attention_backward is not implemented: where the gradient of attention "
                           "with dropout is to be differentiated itself, use nn.attention.sdpa_kernel(SDPBackend.MATH)")


def for_each_head(xp, q, k, v):
    """Keys and values with as many heads as the queries have."""
    if q.ndim < 3 or k.shape[-3] == q.shape[-3]:
        return k, v
    return [xp.repeat(a, q.shape[-3] // a.shape[-3], axis=-3) for a in (k, v)]


def for_one_head(xp, g, shape):
    """A gradient for repeated heads, summed over those that are one head of keys and values."""
    if g is None or tuple(g.shape) == tuple(shape):
        return g
    return xp.sum(xp.reshape(g, (*shape[:-2], g.shape[-3] // shape[-3], *shape[-2:])), axis=-3)


def avoids_softmax(q, k, v, bias, causal, dropout, learns=False):
    """Whether attention of these arrays on a GPU shall go this way: by a fused kernel, or because of the memory.

    bias: the shape of a mask, or None;  learns: whether it takes a gradient
    """
    if type(q) is np.ndarray or not q.ndim == k.ndim == v.ndim >= 3 or q.shape[:-3] != k.shape[:-3] or k.shape[:-2] != v.shape[:-2]:
        return False
    if fused["takes"](q, k, v, bias, causal, dropout, learns):
        return True
    return 0 <= dropout <= 1 and q.size // q.shape[-1] * k.shape[-2] * q.itemsize > LARGE
