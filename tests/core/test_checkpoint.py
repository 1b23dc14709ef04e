"""utils.checkpoint: the same gradients from less memory, both ways, nested, with random numbers, and what it refuses."""
import contextlib
import gc
import warnings
import weakref

import numpy as np
import pytest

import ringgrad as rg
from ringgrad import nn
from ringgrad.utils.checkpoint import (
    CheckpointError,
    CheckpointFunction,
    checkpoint,
    checkpoint_sequential,
    detach_variable,
    get_device_states,
    set_checkpoint_debug_enabled,
    set_checkpoint_early_stop,
    set_device_states,
)

WAYS = pytest.mark.parametrize("use_reentrant", [False, True], ids=["not reentrant", "reentrant"])


def block(x, w):
    return (x @ w).tanh().exp() * x.sin()


def leaves():
    rng = np.random.default_rng(0)
    return [rg.tensor(rng.standard_normal((4, 4)), requires_grad=True) for _ in range(2)]


def gradients(run, *args):
    x, w = leaves()
    out = run(x, w, *args)
    (out * out).sum().backward()
    return out.detach(), x.grad, w.grad


def assert_equal(a, b):
    for s, t in zip(a, b, strict=True):
        np.testing.assert_array_equal(s.numpy(), t.numpy())


@WAYS
def test_values_and_gradients_are_those_without(use_reentrant):
    assert_equal(gradients(block), gradients(lambda x, w: checkpoint(block, x, w, use_reentrant=use_reentrant)))


@WAYS
def test_in_a_row_and_nested(use_reentrant):
    def once(x, w):
        return checkpoint(block, x, w, use_reentrant=use_reentrant)

    def nested(x, w):
        return checkpoint(lambda x, w: block(once(once(x, w), w), w), x, w, use_reentrant=use_reentrant)

    plain = gradients(lambda x, w: block(block(block(block(x, w), w), w), w))
    for a, b in zip(plain, gradients(lambda x, w: once(nested(x, w), w)), strict=True):
        np.testing.assert_allclose(a.numpy(), b.numpy(), rtol=1e-12)  # gradients of w are summed in another order


@WAYS
@pytest.mark.parametrize("preserve", [True, False])
def test_random_numbers_repeat(use_reentrant, preserve):
    masks = []

    def noisy(x, w):
        masks.append(rg.rand(4, 4, dtype=rg.float64))
        return (x @ w).sin() * masks[-1]

    rg.manual_seed(3)
    before = rg.get_rng_state()
    gradients(lambda x, w: checkpoint(noisy, x, w, use_reentrant=use_reentrant, preserve_rng_state=preserve))
    after = rg.get_rng_state()
    assert len(masks) == 2
    assert rg.equal(*masks) == preserve
    rg.set_rng_state(before)
    rg.rand(4, 4, dtype=rg.float64)
    if preserve:
        assert rg.equal(after, rg.get_rng_state()), "the recomputation moved the stream"


def test_dropout_in_a_sequential_network():
    model = nn.Sequential(*[m for _ in range(4) for m in (nn.Linear(8, 8), nn.Tanh(), nn.Dropout(0.5))])
    x, found = rg.randn(3, 8, requires_grad=True), []
    for run in (model, lambda x: checkpoint_sequential(model, 3, x, use_reentrant=False),
                lambda x: checkpoint_sequential(model, 3, x, use_reentrant=True)):
        rg.manual_seed(1)
        model.zero_grad()
        x.grad = None
        out = run(x)
        out.sum().backward()
        found.append([out.detach(), x.grad, *(p.grad for p in model.parameters())])
    assert_equal(found[0], found[1])
    assert_equal(found[0], found[2])


def arrays_alive(shape):
    gc.collect()
    return sum(isinstance(o, np.ndarray) and o.shape == shape for o in _all_arrays())


def _all_arrays():
    return [r for r in (ref() for ref in _SEEN) if r is not None]


_SEEN = []


def watched(x):
    """Remember the memory of an intermediate result without holding it."""
    _SEEN.append(weakref.ref(x._data))
    return x


