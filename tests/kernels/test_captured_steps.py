"""Captured steps, on the GPU on the host (host_capture.py): what a replay does is what the step did, bit for bit."""
import host_capture
import host_gpu
import numpy as np
import pytest
from captured_runs import batches, cnn, mlp, put, same, train, values

import ringgrad
import ringgrad.nn.functional as F
from ringgrad import nn, optim
from ringgrad._backends import BACKENDS
from ringgrad._core.tensor import wrap

pytestmark = pytest.mark.skipif(host_gpu.compiler() is None, reason="no g++ on the PATH to compile the CUDA sources with")


@pytest.mark.parametrize(("build", "optimizer"), [
    (mlp, "SGD"), (cnn, "AdamW"), *[pytest.param(b, o, marks=pytest.mark.slow) for b in (mlp, cnn) for o in ("AMSGrad", "momentum")]])
def test_captured_steps_are_the_steps(xp, build, optimizer):
    """Dropout's numbers go on, clipping is clipping, and what the schedule says reaches the graph."""
    data = batches(9)
    plain, captured = (train(c, build, optimizer, "steps", data) for c in (False, True))
    assert captured[0] == plain[0]
    assert same(captured[1], plain[1])
    assert captured[2] == plain[2]
    assert [kind.captures for kind in captured[3].values()] == [0, 1]  # the first call found no gradients, the others did


@pytest.mark.parametrize(("schedule", "inside"), [("one cycle", True), ("warm up, then cosine", True), ("steps", False)])
def test_schedules_move_what_a_graph_reads(xp, schedule, inside):
    """OneCycleLR moves betas too."""
    data = batches(10)
    plain, captured = (train(c, mlp, "AdamW", schedule, data, inside) for c in (False, True))
    assert captured[0] == plain[0] and captured[2] == plain[2] and same(captured[1], plain[1])
    assert sum(kind.captures for kind in captured[3].values()) == 1


def test_new_shapes_are_captured_anew(xp):
    data = [batch for size in (6, 6, 6, 6, 3, 6, 3, 3, 3, 6) for batch in batches(1, size, size)]
    plain, captured = (train(c, mlp, "AdamW", "steps", data) for c in (False, True))
    assert captured[0] == plain[0] and same(captured[1], plain[1])
    assert [kind.captures for kind in captured[3].values()] == [0, 1, 1]


def test_few_graphs_are_kept(xp):
    double = ringgrad.compile_step(lambda x: x * 2, warmup=1, max_graphs=2)
    for n in (1, 2, 3, 2, 2):
        assert double(put(np.ones(n, np.float32))).tolist() == [2.0] * n
    assert len(double.graphs) == 2


def test_arguments_of_all_kinds(xp):
    """Containers are looked into; what is no tensor is part of the graph."""
    scale = ringgrad.compile_step(lambda batch, *, by, names=(): {"out": [t * by for t in batch["x"]], "names": names}, warmup=1)
    for n in range(6):
        by = 3 if n % 2 else 2
        x = [put(np.full(2, n, np.float32)), put(np.full((1, 2), n + 1, np.float32))]
        result = scale({"x": x}, by=by, names=("a", None))
        assert [t.tolist() for t in result["out"]] == [[n * by] * 2, [[(n + 1) * by] * 2]] and result["names"] == ("a", None)
    assert sorted(kind.captures for kind in scale.graphs.values()) == [1, 1]


def test_results_are_the_graphs_own(xp):
    double = ringgrad.compile_step(lambda x: (x * 2).relu(), warmup=1)
    first, second = (double(put(np.full(2, n, np.float32)).requires_grad_()) for n in (1, 2))
    third = double(put(np.full(2, 3, np.float32)).requires_grad_())
    assert first.requires_grad and not second.requires_grad  # it has no history
    assert third._data is second._data and second.tolist() == [6, 6]


# Gradients


