"""Gradients of pieces that stand side by side in memory become the whole's gradient without a copy; all others are joined."""
import numpy as np
import pytest

import ringgrad
from ringgrad.nn import functional as F
from ringgrad.ops import joining

HEADS = {  # a projection (2, 70, 192) as queries, keys and values (2, 4, 70, 16), and whether their gradients stand as the operands do
    "split": (lambda x: [p.view(2, 70, 4, 16).transpose(1, 2) for p in x.split(64, dim=2)], True),
    "unbind": (lambda x: x.reshape(2, 70, 3, 4, 16).permute(2, 0, 3, 1, 4).unbind(0), True),
    "unbind in the middle": (lambda x: x.reshape(2, 70, 3, 4, 16).permute(0, 2, 3, 1, 4).unbind(1), True),
    "backwards": (lambda x: [p.view(2, 70, 4, 16).transpose(1, 2) for p in x.split(64, dim=2)][::-1], False),
    "copies": (lambda x: [p.reshape(2, 70, 4, 16).transpose(1, 2).contiguous() for p in x.split(64, dim=2)], False),
    "one head": (lambda x: x.split(64, dim=2), False),
}


def gradient(heads, mask=None):
    x = ringgrad.tensor(np.random.default_rng(0).standard_normal((2, 70, 192)).astype(np.float32), requires_grad=True)
    q, k, v = heads(x * 1)
    F.scaled_dot_product_attention(q, k, v, mask).square().sum().backward()
    return x.grad.numpy()


@pytest.mark.parametrize("masked", [False, True])
@pytest.mark.parametrize("name", HEADS)
def test_attention_of_one_projection(name, masked, monkeypatch):
    heads, expected = HEADS[name]
    mask = ringgrad.ones(70, 70, dtype=ringgrad.bool).tril() if masked else None
    found = []
    monkeypatch.setattr(joining, "_side_by_side", lambda *a, real=joining._side_by_side: found.append(real(*a)) or found[-1])
    got = gradient(heads, mask)
    assert [whole is not None for whole in found] == [expected]
    monkeypatch.setattr(joining, "_side_by_side", lambda *a: None)
    np.testing.assert_allclose(got, gradient(heads, mask), rtol=1e-5, atol=1e-6)


ROOM = np.arange(60.0).reshape(3, 4, 5)
PIECES = {
    "in order": ([ROOM[:, :2], ROOM[:, 2:]], True),
    "of size 1": ([ROOM[:, i:i + 1] for i in range(4)], True),
    "with gaps of size 1": ([ROOM[:, i:i + 1] for i in (0, 2)], True),
    "one behind the other": ([ROOM[:1], ROOM[1:2]], True),
    "side by side along another axis": ([ROOM[:, :, :2], ROOM[:, :, 2:4]], False),
    "in another order": ([ROOM[:, 2:], ROOM[:, :2]], False),
    "of different sizes": ([ROOM[:, :1], ROOM[:, 1:]], False),
    "at uneven distances": ([ROOM[:, i:i + 1] for i in (0, 1, 3)], False),
    "overlapping": ([ROOM[:, :2], ROOM[:, 1:3]], False),
    "of two arrays": ([ROOM[:, :2], ROOM.copy()[:, 2:]], False),
    "whole arrays": ([ROOM, ROOM], False),
    "with one missing": ([ROOM[:, :2], None], False),
    "the same twice": ([ROOM[:, :2], ROOM[:, :2]], False),
    "empty": ([ROOM[:, :0], ROOM[:, 2:2]], False),
    "of other types": ([ROOM[:, :2], ROOM.view(np.int64)[:, 2:]], False),
}


@pytest.mark.parametrize("name", PIECES)
def test_only_neighbours_are_taken_as_they_are(name):
    parts, expected = PIECES[name]
    whole = joining._side_by_side(parts, 1)
    assert (whole is not None) == expected
    if expected:
        np.testing.assert_array_equal(whole, np.concatenate(parts, 1))
        assert np.shares_memory(whole, ROOM)
