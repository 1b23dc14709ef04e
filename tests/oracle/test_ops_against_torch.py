"""Every sample against PyTorch: values, shapes, dtypes, views and strides, gradients of order 1 and 2, types of errors, promotion."""
import contextlib
import itertools

import numpy as np
import pytest

import ringgrad

from ..ops.checks import (
    case,
    close,
    differentiable_positions,
    direction_like,
    first_order,
    name_of,
    run,
    second_order,
    tensor,
    values,
    variants,
)
from ..ops.samples import FAILS, SAMPLES

torch = pytest.importorskip("torch", reason="the oracle, torch, is not installed")
pytestmark = pytest.mark.torch

COMPARED = [s for s in SAMPLES if not isinstance(s.torch, str)]
EXACT = [s for s in COMPARED if not s.random]
GRADED = [(s, d) for s in EXACT if s.grad is not False and s.inputs for d in s.dtypes if d in ("float64", "complex128")]
UNSUPPORTED = ("not implemented for", "not supported for", "does not support", "expected a floating", "not yet supported")


def rows(samples):
    return pytest.mark.parametrize("sample", samples, ids=str)


def pairs(couples):
    return pytest.mark.parametrize(("sample", "dtype"), couples, ids=[f"{s}-{d}" for s, d in couples])


def on_torch(sample, arrays):
    """torch's outputs; skips visibly where torch lacks the dtype."""
    try:
        return run(sample, torch, [tensor(torch, a) for a in arrays])
    except (RuntimeError, NotImplementedError) as error:
        if any(words in str(error) for words in UNSUPPORTED):
            pytest.skip(f"torch: {str(error).splitlines()[0]}")
        raise


@rows(COMPARED)
def test_value_shape_and_dtype(sample):
    """In every dtype that torch takes, too."""
    taken = 0
    for dtype in sample.dtypes:
        with case(dtype), contextlib.suppress(pytest.skip.Exception):
            check_value(sample, dtype)
            taken += 1
    if not taken:
        pytest.skip("torch takes none of the dtypes")


def check_value(sample, dtype):
    arrays = sample.arrays(dtype)
    theirs = on_torch(sample, arrays)
    ours = run(sample, ringgrad, [tensor(ringgrad, a) for a in arrays])
    assert len(ours) == len(theirs)
    for i, (a, b) in enumerate(zip(ours, theirs, strict=True)):
        assert hasattr(a, "detach") == hasattr(b, "detach"), f"output {i}: {type(a)}, torch gives {type(b)}"
        if hasattr(b, "detach"):
            assert name_of(a.dtype) == name_of(b.dtype), f"output {i}"
            assert tuple(a.shape) == tuple(b.shape), f"output {i}"
        if not sample.random:
            close(values(a), values(b), name_of(getattr(b, "dtype", "float64")), 2 * sample.slack * sample.torch_slack, f"output {i}")


@rows(COMPARED)
def test_kind_of_result(sample):
    """Tuples where torch has tuples, with torch's field names."""
    arrays = sample.arrays()
    on_torch(sample, arrays)
    theirs = sample.run(torch, [tensor(torch, a) for a in arrays])
    ours = sample.run(ringgrad, [tensor(ringgrad, a) for a in arrays])
    if isinstance(theirs, (tuple, list)):
        assert isinstance(ours, tuple if isinstance(theirs, tuple) else list)
        fields = [f for f in ("values", "indices") if hasattr(theirs, f)]
        assert [f for f in ("values", "indices") if hasattr(ours, f)] == fields
    else:
        assert not isinstance(ours, (tuple, list))


@rows([s for s in EXACT if s.inputs])
def test_views_and_strides(sample):
    """A result shares memory with an input exactly where torch's does, and then with torch's strides and offset."""
    arrays = sample.arrays()
    on_torch(sample, arrays)
    inputs, mirror = [tensor(ringgrad, a) for a in arrays], [tensor(torch, a) for a in arrays]
    for a, b in zip(run(sample, ringgrad, inputs), run(sample, torch, mirror), strict=True):
        if not hasattr(b, "detach") or not b.numel():
            continue
        theirs = [b.untyped_storage().data_ptr() == t.untyped_storage().data_ptr() for t in mirror]
        ours = [np.shares_memory(a._data, t._data) for t in inputs]
        assert ours == theirs, f"shares memory with the inputs: {ours}, in torch: {theirs}"
        if any(theirs):
            steps = [(n, s) for n, s in zip(a.shape, a.stride(), strict=True) if n > 1]
            assert steps == [(n, s) for n, s in zip(b.shape, b.stride(), strict=True) if n > 1]
            assert a.storage_offset() == b.storage_offset()


