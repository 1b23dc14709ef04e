"""Averaged models beside PyTorch: equal weights, exponential weights, functions of one's own, buffers, batch norm, and SWALR."""
import copy
import pickle
import warnings

import numpy as np
import pytest

import ringgrad
from ringgrad import nn, optim
from ringgrad.optim import swa_utils

WAYS = {
    "swa": lambda u: {},
    "swa_avg_fn": lambda u: {"avg_fn": u.get_swa_avg_fn()},
    "swa_multi": lambda u: {"multi_avg_fn": u.get_swa_multi_avg_fn()},
    "ema": lambda u: {"avg_fn": u.get_ema_avg_fn(0.7)},
    "ema_multi": lambda u: {"multi_avg_fn": u.get_ema_multi_avg_fn(0.7)},
    "swa_buffers": lambda u: {"use_buffers": True},
    "ema_buffers": lambda u: {"multi_avg_fn": u.get_ema_multi_avg_fn(0.3), "use_buffers": True},
    "own": lambda u: {"avg_fn": lambda average, current, n: (average * n + 2 * current) / (n + 2)},
}


def model_of(library):
    return library.nn.Sequential(library.nn.Linear(3, 4), library.nn.BatchNorm1d(4), library.nn.Linear(4, 2)).double()


def fill(model, make, seed):
    """Set every parameter and buffer from a seed."""
    rng = np.random.default_rng(seed)
    state = {k: make(rng.standard_normal(tuple(v.shape)) if v.is_floating_point() else np.array(seed)) for k, v in model.state_dict().items()}
    model.load_state_dict(state)


def averaged(library, make, way):
    model = model_of(library)
    fill(model, make, 0)
    average = library.optim.swa_utils.AveragedModel(model, **WAYS[way](library.optim.swa_utils))
    path = []
    for n in range(1, 5):
        fill(model, make, n)
        average.update_parameters(model)
        path.append({k: v.numpy().copy() for k, v in average.state_dict().items()})
    return path


@pytest.mark.torch
@pytest.mark.parametrize("way", WAYS)
def test_averages(way):
    torch = pytest.importorskip("torch", reason="the oracle, torch, is not installed")
    for a, b in zip(averaged(ringgrad, ringgrad.from_numpy, way), averaged(torch, torch.from_numpy, way), strict=True):
        assert list(a) == list(b)
        for key in b:
            np.testing.assert_allclose(a[key], b[key], rtol=1e-7, atol=1e-7, err_msg=key)
            assert a[key].dtype == b[key].dtype


def test_the_average_is_the_mean():
    model = nn.Linear(1, 1, bias=False)
    average = swa_utils.AveragedModel(model)
    for value in (1.0, 2.0, 6.0):
        with ringgrad.no_grad():
            model.weight.fill_(value)
        average.update_parameters(model)
    assert average.module.weight.item() == pytest.approx(3.0) and average.n_averaged.item() == 3 and model.weight.item() == 6.0
    assert average(ringgrad.ones(1, 1)).item() == pytest.approx(3.0)
    twin = pickle.loads(pickle.dumps(average))
    assert twin.n_averaged.item() == 3 and copy.deepcopy(average).module.weight.item() == average.module.weight.item()


@pytest.mark.torch
def test_batch_norm_statistics():
    torch = pytest.importorskip("torch", reason="the oracle, torch, is not installed")
    batches = np.random.default_rng(3).standard_normal((4, 6, 3))

    def statistics(library, make):
        model = model_of(library)
        fill(model, make, 0)
        model.eval()
        library.optim.swa_utils.update_bn([make(b) for b in batches[:2]] + [(make(b), None) for b in batches[2:]], model)
        assert not model.training and model[1].momentum == 0.1
        return [model[1].running_mean.numpy(), model[1].running_var.numpy(), model[1].num_batches_tracked.numpy()]
    for x, y in zip(statistics(ringgrad, ringgrad.from_numpy), statistics(torch, torch.from_numpy)):
        np.testing.assert_allclose(x, y, rtol=1e-10)
    swa_utils.update_bn([], nn.Linear(1, 1))  # without a batch norm nobody looks at the data


ROWS = {"cos": {"swa_lr": 0.05, "anneal_epochs": 7}, "linear": {"swa_lr": 0.05, "anneal_epochs": 7, "anneal_strategy": "linear"},
        "groups": {"swa_lr": [0.05, 0.3], "anneal_epochs": 4}, "at_once": {"swa_lr": 0.05, "anneal_epochs": 0}}


def schedule_of(library, kwargs, last_epoch=-1):
    a, b = (library.ones(2, requires_grad=True) for _ in range(2))
    optimizer = library.optim.SGD([{"params": [a]}, {"params": [b], "lr": 0.5}], lr=0.2)
    return optimizer, library.optim.swa_utils.SWALR(optimizer, **kwargs)


def rates(optimizer, schedule, steps):
    path = []
    for _ in range(steps):
        optimizer.step()
        schedule.step()
        path.append(schedule.get_last_lr())
    return path


@pytest.mark.torch
@pytest.mark.parametrize("kwargs", ROWS.values(), ids=ROWS.keys())
def test_thirty_steps_of_swalr(kwargs):
    torch = pytest.importorskip("torch", reason="the oracle, torch, is not installed")
    (a, mine), (b, other) = schedule_of(ringgrad, kwargs), schedule_of(torch, kwargs)
    for x, y in zip(rates(a, mine, 3), rates(b, other, 3), strict=True):
        assert x == pytest.approx(y, rel=1e-10)
    assert set(mine.state_dict()) == set(other.state_dict())
    c, again = schedule_of(ringgrad, kwargs)
    again.load_state_dict(pickle.loads(pickle.dumps(other.state_dict())))  # half of the way in torch
    c.load_state_dict(b.state_dict())
    rest = rates(b, other, 27)
    for x, y, z in zip(rates(a, mine, 27), rest, rates(c, again, 27), strict=True):
        assert x == pytest.approx(y, rel=1e-10) and z == pytest.approx(y, rel=1e-10)


def test_wrong_use():
    model = nn.Linear(1, 1)
    with pytest.raises(AssertionError, match="Only one of avg_fn and multi_avg_fn"):
        swa_utils.AveragedModel(model, avg_fn=len, multi_avg_fn=len)
    for make in (swa_utils.get_ema_avg_fn, swa_utils.get_ema_multi_avg_fn):
        with pytest.raises(ValueError, match="Invalid decay value 1.5"):
            make(1.5)
    optimizer = optim.SGD(model.parameters())
    with pytest.raises(ValueError, match="'cos' or 'linear', instead got steps"):
        swa_utils.SWALR(optimizer, 0.1, anneal_strategy="steps")
    with pytest.raises(ValueError, match="equal or greater than 0, got -1"):
        swa_utils.SWALR(optimizer, 0.1, anneal_epochs=-1)
    with pytest.raises(ValueError, match="same length"):
        swa_utils.SWALR(optimizer, [0.1, 0.2])


def test_get_lr_outside_of_a_step_warns():
    _, schedule = schedule_of(ringgrad, ROWS["cos"])
    with warnings.catch_warnings(), pytest.warns(UserWarning, match="get_last_lr"):
        schedule.get_lr()
