"""Attention through cuDNN, told to a double of it that computes the graph it was told; and in parts, without it."""
import math
import sys

import host_gpu
import host_libraries
import numpy as np
import pytest

from ringgrad import autograd, ops
from ringgrad._backends import philox
from ringgrad._config import ATTENTION, DETERMINISTIC
from ringgrad._core.tensor import wrap
from ringgrad._dtypes import as_dtype
from ringgrad._libraries import choice, cudnn
from ringgrad.kernels import flash
from ringgrad.nn import functional as F
from ringgrad.nn.attention import SDPBackend, sdpa_kernel
from ringgrad.ops.flash_attention import avoids_softmax

TOLERANCE = {"float16": 4e-3, "bfloat16": 3e-2, "float32": 1e-5}
SEED = [5, 7]


@pytest.fixture
def plugged(compiled):
    """(array module of an emulated device, its double of cuDNN), with device arrays as CUDA tensors."""
    xp, library = host_libraries.device(compiled), host_libraries.Cudnn()
    choice.put("graphs", xp, 0, cudnn.Planner(cudnn.opened(library)))
    with host_gpu.plugged(xp):
        yield xp, library


def numbers(dtype, *shape):
    return np.random.default_rng([3, *shape]).standard_normal(shape).astype(as_dtype(dtype).np)


