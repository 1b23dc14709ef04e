"""Samples of tests/ops on CuPy's own arrays, with kernels that are run: values and gradients are the CPU's.

All are marked slow, since each takes a few kernels:
`.venv-cupy/bin/python -m pytest -p tests.cupy_host.plugin --cupy-host executed -m slow FILE`.
"""
import pytest

from tests.ops.checks import case
from tests.ops.samples import SAMPLES
from tests.ops.test_ops import ON_THE_CPU, check_gpu

ROWS = [s for s in SAMPLES if not s.random and s.name not in ON_THE_CPU]
HALVES = {s for i, s in enumerate(ROWS) if i % 4 == 0}  # in bfloat16 too


@pytest.mark.slow
@pytest.mark.parametrize("sample", ROWS, ids=str)
def test_values_are_those_of_the_cpu(sample, executed):
    for dtype in dict.fromkeys([sample.base, *(["bfloat16"] if sample in HALVES and "bfloat16" in sample.dtypes else [])]):
        with case(dtype):
            check_gpu(sample, dtype)
