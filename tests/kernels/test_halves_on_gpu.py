"""The quick path for half precision on a GPU equals the definition, `Op.apply`, and is taken by ops that compute on halves as they are."""
import host_gpu
import ml_dtypes
import numpy as np
import pytest

import ringgrad
from ringgrad import ops
from ringgrad._core.tensor import wrap

TYPES = {"float16": np.float16, "bfloat16": ml_dtypes.bfloat16}
TAKEN = {"multiply": True, "subtract": True, "add": True, "divide": True, "matmul": True, "maximum": False, "exp": False, "hypot": False}  # as halves


@pytest.fixture(scope="module")
def xp(compiled):
    with host_gpu.plugged(host_gpu.device(compiled)) as xp:
        yield xp


def operands(xp, name, dtype):
    shapes = [(4, 4)] * len(ops.__dict__[name].op.inputs)
    return [wrap(xp.place(np.random.default_rng(i).standard_normal(s).astype(TYPES[dtype]))).requires_grad_(i == 0) for i, s in enumerate(shapes)]


@pytest.mark.parametrize("dtype", TYPES)
@pytest.mark.parametrize("name", TAKEN)
def test_quick_is_general(xp, name, dtype):
    function = getattr(ops, name)
    op, inputs = function.op, operands(xp, name, dtype)
    found, wanted = function(*inputs), op.apply(tuple(inputs), dict(op.attrs))
    assert found.dtype is wanted.dtype and found._node.dtypes == wanted._node.dtypes
    np.testing.assert_array_equal(found._data.get().view(np.uint16), wanted._data.get().view(np.uint16))
    assert op.kernels.halves[xp.ndarray, np.dtype(TYPES[dtype])] == TAKEN[name]


@pytest.mark.parametrize("dtype", TYPES)
def test_numbers_are_not_rounded_to_half_precision(xp, dtype):
    (x,) = operands(xp, "exp", dtype)
    found, wanted = x * 0.1, ringgrad.tensor(x.detach()._data.get().astype(np.float32)) * 0.1
    np.testing.assert_array_equal(found.detach()._data.get(), wanted._data.astype(TYPES[dtype]))