@WAYS
def test_intermediate_results_are_not_held(use_reentrant):
    def layers(x):
        for _ in range(6):
            x = watched(x.exp()).sin()
        return x

    def alive_after_forward(run):
        _SEEN.clear()
        x = rg.tensor(np.zeros((5, 7)), requires_grad=True)
        out = run(x)
        alive = arrays_alive((5, 7))
        out.sum().backward()
        return alive

    assert alive_after_forward(layers) == 6
    assert alive_after_forward(lambda x: checkpoint(layers, x, use_reentrant=use_reentrant)) == 0


def test_nested_checkpoints_do_not_hold_the_inputs_of_the_inner_ones():
    def inner(x):
        return watched(x.exp().sin())

    def outer(x):
        for _ in range(5):
            x = checkpoint(inner, x, use_reentrant=False)
        return x

    _SEEN.clear()
    x = rg.tensor(np.zeros((5, 7)), requires_grad=True)
    out = checkpoint(outer, x, use_reentrant=False)
    assert arrays_alive((5, 7)) == 1
    out.sum().backward()
    y = x.detach().requires_grad_()
    outer(y).sum().backward()
    np.testing.assert_array_equal(x.grad.numpy(), y.grad.numpy())


def test_recomputed_values_are_let_go_when_used():
    x = rg.tensor(np.ones((5, 7)), requires_grad=True)
    recomputed = []

    def layers(x):
        first = not recomputed
        for _ in range(3):
            x = x.exp().sin() * 0.5
            if not first:
                recomputed.append(weakref.ref(x._data))
        recomputed.append(lambda: None)
        return x

    out = checkpoint(layers, x, use_reentrant=False)
    out.sum().backward(retain_graph=True)
    gc.collect()
    assert len(recomputed) > 2 and all(r() is None for r in recomputed)
    once = x.grad.clone()
    out.sum().backward()
    np.testing.assert_allclose(x.grad.numpy(), 2 * once.numpy(), rtol=1e-14)


def test_runs_once_more_and_stops_early():
    def counted(x):
        calls.append("start")
        y = (x.exp() * x).sin()
        calls.append("end")
        return y + 1

    for stop, want in ((True, ["start", "end", "start"]), (False, ["start", "end"] * 2)):
        for how in ("argument", "setting"):
            calls = []
            x = rg.ones(3, requires_grad=True)
            with set_checkpoint_early_stop(stop) if how == "setting" else contextlib.nullcontext():
                checkpoint(counted, x, use_reentrant=False, **({"early_stop": stop} if how == "argument" else {})).sum().backward()
            assert calls == want, (stop, how)


def test_grad_inputs_and_keywords():
    x, w = leaves()
    plain = rg.autograd.grad(block(x, w).sum(), [w])
    ours = rg.autograd.grad(checkpoint(block, x, w=w, use_reentrant=False).sum(), [w])
    assert_equal(plain, ours)
    with pytest.raises(RuntimeError, match="incompatible with .grad"):
        rg.autograd.grad(checkpoint(block, x, w, use_reentrant=True).sum(), [w])
    with pytest.raises(RuntimeError, match="incompatible with .grad"):
        checkpoint(block, x, w, use_reentrant=True).sum().backward(inputs=[w])


def test_double_backward():
    def twice(run):
        x, w = leaves()
        (g,) = rg.autograd.grad(run(x, w).sum(), [x], create_graph=True)
        (g * g).sum().backward()
        return x.grad, w.grad

    assert_equal(twice(block), twice(lambda x, w: checkpoint(block, x, w, use_reentrant=False)))


def test_a_parameter_in_a_closure_gets_its_gradient():
    layer, x = nn.Linear(3, 3), rg.ones(2, 3)
    checkpoint(lambda x: layer(x).exp(), x, use_reentrant=False).sum().backward()
    ours = layer.weight.grad.clone()
    layer.zero_grad()
    layer(x).exp().sum().backward()
    np.testing.assert_array_equal(ours.numpy(), layer.weight.grad.numpy())


