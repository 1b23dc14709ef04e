"""The CUDA bodies beside the formulas and rules: they compile for GPUs, and compiled for the host they give the formula's values."""
import ctypes
import inspect
import shutil
import subprocess

import numpy as np
import pytest

from ringgrad import nn, ops  # noqa: F401 - registers every op
from ringgrad._core.op import REGISTRY
from ringgrad.kernels import FLOATS, check, elementwise, patterns, sources

BODIES = {f"{body.name}{f' {choice}' if choice else ''}": (op, rule, body, choice)
          for op, rule, body in elementwise.bodies(REGISTRY) for choice in body.texts}
TIMEOUT_S = 120

# What CUDA C has and C++ has not. A call of the kernel is one thread, which the test numbers.
SHIMS = """
#include <math.h>
#define __global__
#define __device__
#define __restrict__
struct Place { unsigned x; };
Place gridDim, blockDim, blockIdx, threadIdx;
inline float rsqrt(float x) { return 1 / sqrt(x); }
inline double rsqrt(double x) { return 1 / sqrt(x); }
"""
CUDA_ONLY = {name: f"{name} is a function of CUDA that the C++ library lacks" for name in ("erfcx", "erfinv")}
WIDTHS = {"float32": ctypes.c_float, "float64": ctypes.c_double}
TOLERANCE = {"float32": dict(rtol=5e-6, atol=1e-37), "float64": dict(rtol=1e-13, atol=1e-300)}
NEAR_ONE = {"float32": 2e-6, "float64": 1e-14}  # absolute: beside their zeros these are exact to the rounding of 1
CROSSES_ZERO = dict.fromkeys(("lgamma", "bias_activation gelu", "gelu none", "gelu tanh", "gelu_dx none", "gelu_dx tanh", "silu_dx", "mish_dx",
                              "hardswish_dx",
                              "binary_cross_entropy_with_logits", "binary_cross_entropy_with_logits_dx", "xlogy_dx"), NEAR_ONE)
BLOCKS, THREADS = 2, 3

# Both signs, zeros, the places where formulas change, large and small, what is no number; one vector of it for each input, in all combinations.
VALUES = [0.0, -0.0, 0.5, -0.5, 1.0, -1.0, 3.0, -3.0, 20.0, 21.0, -100.0, 1e-30, -1e-30, 1e30, -1e30, np.inf, -np.inf, np.nan]
FINITE = {"bias_activation"}  # its formula runs NumPy's kernel of GELU, which has the limit at -inf, where the formula of GELU has nan
UNIT_INTERVAL = {"binary_cross_entropy"}  # of probabilities: its formula refuses anything else


# Compiling for GPUs


def test_there_are_sources_for_every_body_and_float_type():
    names = [name for name, _, _ in sources()]
    assert len(BODIES) >= 50
    assert len(names) == len(set(names))
    assert {f"{name} {body.plain} {dtype}" for name, (_, _, body, _) in BODIES.items() for dtype in FLOATS} <= set(names)


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
    texts = {name: f'#line 1 "{name}"\n{text}' for name, text, _ in sources()}
    if group in FLOATS:
        return ["\n".join(text for name, text in texts.items() if any(name.startswith(f"{body} ") and name.endswith(f" {group}") for body in BODIES))]
    return [text for name, text in texts.items() if not any(name.startswith(f"{body} ") for body in BODIES)]


@pytest.mark.slow  # `make kernels` compiles them too, for every architecture
@pytest.mark.parametrize("group", [*FLOATS, "no body"])
def test_sources_compile(nvrtc, group):
    """For the last architecture; `make kernels` compiles each source for all of them."""
    texts = programs(group)
    assert texts
    for text in texts:
        assert not check.compile_source(*nvrtc, text, check.ARCHITECTURES[-1])[0]


def test_what_does_not_compile_is_told(nvrtc):
    log, _ = check.compile_source(*nvrtc, '#line 1 "silu float32"\nextern "C" __global__ void f(float* x) { x[0] = y; }', "sm_80")
    assert "silu float32(1): error" in log and '"y" is undefined' in log


# The same text on the host


