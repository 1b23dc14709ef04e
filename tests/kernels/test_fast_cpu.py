"""The loops that numba compiles for large float32 arrays, each against the NumPy kernel or formula that it goes before."""
import importlib
import os
import subprocess
import sys

import numpy as np
import pytest

import ringgrad
import ringgrad.nn.functional as F
from ringgrad.ops import _fused

if not _fused.available():
    pytest.skip("numba (extra fast-cpu) is not installed, or RINGGRAD_NUMBA=0", allow_module_level=True)

LOOPS = {name: importlib.import_module(f"ringgrad.ops.{name}") for name in ("_loops", "_loops_exp")}
TARGET = ringgrad.tensor(np.random.default_rng(1).integers(0, 65, 400))
WORDS = ringgrad.tensor(np.random.default_rng(2).integers(0, 50, (40, 20)))


def batch_norm(x, w, b):
    return F.batch_norm(x, None, None, w, b, training=True)


def dropped(x):
    ringgrad.manual_seed(5)
    return F.dropout(x, 0.3)


def dropped_attention(q, k, v):
    ringgrad.manual_seed(5)
    return F.scaled_dot_product_attention(q, k, v, dropout_p=0.4)


PLACES = ringgrad.tensor(np.random.default_rng(7).integers(0, 65, (40, 9, 131)))
ROWS = [  # label, function, shapes of its inputs, the loops it goes through
    ("relu", F.relu, [(200, 301)], "relu_gradient"),
    ("gelu", F.gelu, [(200, 301)], "gelu gelu_gradient"),
    ("gelu tanh", lambda x: F.gelu(x, "tanh"), [(200, 301)], "gelu_tanh gelu_tanh_gradient"),
    ("dropout", dropped, [(200, 301)], "masked_scale"),
    ("softmax", lambda x: F.softmax(x, -1), [(20, 30, 65)], "softmax softmax_gradient"),
    ("softmax of few long rows", lambda x: F.softmax(x, 1), [(3, 20001)], "softmax softmax_gradient"),
    ("log_softmax", lambda x: F.log_softmax(x, -1), [(600, 65)], "log_softmax log_softmax_gradient"),
    ("cross_entropy", lambda x: F.cross_entropy(x, TARGET), [(400, 65)], "log_sum_exp cross_entropy_gradient"),
    ("cross_entropy, none", lambda x: F.cross_entropy(x, TARGET, reduction="none"), [(400, 65)], "log_sum_exp"),
    ("cross_entropy, sum", lambda x: F.cross_entropy(x, TARGET, reduction="sum"), [(400, 65)], "log_sum_exp cross_entropy_gradient"),
    ("cross_entropy, ignored targets", lambda x: F.cross_entropy(x, TARGET, ignore_index=3), [(400, 65)], ""),
    ("layer_norm", lambda x, w, b: F.layer_norm(x, (37,), w, b), [(40, 20, 37), (37,), (37,)], "normalize_rows normalize_rows_gradient"),
    ("layer_norm over two dimensions", lambda x, w, b: F.layer_norm(x, (20, 37), w, b), [(40, 20, 37), (20, 37), (20, 37)],
     "normalize_rows"),
    ("layer_norm without parameters", lambda x: F.layer_norm(x, (37,)), [(800, 37)], "normalize_rows"),
    ("rms_norm", lambda x, w: F.rms_norm(x, (37,), w), [(800, 37), (37,)], "normalize_rows"),
    ("batch_norm", batch_norm, [(20, 7, 13, 11), (7,), (7,)], "normalize_channels normalize_channels_gradient channel_sums"),
    ("batch_norm of sequences", batch_norm, [(20, 7, 143), (7,), (7,)], "normalize_channels"),
    ("group_norm", lambda x, w, b: F.group_norm(x, 3, w, b), [(10, 12, 13, 11), (12,), (12,)], "normalize_groups normalize_groups_gradient"),
    ("group_norm without parameters", lambda x: F.group_norm(x, 4), [(20, 8, 143)], "normalize_groups normalize_groups_gradient"),
    ("attention", F.scaled_dot_product_attention, [(8, 4, 50, 16)] * 3, "attention_softmax attention_softmax_gradient"),
    ("attention, causal", lambda q, k, v: F.scaled_dot_product_attention(q, k, v, is_causal=True), [(8, 4, 50, 16)] * 3,
     "attention_softmax"),
    ("attention, causal, more keys", lambda q, k, v: F.scaled_dot_product_attention(q, k, v, is_causal=True),
     [(8, 4, 40, 16), (8, 4, 60, 16), (8, 4, 60, 16)], "attention_softmax"),
    ("attention, causal, more queries", lambda q, k, v: F.scaled_dot_product_attention(q, k, v, is_causal=True),
     [(8, 4, 60, 16), (8, 4, 40, 16), (8, 4, 40, 16)], "attention_softmax"),
    ("attention with dropout", dropped_attention, [(8, 4, 50, 16)] * 3, "attention_softmax"),
    ("max_pool2d", lambda x: F.max_pool2d(x, 2), [(8, 6, 24, 26)], "max_pool_2x2 spread_to_max_2x2"),
    ("max_pool2d of odd sizes", lambda x: F.max_pool2d(x, 2), [(8, 6, 25, 27)], "max_pool_2x2 spread_to_max_2x2"),
    ("max_pool2d, overlapping", lambda x: F.max_pool2d(x, 3, 2, 1), [(8, 6, 33, 35)], "max_pool spread_to_max"),
    ("max_pool2d, dilated, ceiling", lambda x: F.max_pool2d(x, (3, 2), (2, 1), 1, (2, 3), ceil_mode=True), [(8, 6, 25, 27)],
     "max_pool spread_to_max"),
    ("embedding", lambda w: F.embedding(WORDS, w), [(50, 32)], "add_rows"),
    ("gather", lambda x: x.gather(2, PLACES), [(40, 9, 65)], "take_along_rows add_along_rows"),
    ("gather of few places", lambda x: x.gather(1, PLACES[0, :, :7]), [(9, 4000)], "take_along_rows"),
    ("topk", lambda x: x.topk(5)[0], [(300, 65)], "first_of_rows add_along_rows"),
    ("topk, the smallest", lambda x: x.topk(7, largest=False)[0], [(10, 30, 65)], "first_of_rows"),
    ("gather along another axis", lambda x: x.gather(1, PLACES), [(40, 65, 131)], ""),
]


