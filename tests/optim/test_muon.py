"""Muon: beside PyTorch within the rounding of bfloat16, and what its iteration is for."""
import numpy as np
import pytest

import ringgrad
from ringgrad import optim
from ringgrad.optim._muon import orthogonal

SHAPES = [(4, 6), (7, 3), (5, 5), (1, 4)]


def path(library, make, kwargs, dtype="float32"):
    rng = np.random.default_rng(0)
    params = [make(rng.standard_normal(s).astype(dtype)).requires_grad_() for s in SHAPES]
    optimizer = library.optim.Muon(params, **kwargs)
    for _ in range(10):
        for p in params:
            p.grad = make(rng.standard_normal(tuple(p.shape)).astype(dtype))
        optimizer.step()
    return [p.detach().numpy() for p in params], optimizer


@pytest.mark.torch
@pytest.mark.parametrize("kwargs", [{"lr": 0.02}, {"lr": 0.02, "nesterov": False}, {"lr": 0.02, "adjust_lr_fn": "match_rms_adamw"},
                                    {"lr": 0.02, "adjust_lr_fn": "original", "weight_decay": 0.5, "momentum": 0.5},
                                    {"lr": 0.02, "ns_steps": 2, "ns_coefficients": (2.0, -1.5, 0.5), "eps": 1e-3}])
def test_ten_steps(kwargs):
    torch = pytest.importorskip("torch", reason="the oracle, torch, is not installed")
    got, a = path(ringgrad, ringgrad.from_numpy, kwargs)
    want, b = path(torch, torch.from_numpy, kwargs)
    for x, y in zip(got, want):
        np.testing.assert_allclose(x, y, atol=0.4 * kwargs["lr"])  # of a way of ten steps of up to lr each
    assert a.state_dict()["param_groups"] == b.state_dict()["param_groups"] and repr(a) == repr(b)
    for n in range(len(SHAPES)):
        np.testing.assert_allclose(a.state_dict()["state"][n]["momentum_buffer"].numpy(), b.state_dict()["state"][n]["momentum_buffer"].numpy(),
                                   rtol=1e-5, atol=1e-6)


@pytest.mark.parametrize("shape", [(6, 9), (9, 6), (8, 8)])
def test_singular_values_end_near_one(shape):
    rng = np.random.default_rng(1)
    u = orthogonal(ringgrad.from_numpy(rng.standard_normal(shape).astype("float32")), (3.4445, -4.7750, 2.0315), 5, 1e-7)
    values = np.linalg.svd(u.float().numpy(), compute_uv=False)
    assert u.dtype is ringgrad.bfloat16 and u.shape == shape and values.min() > 0.3 and values.max() < 1.3


def test_wrong_use():
    matrix = ringgrad.ones(2, 2, requires_grad=True)
    matrix.grad = ringgrad.ones(2, 2)
    with pytest.raises(ValueError, match=r"only supports 2D parameters whereas we found a parameter with size: .*\[3\]"):
        optim.Muon([ringgrad.ones(3, requires_grad=True)])
    with pytest.raises(ValueError, match="must be less than 100"):
        optim.Muon([matrix], ns_steps=100).step()
    with pytest.raises(ValueError, match="exactly 3 values"):
        optim.Muon([matrix], ns_coefficients=(1.0, 2.0)).step()
    z = ringgrad.ones(2, 2, dtype=ringgrad.complex64, requires_grad=True)
    z.grad = ringgrad.ones(2, 2, dtype=ringgrad.complex64)
    with pytest.raises(RuntimeError, match="Muon does not support complex parameters"):
        optim.Muon([z]).step()
    with pytest.raises(RuntimeError, match="Adafactor does not support complex parameters"):
        optim.Adafactor([z]).step()
