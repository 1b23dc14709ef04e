"""What operations cost the host on a GPU, counted: Python functions that are called, kernels that are launched, and the short ways that are taken.

`python -m benchmarks.gpu host` prints the same counts beside times.
"""
import pytest

import ringgrad
from benchmarks.gpu import host
from ringgrad._core.engine import _Pass
from ringgrad._core.op import REGISTRY, Op

# The most calls of Python functions; launches of kernels, where it matters.  Without cuBLASLt and cuDNN, which the tests of this folder turn off.
MOST = {
    "add": (6, 1), "add a number": (6, 1), "mul": (4, 1), "exp": (4, 1), "relu": (6, 1), "gelu": (5, 1), "softmax": (13, 1), "layer_norm": (21, 1),
    "cross_entropy": (32, 2), "dropout": (34, 2), "embedding": (11, 1), "slice": (7, 0), "view": (11, 0), "transpose": (8, 0), "sum": (12, 1),
    "mean": (13, 1), "add, backward": (52, 3), "mul, backward": (52, 5), "zero_grad": (20, 0), "SGD, 20 parameters": (200, 1),
    "AdamW, 20 parameters": (320, 1), "clip_grad_norm_": (170, 3), "GradScaler": (750, 9),
}


@pytest.fixture(scope="module", autouse=True)
def one_gpu():
    """As on a machine with one GPU, where no operation asks which is the current one."""
    from ringgrad._backends import load_cuda
    backend = load_cuda()
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(backend, "several", lambda: False)
        for op in REGISTRY.values():
            op.kernels.clear()
        yield
    for op in REGISTRY.values():
        op.kernels.clear()


@pytest.fixture(scope="module")
def calls(not_launched):
    return host.operations(ringgrad, "cuda")


@pytest.mark.parametrize("name", MOST)
def test_calls_and_launches_stay_few(calls, name):
    from tests.cupy_host import stand_in
    for _ in range(5):  # what is made once, is made
        calls[name]()
    most_calls, most_launches = MOST[name]
    assert host.calls(calls[name]) <= most_calls
    assert host.launches(stand_in.kept[0], calls[name]) <= most_launches


@pytest.mark.parametrize("dtype", ["float32", "bfloat16"])
def test_a_network_takes_no_general_path(not_launched, dtype, monkeypatch):
    """Forward and backward of a network of common layers: the quick path of every operation, and the engine's short way for every node."""
    nn, kind = ringgrad.nn, getattr(ringgrad, dtype)
    layers = nn.Embedding(8, 8), nn.Linear(8, 8), nn.GELU(), nn.LayerNorm(8), nn.Dropout(0.1), nn.Linear(8, 8), nn.ReLU(), nn.Softmax(-1)
    model = nn.Sequential(*layers).to("cuda", kind)
    x, y = (ringgrad.zeros(8, dtype=ringgrad.int64, device="cuda") for _ in range(2))
    general = []
    apply, run_general = Op.apply, _Pass.run_general
    monkeypatch.setattr(Op, "apply", lambda op, *rest: general.append(op.name) or apply(op, *rest))
    monkeypatch.setattr(_Pass, "run_general", lambda run, node, g: general.append(node.op.name) or run_general(run, node, g))
    nn.functional.cross_entropy(model(x), y).backward()
    assert not general
