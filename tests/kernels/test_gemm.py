"""Products of matrices through cuBLASLt, told to a double of it that computes what it was told; signatures against NVIDIA's header."""
import ctypes
import glob
import re
import sys

import host_gpu
import host_libraries
import numpy as np
import pytest

import ringgrad
from ringgrad._config import TF32
from ringgrad._core.tensor import wrap
from ringgrad._dtypes import as_dtype
from ringgrad._libraries import choice, cublaslt
from ringgrad.kernels import gemm

TOLERANCE = {"float16": 2e-3, "bfloat16": 2e-2, "float32": 1e-5, "float64": 1e-12}


@pytest.fixture
def plugged(compiled):
    """(array module of an emulated device, its double of cuBLASLt), with device arrays as CUDA tensors."""
    xp, library = host_libraries.device(compiled), host_libraries.CublasLt()
    choice.put("matmul", xp, 0, cublaslt.Planner(cublaslt.opened(library)))
    with host_gpu.plugged(xp):
        yield xp, library


def placed(xp, a):
    """`a` on the device, strides and all."""
    base = a
    while isinstance(base.base, np.ndarray):
        base = base.base
    copy = base.copy()
    offset = a.__array_interface__["data"][0] - base.__array_interface__["data"][0]
    flat = copy.reshape(-1).view(np.uint8)[offset:]
    return np.lib.stride_tricks.as_strided(flat[:a.itemsize].view(a.dtype), a.shape, a.strides).view(host_gpu.DeviceArray)


def numbers(dtype, *shape, seed=0):
    return np.random.default_rng([seed, *shape]).standard_normal(shape).astype(as_dtype(dtype).np)


LAYOUTS = {  # name: (left, right), shapes whose product is a row's case; copies: how many operands have to be copied first
    "rows by rows": (lambda n: (n(5, 7), n(7, 3)), 0),
    "columns by rows": (lambda n: (n(7, 5).T, n(7, 3)), 0),
    "rows by columns": (lambda n: (n(5, 7), n(3, 7).T), 0),
    "columns by columns": (lambda n: (n(7, 5).T, n(3, 7).T), 0),
    "part of a larger one": (lambda n: (n(5, 16)[:, 2:9], n(9, 8)[1:8, 4:7]), 0),
    "every second column": (lambda n: (n(5, 14)[:, ::2], n(7, 3)), 1),
    "backwards": (lambda n: (n(5, 7)[::-1], n(7, 3)), 1),
    "expanded": (lambda n: (np.broadcast_to(n(1, 7), (5, 7)), n(7, 3)), 1),
    "vectors": (lambda n: (n(7), n(7)), 0),
    "vector, matrix": (lambda n: (n(7), n(7, 3)), 0),
    "matrix, vector": (lambda n: (n(5, 7), n(7)), 0),
    "column of a matrix": (lambda n: (n(5, 7), n(7, 4)[:, 1]), 0),
    "one row": (lambda n: (n(1, 7), n(3, 7).T), 0),
    "one column": (lambda n: (n(5, 7), n(7, 1)), 0),
    "inner one": (lambda n: (n(5, 1), n(1, 3)), 0),
    "batch": (lambda n: (n(4, 5, 7), n(4, 7, 3)), 0),
    "batch of two dimensions": (lambda n: (n(2, 4, 5, 7), n(2, 4, 7, 3)), 0),
    "batch by columns": (lambda n: (n(4, 7, 5).swapaxes(1, 2), n(4, 3, 7).swapaxes(1, 2)), 0),
    "batch of parts": (lambda n: (n(6, 5, 7)[1:5], n(4, 7, 9)[:, :, 3:6]), 0),
    "batch folded into rows": (lambda n: (n(2, 4, 5, 7), n(7, 3)), 0),
    "batch folded, weight by columns": (lambda n: (n(4, 5, 7), n(3, 7).T), 0),
    "batch that does not fold": (lambda n: (n(2, 5, 4, 7).swapaxes(1, 2), n(7, 3)), 1),
    "batch apart but even": (lambda n: (n(4, 9, 7)[:, :5], n(7, 3)), 0),
    "heads between rows": (lambda n: (n(5, 4, 7).swapaxes(0, 1), n(3, 4, 7).transpose(1, 2, 0)), 0),
    "heads between rows of a batch": (lambda n: (n(2, 5, 4, 7).swapaxes(1, 2), n(2, 4, 7, 3)), 1),
    "right one broadcast": (lambda n: (n(4, 5, 7), n(1, 7, 3)), 0),
    "left one broadcast": (lambda n: (n(5, 7), n(4, 7, 3)), 0),
    "both broadcast": (lambda n: (n(2, 1, 5, 7), n(4, 7, 3)), 2),
    "vector, batch": (lambda n: (n(7), n(4, 7, 3)), 0),
    "batch, vector": (lambda n: (n(4, 5, 7), n(7)), 0),
}


