"""What changes behind the back of a captured step: checkpoints, options, schedules."""
from copy import deepcopy

import host_gpu
import numpy as np
import pytest
from captured_runs import batches, put, same, values

import ringgrad
import ringgrad.nn.functional as F
from ringgrad import nn, optim

pytestmark = pytest.mark.skipif(host_gpu.compiler() is None, reason="no g++ on the PATH to compile the CUDA sources with")


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


@pytest.mark.parametrize(("name", "option", "value"), [
    ("NAdam", "betas", (0.5, 0.9)), pytest.param("RMSprop", "momentum", 0.5, marks=pytest.mark.slow),
    pytest.param("Adagrad", "weight_decay", 0.3, marks=pytest.mark.slow), pytest.param("RAdam", "eps", 0.1, marks=pytest.mark.slow)])
def test_options_that_a_graph_reads_need_no_new_one(xp, name, option, value):
    def run(compiled):
        p = put(np.ones(3, np.float32)).requires_grad_()
        opt = getattr(optim, name)([p], lr=0.01, **({"momentum": 0.9} if option == "momentum" else {}))

        def step(x):
            opt.zero_grad()
            (p * x).sum().backward()
            opt.step()
        go = ringgrad.compile_step(step, warmup=1) if compiled else step
        for n in range(9):
            if n == 5:
                opt.param_groups[0][option] = value
            go(put(np.full(3, 1 + n % 3, np.float32)))
        return p.tolist(), sum(kind.captures for kind in go.graphs.values()) if compiled else 1
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
