"""NVIDIA's libraries on a real GPU: every product, convolution and attention against float64 on the CPU, in all types and orders of memory."""
import math

import numpy as np
import pytest

import ringgrad
from ringgrad import ops
from ringgrad._backends import philox
from ringgrad._config import DETERMINISTIC
from ringgrad._core.tensor import wrap
from ringgrad._libraries import choice
from ringgrad.kernels import conv, flash, gemm, packed_attention
from ringgrad.nn import functional as F
from ringgrad.nn.attention.varlen import AuxRequest, varlen_attn
from ringgrad.ops import _layout as layout

pytestmark = pytest.mark.gpu

# Errors of one multiplication in units of the largest result; TF32 has the precision of float16.
TOLERANCE = {"float16": 4e-3, "bfloat16": 3e-2, "float32": 3e-6, "tf32": 4e-3, "float64": 1e-13}


@pytest.fixture
def cupy():
    return pytest.importorskip("cupy")


@pytest.fixture
def fresh():
    """What a test sets of the precision is set back."""
    before = ringgrad.get_float32_matmul_precision(), ringgrad.backends.cudnn.allow_tf32
    yield
    ringgrad.set_float32_matmul_precision(before[0])
    ringgrad.backends.cudnn.allow_tf32 = before[1]


def numbers(*shape, seed=0):
    return np.random.default_rng([seed, *shape]).standard_normal(shape)


def close(found, right, kind, terms=1):
    found, right = np.asarray(found.detach().double().cpu()), np.asarray(right)
    limit = TOLERANCE[kind] * max(1.0, math.sqrt(terms) / 8) * max(np.abs(right).max(), 1e-3)
    assert found.shape == right.shape and np.abs(found - right).max() <= limit, f"{np.abs(found - right).max()} is above {limit}"


def on_gpu(a, kind):
    return ringgrad.from_numpy(a).to("cuda", getattr(ringgrad, "float32" if kind == "tf32" else kind))


def rounded(t):
    """The values that a tensor on the GPU has, in float64."""
    return np.asarray(t.detach().double().cpu())


LAYOUTS = {
    "rows": lambda a: a, "columns": lambda a: a.transpose(-1, -2).contiguous().transpose(-1, -2),
    "a part": lambda a: ringgrad.cat([a, a], -1)[..., :a.shape[-1]], "every second": lambda a: ringgrad.stack([a, a], -1)[..., 0],
}


@pytest.mark.parametrize("kind", TOLERANCE)
@pytest.mark.parametrize("right", LAYOUTS)
@pytest.mark.parametrize("left", LAYOUTS)
@pytest.mark.parametrize("shapes", [((64, 96), (96, 48)), ((5, 33, 17), (5, 17, 9)), ((3, 4, 33, 64), (64, 40)), ((1, 7), (7, 1)),
                                    ((130,), (130, 70))])
def test_products(cupy, fresh, shapes, left, right, kind):
    ringgrad.set_float32_matmul_precision("high" if kind == "tf32" else "highest")
    x, y = (lay(on_gpu(numbers(*s), kind)) if len(s) > 1 else on_gpu(numbers(*s), kind) for s, lay in zip(shapes, (LAYOUTS[left], LAYOUTS[right])))
    found = gemm.product(cupy, x._data, y._data)
    assert found is not None, choice.WHY
    close(wrap(found), rounded(x) @ rounded(y), kind, shapes[0][-1])


@pytest.mark.parametrize("kind", TOLERANCE)
def test_a_linear_layer_and_its_gradients(fresh, kind):
    ringgrad.set_float32_matmul_precision("high" if kind == "tf32" else "highest")
    x, w, b = [on_gpu(numbers(*s), kind).requires_grad_() for s in ((4, 60, 96), (72, 96), (72,))]
    g = on_gpu(numbers(4, 60, 72, seed=1), kind)
    F.linear(x, w, b).backward(g)
    wide = [ringgrad.from_numpy(rounded(t)).requires_grad_() for t in (x, w, b)]
    out = F.linear(*wide)
    out.backward(ringgrad.from_numpy(rounded(g)))
    close(F.linear(x, w, b), out.detach().numpy(), kind, 96)
    for ours, theirs in zip((x, w, b), wide):
        close(ours.grad, theirs.grad.numpy(), kind, 240)