@rows([s for s in EXACT if s.elementwise])
def test_shapes_of_elementwise_ops(sample):
    for label, arrays in variants(sample):
        theirs = on_torch(sample, arrays)
        for a, b in zip(run(sample, ringgrad, [tensor(ringgrad, x) for x in arrays]), theirs, strict=True):
            assert name_of(a.dtype) == name_of(b.dtype), label
            close(values(a), values(b), name_of(b.dtype), sample.slack * sample.torch_slack, label)


def derived_on_torch(compute):
    """compute(); skips visibly where torch has no derivative."""
    try:
        return compute()
    except (RuntimeError, NotImplementedError) as error:
        if any(words in str(error) for words in ("derivative for", "not implemented", "is not differentiable with respect to")):
            pytest.skip(f"torch: {str(error).splitlines()[0]}")
        raise


@pairs(GRADED)
def test_gradients(sample, dtype):
    arrays = sample.arrays(dtype)
    on_torch(sample, arrays)
    ours, seeds = first_order(ringgrad, sample, arrays)
    theirs, _ = derived_on_torch(lambda: first_order(torch, sample, arrays, seeds=seeds))
    for i, a, b in zip(differentiable_positions(sample, arrays), ours, theirs, strict=True):
        if b is not None:
            close(np.zeros_like(b) if a is None else a, b, dtype, 10 * sample.slack * sample.torch_slack, f"gradient for input {i}")
        else:
            assert a is None or not np.any(a), f"gradient for input {i}: torch has none"


@pairs([(s, d) for s, d in GRADED if s.order2 is True])
def test_second_gradients(sample, dtype):
    """Where torch's are numbers: at some points its second derivatives are NaN and ours, checked by differences, are not."""
    arrays = sample.arrays(dtype)
    on_torch(sample, arrays)
    positions = differentiable_positions(sample, arrays)
    _, seeds = first_order(ringgrad, sample, arrays)
    mixers = [direction_like(arrays[i], seed=100 + i) for i in positions]
    _, theirs = derived_on_torch(lambda: second_order(torch, sample, arrays, positions, seeds, mixers))
    _, ours = second_order(ringgrad, sample, arrays, positions, seeds, mixers)
    for i, (a, b) in enumerate(zip(ours, theirs, strict=True)):
        close(np.where(np.isnan(b), b, a), b, dtype, 100 * sample.slack * sample.torch_slack, f"second derivative {i}")


@rows(FAILS)
def test_refusals(sample):
    """torch raises too, and an exception of the same type."""
    if isinstance(sample.torch, str):
        pytest.skip(sample.torch)
    with pytest.raises(Exception) as caught:  # noqa: B017, PT011 - which one is the question
        sample.run(torch, [tensor(torch, a) for a in sample.arrays()])
    assert caught.type is (sample.torch_error or sample.error), f"torch: {caught.type.__name__}: {caught.value}"


# -- promotion ---------------------------------------------------------------------------------------------------------

NUMBERS = (True, 3, 2.5, 1 + 2j)
BINARY = [s for s in EXACT if s.elementwise and len(s.inputs) == len(s.args) == 2 and all(i.follows for i in s.inputs)]


def outcome(sample, library, operands):
    """(dtype, shape, value) of a call, or the type of its exception."""
    try:
        (out,) = run(sample, library, operands)
    except Exception as error:
        return type(error)
    return name_of(out.dtype).replace("complex32", "complex64"), tuple(out.shape), values(out)


def compare_promotion(sample, left, right):
    """left, right: arrays or numbers.  Where torch has an answer, ours is of the same type and value."""
    def operands(library):
        return [tensor(library, x) if isinstance(x, np.ndarray) else x for x in (left, right)]
    theirs = outcome(sample, torch, operands(torch))
    if isinstance(theirs, type):
        return  # torch refuses, or has no kernel for this pair; refusals have rows of their own
    ours, what = outcome(sample, ringgrad, operands(ringgrad)), f"{sample.name}({describe(left)}, {describe(right)})"
    assert not isinstance(ours, type), f"{what}: raised {ours.__name__}, torch gives {theirs[0]}"
    assert ours[:2] == theirs[:2], f"{what}: {ours[:2]}, torch has {theirs[:2]}"
    close(ours[2], theirs[2], "float16" if "float16" in describe(left) + describe(right) else theirs[0], 4 * sample.slack * sample.torch_slack, what)


def describe(x):
    return f"{x.dtype}{list(x.shape)}" if isinstance(x, np.ndarray) else repr(x)


def ranks(array):
    """Operands of one dtype: with a dimension, and of none."""
    return array.ravel()[:3], array.ravel()[:1].reshape(())


@pytest.mark.slow
@rows(BINARY)
def test_promotion(sample):
    """Every pair of dtypes, as tensors with dimensions and of none, and beside Python numbers."""
    first = [x for dtype in sample.dtypes for x in ranks(sample.arrays(dtype)[0])]
    second = [x for dtype in sample.dtypes for x in ranks(sample.arrays(dtype)[1])]
    for left, right in itertools.product(first, (*second, *NUMBERS)):
        compare_promotion(sample, left, right)
