"""clip_in_step on a GPU, run on the host (host_gpu.py): the norm in two launches, the factor in the update; beside the definition on the CPU."""
import host_gpu
import ml_dtypes
import numpy as np
import pytest

import ringgrad
from ringgrad import optim
from ringgrad._core.tensor import wrap
from ringgrad.kernels import multi_tensor

pytestmark = pytest.mark.skipif(host_gpu.compiler() is None, reason="no g++ on the PATH to compile the CUDA sources with")

SHAPES = [(3, 5), (1,), (multi_tensor.CHUNK + 3,), ()]
TOLERANCE = {"float64": 1e-12, "float32": 4e-6, "bfloat16": 2.0**-6}
OPTIMIZERS = {
    "SGD": {"momentum": 0.9, "weight_decay": 0.1}, "AdamW": {}, "RMSprop": {}, "NAdam": {"capturable": True}, "Adagrad": {"fused": True},
    "Adafactor": {}, "Rprop": {},
}


@pytest.fixture(scope="module")
def xp(compiled):
    with host_gpu.plugged(host_gpu.device(compiled)) as xp:
        yield xp


def values(tensor):
    return np.asarray(tensor._data.view(np.ndarray), np.float64)


def path(place, name, dtype, options=None, order=2.0, change=lambda a: a, scale=None):
    """(parameters, norms) of a few clipped steps over two groups."""
    rng = np.random.default_rng(0)
    params = [wrap(place(rng.standard_normal(s).astype(dtype))).requires_grad_() for s in SHAPES]
    options = {k: v for k, v in (options or {}).items() if place is not np.asarray or k not in ("capturable", "fused")}
    optimizer = optim.clip_in_step(getattr(optim, name)([{"params": params[:2]}, {"params": params[2:]}], lr=0.1, **options), 0.5, order)
    norms = []
    for n in range(3):
        for i, p in enumerate(params):
            given = change(rng.standard_normal(p.shape).astype(dtype))
            if scale is not None and place is not np.asarray:
                optimizer.grad_scale, optimizer.found_inf = (wrap(place(np.array(v, np.float32))) for v in (scale, 0))
                given = np.asarray(given * given.dtype.type(scale))
            p.grad = wrap(place(given)) if n or i != 1 else None
        before = [p.grad is not None and values(p.grad) for p in params]
        optimizer.step()
        norms.append(values(optimizer.total_norm))
        assert all(b is False or np.allclose(b / (1 if place is np.asarray else scale or 1), values(p.grad)) for b, p in zip(before, params))
    return [values(p) for p in params], norms


def compare(xp, dtype, *args, **kwargs):
    kind = np.dtype(getattr(ml_dtypes, dtype, dtype))
    xp.launched.clear()
    ours = path(xp.place, args[0], kind, *args[1:], **kwargs)
    launched = set(xp.launched)
    theirs = path(np.asarray, args[0], kind, *args[1:], **kwargs)
    for a, b in zip([*ours[0], *ours[1]], [*theirs[0], *theirs[1]]):
        np.testing.assert_allclose(a, b, rtol=TOLERANCE[dtype], atol=TOLERANCE[dtype])
    return launched


@pytest.mark.parametrize("dtype", TOLERANCE)
@pytest.mark.parametrize("name", OPTIMIZERS)
def test_the_update_is_that_of_the_definition(xp, name, dtype):
    launched = compare(xp, dtype, name, OPTIMIZERS[name])
    assert {"squares", "norm_and_factor"} <= launched and "scale_all" not in launched
    assert name == "Adafactor" or any("step" in n or "rule" in n for n in launched)


@pytest.mark.parametrize("order", [1.0, float("inf")])
@pytest.mark.parametrize("name", ["AdamW", "RMSprop"])
def test_other_norms(xp, name, order):
    assert "norm_and_factor" not in compare(xp, "float32", name, order=order)


@pytest.mark.parametrize("name", ["SGD", "AdamW", "Adagrad"])
@pytest.mark.parametrize("order", [2.0, 1.0])
def test_a_loss_scale_on_the_device(xp, name, order):
    """The norm is that of unscaled gradients, which is what they are afterwards."""
    compare(xp, "float32", name, {"fused": True}, order=order, scale=8.0)


def test_gradients_that_are_not_contiguous(xp):
    """They go by the rules, and the factor with them."""
    launched = compare(xp, "float32", "AdamW", change=lambda a: np.repeat(a, 2, -1)[..., ::2] if a.ndim else a)
    assert "scale_all" not in launched


def test_groups_of_two_types(xp):
    found = []
    for place in (xp.place, np.asarray):
        params = [wrap(place(np.ones(5, kind))).requires_grad_() for kind in (np.float32, np.float64)]
        optimizer = optim.clip_in_step(optim.SGD(params, lr=0.5), 1.0)
        for p in params:
            p.grad = ringgrad.ones_like(p)
        optimizer.step()
        found.append([values(t) for t in (*params, optimizer.total_norm)])
    for a, b in zip(*found):
        np.testing.assert_allclose(a, b, rtol=1e-6)
