"""clip_in_step: the step behind clip_grad_norm_, with the gradients left as they are."""
import copy

import numpy as np
import pytest

import ringgrad
from ringgrad import nn, optim

SHAPES = [(3, 4), (5,), ()]
NAMES = ["SGD", "Adam", "AdamW", "RMSprop", "Adagrad", "Adadelta", "Adamax", "NAdam", "RAdam", "Rprop", "ASGD", "Adafactor"]


def gradients(n, dtype):
    rng = np.random.default_rng(n)
    return [ringgrad.from_numpy(np.asarray(rng.standard_normal(s))).to(dtype) for s in SHAPES]


def train(name, clip, options=(), dtype=ringgrad.float32, most=0.7, order=2.0, masters=False, steps=range(6), made=None):
    """(parameters, optimizer, norms) after steps that are clipped; clip: how, "in step" or "before"."""
    if made is None:
        params = [g.requires_grad_() for g in gradients(99, dtype)]
        made = params, getattr(optim, name)([{"params": params[:2]}, {"params": params[2:], "lr": 0.03}], **{"lr": 0.1, **dict(options)})
        optim.keep_master_weights(made[1]) if masters else None
        assert clip != "in step" or optim.clip_in_step(made[1], most, order) is made[1]
    (params, optimizer), norms = made, []
    for n in steps:
        given = gradients(n, dtype)
        for p, g in zip(params, given):
            p.grad = g.clone() if n or p.ndim != 1 else None  # one parameter begins a step later
        if clip == "before":
            norms.append(nn.utils.clip_grad_norm_(params, most, order).item())
        optimizer.step()
        if clip == "in step":
            norms.append(optimizer.total_norm.item())
            assert all(p.grad is None or ringgrad.equal(p.grad, g) for p, g in zip(params, given))
    return params, optimizer, norms


def assert_same(ours, theirs):
    assert ours[2] == theirs[2]
    for p, q in zip(ours[0], theirs[0]):
        assert ringgrad.equal(p, q)
        for key, value in theirs[1].state[q].items():
            assert ringgrad.equal(ours[1].state[p][key], value), key


@pytest.mark.parametrize(("name", "options"), [
    *[(n, {}) for n in NAMES], ("SGD", {"momentum": 0.9, "weight_decay": 0.1}), ("AdamW", {"fused": True})])
@pytest.mark.parametrize("dtype", [ringgrad.float32, ringgrad.float64], ids=str)
def test_it_is_clip_grad_norm_and_the_step(name, options, dtype):
    assert_same(train(name, "in step", options, dtype), train(name, "before", options, dtype))


@pytest.mark.parametrize("order", [1.0, 3, float("inf")])
@pytest.mark.parametrize("most", [0.5, 1e6])
def test_other_norms_and_norms_that_are_small_enough(order, most):
    assert_same(train("AdamW", "in step", most=most, order=order), train("AdamW", "before", most=most, order=order))


def test_many_small_parameters():
    """SGD's loop over all of them."""
    found = []
    for clip in (True, False):
        params = [ringgrad.full((1024,), 1.0 + n, requires_grad=True) for n in range(70)]
        optimizer = optim.SGD(params, lr=0.1)
        for p in params:
            p.grad = p.detach().clone()
        optim.clip_in_step(optimizer, 1.0) if clip else nn.utils.clip_grad_norm_(params, 1.0)
        optimizer.step()
        found.append(ringgrad.stack(params))
    assert ringgrad.equal(*found)


def test_halves_with_master_weights_are_clipped_in_float32():
    """Clipping before the step rounds the gradients once more."""
    ours, _, norms = train("AdamW", "in step", dtype=ringgrad.bfloat16, masters=True)
    wide, _, _ = train("AdamW", "before", dtype=ringgrad.bfloat16)
    assert len(norms) == 6 and all(p.dtype is ringgrad.bfloat16 for p in ours)
    for p, q in zip(ours, wide):
        assert ringgrad.allclose(p.float(), q.float(), rtol=0.05, atol=0.05)


