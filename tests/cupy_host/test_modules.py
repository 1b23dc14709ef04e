"""Every layer of tests/nn on a GPU, with kernels that are not launched: nothing is refused, and types, shapes and devices are the CPU's.

Forward and backward, in float32 and under autocast; then the state goes back to the CPU.  What layers compute there is in test_networks.py and
test_values.py.
"""
import copy

import pytest

import ringgrad as rg
from tests.nn import layer_rows, layer_rows_rest

LOOKS_AT_VALUES = ("EmbeddingBag", "AdaptiveLogSoftmax", "CTCLoss", "MultiLabelMarginLoss", "max_norm", "momentum=None")
UNLIKE = ("BCELoss()", "BCELoss(reduction", "Softmax(-1))", "LogSoftmax(1))")  # autocast refuses them, or gives the CPU's another type
ROWS = [row for row in (*layer_rows.ROWS, *layer_rows_rest.ROWS) if not any(name in row.text for name in LOOKS_AT_VALUES)]


def flat(out):
    return [t for o in out for t in flat(o)] if isinstance(out, tuple) else [out]


def called(row, module, device, half):
    """{what: (type, shape)} of the results and gradients of a call, all of which lie on the device."""
    arrays = row.arrays()
    inputs = [rg.from_numpy(a).to(device, rg.float32 if a.dtype.kind == "f" else None) for a in arrays]
    for i in row.takes_gradient(arrays):
        inputs[i].requires_grad_()
    with rg.autocast(device, dtype=rg.bfloat16, enabled=half):
        outs = flat(module(*inputs))
    live = [t for t in outs if t.requires_grad]
    module.zero_grad()
    if live:
        rg.autograd.backward(live, [rg.ones_like(t) for t in live])
    found = {f"output {i}": t for i, t in enumerate(outs)} | {f"gradient {i}": t.grad for i, t in enumerate(inputs)}
    found |= {f"gradient of {name}": p.grad for name, p in module.named_parameters()} | dict(module.named_buffers())
    assert {t.device.type for t in found.values() if t is not None} <= {device}
    return {what: None if t is None else (t.dtype, t.shape) for what, t in found.items()}


@pytest.mark.parametrize("row", ROWS, ids=str)
def test_layers(row, not_launched):
    here = eval(row.text, {"nn": rg.nn})
    there = copy.deepcopy(here).to("cuda")
    for train in (True, False):
        here.train(train), there.train(train)
        for half in (False, True)[:1 if any(name in row.text for name in UNLIKE) else 2]:
            assert called(row, there, "cuda", half) == called(row, here, "cpu", half)
    here.load_state_dict(there.state_dict())
    assert {t.device.type for t in there.cpu().state_dict().values()} <= {"cpu"}


def test_causal_biases_lie_beside_any_query(not_launched):
    q = rg.ones(1, 2, 3, 4, device="cuda")
    assert rg.nn.functional.scaled_dot_product_attention(q, q, q, rg.nn.attention.bias.causal_lower_right(3, 3)).is_cuda
