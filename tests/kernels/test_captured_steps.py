"""Captured steps, on the GPU on the host (host_capture.py): what a replay does is what the step did, bit for bit."""
from copy import deepcopy
from pathlib import Path

import host_capture
import host_gpu
import numpy as np
import pytest

import ringgrad
import ringgrad.nn.functional as F
from ringgrad import cuda, nn, optim
from ringgrad._backends import BACKENDS
from ringgrad._core.tensor import wrap

pytestmark = pytest.mark.skipif(host_gpu.compiler() is None, reason="no g++ on the PATH to compile the CUDA sources with")
HERE = __file__
LINES = Path(HERE).read_text(encoding="utf-8").splitlines()


@pytest.fixture
def xp(compiled):
    with host_capture.plugged(host_capture.device(compiled)) as xp:
        yield xp


def put(array):
    return ringgrad.from_numpy(np.ascontiguousarray(array)).to("cuda")


def batches(count, size=6, seed=0):
    rng = np.random.default_rng(seed)
    return [(put(rng.standard_normal((size, 1, 8, 8)).astype(np.float32)), put(rng.integers(0, 5, size))) for _ in range(count)]


def cnn():
    return nn.Sequential(nn.Conv2d(1, 4, 3), nn.ReLU(), nn.BatchNorm2d(4), nn.MaxPool2d(2), nn.Flatten(), nn.Linear(36, 16), nn.GELU(),
                         nn.LayerNorm(16), nn.Dropout(0.2), nn.Linear(16, 5))


def mlp():
    return nn.Sequential(nn.Flatten(), nn.Linear(64, 16), nn.Tanh(), nn.Dropout(0.1), nn.Linear(16, 5))


def values(net):
    return [t._data.get() for t in (*net.parameters(), *net.buffers())]


def same(a, b):
    return len(a) == len(b) and all(np.array_equal(x, y) for x, y in zip(a, b))


SCHEDULES = {
    "steps": lambda o: optim.lr_scheduler.StepLR(o, 2, 0.5),
    "one cycle": lambda o: optim.lr_scheduler.OneCycleLR(o, 0.1, total_steps=12),
    "warm up, then cosine": lambda o: optim.lr_scheduler.SequentialLR(
        o, [optim.lr_scheduler.LinearLR(o, 0.1, total_iters=3), optim.lr_scheduler.CosineAnnealingLR(o, 5)], [3]),
}
OPTIMIZERS = {
    "AdamW": lambda p: optim.AdamW(p, lr=0.01), "AMSGrad": lambda p: optim.Adam(p, lr=0.01, amsgrad=True, weight_decay=0.1),
    "SGD": lambda p: optim.SGD(p, lr=0.1), "momentum": lambda p: optim.SGD(p, lr=0.1, momentum=0.9, nesterov=True),
    **{name: lambda p, name=name: getattr(optim, name)(p, lr=0.01) for name in ("RMSprop", "Adagrad", "NAdam", "RAdam", "ASGD", "Adamax")},
}


def train(compiled, build, optimizer, schedule, data, inside=True, **options):
    """(losses, parameters and buffers, learning rates) of a training run."""
    ringgrad.manual_seed(0)
    net = build().to("cuda")
    opt = OPTIMIZERS[optimizer](net.parameters())
    plan = SCHEDULES[schedule](opt)

    def step(x, y):
        opt.zero_grad()
        loss = F.cross_entropy(net(x), y)
        loss.backward()
        nn.utils.clip_grad_norm_(net.parameters(), 1.0)
        opt.step()
        if inside:
            plan.step()
        return loss

    run = ringgrad.compile_step(step, **options) if compiled else step
    losses, rates = [], []
    for x, y in data:
        losses.append(run(x, y).item())
        if not inside:
            plan.step()
        rates.append(plan.get_last_lr())
    return losses, values(net), rates, getattr(run, "graphs", {})


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


@pytest.mark.parametrize("optimizer", [
    "NAdam", *[pytest.param(o, marks=pytest.mark.slow) for o in ("RMSprop", "Adagrad", "RAdam", "ASGD", "Adamax")]])
