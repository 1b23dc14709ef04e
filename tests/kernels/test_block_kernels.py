"""The CUDA kernels of whole rows, images and tables, run on the host (host_gpu.py), beside the ops' formulas in float64.

Every row goes through the public functions and their gradients, as on a GPU.  Outputs are poisoned with nan beforehand, threads run in two
orders, and one more test runs float16 under the address and undefined-behaviour sanitizers.
"""
import os
import subprocess
import sys
from pathlib import Path

import block_rows
import host_gpu
import numpy as np
import pytest

import ringgrad
import ringgrad.nn.functional as F
from ringgrad import _config, ops
from ringgrad._backends import philox
from ringgrad._core.op import REGISTRY
from ringgrad._core.tensor import wrap
from ringgrad.kernels import elementwise
from ringgrad.vision import ops as vision_ops

HERE = Path(__file__).parent
pytestmark = pytest.mark.skipif(host_gpu.compiler() is None, reason="no g++ on the PATH to compile the CUDA sources with")


@pytest.fixture(scope="module")
def xp(compiled):
    with host_gpu.plugged(host_gpu.device(compiled)) as xp:
        yield xp


@pytest.fixture(autouse=True)
def deterministic(monkeypatch):
    monkeypatch.setitem(_config.DETERMINISTIC, "on", True)


@pytest.mark.parametrize("dtype", ["float32", "bfloat16", *[pytest.param(dtype, marks=pytest.mark.slow) for dtype in ("float64", "float16")]])
@pytest.mark.parametrize("row", block_rows.ROWS, ids=lambda row: row.name)
def test_a_kernel_gives_what_the_formula_gives(xp, row, dtype):
    if dtype not in row.dtypes:
        pytest.skip("products of matrices round, which is not what this file measures; elementwise kernels are made alike for all types")
    block_rows.check(row, xp, dtype, both_orders=dtype == "float32")


@pytest.mark.parametrize("row", block_rows.ROWS, ids=lambda row: row.name)
def test_with_inputs_that_are_not_contiguous(xp, row):
    block_rows.check(row, xp, "float32", strided=True, both_orders=False)


# A program of every family together


def test_a_network_takes_the_same_steps(xp):
    """Convolution and products are the array library's; everything else between them is ours, optimizer and clipping included."""
    def losses(place):
        rng = np.random.default_rng(0)
        t = lambda *s: wrap(place((rng.standard_normal(s) * 0.3).astype(np.float32)))  # noqa: E731
        table, weight, scale, shift, head = (t(*s).requires_grad_() for s in [(11, 8), (8, 8), (8,), (8,), (8, 11)])
        optimizer = ringgrad.optim.AdamW([table, weight, scale, shift, head], lr=0.01)
        x, y = (wrap(place(rng.integers(0, 11, (4, 6)))) for _ in range(2))
        found = []
        for _ in range(4):
            h = F.layer_norm(F.embedding(x, table), (8,), scale, shift)
            h = h + ops.scaled_dot_product_attention(h, h @ weight, h, None, None, True, 0.3, 1.0)[0]
            loss = F.cross_entropy((F.silu(h) @ head).reshape(-1, 11), y.reshape(-1))
            optimizer.zero_grad()
            loss.backward()
            ringgrad.nn.utils.clip_grad_norm_([table, weight, scale, shift, head], 0.1)
            optimizer.step()
            found.append(loss.item())
        return found
    xp.launched.clear()
    np.testing.assert_allclose(losses(xp.place), losses(np.asarray), rtol=1e-5)
    assert {"layer_norm_backward", "attention_softmax", "cross_entropy_backward", "embedding_sorted", "silu_float32", "adam_step",
            "scale_all"} <= xp.launched


# Bodies and masks


