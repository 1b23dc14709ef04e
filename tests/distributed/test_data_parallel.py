"""DataParallel with several replicas on one device: equal to the module itself, gradients and errors included."""

import threading
from collections import namedtuple

import numpy as np
import pytest

import ringgrad
from ringgrad import cuda, nn
from ringgrad._core import hooks
from ringgrad.distributed import parallel
from ringgrad.distributed.data_parallel import _check_home
from ringgrad.distributed.parallel import DataParallel, data_parallel, gather, parallel_apply, replicate, scatter

Pair = namedtuple("Pair", "a b")
CPU2, CPU3 = ["cpu"] * 2, ["cpu"] * 3


def seeded(module, seed=0):
    random = np.random.default_rng(seed)
    for p in module.parameters():
        hooks.array(p)[...] = random.normal(0, 0.5, tuple(p.shape))
    return module.double()


def mlp():
    return seeded(nn.Sequential(nn.Linear(3, 4), nn.Tanh(), nn.Linear(4, 2)))


def batch(rows=6, width=3):
    return ringgrad.tensor(np.random.default_rng(1).normal(size=(rows, width)))


def gradients(module):
    return [p.grad.tolist() for p in module.parameters()]


# The whole


@pytest.mark.parametrize("devices", [["cpu"], CPU2, CPU3, ["cpu"] * 4])
@pytest.mark.parametrize("rows", [1, 5, 6])
def test_output_and_gradients_equal_the_modules_own(devices, rows):
    alone, net = mlp(), mlp()
    model = DataParallel(net, devices)
    expected, found = alone(batch(rows)), model(batch(rows))
    (expected**2).sum().backward()
    (found**2).sum().backward()
    assert np.allclose(found.tolist(), expected.tolist(), rtol=1e-14)
    for mine, its in zip(gradients(net), gradients(alone)):
        assert np.allclose(mine, its, rtol=1e-13)


def test_gradients_reach_the_input():
    x = batch().requires_grad_()
    DataParallel(mlp(), CPU2)(x).sum().backward()
    expected = batch().requires_grad_()
    mlp()(expected).sum().backward()
    assert np.allclose(x.grad.tolist(), expected.grad.tolist(), rtol=1e-14)


def test_without_a_gpu_the_module_runs_as_it_is():
    if cuda.is_available():
        pytest.skip("there is a GPU")
    for device_ids in (None, [0, 1]):
        model = DataParallel(mlp(), device_ids)
        assert model.device_ids == []
        assert model(batch()).tolist() == mlp()(batch()).tolist()


def test_the_state_dict_has_the_prefix_module():
    assert list(DataParallel(mlp(), CPU2).state_dict()) == [f"module.{name}" for name in mlp().state_dict()]


class Talkative(nn.Module):
    """Takes and returns structures; counts its forward passes in a buffer."""

    def __init__(self):
        super().__init__()
        self.linear = seeded(nn.Linear(3, 2))
        self.shared = self.linear
        self.register_buffer("rows", ringgrad.zeros(1))

    def forward(self, x, *, scale=None, word="", pair=None):
        with ringgrad.no_grad():
            self.rows += x.shape[0]
        out = self.linear(x) * scale["by"]
        return {"out": [out, (self.shared(x), None)], "pair": pair, "grad": ringgrad.tensor([float(ringgrad.is_grad_enabled())])}


def test_structures_are_cut_and_joined():
    x = batch(5)
    arguments = {"scale": {"by": ringgrad.tensor(2.0, dtype=ringgrad.float64).expand(5, 1)}, "word": "same", "pair": Pair(x, (x * 2,))}
    expected, found = Talkative()(x, **arguments), DataParallel(Talkative(), CPU3)(x, **arguments)
    assert np.allclose(found["out"][0].tolist(), expected["out"][0].tolist(), rtol=1e-14)
    assert np.allclose(found["out"][1][0].tolist(), expected["out"][1][0].tolist(), rtol=1e-14)
    assert found["out"][1][1] is None
    assert type(found["pair"]) is Pair
    assert found["pair"].b[0].tolist() == (x * 2).tolist()


@pytest.mark.parametrize("records", [True, False])
def test_replicas_run_in_the_callers_grad_mode(records):
    with ringgrad.set_grad_enabled(records):
        out = DataParallel(Talkative(), CPU2)(batch(), scale={"by": ringgrad.ones(6, 1, dtype=ringgrad.float64)})
    assert out["grad"].tolist() == [float(records)] * 2
    assert out["out"][0].requires_grad == records


def test_the_first_replica_is_the_module_and_the_others_are_copies():
    net = Talkative()
    DataParallel(net, CPU3)(batch(5), scale={"by": ringgrad.ones(5, 1, dtype=ringgrad.float64)})
    assert net.rows.tolist() == [2.0], "only the first replica's two rows count"


def test_keyword_arguments_alone_are_cut_too():
    class Doubles(nn.Module):
        def forward(self, *, x):
            return x * 2

    assert DataParallel(Doubles(), CPU2)(x=batch(3)).tolist() == (batch(3) * 2).tolist()


