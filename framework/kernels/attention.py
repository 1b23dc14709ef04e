"""Scaled dot-product attention on CuPy arrays: two products of matrices and, between them, one kernel that scales, masks and normalises.

The causal mask costs nothing: later keys are never read.  Other masks are added first, as the formula does.
"""
from ..ops.attention import _bias, scaled_dot_product_attention
from ..ops.matmul import matmul
from .softmax import FAMILY, attention_softmax, attention_softmax_backward


def product(xp, a, b):
    """a @ b by the kernel that there is for it."""
    return matmul.kernels[type(a)](xp, a, b)


def _takes(*arrays):
    return all(FAMILY.takes(a) for a in arrays) and len({a.dtype for a in arrays}) == 1


def _times(a, number):
    """The product in the type of `a`, whatever the array library makes of bfloat16."""
    return (a * float(number)).astype(a.dtype, copy=False)


def forward(xp, q, k, v, mask=None, kept=None, causal=False, scale=1.0, keep_scale=1.0, later=0):
    """The op `scaled_dot_product_attention`.  later: how many more keys a query sees under `causal`, for queries that are not the first."""
    if not _takes(q, k, v):
        return scaled_dot_product_attention.formula(xp, q, k, v, mask, kept, causal, scale, keep_scale)
    p = xp.ascontiguousarray(product(xp, _times(q, scale), xp.swapaxes(k, -1, -2)).astype(q.dtype, copy=False))
    bias = None if mask is None else _bias(xp, mask, p.shape, False, p.dtype)
    if bias is not None:
        p += bias
    p = attention_softmax(xp, p, causal, 1.0, later)
    dropped = p if kept is None else _times(xp.multiply(p, kept), keep_scale)
    return product(xp, dropped, v).astype(v.dtype, copy=False), p


def backward(xp, g, q, k, v, mask, kept, out, causal, scale, keep_scale, needs):
    """Its gradients for q, k, v and mask."""
    g, p = g[0], out[1]
    if not (_takes(q, k, v, p) and g is not None and g.dtype == p.dtype):
        return scaled_dot_product_attention.rules[0].formula(xp, [g], q, k, v, mask, kept, out, causal, scale, keep_scale, needs)
    dropped = p if kept is None else _times(xp.multiply(p, kept), keep_scale)
    gv = product(xp, xp.swapaxes(dropped, -1, -2), g) if needs[2] else None
    if not (needs[0] or needs[1] or needs[3]):
        return None, None, gv, None
    gp = product(xp, g, xp.swapaxes(v, -1, -2)).astype(p.dtype, copy=False)
    if kept is not None:
        gp = _times(xp.multiply(gp, kept), keep_scale)
    gp = attention_softmax_backward(xp, xp.ascontiguousarray(gp), xp.ascontiguousarray(p), 1.0 if needs[3] else scale)
    scaled = _times(gp, scale) if needs[3] else gp
    gq = product(xp, scaled, k) if needs[0] else None
    gk = product(xp, xp.swapaxes(scaled, -1, -2), q) if needs[1] else None
    return gq, gk, gv, gp if needs[3] else None


def register():
    """Put these in the place of the formula and its rule on CuPy arrays."""
    scaled_dot_product_attention.kernel("cupy")(forward)
    scaled_dot_product_attention.kernel("cupy", vjp="q")(backward)