@pytest.mark.parametrize("dtype", ["float16", "bfloat16"])
def test_bodies_in_half_precision(xp, dtype):
    """test_sources.py runs them in float32 and float64; here, that half precision is read, computed in float and rounded once."""
    bodies = [each for each in elementwise.bodies(REGISTRY) if each[0].name not in ("erfcx", "erfinv", "binary_cross_entropy")]
    variants = [(op, rule, body, choice) for op, rule, body in bodies for choice in body.texts]
    module = xp.RawModule(code="\n".join(body.source(dtype, None, choice) for _, _, body, choice in variants))
    kind = block_rows.DTYPES[dtype]
    rng = np.random.default_rng(0)
    for op, rule, body, choice in variants:
        arrays = [xp.place(rng.uniform(0.1, 2, 701).astype(kind)) for _ in body.inputs]
        attrs, chosen = dict.fromkeys(body.numbers, 0.5), {body.choice: choice} if choice else {}
        out = xp.empty((701,), kind)
        module.get_function(body.kernel_name(dtype, None, choice))((2,), (256,), (*arrays, out, np.int64(701), *map(np.float32, attrs.values())))
        want = (op.forward if rule is None else rule.fn)(np, *(a.get().astype(np.float64) for a in arrays), **attrs, **chosen)
        np.testing.assert_allclose(out.get().astype(np.float64), want, rtol=2.0**-10 if dtype == "float16" else 2.0**-8, atol=1e-6, err_msg=body.name)


@pytest.mark.parametrize("n", [1, 5, 1024, 3001])
def test_a_dropout_mask_is_uniform_numbers_compared(xp, n):
    module = xp.RawModule(code=philox.SOURCE)
    state, numbers, below = xp.place(np.array([42, 7], np.uint64)), xp.empty((n,)), xp.empty((n,), bool)
    for name, out, more in (("uniform_float32", numbers, ()), ("below_float32", below, (np.float32(0.7),))):
        module.get_function(name)((2,), (256,), (state, out, np.uint64(n), *more))
    assert ((numbers >= 0) & (numbers < 1)).all()
    np.testing.assert_array_equal(below.get(), numbers.get() < np.float32(0.7))


def test_philox_is_philox(xp):
    """The known answer for zeros of Random123 (Salmon et al. 2011)."""
    out = xp.empty((2,), np.uint64)
    xp.RawModule(code=philox.SOURCE).get_function("bits64")((1,), (32,), (xp.place(np.zeros(2, np.uint64)), out, np.uint64(2)))
    assert [f"{v:016x}" for v in out.tolist()] == ["6627e8d5e169c58d", "bc57ac4c9b00dbd8"]


@pytest.mark.parametrize(("row", "dtype"), [(row, dtype) for row in block_rows.ATOMIC for dtype in row.dtypes], ids=lambda a: getattr(a, "name", a))
def test_with_atomics(xp, row, dtype, monkeypatch):
    monkeypatch.setitem(_config.DETERMINISTIC, "on", False)
    block_rows.check(row, xp, dtype, both_orders=False)


TIED = np.array([3, 1, np.nan, 3, -0.0, 0.0, np.inf, 3, -np.inf, 1, np.nan, 0.0, 1])


@pytest.mark.parametrize("dtype", ["float32", "bfloat16", *[pytest.param(dtype, marks=pytest.mark.slow) for dtype in ("float64", "float16")]])
def test_places_of_equal_elements(xp, dtype):
    """Equal ones in the order of their places, nan as the largest, the two zeros equal: the indices are those of the CPU, in short and long rows."""
    rows = np.stack([np.resize(TIED, 400), np.random.default_rng(0).permutation(np.resize(TIED, 400))]).astype(block_rows.DTYPES[dtype])
    for values in (rows[:, :13], rows):
        t, u = wrap(xp.place(values.copy())), wrap(values.astype(np.float64))
        for k, dim, largest in ((7, 1, True), (12, 1, False), (1, 0, True), (13, 1, True)):
            for got, want in zip(t.topk(k, dim, largest), u.sort(dim, largest)):  # which is stable
                np.testing.assert_array_equal(got._data.get().astype(np.float64), want.narrow(dim, 0, k).numpy())
        for k in (1, 5, values.shape[1]):
            for got, want in zip(t.kthvalue(k), u.sort(1)):
                np.testing.assert_array_equal(got._data.get().astype(np.float64), want[:, k - 1].numpy())
        assert t.median(1).indices.tolist() == np.isnan(values.astype(np.float64)).argmax(1).tolist()


@pytest.mark.parametrize("dtype", ["float32", "float16"])
def test_places_of_adaptive_max_pools(xp, dtype):
    """The first among equals, and nan, as on the CPU."""
    values = np.resize(TIED, (2, 3, 5, 7)).astype(block_rows.DTYPES[dtype])
    ours, right = (F.adaptive_max_pool2d(wrap(a), (3, 4), return_indices=True) for a in (xp.place(values), values.astype(np.float64)))
    for got, want in zip(ours, right):
        np.testing.assert_array_equal(got._data.get().astype(np.float64), want.numpy())


