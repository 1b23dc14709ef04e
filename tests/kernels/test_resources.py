"""What kernels need of a GPU: the assembler's words are understood, what could not be launched is told, and grids of large arrays stay in bounds.

That launches keep to the blocks that `make kernels` counts with, host_gpu.py asserts wherever a kernel is launched.
"""
import host_gpu
import pytest

from ringgrad.kernels import check, elementwise, family, reductions, resources
from ringgrad.kernels.resources import Needs

FITS = Needs(32, 1024, 0, 0)
GRIDS = {  # (elements, elements of a row) -> grid
    "elementwise": lambda n, row: elementwise._grid(n, 4)[0], "flat": lambda n, row: family.flat_grid(n)[0],
    "rows": lambda n, row: family.rows_grid(n // row, row)[0], "reduced rows": lambda n, row: reductions._parts(n // row, row)[2]}

SPILLS = r"""
extern "C" __global__ void __launch_bounds__(1024) spills(double* x) {
    double v[64];
#pragma unroll
    for (int i = 0; i < 64; ++i) v[i] = x[threadIdx.x + 1024 * i];
    __syncthreads();
#pragma unroll
    for (int i = 0; i < 64; ++i) x[threadIdx.x + 1024 * i] = v[63 - i];
}
extern "C" __global__ void shares(float* x) {
    __shared__ float kept[256];
    kept[threadIdx.x] = x[threadIdx.x];
    __syncthreads();
    x[threadIdx.x] = kept[255 - threadIdx.x];
}
"""


def test_the_assembler_is_understood():
    try:
        nvrtc = check.load_nvrtc()
    except RuntimeError as error:
        pytest.skip(str(error))
    errors, words = check.compile_source(*nvrtc, SPILLS, "sm_90")
    found = resources.read(words)
    assert not errors and set(found) == {"spills", "shares"}
    assert found["spills"].spilled and found["spills"].registers <= 64 and found["spills"].stack
    assert not found["shares"].spilled and found["shares"].shared == 4 * 256
    assert "spills spills" in resources.problems("spills", found["spills"])[0] and not resources.problems("shares", found["shares"])


def test_other_words_are_refused():
    with pytest.raises(ValueError, match="in other words than expected: \"Compiling entry function 'f' for 'sm_90'"):
        resources.read("ptxas info: Compiling entry function 'f' for 'sm_90'\nptxas info: needs a lot")


@pytest.mark.parametrize(("kernel", "most"), [("softmax", 128), ("norm_and_factor", 64)])
def test_registers_of_the_largest_block(kernel, most):
    assert not resources.problems(kernel, FITS._replace(registers=most))
    (said,) = resources.problems(kernel, FITS._replace(registers=most + 1))
    assert f"{kernel} needs {most + 1} registers, too many for blocks of {resources.largest_block(kernel)} threads" in said


@pytest.mark.parametrize(("needs", "threads"), [(FITS, 2048), (FITS._replace(registers=33), 1536), (FITS._replace(shared=32 << 10), 1536),
                                               (FITS._replace(registers=126), 512)])
def test_threads_at_once(needs, threads):
    assert resources.resident(needs, 256, "sm_90") == threads


@pytest.mark.parametrize("size", [1, 2**31 - 1, 2**31 + 5, 2**40])
@pytest.mark.parametrize("row", [1, 1024, 10**6])
@pytest.mark.parametrize("name", GRIDS)
def test_grids_of_large_arrays(name, size, row):
    across, down = (*GRIDS[name](max(size, row), row), 1)[:2]
    assert 0 < across < 2**31 and 0 < down < 2**16


@pytest.mark.parametrize(("grid", "block", "words"), [((1,), (48,), "no whole warps"), ((1,), (1024,), "counts with 512"),
                                                     ((1, 1 << 16), (32,), "a grid of"), ((0,), (32,), "a grid of")])
def test_launches_that_a_gpu_would_refuse(grid, block, words):
    with pytest.raises(AssertionError, match=words):
        host_gpu._launchable("softmax", (*grid, 1, 1)[:3], (*block, 1, 1)[:3])