def test_optimizers_that_compute_on_the_host_do_so_on_the_device(xp, optimizer):
    """By their rule, with numbers of float32, in place of one launch with Python's numbers: the last bits may differ."""
    data = batches(8)
    plain, captured = (train(c, mlp, optimizer, "steps", data) for c in (False, True))
    np.testing.assert_allclose(captured[0], plain[0], rtol=1e-5)
    for a, b in zip(captured[1], plain[1]):
        np.testing.assert_allclose(a, b, rtol=1e-4, atol=1e-6)


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


# Loss scaling


def test_a_scaler_leaves_out_a_step_with_inf(xp):
    data = batches(9)

    def run(compiled):
        ringgrad.manual_seed(0)
        net = mlp().to("cuda")
        opt, scaler = optim.AdamW(net.parameters(), lr=0.01), ringgrad.amp.GradScaler("cuda", init_scale=2.0**10, growth_interval=3)

        def step(x, y):
            opt.zero_grad()
            loss = F.cross_entropy(net(x), y)
            scaler.scale(loss).backward()
            scaler.unscale_(opt)
            nn.utils.clip_grad_norm_(net.parameters(), 1.0)
            scaler.step(opt)
            scaler.update()
            return loss
        go, found = ringgrad.compile_step(step) if compiled else step, []
        for n, (x, y) in enumerate(data):
            before = values(net)
            go(x * float("inf") if n in (1, 5) else x, y)
            found.append((scaler.get_scale(), same(before, values(net))))
        return found, values(net), [s["step"].item() for s in opt.state.values()]
    plain, captured = run(False), run(True)
    assert captured[0] == plain[0] and same(captured[1], plain[1]) and captured[2] == plain[2] == [7] * 4
    assert [left_out for _, left_out in plain[0]] == [n in (1, 5) for n in range(9)]


def test_a_rule_takes_its_step_back_where_an_inf_was_found(xp):
    p = put(np.ones(3, np.float32)).requires_grad_()
    opt, scaler = optim.RMSprop([p], lr=0.1), ringgrad.amp.GradScaler("cuda", init_scale=4.0)

    @ringgrad.compile_step(warmup=1)
    def step(x):
        opt.zero_grad()
        scaler.scale((p * x).sum()).backward()
        scaler.step(opt)
        scaler.update()
    step(put(np.ones(3, np.float32)))
    step(put(np.ones(3, np.float32)))
    assert sum(kind.captures for kind in step.graphs.values()) == 1
    before = [p._data.get(), opt.state[p]["square_avg"]._data.get()]
    step(put(np.array([1, np.inf, 1], np.float32)))
    assert same(before, [p._data.get(), opt.state[p]["square_avg"]._data.get()]) and scaler.get_scale() == 2
    step(put(np.ones(3, np.float32)))
    assert not np.array_equal(before[0], p._data.get())


@pytest.mark.parametrize("around", [True, False])
def test_casts_of_parameters_are_made_at_every_replay(xp, around):
    """The region may stand in the step or around all its calls, whose cache then has casts from before."""
    def run(compiled):
        ringgrad.manual_seed(0)
        net = nn.Linear(4, 3).to("cuda")
        opt = optim.SGD(net.parameters(), lr=0.1)

        def step(x):
            opt.zero_grad()
            with ringgrad.autocast("cuda", enabled=True, dtype=ringgrad.float16):
                loss = net(x).float().square().sum()
            loss.backward()
            opt.step()
            return loss
        go, found = ringgrad.compile_step(step, warmup=2) if compiled else step, []
        with ringgrad.autocast("cuda", enabled=around, dtype=ringgrad.float16):
            for n in range(6):
                found.append(go(put(np.full((2, 4), 0.1 * n, np.float32))).item())
                net(put(np.ones((2, 4), np.float32)))
        return found, values(net)
    plain, captured = run(False), run(True)
    assert plain[0] == captured[0] and same(plain[1], captured[1])


# What cannot be captured


def line_of(words):
    return next(i for i, line in enumerate(LINES, 1) if line.endswith(words))


