"""flex_attention beside torch's own reference (its eager form), and its masks."""
import warnings

import numpy as np
import pytest

import ringgrad
from ringgrad.nn.attention import flex_attention as ours

RNG = np.random.default_rng(0)
Q, K, V = (RNG.standard_normal((2, 4, n, 8)) for n in (5, 7, 7))
BIAS = RNG.standard_normal((4, 5, 7))

MODS = {
    "nothing": (None, None),
    "relative places": (lambda t: lambda s, b, h, q, kv: s + 0.1 * (q - kv), None),
    "a learnt bias": (lambda t: lambda s, b, h, q, kv: s + t(BIAS)[h, q, kv], None),
    "causal": (None, lambda b, h, q, kv: q >= kv),
    "window of some heads": (lambda t: lambda s, b, h, q, kv: s * 2, lambda b, h, q, kv: ((q - kv).abs() <= 1 + h) & (b + q >= 0)),
    "rows that look nowhere": (None, lambda b, h, q, kv: (q > 2) & (kv < 3)),
}


def run(module, tensor, name):
    score, mask = MODS[name]
    block = None if mask is None else module.create_block_mask(mask, 2, 4, 5, 7, device="cpu")
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # torch warns that it is not compiled
        return module.flex_attention(tensor(Q), tensor(K), tensor(V), None if score is None else score(tensor), block, return_lse=True)


@pytest.mark.torch
@pytest.mark.parametrize("name", MODS)
def test_as_torch(name):
    """torch's eager form has no gradient on the CPU."""
    torch = pytest.importorskip("torch", reason="the oracle, torch, is not installed")
    import torch.nn.attention.flex_attention as theirs
    for a, b in zip(run(ours, ringgrad.from_numpy, name), run(theirs, torch.from_numpy, name)):
        np.testing.assert_allclose(a.numpy(), b.numpy(), rtol=1e-6, atol=1e-7)


@pytest.mark.parametrize("name", MODS)
def test_gradients(name):
    score, mask = MODS[name]
    block = None if mask is None else ours.create_block_mask(mask, 2, 4, 5, 7)
    inputs = [ringgrad.from_numpy(a).requires_grad_() for a in (Q, K, V)]
    assert ringgrad.autograd.gradcheck(
        lambda q, k, v: ours.flex_attention(q, k, v, None if score is None else score(ringgrad.from_numpy), block), inputs)


def test_masks_and_blocks():
    def causal(b, h, q, kv):
        return q >= kv
    block = ours.create_block_mask(causal, None, None, 300, 300)
    assert block.shape == (1, 1, 300, 300) and block.to_dense()[0, 0].tolist() == [[1, 0, 0], [1, 1, 0], [1, 1, 1]]
    assert abs(block.sparsity() - 100 / 3) < 1e-4 and block.mask().sum().item() == 300 * 301 // 2
    both = ours.create_mask(ours.and_masks(causal, lambda b, h, q, kv: q - kv < 2), 1, 1, 4, 4)
    assert both[0, 0].int().tolist() == [[1, 0, 0, 0], [1, 1, 0, 0], [0, 1, 1, 0], [0, 0, 1, 1]]
    assert ours.create_mask(ours.or_masks(causal, ours.noop_mask), 1, 1, 3, 3).all()


def test_grouped_heads_and_wrong_sizes():
    q, k = ringgrad.randn(1, 4, 3, 8), ringgrad.randn(1, 2, 5, 8)
    expected = ours.flex_attention(q, k.repeat_interleave(2, 1), k.repeat_interleave(2, 1))
    assert ours.flex_attention(q, k, k, enable_gqa=True).tolist() == expected.tolist()
    with pytest.raises(ValueError, match="Hq=4 and Hkv=2.*enable_gqa=True"):
        ours.flex_attention(q, k, k)
    with pytest.raises(ValueError, match="must be 4-d"):
        ours.flex_attention(q[0], k, k)
