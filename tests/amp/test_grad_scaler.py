"""GradScaler on the CPU: trajectories beside PyTorch with overflows on the way, state dicts, clipping, fused optimizers, wrong use."""
import copy
import pickle

import numpy as np
import pytest

import ringgrad
from ringgrad import amp, nn, optim

SPIKES = {2, 3, 7}  # steps at which a gradient overflows


def steps(library, make, wanted, scaler, optimizer_kwargs, clip=None, name="SGD", p=None):
    """(scale, growth count, parameters) after each of the `wanted` steps."""
    p = make(np.array([1.0, -2.0, 3.0], "float32")).requires_grad_() if p is None else p
    optimizer = getattr(library.optim, name)([p], lr=0.1, **optimizer_kwargs)
    path = []
    for n in wanted:
        optimizer.zero_grad()
        loss = (p * p).sum() * (float("inf") if n in SPIKES else 1.0)
        scaler.scale(loss).backward()
        if clip is not None:
            scaler.unscale_(optimizer)
            library.nn.utils.clip_grad_norm_([p], clip)
        scaler.step(optimizer)
        scaler.update()
        path.append((scaler.get_scale(), scaler._get_growth_tracker(), *p.tolist()))
    return path


KWARGS = {"init_scale": 1024.0, "growth_interval": 3, "growth_factor": 4.0, "backoff_factor": 0.25}


@pytest.mark.torch
@pytest.mark.parametrize(("name", "kwargs", "clip"), [
    ("SGD", {}, None), ("SGD", {"momentum": 0.9}, 0.5), ("Adam", {}, None), ("SGD", {"fused": True}, None), ("Adam", {"fused": True}, None),
    ("AdamW", {"fused": True}, 0.5), ("Adagrad", {"fused": True}, None)])
def test_the_path_of_torch(name, kwargs, clip):
    torch = pytest.importorskip("torch", reason="the oracle, torch, is not installed")
    got = steps(ringgrad, ringgrad.from_numpy, range(14), amp.GradScaler("cpu", **KWARGS), kwargs, clip, name)
    want = steps(torch, torch.from_numpy, range(14), torch.amp.GradScaler("cpu", **KWARGS), kwargs, clip, name)
    np.testing.assert_allclose(got, want, rtol=1e-5)
    assert len({row[0] for row in got}) >= 3  # it went up and down


def test_scaled_steps_are_the_unscaled_ones():
    scaled = steps(ringgrad, ringgrad.from_numpy, [0, 1, 4, 5], amp.GradScaler("cpu", **KWARGS), {})
    plain = steps(ringgrad, ringgrad.from_numpy, [0, 1, 4, 5], amp.GradScaler("cpu", enabled=False), {})
    assert [row[2:] for row in scaled] == [row[2:] for row in plain] and plain[0][:2] == (1.0, 0)


@pytest.mark.torch
def test_state_dicts_go_both_ways():
    torch = pytest.importorskip("torch", reason="the oracle, torch, is not installed")
    ours, theirs = amp.GradScaler("cpu", **KWARGS), torch.amp.GradScaler("cpu", **KWARGS)
    steps(ringgrad, ringgrad.from_numpy, range(6), ours, {})
    steps(torch, torch.from_numpy, range(6), theirs, {})
    assert ours.state_dict() == theirs.state_dict() and list(ours.state_dict()) == list(theirs.state_dict())
    a, b = amp.GradScaler("cpu"), torch.amp.GradScaler("cpu")
    a.load_state_dict(theirs.state_dict())
    b.load_state_dict(ours.state_dict())
    rest = steps(ringgrad, ringgrad.from_numpy, range(6, 12), a, {})
    np.testing.assert_allclose(rest, steps(torch, torch.from_numpy, range(6, 12), b, {}), rtol=1e-6)
    assert [row[0] for row in rest] == [row[0] for row in steps(ringgrad, ringgrad.from_numpy, range(6, 12), ours, {})]


def test_copies_and_pickles_go_on_where_they_were():
    scaler = amp.GradScaler("cpu", **KWARGS)
    steps(ringgrad, ringgrad.from_numpy, range(5), scaler, {})
    for twin in (pickle.loads(pickle.dumps(scaler)), copy.deepcopy(scaler)):
        assert twin.state_dict() == scaler.state_dict()
        assert steps(ringgrad, ringgrad.from_numpy, [4], twin, {})[0][:2] == (scaler.get_scale(), scaler._get_growth_tracker() + 1)
    scaler.unscale_(_optimizer_with_gradient(scaler))
    with pytest.raises(AssertionError, match="may only be pickled at the beginning"):
        pickle.dumps(scaler)


def _optimizer_with_gradient(scaler=None, dtype=ringgrad.float32):
    p = ringgrad.ones(2, dtype=dtype, requires_grad=True)
    optimizer = optim.SGD([p], lr=0.1)
    loss = (p * p).sum()
    (scaler.scale(loss) if scaler else loss).backward()
    return optimizer


def test_several_outputs_and_optimizers():
    scaler = amp.GradScaler("cpu", init_scale=8.0)
    p, q = (ringgrad.ones(1, requires_grad=True) for _ in range(2))
    first, second = optim.SGD([p], lr=1.0), optim.SGD([q], lr=1.0)
    a, (b,) = scaler.scale([p.sum(), (q.sum() * float("inf"),)])
    assert a.item() == 8.0
    (a + b).backward()
    p.grad = ringgrad.full((1,), 8.0)
    scaler.step(first)
    scaler.step(second)
    assert p.item() == 0.0 and q.item() == 1.0  # only one of them overflowed
    scaler.update()
    assert scaler.get_scale() == 4.0  # which is enough to lower the scale
    assert list(scaler.scale(iter([ringgrad.ones(1)])))[0].item() == 4.0
    with pytest.raises(ValueError, match="outputs must be a Tensor or an iterable of Tensors"):
        scaler.scale(3)


