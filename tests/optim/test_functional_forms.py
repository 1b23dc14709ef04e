"""The functions of lists, `torch.optim.adam.adam` and its kin, beside PyTorch."""
import sys

import numpy as np
import pytest

import ringgrad
from ringgrad.optim import _functional

torch = pytest.importorskip("torch", reason="the oracle, torch, is not installed")
pytestmark = pytest.mark.torch

BETAS, ADAM = {"beta1": 0.8, "beta2": 0.9}, {"lr": 0.1, "weight_decay": 0.1, "eps": 1e-6, "maximize": False}
ROWS = {  # name: (initial values of the state lists, None for an empty list; options)
    "sgd": (["none"], {"weight_decay": 0.1, "momentum": 0.9, "lr": 0.1, "dampening": 0.3, "nesterov": False, "maximize": False}),
    "adam": ([0, 0, None, "step"], {**ADAM, **BETAS, "amsgrad": False}),
    "adamw": ([0, 0, 0, "step"], {**ADAM, **BETAS, "amsgrad": True}),
    "adagrad": ([0.1, "step"], {**ADAM, "lr_decay": 0.1}),
    "adadelta": ([0, 0, "step"], {**ADAM, "rho": 0.9}),
    "rmsprop": ([0, 0, 0, "step"], {"lr": 0.1, "alpha": 0.9, "eps": 1e-6, "weight_decay": 0.1, "momentum": 0.5, "centered": True}),
    "nadam": ([0, 0, "product", "step"], {"lr": 0.1, "weight_decay": 0.1, "eps": 1e-6, **BETAS, "momentum_decay": 0.01}),
    "radam": ([0, 0, "step"], {"lr": 0.1, "weight_decay": 0.1, "eps": 1e-6, **BETAS}),
    "adamax": ([0, 0, "step"], {"lr": 0.1, "weight_decay": 0.1, "eps": 1e-6, **BETAS, "maximize": False}),
    "rprop": ([0, 0.1, "step"], {"step_size_min": 1e-6, "step_size_max": 5, "etaminus": 0.5, "etaplus": 1.2, "maximize": False}),
    "asgd": ([0, "product", "rate", "step"], {"lambd": 0.1, "lr": 0.1, "t0": 2, "alpha": 0.7, "weight_decay": 0.1, "maximize": False}),
}


def run(library, function, name):
    states, options = ROWS[name]
    rng = np.random.default_rng(0)

    def tensors():
        return [library.from_numpy(rng.standard_normal(s)) for s in ((2, 3), (4,))]

    def start(kind):
        if kind is None:
            return []
        if isinstance(kind, str):
            value = {"none": None, "step": 0.0, "product": 1.0, "rate": 0.1}[kind]
            return [None if value is None else library.tensor(value) for _ in range(2)]
        return [library.zeros_like(p) + kind for p in params]
    params = tensors()
    lists = [start(kind) for kind in states]
    for _ in range(4):
        function(params, tensors(), *lists, **options)
    return [p.numpy() for p in params], [x.numpy() for values in lists for x in values]


@pytest.mark.parametrize("name", ROWS)
def test_four_steps(name):
    got = run(ringgrad, getattr(_functional, name), name)
    want = run(torch, getattr(sys.modules[f"torch.optim.{name}"], name), name)
    for a, b in zip(got, want):
        for x, y in zip(a, b, strict=True):
            np.testing.assert_allclose(x, y, rtol=1e-9)
    assert getattr(sys.modules[f"ringgrad.optim.{name}"], name) is getattr(_functional, name)


def test_wrong_use():
    with pytest.raises(TypeError, match="1 of 4 were given"):
        _functional.adam([], [], [])
    with pytest.raises(TypeError, match="options by name"):
        _functional.sgd([], [], [], True)