@WAYS
def test_autocast_holds_in_the_second_run_as_in_the_first(use_reentrant):
    layer, seen = nn.Linear(4, 4), []

    def function(x):
        y = layer(x)
        seen.append(y.dtype)
        return y.float().sin()

    for first in (True, False):
        seen.clear()
        x = rg.ones(2, 4, requires_grad=True)
        with rg.autocast("cpu", dtype=rg.bfloat16, enabled=first):
            out = checkpoint(function, x, use_reentrant=use_reentrant)
        with rg.autocast("cpu", dtype=rg.bfloat16, enabled=not first):
            out.sum().backward()
        assert seen == [rg.bfloat16 if first else rg.float32] * 2
        assert (rg.ones(2, 4) @ rg.ones(4, 2)).dtype == rg.float32


def test_containers_pass_through():
    x = rg.ones(3, requires_grad=True)
    out = checkpoint(lambda d, n, flag: {"a": d["x"].exp() * n, "flag": flag}, {"x": x}, 2, flag=None, use_reentrant=False)
    out["a"].sum().backward()
    assert out["flag"] is None
    np.testing.assert_allclose(x.grad.numpy(), 2 * np.exp(np.ones(3)), rtol=1e-6)
    y = rg.ones(3, requires_grad=True)
    a, text, n = checkpoint(lambda x: (x.exp(), "text", 3), y, use_reentrant=True)
    a.sum().backward()
    assert (text, n) == ("text", 3) and y.grad is not None


def test_states_of_devices():
    """On the CPU there are none; with a GPU they are its generator's."""
    assert get_device_states(rg.ones(2), [rg.ones(1)], 3) == ([], [])
    set_device_states([], [])
    if rg.cuda.is_available():
        x = rg.ones(2, device="cuda")
        kept = get_device_states({"x": x})
        first = rg.rand(3, device="cuda")
        set_device_states(*kept)
        assert kept[0] == [x.get_device()] and rg.equal(first, rg.rand(3, device="cuda"))


def test_without_recording_the_function_just_runs():
    x, w = leaves()
    with rg.no_grad():
        for way in (False, True):
            with warnings.catch_warnings():
                out = checkpoint(block, x, w, use_reentrant=way)
            assert not out.requires_grad


def test_contexts_round_both_runs():
    seen = []

    @contextlib.contextmanager
    def named(name):
        seen.append(name)
        try:
            yield
        finally:
            seen.append(f"end of {name}")

    x = rg.ones(3, requires_grad=True)
    out = checkpoint(lambda x: x.exp().sin(), x, use_reentrant=False, context_fn=lambda: (named("first"), named("second")))
    assert seen == ["first", "end of first"]
    out.sum().backward()
    assert seen == ["first", "end of first", "second", "end of second"]


def changing(first, second):
    calls = []

    def function(x):
        calls.append(1)
        return (first if len(calls) == 1 else second)(x)
    return function


DIFFERENT = {
    "more tensors": (changing, lambda x: x.exp(), lambda x: x.exp().sin(), "different number of tensors", {"early_stop": False}),
    "fewer tensors": (changing, lambda x: x.exp().sin().exp(), lambda x: x.exp(), "different number of tensors", {}),
    "another shape": (changing, lambda x: x.exp(), lambda x: x[:2].exp(), "different metadata(.|\n)*position 0", {}),
    "another type": (changing, lambda x: x.exp(), lambda x: x.double().exp(), "different metadata", {}),
}


@pytest.mark.parametrize("name", DIFFERENT)
def test_a_second_run_that_differs_is_refused(name):
    make, first, second, says, extra = DIFFERENT[name]
    x = rg.ones(3, requires_grad=True)
    with pytest.raises(CheckpointError, match=says):
        checkpoint(make(first, second), x, use_reentrant=False, **extra).sum().backward()


def test_the_check_can_be_switched_off():
    x = rg.ones(3, requires_grad=True)
    function = changing(lambda x: x.exp(), lambda x: x.double().exp())
    checkpoint(function, x, use_reentrant=False, determinism_check="none").sum().backward()
    assert x.grad is not None


