"""Linear layers with activations on the emulated GPU, their products by the double of cuBLASLt: values, gradients, what the library is asked."""
import host_gpu
import host_libraries
import numpy as np
import pytest

import ringgrad
from ringgrad import nn, ops
from ringgrad._core.graph import Node, Pick
from ringgrad._core.tensor import wrap
from ringgrad._dtypes import as_dtype
from ringgrad._libraries import choice, cublaslt
from ringgrad.kernels import gemm
from ringgrad.nn import functional as F

TOLERANCE = {"float16": 4e-3, "bfloat16": 3e-2, "float32": 2e-5}
ACTIVATIONS = ("relu", "gelu", "gelu_tanh", "silu")
PLAIN = {cublaslt.EPILOGUES[name] for name in ("", "bias")}
LIBRARIES = {  # what the library supports
    "all": lambda told: True, "no sums with slopes": lambda told: told[cublaslt.DESC_EPILOGUE] != cublaslt.EPILOGUES["gelu slope and sums"],
    "bias only": lambda told: told[cublaslt.DESC_EPILOGUE] in PLAIN, "no epilogue": lambda told: told[cublaslt.DESC_EPILOGUE] == 1, "none": None,
}


@pytest.fixture
def plug(compiled):
    """plug("all") -> (array module of an emulated device, its double of cuBLASLt or None), with device arrays as CUDA tensors."""
    entered = []

    def make(supports):
        xp, library = host_libraries.device(compiled), None
        if LIBRARIES[supports] is not None:
            library = host_libraries.CublasLt(LIBRARIES[supports])
            choice.put("matmul", xp, 0, cublaslt.Planner(cublaslt.opened(library)))
        entered.append(host_gpu.plugged(xp))
        return entered[-1].__enter__(), library
    yield make
    for each in entered:
        each.__exit__()


def on_device(xp, a):
    """A NumPy array as a tensor of the device, aligned as CuPy's memory is."""
    out = xp.empty(a.shape, a.dtype)
    out[...] = a
    return wrap(out)


def operands(dtype, *shapes):
    """Numbers of few digits: matrices eighths, vectors odd sixteenths, the first array (the input) whole.  No sum is 0, where ReLU has its corner."""
    found = []
    for i, shape in enumerate(shapes):
        a = np.random.default_rng([i, *shape]).integers(-4, 5, shape).astype(float)
        found.append((a if i == 0 else (2 * a + 1) / 16 if len(shape) == 1 else a / 8).astype(as_dtype(dtype).np))
    return found


def wide(arrays):
    return [wrap(a.astype(np.float64)).requires_grad_() for a in arrays]


def values(t):
    return np.asarray(t.detach()._data).astype(np.float64)


def assert_close(found, right, dtype):
    limit = TOLERANCE[dtype] * max(1.0, np.abs(right).max())
    assert found.shape == right.shape and np.abs(found - right).max() <= limit, f"{np.abs(found - right).max()} is above {limit}"


@pytest.mark.parametrize("supports", LIBRARIES)
@pytest.mark.parametrize("dtype", TOLERANCE)
@pytest.mark.parametrize("activation", ACTIVATIONS)
def test_a_linear_layer_with_its_activation(plug, activation, dtype, supports):
    xp, _ = plug(supports)
    x, weight, bias, g = operands(dtype, (2, 3, 7), (8, 7), (8,), (2, 3, 8))
    for arrays in ((x, weight, bias), (x, weight)):
        ours, theirs = [on_device(xp, a).requires_grad_() for a in arrays], wide(arrays)
        out = ops.linear_activation(*ours, activation=activation)[0]
        right = F.linear_activation(*theirs, activation=activation)
        out.backward(on_device(xp, g))
        right.backward(wrap(g.astype(np.float64)))
        assert_close(values(out), values(right), dtype)
        for a, b in zip(ours, theirs):
            assert a.grad.dtype is a.dtype
            assert_close(values(a.grad), values(b.grad), dtype)


@pytest.mark.parametrize("supports", LIBRARIES)
@pytest.mark.parametrize("dtype", TOLERANCE)
@pytest.mark.parametrize("activation", ACTIVATIONS)
def test_a_feed_forward_network(plug, activation, dtype, supports):
    xp, _ = plug(supports)
    x, weight, weight2, bias, bias2, g = operands(dtype, (2, 3, 7), (8, 7), (5, 8), (8,), (5,), (2, 3, 5))
    ours, theirs = [on_device(xp, a).requires_grad_() for a in (x, weight, weight2, bias, bias2)], wide((x, weight, weight2, bias, bias2))
    out = ops.feed_forward(*ours, activation=activation)[0]
    right = F.linear(F.linear_activation(theirs[0], theirs[1], theirs[3], activation), theirs[2], theirs[4])
    out.backward(on_device(xp, g))
    right.backward(wrap(g.astype(np.float64)))
    assert_close(values(out), values(right), dtype)
    for a, b in zip(ours, theirs):
        assert_close(values(a.grad), values(b.grad), dtype)


