"""Every row on meta tensors: shapes, types and strides of the same call with values, and of the gradients, but no values."""
import pytest

import ringgrad
from ringgrad._backends import meta_
from ringgrad._core.tensor import Tensor

from .checks import differentiable_positions, flat, tensor
from .samples import SAMPLES

BESIDE_THE_CPU = {"Tensor.dim_order", "special.expit", "special.erfcx"}  # some of their rows make tensors of the CPU
ROWS = [s for s in SAMPLES if s.inputs and not (s.name in BESIDE_THE_CPU and s.call)]

# Functions of which some row reads values: to know a shape, to check an argument, or because they are no single operation.
NEED_VALUES = {
    "Tensor.__getitem__", "Tensor.__setitem__", "Tensor.apply_", "Tensor.coalesce", "Tensor.map2_", "Tensor.map_", "Tensor.put_",
    "Tensor.values", "allclose", "bincount", "combinations", "equal", "gru", "hash_tensor", "histc", "histogram", "histogramdd", "istft",
    "linalg.cholesky_ex", "linalg.eig", "linalg.inv_ex", "linalg.ldl_factor", "linalg.ldl_solve", "linalg.lstsq", "linalg.lu_factor",
    "linalg.lu_solve", "linalg.solve_ex", "lstm", "lu", "lu_solve", "lu_unpack", "masked_scatter", "masked_select", "nanquantile",
    "nn.functional.affine_grid", "nn.functional.embedding_bag", "nn.functional.gaussian_nll_loss", "nn.functional.grouped_mm",
    "nn.functional.multilabel_margin_loss", "nn.functional.one_hot", "nonzero", "nonzero_static", "normal", "ops.suppress", "put", "quantile",
    "repeat_interleave", "rnn_relu", "rnn_tanh", "segment_reduce", "sparse_coo_tensor", "unique", "unique_consecutive", "unravel_index",
}
# NumPy's kernels leave their results in an order of their own, which the formulas do not have.
OTHER_STRIDES = {"Tensor.__getitem__", "nn.functional.conv_transpose2d", "nn.functional.scaled_dot_product_attention", "attention_with_dropout",
                 "attention_without_softmax"}
REFUSED = (NotImplementedError, RuntimeError, TypeError)


def called(sample, device, followed=()):
    """(tensors among the results, the inputs) of the row on a device; those at `followed` require grad."""
    inputs = [tensor(ringgrad, a).to(device) for a in sample.arrays()]
    for i in followed:
        inputs[i].requires_grad_()
    return [t for t in flat(sample.run(ringgrad, inputs)) if isinstance(t, Tensor)], inputs


def layout(sample, t):
    return t.shape, t.dtype, t.stride() if t.numel() > 1 and sample.name not in OTHER_STRIDES else None


@pytest.mark.parametrize("sample", ROWS, ids=str)
def test_a_call_without_values_has_the_layout_of_the_call_with_values(sample):
    try:
        results, _ = called(sample, "meta")
    except REFUSED:
        assert sample.name in NEED_VALUES
        return
    expected, _ = called(sample, "cpu")
    assert len(results) == len(expected)
    assert all(t.is_meta for t in results)
    assert [layout(sample, t) for t in results] == [layout(sample, t) for t in expected]


@pytest.mark.parametrize("sample", [s for s in ROWS if s.grad is not False and s.base == "float64" and s.name not in NEED_VALUES], ids=str)
def test_gradients_without_values_have_the_shapes_of_their_inputs(sample):
    positions = differentiable_positions(sample, sample.arrays())
    results, inputs = called(sample, "meta", positions)
    outs = [t.real if t.is_complex() else t for t in results if t.requires_grad]
    if not outs:
        return
    sum(t.sum() for t in outs).backward()
    for i in positions:
        assert inputs[i].grad is None or (inputs[i].grad.is_meta and inputs[i].grad.shape == inputs[i].shape)


def test_every_function_said_to_need_values_needs_them():
    def refuses(sample):
        try:
            called(sample, "meta")
        except REFUSED:
            return True
        return False
    assert {s.name for s in ROWS if s.name in NEED_VALUES and refuses(s)} == NEED_VALUES


@pytest.mark.parametrize("what", [
    lambda x, w, q: ringgrad.nn.functional.conv2d(x, w, padding=1),
    lambda x, w, q: ringgrad.nn.functional.max_pool2d(x, 2),
    lambda x, w, q: ringgrad.nn.functional.scaled_dot_product_attention(q, q, q),
    lambda x, w, q: ringgrad.nn.functional.layer_norm(q, q.shape[-1:]).softmax(-1),
    lambda x, w, q: ringgrad.nn.functional.gelu(q @ q.mT)[..., 1:].sum((0, 1)).cumsum(-1),
])
def test_large_operations_take_no_memory_and_no_zeros(what, monkeypatch):
    monkeypatch.setattr(meta_, "stand_in", None)  # what would make the zeros
    x, w, q = (ringgrad.empty(*size, device="meta", requires_grad=True) for size in ((2**20, 64, 64, 64), (64, 64, 3, 3), (2**20, 16, 512, 64)))
    what(x, w, q).sum().backward()