def reference(q, k, v, causal, scale, kept, keep_scale):
    """Attention and its gradients for ones, in float64."""
    wide = [wrap(a.astype(np.float64)).requires_grad_() for a in (q, k, v)]
    k_, v_ = (ops.repeat(t, q.shape[-3] // k.shape[-3], -3) for t in wide[1:])
    out = ops.scaled_dot_product_attention(wide[0], k_, v_, None, None if kept is None else wrap(kept > 0), causal, scale, keep_scale)[0]
    g = np.arange(out.numel()).reshape(out.shape) % 5 - 2.0
    out.backward(wrap(g))
    return g, [out._data, *(t.grad._data for t in wide)]


def placed(xp, a, between):
    """`a` on the device; between: its heads between its rows, as models have them."""
    out = flash._new(xp, a.shape, a.dtype) if between and a.ndim == 4 else xp.empty(a.shape, a.dtype)
    out[...] = a
    return out


CASES = {  # heads of queries, of keys; queries, keys; features of keys, of values; causal; dropout
    "plain": (2, 2, 5, 7, 8, 16, False, 0.0), "causal": (2, 2, 6, 6, 8, 8, True, 0.0), "more keys than queries": (2, 2, 4, 7, 8, 8, True, 0.0),
    "shared heads": (4, 2, 5, 5, 8, 8, True, 0.0), "dropout": (2, 2, 5, 7, 8, 8, False, 0.25),
    "dropout, shared heads": (4, 1, 6, 6, 16, 8, True, 0.5),
}


@pytest.mark.parametrize("same_bits", [False, True], ids=["", "deterministic"])
@pytest.mark.parametrize("between", [False, True], ids=["heads first", "heads between rows"])
@pytest.mark.parametrize("dtype", ["float16", "bfloat16"])
@pytest.mark.parametrize("case", CASES)
def test_attention_and_its_gradients(plugged, monkeypatch, case, dtype, between, same_bits):
    monkeypatch.setitem(DETERMINISTIC, "on", same_bits)
    xp, library = plugged
    heads, groups, rows, keys, d, e, causal, dropout = CASES[case]
    host = [numbers(dtype, 3, heads, rows, d), numbers(dtype, 3, groups, keys, d), numbers(dtype, 3, groups, keys, e)]
    tensors = [wrap(placed(xp, a, between)).requires_grad_() for a in host]
    seed = wrap(xp.asarray(np.array(SEED, np.int64))) if dropout else None
    assert avoids_softmax(*(t._data for t in tensors), None, causal, dropout)
    out = ops.flash_attention(*tensors, None, seed, causal, 0.3, dropout)[0]
    kept = host_libraries.dropped(*SEED, (3, heads, rows, keys), 1 - dropout) if dropout else None
    g, expected = reference(*host, causal, 0.3, kept, 1 / (1 - dropout))
    out.backward(wrap(xp.asarray(g.astype(host[0].dtype))))
    assert len(library.runs) == 2
    assert out._data.swapaxes(1, 2).flags.c_contiguous, "heads have to be copied before they are joined"
    for found, right in zip((out, *(t.grad for t in tensors)), expected):
        np.testing.assert_allclose(found._data.get().astype(np.float64), right, atol=TOLERANCE[dtype] * max(1, np.abs(right).max()))


MASKS = {  # shapes; the third has queries that may look nowhere
    "padding": ((3, 1, 1, 7), False), "matrix": ((5, 7), False), "with blind queries": ((3, 2, 5, 7), True), "per batch": ((3, 1, 5, 7), False),
}


@pytest.mark.parametrize("added", [False, True], ids=["boolean", "added"])
@pytest.mark.parametrize("name", MASKS)
@pytest.mark.parametrize("dims", [3, 4])
def test_masks(plugged, name, added, dims):
    xp, library = plugged
    shape, blind = MASKS[name]
    shape = shape if dims == 4 or len(shape) < 4 else shape[1:]
    host = [numbers("float16", *((3, 2) if dims == 4 else (2,)), rows, 8) for rows in (5, 7, 7)]
    mask = np.random.default_rng(1).random(shape) < 0.7
    mask[..., 0] = True
    if blind:
        mask[..., 2, :] = False
    given = np.where(mask, numbers("float16", *shape), -np.inf).astype(np.float16) if added else mask
    tensors = [wrap(xp.asarray(a)).requires_grad_() for a in host]
    out = F.scaled_dot_product_attention(*tensors, attn_mask=wrap(xp.asarray(given)))
    out.sum().backward()
    wide = [wrap(a.astype(np.float64)).requires_grad_() for a in host]
    expected = F.scaled_dot_product_attention(*wide, attn_mask=wrap(given.astype(np.float64) if added else given))
    expected.sum().backward()
    assert len(library.runs) == 2
    for found, right in zip((out, *(t.grad for t in tensors)), (expected, *(t.grad for t in wide))):
        np.testing.assert_allclose(found.detach()._data.get().astype(np.float64), right.detach()._data, atol=1e-2)


LEARNT = {  # the shape of a mask that learns, heads of keys, dropout
    "of heads": ((1, 4, 5, 7), 4, 0.0), "one for all": ((5, 7), 4, 0.0), "of the batch": ((3, 1, 5, 7), 4, 0.0),
    "each its own": ((3, 4, 5, 7), 4, 0.0), "shared heads": ((1, 4, 5, 7), 2, 0.0), "dropout": ((1, 4, 5, 7), 4, 0.25),
}


@pytest.mark.parametrize("blind", [False, True], ids=["", "with blind queries"])
@pytest.mark.parametrize("dtype", ["float16", "bfloat16"])
@pytest.mark.parametrize("name", LEARNT)
def test_masks_that_learn(plugged, monkeypatch, name, dtype, blind):
    xp, library = plugged
    shape, groups, dropout = LEARNT[name]
    host = [numbers(dtype, 3, heads, rows, 8) for heads, rows in ((4, 5), (groups, 7), (groups, 7))]
    mask = numbers(dtype, *shape)
    mask[..., 1, 3:] = -np.inf
    if blind:
        mask[..., 2, :] = -np.inf
    monkeypatch.setattr("ringgrad.nn._functional.attention._random", lambda *_: wrap(xp.asarray(np.array(SEED, np.int64))) if dropout else None)
    tensors = [wrap(xp.asarray(a)).requires_grad_() for a in (*host, mask)]
    out = F.scaled_dot_product_attention(*tensors, dropout, enable_gqa=True)
    wide = [wrap(a.astype(np.float64)).requires_grad_() for a in (*host, mask)]
    k, v = (ops.repeat(t, 4 // groups, -3) for t in wide[1:3])
    kept = wrap(host_libraries.dropped(*SEED, (3, 4, 5, 7), 1 - dropout) > 0) if dropout else None
    expected = ops.scaled_dot_product_attention(wide[0], k, v, wide[3], kept, False, 1 / math.sqrt(8), 1 / (1 - dropout))[0]
    g = np.arange(out.numel()).reshape(out.shape) % 5 - 2.0
    out.backward(wrap(xp.asarray(g.astype(host[0].dtype))))
    expected.backward(wrap(g))
    assert len(library.runs) == 2
    for found, right in zip((out, *(t.grad for t in tensors)), (expected, *(t.grad for t in wide))):
        right = right.detach()._data
        np.testing.assert_allclose(found.detach()._data.get().astype(np.float64), right, atol=TOLERANCE[dtype] * max(1, np.abs(right).max()))


@pytest.mark.parametrize("shape, same_bits", [((1, 1, 1, 5), False), ((5,), False), ((5, 5), True)],
                         ids=["its rows alike", "one row", "deterministic"])
def test_masks_that_keep_the_softmax_to_learn(plugged, monkeypatch, shape, same_bits):
    monkeypatch.setitem(DETERMINISTIC, "on", same_bits)
    xp, library = plugged
    x, mask = wrap(xp.asarray(numbers("float16", 1, 2, 5, 8))), wrap(xp.asarray(numbers("float16", *shape))).requires_grad_()
    F.scaled_dot_product_attention(x, x, x, attn_mask=mask).sum().backward()
    assert mask.grad.shape == shape and not library.runs


@pytest.mark.parametrize("dropout", [0.0, 0.5])
@pytest.mark.parametrize("mask", [(7,), (6, 7), (6, 1), (4, 6, 7), (3, 1, 1, 7), (1, 4, 1, 7), (3, 4, 6, 7)])
def test_masks_learn_in_parts_and_dropout_is_drawn_again(compiled, monkeypatch, mask, dropout):
    monkeypatch.setattr("ringgrad.kernels.attention_in_parts.PART", 900)
    xp = host_libraries.device(compiled)
    host = [numbers("float32", 3, 4, rows, 8) for rows in (6, 7, 7)] + [numbers("float32", *mask)]
    with host_gpu.plugged(xp):
        state = xp.asarray(np.array(SEED, np.int64))
        tensors = [wrap(xp.asarray(a)).requires_grad_() for a in host]
        ops.flash_attention(*tensors, wrap(state), False, 0.3, dropout)[0].sum().backward()
        drawn = [philox.below(xp, state, i * 11, (min(5, 12 - i), 6, 7), 1 - dropout).get() for i in range(0, 12, 5)]  # 5 heads have 840 bytes
        kept = wrap(np.concatenate(drawn).reshape(3, 4, 6, 7)) if dropout else None
        wide = [wrap(a.astype(np.float64)).requires_grad_() for a in host]
        ops.scaled_dot_product_attention(*wide, kept, False, 0.3, 1 / (1 - dropout))[0].sum().backward()
        assert not dropout or 0.3 < kept._data.mean() < 0.7 and (drawn[0] != drawn[1]).any()
        for found, right in zip(tensors, wide):
            np.testing.assert_allclose(found.grad._data.get(), right.grad._data, atol=1e-4)


LONG = {  # queries, keys, causal, the shape of a mask, dropout: one head has more than PART bytes
    "causal": (22, 22, True, None, 0.0), "causal, more queries": (30, 17, True, None, 0.0), "causal, more keys": (17, 30, True, None, 0.5),
    "plain": (22, 26, False, None, 0.0), "mask": (22, 26, False, (22, 26), 0.0), "mask of heads": (22, 26, False, (1, 4, 22, 26), 0.5),
    "padding": (22, 26, False, (2, 1, 1, 26), 0.0), "column": (22, 26, False, (22, 1), 0.0), "each its own": (22, 26, False, (2, 4, 22, 26), 0.0),
}


@pytest.mark.parametrize("dtype", TOLERANCE)
@pytest.mark.parametrize("name", LONG)
def test_long_sequences_are_computed_some_queries_at_a_time(compiled, monkeypatch, name, dtype):
    rows, keys, causal, mask, dropout = LONG[name]
    monkeypatch.setattr("ringgrad.kernels.attention_in_parts.PART", 12 * keys * as_dtype(dtype).np.itemsize)
    xp = host_libraries.device(compiled)
    host = [numbers(dtype, 2, heads, n, 8) for heads, n in ((4, rows), (2, keys), (2, keys))] + ([] if mask is None else [numbers(dtype, *mask)])
    with host_gpu.plugged(xp):
        state = xp.asarray(np.array(SEED, np.int64))
        tensors = [wrap(xp.asarray(a)).requires_grad_() for a in host]
        given = (*tensors, *[None] * (4 - len(tensors)))
        out = ops.flash_attention(*given, wrap(state), causal, 0.3, dropout)[0]
        kept = np.zeros((8, rows, keys), bool)
        for head, first in np.ndindex(8, -(-rows // 12)):
            last, seen = min(12 * first + 12, rows), min(12 * first + 12, rows, keys) if causal else keys
            counters = head * -(-rows * keys // 4) + 12 * first * keys // 4
            kept[head, 12 * first:last, :seen] = philox.below(xp, state, counters, (last - 12 * first, seen), 1 - dropout).get()
        wide = [wrap(a.astype(np.float64)).requires_grad_() for a in host]
        k, v = (ops.repeat(t, 2, -3) for t in wide[1:3])
        expected = ops.scaled_dot_product_attention(wide[0], k, v, wide[3] if mask else None, wrap(kept.reshape(2, 4, rows, keys)), causal, 0.3,
                                                    1 / (1 - dropout))[0]
        g = np.arange(out.numel()).reshape(out.shape) % 5 - 2.0
        out.backward(wrap(xp.asarray(g.astype(host[0].dtype))))
        expected.backward(wrap(g))
        for found, right in zip((out, *(t.grad for t in tensors)), (expected, *(t.grad for t in wide))):
            right = right.detach()._data
            np.testing.assert_allclose(found.detach()._data.get().astype(np.float64), right, atol=TOLERANCE[dtype] * 2 * max(1, np.abs(right).max()))


@pytest.mark.parametrize("version, keys, planned",
                         [(91001, 128, False), (91002, 128, True), (91500, 100, False), (91501, 100, True), (91900, 1, False)])
def test_versions_that_compute_wrong_gradients_are_not_asked(plugged, monkeypatch, version, keys, planned):
    """And one query of one key, which no version takes."""
    xp, _ = plugged
    monkeypatch.setattr(choice.graphs(xp, 0), "version", version)
    monkeypatch.setattr(flash, "_PLANS", {})
    x = xp.asarray(numbers("float16", 1, 2, keys, 8))
    assert flash.takes(x, x, x, None, True, 0.0) == planned


def test_pieces_of_one_projection_are_not_copied_and_get_gradients_side_by_side(plugged):
    xp, library = plugged
    joined = xp.asarray(numbers("float16", 3, 5, 3, 2, 8))
    q, k, v = (xp.swapaxes(joined[:, :, i], 1, 2) for i in range(3))
    out, stats = flash.forward(xp, q, k, v, None, None, True, 0.3)
    found = flash.backward(xp, [xp.ones_like(out), None], q, k, v, None, None, (out, stats), True, 0.3, 0.0, (True, True, True, False))[:3]
    _, expected = reference(q, k, v, True, 0.3, None, 1.0)
    assert [a.strides for a in found] == [q.strides] * 3 and found[1].data.ptr - found[0].data.ptr == found[2].data.ptr - found[1].data.ptr == 32
    assert len(library.runs) == 2 and expected[0].shape == out.shape


def test_three_dimensions_are_one_batch_of_heads(plugged):
    xp, library = plugged
    host = [numbers("float16", 4, 5, 8) for _ in range(3)]
    out = F.scaled_dot_product_attention(*[wrap(xp.asarray(a)) for a in host], is_causal=True)
    np.testing.assert_allclose(out._data.get(), reference(*host, True, 1 / math.sqrt(8), None, 1.0)[1][0], atol=4e-3)
    assert len(library.runs) == 1 and out.shape == (4, 5, 8)


@pytest.mark.parametrize("what", ["rows that are not aligned", "features apart", "expanded keys"])
def test_what_the_library_cannot_read_is_copied_first(plugged, what):
    xp, library = plugged
    host = [numbers("float16", 1, 2, 5, 8) for _ in range(3)]
    q, k, v = (xp.asarray(a) for a in host)
    if what == "rows that are not aligned":
        memory = xp.empty((1, 2, 5, 9), q.dtype)
        memory[..., 1:] = q
        q = memory[..., 1:]
    elif what == "features apart":
        memory = xp.empty((1, 2, 5, 16), q.dtype)
        memory[..., ::2] = q
        q = memory[..., ::2]
    else:
        host[1] = np.broadcast_to(host[1][:, :1], host[1].shape)
        k = xp.broadcast_to(k[:, :1], k.shape)
    out, _ = flash.forward(xp, q, k, v, None, None, False, 0.3)
    np.testing.assert_allclose(out.get(), reference(*host, False, 0.3, None, 1.0)[1][0], atol=4e-3)
    assert len(library.runs) == 1


@pytest.mark.parametrize("dtype", TOLERANCE)
@pytest.mark.parametrize("shape", [(3, 4, 6, 8), (4, 6, 8), (6, 8)])
def test_without_the_library_it_runs_in_parts(compiled, monkeypatch, shape, dtype):
    monkeypatch.setattr("ringgrad.kernels.attention_in_parts.PART", 600)
    xp = host_libraries.device(compiled)
    host = [numbers(dtype, *shape), *[numbers(dtype, *shape[:-3], *(2,) * (len(shape) > 2), 7, 8) for _ in range(2)]]
    with host_gpu.plugged(xp):
        tensors = [wrap(xp.asarray(a)).requires_grad_() for a in host]
        out = ops.flash_attention(*tensors, None, None, True, 0.3, 0.0)[0]
        wide = host if len(shape) > 2 else [a[None] for a in host]
        g, expected = reference(*wide, True, 0.3, None, 1.0)
        out.backward(wrap(xp.asarray(g.reshape(out.shape).astype(host[0].dtype))))
        for found, right in zip((out, *(t.grad for t in tensors)), expected):
            np.testing.assert_allclose(found._data.get().astype(np.float64).reshape(right.shape), right, atol=TOLERANCE[dtype] * 5)


@pytest.mark.parametrize("mask", [(7,), (6, 7), (3, 1, 1, 7), (3, 4, 6, 7)])
def test_masks_in_parts(compiled, monkeypatch, mask):
    monkeypatch.setattr("ringgrad.kernels.attention_in_parts.PART", 600)
    xp = host_libraries.device(compiled)
    host, bias = [numbers("float32", 3, 4, rows, 8) for rows in (6, 7, 7)], numbers("float32", *mask)
    with host_gpu.plugged(xp):
        tensors = [wrap(xp.asarray(a)).requires_grad_() for a in host]
        out = ops.flash_attention(*tensors, wrap(xp.asarray(bias)), None, False, 0.3, 0.0)[0]
        out.sum().backward()
        wide = [wrap(a.astype(np.float64)).requires_grad_() for a in host]
        expected = ops.scaled_dot_product_attention(*wide, wrap(bias.astype(np.float64)), None, False, 0.3, 1.0)[0]
        expected.sum().backward()
        for found, right in zip((out, *(t.grad for t in tensors)), (expected, *(t.grad for t in wide))):
            np.testing.assert_allclose(found.detach()._data.get(), right.detach()._data, atol=1e-4)


def test_which_arrays_go_this_way(plugged, monkeypatch):
    xp, _ = plugged
    half, single = xp.asarray(numbers("float16", 1, 2, 6, 8)), xp.asarray(numbers("float32", 1, 2, 6, 8))
    assert avoids_softmax(half, half, half, None, True, 0.1) and not avoids_softmax(single, single, single, None, True, 0.0)
    assert not avoids_softmax(numbers("float16", 1, 2, 6, 8), *[numbers("float16", 1, 2, 6, 8)] * 2, None, True, 0.0), "the CPU keeps its softmax"
    monkeypatch.setattr(sys.modules["ringgrad.ops.flash_attention"], "LARGE", 100)
    assert all(avoids_softmax(single, single, single, (6, 6), False, dropout, True) for dropout in (0.0, 0.1, 1.0))
    assert not avoids_softmax(single, single, single, None, True, 1.5), "what is no probability is left to the function that refuses it"
    for form in ("flash", "cudnn"):
        monkeypatch.setitem(ATTENTION, form, False)
    assert not flash.takes(half, half, half, None, True, 0.0)


@pytest.mark.parametrize("allowed, runs", [(SDPBackend.FLASH_ATTENTION, 1), (SDPBackend.CUDNN_ATTENTION, 1), (SDPBackend.MATH, 0),
                                           ([SDPBackend.MATH, SDPBackend.CUDNN_ATTENTION], 1)])
def test_the_kernel_that_is_allowed_is_taken(plugged, allowed, runs):
    xp, library = plugged
    x = wrap(xp.asarray(numbers("float16", 1, 2, 6, 8)))
    with sdpa_kernel(allowed):
        F.scaled_dot_product_attention(x, x, x)
    assert len(library.runs) == runs


def test_a_kernel_that_cannot_be_had_is_refused_in_torch_s_words(plugged):
    xp, _ = plugged
    x = wrap(xp.asarray(numbers("float32", 1, 2, 6, 8)))
    with sdpa_kernel(SDPBackend.FLASH_ATTENTION), pytest.raises(RuntimeError, match="No available kernel. Aborting execution."):
        F.scaled_dot_product_attention(x, x, x)
    assert ATTENTION["math"] and F.scaled_dot_product_attention(x, x, x).shape == x.shape


def test_ever_new_lengths_stop_being_planned(plugged, monkeypatch):
    xp, library = plugged
    monkeypatch.setattr(flash, "_PLANS", {})
    monkeypatch.setattr(flash, "MOST", 4)
    for rows in (3, 4, 5, 3):
        x = wrap(xp.asarray(numbers("float16", 1, 2, rows, 8)))
        assert F.scaled_dot_product_attention(x, x, x).shape == x.shape
    assert len(flash._PLANS) == 4 and len(library.runs) == 3


def test_a_gradient_of_the_gradient(plugged):
    xp, _ = plugged
    host = [numbers("float32", 1, 2, 4, 8) for _ in range(3)]
    found = []
    for place, op in ((xp.asarray, ops.flash_attention), (np.asarray, ops.scaled_dot_product_attention)):
        q, k, v = (wrap(place(a)).requires_grad_() for a in host)
        out = op(q, k, v, None, None, True, 0.3)[0]
        gq = squares_gradient(out, q)
        found.append(np.asarray(squares_gradient(gq, k)._data))
    np.testing.assert_allclose(*found, atol=1e-5)


def squares_gradient(out, x):
    """The gradient of the sum of squares of `out`, recorded."""
    return autograd.grad((out * out).sum(), x, create_graph=True)[0]
