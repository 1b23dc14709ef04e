"""Tensors as text: letter for letter torch's, but for the longer name in dtype=ringgrad.float64."""
import re

import numpy as np
import pytest

import ringgrad
from ringgrad import tensor

INF, NAN = float("inf"), float("nan")
ROW = "[0., 0., 0.,  ..., 0., 0., 0.]"
TEXTS = [
    (lambda: tensor(3), "tensor(3)"),
    (lambda: tensor(2.5), "tensor(2.5000)"),
    (lambda: tensor([]), "tensor([])"),
    (lambda: tensor([True, False]), "tensor([ True, False])"),
    (lambda: tensor([1.0, -2, 30]), "tensor([ 1., -2., 30.])"),
    (lambda: tensor([1.0, NAN, -INF]), "tensor([1., nan, -inf])"),
    (lambda: tensor([0.5, NAN, INF]), "tensor([0.5000,    nan,    inf])"),
    (lambda: tensor([1e-5, 1.0]), "tensor([1.0000e-05, 1.0000e+00])"),
    (lambda: tensor([1.5, 1e9]), "tensor([1.5000e+00, 1.0000e+09])"),
    (lambda: tensor([0.0, -0.0]), "tensor([0., -0.])"),
    (lambda: tensor([1.0, 1000.0]), "tensor([   1., 1000.])"),
    (lambda: tensor([1.0, 1001.0]), "tensor([1.0000e+00, 1.0010e+03])"),
    (lambda: tensor([1e8]), "tensor([100000000.])"),
    (lambda: ringgrad.ones(12, requires_grad=True), f"tensor([{', '.join(['1.'] * 12)}], requires_grad=True)"),
    (lambda: ringgrad.ones(13, requires_grad=True), f"tensor([{', '.join(['1.'] * 13)}],\n       requires_grad=True)"),
    (lambda: tensor([1 + 2j, -0.5 - 1j]), "tensor([ 1.0000+2.j, -0.5000-1.j])"),
    (lambda: tensor([[1, 2], [30, 4]]), "tensor([[ 1,  2],\n        [30,  4]])"),
    (lambda: ringgrad.zeros(2, 1, 2), "tensor([[[0., 0.]],\n\n        [[0., 0.]]])"),
    (lambda: ringgrad.zeros(0, 3), "tensor([], size=(0, 3))"),
    (lambda: ringgrad.zeros(0, dtype=ringgrad.int64), "tensor([], dtype=ringgrad.int64)"),
    (lambda: tensor([1, 2], dtype=ringgrad.int32), "tensor([1, 2], dtype=ringgrad.int32)"),
    (lambda: tensor([1.5], dtype=ringgrad.bfloat16), "tensor([1.5000], dtype=ringgrad.bfloat16)"),
    (lambda: tensor([1.0], requires_grad=True), "tensor([1.], requires_grad=True)"),
    (lambda: tensor([1.0], requires_grad=True) * 2, "tensor([2.], grad_fn=<MulBackward0>)"),
    (lambda: tensor([1.0], requires_grad=True)[0], "tensor(1., grad_fn=<SelectBackward0>)"),
    (lambda: tensor([1.0], requires_grad=True)[None], "tensor([[1.]], grad_fn=<UnsqueezeBackward0>)"),
    (lambda: ringgrad.arange(2000), "tensor([   0,    1,    2,  ..., 1997, 1998, 1999])"),
    (lambda: ringgrad.zeros(40, 40), "tensor([" + ",\n        ".join([ROW] * 3 + ["..."] + [ROW] * 3) + "])"),
]
OPTIONS = [dict(profile="default"), dict(precision=2), dict(threshold=5), dict(edgeitems=1, threshold=5), dict(linewidth=40), dict(sci_mode=True),
           dict(sci_mode=False), dict(profile="short"), dict(profile="full"), dict(edgeitems=0, threshold=5)]


@pytest.fixture(autouse=True)
def default_options():
    yield
    ringgrad.set_printoptions(profile="default")
    assert ringgrad.get_printoptions() == dict(precision=4, threshold=1000, edgeitems=3, linewidth=80, sci_mode=None)


@pytest.mark.parametrize(("make", "text"), TEXTS, ids=range(len(TEXTS)))
def test_text(make, text):
    t = make()
    assert repr(t) == str(t) == text
    assert f"{t}" == (text if t.ndim or type(t) is not ringgrad.Tensor else str(t.item()))  # torch formats a 0-d tensor as its number


def test_lines_are_broken_at_the_width():
    lines = repr(ringgrad.arange(30)).splitlines()
    assert len(lines) == 2 and all(len(line) <= 80 for line in lines)
    assert lines[1].startswith("        1")
    with ringgrad.printoptions(linewidth=30):
        assert max(map(len, repr(ringgrad.arange(30)).splitlines())) <= 30


