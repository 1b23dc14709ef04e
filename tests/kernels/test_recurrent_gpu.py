"""Recurrent layers on a GPU: two launches for each step and direction, 16 bytes at a time.  test_block_kernels.py runs one element at a time."""
import block_rows
import host_gpu
import host_libraries
import numpy as np
import pytest

import ringgrad
from ringgrad import nn
from ringgrad._core.tensor import wrap
from ringgrad._libraries import choice, cublaslt
from ringgrad.kernels import family, recurrent

pytestmark = pytest.mark.skipif(host_gpu.compiler() is None, reason="no g++ on the PATH to compile the CUDA sources with")


@pytest.fixture
def library():
    return host_libraries.CublasLt()


@pytest.fixture
def xp(compiled, library):
    device = host_libraries.device(compiled)
    choice.put("matmul", device, 0, cublaslt.Planner(cublaslt.opened(library)))
    with host_gpu.plugged(device):
        yield device


@pytest.mark.parametrize(("row", "dtype"), [(row, dtype) for row in block_rows.PACKED for dtype in row.dtypes], ids=lambda a: getattr(a, "name", a))
def test_16_bytes_at_a_time(xp, row, dtype, monkeypatch):
    monkeypatch.setattr(recurrent, "MANY", 0)
    block_rows.check(row, xp, dtype, both_orders=False)


@pytest.fixture
def launches(monkeypatch):
    """The kernels of families that were launched, in their order."""
    seen, launch = [], family.Family.launch
    monkeypatch.setattr(family.Family, "launch", lambda self, xp, kernel, *rest: seen.append(kernel) or launch(self, xp, kernel, *rest))
    return seen


@pytest.mark.parametrize("dtype", ["float32", "bfloat16"])
@pytest.mark.parametrize(("kind", "gates"), [("LSTM", 4), ("GRU", 3), ("RNN", 1)])
def test_launches_of_a_layer(xp, library, launches, kind, gates, dtype):
    """Each step is a product and a kernel, forward and backward; inputs and weights' gradients are one product each; halves stay halves."""
    steps, batch, inputs, size = 5, 3, 6, 8
    layer = getattr(nn, kind)(inputs, size).to("cuda").to(getattr(ringgrad, dtype))
    x = wrap(xp.place(np.random.default_rng(0).standard_normal((steps, batch, inputs)).astype(block_rows.DTYPES[dtype]))).requires_grad_()
    y, _ = layer(x)
    name = kind.lower()
    assert launches.count(f"{name}_forward") == steps and len(library.runs) == steps + 1
    y.backward(wrap(xp.place(np.ones(tuple(y.shape), block_rows.DTYPES[dtype]))))
    assert launches.count(f"{name}_backward") == steps and len(library.runs) == 2 * steps + 1 + 3
    assert {told["a"]["kind"] for told in library.runs} == {cublaslt.R_32F if dtype == "float32" else cublaslt.R_16BF}
    products = sorted((told["d"]["rows"], told["d"]["columns"]) for told in library.runs)
    assert products.count((gates * size, batch * steps)) == 1 and (inputs, gates * size) in products and (size, gates * size) in products


@pytest.mark.parametrize("kind", ["LSTMCell", "GRUCell", "RNNCell"])
def test_cells_are_layers_of_one_step(xp, kind):
    ringgrad.manual_seed(0)
    cell, x = getattr(nn, kind)(6, 5), np.random.default_rng(0).standard_normal((3, 6)).astype(np.float32)
    first = lambda out: out[1] if kind == "LSTMCell" else out  # noqa: E731 - c', which h' is made of
    expected = first(cell(ringgrad.from_numpy(x)))
    cell.to("cuda")
    found = first(cell(wrap(xp.place(x))))
    np.testing.assert_allclose(found.detach()._data.get(), expected.detach().numpy(), atol=1e-6)
    assert f"{kind.removesuffix('Cell').lower()}_forward" in xp.launched


def test_a_network_of_layers_both_ways_and_packed(xp):
    """Two layers, two directions, sequences of different lengths: values and gradients are those of the CPU."""
    ringgrad.manual_seed(0)
    net, x = nn.LSTM(4, 6, 2, bidirectional=True), np.random.default_rng(0).standard_normal((5, 3, 4)).astype(np.float32)
    found = []
    for on_gpu in (False, True):
        net.zero_grad()
        net.to("cuda" if on_gpu else "cpu")
        packed = nn.utils.rnn.pack_padded_sequence(wrap(xp.place(x)) if on_gpu else ringgrad.from_numpy(x), ringgrad.tensor([5, 2, 3]),
                                                   enforce_sorted=False)
        y, (h, c) = net(packed)
        (y.data.square().sum() + (h * c).sum()).backward()
        found.append([np.asarray(t._data.get() if on_gpu else t._data) for t in (y.data.detach(), *(p.grad for p in net.parameters()))])
    for right, ours in zip(*found):
        np.testing.assert_allclose(ours, right, rtol=1e-4, atol=1e-5)