@pytest.mark.parametrize("how", ["argument", "setting"])
def test_debug_lists_the_operations(how):
    x = rg.ones(3, requires_grad=True)
    function = changing(lambda x: x.exp().sin().exp(), lambda x: x.exp())
    with set_checkpoint_debug_enabled(True if how == "setting" else None):
        out = checkpoint(function, x, use_reentrant=False, debug=how == "argument")
    with pytest.raises(CheckpointError, match=r"during the original forward:\nexp\(.*\nsin\(.*\nexp\((.|\n)*during recomputation:\nexp\("):
        out.sum().backward()


def test_an_input_written_in_place_is_noticed():
    x = rg.ones(3, requires_grad=True)
    y = x * 2
    out = checkpoint(lambda y: y.exp().sin(), y, use_reentrant=False)
    y.mul_(3)
    with pytest.raises(RuntimeError, match="modified by an inplace operation"):
        out.sum().backward()


def test_an_error_in_the_function_comes_out_and_leaves_nothing():
    x = rg.ones(3, requires_grad=True)
    for way in (False, True):
        with pytest.raises(ZeroDivisionError):
            checkpoint(lambda x: x * (1 / 0), x, use_reentrant=way)
    (x * 2).sum().backward()
    failing = changing(lambda x: x.exp().sin(), lambda x: 1 / 0)
    out = checkpoint(failing, x, use_reentrant=False)
    with pytest.raises(ZeroDivisionError):
        out.sum().backward()
    x.grad = None
    (x.exp()).sum().backward()
    np.testing.assert_allclose(x.grad.numpy(), np.exp(np.ones(3)), rtol=1e-6)


def test_a_gradient_inside_the_function():
    def inside(x):
        (g,) = rg.autograd.grad((x ** 3).sum(), x, create_graph=True)
        return g * x

    x = rg.tensor([1.0, 2.0], requires_grad=True)
    checkpoint(inside, x, use_reentrant=False).sum().backward()
    np.testing.assert_allclose(x.grad.numpy(), 9 * np.array([1.0, 4.0]))


REFUSALS = {
    "keywords": (lambda x: checkpoint(block, x, w=x, use_reentrant=True), ValueError, "Unexpected keyword arguments: w"),
    "context_fn": (lambda x: checkpoint(block, x, x, use_reentrant=True, context_fn=lambda: None), ValueError, "only supported when"),
    "debug": (lambda x: checkpoint(block, x, x, use_reentrant=True, debug=True), ValueError, "only supported when"),
    "determinism": (lambda x: checkpoint(block, x, x, use_reentrant=False, determinism_check="some"), ValueError, "determinism_check"),
    "both": (lambda x: checkpoint(block, x, x, use_reentrant=False, debug=True,
                                  context_fn=lambda: (contextlib.nullcontext(), contextlib.nullcontext())), ValueError, "incompatible"),
    "sequential": (lambda x: checkpoint_sequential([block], 1, x, use_reentrant=False, foo=1), ValueError, "Unexpected keyword arguments: foo"),
    "detach": (lambda x: detach_variable([x]), RuntimeError, "Only tuple of tensors is supported"),
}


@pytest.mark.parametrize("name", REFUSALS)
def test_refusals(name):
    call, error, says = REFUSALS[name]
    with pytest.raises(error, match=says):
        call(rg.ones(2, 2, requires_grad=True))


def test_warnings():
    x = rg.ones(3)
    with pytest.warns(UserWarning, match="use_reentrant parameter should be passed explicitly"):
        assert checkpoint(lambda x: x.exp(), x.requires_grad_()).grad_fn.name() == "CheckpointFunctionBackward"
    with pytest.warns(UserWarning, match="None of the inputs have requires_grad=True"):
        CheckpointFunction.apply(lambda x: x.exp(), True, rg.ones(3))


@WAYS
def test_deepest_first(use_reentrant):
    """A chain of many checkpoints is no deep recursion."""
    x = y = rg.ones(3, requires_grad=True)
    for _ in range(300):
        y = checkpoint(lambda y: (y * 1.001).sin(), y, use_reentrant=use_reentrant)
    y.sum().backward()
    assert np.isfinite(x.grad.numpy()).all()