def test_options_are_temporary_in_a_context():
    with ringgrad.printoptions(precision=1):
        assert repr(tensor([0.25])) == "tensor([0.2])"
    assert repr(tensor([0.25])) == "tensor([0.2500])"


def test_unknown_profile():
    """It changes nothing, as in torch: YOLOv5 asks for "long"."""
    x = ringgrad.arange(2000)
    before = repr(x)
    ringgrad.set_printoptions(profile="long")
    assert repr(x) == before


def test_printing_leaves_the_graph_and_the_version_alone():
    x = ringgrad.ones(3, requires_grad=True)
    y = x * 2
    repr(y)
    assert y._version == 0 and x.grad is None
    y.sum().backward()
    assert x.grad.tolist() == [2.0] * 3


def arrays():
    """(array, dtype name to convert to, or None): shapes, magnitudes and kinds of numbers."""
    rng = np.random.default_rng(0)
    for shape in [(), (1,), (0,), (0, 3), (5,), (30,), (2, 3, 4), (1001,), (40, 40), (3, 500), (2, 2, 2, 2), (11, 10, 10, 1)]:
        base = rng.standard_normal(shape)
        with np.errstate(invalid="ignore"):
            kinds = [base, base * 1e5, base * 1e-6, np.rint(base * 3), np.rint(base * 1e4), np.rint(base * 1e10), np.where(base > 0, NAN, base),
                     np.where(base > 0.5, INF, 0.0), np.where(base > 0, -INF, np.rint(base * 5))]
        for a in kinds:
            for name in (None, "float32", "float16", "bfloat16"):
                with np.errstate(over="ignore"):
                    yield np.asarray(a, np.float64 if name is None else np.float32), name
        whole = np.asarray(rng.integers(-100, 1000, shape))
        yield from ((whole, None), (whole, "int32"), (np.asarray(np.abs(whole) % 200), "uint8"), (np.asarray(whole > 200), None))
        z = np.asarray(base + 1j * rng.standard_normal(shape))
        yield from ((z, None), (z, "complex64"), (np.asarray(np.rint(z * 3)), None))


@pytest.mark.torch
@pytest.mark.parametrize("options", OPTIONS, ids=str)
def test_text_is_torchs(options):
    torch = pytest.importorskip("torch", reason="the oracle, torch, is not installed")
    torch.set_printoptions(**options)
    ringgrad.set_printoptions(**options)
    try:
        for array, name in arrays():
            ours, theirs = ringgrad.from_numpy(array.copy()), torch.from_numpy(array.copy())
            if name is not None:
                ours, theirs = ours.to(getattr(ringgrad, name)), theirs.to(getattr(torch, name))
            got, want = repr(ours), repr(theirs)
            if "dtype" in want:  # ringgrad.float64 is a longer word than torch.float64: it may stand on a line of its own
                got, want = (re.sub(r",\s+dtype=\w+\.", ", dtype=", text) for text in (got, want))
            assert got == want
    finally:
        torch.set_printoptions(profile="default")


@pytest.mark.torch
def test_notes_move_to_a_new_line_where_torchs_do():
    torch = pytest.importorskip("torch", reason="the oracle, torch, is not installed")
    for n in range(1, 40):
        assert repr(ringgrad.ones(n, requires_grad=True) * 2) == repr(torch.ones(n, requires_grad=True) * 2)


@pytest.mark.torch
@pytest.mark.parametrize("expression", ["x", "x * 2", "x[0]", "x[None]", "x[:1]", "x[:, 1]", "x.T", "x @ x", "x.sum()", "x.reshape(4)", "x.exp()",
                                        "x + 1", "x.transpose(0, 1)", "x.view(4)", "x.squeeze()", "x[t.tensor([0])]", "t.cat([x, x])",
                                        "t.stack([x, x])", "x.expand(2, 2, 2)", "x.clone()", "x.gather(0, t.tensor([[0]]))",
                                        "x.masked_fill(x > 9, 0)",
                                        "x.tril()"])
def test_names_of_gradients(expression):
    torch = pytest.importorskip("torch", reason="the oracle, torch, is not installed")
    texts = [repr(eval(expression, {"t": lib, "x": lib.tensor([[1.0, 2.0], [3.0, 4.0]], requires_grad=True)})) for lib in (ringgrad, torch)]
    assert texts[0] == texts[1]


@pytest.mark.gpu
def test_device_is_named():
    if not ringgrad.cuda.is_available():
        pytest.skip("no CUDA device")
    assert repr(ringgrad.ones(2, device="cuda")) == "tensor([1., 1.], device='cuda:0')"
