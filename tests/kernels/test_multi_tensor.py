"""Optimizer steps and clipping of many arrays in one launch, run on the host (host_gpu.py), beside the rules of the CPU."""
import host_gpu
import ml_dtypes
import numpy as np
import pytest

import ringgrad
from ringgrad._core.tensor import wrap
from ringgrad.amp import _scale_ops
from ringgrad.kernels import multi_tensor

pytestmark = pytest.mark.skipif(host_gpu.compiler() is None, reason="no g++ on the PATH to compile the CUDA sources with")

SHAPES = [(3, 5), (1,), (multi_tensor.CHUNK + 3,), (2, 3, 4), ()]
OPTIMIZERS = {
    "SGD": ("SGD", {"lr": 0.1}), "momentum": ("SGD", {"lr": 0.1, "momentum": 0.9, "dampening": 0.2, "weight_decay": 0.01}),
    "Nesterov, up": ("SGD", {"lr": 0.1, "momentum": 0.9, "nesterov": True, "maximize": True}),
    "Adam": ("Adam", {"lr": 0.01, "weight_decay": 0.1}), "AMSGrad, up": ("Adam", {"lr": 0.01, "amsgrad": True, "maximize": True}),
    "AdamW": ("AdamW", {"lr": 0.01, "betas": (0.8, 0.95)}), "AdamW, capturable": ("AdamW", {"lr": 0.01, "capturable": True}),
    "AdamW, fused": ("AdamW", {"lr": 0.01, "fused": True}),
}
TOLERANCE = {"float64": 1e-12, "float32": 2e-6, "bfloat16": 2.0**-7, "float16": 2.0**-9}


@pytest.fixture(scope="module")
def xp(compiled):
    with host_gpu.plugged(host_gpu.device(compiled)) as xp:
        yield xp


def path(place, name, options, dtype, steps=3):
    rng = np.random.default_rng(0)
    make = lambda s: wrap(place(rng.standard_normal(s).astype(dtype)))  # noqa: E731
    params = [make(s).requires_grad_() for s in SHAPES]
    if place is np.asarray:
        options = {k: v for k, v in options.items() if k != "capturable"}
    optimizer = getattr(ringgrad.optim, name)(params, **options)
    for n in range(steps):
        for p in params:
            p.grad = make(p.shape)
        params[1].grad = params[1].grad if n else None  # one parameter begins a step later
        optimizer.step()
    return [np.asarray(p._data.view(np.ndarray), np.float64) for p in params], optimizer


@pytest.mark.parametrize("dtype", TOLERANCE)
@pytest.mark.parametrize("key", OPTIMIZERS)
def test_a_step_is_the_rules_step(xp, key, dtype):
    name, options = OPTIMIZERS[key]
    kind = np.dtype(getattr(ml_dtypes, dtype, dtype))
    xp.launched.clear()
    got, optimizer = path(xp.place, name, options, kind)
    assert {"sgd_step" if name == "SGD" else "adam_step"} <= xp.launched
    assert ("advance_steps" in xp.launched) == bool(options.get("capturable") or options.get("fused"))
    want, _ = path(np.asarray, name, options, kind)
    for a, b in zip(got, want):
        np.testing.assert_allclose(a, b, rtol=TOLERANCE[dtype], atol=TOLERANCE[dtype])
    if name != "SGD":
        assert [float(optimizer.state[p]["step"]._data) for p in optimizer.param_groups[0]["params"]] == [3, 2, 3, 3, 3]


@pytest.mark.parametrize("name", ["SGD", "AdamW"])
def test_scale_and_inf_stay_on_the_device(xp, name):
    p = wrap(xp.place(np.ones(5, np.float32))).requires_grad_()
    q = ringgrad.ones(5).requires_grad_()
    ours, rules = (getattr(ringgrad.optim, name)([t], lr=0.1, fused=True) for t in (p, q))
    for found in (0.0, 1.0, 0.0):
        for t, optimizer, place in ((p, ours, xp.place), (q, rules, np.asarray)):
            t.grad = wrap(place(np.arange(5, dtype=np.float32) * 8))
            optimizer.grad_scale, optimizer.found_inf = (wrap(place(np.array([v], np.float32))) for v in (8.0, found))
            optimizer.step()
        if not found:
            np.testing.assert_allclose(p.grad._data, np.arange(5))
        np.testing.assert_allclose(p.detach()._data, q.detach()._data, rtol=1e-6)
    if name == "AdamW":
        assert float(ours.state[p]["step"]._data) == 2


