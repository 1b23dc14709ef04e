"""Captured steps with loss scaling and autocast."""
import host_gpu
import numpy as np
import pytest
from captured_runs import batches, mlp, put, same, values

import ringgrad
import ringgrad.nn.functional as F
from ringgrad import nn, optim

pytestmark = pytest.mark.skipif(host_gpu.compiler() is None, reason="no g++ on the PATH to compile the CUDA sources with")


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
