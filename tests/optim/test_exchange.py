"""Checkpoints in the middle of a run: state dicts of PyTorch continue here and the other way round, for every optimizer and schedule."""
import copy
import pickle
import warnings

import numpy as np
import pytest

import ringgrad

from .option_rows import ROWS, for_optimizer, ours, theirs
from .test_schedules import ROWS as SCHEDULES
from .test_schedules import advance, two_groups

torch = pytest.importorskip("torch", reason="the oracle, torch, is not installed")
pytestmark = [pytest.mark.torch, pytest.mark.filterwarnings("ignore:::torch")]

HALF = 4
MATRICES = [("Muon", {"lr": 0.02})]


def translated(value, make):
    """A state dict with each tensor made anew by `make` from NumPy."""
    if hasattr(value, "detach"):
        return make(np.array(value.detach().numpy()))
    if isinstance(value, dict):
        return {k: translated(v, make) for k, v in value.items()}
    if isinstance(value, (list, tuple)):
        return type(value)(translated(v, make) for v in value)
    return value


def walk(optimizer, params, make, gradients):
    path = []
    for step in gradients:
        for p, g in zip(params, step):
            p.grad = make(g)
        optimizer.step()
        path.append([p.detach().numpy().copy() for p in params])
    return path


def layout(value):
    """Types, shapes and keys of a state dict, in order."""
    if hasattr(value, "detach"):
        return str(value.dtype).split(".")[1], tuple(value.shape)
    if isinstance(value, dict):
        return [(k, layout(v)) for k, v in value.items()]
    if isinstance(value, (list, tuple)):
        return type(value).__name__, [layout(v) for v in value]
    return type(value).__name__


@pytest.mark.parametrize(("name", "kwargs"), ROWS + MATRICES, ids=lambda x: x if isinstance(x, str) else "-".join(x))
@pytest.mark.parametrize("direction", ["from torch", "to torch"])
def test_a_run_goes_on_in_the_other_library(name, kwargs, direction):
    starts, gradients = for_optimizer(name, "float32" if name == "Muon" else "float64")
    if name == "Muon":
        starts, gradients = [a for a in starts if a.ndim == 2 and a.size], [[g for g in step if g.ndim == 2 and g.size] for step in gradients]
    (first, make), (second, remake) = ((torch, theirs), (ringgrad, ours))[::1 if direction == "from torch" else -1]
    params = [make(x).requires_grad_() for x in starts]
    optimizer = getattr(first.optim, name)(params, **kwargs)
    walk(optimizer, params, make, gradients[:HALF])
    packed, here = optimizer.state_dict(), [p.detach().numpy() for p in params]
    others, twins = ([m(x.copy(order="K")).requires_grad_() for x in here] for m in (remake, make))
    other, twin = getattr(second.optim, name)(others, lr=9.0), getattr(first.optim, name)(twins, lr=9.0)
    other.load_state_dict(translated(packed, remake))
    twin.load_state_dict(copy.deepcopy(packed))
    assert layout(other.state_dict()) == layout(twin.state_dict())
    tolerance = 5e-3 if name == "Muon" else 1e-11
    for a, b in zip(walk(other, others, remake, gradients[HALF:]), walk(twin, twins, make, gradients[HALF:]), strict=True):
        for x, y in zip(a, b, strict=True):
            np.testing.assert_allclose(x, y, rtol=tolerance, atol=tolerance)


PORTABLE = {k: v for k, v in SCHEDULES.items() if k not in ("lambdas", "cyclic_custom")}


@pytest.mark.parametrize("name", PORTABLE)
@pytest.mark.parametrize("direction", ["from torch", "to torch"])
def test_a_schedule_goes_on_in_the_other_library(name, direction):
    first, second = (torch, ringgrad)[::1 if direction == "from torch" else -1]
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # torch's own, about its chained schedules
        optimizer, other = two_groups(first), two_groups(second)
        schedule, twin = PORTABLE[name](first.optim.lr_scheduler, optimizer), PORTABLE[name](second.optim.lr_scheduler, other)
        advance(optimizer, schedule, range(11))
        twin.load_state_dict(pickle.loads(pickle.dumps(schedule.state_dict())))
        other.load_state_dict(copy.deepcopy(optimizer.state_dict()))
        for a, b in zip(advance(other, twin, range(11, 29)), advance(optimizer, schedule, range(11, 29)), strict=True):
            for group, other_group in zip(a, b, strict=True):
                assert group[0] == pytest.approx(other_group[0], rel=1e-12, abs=1e-15) and group[1] == pytest.approx(other_group[1], rel=1e-12)


@pytest.mark.parametrize("name", ["Adafactor", "Adam", "RAdam", "SGD"])
def test_named_parameters_are_in_the_state_dict(name):
    def packed(library):
        model = library.nn.Linear(3, 2)
        optimizer = getattr(library.optim, name)(model.named_parameters(), lr=0.1)
        return optimizer.state_dict()["param_groups"], repr(optimizer)
    assert packed(ringgrad) == packed(torch)


def test_deprecated_plain_counts_are_read():
    """torch kept counts as numbers once."""
    def go_on(library, make):
        p = make(np.array([1.0, 2.0])).requires_grad_()
        optimizer = library.optim.Adam([p], lr=0.1)
        p.grad = make(np.array([1.0, -1.0]))
        optimizer.step()
        packed = optimizer.state_dict()
        packed["state"][0]["step"] = 1
        optimizer.load_state_dict(packed)
        optimizer.step()
        return p.detach().numpy()
    np.testing.assert_allclose(go_on(ringgrad, ours), go_on(torch, theirs), rtol=1e-12)
