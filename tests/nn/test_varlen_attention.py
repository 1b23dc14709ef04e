"""varlen_attn beside torch's scaled_dot_product_attention of one sequence after the other: torch's own runs on a GPU only."""
import inspect
import math

import numpy as np
import pytest

import ringgrad
from ringgrad.nn.attention import varlen
from ringgrad.nn.attention.varlen import AuxRequest, varlen_attn, varlen_attn_out

ROWS, KEYS = (3, 0, 5, 1, 4), (4, 2, 0, 6, 4)
SPARE = 2  # tokens behind the last sequence
WINDOWS = [(-1, -1), (-1, 0), (2, 0), (1, 1), (0, -1)]


def numbers(*shape):
    return np.random.default_rng([5, *shape]).standard_normal(shape)


def ends(lengths):
    return np.cumsum([0, *lengths]).astype(np.int32)


def given(heads=4, groups=2):
    return numbers(sum(ROWS) + SPARE, heads, 8), numbers(sum(KEYS) + SPARE, groups, 8), numbers(sum(KEYS) + SPARE, groups, 6)


def visible(torch, rows, keys, window):
    own, place = torch.arange(rows)[:, None] + keys - rows, torch.arange(keys)
    return ((place <= own + window[1]) | (window[1] < 0)) & ((place >= own - window[0]) | (window[0] < 0))