def test_gradients_that_the_step_leaves_and_adds_to(xp):
    """Accumulation over two calls, zeroed outside: calls that find gradients and calls that do not are two graphs."""
    x, y = batches(1)[0]

    def run(compiled):
        ringgrad.manual_seed(1)
        net = nn.Sequential(nn.Flatten(), nn.Linear(64, 5)).to("cuda")
        opt, found = optim.SGD(net.parameters(), lr=0.1), []

        def step(x, y, last):
            F.cross_entropy(net(x), y).backward()
            if last:
                opt.step()
        go = ringgrad.compile_step(step, warmup=2) if compiled else step
        for n in range(10):
            go(x * (n + 1), y, bool(n % 2))
            found.append(net[1].weight.grad._data.get())
            if n % 2:
                opt.zero_grad()
        return found + values(net)
    assert same(run(True), run(False))


@pytest.mark.parametrize("every", [1, 2], ids=["begun anew", "added up over two"])
def test_an_optimizer_outside_of_what_is_captured(xp, every):
    """Only forward and backward are captured: gradients are there for whoever steps, clears or adds to them outside."""
    data = batches(12)

    def train_outside(compiled):
        ringgrad.manual_seed(0)
        net = mlp().to("cuda")
        opt = optim.SGD(net.parameters(), lr=0.1)

        def passes(x, y):
            loss = F.cross_entropy(net(x), y)
            loss.backward()
            return loss
        run = ringgrad.compile_step(passes) if compiled else passes
        losses = []
        for n, (x, y) in enumerate(data):
            losses.append(run(x, y).item())
            if n % every == every - 1:
                opt.step()
                opt.zero_grad()
        return losses, values(net), getattr(run, "graphs", {})
    plain, captured = train_outside(False), train_outside(True)
    assert captured[0] == plain[0] and same(captured[1], plain[1])
    assert sum(kind.captures for kind in captured[2].values()) == every


def test_gradients_of_the_last_step_can_be_read(xp):
    """Two kinds of calls share memory, and .grad is that of the one that ran."""
    net = nn.Linear(3, 2).to("cuda")
    opt = optim.SGD(net.parameters(), lr=0.0)

    @ringgrad.compile_step(warmup=1)
    def step(x):
        opt.zero_grad()
        net(x).sum().backward()
        opt.step()
    for n in (1, 2, 1, 2, 1, 2, 1):
        step(put(np.full((n, 3), n, np.float32)))
        assert net.weight.grad.tolist() == [[float(n * n)] * 3] * 2


# Without a GPU


def test_on_the_cpu_the_function_runs_as_it_is():
    calls = []

    @ringgrad.compile_step(warmup=1)
    def step(x):
        """What it does."""
        calls.append(x.sum().item())
        return x * 2
    for n in range(3):
        assert step(ringgrad.full((2,), float(n))).tolist() == [2.0 * n] * 2
    assert calls == [0, 2, 4] and step.__name__ == "step" and step.__doc__ == "What it does."


def test_tensors_of_the_cpu_run_as_they_are_beside_a_gpu(xp):
    step = ringgrad.compile_step(lambda x: x * x.sum().item(), warmup=1)
    assert [step(ringgrad.full((1,), float(n))).item() for n in range(4)] == [0, 1, 4, 9]


@pytest.mark.parametrize(("call", "error", "words"), [
    (lambda: ringgrad.compile_step(3), TypeError, "compile_step takes a function, but got int"),
    (lambda: ringgrad.compile_step(len, warmup=0), ValueError, "must be at least 1, but are 0 and 8"),
    (lambda: ringgrad.compile_step(len, max_graphs=0), ValueError, "must be at least 1"),
])
def test_wrong_calls(call, error, words):
    with pytest.raises(error, match=words):
        call()


def test_the_backends_are_what_they_were():
    assert host_capture.CapturedArray not in BACKENDS and wrap(np.ones(1)).device.type == "cpu"