def test_setting_the_scale():
    scaler = amp.GradScaler("cpu", init_scale=8.0)
    scaler.scale(ringgrad.ones(1))
    scaler.update(32.0)
    assert scaler.get_scale() == 32.0
    scaler.update(ringgrad.tensor(16.0))
    assert scaler.get_scale() == 16.0
    with pytest.raises(AssertionError, match="1-element"):
        scaler.update(ringgrad.ones(2))
    scaler.set_growth_factor(3.0), scaler.set_backoff_factor(0.1), scaler.set_growth_interval(1)
    assert (scaler.get_growth_factor(), scaler.get_backoff_factor(), scaler.get_growth_interval()) == (3.0, 0.1, 1)
    scaler.step(_optimizer_with_gradient(scaler))
    scaler.update()
    assert scaler.get_scale() == 48.0


def test_order_of_calls():
    scaler = amp.GradScaler("cpu")
    optimizer = _optimizer_with_gradient()
    for call in (lambda: scaler.step(optimizer), lambda: scaler.unscale_(optimizer), scaler.update):
        with pytest.raises(AssertionError, match="did not use scaler.scale"):
            call()
    optimizer = _optimizer_with_gradient(scaler)
    with pytest.raises(AssertionError, match="No inf checks were recorded prior to update"):
        scaler.update()
    scaler.unscale_(optimizer)
    with pytest.raises(RuntimeError, match="already been called on this optimizer since the last update"):
        scaler.unscale_(optimizer)
    scaler.step(optimizer)
    with pytest.raises(RuntimeError, match="unscale_.. is being called after step"):
        scaler.unscale_(optimizer)
    with pytest.raises(RuntimeError, match="step.. has already been called since the last update"):
        scaler.step(optimizer)
    with pytest.raises(RuntimeError, match="Closure use is not currently supported"):
        scaler.step(optimizer, closure=lambda: None)
    with pytest.raises(AssertionError, match="No inf checks were recorded for this optimizer"):
        scaler.step(optim.SGD([ringgrad.ones(1, requires_grad=True)]))


def test_float16_gradients_are_refused():
    scaler = amp.GradScaler("cpu", init_scale=2.0)
    with pytest.raises(ValueError, match="Attempting to unscale FP16 gradients"):
        scaler.unscale_(_optimizer_with_gradient(scaler, ringgrad.float16))


def test_wrong_settings():
    with pytest.raises(AssertionError, match="growth factor must be > 1.0"):
        amp.GradScaler("cpu", growth_factor=1.0)
    with pytest.raises(AssertionError, match="backoff factor must be < 1.0"):
        amp.GradScaler("cpu", backoff_factor=1.0)
    with pytest.raises(RuntimeError, match="state dict is empty"):
        amp.GradScaler("cpu").load_state_dict({})


@pytest.mark.skipif(ringgrad.cuda.is_available(), reason="there is a GPU")
def test_without_a_gpu_the_scaler_passes_everything_through():
    with pytest.warns(UserWarning, match="CUDA is not available.  Disabling"):
        scaler = amp.GradScaler()
    x = ringgrad.ones(1)
    assert not scaler.is_enabled() and scaler.scale(x) is x and scaler.get_scale() == 1.0 and scaler.state_dict() == {}
    optimizer = _optimizer_with_gradient()
    scaler.unscale_(optimizer)
    scaler.step(optimizer)
    scaler.update()
    scaler.load_state_dict({})
    assert optimizer.param_groups[0]["params"][0].tolist() == pytest.approx([0.8, 0.8])


def test_float16_training_needs_the_scale():
    """Gradients of 1e-8 vanish in float16, and survive with a scale."""
    def weight_gradient(scaler):
        layer = nn.Linear(1, 1, bias=False)
        with ringgrad.no_grad():
            layer.weight.fill_(1.0)
        with ringgrad.autocast("cpu", dtype=ringgrad.float16):
            loss = (layer(ringgrad.ones(1, 1)).float() * 1e-8).sum()
        scaler.scale(loss).backward()
        scaler.unscale_(optim.SGD([layer.weight]))
        return layer.weight.grad.item()
    assert weight_gradient(amp.GradScaler("cpu", enabled=False)) == 0.0
    assert weight_gradient(amp.GradScaler("cpu")) == pytest.approx(1e-8, rel=1e-2)


@pytest.mark.torch
def test_the_two_steps_of_scaling():
    torch = pytest.importorskip("torch", reason="the oracle, torch, is not installed")

    def run(library):
        grads = [library.tensor([1.0, 2.0]), library.tensor([[3.0]], dtype=library.float64), library.tensor([0.5, 1.0], dtype=library.bfloat16)]
        found, out = library.tensor(0.0), []
        assert library._amp_foreach_non_finite_check_and_unscale_(grads, found, library.tensor(0.25)) is None
        out += [g.tolist() for g in grads] + [found.item()]
        library._amp_foreach_non_finite_check_and_unscale_([library.tensor([1.0, float("nan")])], found, library.tensor(1.0))
        out.append(found.item())
        for start in (4.0, 3e38):
            scale, count = library.tensor(start), library.tensor(0, dtype=library.int32)
            for bad in (1.0, 0.0, 0.0, 0.0, 0.0, 0.0, 0.0, 1.0):
                assert library._amp_update_scale_(scale, count, library.tensor(bad), 2.0, 0.5, 2) is scale
                out += [scale.item(), count.item()]
        return out
    assert run(ringgrad) == run(torch)