def gelu(h):
    """(GELU by its tanh form, its derivative) of float64."""
    c = math.sqrt(2 / math.pi)
    t = np.tanh(c * (h + 0.044715 * h**3))
    return h * (1 + t) / 2, (1 + t + h * (1 - t * t) * c * (1 + 0.134145 * h * h)) / 2


EPILOGUES = {  # name: (of x @ y, vector and matrix in float64, what the result, the vector and the matrix are then; None for what is only read)
    "bias": lambda h, x, v, m: (h + v, None, None), "gelu": lambda h, x, v, m: (gelu(h)[0], None, h),
    "bias, gelu": lambda h, x, v, m: (gelu(h + v)[0], None, h + v), "gelu slope": lambda h, x, v, m: (h * gelu(m)[1], None, None),
    "gelu slope and sums": lambda h, x, v, m: (h * gelu(m)[1], (h * gelu(m)[1]).sum(0), None), "left sums": lambda h, x, v, m: (h, x.sum(1), None),
}


@pytest.mark.parametrize("kind", TOLERANCE)
@pytest.mark.parametrize("name", EPILOGUES)
@pytest.mark.parametrize("turned", [False, True], ids=["rows", "columns"])
def test_epilogues(cupy, fresh, name, kind, turned):
    """As they are used: sums of a left operand that lies by columns, the others beside a right one that does, and beside one that does not."""
    ringgrad.set_float32_matmul_precision("high" if kind == "tf32" else "highest")
    sums = name == "left sums"
    x, y = on_gpu(numbers(*((96, 60) if sums else (60, 96))), kind), on_gpu(numbers(96, 72), kind)
    x, y = (x.T if sums else x), (LAYOUTS["columns"](y) if turned else y)
    vector, matrix = on_gpu(numbers(60 if sums else 72), kind), on_gpu(numbers(60, 72, seed=1), kind)
    before = [rounded(t) for t in (x, vector, matrix)]
    found = gemm.product(cupy, x._data, y._data, vector._data, matrix._data, name)
    if found is None:
        pytest.skip(f"cuBLASLt has no algorithm for {name!r} in {kind}")
    rights = EPILOGUES[name](before[0] @ rounded(y), *before)
    for ours, right in zip((wrap(found), vector, matrix), rights):
        if right is not None:
            close(ours, right, "tf32" if "gelu" in name and kind in ("float32", "float64") else kind, 96)


@pytest.mark.parametrize("kind", ["float16", "bfloat16", "float32"])
@pytest.mark.parametrize("activation", ["relu", "gelu", "gelu_tanh", "silu"])
def test_feed_forward_networks(fresh, activation, kind):
    x, w, b, w2, b2 = [on_gpu(numbers(*s, seed=i) / 4, kind).requires_grad_() for i, s in enumerate(((4, 60, 96), (72, 96), (72,), (40, 72), (40,)))]
    if activation == "relu":  # no sum near the corner
        with ringgrad.no_grad():
            b.copy_(on_gpu(np.where(np.arange(72) % 2, 40.0, -40.0), kind))
    g = on_gpu(numbers(4, 60, 40, seed=9), kind)
    wide = [ringgrad.from_numpy(rounded(t)).requires_grad_() for t in (x, w, b, w2, b2)]
    out, expected = F.feed_forward(x, w, b, w2, b2, activation), F.feed_forward(*wide, activation)
    out.backward(g)
    expected.backward(ringgrad.from_numpy(rounded(g)))
    close(out, expected.detach().numpy(), kind, 96)
    for ours, theirs in zip((x, w, b, w2, b2), wide):
        close(ours.grad, theirs.grad.numpy(), kind, 240)