ASKED = {  # library: (forward, backward) of a feed-forward network with GELU's tanh form in half precision
    "all": (["bias, gelu", "bias"], ["left sums", "gelu slope and sums", "", ""]),
    "no sums with slopes": (["bias, gelu", "bias"], ["left sums", "gelu slope", "", "left sums"]),
    "bias only": (["bias", "bias"], [""] * 4), "no epilogue": (["", ""], [""] * 4),
}


@pytest.mark.parametrize("supports", ASKED)
def test_what_is_asked_of_the_library(plug, supports):
    xp, library = plug(supports)
    tensors = [on_device(xp, a).requires_grad_() for a in operands("bfloat16", (2, 3, 7), (8, 7), (5, 8), (8,), (5,))]
    for _ in range(2):  # and once more from plans
        library.runs.clear()
        out = ops.feed_forward(*tensors, activation="gelu_tanh")[0]
        forward = library.epilogues()
        out.backward(on_device(xp, operands("bfloat16", (2, 3, 5))[0]))
        assert (forward, library.epilogues()[len(forward):]) == ASKED[supports]


def test_epilogues_can_be_turned_off(plug, monkeypatch):
    xp, library = plug("all")
    monkeypatch.setattr(gemm, "EPILOGUES", False)
    tensors = [on_device(xp, a).requires_grad_() for a in operands("bfloat16", (2, 3, 7), (8, 7), (5, 8), (8,), (5,))]
    out = ops.feed_forward(*tensors, activation="gelu_tanh")[0]
    out.backward(ringgrad.ones_like(out))
    assert library.epilogues() == ["bias", "bias", "", "", "", ""]


def test_no_gelu_of_the_library_where_it_is_not_the_same(plug):
    """In float32, of erf, and where lines are not a multiple of eight elements."""
    xp, library = plug("all")
    for dtype, hidden, activation in (("float32", 8, "gelu_tanh"), ("float16", 8, "gelu"), ("float16", 8, "silu"), ("float16", 12, "gelu_tanh")):
        tensors = [on_device(xp, a) for a in operands(dtype, (3, 7), (hidden, 7), (hidden,))]
        ops.linear_activation(*tensors, activation=activation)
        assert library.epilogues() == ["bias"], activation
        library.runs.clear()


WANTED = {  # inputs of a feed-forward network that want a gradient: what the backward pass has the library compute
    "x": ["gelu slope", ""], "weight": ["gelu slope", ""], "bias": ["gelu slope and sums"], "weight2": [""], "bias2": [],
    "weight2 bias2": ["left sums"],
}


@pytest.mark.parametrize("wanted", WANTED)
def test_gradients_that_nobody_wants_are_not_computed(plug, wanted):
    xp, library = plug("all")
    names = ("x", "weight", "weight2", "bias", "bias2")
    arrays = operands("float16", (3, 7), (8, 7), (5, 8), (8,), (5,))
    ours, theirs = [on_device(xp, a) for a in arrays], wide(arrays)
    for name, t in zip(names, ours):
        t.requires_grad_(name in wanted.split())
    out = ops.feed_forward(*ours, activation="gelu_tanh")[0]
    asked = len(library.runs)
    out.backward(ringgrad.ones_like(out))
    assert library.epilogues()[asked:] == WANTED[wanted]
    F.linear(F.linear_activation(theirs[0], theirs[1], theirs[3], "gelu_tanh"), theirs[2], theirs[4]).sum().backward()
    for name, a, b in zip(names, ours, theirs):
        assert (a.grad is not None) == (name in wanted.split())
        if a.grad is not None:
            assert_close(values(a.grad), values(b.grad), "float16")


def test_relu_lets_nan_through(plug):
    xp, _ = plug("all")
    x, weight, bias = operands("float16", (3, 7), (8, 7), (8,))
    x[1, 2] = np.nan
    out = ops.linear_relu(*[on_device(xp, a) for a in (x, weight, bias)])
    assert np.isnan(values(out)[1]).all() and not np.isnan(values(out)[[0, 2]]).any()


