"""Mixed precision on a GPU: types by the CUDA lists, and the scaler's path, equal to the CPU's."""
import numpy as np
import pytest

import ringgrad
from ringgrad import amp, optim
from ringgrad.nn import functional as F

pytestmark = [pytest.mark.gpu, pytest.mark.skipif(not ringgrad.cuda.is_available(), reason="no CUDA GPU that CuPy can use on this machine")]

F16, F32, F64 = ringgrad.float16, ringgrad.float32, ringgrad.float64
ROWS = {  # name: (call on a (4, 4) matrix, type for float32, type for float16)
    "matmul": (lambda x: x @ x, F16, F16), "mv": (lambda x: x.mv(x[0]), F16, F16), "addmm": (lambda x: x.addmm(x, x), F16, F16),
    "linear": (lambda x: F.linear(x, x), F16, F16), "exp": (lambda x: x.exp(), F32, F32), "pow": (lambda x: x**2, F32, F32),
    "softmax": (lambda x: F.softmax(x, 1), F32, F32), "sum": (lambda x: x.sum(), F32, F32), "layer_norm": (lambda x: F.layer_norm(x, (4,)), F32, F32),
    "mse_loss": (lambda x: F.mse_loss(x, x), F32, F32), "relu": (lambda x: x.relu(), F32, F16), "mixed": (lambda x: x.half() + x, F32, F16),
    "atan2": (lambda x: ringgrad.atan2(x, x.half()), F32, F16), "dot": (lambda x: x[0].dot(x[0].half()), F32, F16),
}


@pytest.mark.parametrize("name", ROWS)
def test_types(name):
    call, wide, half = ROWS[name]
    x = ringgrad.ones(4, 4, device="cuda")
    with ringgrad.autocast("cuda"):
        assert call(x).dtype is wide and call(x.half()).dtype is half
        assert (x.double() @ x.double()).dtype is F64
    with ringgrad.autocast("cpu"):
        assert (x @ x).dtype is F32


def test_binary_cross_entropy_is_refused():
    x = ringgrad.full((4,), 0.5, device="cuda")
    with ringgrad.autocast("cuda"), pytest.raises(RuntimeError, match="unsafe to autocast"):
        F.binary_cross_entropy(x, x)


@pytest.mark.parametrize("kwargs", [{}, {"fused": True}])
def test_the_scaler_takes_the_path_it_takes_on_the_cpu(kwargs):
    def path(device):
        p = ringgrad.tensor([1.0, -2.0], device=device, requires_grad=True)
        optimizer = optim.SGD([p], lr=0.1, **kwargs)
        scaler = amp.GradScaler(device, init_scale=1024.0, growth_interval=2)
        out = []
        for n in range(8):
            optimizer.zero_grad()
            scaler.scale((p * p).sum() * (float("inf") if n in (2, 5) else 1.0)).backward()
            scaler.step(optimizer)
            scaler.update()
            out.append((scaler.get_scale(), *p.tolist()))
        return out
    np.testing.assert_allclose(path("cuda"), path("cpu"), rtol=1e-6)
