"""Images with their channels last stay so on a GPU: through formats, convolutions, batch norm, activations, sums, pools and whole networks."""
import block_rows
import host_gpu
import host_libraries
import numpy as np
import pytest

import ringgrad
import ringgrad.nn.functional as F
from benchmarks.gpu.networks import resnet50
from ringgrad import nn
from ringgrad._core.tensor import wrap
from ringgrad._libraries import choice, cublaslt, cudnn
from ringgrad.ops import _layout

X = np.random.default_rng(0).standard_normal((3, 5, 4, 6)).astype(np.float32)


@pytest.fixture
def xp(compiled):
    device = host_libraries.device(compiled)
    choice.put("graphs", device, 0, cudnn.Planner(cudnn.opened(host_libraries.Cudnn())))
    choice.put("matmul", device, 0, cublaslt.Planner(cublaslt.opened(host_libraries.CublasLt())))
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
    "per channel, without the batch": lambda x: F.silu(x) * ringgrad.reshape(x[0, :, 0, 0].detach(), (5, 1, 1)),
    "per channel": lambda x: x * ringgrad.reshape(x[0, :, 0, 0].detach(), (1, 5, 1, 1)),
    "a number per image and channel": lambda x: x * ringgrad.reshape(x[:, :, 0, 0].detach(), (3, 5, 1, 1)),
    "less": lambda x: 1.5 - x / 2 - 0.25, "largest": lambda x: ringgrad.maximum(x, x * x), "clamp": lambda x: x.clamp(-1, 1) + x.abs(),
    "where": lambda x: ringgrad.where(x > 0, x, -x), "in place": lambda x: (x * 1).mul_(x.detach()).add_(1), "square": lambda x: x.square() + x ** 3,
    "joined": lambda x: sum(ringgrad.cat([x, x * 2], 1).split(5, 1)), "joined along rows": lambda x: sum(ringgrad.cat([x, x * 2], -2).split(4, 2)),
    "padded": lambda x: F.pad(F.pad(x, (1, 2, 0, 3), value=0.5), (-1, -2, 0, -3)),
    "shuffled": lambda x: ringgrad.sub(*F.channel_shuffle(ringgrad.cat([x, x * 3], 1), 2).split(5, 1)),
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


def pool(name, *options, **more):
    return lambda x: getattr(F, name)(x, *options, **more)


POOLS = {
    "max": (2, pool("max_pool2d", 2)), "max that overlap": (2, pool("max_pool2d", 3, 2, 1)), "max of 1": (1, pool("max_pool1d", 3, 1)),
    "max of 3": (3, pool("max_pool3d", 2, 1)), "max apart": (2, pool("max_pool2d", (2, 3), (1, 2), dilation=(2, 1), ceil_mode=True)),
    "max of many": (2, pool("max_pool2d", 16, 3)), "average": (2, pool("avg_pool2d", 2)), "average of 1": (1, pool("avg_pool1d", 3, 2, 1)),
    "average of 3": (3, pool("avg_pool3d", 2, 1)), "average of what is there": (2, pool("avg_pool2d", 3, 2, 1, True, False)),
    "average, divided by 3": (2, pool("avg_pool2d", 2, divisor_override=3)), "adaptive": (2, pool("adaptive_avg_pool2d", (3, 2))),
    "max, adaptive": (2, pool("adaptive_max_pool2d", (5, 7))), "max, adaptive of 1": (1, pool("adaptive_max_pool1d", 3)),
    "max, adaptive of 3": (3, pool("adaptive_max_pool3d", (2, 2, 7))),
    "adaptive, even": (2, pool("adaptive_avg_pool2d", 2)), "adaptive of 3": (3, pool("adaptive_avg_pool3d", (2, 3, 2))),
    "nearest": (2, pool("interpolate", (7, 3))), "bilinear": (2, pool("interpolate", scale_factor=1.5, mode="bilinear")),
    "trilinear": (3, pool("interpolate", (3, 5, 4), mode="trilinear")), "linear": (1, pool("interpolate", 9, mode="linear")),
}
SIZES = {1: (10,), 2: (18, 20), 3: (4, 3, 5)}


@pytest.mark.parametrize("dtype", block_rows.DTYPES)
@pytest.mark.parametrize("channels", [3, 8], ids=["3 channels", "8 channels"])  # one at a time, and 16 bytes
@pytest.mark.parametrize("name", POOLS)
def test_pools_and_resizing(xp, name, channels, dtype):
    """Results and gradients are those of the formula in float64, with the channels last."""
    dimensions, call = POOLS[name]
    a = np.random.default_rng(0).standard_normal((2, channels, *SIZES[dimensions])).astype(block_rows.DTYPES[dtype])
    found = []
    xp.launched.clear()
    for x in (last(xp, a), wrap(a.astype(np.float64))):
        x.requires_grad_()
        y = call(x)
        g = np.random.default_rng(1).standard_normal(tuple(y.shape)).astype(a.dtype)
        y.backward(last(xp, g) if x.is_cuda else wrap(g.astype(np.float64)))
        found.append((y.detach()._data, x.grad._data))
    assert channels == 3 or not name.startswith(("max", "average")) or any("_packs" in kernel for kernel in xp.launched)
    for ours, right in zip(*found):
        assert _layout.channels_last(ours), "the channels are not last any more"
        np.testing.assert_allclose(ours.get().astype(np.float64), right, rtol=0, atol=4 * block_rows.TOLERANCE[dtype] * max(1, np.abs(right).max()))