@pytest.mark.parametrize("activation", ACTIVATIONS)
def test_gradients_of_gradients(plug, activation):
    xp, _ = plug("all")
    arrays = operands("float64", (3, 7), (8, 7), (5, 8), (8,), (5,))
    found = []
    for place in (lambda a: on_device(xp, a), wrap):
        tensors = [place(a.copy()).requires_grad_() for a in arrays]
        out = ops.feed_forward(*tensors, activation=activation)[0]
        gradients = ringgrad.autograd.grad((out**3).sum(), tensors, create_graph=True)
        sum((g**2).sum() for g in gradients).backward()
        found.append([values(t.grad) for t in tensors])
    for ours, right in zip(*found):
        np.testing.assert_allclose(ours, right, rtol=1e-8, atol=1e-8 * np.abs(right).max())


# -- where modules meet it ---------------------------------------------------------------------------------------------

def networks():
    """{name: (modules of a Sequential, type, operations that record something for it)}"""
    d = nn.Dropout
    return {
        "relu": ([nn.Linear(7, 8), nn.ReLU(), nn.Linear(8, 8), nn.ReLU(inplace=True), d(0.0), nn.Linear(8, 3)], "float32",
                 ["linear_relu", "linear_relu", "linear"]),
        "no bias": ([nn.Linear(7, 8, bias=False), nn.ReLU(), nn.Linear(8, 3, bias=False)], "bfloat16", ["linear_relu", "linear"]),
        "gelu of erf": ([nn.Linear(7, 8), nn.GELU(), nn.Linear(8, 3)], "float16", ["linear", "gelu", "linear"]),
        "silu": ([nn.Linear(7, 8), nn.SiLU(), nn.Linear(8, 3)], "float16", ["linear", "silu", "linear"]),
        "gelu in float32": ([nn.Linear(7, 8), nn.GELU("tanh"), nn.Linear(8, 3)], "float32", ["linear", "gelu", "linear"]),
        "gelu": ([nn.Linear(7, 8), nn.GELU("tanh"), nn.Linear(8, 3)], "bfloat16", ["feed_forward"]),
        "gelu, dropout": ([nn.Linear(7, 8), nn.GELU("tanh"), d(0.0), nn.Linear(8, 3), d(0.0)], "float16", ["feed_forward"]),
        "gelu at the end": ([nn.LayerNorm(7), nn.Linear(7, 8), nn.GELU("tanh")], "float16", ["normalize", "linear_activation"]),
        "gelu and others": ([nn.Linear(7, 8), nn.GELU("tanh"), nn.LayerNorm(8), nn.Linear(8, 3)], "float16",
                            ["linear_activation", "normalize", "linear"]),
        "one": ([nn.Linear(7, 8)], "float32", ["linear"]),
        "nested": ([nn.Sequential(nn.Linear(7, 8), nn.ReLU()), nn.Linear(8, 3)], "float32", ["linear_relu", "linear"]),
    }


def recorded(out):
    """The operations behind a tensor, the first one first, of a graph that is a chain."""
    found, node = [], out._node
    while node is not None:
        if type(node) is not Pick:
            found.append(node.op.name)
        node = next((edge for edge in node.edges if isinstance(edge, (Node, Pick))), None)
    return found[::-1]


def moved(module, xp, dtype):
    """A module on the device, its parameters aligned."""
    module = module.to(getattr(ringgrad, dtype))
    for p in module.parameters():
        p.data = on_device(xp, np.asarray(p.data._data))
    return module


@pytest.mark.parametrize("name", networks())
def test_a_sequence_of_modules_equals_them_one_by_one(plug, name):
    xp, _ = plug("all")
    ringgrad.manual_seed(0)
    modules, dtype, expected = networks()[name]
    network = moved(nn.Sequential(*modules), xp, dtype)
    x = operands(dtype, (2, 5, 7))[0]
    found = []
    for together in (True, False):
        given = on_device(xp, x).requires_grad_()
        out = network(given) if together else given
        for module in () if together else modules:
            out = module(out)
        g = operands(dtype, tuple(out.shape))[0]
        if together:
            assert recorded(out) == expected
        out.backward(on_device(xp, g))
        found.append([values(out), values(given.grad), *(values(p.grad) for p in network.parameters())])
        network.zero_grad()
    for a, b in zip(*found):
        assert_close(a, b, dtype)


def plain():
    return nn.Sequential(nn.Linear(7, 8), nn.ReLU())


def with_hook(m):
    m[0].register_forward_hook(lambda *_: None)