@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize("n", [1, 5, 64, 300])
def test_boxes_that_stay(xp, n, dtype):
    rng = np.random.default_rng(n)
    corner = rng.uniform(0, 100, (n, 2))
    boxes = np.concatenate([corner, corner + rng.uniform(1, 60, (n, 2))], 1).astype(dtype)
    scores, classes = rng.integers(0, 20, n).astype(dtype), rng.integers(0, 3, n)
    (b, s, c), (b2, s2, c2) = ([wrap(place(a)) for a in (boxes, scores, classes)] for place in (xp.place, np.asarray))
    for limit in (0.1, 0.5):
        assert vision_ops.nms(b, s, limit).tolist() == vision_ops.nms(b2, s2, limit).tolist()
        assert ops.suppress(b, s, c, limit).tolist() == ops.suppress(b2, s2, c2, limit).tolist()
    assert vision_ops.nms(b[:0], s[:0], 0.5).tolist() == []
    assert {"boxes_overlap", "boxes_sweep"} <= xp.launched


def test_cosines_have_gradients(xp):
    rng = np.random.default_rng(0)
    found = []
    for place in (xp.place, np.asarray):
        x, c, s = (wrap(place(rng.standard_normal(shape))).requires_grad_() for shape in [(2, 3, 4, 6), (4, 3), (4, 3)])
        rng = np.random.default_rng(0)
        ops.rotary_embedding(x, c, s).sum().backward()
        found.append([np.asarray(t.grad._data.view(np.ndarray)) for t in (x, c, s)])
        rng = np.random.default_rng(0)
    for a, b in zip(*found):
        np.testing.assert_allclose(a, b, rtol=1e-10)


# What the emulator itself has to notice


def launch(xp, text, threads, *arguments):
    xp.RawModule(code=text).get_function("broken")((1,), (threads,), arguments)


def test_a_barrier_that_some_threads_never_reach_is_an_error(xp):
    with pytest.raises(AssertionError, match="a barrier was not reached by all threads"):
        launch(xp, "KERNEL broken(int n) { if ((int)threadIdx.x < n) __syncthreads(); }", 64, np.int32(40))


def test_a_missing_barrier_shows_in_the_other_order(xp):
    text = """KERNEL broken(float* y) {
        __shared__ float s[64];
        s[threadIdx.x] = threadIdx.x;
        y[threadIdx.x] = s[63 - threadIdx.x];
    }"""
    found = []
    for backwards in (False, True):
        y = xp.empty((64,))
        xp.RawModule(code=text).backwards(backwards)
        launch(xp, text, 64, y)
        found.append(y.tobytes())
    assert found[0] != found[1] and np.isnan(np.frombuffer(found[0], np.float32)).any()


@pytest.mark.parametrize("arguments", [(np.int64(3),), (3,), (), (np.float32(3),)], ids=str)
def test_arguments_of_another_type_are_refused(xp, arguments):
    with pytest.raises(AssertionError, match="broken"):
        launch(xp, "KERNEL broken(int n) { }", 32, *arguments)


# Sanitizers


def sanitized(folder, what, run_command):
    libraries = [subprocess.run([host_gpu.compiler(), f"-print-file-name={name}"], capture_output=True, text=True, check=True, timeout=60)
                 .stdout.strip() for name in ("libasan.so", "libubsan.so")]
    if not all(os.path.isabs(path) for path in libraries):
        pytest.skip("g++ has no address sanitizer here")
    environment = {**os.environ, "LD_PRELOAD": ":".join(libraries), "ASAN_OPTIONS": "detect_leaks=0", "RINGGRAD_KEEP_MEMORY": "0",
                   "PYTHONMALLOC": "malloc", "OMP_NUM_THREADS": "1", "OPENBLAS_NUM_THREADS": "1"}
    return run_command([sys.executable, str(HERE / "sanitized.py"), str(folder), what], 600, environment)


@pytest.mark.slow
def test_sanitizers_find_nothing(tmp_path, run_command):
    code, output = sanitized(tmp_path, "rows", run_command)
    assert code == 0 and f"{len(block_rows.ROWS)} rows are clean" in output, output[-6000:]


def test_sanitizers_find_a_read_beyond_an_array(tmp_path, run_command):
    code, output = sanitized(tmp_path, "beyond", run_command)
    assert code != 0 and "heap-buffer-overflow" in output, output[-2000:]
