"""Captured steps of every optimizer, and clipping as a part of them."""
import host_gpu
import ml_dtypes
import numpy as np
import pytest
from captured_runs import RULES, batches, mlp, put, same, train, values

import ringgrad
import ringgrad.nn.functional as F
from ringgrad import nn, optim

pytestmark = pytest.mark.skipif(host_gpu.compiler() is None, reason="no g++ on the PATH to compile the CUDA sources with")


def some(names, first):
    """The first of a list in the quick run, all in the slow one."""
    return [first, *[pytest.param(n, marks=pytest.mark.slow) for n in names if n != first]]


@pytest.mark.parametrize("optimizer", some(RULES, "NAdam"))
def test_numbers_that_change_with_the_step_are_made_on_the_device(xp, optimizer):
    """In double, as on the host; Adafactor's in float32."""
    data = batches(8)
    plain, captured = (train(c, mlp, optimizer, "steps", data) for c in (False, True))
    np.testing.assert_allclose(captured[0], plain[0], rtol=1e-5)
    for a, b in zip(captured[1], plain[1]):
        np.testing.assert_allclose(a, b, rtol=1e-5, atol=1e-7)
    assert sum(kind.captures for kind in captured[3].values()) == 1


@pytest.mark.parametrize("optimizer", some(["SGD", "AdamW", *[r for r in RULES if r != "Adafactor"]], "RAdam"))
def test_a_step_is_two_launches(xp, optimizer):
    """One counts and makes the numbers, the other updates; SGD has nothing to count."""
    def pieces(step):
        net = nn.Linear(4, 3).to("cuda")
        opt = getattr(optim, optimizer)([{"params": [net.weight], "lr": 0.1}, {"params": [net.bias], "lr": 0.2}])

        @ringgrad.compile_step(warmup=2)
        def go(x):
            opt.zero_grad()
            net(x).sum().backward()
            if step:
                opt.step()
        for _ in range(4):
            go(put(np.ones((2, 4), np.float32)))
        return next(len(kind.graph._native.steps) for kind in go.graphs.values() if kind.graph is not None)
    assert pieces(True) - pieces(False) == (2 if optimizer == "SGD" else 4)


def test_matrices_by_muon(xp):
    def run(compiled):
        ringgrad.manual_seed(0)
        net = nn.Sequential(nn.Linear(6, 8, bias=False), nn.Tanh(), nn.Linear(8, 3, bias=False)).to("cuda")
        opt = optim.Muon(net.parameters(), lr=0.02)
        plan = optim.lr_scheduler.StepLR(opt, 2, 0.5)

        def step(x):
            opt.zero_grad()
            net(x).square().sum().backward()
            opt.step()
            plan.step()
        go = ringgrad.compile_step(step, warmup=2) if compiled else step
        for n in range(7):
            go(put(np.full((2, 6), 1 + n, np.float32)))
        return values(net)
    for a, b in zip(run(True), run(False)):
        np.testing.assert_allclose(a, b, rtol=1e-5, atol=1e-6)


@pytest.mark.parametrize("optimizer", ["clipped", pytest.param("clipped by the largest", marks=pytest.mark.slow)])
def test_clipping_in_the_step(xp, optimizer):
    data = batches(9)
    plain, captured = (train(c, mlp, optimizer, "steps", data) for c in (False, True))
    assert captured[2] == plain[2] and sum(kind.captures for kind in captured[3].values()) == 1
    np.testing.assert_allclose(captured[0], plain[0], rtol=1e-6)
    for a, b in zip(captured[1], plain[1]):
        np.testing.assert_allclose(a, b, rtol=1e-5, atol=1e-7)


def test_the_norm_of_every_replay_can_be_read(xp):
    """Two kinds of calls, one place; gradients stay as they are; another limit is captured anew."""
    p = put(np.zeros(4, np.float32)).requires_grad_()
    opt = optim.clip_in_step(optim.SGD([p], lr=1.0), 1.0)

    @ringgrad.compile_step(warmup=1)
    def step(x):
        opt.zero_grad()
        (p * x.sum(0)).sum().backward()
        opt.step()
    place = None
    for n in (1, 2, 1, 2, 1, 2, 1, 2):
        before = p._data.get()
        step(put(np.full((n, 4), 2, np.float32)))
        assert opt.total_norm.item() == 4 * n and p.grad.tolist() == [2 * n] * 4
        np.testing.assert_allclose(before - p._data.get(), np.full(4, 0.5), rtol=1e-6)
        place = place or opt.total_norm._data.ctypes.data
        assert opt.total_norm._data.ctypes.data == place
    optim.clip_in_step(opt, 2.0)
    before = p._data.get()
    for _ in range(4):
        step(put(np.full((1, 4), 2, np.float32)))
    np.testing.assert_allclose(before - p._data.get(), np.full(4, 4.0), rtol=1e-6)


@pytest.mark.parametrize("fused", [False, True])
def test_clipping_loss_scale_and_master_weights_in_one_step(xp, fused):
    """bfloat16 parameters, a scale that finds an inf, and the norm of what is unscaled."""
    def run(compiled):
        ringgrad.manual_seed(0)
        net = nn.Sequential(nn.Flatten(), nn.Linear(64, 5)).to("cuda", ringgrad.bfloat16)
        opt = optim.clip_in_step(optim.keep_master_weights(optim.AdamW(net.parameters(), lr=0.01, fused=fused)), 0.1)
        scaler, norms = ringgrad.amp.GradScaler("cuda", init_scale=2.0**6, growth_interval=3), []

        def step(x, y):
            opt.zero_grad()
            loss = F.cross_entropy(net(x).float(), y)
            scaler.scale(loss).backward()
            scaler.step(opt)
            scaler.update()
            return loss
        go = ringgrad.compile_step(step) if compiled else step
        for n, (x, y) in enumerate(batches(8)):
            go((x * float("inf") if n in (1, 6) else x).bfloat16(), y)
            norms.append((n in (1, 6) or opt.total_norm.item(), scaler.get_scale()))
        masters = [opt.state[p]["master_weight"]._data.get() for p in net.parameters()]
        assert all(np.array_equal(m.astype(ml_dtypes.bfloat16), p) for m, p in zip(masters, values(net)))
        return masters, norms, [s["step"].item() for s in opt.state.values()]
    plain, captured = run(False), run(True)
    assert same(plain[0], captured[0]) and plain[1:] == captured[1:] and plain[2] == [6, 6]
    assert 0.1 < plain[1][0][0] < 100  # of unscaled gradients
