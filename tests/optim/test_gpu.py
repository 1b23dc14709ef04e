"""Optimizers on a GPU take the steps they take on the CPU."""
import numpy as np
import pytest

import ringgrad

pytestmark = [pytest.mark.gpu, pytest.mark.skipif(not ringgrad.cuda.is_available(), reason="no CUDA GPU that CuPy can use on this machine")]

ROWS = [("SGD", {"lr": 0.1, "momentum": 0.9, "nesterov": True, "weight_decay": 0.1}), ("Adam", {"lr": 0.05, "amsgrad": True}),
        ("AdamW", {"lr": 0.05}), ("Adagrad", {"lr": 0.05, "lr_decay": 0.1}), ("Adadelta", {}), ("RMSprop", {"centered": True, "momentum": 0.5}),
        ("NAdam", {"lr": 0.05}), ("Adamax", {"lr": 0.05}), ("RAdam", {"lr": 0.05, "betas": (0.8, 0.9)}), ("Rprop", {"lr": 0.05}),
        ("ASGD", {"lr": 0.05, "lambd": 0.1, "t0": 2}), ("Adafactor", {"lr": 0.05})]


def last(device, name, kwargs, dtype, steps=5):
    rng = np.random.default_rng(0)
    make = lambda: ringgrad.from_numpy(rng.standard_normal((30, 7))).to(getattr(ringgrad, dtype)).to(device).detach()  # noqa: E731
    p = make().requires_grad_()
    optimizer = getattr(ringgrad.optim, name)([p], **kwargs)
    for _ in range(steps):
        p.grad = make()
        optimizer.step()
    return p.detach().to("cpu", ringgrad.float64).numpy(), optimizer, p


@pytest.mark.parametrize(("name", "kwargs"), ROWS, ids=[r[0] for r in ROWS])
@pytest.mark.parametrize("dtype", ["float64", "float32", "bfloat16"])
def test_equal_to_the_cpu(name, kwargs, dtype):
    tolerance = {"float64": 1e-12, "float32": 1e-5, "bfloat16": 2.0**-7}[dtype]
    np.testing.assert_allclose(last("cuda", name, kwargs, dtype)[0], last("cpu", name, kwargs, dtype)[0], rtol=tolerance, atol=tolerance)


@pytest.mark.parametrize(("name", "kwargs"), [r for r in ROWS if r[0] not in ("SGD", "Adagrad", "Adafactor")], ids=lambda r: str(r)[:10])
def test_capturable_keeps_the_count_on_the_gpu(name, kwargs):
    got, optimizer, p = last("cuda", name, {**kwargs, "capturable": True}, "float64")
    assert optimizer.state[p]["step"].is_cuda and optimizer.state[p]["step"].item() == 5
    np.testing.assert_allclose(got, last("cpu", name, kwargs, "float64")[0], rtol=1e-5, atol=1e-5)  # counts are float32


def test_state_moves_to_the_parameter_when_it_is_loaded():
    _, optimizer, _ = last("cuda", "Adam", {}, "float32")
    q = ringgrad.zeros(30, 7, requires_grad=True)
    other = ringgrad.optim.Adam([q])
    other.load_state_dict(optimizer.state_dict())
    assert not other.state[q]["exp_avg"].is_cuda


@pytest.mark.parametrize(("name", "kwargs"), [("SGD", {"momentum": 0.9}), ("Adam", {}), ("RMSprop", {}), ("RMSprop", {"capturable": True})], ids=str)
@pytest.mark.parametrize("what", ["gradient", "state"])
def test_what_is_of_another_shape_is_refused(name, kwargs, what):
    """Kernels know addresses only: one that is taken for longer than it is would be read and written behind its end."""
    _, optimizer, p = last("cuda", name, kwargs, "float32", steps=1)
    p.data = ringgrad.zeros(4, 6, device="cuda") if what == "gradient" else ringgrad.zeros(31, 7, device="cuda")
    if what == "state":
        p.grad = ringgrad.zeros_like(p)
    with pytest.raises(RuntimeError, match=rf"\(the parameter\) must match .*\[30, 7\] \(its {what}\)"):
        optimizer.step()
    assert not p.any()