GEOMETRIES = {
    "3x3": ((4, 16, 20, 20), (32, 16, 3, 3), 1, 1, 1, 1), "strided": ((4, 16, 21, 20), (32, 16, 3, 3), 2, 1, 1, 1),
    "dilated groups": ((4, 16, 20, 20), (32, 8, 3, 3), 1, 2, 2, 2), "depthwise": ((4, 16, 20, 20), (16, 1, 3, 3), 1, 1, 1, 16),
    "1x1": ((4, 16, 20, 20), (32, 16, 1, 1), 1, 0, 1, 1), "image": ((4, 3, 32, 32), (16, 3, 7, 7), 2, 3, 1, 1),
    "1d": ((4, 16, 50), (24, 16, 5), 1, 2, 1, 1), "3d": ((2, 8, 6, 10, 10), (16, 8, 3, 3, 3), 1, 1, 1, 1),
}


@pytest.mark.parametrize("last", [False, True], ids=["channels first", "channels last"])
@pytest.mark.parametrize("kind", TOLERANCE)
@pytest.mark.parametrize("name", GEOMETRIES)
def test_convolutions(cupy, fresh, name, kind, last):
    shape, kernel, stride, padding, dilation, groups = GEOMETRIES[name]
    ringgrad.backends.cudnn.allow_tf32 = kind == "tf32"
    d = len(shape) - 2
    function = getattr(F, f"conv{d}d")
    x, w, b = [on_gpu(numbers(*s), kind) for s in (shape, kernel, kernel[:1])]
    if last:
        x, w = (wrap(layout.dense(cupy, t._data, True)) for t in (x, w))
    x, w, b = (t.detach().requires_grad_() for t in (x, w, b))
    planned = len(conv._PLANS)
    out = function(x, w, b, stride, padding, dilation, groups)
    assert len(conv._PLANS) > planned or conv._PLANS, "cuDNN was not asked"
    wide = [ringgrad.from_numpy(rounded(t)).requires_grad_() for t in (x, w, b)]
    expected = function(*wide, stride, padding, dilation, groups)
    g = numbers(*expected.shape, seed=2)
    out.backward(on_gpu(g, kind))
    expected.backward(ringgrad.from_numpy(rounded(on_gpu(g, kind))))
    terms = math.prod(kernel[1:])
    close(out, expected.detach().numpy(), kind, terms)
    for ours, theirs, n in zip((x, w, b), wide, (math.prod(kernel[2:]) * kernel[0], out.numel() // kernel[0], out.numel() // kernel[0])):
        close(ours.grad, theirs.grad.numpy(), kind, n)
    if last and shape[1] > 1:
        assert layout.is_dense(out._data, True), "the channels are not last any more"


@pytest.mark.parametrize("kind", ["float16", "float32"])
def test_transposed_convolution_and_benchmark(fresh, kind):
    ringgrad.backends.cudnn.allow_tf32 = False
    x, w, b = [on_gpu(numbers(*s), kind) for s in ((4, 16, 10, 11), (16, 8, 3, 3), (16,))]
    arguments = dict(stride=2, padding=1, output_padding=1, groups=2)
    expected = F.conv_transpose2d(*[ringgrad.from_numpy(rounded(t)) for t in (x, w, b)], **arguments).numpy()
    for benchmark in (False, True):
        with ringgrad.backends.cudnn.flags(enabled=True, benchmark=benchmark, allow_tf32=False):
            close(F.conv_transpose2d(x, w, b, **arguments), expected, kind, 72)


def test_convolution_without_cudnn_equals_it():
    x, w = on_gpu(numbers(3, 8, 12, 12), "float32"), on_gpu(numbers(16, 8, 3, 3), "float32")
    with ringgrad.backends.cudnn.flags(enabled=False):
        plain = F.conv2d(x, w, padding=1)
    close(F.conv2d(x, w, padding=1), rounded(plain), "tf32", 72)


ATTENTION = {  # heads of queries, of keys; queries, keys; features; causal
    "gpt": (6, 6, 256, 256, 64, True), "not causal": (4, 4, 100, 77, 64, False), "wide heads": (4, 4, 128, 128, 128, True),
    "shared heads": (8, 2, 128, 128, 64, True), "short": (2, 2, 3, 5, 32, False), "narrow": (2, 2, 65, 65, 8, True),
}


def attention(q, k, v, causal):
    """Attention by the composition, of tensors on the CPU."""
    k, v = (ops.repeat(t, q.shape[1] // t.shape[1], 1) for t in (k, v))
    return ops.scaled_dot_product_attention(q, k, v, None, None, causal, 1 / math.sqrt(q.shape[-1]), 1.0)[0]


@pytest.mark.parametrize("between", [False, True], ids=["heads first", "heads between rows"])
@pytest.mark.parametrize("kind", ["float16", "bfloat16"])
@pytest.mark.parametrize("name", ATTENTION)
def test_flash_attention(name, kind, between):
    heads, groups, rows, keys, d, causal = ATTENTION[name]
    shapes = (2, heads, rows, d), (2, groups, keys, d), (2, groups, keys, d)
    tensors = [on_gpu(numbers(*s, seed=i), kind) for i, s in enumerate(shapes)]
    if between:
        tensors = [t.transpose(1, 2).contiguous().transpose(1, 2) for t in tensors]
    q, k, v = (t.detach().requires_grad_() for t in tensors)
    assert flash.takes(q._data, k._data, v._data, None, causal, 0.0), choice.WHY
    out = F.scaled_dot_product_attention(q, k, v, is_causal=causal, enable_gqa=heads != groups)
    g = on_gpu(numbers(*out.shape, seed=9), kind)
    out.backward(g)
    wide = [ringgrad.from_numpy(rounded(t)).requires_grad_() for t in (q, k, v)]
    expected = attention(*wide, causal)
    expected.backward(ringgrad.from_numpy(rounded(g)))
    close(out, expected.detach().numpy(), kind)
    for ours, theirs in zip((q, k, v), wide):
        close(ours.grad, theirs.grad.numpy(), kind, 256)


@pytest.mark.parametrize("shape", [(2, 1, 1, 77), (65, 77), (2, 4, 65, 77)])
@pytest.mark.parametrize("added", [False, True], ids=["boolean", "added"])
def test_masks_of_flash_attention(shape, added):
    q, k, v = [on_gpu(numbers(2, 4, n, 64, seed=i), "bfloat16").requires_grad_() for i, n in enumerate((65, 77, 77))]
    seen = np.random.default_rng(0).random(shape) < 0.7
    seen[..., 0] = True
    if len(shape) > 2 and shape[2] > 1:
        seen[:, :, 3] = False
    mask = np.where(seen, numbers(*shape), -np.inf) if added else seen
    given = on_gpu(mask, "bfloat16") if added else ringgrad.from_numpy(mask).cuda()
    assert flash.takes(q._data, k._data, v._data, shape, False, 0.0), choice.WHY
    out = F.scaled_dot_product_attention(q, k, v, attn_mask=given)
    out.sum().backward()
    wide = [ringgrad.from_numpy(rounded(t)).requires_grad_() for t in (q, k, v)]
    expected = F.scaled_dot_product_attention(*wide, attn_mask=ringgrad.from_numpy(rounded(given) if added else mask))
    expected.sum().backward()
    close(out, expected.detach().numpy(), "bfloat16")
    for ours, theirs in zip((q, k, v), wide):
        close(ours.grad, theirs.grad.numpy(), "bfloat16", 256)


def test_dropout_of_flash_attention_keeps_its_share_and_its_mask():
    """Of ones, the sums of kept weights; their gradient is the same sums, when the mask is the same one in both directions."""
    rows = 128
    q = on_gpu(np.zeros((2, 4, rows, 64)), "float16").requires_grad_()
    v = on_gpu(np.ones((2, 4, rows, 64)), "float16").requires_grad_()
    ringgrad.manual_seed(1)
    out = F.scaled_dot_product_attention(q, q, v, dropout_p=0.25)
    sums = rounded(out)[..., 0]
    assert abs(sums.mean() - 1) < 0.02 and 0.01 < sums.std() < 0.2
    out.backward(ringgrad.ones_like(out))
    assert abs(rounded(v.grad).sum() - rounded(out).sum()) < 1e-2 * rounded(out).sum(), "the mask of the backward pass is another one"
    again = F.scaled_dot_product_attention(q, q, v, dropout_p=0.25)
    assert (rounded(again) != rounded(out)).any(), "two calls draw the same mask"
    ringgrad.manual_seed(1)
    assert (rounded(F.scaled_dot_product_attention(q, q, v, dropout_p=0.25)) == rounded(out)).all()


@pytest.mark.parametrize("kind", ["float16", "bfloat16"])
@pytest.mark.parametrize("shape, groups", [((1, 4, 65, 77), 4), ((65, 77), 4), ((2, 1, 65, 77), 4), ((2, 4, 65, 77), 2)])
def test_masks_that_learn_in_flash_attention(shape, groups, kind):
    shapes = (2, 4, 65, 64), (2, groups, 77, 64), (2, groups, 77, 64), shape
    tensors = [on_gpu(numbers(*s, seed=i), kind).requires_grad_() for i, s in enumerate(shapes)]
    assert flash.takes(*(t._data for t in tensors[:3]), shape, False, 0.0, True), choice.WHY
    out = F.scaled_dot_product_attention(*tensors, enable_gqa=True)
    g = on_gpu(numbers(*out.shape, seed=9), kind)
    out.backward(g)
    wide = [ringgrad.from_numpy(rounded(t)).requires_grad_() for t in tensors]
    expected = F.scaled_dot_product_attention(*wide, enable_gqa=True)
    expected.backward(ringgrad.from_numpy(rounded(g)))
    close(out, expected.detach().numpy(), kind)
    for ours, theirs in zip(tensors, wide):
        close(ours.grad, theirs.grad.numpy(), kind, 512)


PACKED = {  # lengths of queries, of keys (None: the same), heads of queries, of keys, features, window
    "gpt": ((256, 100, 77, 3), None, 6, 6, 64, (-1, 0)), "whole": ((100, 77), None, 4, 4, 64, (-1, -1)),
    "wide": ((130, 64, 1), None, 4, 4, 128, (-1, 0)), "both sides": ((300, 90), None, 4, 4, 64, (20, 9)),
    "cross": ((100, 5, 40), (77, 130, 2), 4, 4, 64, (-1, -1)), "causal cross": ((100, 5, 40), (77, 130, 2), 4, 4, 64, (-1, 0)),
    "shared heads": ((128, 60), None, 8, 2, 64, (-1, 0)), "window": ((300, 90), None, 4, 4, 64, (64, 0)),
    "narrow": ((65, 30), None, 2, 2, 8, (-1, 0)), "no keys, no queries": ((100, 30, 0, 20, 0), (50, 0, 70, 20, 0), 4, 4, 64, (-1, -1)),
}


@pytest.mark.parametrize("same_bits", [False, True], ids=["", "deterministic"])
@pytest.mark.parametrize("spare", [0, 60], ids=["", "tokens of no sequence"])
@pytest.mark.parametrize("kind", ["float16", "bfloat16"])
@pytest.mark.parametrize("name", PACKED)
def test_attention_of_packed_sequences(monkeypatch, name, kind, spare, same_bits):
    monkeypatch.setitem(DETERMINISTIC, "on", same_bits)
    rows, keys, heads, groups, d, window = PACKED[name]
    cu_q = ringgrad.tensor([0, *np.cumsum(rows).tolist()], dtype=ringgrad.int32)
    cu_k = cu_q if keys is None else ringgrad.tensor([0, *np.cumsum(keys).tolist()], dtype=ringgrad.int32)
    shapes = [(sum(rows) + spare, heads, d), *[(sum(keys or rows) + spare, groups, d)] * 2]
    tensors = [on_gpu(numbers(*s, seed=i), kind).requires_grad_() for i, s in enumerate(shapes)]
    on_device = [cu_q.cuda()] * 2 if cu_k is cu_q else [cu_q.cuda(), cu_k.cuda()]
    how = {"window_size": window, "enable_gqa": True, "return_aux": AuxRequest(lse=True)}
    longest = max(rows), max(keys or rows)
    assert packed_attention.takes(*(t._data for t in (*tensors, *on_device)), *longest, *window), choice.WHY
    out, sums = varlen_attn(*tensors, *on_device, *longest, **how)
    g = on_gpu(numbers(*out.shape, seed=9), kind)
    out.backward(g)
    wide = [ringgrad.from_numpy(rounded(t)).requires_grad_() for t in tensors]
    expected, expected_sums = varlen_attn(*wide, cu_q, cu_k, *longest, **how)
    expected.backward(ringgrad.from_numpy(rounded(g)))
    close(out, expected.detach().numpy(), kind)
    found, right = rounded(sums), expected_sums.numpy()
    assert (np.isinf(found) == np.isinf(right)).all()
    close(ringgrad.from_numpy(np.where(np.isinf(found), 0, found)), np.where(np.isinf(right), 0, right), kind)
    for ours, theirs in zip(tensors, wide):
        close(ours.grad, theirs.grad.numpy(), kind, 512)


@pytest.mark.parametrize("mask", [None, (50, 50), (1, 3, 50, 50), (2, 1, 1, 50), (2, 3, 50, 50)])
@pytest.mark.parametrize("dropout", [0.0, 0.25])
def test_attention_in_parts_equals_the_composition(cupy, monkeypatch, dropout, mask):
    monkeypatch.setattr("ringgrad.kernels.attention_in_parts.PART", 1 << 14)
    host = [numbers(2, 3, 50, 16, seed=i) for i in range(3)] + ([] if mask is None else [numbers(*mask)])
    q, k, v, *bias = (on_gpu(a, "float32").requires_grad_() for a in host)
    state = ringgrad.tensor([5, 7], device="cuda")
    out = ops.flash_attention(q, k, v, *(bias or [None]), state, mask is None, 0.25, dropout)[0]
    out.backward(ringgrad.ones_like(out))
    wide = [ringgrad.from_numpy(a).requires_grad_() for a in host]
    drawn = [philox.below(cupy, state._data, i * 625, (50, 50), 1 - dropout).get() for i in range(6)]
    kept = ringgrad.from_numpy(np.stack(drawn).reshape(2, 3, 50, 50)) if dropout else None
    scores = wide[3] if bias else None
    expected = ops.scaled_dot_product_attention(*wide[:3], scores, kept, mask is None, 0.25, 1 / (1 - dropout))[0]
    expected.sum().backward()
    close(out, expected.detach().numpy(), "float32", 5000)
    for ours, theirs in zip((q, k, v, *bias), wide):
        close(ours.grad, theirs.grad.numpy(), "float32", 5000)


@pytest.mark.parametrize("kind", ["float32", "bfloat16"])
@pytest.mark.parametrize("rows, keys, causal", [(300, 300, True), (300, 170, True), (170, 300, False)])
def test_long_attention_some_queries_at_a_time(monkeypatch, rows, keys, causal, kind):
    monkeypatch.setattr("ringgrad.kernels.attention_in_parts.PART", 1 << 16)
    monkeypatch.setattr("ringgrad.kernels.flash.planned", lambda *_: None)
    tensors = [on_gpu(numbers(2, heads, n, 32, seed=i), kind).requires_grad_() for i, (heads, n) in enumerate(((4, rows), (2, keys), (2, keys)))]
    out = ops.flash_attention(*tensors, None, None, causal, 0.2, 0.0)[0]
    g = on_gpu(numbers(*out.shape, seed=9), kind)
    out.backward(g)
    wide = [ringgrad.from_numpy(rounded(t)).requires_grad_() for t in tensors]
    k, v = (ops.repeat(t, 2, 1) for t in wide[1:])
    expected = ops.scaled_dot_product_attention(wide[0], k, v, None, None, causal, 0.2, 1.0)[0]
    expected.backward(ringgrad.from_numpy(rounded(g)))
    close(out, expected.detach().numpy(), kind)
    for ours, theirs in zip(tensors, wide):
        close(ours.grad, theirs.grad.numpy(), kind, 512)


def test_products_on_another_stream():
    x = on_gpu(numbers(256, 256), "float32")
    with ringgrad.cuda.stream(ringgrad.cuda.Stream()):
        ringgrad.cuda.current_stream().wait_stream(ringgrad.cuda.default_stream())
        y = x @ x
    ringgrad.cuda.synchronize()
    close(y, rounded(x) @ rounded(x), "float32", 256)


def test_the_report_says_what_was_chosen():
    F.conv2d(on_gpu(numbers(1, 8, 8, 8), "float16"), on_gpu(numbers(8, 8, 3, 3), "float16"))
    said = ringgrad.__config__.show()
    assert not choice.WHY and "cuBLASLt" in said and "cuDNN" in said, said
    assert ringgrad.backends.cudnn.version() >= 90000
