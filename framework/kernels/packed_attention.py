"""Attention of packed sequences on CuPy arrays: by cuDNN in half precision, where the sequences lie.  Nothing is read back from the device.

The library is told of the largest lengths and of the number of sequences, rounded up, so that batches of new lengths find a plan that is there:
sequences beyond those of the batch have no tokens.  What it makes of queries that may look nowhere differs between its versions; here they get 0.
"""
import numpy as np

from .._backends import BACKENDS
from .._config import ATTENTION, DETERMINISTIC
from .._libraries import choice
from .._libraries.attention import Attention
from ..ops.flash_attention import HALVES
from ..ops.packed_attention import fused, packed_attention
from .flash import planned, run

MAJOR = ("9", "10")  # compute capability of devices on which the library's packed kernels keep packed sums
WRONG_WINDOWS = 91400  # a version that computes windows over more than 1024 keys wrongly


def takes(q, k, v, cu_q, cu_k, max_q, max_k, left, right):
    """Whether cuDNN computes attention of these arrays, forward and backward."""
    if q.dtype.name not in HALVES or not (q.size and k.size and v.size and max_q and max_k) or len(cu_q) != len(cu_k):
        return False
    if not (ATTENTION["flash"] or ATTENTION["cudnn"]):
        return False
    xp = BACKENDS[type(q)].xp
    arrays = [_suitable(xp, a) for a in (q, k, v)]
    return all(_plan(xp, *arrays, len(cu_q) - 1, max_q, max_k, left, right, backward) is not None for backward in (False, True))


