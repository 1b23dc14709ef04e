"""Samples of tests/ops on CuPy's own arrays, with kernels that are run: values and gradients are the CPU's.

`make test-cupy` takes those that need values to have a shape, and one in twelve of the others; the rest is marked slow.
"""
import pytest

from tests.cupy_host.test_op_table import needs_values
from tests.ops.checks import case
from tests.ops.samples import SAMPLES
from tests.ops.test_ops import ON_THE_CPU, check_gpu

ROWS = [s for s in SAMPLES if not s.random and s.name not in ON_THE_CPU]
TAKEN = {s for i, s in enumerate(ROWS) if needs_values(s) or i % 12 == 0}
HALVES = {s for i, s in enumerate(ROWS) if i % 24 == 0}  # in bfloat16 too


def parameters():
    return [pytest.param(s, id=str(s), marks=[] if s in TAKEN else [pytest.mark.slow]) for s in ROWS]


@pytest.mark.parametrize("sample", parameters())
def test_values_are_those_of_the_cpu(sample, executed):
    for dtype in dict.fromkeys([sample.base, *(["bfloat16"] if sample in HALVES and "bfloat16" in sample.dtypes else [])]):
        with case(dtype):
            check_gpu(sample, dtype)