@pytest.mark.parametrize("options", [{}, {"fused": True}], ids=["unscaled before the step", "in the step"])
def test_a_scaler_needs_no_unscale(options):
    """The norm is that of unscaled gradients, and an inf leaves the step out."""
    p, q = ringgrad.ones(4, requires_grad=True), ringgrad.ones(4, requires_grad=True)
    ours, theirs = optim.clip_in_step(optim.AdamW([p], lr=0.1, **options), 1.0), optim.AdamW([q], lr=0.1, **options)
    for t, optimizer in ((p, ours), (q, theirs)):
        scaler = ringgrad.amp.GradScaler("cpu", init_scale=2.0**10)
        for n, scale in enumerate((1.0, float("inf"), 3.0)):
            optimizer.zero_grad()
            scaler.scale((t * ringgrad.arange(4.0) * scale).sum()).backward()
            if optimizer is theirs:
                scaler.unscale_(optimizer)
                norm = nn.utils.clip_grad_norm_([q], 1.0)
            scaler.step(optimizer)
            scaler.update()
            assert scaler.get_scale() == 2.0**10 / (1 if n == 0 else 2)
    assert ringgrad.equal(p, q) and ours.total_norm.item() == norm.item() and ours.state[p]["step"].item() == 2


def test_a_checkpoint_goes_on_to_the_bit():
    through, half = train("AdamW", "in step", steps=range(6)), train("AdamW", "in step", steps=range(3))
    params = [p.detach().clone().requires_grad_() for p in half[0]]
    optimizer = optim.AdamW([{"params": params[:2]}, {"params": params[2:]}])
    optimizer.load_state_dict(copy.deepcopy(half[1].state_dict()))
    ours = train("AdamW", "in step", steps=range(3, 6), made=(params, optimizer))
    assert_same((ours[0], ours[1], half[2] + ours[2]), through)


def test_new_groups_and_copies_are_clipped_too_and_it_can_be_turned_off():
    p, q = ringgrad.zeros(1, requires_grad=True), ringgrad.zeros(1, requires_grad=True)
    optimizer = optim.clip_in_step(optim.SGD([p], lr=1.0), 1.0)
    optimizer.add_param_group({"params": [q]})
    assert optimizer.total_norm is None
    optimizer.step()  # without a gradient
    p.grad, q.grad = ringgrad.tensor([3.0]), ringgrad.tensor([4.0])
    optimizer.step()
    assert optimizer.total_norm.item() == 5 and np.allclose([p.item(), q.item()], [-0.6, -0.8])
    twin = copy.deepcopy(optimizer)
    assert twin.total_norm is None and twin.param_groups[1]["max_grad_norm"] == 1
    optim.clip_in_step(optimizer, None).step()
    assert np.allclose([p.item(), q.item()], [-3.6, -4.8])


def test_a_recorded_step_is_clipped_too():
    p, rate = ringgrad.ones(2, requires_grad=True), ringgrad.tensor(0.5, requires_grad=True)
    start = p * 1
    optimizer = optim.clip_in_step(optim.SGD([start], lr=rate, differentiable=True), 1.0)
    start.grad = ringgrad.tensor([3.0, 4.0])
    optimizer.step()
    start.sum().backward()
    assert np.allclose(start.tolist(), [0.7, 0.6]) and np.allclose(rate.grad.item(), -1.4)


def test_wrong_optimizers_norms_and_gradients():
    p = ringgrad.ones(3, 2, requires_grad=True)
    with pytest.raises(TypeError, match=r"such as SGD or AdamW, not LBFGS; call nn.utils.clip_grad_norm_ before"):
        optim.clip_in_step(optim.LBFGS([p]), 1.0)
    for most, order in ((0, 2.0), (-1.0, 2.0), (float("nan"), 2.0), (1.0, float("nan"))):
        with pytest.raises(ValueError, match="max_norm must be positive and norm_type a number, but are"):
            optim.clip_in_step(optim.SGD([p]), most, order)
    for most, order, kind in (("a", 2.0, ValueError), ([1], 2.0, TypeError), (1.0, None, TypeError)):  # torch's clip_grad_norm_ raises these
        with pytest.raises(kind, match="max_norm must be a number or None and norm_type a number, such as 1.0 and 2.0, but are "):
            optim.clip_in_step(optim.SGD([p]), most, order)
    optimizer = optim.clip_in_step(optim.SGD([p], lr=0.1), 1.0)
    p.grad = ringgrad.sparse_coo_tensor([[0]], ringgrad.ones(1, 2), (3, 2))
    with pytest.raises(RuntimeError, match="does not take sparse gradients: clip the others"):
        optimizer.step()
