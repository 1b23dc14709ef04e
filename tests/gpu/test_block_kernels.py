"""The rows of tests/kernels/block_rows.py on the GPU: every family in every float type, beside the formula in float64, all memory poisoned.

`compute-sanitizer --tool memcheck python -m pytest tests/gpu/test_block_kernels.py -k float16` looks for accesses beside arrays (make gpu does).
Written without a GPU: the same rows pass on the host, these were not run yet.
"""
import block_rows
import numpy as np
import pytest

from ringgrad import _config
from ringgrad.kernels import family, recurrent

pytestmark = pytest.mark.gpu


class OnDevice:
    """CuPy as block_rows.check wants it: which kernels were launched, and arrays made from NumPy's with their strides."""

    def __init__(self, cupy):
        self.cupy, self.launched = cupy, set()

    def place(self, array):
        """The array on the device; a strided one as a view of its base there."""
        base = array.base if isinstance(array.base, np.ndarray) else array
        there = self.cupy.array(base, order="C")
        return there[..., ::2] if base.shape != array.shape else there


@pytest.fixture
def device(monkeypatch):
    """CuPy with every allocation full of nan, so that an element that no kernel writes shows."""
    cupy = pytest.importorskip("cupy")
    on_device, launch = OnDevice(cupy), family.Family.launch
    monkeypatch.setattr(family.Family, "launch", lambda self, xp, kernel, *rest: on_device.launched.add(kernel) or launch(self, xp, kernel, *rest))

    def poisoned(size):
        memory = cupy.get_default_memory_pool().malloc(size)
        if size:
            memory.memset_async(0xff, size, cupy.cuda.get_current_stream())
        return memory
    with cupy.cuda.using_allocator(poisoned):
        yield on_device


@pytest.mark.parametrize("dtype", block_rows.DTYPES)
@pytest.mark.parametrize("row", block_rows.ROWS, ids=lambda row: row.name)
def test_a_kernel_gives_what_the_formula_gives(device, row, dtype, monkeypatch):
    if dtype not in row.dtypes:
        pytest.skip("products of matrices round, which is not what this file measures; elementwise kernels are made alike for all types")
    monkeypatch.setitem(_config.DETERMINISTIC, "on", True)
    block_rows.check(row, device, dtype, both_orders=False)


@pytest.mark.parametrize("row", block_rows.ROWS, ids=lambda row: row.name)
def test_with_inputs_that_are_not_contiguous(device, row, monkeypatch):
    monkeypatch.setitem(_config.DETERMINISTIC, "on", True)
    block_rows.check(row, device, "float32", strided=True, both_orders=False)


@pytest.mark.parametrize(("row", "dtype"), [(row, dtype) for row in block_rows.ATOMIC for dtype in row.dtypes], ids=lambda a: getattr(a, "name", a))
def test_with_atomics(device, row, dtype):
    block_rows.check(row, device, dtype, both_orders=False)


@pytest.mark.parametrize(("row", "dtype"), [(row, dtype) for row in block_rows.PACKED for dtype in row.dtypes], ids=lambda a: getattr(a, "name", a))
def test_recurrent_steps_16_bytes_at_a_time(device, row, dtype, monkeypatch):
    monkeypatch.setattr(recurrent, "MANY", 0)
    block_rows.check(row, device, dtype, both_orders=False)


def test_the_same_bits_every_time(device, monkeypatch):
    monkeypatch.setitem(_config.DETERMINISTIC, "on", True)
    for row in block_rows.ROWS:
        arrays = block_rows.inputs(row, row.shapes[-1], block_rows.DTYPES["float32"], False)
        first, second = (block_rows.compute(row, arrays, device.place) for _ in range(2))
        assert [a.tobytes() for a in first] == [a.tobytes() for a in second], row.name
