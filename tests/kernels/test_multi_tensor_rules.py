"""The optimizers whose rules have a CUDA body: all parameters in one launch, run on the host (host_gpu.py), beside the rules of the CPU."""
import host_gpu
import ml_dtypes
import numpy as np
import pytest

import ringgrad
from ringgrad._core.tensor import wrap
from ringgrad.kernels import multi_tensor
from tests.optim.option_rows import ROWS

pytestmark = pytest.mark.skipif(host_gpu.compiler() is None, reason="no g++ on the PATH to compile the CUDA sources with")

SHAPES = [(3, 5), (1,), (multi_tensor.CHUNK + 3,), ()]
TOLERANCE = {"float64": 1e-12, "float32": 4e-6, "bfloat16": 2.0**-6, "float16": 2.0**-8}
OWN = [(name, options) for name, options in ROWS if name not in ("SGD", "Adam", "AdamW", "Adafactor")]
FIRST = [next(row for row in OWN if row[0] == name) for name in dict.fromkeys(name for name, _ in OWN)]


@pytest.fixture(scope="module")
def xp(compiled):
    with host_gpu.plugged(host_gpu.device(compiled)) as xp:
        yield xp


def path(place, name, options, dtype, steps=4, prepare=lambda optimizer: optimizer):
    """(parameters, the optimizer) after a few steps, one parameter a step behind."""
    rng = np.random.default_rng(0)
    make = lambda s: wrap(place(rng.standard_normal(s).astype(dtype)))  # noqa: E731
    params = [make(s).requires_grad_() for s in SHAPES]
    optimizer = prepare(getattr(ringgrad.optim, name)(params, **options))
    for n in range(steps):
        for p in params:
            p.grad = make(p.shape)
        params[1].grad = params[1].grad if n else None
        optimizer.step()
    return params, optimizer


def values(tensor):
    return np.asarray(tensor._data.view(np.ndarray), np.float64)


CASES = [(*row, "float32") for row in OWN] + [(*row, dtype) for row in FIRST for dtype in TOLERANCE if dtype != "float32"]


def same_path(xp, name, options, dtype, on_device, prepare=lambda optimizer: optimizer):
    kind = np.dtype(getattr(ml_dtypes, dtype, dtype))
    xp.launched.clear()
    counted = {"fused" if name == "Adagrad" else "capturable": True} if on_device else {}
    ours, our_optimizer = path(xp.place, name, {**options, **counted}, kind, prepare=prepare)
    assert {n for n in xp.launched if "rule" in n} == {f"{name.lower()}_rule", *([f"{name.lower()}_rule_factors"] if on_device else [])}
    theirs, optimizer = path(np.asarray, name, options, kind, prepare=prepare)
    for p, q in zip(ours, theirs):
        np.testing.assert_allclose(values(p), values(q), rtol=TOLERANCE[dtype], atol=TOLERANCE[dtype])
        state = optimizer.state[q]
        assert list(our_optimizer.state[p]) == list(state)
        for key, value in state.items():
            room = TOLERANCE[dtype] * max(1, np.abs(values(value)).max())
            np.testing.assert_allclose(values(our_optimizer.state[p][key]), values(value), rtol=0, atol=room, err_msg=key)
        assert p._version == q._version


@pytest.mark.parametrize(("name", "options", "dtype"), CASES, ids=lambda v: v if isinstance(v, str) else "-".join(v))
def test_one_launch_is_the_rules_step(xp, name, options, dtype):
    same_path(xp, name, options, dtype, on_device=False)


@pytest.mark.parametrize(("name", "options", "dtype"), CASES, ids=lambda v: v if isinstance(v, str) else "-".join(v))
def test_step_counts_on_the_device_give_the_same_numbers(xp, name, options, dtype):
    """With capturable=True, and in Adagrad fused=True: the factors of Python and of the second kernel."""
    same_path(xp, name, options, dtype, on_device=True)


@pytest.mark.parametrize("row", FIRST, ids=lambda row: row[0])
def test_master_weights(xp, row):
    """Of half-precision parameters: the same two launches."""
    same_path(xp, *row, "bfloat16", on_device=True, prepare=ringgrad.optim.keep_master_weights)


@pytest.mark.parametrize("row", [row for row in FIRST if row[0] != "Rprop"], ids=lambda row: row[0])
def test_a_rate_that_is_a_tensor_is_read_on_the_device(xp, row):
    name, options = row
    found = []
    for place in (xp.place, np.asarray):
        p = wrap(place(np.ones(5, np.float32))).requires_grad_()
        counted = {"fused" if name == "Adagrad" else "capturable": True} if place is not np.asarray else {}
        optimizer = getattr(ringgrad.optim, name)([p], **{**options, **counted, "lr": wrap(place(np.array(0.25, np.float32)))})
        for n in range(3):
            optimizer.param_groups[0]["lr"] *= 0.5
            p.grad = wrap(place(np.arange(5, dtype=np.float32) - n))
            optimizer.step()
        found.append(values(p.detach()))
    np.testing.assert_allclose(*found, rtol=4e-6)


@pytest.mark.parametrize("row", FIRST, ids=lambda row: row[0])
def test_an_inf_leaves_everything_as_it_was(xp, row):
    """What a GradScaler says in device memory: no step, no count.  Adagrad, fused, divides by the scale as well."""
    name, options = row
    p, q = wrap(xp.place(np.ones(5, np.float32))).requires_grad_(), ringgrad.ones(5).requires_grad_()
    fused = name == "Adagrad"
    ours = getattr(ringgrad.optim, name)([p], **options, **{"fused" if fused else "capturable": True})
    rules = getattr(ringgrad.optim, name)([q], **options)
    for found in (0.0, 1.0, 0.0):
        p.grad, q.grad = wrap(xp.place(np.arange(5, dtype=np.float32) * (8 if fused else 1))), ringgrad.arange(5.0)
        ours.found_inf, ours._step_supports_amp_scaling = wrap(xp.place(np.array(found, np.float32))), True
        if fused:
            ours.grad_scale = wrap(xp.place(np.array(8, np.float32)))
        ours.step()
        if not found:
            rules.step()
            np.testing.assert_array_equal(values(p.grad), np.arange(5))
        np.testing.assert_allclose(values(p.detach()), values(q.detach()), rtol=4e-6)
        for key, value in rules.state[q].items():
            np.testing.assert_allclose(values(ours.state[p][key]), values(value), rtol=4e-6, err_msg=key)


def test_what_a_launch_cannot_take_runs_rule_by_rule(xp):
    """Counts of float64, and parameters that are not contiguous."""
    for make, options, default in ((lambda: xp.place(np.ones(3)), {"capturable": True}, ringgrad.float64),
                                   (lambda: xp.place(np.ones((3, 2)))[:, 0], {}, ringgrad.float32)):
        p, q = wrap(make()).requires_grad_(), ringgrad.ones(3, dtype=ringgrad.float64).requires_grad_()
        xp.launched.clear()
        ringgrad.set_default_dtype(default)
        try:
            for t, more in ((p, options), (q, {})):
                t.grad = ringgrad.ones_like(t)
                ringgrad.optim.RMSprop([t], **more).step()
        finally:
            ringgrad.set_default_dtype(ringgrad.float32)
        assert "rmsprop_rule" not in xp.launched
        np.testing.assert_allclose(values(p), values(q.detach()))