def test_without_arguments_the_module_runs_once():
    class Constant(nn.Module):
        def forward(self):
            return 3

    assert DataParallel(Constant(), CPU2)() == 3


def test_scalars_are_stacked_with_a_warning():
    class Loss(nn.Module):
        def forward(self, x):
            return x.sum()

    with pytest.warns(UserWarning, match="all input tensors were scalars"):
        assert DataParallel(Loss(), CPU2)(ringgrad.ones(3, 2)).tolist() == [4.0, 2.0]


def test_another_dimension():
    x = batch(3, 4)
    model = nn.Tanh()
    assert DataParallel(model, CPU3, dim=1)(x).tolist() == model(x).tolist()
    assert [part.shape for part in scatter(x, CPU3, -1)] == [(3, 2), (3, 2)]


# Errors


class Fragile(nn.Module):
    """Fails on a batch whose first element is not zero."""

    def __init__(self, error):
        super().__init__()
        self.error = error

    def forward(self, x):
        if x[0, 0].item() != 0:
            raise self.error
        return x


class OddError(Exception):
    """Cannot be made from a message alone."""

    def __init__(self, a, b):
        super().__init__(a, b)


@pytest.mark.parametrize(
    ("error", "raised"), [(KeyError("gone"), KeyError), (ValueError("no"), ValueError), (OddError(1, 2), RuntimeError)]
)
def test_an_error_of_a_replica_names_it_and_shows_where_it_came_from(error, raised):
    x = ringgrad.tensor([[0.0], [1.0]])
    with pytest.raises(raised) as caught:
        DataParallel(Fragile(error), CPU2)(x)
    text = str(caught.value.args[0])
    assert text.startswith(f"Caught {type(error).__name__} in replica 1 on device cpu.\nOriginal Traceback (most recent call last):")
    assert "raise self.error" in text
    assert caught.value.__cause__ is error


def test_errors_leave_no_threads():
    before = threading.active_count()
    with pytest.raises(ValueError, match="in replica 0"):
        DataParallel(Fragile(ValueError()), CPU2)(ringgrad.ones(2, 1))
    assert threading.active_count() == before


def test_the_module_must_be_at_home():
    with pytest.raises(RuntimeError, match=r"on device cuda:0 \(device_ids\[0\]\) but found one of them on device: cpu; move it with"):
        _check_home(mlp(), ringgrad.device("cuda:0"))


def test_wrong_calls():
    with pytest.raises(RuntimeError, match="0-dimensional tensor cannot be cut"):
        DataParallel(nn.Tanh(), CPU2)(ringgrad.tensor(1.0))
    with pytest.raises(RuntimeError, match="no available devices"):
        data_parallel(mlp(), batch(), [])
    with pytest.raises(ValueError, match="number of modules 2 is not equal to the number of inputs 1"):
        parallel_apply([nn.Tanh(), nn.Tanh()], [batch()])
    with pytest.raises(ValueError, match="same number of keys"):
        gather([{"a": batch()}, {}], "cpu")


# The parts


def test_scatter_as_torch_chunks():
    assert [len(part) for part in scatter(ringgrad.zeros(5, 2), ["cpu"] * 4)] == [2, 2, 1]
    assert [len(part) for part in scatter(ringgrad.zeros(0, 2), CPU2)] == [0]
    assert scatter(["a", 1], CPU2) == [["a", 1], ["a", 1]]
    assert scatter((), CPU2) == [(), ()]


def test_replicate_shares_what_can_be_shared():
    net = Talkative()
    first, second = replicate(net, CPU2)
    assert [p is q for p, q in zip(first.parameters(), net.parameters())] == [True, True]
    assert first.rows is net.rows
    assert second.rows is not net.rows
    assert second.shared is second.linear, "a module that appears twice is copied twice"
    first.linear = None
    assert net.linear is not None


def test_detached_replicas_take_no_gradients():
    (replica,) = replicate(mlp(), ["cpu"], detach=True)
    assert not replica(batch()).requires_grad


@pytest.mark.torch
def test_the_names_are_those_of_torch():
    torch_parallel = pytest.importorskip("torch.nn.parallel", reason="PyTorch is not installed")
    assert sorted(parallel.__all__) == sorted(torch_parallel.__all__)


# GPUs


@pytest.mark.gpu
def test_two_replicas_on_a_gpu():
    if not cuda.is_available():
        pytest.skip("no GPU")
    alone, net = mlp().cuda(), mlp().cuda()
    devices = list(range(cuda.device_count())) if cuda.device_count() > 1 else [0, 0]
    found, expected = DataParallel(net, devices)(batch().cuda()), alone(batch().cuda())
    (found**2).sum().backward()
    (expected**2).sum().backward()
    assert np.allclose(found.tolist(), expected.tolist(), rtol=1e-12)
    for mine, its in zip(gradients(net), gradients(alone)):
        assert np.allclose(mine, its, rtol=1e-12)