@pytest.fixture(scope="module")
def library(tmp_path_factory):
    """A shared library of all bodies, compiled as C++: without a detour of float32 over double, which is slow on a GPU."""
    compiler = shutil.which("g++") or shutil.which("clang++")
    if compiler is None:
        pytest.skip("no C++ compiler (g++ or clang++) on the PATH")
    folder = tmp_path_factory.mktemp("kernels")
    texts = [f'#line 1 "{name} {dtype}"\n{body.source(dtype, pattern, choice)}' for name, (_, _, body, choice) in BODIES.items()
             if name not in CUDA_ONLY for pattern in patterns(body) for dtype in WIDTHS]
    (folder / "bodies.cpp").write_text(SHIMS + "\n".join(texts))
    strict = ["-Wall", "-Wextra", "-Wdouble-promotion", "-Werror"]
    command = [compiler, "-std=c++17", "-O1", "-ffp-contract=off", *strict, "-shared", "-fPIC", "bodies.cpp", "-o", "bodies.so"]
    result = subprocess.run(command, cwd=folder, capture_output=True, text=True, timeout=TIMEOUT_S)
    assert result.returncode == 0, result.stderr
    return ctypes.CDLL(str(folder / "bodies.so"))


class Place(ctypes.Structure):
    """CUDA's dim3, as far as the template reads it."""

    _fields_ = [("x", ctypes.c_uint)]


def run_on_host(library, body, choice, arrays, attrs, pattern):
    """What the threads of a small grid write, one after the other."""
    dtype = arrays[0].dtype
    out = arrays[0].copy() if pattern == elementwise.OVER else np.full_like(arrays[0], 12345)
    arrays = [out] if pattern == elementwise.OVER else arrays
    function = getattr(library, body.kernel_name(dtype.name, pattern, choice))
    arguments = [ctypes.c_void_p(a.ctypes.data) for a in arrays]
    arguments += [ctypes.c_longlong(v) for v in (arrays[-1].size, 1, 0, 1)] if pattern[-1] == "b" else []
    arguments += [ctypes.c_void_p(out.ctypes.data), ctypes.c_longlong(out.size), *map(WIDTHS[dtype.name], attrs.values())]
    grid, blocks, block, thread = (Place.in_dll(library, name) for name in ("gridDim", "blockDim", "blockIdx", "threadIdx"))
    grid.x, blocks.x = BLOCKS, THREADS
    for block.x in range(BLOCKS):
        for thread.x in range(THREADS):
            function(*arguments)
    return out


def inputs(op, body, dtype):
    """One array per input, all of one shape: every combination of VALUES, and random numbers."""
    random = np.random.default_rng(0)
    values = VALUES if len(body.inputs) < 4 else VALUES[::3]
    columns = np.meshgrid(*[values] * len(body.inputs))
    arrays = [np.concatenate([column.ravel(), random.normal(scale=3, size=1001)]).astype(dtype) for column in columns]
    if op.name in FINITE:
        arrays = [np.where(np.isinf(a), 1, a).astype(dtype) for a in arrays]
    if op.name in UNIT_INTERVAL:
        arrays = [np.where((a >= 0) & (a <= 1), a, random.uniform(size=a.shape)).astype(dtype) for a in arrays]
    return arrays


def attributes(op, body, use_defaults):
    """The defaults where there are some, or numbers that are nobody's default."""
    made_up = {name: 0.3 + 0.45 * i for i, name in enumerate(body.numbers)}
    return {name: op.attrs[name] if use_defaults and op.attrs[name] is not inspect.Parameter.empty else made_up[name] for name in body.numbers}


ROWS = [pytest.param(name, defaults, id=f"{name} {'defaults' if defaults else 'other attributes'}" if body.numbers else name)
        for name, (_, _, body, _) in BODIES.items() for defaults in ([True, False] if body.numbers else [True])]


@pytest.mark.parametrize("dtype", WIDTHS)
@pytest.mark.parametrize(("name", "use_defaults"), ROWS)
def test_a_body_is_its_formula(library, name, dtype, use_defaults):
    if name in CUDA_ONLY:
        pytest.skip(CUDA_ONLY[name])
    op, rule, body, choice = BODIES[name]
    arrays, attrs = inputs(op, body, dtype), attributes(op, body, use_defaults)
    chosen = {body.choice: choice} if choice else {}
    with np.errstate(all="ignore"):
        expected = (op.forward if rule is None else rule.fn)(np, *arrays, **attrs, **chosen)
    tolerance = dict(TOLERANCE[dtype])
    if name in CROSSES_ZERO:
        tolerance["atol"] = CROSSES_ZERO[name][dtype]
    for pattern in patterns(body):
        found = run_on_host(library, body, choice, arrays, attrs, pattern)
        assert expected.dtype == found.dtype
        size = 1 if rule is None else np.maximum(np.where(np.isfinite(arrays[0]), np.abs(arrays[0]), 1), 1)  # of the incoming gradient
        np.testing.assert_allclose(found / size, expected / size, **tolerance)