@pytest.mark.parametrize("dtype", TOLERANCE)
@pytest.mark.parametrize("layout", LAYOUTS)
def test_products_of_all_layouts(plugged, layout, dtype):
    xp, library = plugged
    make, copies = LAYOUTS[layout]
    seeds = iter(range(9))
    a, b = make(lambda *shape: numbers(dtype, *shape, seed=next(seeds)))
    y = gemm.product(xp, placed(xp, a), placed(xp, b))
    expected = a.astype(np.float64) @ b.astype(np.float64)
    assert y.shape == expected.shape and y.dtype == a.dtype and y.flags.c_contiguous
    np.testing.assert_allclose(y.get().astype(np.float64), expected, atol=TOLERANCE[dtype] * 10, rtol=TOLERANCE[dtype])
    assert len(library.runs) == 1
    recipe = gemm.describe(a.shape, [s // a.itemsize for s in a.strides], b.shape, [s // b.itemsize for s in b.strides])
    assert sum(shape is not None for shape in recipe[1] or ()) == copies


def test_an_address_that_is_not_aligned_is_planned_as_such(plugged):
    xp, library = plugged
    memory = numbers("float32", 40)
    x, y = placed(xp, memory[1:36].reshape(5, 7)), placed(xp, numbers("float32", 7, 3))
    gemm.product(xp, x, y)  # the double asserts that addresses are aligned as planned
    assert library.alignment == set() and len(library.runs) == 1


def test_tf32_where_it_is_allowed(plugged, monkeypatch):
    xp, library = plugged
    x = placed(xp, numbers("float32", 4, 4))
    gemm.product(xp, x, x)
    monkeypatch.setitem(TF32, "matmul", True)
    gemm.product(xp, x, x)
    assert [run["compute"] for run in library.runs] == [cublaslt.COMPUTE_32F, cublaslt.COMPUTE_32F_FAST_TF32]


def test_halves_are_summed_in_float32(plugged):
    xp, library = plugged
    for dtype in ("float16", "bfloat16"):
        x = placed(xp, numbers(dtype, 4, 4))
        gemm.product(xp, x, x)
    assert {(run["compute"], run["scale"]) for run in library.runs} == {(cublaslt.COMPUTE_32F, cublaslt.R_32F)}


@pytest.mark.parametrize("dtype", ["float16", "bfloat16", "float32"])
@pytest.mark.parametrize("shape", [(5, 7), (2, 5, 7)])
def test_a_linear_layer_and_its_gradients(plugged, shape, dtype):
    xp, library = plugged
    host = [numbers(dtype, *shape), numbers(dtype, 3, 7), numbers(dtype, 3)]
    x, weight, bias = [wrap(placed(xp, a)).requires_grad_() for a in host]
    out = ringgrad.nn.functional.linear(x, weight, bias)
    g = numbers(dtype, *shape[:-1], 3, seed=1)
    out.backward(wrap(placed(xp, g)))
    assert library.epilogues() == ["bias", "", "left sums"], "the weight's product sums the rows for the bias"
    wide, g = [a.astype(np.float64) for a in host], g.astype(np.float64)
    rows = g.reshape(-1, 3)
    expected = [wide[0] @ wide[1].T + wide[2], g @ wide[1], rows.T @ wide[0].reshape(-1, 7), rows.sum(0)]
    for found, right in zip((out, x.grad, weight.grad, bias.grad), expected):
        np.testing.assert_allclose(found._data.get().astype(np.float64), right, atol=TOLERANCE[dtype] * 10, rtol=TOLERANCE[dtype])


WANTED = {  # which of input, weight and bias want a gradient: what the backward pass has the library compute
    (True, True, True): ["", "left sums"], (False, True, True): ["left sums"], (False, True, False): [""], (True, False, True): [""],
    (False, False, True): [],
}


@pytest.mark.parametrize("wanted", WANTED)
def test_gradients_that_nobody_wants_are_not_computed(plugged, wanted):
    xp, library = plugged
    x, weight, bias = [wrap(placed(xp, numbers("float32", *shape))).requires_grad_(w) for shape, w in zip(((2, 5, 7), (3, 7), (3,)), wanted)]
    out = ringgrad.nn.functional.linear(x, weight, bias)
    assert any(entry is not None and entry[0] is x._data for entry in out._node.saved) == wanted[1], "kept for the weight only"
    out.backward(wrap(placed(xp, numbers("float32", 2, 5, 3))))
    assert library.epilogues()[1:] == WANTED[wanted]
    g = numbers("float32", 2, 5, 3).reshape(10, 3)
    rights = (g @ weight._data.get()).reshape(2, 5, 7), g.T @ x._data.get().reshape(10, 7), g.sum(0)
    for t, w, right in zip((x, weight, bias), wanted, rights):
        assert (t.grad is not None) == w
        if w:
            np.testing.assert_allclose(t.grad._data.get(), right, rtol=1e-4, atol=1e-5)


def test_sums_that_the_library_refuses_are_a_kernel_of_their_own(compiled):
    xp = host_libraries.device(compiled)
    library = host_libraries.CublasLt(lambda told: told[cublaslt.DESC_EPILOGUE] in (cublaslt.EPILOGUES[""], cublaslt.EPILOGUES["bias"]))
    choice.put("matmul", xp, 0, cublaslt.Planner(cublaslt.opened(library)))
    with host_gpu.plugged(xp):
        x, weight, bias = [wrap(placed(xp, numbers("float32", *shape))).requires_grad_() for shape in ((5, 7), (3, 7), (3,))]
        for _ in range(2):
            ringgrad.nn.functional.linear(x, weight, bias).backward(wrap(placed(xp, numbers("float32", 5, 3))))
        made = len(library.things)
        ringgrad.nn.functional.linear(x, weight, bias).backward(wrap(placed(xp, numbers("float32", 5, 3))))
        assert len(library.things) == made, "what was refused once is asked for again"
        assert library.epilogues() == ["bias", "", ""] * 3
        np.testing.assert_allclose(bias.grad._data.get(), 3 * numbers("float32", 5, 3).sum(0), rtol=1e-5)


def test_the_gradient_of_a_linear_layer_s_gradient(plugged):
    """Under create_graph the rules of the formulas run, one by one."""
    xp, library = plugged
    host = [numbers("float64", *shape) for shape in ((5, 7), (3, 7), (3,))]
    found = []
    for place in (lambda a: wrap(placed(xp, a)), lambda a: wrap(a.copy())):
        x, weight, bias = [place(a).requires_grad_() for a in host]
        out = ringgrad.nn.functional.linear(x, weight, bias)
        gradients = ringgrad.autograd.grad((out**3).sum(), (x, weight, bias), create_graph=True)
        sum((g**2).sum() for g in gradients).backward()
        found.append([np.asarray(t.grad._data) for t in (x, weight, bias)])
    for ours, right in zip(*found):
        np.testing.assert_allclose(ours, right, rtol=1e-9)


@pytest.mark.parametrize("kind", ["LSTM", "GRU", "RNN"])
def test_recurrent_layers_multiply_through_the_library(plugged, kind):
    xp, library = plugged
    ringgrad.manual_seed(0)
    layer, x = getattr(ringgrad.nn, kind)(5, 4), numbers("float32", 3, 2, 5)
    expected = layer(wrap(x))[0]
    expected.sum().backward()
    gradients = [p.grad.numpy() for p in layer.parameters()]
    layer.zero_grad()
    out = layer.to("cuda")(wrap(xp.asarray(x)))[0]
    out.sum().backward()
    assert len(library.runs) == 9, "one for all inputs, three steps there and back, two weights"
    np.testing.assert_allclose(out.detach()._data.get(), expected.detach().numpy(), rtol=1e-5, atol=1e-6)
    for p, right in zip(layer.parameters(), gradients):
        np.testing.assert_allclose(p.grad._data.get(), right, rtol=1e-4, atol=1e-5)


def test_without_the_epilogue_the_bias_is_added_afterwards(compiled):
    xp = host_libraries.device(compiled)
    library = host_libraries.CublasLt(lambda told: told[cublaslt.DESC_EPILOGUE] == cublaslt.EPILOGUES[""])
    choice.put("matmul", xp, 0, cublaslt.Planner(cublaslt.opened(library)))
    with host_gpu.plugged(xp):
        x, w, b = [placed(xp, numbers("float32", *shape)) for shape in ((5, 7), (3, 7), (3,))]
        out = ringgrad.nn.functional.linear(*map(wrap, (x, w, b)))
        np.testing.assert_allclose(out._data.get(), x.get() @ w.get().T + b.get(), rtol=1e-5, atol=1e-5)
    assert len(library.runs) == 1


@pytest.mark.parametrize("left, right", [((3, 4), (5, 6)), ((2, 3, 4), (3, 4, 5)), ((3,), (4,))])
def test_shapes_that_do_not_fit_are_refused_in_the_formula_s_words(plugged, left, right):
    xp, library = plugged
    x, y = (wrap(placed(xp, numbers("float32", *shape))) for shape in (left, right))
    with pytest.raises(RuntimeError, match="must match|cannot be multiplied|inconsistent"):
        x @ y
    assert not library.runs


def test_what_the_library_does_not_take_is_left_to_the_formula(plugged):
    xp, library = plugged
    for a, b in ((np.arange(6).reshape(2, 3), np.arange(6).reshape(3, 2)), (np.zeros((0, 3), np.float32), np.zeros((3, 2), np.float32)),
                 (np.ones((2, 3), np.complex64), np.ones((3, 2), np.complex64))):
        y = wrap(placed(xp, a)) @ wrap(placed(xp, b))
        np.testing.assert_array_equal(y._data.get(), a @ b)
    assert not library.runs


def test_each_shape_is_planned_once(plugged):
    xp, library = plugged
    x, y = placed(xp, numbers("float32", 4, 4)), placed(xp, numbers("float32", 4, 4))
    gemm.product(xp, x, y)
    made = len(library.things)
    gemm.product(xp, x, y)
    assert len(library.things) == made and len(library.runs) == 2


# -- against NVIDIA's header -------------------------------------------------------------------------------------------

C = {"int": ctypes.c_int, "uint64_t": ctypes.c_uint64, "int64_t": ctypes.c_int64, "size_t": ctypes.c_size_t}


@pytest.fixture(scope="module")
def header():
    found = [p for root in sys.path for p in glob.glob(f"{root}/nvidia/**/include/cublasLt.h", recursive=True)]
    if not found:
        pytest.skip("cublasLt.h is not installed (pip install nvidia-cublas)")
    with open(found[0], encoding="utf-8") as file:
        return re.sub(r"//[^\n]*|/\*.*?\*/", "", file.read(), flags=re.S)


@pytest.mark.parametrize("function", cublaslt.SIGNATURES)
def test_functions_are_declared_as_in_the_header(header, function):
    arguments = re.search(rf"{function}\(\s*(.*?)\);", header, re.S)[1].split(",")
    assert len(arguments) == len(cublaslt.SIGNATURES[function])
    for declared, ours in zip(arguments, cublaslt.SIGNATURES[function]):
        kind = declared.split()[-2]
        expected = C.get(kind) if "*" not in declared and "[" not in declared else None
        if expected is not None:
            assert ours is expected, declared
        elif "*" in declared or "[" in declared or kind.endswith(("_t", "Stream_t")) and not kind.endswith(("Type", "Attribute_t", "Attributes_t")):
            assert ctypes.sizeof(ours) == 8 or kind in ("cublasComputeType_t", "cudaDataType_t"), declared
        else:
            assert ours is ctypes.c_int, declared


@pytest.mark.parametrize("name, ours", [
    ("CUBLASLT_MATRIX_LAYOUT_BATCH_COUNT", cublaslt.LAYOUT_BATCH_COUNT), ("CUBLASLT_MATRIX_LAYOUT_STRIDED_BATCH_OFFSET", cublaslt.LAYOUT_BATCH_STEP),
    ("CUBLASLT_MATMUL_DESC_TRANSA", cublaslt.DESC_TRANSA), ("CUBLASLT_MATMUL_DESC_TRANSB", cublaslt.DESC_TRANSB),
    ("CUBLASLT_MATMUL_DESC_EPILOGUE", cublaslt.DESC_EPILOGUE), ("CUBLASLT_MATMUL_DESC_BIAS_POINTER", cublaslt.DESC_BIAS),
    ("CUBLASLT_MATMUL_PREF_MAX_WORKSPACE_BYTES", cublaslt.PREF_WORKSPACE), ("CUBLASLT_MATMUL_PREF_REDUCTION_SCHEME_MASK", cublaslt.PREF_REDUCTION),
    *[(f"CUBLASLT_MATMUL_PREF_MIN_ALIGNMENT_{m}_BYTES", n) for m, n in zip("ABCD", cublaslt.PREF_ALIGNMENT)],
    ("CUBLASLT_REDUCTION_SCHEME_COMPUTE_TYPE", cublaslt.REDUCE_IN_COMPUTE_TYPE), ("CUBLASLT_EPILOGUE_DEFAULT", cublaslt.EPILOGUES[""]),
    ("CUBLASLT_MATMUL_DESC_EPILOGUE_AUX_POINTER", cublaslt.DESC_AUX), ("CUBLASLT_MATMUL_DESC_EPILOGUE_AUX_LD", cublaslt.DESC_AUX_LD),
    ("CUBLASLT_EPILOGUE_BIAS", cublaslt.EPILOGUES["bias"]), ("CUBLASLT_EPILOGUE_GELU_AUX", cublaslt.EPILOGUES["gelu"]),
    ("CUBLASLT_EPILOGUE_GELU_AUX_BIAS", cublaslt.EPILOGUES["bias, gelu"]), ("CUBLASLT_EPILOGUE_DGELU", cublaslt.EPILOGUES["gelu slope"]),
    ("CUBLASLT_EPILOGUE_DGELU_BGRAD", cublaslt.EPILOGUES["gelu slope and sums"]), ("CUBLASLT_EPILOGUE_BGRADB", cublaslt.EPILOGUES["left sums"]),
])
def test_numbers_are_those_of_the_header(header, name, ours):
    def value(name):
        text = re.search(rf"\b{name} = ([^,}}]+)", header)[1]
        return sum(int(part, 0) if part[:1].isdigit() else value(part) for part in re.sub(r"[()\s]", "", text).split("|"))
    assert value(name) == ours


def test_structures_are_as_large_as_in_the_header(header):
    assert re.search(r"uint64_t data\[8\];\s*\} cublasLtMatmulAlgo_t", header) and ctypes.sizeof(cublaslt._Algorithm) == 64
    fields = re.search(r"typedef struct \{([^}]*)\} cublasLtMatmulHeuristicResult_t", header)[1].split(";")
    assert [f.split()[0] for f in fields if f.strip()] == ["cublasLtMatmulAlgo_t", "size_t", "cublasStatus_t", "float", "int"]
    assert ctypes.sizeof(cublaslt._Heuristic) == 64 + 8 + 4 + 4 + 16
