"""Attention of packed sequences through cuDNN, told to a double of it that reads and writes where it was told that the sequences lie."""
import host_gpu
import host_libraries
import numpy as np
import pytest

from ringgrad._config import ATTENTION, DETERMINISTIC
from ringgrad._core.tensor import wrap
from ringgrad._dtypes import as_dtype
from ringgrad._libraries import choice, cudnn
from ringgrad.kernels import flash, packed_attention
from ringgrad.nn.attention.varlen import AuxRequest, varlen_attn

TOLERANCE = {"float16": 6e-3, "bfloat16": 5e-2}


@pytest.fixture
def plugged(compiled):
    """(array module of an emulated device, its double of cuDNN), with device arrays as CUDA tensors."""
    xp, library = host_libraries.device(compiled), host_libraries.Cudnn()
    choice.put("graphs", xp, 0, cudnn.Planner(cudnn.opened(library)))
    with host_gpu.plugged(xp):
        yield xp, library


CASES = {  # lengths of queries, of keys (None: the same), heads of queries, of keys, features of keys, of values, window
    "plain": ((5, 3, 1), None, 2, 2, 16, 16, (-1, -1)), "causal": ((5, 3, 1), None, 2, 2, 16, 16, (-1, 0)),
    "cross": ((5, 3, 1, 2, 7), (4, 6, 2, 1, 1), 2, 2, 16, 32, (-1, -1)), "causal cross": ((5, 3, 1), (4, 6, 2), 2, 2, 16, 16, (-1, 0)),
    "shared heads": ((5, 3), None, 4, 2, 16, 16, (-1, 0)), "sliding": ((9, 4), None, 2, 2, 16, 16, (2, 0)),
    "both sides": ((9, 4), None, 1, 1, 16, 16, (1, 2)),
    "to the left": ((9, 4), (6, 8), 2, 2, 16, 16, (2, -1)), "narrow": ((5, 3), None, 2, 2, 8, 8, (-1, 0)),
    "empty sequences": ((5, 0, 3, 0, 2), None, 2, 2, 16, 16, (-1, 0)), "no keys, no queries": ((5, 2, 0, 3), (3, 0, 4, 5), 2, 2, 16, 16, (-1, -1)),
}


def numbers(dtype, *shape):
    return np.random.default_rng([4, *shape]).standard_normal(shape).astype(as_dtype(dtype).np)


def sequences(lengths):
    return np.cumsum([0, *lengths]).astype(np.int32)


@pytest.mark.parametrize("same_bits", [False, True], ids=["", "deterministic"])
@pytest.mark.parametrize("spare", [0, 3], ids=["", "tokens of no sequence"])
@pytest.mark.parametrize("dtype", TOLERANCE)
@pytest.mark.parametrize("name", CASES)
def test_attention_and_its_gradients(plugged, monkeypatch, name, dtype, spare, same_bits):
    monkeypatch.setitem(DETERMINISTIC, "on", same_bits)
    xp, library = plugged
    rows, keys, heads, groups, d, e, window = CASES[name]
    cu_q = sequences(rows)
    cu_k = cu_q if keys is None else sequences(keys)
    host = [numbers(dtype, cu_q[-1] + spare, heads, d), *[numbers(dtype, cu_k[-1] + spare, groups, n) for n in (d, e)]]
    g = numbers(dtype, cu_q[-1] + spare, heads, e)

    def run(place, arrays):
        tensors, ends = [wrap(place(a)).requires_grad_() for a in arrays], [wrap(place(cu_q))]
        ends.append(ends[0] if cu_k is cu_q else wrap(place(cu_k)))
        out, sums = varlen_attn(*tensors, *ends, max(rows), max(keys or rows), scale=0.3, window_size=window,
                                enable_gqa=True, return_aux=AuxRequest(lse=True))
        out.backward(wrap(place(g.astype(arrays[0].dtype))))
        return [np.asarray(t.detach()._data, np.float64) for t in (out, sums, *(t.grad for t in tensors))]
    found, expected = run(xp.asarray, host), run(np.asarray, [a.astype(np.float64) for a in host])
    assert len(library.runs) == 2, "it was not computed by the library"
    for ours, right in zip(found, expected):
        finite = np.abs(right[np.isfinite(right)])
        np.testing.assert_allclose(ours, right, atol=TOLERANCE[dtype] * max(1, finite.max(initial=0)))


