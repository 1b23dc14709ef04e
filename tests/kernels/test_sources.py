"""The CUDA bodies beside the formulas: they compile for GPUs, and compiled for the host they give the formula's values."""
import ctypes
import inspect
import shutil
import subprocess

import numpy as np
import pytest

from ringgrad import nn, ops  # noqa: F401 - registers every op
from ringgrad._core.op import REGISTRY
from ringgrad.kernels import FLOATS, check, elementwise, sources

BODIES = {name: op for name, op in sorted(REGISTRY.items()) if op.cuda}
TIMEOUT_S = 120

# What CUDA C has and C++ has not. A call of the kernel is one thread, which the test numbers.
SHIMS = """
#include <math.h>
#define __global__
struct Place { unsigned x; };
Place gridDim, blockDim, blockIdx, threadIdx;
inline float rsqrt(float x) { return 1 / sqrt(x); }
inline double rsqrt(double x) { return 1 / sqrt(x); }
"""
CUDA_ONLY = {name: f"{name} is a function of CUDA that the C++ library lacks" for name in ("erfcx", "erfinv")}
WIDTHS = {"float32": ctypes.c_float, "float64": ctypes.c_double}
TOLERANCE = {"float32": dict(rtol=5e-6, atol=1e-37), "float64": dict(rtol=1e-13, atol=1e-300)}
CROSSES_ZERO = {"lgamma": {"float32": 1e-6, "float64": 1e-14}}  # absolute: beside their zeros these are exact to the rounding of 1
BLOCKS, THREADS = 2, 3

# Both signs, zeros, the places where formulas change, large and small, what is no number; one vector of it for each input, in all combinations.
VALUES = [0.0, -0.0, 0.5, -0.5, 1.0, -1.0, 3.0, -3.0, 20.0, 21.0, -100.0, 1e-30, -1e-30, 1e30, -1e30, np.inf, -np.inf, np.nan]
UNIT_INTERVAL = {"binary_cross_entropy"}  # of probabilities: its formula refuses anything else


# Compiling for GPUs


def test_there_are_sources_for_every_body_and_float_type():
    names = [name for name, _ in sources()]
    assert len(BODIES) >= 12
    assert len(names) == len(set(names))
    assert {f"{op} {dtype}" for op in BODIES for dtype in FLOATS} <= set(names)


@pytest.fixture(scope="module")
def nvrtc():
    try:
        return check.load_nvrtc()
    except RuntimeError as error:
        pytest.skip(str(error))


def programs(group):
    """The sources to be compiled together: the bodies of a float type in one go, anything else on its own.

    The compiler's words name the source, as if it were the file.
    """
    texts = {name: f'#line 1 "{name}"\n{text}' for name, text in sources()}
    if group in FLOATS:
        return ["\n".join(texts[f"{name} {group}"] for name in BODIES)]
    return [text for name, text in texts.items() if name.partition(" ")[0] not in BODIES]


EACH = [(architecture, group) for architecture in check.ARCHITECTURES for group in (*FLOATS, "no body")]


@pytest.mark.parametrize(("architecture", "group"), [pytest.param(*each, marks=[pytest.mark.slow] * (each == ("sm_80", "no body"))) for each in EACH])
def test_sources_compile(nvrtc, architecture, group):
    texts = programs(group)
    assert texts
    for text in texts:
        assert check.compile_source(*nvrtc, text, architecture) is None


def test_what_does_not_compile_is_told(nvrtc):
    log = check.compile_source(*nvrtc, '#line 1 "silu float32"\nextern "C" __global__ void f(float* x) { x[0] = y; }', "sm_80")
    assert "silu float32(1): error" in log and '"y" is undefined' in log


# The same text on the host


@pytest.fixture(scope="module")
def library(tmp_path_factory):
    """A shared library of all bodies, compiled as C++: without a detour of float32 over double, which is slow on a GPU."""
    compiler = shutil.which("g++") or shutil.which("clang++")
    if compiler is None:
        pytest.skip("no C++ compiler (g++ or clang++) on the PATH")
    folder = tmp_path_factory.mktemp("kernels")
    texts = [f'#line 1 "{name} {dtype}"\n{elementwise.source(op, dtype)}' for name, op in BODIES.items() if name not in CUDA_ONLY
             for dtype in WIDTHS]
    (folder / "bodies.cpp").write_text(SHIMS + "\n".join(texts))
    strict = ["-Wall", "-Wextra", "-Wdouble-promotion", "-Werror"]
    command = [compiler, "-std=c++17", "-O1", "-ffp-contract=off", *strict, "-shared", "-fPIC", "bodies.cpp", "-o", "bodies.so"]
    result = subprocess.run(command, cwd=folder, capture_output=True, text=True, timeout=TIMEOUT_S)
    assert result.returncode == 0, result.stderr
    return ctypes.CDLL(str(folder / "bodies.so"))


class Place(ctypes.Structure):
    """CUDA's dim3, as far as the template reads it."""

    _fields_ = [("x", ctypes.c_uint)]


def run_on_host(library, op, arrays, attrs):
    """What the threads of a small grid write, one after the other."""
    dtype = arrays[0].dtype
    out = np.full_like(arrays[0], 12345)
    function = getattr(library, f"{op.name}_{dtype}")
    arguments = [*(ctypes.c_void_p(a.ctypes.data) for a in (*arrays, out)), ctypes.c_longlong(out.size), *map(WIDTHS[dtype.name], attrs.values())]
    grid, blocks, block, thread = (Place.in_dll(library, name) for name in ("gridDim", "blockDim", "blockIdx", "threadIdx"))
    grid.x, blocks.x = BLOCKS, THREADS
    for block.x in range(BLOCKS):
        for thread.x in range(THREADS):
            function(*arguments)
    return out


def inputs(op, dtype):
    """One array per input, all of one shape: every combination of VALUES, and random numbers."""
    random = np.random.default_rng(0)
    columns = np.meshgrid(*[VALUES] * len(op.inputs))
    arrays = [np.concatenate([column.ravel(), random.normal(scale=3, size=1000)]).astype(dtype) for column in columns]
    if op.name in UNIT_INTERVAL:
        arrays = [np.where((a >= 0) & (a <= 1), a, random.uniform(size=a.shape)).astype(dtype) for a in arrays]
    return arrays


def attributes(op, use_defaults):
    """The defaults where there are some, or numbers that are nobody's default."""
    made_up = {name: 0.3 + 0.45 * i for i, name in enumerate(op.attrs)}
    return {name: value if use_defaults and value is not inspect.Parameter.empty else made_up[name] for name, value in op.attrs.items()}


ROWS = [pytest.param(op, defaults, id=f"{name} {'defaults' if defaults else 'other attributes'}" if op.attrs else name)
        for name, op in BODIES.items() for defaults in ([True, False] if op.attrs else [True])]


@pytest.mark.parametrize("dtype", WIDTHS)
@pytest.mark.parametrize(("op", "use_defaults"), ROWS)
def test_a_body_is_its_formula(library, op, dtype, use_defaults):
    if op.name in CUDA_ONLY:
        pytest.skip(CUDA_ONLY[op.name])
    arrays, attrs = inputs(op, dtype), attributes(op, use_defaults)
    with np.errstate(all="ignore"):
        expected = op.forward(np, *arrays, **attrs)
    found = run_on_host(library, op, arrays, attrs)
    assert expected.dtype == found.dtype
    tolerance = dict(TOLERANCE[dtype])
    if op.name in CROSSES_ZERO:
        tolerance["atol"] = CROSSES_ZERO[op.name][dtype]
    np.testing.assert_allclose(found, expected, **tolerance)