@pytest.mark.parametrize("wrong", [-1, 65])
def test_gather_refuses_what_is_not_there(wrong):
    places = PLACES.clone()
    places[3, 4, 5] = wrong
    with pytest.raises(RuntimeError, match="out of bounds"):
        ringgrad.zeros(40, 9, 65).gather(2, places)


def outcome(function, arrays):
    """The result, and the gradient of every input."""
    inputs = [ringgrad.tensor(a, requires_grad=True) for a in arrays]
    out = function(*inputs)
    seed = np.random.default_rng(4).standard_normal(tuple(out.shape)).astype(np.float32)
    out.backward(ringgrad.tensor(seed))
    return [out.detach().numpy(), *(t.grad.numpy() for t in inputs)]


def both(function, arrays, monkeypatch):
    """(outcome with the loops, outcome without)."""
    fast = outcome(function, arrays)
    monkeypatch.setattr(_fused, "available", lambda: False)
    return fast, outcome(function, arrays)


def called(name):
    return bool(next(getattr(m, name) for m in LOOPS.values() if hasattr(m, name)).signatures)


@pytest.mark.parametrize(("label", "function", "shapes", "loops"), ROWS, ids=[row[0] for row in ROWS])
def test_value_and_gradients(label, function, shapes, loops, monkeypatch):
    rng = np.random.default_rng(3)
    arrays = [rng.standard_normal(s).astype(np.float32) for s in shapes]
    fast, plain = both(function, arrays, monkeypatch)
    assert all(called(name) for name in loops.split())
    for i, (a, b) in enumerate(zip(fast, plain, strict=True)):
        assert a.shape == b.shape and a.dtype == b.dtype
        size = max(1.0, float(np.abs(b).max()))
        what = f"{label}: {'output' if i == 0 else f'gradient {i - 1}'}"
        np.testing.assert_allclose(a / size, b / size, rtol=1e-4, atol=2e-6, err_msg=what)


def test_every_override_has_a_row():
    """A loop that no row names would be compared with nothing."""
    public = {n for m in LOOPS.values() for n, f in vars(m).items() if hasattr(f, "signatures") and not n.startswith("_")}
    helpers = {"exp", "exp2", "upper_tail", "largest", "inside"}
    assert public - helpers == {n for row in ROWS for n in row[3].split()}


SPECIAL = {"far apart": [0.0, 1.0, 500.0], "a row far below": [-500.0, -499.0, -498.0], "-inf": [0.0, -np.inf, 0.0],
           "only -inf": [-np.inf] * 3, "nan": [np.nan, 0.0, 0.0], "inf": [np.inf, 0.0, 0.0], "plain": [1.0, 2.0, 3.0]}


@pytest.mark.filterwarnings("ignore:invalid value")
@pytest.mark.parametrize("function", [F.softmax, F.log_softmax])
def test_rows_of_softmax_do_not_disturb_each_other(function, monkeypatch):
    x = np.tile(np.array(list(SPECIAL.values()), np.float32), (_fused.LARGE, 1))
    fast = function(ringgrad.tensor(x), -1).numpy()[:len(SPECIAL)]
    monkeypatch.setattr(_fused, "available", lambda: False)
    plain = function(ringgrad.tensor(x), -1).numpy()[:len(SPECIAL)]
    np.testing.assert_allclose(fast, plain, rtol=2e-6, atol=1e-37)
    assert np.isnan(fast[3:6]).any(axis=1).all() and np.isfinite(fast[[0, 1, 6]]).all()