def test_pieces_of_one_projection_are_read_where_they_lie(plugged):
    xp, library = plugged
    joined, cu = xp.asarray(numbers("float16", 8, 3, 2, 16)), xp.asarray(sequences((5, 3)))
    q, k, v = (joined[:, i] for i in range(3))
    out, _ = packed_attention.forward(xp, q, k, v, cu, cu, 5, 5, -1, 0, 0.3)
    plan = next(plan for key, plan in flash._PLANS.items() if "packed" in key and plan and plan.what.q[1][2] == 3 * 2 * 16)
    assert plan.what.k[1][2] == 96 and len(library.runs) == 1
    wide = [a.get().astype(np.float64) for a in (q, k, v)]
    expected, _ = packed_attention.packed_attention.formula(np, *wide, cu.get(), cu.get(), 5, 5, -1, 0, 0.3)
    np.testing.assert_allclose(out.get(), expected, atol=4e-3)


def test_batches_of_new_lengths_find_their_plan(plugged, monkeypatch):
    xp, library = plugged
    monkeypatch.setattr(flash, "_PLANS", {})
    for lengths in ((5, 3, 1, 2, 2), (7, 1, 120, 2, 9, 1), (128, 4, 4, 4, 4)):
        x = wrap(xp.asarray(numbers("float16", sum(lengths), 1, 16)))
        cu = wrap(xp.asarray(sequences(lengths)))
        varlen_attn(x, x, x, cu, cu, max(lengths), max(lengths), window_size=(-1, 0))
    assert len(flash._PLANS) == 2 and len(library.runs) == 3


@pytest.mark.parametrize("n, least, expected", [(1, 1, 1), (5, 1, 6), (9, 1, 12), (16, 1, 16), (17, 1, 24), (1, 128, 128), (129, 128, 256),
                                                (513, 128, 768), (1025, 128, 1536)])
def test_rounding(n, least, expected):
    assert packed_attention.rounded(n, least) == expected


@pytest.mark.parametrize("why", ["single precision", "another device", "turned off", "a version with wrong windows"])
def test_what_is_not_for_the_library_goes_the_plain_way(plugged, monkeypatch, why):
    xp, library = plugged
    x, cu, lengths = numbers("float16", 8, 2, 16), sequences((5, 3)), (5, 5)
    monkeypatch.setattr(flash, "_PLANS", {})
    if why == "single precision":
        x = x.astype(np.float32)
    elif why == "another device":
        monkeypatch.setattr(host_gpu.Device, "compute_capability", "86")
    elif why == "turned off":
        for form in ("flash", "cudnn"):
            monkeypatch.setitem(ATTENTION, form, False)
    else:
        monkeypatch.setattr(choice.graphs(xp, 0), "version", 91400)
        lengths = (1100, 1100)
    t, ends = wrap(xp.asarray(x)), wrap(xp.asarray(cu))
    assert not packed_attention.takes(*[t._data] * 3, *[ends._data] * 2, *lengths, -1, 0)
    if lengths == (5, 5):
        assert varlen_attn(t, t, t, ends, ends, 5, 5, window_size=(-1, 0)).shape == t.shape
    assert not any(plan.what.packed for plan in flash._PLANS.values() if plan)


def test_gradients_go_the_plain_way_when_the_library_was_turned_off_meanwhile(plugged, monkeypatch):
    xp, library = plugged
    host, cu = [numbers("bfloat16", 8, 2, 16) for _ in range(3)], sequences((5, 3))
    tensors, ends = [wrap(xp.asarray(a)).requires_grad_() for a in host], wrap(xp.asarray(cu))
    out = varlen_attn(*tensors, ends, ends, 5, 5, window_size=(-1, 0))
    for form in ("flash", "cudnn"):
        monkeypatch.setitem(ATTENTION, form, False)
    out.sum().backward()
    wide = [wrap(a.astype(np.float64)).requires_grad_() for a in host]
    varlen_attn(*wide, wrap(cu), wrap(cu), 5, 5, window_size=(-1, 0)).sum().backward()
    assert len(library.runs) == 1
    for ours, right in zip(tensors, wide):
        np.testing.assert_allclose(np.asarray(ours.grad._data, np.float64), right.grad._data, atol=5e-2)