def each_sequence(torch, q, k, v, window):
    """(attention, logarithms of sums (H, T)): 0 and infinity for queries that look nowhere."""
    out, sums = torch.zeros(*q.shape[:2], v.shape[2], dtype=q.dtype), torch.full((q.shape[1], len(q)), math.inf, dtype=q.dtype)
    for a, b, c, d in zip(ends(ROWS), ends(ROWS)[1:], ends(KEYS), ends(KEYS)[1:]):
        seen, each = visible(torch, b - a, d - c, window), [t.transpose(0, 1) for t in (q[a:b], k[c:d], v[c:d])]
        here = seen.any(1)
        if here.any():
            q_, k_, v_ = each[0][None, :, here], each[1][None], each[2][None]
            found = torch.nn.functional.scaled_dot_product_attention(q_, k_, v_, attn_mask=seen[here], enable_gqa=True)
            out = out.index_put((torch.arange(a, b)[here],), found[0].transpose(0, 1))
            scores = each[0][:, here] @ each[1].repeat_interleave(q.shape[1] // k.shape[1], 0).transpose(1, 2) / math.sqrt(q.shape[2])
            sums[:, torch.arange(a, b)[here]] = scores.masked_fill(~seen[here], -math.inf).logsumexp(-1).detach()
    return out, sums


@pytest.mark.torch
@pytest.mark.parametrize("groups", [4, 2])
@pytest.mark.parametrize("window", WINDOWS)
def test_each_sequence_is_attention_of_torch(window, groups):
    torch = pytest.importorskip("torch", reason="the oracle, torch, is not installed")
    host, g = given(groups=groups), numbers(sum(ROWS) + SPARE, 4, 6)
    ours, theirs = [ringgrad.from_numpy(a).requires_grad_() for a in host], [torch.from_numpy(a).requires_grad_() for a in host]
    out, sums = varlen_attn(*ours, *map(ringgrad.from_numpy, (ends(ROWS), ends(KEYS))), max(ROWS), max(KEYS), window_size=window,
                            enable_gqa=groups != 4, return_aux=AuxRequest(lse=True))
    expected, expected_sums = each_sequence(torch, *theirs, window)
    out.backward(ringgrad.from_numpy(g))
    expected.backward(torch.from_numpy(g))
    np.testing.assert_allclose(out.detach().numpy(), expected.detach().numpy(), atol=1e-12)
    np.testing.assert_allclose(sums.numpy(), expected_sums.numpy(), rtol=1e-6, atol=1e-6)
    assert not sums.requires_grad and sums.dtype == ringgrad.float32
    for a, b in zip(ours, theirs):
        np.testing.assert_allclose(a.grad.numpy(), b.grad.numpy(), atol=1e-12)


@pytest.mark.parametrize("window", WINDOWS[:3])
def test_gradients_of_first_and_second_order(window):
    cu = [ringgrad.tensor(a) for a in ([0, 2, 2, 3], [0, 1, 3, 4])]
    inputs = [ringgrad.from_numpy(numbers(4, heads, n)).requires_grad_() for heads, n in ((2, 2), (1, 2), (1, 1))]

    def function(q, k, v):
        return varlen_attn(q, k, v, *cu, 2, 2, window_size=window, enable_gqa=True)
    assert ringgrad.autograd.gradcheck(function, inputs)
    assert ringgrad.autograd.gradgradcheck(function, inputs)


@pytest.mark.torch
def test_signatures_are_those_of_torch():
    pytest.importorskip("torch", reason="the oracle, torch, is not installed")
    import torch.nn.attention.varlen as theirs
    assert sorted(varlen.__all__) == sorted(theirs.__all__) and AuxRequest() == (False,)
    for name in ("varlen_attn", "varlen_attn_out"):
        ours, other = (inspect.signature(getattr(module, name)).parameters.values() for module in (varlen, theirs))
        assert [(p.name, p.kind, p.default) for p in ours] == [(p.name, p.kind, p.default) for p in other]


def test_written_into_a_tensor():
    q, k, v = map(ringgrad.from_numpy, given())
    cu = [ringgrad.from_numpy(ends(lengths)) for lengths in (ROWS, KEYS)]
    out = ringgrad.empty(len(q), 4, 6, dtype=ringgrad.float64)
    assert varlen_attn_out(out, q, k, v, *cu, 5, 6, enable_gqa=True) is out
    np.testing.assert_array_equal(out.numpy(), varlen_attn(q, k, v, *cu, 5, 6, enable_gqa=True).numpy())
    assert varlen_attn_out(out, q, k, v, *cu, 5, 6, enable_gqa=True, return_aux=AuxRequest(lse=True))[1].shape == (4, len(q))


@pytest.mark.parametrize("window", WINDOWS)
def test_keys_that_are_not_used_yet(window):
    """seqused_k and pages give what shorter sequences of keys give."""
    used, (q, k, v) = (2, 1, 0, 6, 3), given()
    cu_q, cu_k = ends(ROWS), ends(KEYS)
    kept = np.concatenate([np.arange(n) + start for start, n in zip(cu_k, used)])
    tensor, lengths = ringgrad.from_numpy, ringgrad.tensor(used, dtype=ringgrad.int32)
    how = {"window_size": window, "enable_gqa": True}
    expected = varlen_attn(tensor(q), tensor(k[kept]), tensor(v[kept]), tensor(cu_q), tensor(ends(used)), 5, 6, **how).numpy()
    found = varlen_attn(tensor(q), tensor(k), tensor(v), tensor(cu_q), tensor(cu_k), 5, 6, seqused_k=lengths, **how)
    np.testing.assert_allclose(found.numpy(), expected, atol=1e-12)
    table = np.random.default_rng(0).permutation(20).reshape(5, 4).astype(np.int32)
    pages = [np.full((20, 2, 2, a.shape[2]), np.nan) for a in (k, v)]
    for n, start in enumerate(cu_k[:-1]):
        for i in range(used[n]):
            for page, a in zip(pages, (k, v)):
                page[table[n, i // 2], i % 2] = a[start + i]
    pages = [tensor(np.nan_to_num(page, nan=9.0)) for page in pages]
    found = varlen_attn(tensor(q), *pages, tensor(cu_q), None, 5, 6, seqused_k=lengths, block_table=tensor(table), **how)
    np.testing.assert_allclose(found.numpy(), expected, atol=1e-12)


@pytest.mark.parametrize("change, error, says", [
    ({"key": 3, "value": 3}, ValueError,
     "Expect query and key/value to have the same number of heads but got Hq=4 and Hkv=3. Try setting enable_gqa=True for GQA."),
    ({"key": 3, "value": 3, "enable_gqa": True}, ValueError,
     "Expect number of query heads to be a multiple of kv heads for GQA but got Hq=4 and Hkv=3."),
    ({"window_size": (1, 2, 3)}, ValueError, "window_size must have length 2, got 3"),
    ({"value": 2, "enable_gqa": True}, ValueError, "value of the key's size but for D"),
    ({"max_q": 4}, ValueError, "max_q is 4, but cu_seq_q has a sequence of 5"),
    ({"max_k": 5}, ValueError, "max_k is 5, but cu_seq_k has a sequence of 6"),
    ({"cu_seq_q": [0, 3, 2, 4, 5, 6]}, ValueError, r"cu_seq_q must rise from 0 to at most 15, the number of tokens, got \[0, 3, 2, 4, 5, 6\]"),
    ({"cu_seq_k": [0, 5, 10, 15, 16, 30]}, ValueError, "cu_seq_k must rise from 0 to at most 18"),
    ({"cu_seq_q": [0.0, 3.0]}, ValueError, "cu_seq_q must be .* whole numbers"),
    ({"cu_seq_k": [0, 18]}, ValueError, "cu_seq_q says 5 sequences and cu_seq_k 1"),
    ({"cu_seq_k": None}, ValueError, "cu_seq_k may be None only with block_table"),
    ({"block_table": [[0]] * 5}, ValueError, "block_table needs seqused_k"),
    ({"seqused_k": [1] * 5}, RuntimeError, "seqused_k is an inference-only parameter."),
])
def test_what_does_not_fit(change, error, says):
    arguments = {"query": 4, "key": 4, "value": 4, "cu_seq_q": ends(ROWS), "cu_seq_k": ends(KEYS), "max_q": 5, "max_k": 6, **change}
    for name, tokens in (("query", 15), ("key", 18), ("value", 18)):
        arguments[name] = ringgrad.ones(tokens, arguments[name], 8, requires_grad=True)
    if "block_table" in change:
        arguments.update({name: arguments[name].reshape(9, 2, 4, 8) for name in ("key", "value")})
    for name in ("cu_seq_q", "cu_seq_k", "seqused_k", "block_table"):
        if arguments.get(name) is not None:
            arguments[name] = ringgrad.tensor(np.asarray(arguments[name]))
    with pytest.raises(error, match=says):
        varlen_attn(**arguments)


def test_no_tokens_at_all():
    x, cu = ringgrad.zeros(0, 2, 8, requires_grad=True), ringgrad.tensor([0, 0, 0])
    out, sums = varlen_attn(x, x, x, cu, cu, 0, 0, return_aux=AuxRequest(lse=True))
    out.sum().backward()
    assert out.shape == (0, 2, 8) and sums.shape == (2, 0) and x.grad.shape == (0, 2, 8)
