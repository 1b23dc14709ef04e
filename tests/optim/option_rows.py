"""Every option of every optimizer as a row, and the points to start from: what the comparisons with PyTorch share."""
import numpy as np
import pytest

import ringgrad

STEPS = 10
ROWS = [
    ("SGD", {"lr": 0.1}),
    ("SGD", {"lr": 0.1, "weight_decay": 0.3}),
    ("SGD", {"lr": 0.1, "momentum": 0.9}),
    ("SGD", {"lr": 0.1, "momentum": 0.9, "dampening": 0.4, "weight_decay": 0.1}),
    ("SGD", {"lr": 0.1, "momentum": 0.8, "nesterov": True}),
    ("SGD", {"lr": 0.1, "momentum": 0.8, "nesterov": True, "weight_decay": 0.1, "maximize": True}),
    ("SGD", {"lr": 0.1, "maximize": True}),
    ("Adam", {}),
    ("Adam", {"lr": 0.05, "betas": (0.5, 0.7), "eps": 1e-3}),
    ("Adam", {"lr": 0.05, "weight_decay": 0.2}),
    ("Adam", {"lr": 0.05, "amsgrad": True}),
    ("Adam", {"lr": 0.05, "amsgrad": True, "weight_decay": 0.2, "maximize": True}),
    ("Adam", {"lr": 0.05, "weight_decay": 0.2, "decoupled_weight_decay": True}),
    ("AdamW", {}),
    ("AdamW", {"lr": 0.05, "weight_decay": 0.3}),
    ("AdamW", {"lr": 0.05, "amsgrad": True, "maximize": True}),
    ("Adagrad", {}),
    ("Adagrad", {"lr": 0.1, "lr_decay": 0.2, "weight_decay": 0.1}),
    ("Adagrad", {"lr": 0.1, "initial_accumulator_value": 0.5, "eps": 1e-3, "maximize": True}),
    ("Adadelta", {}),
    ("Adadelta", {"lr": 0.5, "rho": 0.7, "eps": 1e-3, "weight_decay": 0.1}),
    ("Adadelta", {"maximize": True}),
    ("RMSprop", {}),
    ("RMSprop", {"lr": 0.05, "alpha": 0.8, "eps": 1e-3, "weight_decay": 0.1}),
    ("RMSprop", {"lr": 0.05, "momentum": 0.7}),
    ("RMSprop", {"lr": 0.05, "centered": True}),
    ("RMSprop", {"lr": 0.05, "centered": True, "momentum": 0.7, "maximize": True}),
    ("NAdam", {}),
    ("NAdam", {"lr": 0.05, "weight_decay": 0.1, "momentum_decay": 0.1}),
    ("NAdam", {"lr": 0.05, "weight_decay": 0.1, "decoupled_weight_decay": True, "maximize": True}),
    ("Adamax", {}),
    ("Adamax", {"lr": 0.05, "betas": (0.5, 0.7), "weight_decay": 0.1, "eps": 1e-2, "maximize": True}),
    ("RAdam", {}),
    ("RAdam", {"lr": 0.05, "betas": (0.8, 0.9), "weight_decay": 0.1, "eps": 1e-3}),
    ("RAdam", {"lr": 0.05, "betas": (0.8, 0.5)}),
    ("RAdam", {"lr": 0.05, "betas": (0.8, 0.9), "weight_decay": 0.1, "decoupled_weight_decay": True, "maximize": True}),
    ("Rprop", {}),
    ("Rprop", {"lr": 0.1, "etas": (0.3, 1.5), "step_sizes": (1e-2, 0.3), "maximize": True}),
    ("ASGD", {}),
    ("ASGD", {"lr": 0.1, "lambd": 0.1, "alpha": 0.5, "t0": 3, "weight_decay": 0.1, "maximize": True}),
    ("Adafactor", {}),
    ("Adafactor", {"lr": 0.1, "weight_decay": 0.2, "d": 1.5, "eps": (1e-3, 1e-2), "beta2_decay": -0.5, "maximize": True}),
]
options = pytest.mark.parametrize(("name", "kwargs"), ROWS, ids=[f"{n}-{'-'.join(map(str, k))}" for n, k in ROWS])


def arrays(dtype, seed=0):
    """Parameters of several shapes and layouts, and a list of gradients for each."""
    rng = np.random.default_rng(seed)

    def draw(shape):
        x = rng.standard_normal(shape)
        return np.asarray(x + 1j * rng.standard_normal(shape) if dtype == "complex128" else x).astype(dtype)

    shapes = [(3, 4), (5,), (), (2, 3, 2), (0, 3)]
    starts = [draw(s) for s in shapes]
    starts[3] = np.asfortranarray(starts[3])
    return starts, [[draw(s) for s in shapes] for _ in range(STEPS)]


def for_optimizer(name, dtype):
    """`arrays`, without the empty parameter for Adafactor, where torch divides by zero."""
    starts, gradients = arrays(dtype)
    return (starts[:-1], [step[:-1] for step in gradients]) if name == "Adafactor" else (starts, gradients)


def ours(x):
    return ringgrad.from_numpy(x.copy(order="K"))


def theirs(x):
    torch = pytest.importorskip("torch", reason="the oracle, torch, is not installed")
    return torch.from_numpy(x.copy(order="K"))
