"""Images with their channels last stay so on a GPU: through formats, convolutions, batch norm, activations and sums."""
import host_gpu
import host_libraries
import numpy as np
import pytest

import ringgrad
import ringgrad.nn.functional as F
from ringgrad import nn
from ringgrad._core.tensor import wrap
from ringgrad._libraries import choice, cudnn
from ringgrad.ops import _layout

X = np.random.default_rng(0).standard_normal((3, 5, 4, 6)).astype(np.float32)


@pytest.fixture
def xp(compiled):
    device = host_libraries.device(compiled)
    choice.put("graphs", device, 0, cudnn.Planner(cudnn.opened(host_libraries.Cudnn())))
    with host_gpu.plugged(device):
        yield device


def last(xp, a):
    return wrap(_layout.dense(xp, xp.asarray(a), True))


def test_formats(xp):
    x = wrap(xp.asarray(X)).requires_grad_()
    y = x.to(memory_format=ringgrad.channels_last)
    assert y.shape == x.shape and y.stride() == (120, 1, 30, 5) and y.is_contiguous(memory_format=ringgrad.channels_last)
    assert not y.is_contiguous() and not x.is_contiguous(memory_format=ringgrad.channels_last)
    assert y.to(memory_format=ringgrad.channels_last) is y and y.contiguous().stride() == x.stride()
    np.testing.assert_array_equal(y.detach()._data.get(), X)
    (y * y).sum().backward()
    np.testing.assert_array_equal(x.grad._data.get(), 2 * X)
    volume = wrap(xp.asarray(X[:, :, None]))
    assert volume.contiguous(memory_format=ringgrad.channels_last_3d).stride() == (120, 1, 120, 30, 5)
    with pytest.raises(RuntimeError, match="required rank 4 tensor to use channels_last format"):
        volume.to(memory_format=ringgrad.channels_last)


def test_on_the_cpu_the_format_is_a_word():
    x = ringgrad.from_numpy(X)
    assert x.to(memory_format=ringgrad.channels_last) is x and x.is_contiguous(memory_format=ringgrad.channels_last)


OPERATIONS = {
    "relu": lambda x: F.relu(x), "gelu": lambda x: F.gelu(x), "sum of two": lambda x: x + x * 0.5, "number": lambda x: x * 2.0,
    "per channel": lambda x: x * ringgrad.reshape(x[0, :, 0, 0].detach(), (1, 5, 1, 1)),
    "batch norm": lambda x: F.batch_norm(x, None, None, x[0, :, 0, 0].detach().contiguous(), x[1, :, 0, 0].detach().contiguous(), True),
    "batch norm in evaluation": lambda x: F.batch_norm(x, x[0, :, 0, 0].detach().contiguous(), x[1, :, 0, 0].detach().contiguous() ** 2 + 1),
}


@pytest.mark.parametrize("name", OPERATIONS)
def test_operations_and_their_gradients(xp, name):
    found = []
    for x in (last(xp, X), wrap(X)):
        x.requires_grad_()
        y = OPERATIONS[name](x)
        y.backward(wrap(_layout.dense(xp, xp.asarray(X * 2), True)) if x.is_cuda else wrap(X * 2))
        found.append((y._data, x.grad._data))
    for ours, right in zip(*found):
        assert _layout.channels_last(ours), "the channels are not last any more"
        np.testing.assert_allclose(ours.get(), right, rtol=1e-4, atol=1e-5)


def test_the_other_operand_s_order_does_not_matter(xp):
    x, y = last(xp, X), wrap(xp.asarray(X + 1))
    for out in (x + y, y + x):
        np.testing.assert_allclose(out._data.get(), 2 * X + 1, rtol=1e-5, atol=1e-6)


def test_a_network_keeps_its_images_so(xp):
    """A block of a residual network: outputs and gradients equal the CPU's, and no image changes its order on the way."""
    ringgrad.manual_seed(0)
    block = nn.Sequential(nn.Conv2d(5, 8, 3, padding=1, bias=False), nn.BatchNorm2d(8), nn.ReLU(), nn.Conv2d(8, 5, 3, padding=1), nn.BatchNorm2d(5))
    x = ringgrad.from_numpy(X)
    expected = F.relu(block(x) + x)
    expected.sum().backward()
    gradients = [p.grad.numpy() for p in block.parameters()]
    block.zero_grad()
    block.to("cuda", memory_format=ringgrad.channels_last)
    seen = []
    for module in block:
        module.register_forward_hook(lambda module, inputs, output: seen.append(_layout.channels_last(output._data)))
    x = x.cuda().to(memory_format=ringgrad.channels_last)
    out = F.relu(block(x) + x)
    out.sum().backward()
    assert seen == [True] * 5 and _layout.channels_last(out._data)
    np.testing.assert_allclose(out.detach()._data.get(), expected.detach().numpy(), rtol=1e-3, atol=1e-4)
    for p, right in zip(block.parameters(), gradients):
        assert _layout.is_dense(p.grad._data, p.ndim == 4), "a gradient is not laid out as its weight"
        np.testing.assert_allclose(p.grad._data.get(), right, rtol=1e-2, atol=1e-3)