@pytest.mark.parametrize("dtype", ["bfloat16", "float16"])
def test_master_weights(xp, dtype):
    """Parameters of half precision follow float32 ones, whose small steps they could not take themselves."""
    kind = np.dtype(getattr(ml_dtypes, dtype, dtype))
    p, g = xp.place(np.ones(7, kind)), xp.place(np.full(7, 1, kind))
    master, mean, square = (xp.place(np.full(7, v, np.float32)) for v in (1, 0, 0))
    table = multi_tensor.Table(xp, [[p], [g], [mean], [square], None, [master]])
    q = ringgrad.ones(7).requires_grad_()
    rules = ringgrad.optim.AdamW([q], lr=1e-4)
    for n in range(1, 4):
        q.grad = ringgrad.ones(7)
        rules.step()
        numbers = xp.place(np.array([1e-4, 0.9, 0.999, 1e-8, 0.01]))
        multi_tensor.adam(xp, table, numbers, xp.place(np.array([n], np.float32)), decoupled=True, maximize=False)
    np.testing.assert_allclose(master, q.detach().numpy(), rtol=1e-6)
    np.testing.assert_array_equal(p.get(), master.get().astype(kind))


@pytest.mark.parametrize("key", ["SGD", "momentum", "AMSGrad, up", "AdamW, fused"])
def test_optimizers_with_master_weights_step_in_one_launch(xp, key):
    """Beside the definition on the CPU, which updates float32 parameters and rounds."""
    name, options = OPTIMIZERS[key]
    found = {}
    for place in (xp.place, np.asarray):
        rng = np.random.default_rng(0)
        params = [wrap(place(rng.standard_normal(s).astype(ml_dtypes.bfloat16))).requires_grad_() for s in SHAPES]
        optimizer = ringgrad.optim.keep_master_weights(getattr(ringgrad.optim, name)(params, **options))
        xp.launched.clear()
        for _ in range(3):
            for p in params:
                p.grad = wrap(place(rng.standard_normal(p.shape).astype(ml_dtypes.bfloat16)))
            optimizer.step()
        assert (place is np.asarray) or {"sgd_step" if name == "SGD" else "adam_step"} <= xp.launched
        masters = [np.asarray(optimizer.state[p]["master_weight"]._data.view(np.ndarray)) for p in params]
        for p, master in zip(params, masters):
            np.testing.assert_array_equal(np.asarray(p._data.view(np.ndarray)), master.astype(ml_dtypes.bfloat16))
        found[place is np.asarray] = masters
    for a, b in zip(found[False], found[True]):
        np.testing.assert_allclose(a, b, rtol=2e-6, atol=2e-6)


@pytest.mark.parametrize("most", [0.5, 1e9])
@pytest.mark.parametrize("dtype", TOLERANCE)
def test_clipping(xp, dtype, most):
    kind = np.dtype(getattr(ml_dtypes, dtype, dtype))
    rng = np.random.default_rng(0)
    values = [rng.standard_normal(s).astype(kind) for s in SHAPES]
    found = []
    for place in (xp.place, np.asarray):
        params = [wrap(place(np.zeros(s, kind))).requires_grad_() for s in SHAPES]
        for p, g in zip(params, values):
            p.grad = wrap(place(g.copy()))
        xp.launched.clear()
        norm = ringgrad.nn.utils.clip_grad_norm_(params, most)
        assert ("norm_and_factor" in xp.launched) == (place is not np.asarray)
        found.append([np.asarray(t._data.view(np.ndarray), np.float64) for t in (norm, *(p.grad for p in params))])
    for a, b in zip(*found):
        np.testing.assert_allclose(a, b, rtol=4 * TOLERANCE[dtype], atol=TOLERANCE[dtype])


def last(array):
    """The array, images of it with their channels last."""
    return np.moveaxis(np.moveaxis(array, 1, -1).copy(), -1, 1)


@pytest.mark.parametrize("loaded", [False, True], ids=["own state", "loaded state"])
@pytest.mark.parametrize(("name", "kernel"), [("SGD", "sgd_step"), ("AdamW", "adam_step"), ("RMSprop", "rmsprop_rule")])
def test_weights_with_their_channels_last_are_stepped_in_one_launch(xp, name, kernel, loaded):
    """State that was loaded in another order is laid out as the weights are."""
    def run(place, order):
        rng = np.random.default_rng(0)
        make = lambda turn: wrap(turn(place(rng.standard_normal((4, 3, 2, 2)).astype(np.float32))))  # noqa: E731
        params = [make(order).requires_grad_(), make(lambda a: a).requires_grad_()]
        optimizer = getattr(ringgrad.optim, name)(params, lr=0.1, **({"momentum": 0.9} if name != "AdamW" else {}))
        for n in range(3):
            for p, turn in zip(params, (order, lambda a: a)):
                p.grad = make(turn)
            optimizer.step()
            if loaded and not n:
                for entry in optimizer.state.values():
                    for value in entry.values():
                        if getattr(value, "ndim", 0):
                            value._data = value._data.copy()
        return params
    xp.launched.clear()
    got, want = run(xp.place, last), run(np.asarray, lambda a: a)
    assert any(kernel in k for k in xp.launched), xp.launched
    assert got[0]._data.strides == last(want[0]._data).strides
    for a, b in zip(got, want):
        np.testing.assert_allclose(a._data.get(), b._data, rtol=1e-5, atol=1e-6)


