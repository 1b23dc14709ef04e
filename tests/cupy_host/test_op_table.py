"""Every sample of tests/ops on CuPy's own arrays, with kernels that are not launched: nothing refuses, and types, shapes and devices are right."""
import numpy as np
import pytest

import ringgrad
from tests.ops.checks import case, differentiable_positions, leaves, name_of, run, seeds_for, tensor
from tests.ops.samples import SAMPLES
from tests.ops.test_ops import ON_THE_CPU

# What cannot be asked of arrays without values; test_values.py runs with values, and has them.
SHAPES_FROM_VALUES = {"masked_select", "nonzero", "unique", "unique_consecutive", "bincount", "combinations", "ops.suppress", "Tensor.values",
                      "Tensor.coalesce", "linalg.lstsq", "repeat_interleave"}
LOOKS_AT_VALUES = {"istft", "linalg.lu_solve", "linalg.solve", "linalg.ldl_factor", "linalg.ldl_solve", "multinomial", "median", "segment_reduce",
                   "nn.functional.multilabel_margin_loss"}
RECURRENT = {"lstm", "gru", "rnn_tanh", "rnn_relu"}  # the lengths of packed sequences are values
ON_THE_HOST = {"Tensor.dim_order"}  # the sample makes a tensor on the CPU of what it gives


def needs_values(sample):
    """Whether shapes, or what is refused, follow from values."""
    def has(kind):
        return any(a.dtype.kind == kind for a in sample.arrays())
    return (sample.name in SHAPES_FROM_VALUES | LOOKS_AT_VALUES or sample.name in RECURRENT and has("i")
            or sample.name in ("Tensor.__getitem__", "Tensor.__setitem__") and has("b"))


ROWS = [s for s in SAMPLES if s.inputs and s.name not in ON_THE_CPU | ON_THE_HOST and not needs_values(s)]


def outcome(sample, arrays, device):
    """(results, gradients) of a sample on a device: for each its type, shape and the kind of device, or its Python type; None for no gradient."""
    positions = differentiable_positions(sample, arrays)
    inputs = leaves(ringgrad, arrays, positions, device)
    outs = run(sample, ringgrad, inputs)
    weights = [None if w is None else tensor(ringgrad, np.zeros_like(w), device=device) for w in seeds_for(outs)]
    live = [(t, w) for t, w in zip(outs, weights, strict=True) if w is not None and t.requires_grad]
    wanted = [inputs[i] for i in positions]
    grads = ringgrad.autograd.grad([t for t, _ in live], wanted, [w for _, w in live], allow_unused=True) if live else []
    return [described(t, device) for t in outs], [described(g, device) for g in grads]


def described(t, device):
    if not hasattr(t, "detach"):
        return type(t)
    assert t.device.type == device or t.device.type == "cpu" and t.ndim == 0, f"a result on {t.device}"
    return name_of(t.dtype), tuple(t.shape)


@pytest.mark.parametrize("sample", ROWS, ids=str)
def test_nothing_is_refused(sample, not_launched):
    for dtype in sample.dtypes:
        with case(dtype):
            arrays = sample.arrays(dtype)
            assert outcome(sample, arrays, "cuda") == outcome(sample, arrays, "cpu")


def test_most_of_the_table_needs_no_values():
    assert len(ROWS) > 0.9 * len(SAMPLES)