SYNCS = {
    "item": (lambda t: t.sum().item(), "item"),  # MARK item
    "bool": (lambda t: t.sum() and 1, "__bool__"),  # MARK bool
    "cpu": (lambda t: t.cpu(), "cpu"),  # MARK cpu
    "print": (lambda t: f"{t}", "__format__"),  # MARK print
    "nonzero": (lambda t: ringgrad.nonzero(t), "nonzero"),  # MARK nonzero
    "mask": (lambda t: t[t > 0], "getitem"),  # MARK mask
    "tensor": (lambda t: t + ringgrad.tensor([1.0, 2.0], device="cuda"), "tensor"),  # MARK tensor
    "synchronize": (lambda t: cuda.synchronize(), "synchronize"),  # MARK synchronize
    "backward": (lambda t: t.register_hook(lambda g: g.sum().item()) and t.sum().backward(), "item"),  # MARK backward
}


@pytest.mark.parametrize("name", SYNCS)
def test_what_the_host_wants_to_see_is_named_with_its_line(xp, name):
    look, operation = SYNCS[name]
    p = put(np.ones(2, np.float32)).requires_grad_()
    opt, looks = optim.AdamW([p], lr=0.1), []

    def step(x):
        opt.zero_grad()
        (p * x).sum().backward()
        opt.step()
        if looks:
            look(p * 2)
        return p.sum()
    compiled, x = ringgrad.compile_step(step, warmup=1), put(np.ones(2, np.float32))
    compiled(x)
    looks.append(1)
    before, gradient = p._data.get(), p.grad
    line = line_of("# MARK " + name)
    with pytest.raises(cuda.CaptureError, match=rf"^{operation} \({HERE}, line {line}\) cannot be captured in a CUDA graph") as info:
        compiled(x)
    assert (info.value.operation, info.value.place) == (operation, (HERE, line))
    # Nothing has happened, and nothing is broken:
    assert np.array_equal(before, p._data.get()) and p.grad is gradient and not cuda.is_current_stream_capturing()
    assert all(s.capture is None for s in host_capture.RUNTIME.streams)
    looks.clear()
    step(x)
    assert not np.array_equal(before, p._data.get())
    want = p._data.get()
    compiled(x)
    assert not np.array_equal(want, p._data.get())


def test_an_error_of_the_users_own_ends_the_capture(xp):
    def step(x):
        if cuda.is_current_stream_capturing():
            raise KeyError("mine")
        return x * 2
    compiled, x = ringgrad.compile_step(step, warmup=1), put(np.ones(2, np.float32))
    compiled(x)
    with pytest.raises(KeyError, match="mine"):
        compiled(x)
    assert not cuda.is_current_stream_capturing() and (x + 1).tolist() == [2, 2]


def test_fallback_runs_it_as_it_is(xp):
    compiled, x = ringgrad.compile_step(lambda x: x * x.sum().item(), warmup=1, fallback=True), put(np.ones(2, np.float32))
    compiled(x)
    with pytest.warns(UserWarning, match=r"compile_step runs <lambda> as it is: item \("):
        assert compiled(x).tolist() == [2, 2]
    assert compiled(x * 3).tolist() == [18, 18]


def test_arguments_on_the_cpu_are_refused(xp):
    compiled = ringgrad.compile_step(lambda x, y: x + y.to("cuda"), warmup=1)
    x, y = put(np.ones(2, np.float32)), ringgrad.ones(2)
    compiled(x, y)
    with pytest.raises(cuda.CaptureError, match=r"argument 1 is a tensor on the CPU.*x\.to\('cuda', non_blocking=True\)"):
        compiled(x, y)


def test_state_that_a_capture_would_make_waits(xp):
    """A parameter that gets its first gradient in the step that is to be captured: its state has to be there before."""
    a, b = (put(np.ones(2, np.float32)).requires_grad_() for _ in range(2))
    opt, parts = optim.AdamW([a, b], lr=0.1), [a]

    @ringgrad.compile_step(warmup=1)
    def step(x):
        opt.zero_grad()
        sum((p * x).sum() for p in parts).backward()
        opt.step()
    step(put(np.ones(2, np.float32)))
    parts.append(b)
    for _ in range(5):
        step(put(np.ones(2, np.float32)))
    assert [opt.state[p]["step"].item() for p in (a, b)] == [6, 5]
    assert sum(kind.captures for kind in step.graphs.values()) == 1
    assert np.allclose(a._data.get(), 1 - 0.1 * 6, atol=0.02) and np.allclose(b._data.get(), 1 - 0.1 * 5, atol=0.02)