def rounded(n, least):
    """n rounded up to a quarter of the next power of two, at least to `least`."""
    step = max(least, (1 << (n - 1).bit_length()) // 4)
    return -(-n // step) * step


def _suitable(xp, a):
    """(T, H, D) with features side by side, and every row at a multiple of 16 bytes."""
    *steps, last = a.strides
    return a if last == a.itemsize and not a.data.ptr % 16 and all(s > 0 and not s % 16 for s in steps) else xp.ascontiguousarray(a)


def _plan(xp, q, k, v, sequences, max_q, max_k, left, right, backward):
    """A plan, or None where cuDNN has none for such arrays."""
    device = q.device
    planner = choice.graphs(xp, device.id)
    if planner is None or str(xp.cuda.Device(device.id).compute_capability)[:-1] not in MAJOR:
        return None
    sequences, max_q, max_k, same_bits = rounded(sequences, 1), rounded(max_q, 128), rounded(max_k, 128), DETERMINISTIC["on"]
    bounds = tuple([None if n < 0 else n for n in (left, right)])
    if planner.version == WRONG_WINDOWS and max_k > 1024 and bounds != (None, None):
        return None

    def told(a, longest):
        row, head, feature = [s // a.itemsize for s in a.strides]
        return (sequences, a.shape[1], longest, a.shape[2]), (row * longest, head, row, feature)

    def describe():
        inputs = [(q, max_q), (k, max_k), (v, max_k)]
        out, gradients = described(sequences, q.shape[1], max_q, v.shape[2]), [described(sequences, a.shape[1], n, a.shape[2]) for a, n in inputs]
        return Attention(backward, q.dtype.name, *[told(*i) for i in inputs], out, *gradients, None, False, 0.0, same_bits, False, bounds)
    arrays = [(a.shape[1:], a.strides) for a in (q, k, v)]
    return planned(planner, ("packed", backward, q.dtype.name, *arrays, sequences, max_q, max_k, bounds, same_bits), describe)


def described(sequences, heads, longest, features):
    """(sizes, steps in elements) of a packed array (T, H, D) without gaps, as if every sequence were the longest."""
    return (sequences, heads, longest, features), (heads * longest * features, features, heads * features, 1)


def _lying(xp, cu_q, cu_k, sequences, steps):
    """{name of a tensor of the graph: array}: offsets and lengths.  steps: {name of a packed tensor: its row step in elements}"""
    starts, made = {}, {}
    for name, cu in (("q", cu_q), ("k", cu_k)):
        if name == "k" and _alike(cu_q, cu_k):
            starts["k"], made["k lengths"] = starts["q"], made["q lengths"]
            continue
        whole = starts[name] = xp.empty((sequences + 1,), np.int64)
        whole[:len(cu)] = cu
        whole[len(cu):] = cu[-1:]
        made[f"{name} lengths"] = (whole[1:] - whole[:-1]).astype(np.int32)
    products = {}
    for name, step in steps.items():
        of = "k" if name[-1] in "kv" else "q"
        key = id(starts[of]), step
        if key not in products:
            products[key] = starts[of] * step
        made[f"{name} offsets"] = products[key]
    return made


def sees(xp, cu_q, cu_k, tokens, left, right):
    """(T) bool: which queries look at a key."""
    length, own, inside = _place(xp, cu_q, cu_k, tokens)
    first = xp.maximum(own - left, 0) if left >= 0 else 0
    last = xp.minimum(own + right, length - 1) if right >= 0 else length - 1
    return inside & (first <= last)


def _place(xp, cu, other, tokens):
    """Of each token: (the length of its sequence over there, its place there counted from the end, whether it is of a sequence)."""
    token = xp.arange(tokens)
    sequence = xp.searchsorted(cu[1:].astype(np.int64), token, side="right")
    inside = sequence < len(cu) - 1
    sequence = xp.minimum(sequence, len(cu) - 2)
    length = (other[1:] - other[:-1])[sequence]
    return length, token - cu[1:][sequence] + length, inside


def forward(xp, q, k, v, cu_q, cu_k, max_q, max_k, left=-1, right=-1, scale=1.0):
    """The op `packed_attention`."""
    if not takes(q, k, v, cu_q, cu_k, max_q, max_k, left, right):
        out, sums = packed_attention.formula(xp, *_wide(q, k, v), cu_q, cu_k, max_q, max_k, left, right, scale)
        return out.astype(q.dtype, copy=False), sums
    q, k, v = [_suitable(xp, a) for a in (q, k, v)]
    plan = _plan(xp, q, k, v, len(cu_q) - 1, max_q, max_k, left, right, False)
    out, sums = xp.zeros((*q.shape[:2], v.shape[2]), q.dtype), xp.full(q.shape[:2], np.inf, np.float32)
    run(xp, plan, {"q": q, "k": k, "v": v, "o": out, "stats": sums, **_lying(xp, cu_q, cu_k, rounded(len(cu_q) - 1, 1), {
        **_steps(q=q, k=k, v=v, o=out), "stats": q.shape[1]})}, scale, **_bounds(left, right))
    if not _alike(cu_q, cu_k):  # else each query looks at its own key at least
        seen = sees(xp, cu_q, cu_k, len(q), left, right)
        out, sums = _kept(xp, seen, out), xp.where(seen[:, None], sums, xp.asarray(np.inf, np.float32))
    return out, sums


def backward(xp, g, q, k, v, cu_q, cu_k, out, max_q, max_k, left, right, scale, needs):
    """Its gradients for q, k and v."""
    if not takes(q, k, v, cu_q, cu_k, max_q, max_k, left, right):
        return packed_attention.rules[0].formula(xp, _wide(g[0]), *_wide(q, k, v), cu_q, cu_k, out, max_q, max_k, left, right, scale, needs)
    (o, sums), do = out, xp.ascontiguousarray(g[0].astype(q.dtype, copy=False))
    q, k, v = [_suitable(xp, a) for a in (q, k, v)]
    plan, sequences = _plan(xp, q, k, v, len(cu_q) - 1, max_q, max_k, left, right, True), rounded(len(cu_q) - 1, 1)
    dq, dk, dv = [xp.zeros(a.shape, a.dtype) for a in (q, k, v)]
    of_rows, of_q = (sums.shape, q.shape) if plan.what.compact else (plan.what.q[0][:3], plan.what.q[0])
    run(xp, plan, {"q": q, "k": k, "v": v, "o": o, "do": do, "stats": sums, "dq": dq, "dk": dk, "dv": dv, "sums": xp.empty(of_rows, np.float32),
                   "dq_sum": xp.empty(of_q, np.float32), **_lying(xp, cu_q, cu_k, sequences, {
                       **_steps(q=q, k=k, v=v, o=o, dq=dq, dk=dk, dv=dv), "stats": q.shape[1]})}, scale, **_bounds(left, right))
    if not _alike(cu_q, cu_k):
        dq, looked_at = _kept(xp, sees(xp, cu_q, cu_k, len(q), left, right), dq), sees(xp, cu_k, cu_q, len(k), -1, -1)
        dk, dv = _kept(xp, looked_at, dk), _kept(xp, looked_at, dv)
    return dq, dk, dv


def _kept(xp, rows, a):
    """`a`, of halves, with zeros elsewhere than in these rows: their bits are moved, for the array library's `where` does not know all halves."""
    return xp.where(rows[:, None, None], a.view(np.int16), xp.zeros((), np.int16)).view(a.dtype)


def _wide(*arrays):
    """Halves in float32, for formulas."""
    return [a.astype(np.float32) if a.dtype.itemsize == 2 else a for a in arrays]


def _alike(cu_q, cu_k):
    """Whether queries and keys are the same sequences, as far as that can be said without looking at them."""
    return cu_q is cu_k or (cu_q.data.ptr, cu_q.shape, cu_q.strides, cu_q.dtype) == (cu_k.data.ptr, cu_k.shape, cu_k.strides, cu_k.dtype)


def _steps(**arrays):
    return {name: a.strides[0] // a.itemsize for name, a in arrays.items()}


def _bounds(left, right):
    return {"left + 1": left + 1, "right": right}


def register():
    """Put these in the place of the formula and its rule on CuPy arrays."""
    packed_attention.kernel("cupy")(forward)
    packed_attention.kernel("cupy", vjp="q")(backward)
    fused["takes"] = takes
