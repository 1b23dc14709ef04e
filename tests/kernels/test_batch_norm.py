"""Batch norm in training on the GPU on the host: running statistics move in the kernel as they do on the CPU, and five launches are all."""
import host_gpu
import ml_dtypes
import numpy as np
import pytest

import ringgrad
from ringgrad import nn
from ringgrad._core.tensor import wrap

SHAPES = {"images": (6, 5, 7, 3), "rows": (40, 24), "one pixel": (9, 8, 1, 1)}


@pytest.fixture
def xp(compiled):
    with host_gpu.plugged(host_gpu.device(compiled)) as xp:
        yield xp


def to_gpu(module, xp):
    for tensor in (*module.parameters(), *module.buffers()):
        tensor._data = tensor._data.copy().view(xp.ndarray)
    return module


def layer(shape, dtype=None, **options):
    ringgrad.manual_seed(0)
    kind = nn.BatchNorm1d if len(shape) == 2 else nn.BatchNorm2d
    module = kind(shape[1], **options)
    return module.to(dtype) if dtype else module


def steps(module, shape, place, dtype=np.float32):
    """What three batches leave in the statistics, and the last result."""
    rng = np.random.default_rng(3)
    for _ in range(3):
        x = rng.normal(4, 2, shape).astype(dtype)
        y = module(wrap(place(x)))
    return [np.asarray(t._data, np.float64) for t in (module.running_mean, module.running_var, module.num_batches_tracked, y)]


@pytest.mark.parametrize("dtype", [np.float32, ml_dtypes.bfloat16], ids=["float32", "bfloat16"])
@pytest.mark.parametrize("shape", SHAPES.values(), ids=SHAPES)
def test_running_statistics(xp, shape, dtype):
    want = steps(layer(shape, momentum=0.3), shape, np.asarray, dtype)
    xp.launched.clear()
    got = steps(to_gpu(layer(shape, momentum=0.3), xp), shape, xp.place, dtype)
    assert "batch_statistics" in xp.launched
    for a, b in zip(got, want):
        np.testing.assert_allclose(a, b, rtol=2e-6 if dtype is np.float32 else 2e-2, atol=1e-5 if dtype is np.float32 else 2e-2)


def test_statistics_in_half_precision_are_the_formulas(xp):
    shape = SHAPES["images"]
    want = steps(layer(shape, ringgrad.bfloat16), shape, np.asarray, ml_dtypes.bfloat16)
    got = steps(to_gpu(layer(shape, ringgrad.bfloat16), xp), shape, xp.place, ml_dtypes.bfloat16)
    for a, b in zip(got, want):
        np.testing.assert_allclose(a, b, rtol=2e-2, atol=2e-2)


def test_the_average_of_all_batches(xp):
    shape = SHAPES["images"]
    want, got = steps(layer(shape, momentum=None), shape, np.asarray), steps(to_gpu(layer(shape, momentum=None), xp), shape, xp.place)
    for a, b in zip(got, want):
        np.testing.assert_allclose(a, b, rtol=2e-6, atol=1e-5)


def test_a_write_is_counted(xp):
    module = to_gpu(layer((4, 3), affine=False), xp)
    before = module.running_mean._version
    module(wrap(xp.place(np.ones((4, 3), np.float32))))
    assert module.running_mean._version > before