# What changes behind a graph's back


def test_a_loaded_checkpoint_is_captured_anew(xp):
    data = batches(12)

    def run(compiled):
        ringgrad.manual_seed(0)
        net = nn.Sequential(nn.Flatten(), nn.Linear(64, 5)).to("cuda")
        opt = optim.AdamW(net.parameters(), lr=0.01)

        def step(x, y):
            opt.zero_grad()
            F.cross_entropy(net(x), y).backward()
            opt.step()
        go = ringgrad.compile_step(step, warmup=1) if compiled else step
        for n, (x, y) in enumerate(data):
            go(x, y)
            if n == 4:
                saved = {k: v.clone() for k, v in net.state_dict().items()}, deepcopy(opt.state_dict())
            if n == 7:
                net.load_state_dict(saved[0])
                opt.load_state_dict(saved[1])
        return values(net)
    assert same(run(True), run(False))


@pytest.mark.parametrize(("option", "value"), [("weight_decay", 0.5), ("betas", (0.5, 0.9)), ("eps", 0.1), ("amsgrad", False), ("maximize", True)])
def test_options_that_change_reach_the_step(xp, option, value):
    def run(compiled):
        p = put(np.ones(3, np.float32)).requires_grad_()
        opt = optim.AdamW([p], lr=0.01, amsgrad=option == "amsgrad")

        def step(x):
            opt.zero_grad()
            (p * x).sum().backward()
            opt.step()
        go = ringgrad.compile_step(step, warmup=1) if compiled else step
        for n in range(9):
            if n == 5:
                opt.param_groups[0][option] = value
            go(put(np.full(3, 1 + n % 3, np.float32)))
        return p.tolist()
    assert run(True) == run(False)


def test_options_that_change_all_the_time_are_not_worth_a_graph(xp):
    p = put(np.ones(2, np.float32)).requires_grad_()
    opt = optim.RMSprop([p], lr=0.1, alpha=0.9)

    @ringgrad.compile_step(warmup=1)
    def step(x):
        opt.zero_grad()
        (p * x).sum().backward()
        opt.step()
    with pytest.warns(UserWarning, match="compile_step runs step as it is: options of its optimizers change"):
        for n in range(14):
            opt.param_groups[0]["alpha"] = 0.9 + 0.001 * n
            step(put(np.ones(2, np.float32)))
    assert opt.state[p]["step"].item() == 14


def test_a_schedule_before_the_optimizers_step(xp):
    def run(compiled):
        p = put(np.ones(2, np.float32)).requires_grad_()
        opt = optim.SGD([p], lr=1.0)
        plan = optim.lr_scheduler.ExponentialLR(opt, 0.5)
        opt.step()

        def step(x):
            opt.zero_grad()
            (p * x).sum().backward()
            plan.step()
            opt.step()
            return p.sum()
        go = ringgrad.compile_step(step, warmup=2) if compiled else step
        return [go(put(np.ones(2, np.float32))).item() for _ in range(6)]
    assert run(True) == run(False)


def test_a_plateau_sees_the_metric_of_each_step(xp):
    def run(compiled):
        p = put(np.ones(2, np.float32)).requires_grad_()
        opt = optim.SGD([p], lr=0.1)
        plan, rates = optim.lr_scheduler.ReduceLROnPlateau(opt, patience=1), []

        def step(x):
            opt.zero_grad()
            loss = (p * x).sum()
            loss.backward()
            opt.step()
            plan.step(loss)
        go = ringgrad.compile_step(step, warmup=2) if compiled else step
        for n in range(9):
            go(put(np.full(2, n % 3, np.float32)))
            rates.append(opt.param_groups[0]["lr"])
        return rates, p.tolist()
    assert run(True) == run(False)


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
