"""Functions that write, out= and the in-place ones: the same scripts under both libraries."""
import warnings

import pytest

import ringgrad

try:
    import torch
except ImportError:
    torch = None

NEEDS_TORCH = pytest.mark.skipif(torch is None, reason="the oracle, torch, is not installed")


@pytest.fixture(params=[ringgrad, pytest.param(torch, marks=[pytest.mark.torch, NEEDS_TORCH])], ids=["ringgrad", "torch"])
def lib(request):
    return request.param


def test_the_result_lands_in_the_given_memory(lib):
    x, y, out = lib.arange(3.0), lib.ones(3), lib.zeros(2, 3)
    row, before = out[1], out._version
    assert lib.add(x, y, out=row) is row
    assert out.tolist() == [[0, 0, 0], [1, 2, 3]] and out._version == before + 1
    lib.mul(x, 2, out=x)
    assert x.tolist() == [0, 2, 4]
    assert lib.arange(0, 6, 2, out=lib.empty(0, dtype=lib.int64)).tolist() == [0, 2, 4]
    assert lib.index_select(x, 0, lib.tensor([2, 0]), out=lib.empty(0)).tolist() == [4, 0]


def test_several_results(lib):
    values, places = lib.empty(0), lib.empty(0, dtype=lib.int64)
    lib.max(lib.tensor([[1.0, 3], [5, 4]]), 1, out=(values, places))
    assert values.tolist() == [3, 5] and places.tolist() == [1, 0]


def test_the_result_is_converted_where_it_may_be(lib):
    out = lib.zeros(2, dtype=lib.float64)
    lib.exp(lib.zeros(2), out=out)
    assert out.tolist() == [1, 1] and out.dtype == lib.float64
    with pytest.raises(RuntimeError, match="can't be cast to the desired output type"):
        lib.exp(lib.zeros(2), out=lib.zeros(2, dtype=lib.int64))


def test_another_shape_is_taken_with_a_warning_unless_it_was_empty(lib):
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert lib.add(lib.ones(3), 1, out=lib.empty(0)).tolist() == [2, 2, 2]
    with pytest.warns(UserWarning, match="An output with one or more elements was resized"):
        assert lib.add(lib.ones(3), 1, out=lib.empty(2)).tolist() == [2, 2, 2]


def test_it_does_not_differentiate(lib):
    w = lib.ones(2, requires_grad=True)
    with pytest.raises(RuntimeError, match="don't support automatic differentiation"):
        lib.mul(w, 2, out=lib.zeros(2))
    with lib.no_grad():
        assert lib.mul(w, 2, out=lib.zeros(2)).tolist() == [2, 2]


def test_in_place_methods_are_functions_too(lib):
    x = lib.tensor([-1.0, 4.0])
    assert lib.relu_(x) is x and lib.sqrt_(x) is x and x.tolist() == [0, 2]
    assert lib.zero_(x).tolist() == [0, 0]
