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
def xp(tmp_path_factory):
    with host_gpu.plugged(host_gpu.device(tmp_path_factory.mktemp("kernels"))) as xp:
        yield xp


def path(place, name, options, dtype, steps=4):
    """(parameters, the optimizer) after a few steps, one parameter a step behind."""
    rng = np.random.default_rng(0)
    make = lambda s: wrap(place(rng.standard_normal(s).astype(dtype)))  # noqa: E731
    params = [make(s).requires_grad_() for s in SHAPES]
    optimizer = getattr(ringgrad.optim, name)(params, **options)
    for n in range(steps):
        for p in params:
            p.grad = make(p.shape)
        params[1].grad = params[1].grad if n else None
        optimizer.step()
    return params, optimizer


def values(tensor):
    return np.asarray(tensor._data.view(np.ndarray), np.float64)


CASES = [(*row, "float32") for row in OWN] + [(*row, dtype) for row in FIRST for dtype in TOLERANCE if dtype != "float32"]


@pytest.mark.parametrize(("name", "options", "dtype"), CASES, ids=lambda v: v if isinstance(v, str) else "-".join(v))
def test_one_launch_is_the_rules_step(xp, name, options, dtype):
    kind = np.dtype(getattr(ml_dtypes, dtype, dtype))
    xp.launched.clear()
    ours, our_optimizer = path(xp.place, name, options, kind)
    assert f"{name.lower()}_rule" in xp.launched
    theirs, optimizer = path(np.asarray, name, options, kind)
    for p, q in zip(ours, theirs):
        np.testing.assert_allclose(values(p), values(q), rtol=TOLERANCE[dtype], atol=TOLERANCE[dtype])
        state = optimizer.state[q]
        assert list(our_optimizer.state[p]) == list(state)
        for key, value in state.items():
            room = TOLERANCE[dtype] * max(1, np.abs(values(value)).max())
            np.testing.assert_allclose(values(our_optimizer.state[p][key]), values(value), rtol=0, atol=room, err_msg=key)
        assert p._version == q._version


def test_what_a_launch_cannot_take_runs_rule_by_rule(xp):
    """Numbers on the device, and parameters that are not contiguous."""
    for make, options in ((lambda: xp.place(np.ones(3)), {"capturable": True}), (lambda: xp.place(np.ones((3, 2)))[:, 0], {})):
        p, q = wrap(make()).requires_grad_(), ringgrad.ones(3, dtype=ringgrad.float64).requires_grad_()
        xp.launched.clear()
        for t, more in ((p, options), (q, {})):
            t.grad = ringgrad.ones_like(t)
            ringgrad.optim.RMSprop([t], **more).step()
        assert "rmsprop_rule" not in xp.launched
        np.testing.assert_allclose(values(p), values(q.detach()))
