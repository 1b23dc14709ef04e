"""vmap in one run equals its definition, slice by slice, for every row: values, shapes, types and gradients; and it is taken where it should be."""
import functools

import numpy as np
import pytest

import ringgrad
from ringgrad._core.tensor import Tensor
from ringgrad.func import _batching, _vmap, grad
from ringgrad.func._lanes import StepAside

from .checks import close, differentiable_positions, flat, name_of, record_of, tensor, values
from .samples import SAMPLES

COUNT = 3
ROWS = [s for s in SAMPLES if not s.random and s.inputs]
TAKEN = {}  # op name: whether a row of it ran in one go


@functools.cache
def stacked(sample):
    """The row's inputs drawn three times and stacked; None where the draws do not fit together."""
    draws = [sample.arrays(seed=k) for k in range(COUNT)]
    if any(len({a.shape for a in column}) > 1 for column in zip(*draws, strict=True)):
        return None
    return [tensor(ringgrad, np.stack(column)) for column in zip(*draws, strict=True)]


def both(function, inputs, dims):
    """(result of one run or None, result of the definition), as lists of arrays; results that are no tensors are left out."""
    def tensors_only(*xs):
        return [t for t in flat(function(*xs)) if isinstance(t, Tensor)]

    def run(how):
        results = _vmap._Results("row", 0)
        return [values(t) for t in how(tensors_only, inputs, dims, _vmap.flatten(tuple(inputs))[1], COUNT, {}, "error", results)]
    try:
        fast = run(_vmap.in_one_run)
    except (Exception, StepAside):
        fast = None
    return fast, run(_vmap.by_slices)


def compare(sample, fast, slow):
    assert len(fast) == len(slow)
    for i, (a, b) in enumerate(zip(fast, slow, strict=True)):
        assert a.shape == b.shape and a.dtype == b.dtype, f"output {i}: {a.dtype}{a.shape} in one run, {b.dtype}{b.shape} by slices"
        close(a, b, name_of(b.dtype), sample.slack, f"output {i}")


@pytest.mark.parametrize("sample", ROWS, ids=str)
def test_one_run_equals_the_definition(sample):
    inputs = stacked(sample)
    if inputs is None:
        return  # its shapes are random
    op = record_of(sample)
    for dims in {(0,) * len(inputs), (0, *(None,) * (len(inputs) - 1)), (*(None,) * (len(inputs) - 1), 0)}:
        own = [x if d == 0 else x[0] for x, d in zip(inputs, dims, strict=True)]
        try:
            fast, slow = both(lambda *xs: sample.run(ringgrad, xs), own, dims)
        except Exception:  # the definition cannot do it either: a slice of this input is nothing that the row can use
            continue
        if op is not None:
            TAKEN[op.name] = TAKEN.get(op.name, False) or fast is not None
        if fast is not None:
            compare(sample, fast, slow)


@pytest.mark.parametrize("sample", [s for s in ROWS if s.grad is not False and s.base == "float64"], ids=str)
def test_gradients_in_one_run_equal_the_definition(sample):
    inputs = stacked(sample)
    if inputs is None:
        return
    positions = differentiable_positions(sample, sample.arrays())
    if not positions:
        return

    def loss(*xs):
        outs = [t for t in flat(sample.run(ringgrad, xs)) if isinstance(t, Tensor) and t.requires_grad]
        return sum((t.real.sum() if not t.is_complex() else (t.real + t.imag).sum()) * (k + 1) for k, t in enumerate(o * o for o in outs))

    try:
        fast, slow = both(grad(loss, argnums=tuple(positions)), inputs, (0,) * len(inputs))
    except Exception:
        return  # the row's own test says what it can do
    if fast is not None:
        compare(sample, fast, slow)


def test_operations_with_a_rule_run_in_one_go():
    """Runs after the rows, in this file's order; alone it has nothing to say."""
    if not TAKEN:
        pytest.skip("no row ran before")
    aside = sorted(name for name in _batching.RULES if TAKEN.get(name) is False)
    assert not aside, f"these have a rule but always step aside: {', '.join(aside)}"