def with_backward_hook(m):
    m[1].register_full_backward_hook(lambda *_: None)


def with_own_forward(m):
    m[1].forward = lambda x: x


def of_a_subclass(m):
    m[0].__class__ = type("Mine", (nn.Linear,), {})


def parametrized(m):
    nn.utils.parametrizations.weight_norm(m[0])


@pytest.mark.parametrize("change", [with_hook, with_backward_hook, with_own_forward, of_a_subclass, parametrized])
def test_modules_that_are_not_the_plain_ones_run_one_by_one(plug, change):
    xp, _ = plug("all")
    network = moved(plain(), xp, "float32")
    x = on_device(xp, operands("float32", (3, 7))[0])
    assert network(x)._node.op.name == "linear_relu"
    change(network)
    assert "linear_relu" not in recorded(network(x))


class Watching(ringgrad.overrides.TorchFunctionMode):
    """Writes down the functions that it sees."""

    def __init__(self):
        super().__init__()
        self.seen = []

    def __torch_function__(self, function, types, args=(), kwargs=None):
        self.seen.append(function.__name__)
        return function(*args, **kwargs or {})


def test_modes_and_hooks_see_the_functions_they_would_see(plug, monkeypatch):
    xp, _ = plug("all")
    network = moved(plain(), xp, "float32")
    x = on_device(xp, operands("float32", (3, 7))[0])
    with Watching() as mode:
        network(x)
    assert [name for name in mode.seen if "linear" in name] == ["linear"]
    with ringgrad.autograd.detect_anomaly():
        assert recorded(network(x)) == ["linear", "relu"]
    seen = []
    handle = nn.modules.module.register_module_forward_hook(lambda module, *_: seen.append(type(module).__name__))
    network(x)
    handle.remove()
    assert seen == ["Linear", "ReLU", "Sequential"]
    monkeypatch.setattr(nn.Linear, "forward", lambda self, x: x)
    assert network(x).shape == (3, 7)


def test_autocast_runs_it_in_half_precision(plug, monkeypatch):
    monkeypatch.setattr(ringgrad.cuda, "is_available", lambda: True)
    monkeypatch.setattr(ringgrad.cuda, "is_bf16_supported", lambda *_: True)
    xp, library = plug("all")
    ringgrad.manual_seed(0)
    network = moved(nn.Sequential(nn.Linear(7, 8), nn.GELU("tanh"), nn.Linear(8, 3)), xp, "float32")
    x = on_device(xp, operands("float32", (5, 7))[0])
    with ringgrad.autocast("cuda", ringgrad.bfloat16):
        out = network(x)
    assert out.dtype is ringgrad.bfloat16 and library.epilogues() == ["bias, gelu", "bias"]
    out.float().sum().backward()
    with ringgrad.autocast("cuda", ringgrad.bfloat16, enabled=False):
        gradients = [p.grad for p in network.parameters()]
        network.zero_grad()
        network(x).sum().backward()
    for p, found in zip(network.parameters(), gradients):
        assert found.dtype is ringgrad.float32
        assert_close(values(found), values(p.grad), "bfloat16")


@pytest.mark.parametrize("kind", ["encoder", "decoder"])
def test_transformer_layers_equal_those_of_the_cpu(plug, kind):
    xp, _ = plug("all")
    ringgrad.manual_seed(0)
    layer = getattr(nn, f"Transformer{kind.title()}Layer")(8, 2, 16, dropout=0.0)
    (x,) = operands("float32", (3, 2, 8))
    inputs = 1 if kind == "encoder" else 2
    right = layer(*[wrap(x)] * inputs)
    right.sum().backward()
    gradients = [values(p.grad) for p in layer.parameters()]
    layer.zero_grad()
    out = moved(layer, xp, "float32")(*[on_device(xp, x)] * inputs)
    out.sum().backward()
    assert_close(values(out), values(right), "float32")
    for p, g in zip(layer.parameters(), gradients):
        assert_close(values(p.grad), g, "float32")
    assert recorded(layer._ff_block(on_device(xp, x))) == ["linear_relu", "linear"]


def test_activations_that_there_are_not():
    x, w = ringgrad.ones(2, 3), ringgrad.ones(4, 3)
    for call in (lambda: F.linear_activation(x, w, None, "tanh"), lambda: F.feed_forward(x, w, None, w.T, None, "tanh")):
        with pytest.raises(ValueError, match=r"the activations are relu, gelu, gelu_tanh, silu, got 'tanh'"):
            call()
