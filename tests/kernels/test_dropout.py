"""Dropout on the GPU on the host: one launch gives what the definition, a mask and its application, gives bit for bit; so does the backward pass,
which draws the mask again.  That captured steps draw on: test_captured_steps.py."""
import block_rows
import host_gpu
import numpy as np
import pytest

import ringgrad
import ringgrad.nn.functional as F
from ringgrad import ops
from ringgrad._core.tensor import wrap

pytestmark = pytest.mark.skipif(host_gpu.compiler() is None, reason="no g++ on the PATH to compile the CUDA sources with")


def definition(x, p):
    return ops.masked_scale(x, ops.keep_mask(x, p), 0.0 if p == 1 else 1 / (1 - p))


def run(xp, dropout, n, dtype, p, start):
    """Bits of the result, of the gradient, of a gradient of the gradient, and the state of the generator; what was launched for the first two."""
    ringgrad.manual_seed(5)
    values = np.random.default_rng(n).standard_normal((3, n + start)).astype(block_rows.DTYPES[dtype])
    values[0] = np.nan
    x, g = (wrap(xp.place(values[k])[start:]).requires_grad_() for k in (1, 2))
    x._data[:1] = np.inf
    xp.launched.clear()
    with ringgrad.no_grad():
        first = dropout(x, p)
    second = dropout(x, p)
    gradient, = ringgrad.autograd.grad(second, x, g, create_graph=True)
    again, = ringgrad.autograd.grad(gradient, g, ringgrad.ones_like(g))
    once = ringgrad.autograd.grad(dropout(x, p), x, g.detach())[0]
    bits = [np.ascontiguousarray(t._data.view(np.ndarray)).view(np.uint8) for t in (first, second, gradient, again, once)]
    return bits, ringgrad.cuda.get_rng_state().tolist(), set(xp.launched)


@pytest.mark.parametrize("dtype", block_rows.DTYPES)
@pytest.mark.parametrize(("n", "p", "start"), [(1, 0.3, 0), (37, 0.3, 0), (1500, 0.6, 0), (37, 0.3, 1), (8, 1.0, 0)])
def test_one_launch_gives_what_the_definition_gives(xp, n, p, start, dtype):
    ours, plain = (run(xp, dropout, n, dtype, p, start) for dropout in (F.dropout, definition))
    for a, b in zip(ours[0], plain[0]):
        np.testing.assert_array_equal(a, b)
    assert ours[1] == plain[1]


def test_nothing_else_is_launched(xp):
    x = wrap(xp.place(np.ones((4, 9), np.float32))).requires_grad_()
    xp.launched.clear()
    F.dropout(x, 0.5).backward(ringgrad.ones_like(x))
    assert xp.launched == {"drop", "advance"}
    assert set(np.unique(x.grad._data.view(np.ndarray))) == {0, 2}