def test_rows_of_attention_do_not_disturb_each_other(monkeypatch):
    """One query's scores are far below the others', one's are nan."""
    rng = np.random.default_rng(0)
    q, k, v = (rng.standard_normal((4, 4, 64, 16)).astype(np.float32) for _ in range(3))
    k[..., 0], q[..., 0] = 30, 0
    q[0, 0, 5, 0], q[0, 0, 9, 0], q[1, 1, 7, 0] = -200, 200, np.nan
    run = lambda: F.scaled_dot_product_attention(*map(ringgrad.tensor, (q, k, v)), is_causal=True).numpy()
    fast = run()
    monkeypatch.setattr(_fused, "available", lambda: False)
    np.testing.assert_allclose(fast, run(), rtol=1e-4, atol=1e-5)
    assert np.isnan(fast).any(axis=-1).sum() == 1


@pytest.mark.parametrize("largest", [True, False])
@pytest.mark.parametrize("k", [1, 3, 16])
def test_topk_of_equal_and_special_numbers(k, largest):
    """As a stable sort has them; NumPy's partition takes any of those that are equal to the last."""
    x = np.random.default_rng(0).integers(-3, 4, (400, 70)).astype(np.float32)
    x[np.random.default_rng(1).random(x.shape) < 0.1] = np.nan
    x[np.random.default_rng(2).random(x.shape) < 0.1] = -np.inf
    x[np.random.default_rng(3).random(x.shape) < 0.1] = -0.0
    x[0], x[1] = np.nan, np.inf
    values, places = ringgrad.tensor(x).topk(k, largest=largest)
    expected = ringgrad.sort(ringgrad.tensor(x), dim=1, descending=largest, stable=True)
    np.testing.assert_array_equal(values.numpy(), expected.values[:, :k].numpy())
    np.testing.assert_array_equal(places.numpy(), expected.indices[:, :k].numpy())


def test_gelu_of_special_numbers():
    x = np.zeros(_fused.LARGE, np.float32)
    x[:6] = [np.nan, -0.0, 100, -100, 1e-30, -1e-30]
    for form in ("none", "tanh"):
        y = F.gelu(ringgrad.tensor(x), form).numpy()
        assert np.isnan(y[0]) and y[2] == 100 and abs(y[3]) < 1e-30 and (y[6:] == 0).all()
        np.testing.assert_allclose(y[4:6], [5e-31, -5e-31], rtol=1e-5)


def test_gelu_against_double_precision():
    x = np.linspace(-9, 9, 200_001)
    single, exact = (ringgrad.tensor(x.astype(np.float32).astype(t), requires_grad=True) for t in (np.float32, np.float64))
    for t in (single, exact):
        F.gelu(t).sum().backward()
    assert np.abs(F.gelu(single).detach().numpy() - F.gelu(exact).detach().numpy()).max() < 9e-7
    assert np.abs(single.grad.numpy() - exact.grad.numpy()).max() < 1.3e-6


@pytest.mark.parametrize("side", ["small", "double", "strided"])
def test_what_the_loops_do_not_take_goes_to_numpy(side, monkeypatch):
    x = np.random.default_rng(0).standard_normal((300, 200)).astype(np.float32)
    x = {"small": x[:3], "double": x.astype(np.float64), "strided": x.T}[side]
    fast, plain = both(lambda t: F.softmax(F.gelu(t.T if side == "strided" else t), -1), [x], monkeypatch)
    for a, b in zip(fast, plain, strict=True):
        np.testing.assert_allclose(a, b, rtol=1e-5, atol=1e-7)


def test_numba_is_imported_by_the_first_large_array_and_not_before():
    program = ("import sys, ringgrad, ringgrad.nn.functional as F\n"
               "F.gelu(ringgrad.ones(100))\n"
               "assert 'numba' not in sys.modules\n"
               "F.gelu(ringgrad.ones(100_000))\n"
               "assert 'numba' in sys.modules\n")
    subprocess.run([sys.executable, "-c", program], check=True, timeout=120)


def test_without_a_folder_for_compiled_code_every_process_compiles_for_itself():
    program = ("import ringgrad, ringgrad.nn.functional as F\n"
               "from ringgrad.ops import _loops\n"
               "F.relu(ringgrad.ones(20_000, requires_grad=True)).backward(ringgrad.ones(20_000))\n"
               "assert _loops.relu_gradient.signatures and not _loops.relu_gradient.stats.cache_path\n")
    environment = {**os.environ, "NUMBA_CACHE_LOCATOR_CLASSES": "ZipCacheLocator"}  # which takes files in archives only
    subprocess.run([sys.executable, "-c", program], check=True, timeout=120, env=environment)
