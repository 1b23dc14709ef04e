"""CuPy's results are row-major whatever its inputs are: images on a GPU keep their channels last because of how it is asked (kernels/layout.py)."""
import pytest

import ringgrad
import ringgrad.nn.functional as F
from ringgrad.ops._layout import channels_last

OPERATIONS = {
    "sum": lambda x: x + x * 0.5, "difference": lambda x: 1 - x / 2 - x, "relu, average and product": lambda x: F.relu(x).mean((2, 3), True) * x,
    "joined": lambda x: ringgrad.cat([x, x], 1), "padded": lambda x: F.pad(x, (1, 2, 0, 3), value=0.5), "clamp": lambda x: x.clamp(-1, 1),
    "where": lambda x: ringgrad.where(x > 0, x, -x), "largest": lambda x: ringgrad.maximum(x, x.square()), "in place": lambda x: F.silu(x * 1, True),
    "batch norm": lambda x: F.batch_norm(x, None, None, None, None, True), "max pool": lambda x: F.max_pool2d(x, 3, 2, 1),
    "adaptive max pool": lambda x: F.adaptive_max_pool2d(x, (2, 3)), "average pool": lambda x: F.avg_pool2d(x, 2),
    "resized": lambda x: F.interpolate(x, scale_factor=1.5, mode="bilinear"),
}


@pytest.mark.parametrize("dtype", ["float32", "bfloat16"])
@pytest.mark.parametrize("name", OPERATIONS)
def test_results_and_gradients(mode, name, dtype):
    if mode is None:
        pytest.skip("runs under `make test-cupy`")
    x = ringgrad.ones(3, 8, 6, 10, dtype=getattr(ringgrad, dtype), device="cuda").to(memory_format=ringgrad.channels_last).requires_grad_()
    y = OPERATIONS[name](x)
    (y * y).sum().backward()
    assert channels_last(y._data) and channels_last(x.grad._data) and x.grad.dtype == y.dtype == x.dtype