def test_what_lies_otherwise_than_its_gradient_or_has_gaps_is_not_for_these_kernels():
    a = np.ones((4, 3, 2, 2), np.float32)
    assert multi_tensor.fits([a], [a * 2]) and multi_tensor.fits([last(a)], [last(a)]) and multi_tensor.fits([last(a)])
    assert not multi_tensor.fits([a], [last(a)]) and not multi_tensor.fits([last(a)], [a])
    assert not multi_tensor.fits([a[::2]]) and not multi_tensor.fits([last(a)[:, :2]]) and not multi_tensor.fits([np.broadcast_to(a, (2, *a.shape))])


@pytest.mark.parametrize("bad", [None, np.inf, np.nan])
def test_a_scaler_divides_all_gradients_in_one_launch(xp, bad):
    """As the definition does, in each type; what has gaps goes the way of the definition."""
    rng, arrays = np.random.default_rng(0), []
    for kind in (np.float16, ml_dtypes.bfloat16, np.float32, np.float64):
        arrays += [rng.standard_normal(s).astype(kind) for s in ((3,), (4, 5))]
    if bad is not None:
        arrays[3][1, 2] = bad
    xp.launched.clear()
    results = []
    for place in (xp.place, np.asarray):
        own = [wrap(place(a.copy())) for a in arrays] + [wrap(place(np.ones((4, 4), np.float32)))[:, ::2]]
        found, factor = wrap(place(np.zeros((), np.float32))), wrap(place(np.array(0.3, np.float32)))
        _scale_ops._amp_foreach_non_finite_check_and_unscale_(own, found, factor)
        results.append([t._data for t in (*own, found)])
    assert xp.launched == {"unscale_all"}
    for ours, wanted in zip(*results):
        np.testing.assert_array_equal(ours.get().astype(np.float64), wanted.astype(np.float64))


@pytest.mark.parametrize("scale", [8.0, 3e38])
@pytest.mark.parametrize("found", [0.0, 1.0])
@pytest.mark.parametrize("count", [0, 2])
def test_a_scale_is_updated_as_defined(xp, scale, found, count):
    arrays = np.array(scale, np.float32), np.array(count, np.int32), np.array(found, np.float32)
    there, here = ([wrap(place(a.copy())) for a in arrays] for place in (xp.place, np.asarray))
    for tensors in (there, here):
        _scale_ops._amp_update_scale_(*tensors, 2.0, 0.5, 3)
    for ours, wanted in zip(there, here):
        np.testing.assert_array_equal(ours._data.get(), wanted._data)


@pytest.mark.parametrize("dtype", ["float32", "bfloat16"])
@pytest.mark.parametrize("name", ["SGD", "AdamW", "Adadelta"])
def test_sixteen_bytes_at_once_are_elements_one_by_one(xp, name, dtype):
    """Arrays that begin where 16 bytes cannot be read get the same bits."""
    kind, found = np.dtype(getattr(ml_dtypes, dtype, dtype)), []
    for start in (0, 1):
        rng = np.random.default_rng(0)
        make = lambda n, start=start, rng=rng: wrap(xp.place(np.concatenate([np.ones(start), rng.standard_normal(n)]).astype(kind))[start:])  # noqa: E731
        params = [make(n).requires_grad_() for n in (5, 37, multi_tensor.CHUNK + 11)]
        assert all((p._data.data.ptr % 16 == 0) == (start == 0) for p in params)
        options = {"momentum": 0.9} if name == "SGD" else {"amsgrad": True} if name == "AdamW" else {}
        optimizer = getattr(ringgrad.optim, name)(params, lr=0.1, **options)
        for _ in range(2):
            for p in params:
                p.grad = make(len(p))
            optimizer.step()
        states = [t for p in params for t in optimizer.state[p].values() if t.ndim]
        found.append([np.ascontiguousarray(t._data.view(np.ndarray)).view(np.uint8) for t in (*params, *states)])
    for a, b in zip(*found):
        np.testing.assert_array_equal(a, b)