def test_some_channels_of_an_image(xp):
    """A slice of the channels is no dense image, but leads to one whose channels are last."""
    x = last(xp, X)[:, 1:4].requires_grad_()
    y = F.max_pool2d(x, 2)
    y.backward(last(xp, X[:, 1:4, :2, :3]))
    assert _layout.channels_last(y._data)
    np.testing.assert_array_equal(y.detach()._data.get(), F.max_pool2d(wrap(X[:, 1:4].copy()), 2).numpy())


class Copies:
    """What copies an image, or makes one of it in another order: by shape."""

    def __init__(self, xp, monkeypatch):
        self.seen = []
        for name in ("reshape", "copy", "astype", "ravel", "flatten"):
            monkeypatch.setattr(host_gpu.DeviceArray, name, self.watched(getattr(np.ndarray, name)), raising=False)
        monkeypatch.setattr(host_gpu.DeviceArray, "__array_ufunc__", self.watched(host_gpu.DeviceArray.__array_ufunc__, True))
        monkeypatch.setattr(xp, "ascontiguousarray", self.watched(xp.ascontiguousarray), raising=False)

    def watched(self, function, computes=False):
        def watching(*args, **kwargs):
            result = function(*args, **kwargs)
            images = [a for a in args if isinstance(a, np.ndarray) and a.ndim > 3 and min(a.shape[2:]) > 1 and a.shape[0] == len(X)]
            made = images and isinstance(result, np.ndarray) and not any(np.may_share_memory(result, a) for a in images)
            if made and not (computes and _layout.channels_last(images[0]) <= _layout.channels_last(result)):
                self.seen.append(f"{function.__name__} {images[0].shape}")
            return result
        return watching


@pytest.mark.parametrize("dtype", ["float32", "bfloat16"])
def test_a_residual_network_is_never_turned(xp, dtype, monkeypatch):
    """ResNet-50's layers, fewer and narrower: from the first convolution to the last product and back no image is copied or turned."""
    ringgrad.manual_seed(0)
    net = resnet50(ringgrad, classes=4, width=8, blocks=(1, 2, 1, 1))
    x, y = ringgrad.from_numpy(np.random.default_rng(0).standard_normal((3, 3, 64, 64)).astype(np.float32)), ringgrad.tensor([0, 3, 1])
    expected = F.cross_entropy(net(x), y)
    expected.backward()
    wanted = net[0][0].weight.grad.numpy()
    net.zero_grad()
    net.to("cuda", memory_format=ringgrad.channels_last).to(getattr(ringgrad, dtype))
    x = x.cuda().to(getattr(ringgrad, dtype)).to(memory_format=ringgrad.channels_last)
    copies = Copies(xp, monkeypatch)
    images = []
    for module in net.modules():
        if isinstance(module, (nn.Conv2d, nn.BatchNorm2d, nn.ReLU, nn.MaxPool2d)):
            module.register_forward_hook(lambda module, inputs, output: images.append(output._data))
    loss = F.cross_entropy(net(x), y.cuda())
    loss.backward()
    assert not copies.seen, f"images were copied: {copies.seen}"
    assert len(images) > 40 and all(_layout.channels_last(a) for a in images if a.shape[2] > 1)
    assert abs(float(loss) - float(expected)) < (1e-5 if dtype == "float32" else 0.1)
    if dtype == "float32":
        np.testing.assert_allclose(net[0][0].weight.grad._data.get(), wanted, rtol=0, atol=1e-4 * np.abs(wanted).max())


def test_dense_layers_are_never_turned(xp, monkeypatch):
    """Joined channels, and their parts on the way back.  A part is copied where cuDNN wants a dense image, and the input's gradient gets memory of
    its own; nothing is turned."""
    ringgrad.manual_seed(0)
    first, norm, second = nn.Conv2d(3, 8, 3, padding=1), nn.BatchNorm2d(11), nn.Conv2d(11, 4, 1)
    x = ringgrad.from_numpy(X[:, :3]).requires_grad_()

    def joined(x):
        return F.avg_pool2d(F.relu(second(norm(ringgrad.cat([x, first(x)], 1)))), 2).relu().mean((2, 3))

    expected = joined(x)
    expected.sum().backward()
    right = x.grad.numpy()
    for module in (first, norm, second):
        module.to("cuda", memory_format=ringgrad.channels_last)
    x = last(xp, X[:, :3]).requires_grad_()
    copies = Copies(xp, monkeypatch)
    out = joined(x)
    out.sum().backward()
    assert set(copies.seen) <= {"ascontiguousarray (3, 4, 6, 8)", "copy (3, 3, 4, 6)"}, f"images were copied: {copies.seen}"
    assert _layout.channels_last(x.grad._data)
    np.testing.assert_allclose(out.detach()._data.get(), expected.detach().numpy(), rtol=1e-4, atol=1e-5)
    np.testing.assert_allclose(x.grad._data.get(), right, rtol=1e-3, atol=1e-5)


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
