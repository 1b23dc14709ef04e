"""Every layer beside torch's: its printed form, the names and order of its state, outputs, gradients and running statistics."""
import numpy as np
import pytest

import ringgrad

from . import layer_rows, layer_rows_rest

torch = pytest.importorskip("torch", reason="the oracle, torch, is not installed")
pytestmark = [pytest.mark.torch, pytest.mark.filterwarnings("ignore:Using padding='same' with even kernel lengths:UserWarning")]

rows = pytest.mark.parametrize("row", [*layer_rows.ROWS, *layer_rows_rest.ROWS], ids=str)


def built(row, dtype="float64"):
    """The layer on both libraries, with the values that ringgrad drew, in float64 (or as it comes)."""
    ours, theirs = eval(row.text, {"nn": ringgrad.nn}), eval(row.text, {"nn": torch.nn})
    if dtype == "float64":
        ours, theirs = ours.double(), theirs.double()
    theirs.load_state_dict({k: torch.from_numpy(v.numpy().copy()) for k, v in ours.state_dict().items()})
    return ours, theirs


def tensors(library, arrays, positions):
    out = [library.from_numpy(np.array(a)) for a in arrays]
    for i in positions:
        out[i].requires_grad_()
    return out


def flat(out):
    return [t for o in out for t in flat(o)] if isinstance(out, tuple) else [out]


def compare(ours, theirs, row, what):
    got, want = ours.detach().numpy(), theirs.detach().numpy()
    assert got.dtype == want.dtype, what
    assert got.shape == want.shape, what
    rtol = 1e-12 if got.dtype == np.float64 else 1e-5
    np.testing.assert_allclose(got, want, rtol=rtol * row.slack, atol=rtol * row.slack, err_msg=what)


def compare_call(row, ours, theirs, seed):
    """Outputs, gradients of inputs and parameters for one batch."""
    arrays = row.arrays(seed)
    positions = row.takes_gradient(arrays)
    a, b = tensors(ringgrad, arrays, positions), tensors(torch, arrays, positions)
    outs, wanted = flat(ours(*a)), flat(theirs(*b))
    assert len(outs) == len(wanted)
    rng = np.random.default_rng(seed)
    seeds = [rng.standard_normal(tuple(t.shape)) for t in wanted]
    for i, (x, y) in enumerate(zip(outs, wanted, strict=True)):
        compare(x, y, row, f"output {i}")
        assert x.requires_grad == y.requires_grad, f"output {i} requires grad"
    live = [i for i, t in enumerate(wanted) if t.requires_grad]
    if live:
        ours.zero_grad()
        theirs.zero_grad()
        ringgrad.autograd.backward([outs[i] for i in live], [ringgrad.from_numpy(seeds[i]) for i in live])
        torch.autograd.backward([wanted[i] for i in live], [torch.from_numpy(seeds[i]) for i in live])
        for i in positions:
            if b[i].grad is not None:
                compare(a[i].grad, b[i].grad, row, f"gradient of input {i}")
    for (name, p), q in zip(ours.named_parameters(), theirs.parameters(), strict=True):
        assert (p.grad is None) == (q.grad is None), name
        if q.grad is not None:
            compare(p.grad, q.grad, row, f"gradient of {name}")


@rows
def test_printed_form(row):
    ours, theirs = eval(row.text, {"nn": ringgrad.nn}), eval(row.text, {"nn": torch.nn})
    assert repr(ours) == repr(theirs)


@rows
def test_names_and_shapes_of_the_state(row):
    ours, theirs = eval(row.text, {"nn": ringgrad.nn}), eval(row.text, {"nn": torch.nn})
    for listing in ("named_parameters", "named_buffers", "named_modules"):
        a, b = list(getattr(ours, listing)()), list(getattr(theirs, listing)())
        assert [n for n, _ in a] == [n for n, _ in b]
        if listing != "named_modules":
            assert [tuple(t.shape) for _, t in a] == [tuple(t.shape) for _, t in b]
            assert [t.requires_grad for _, t in a] == [t.requires_grad for _, t in b]
            assert [str(t.dtype).rpartition(".")[2] for _, t in a] == [str(t.dtype).rpartition(".")[2] for _, t in b]
    assert list(ours.state_dict()) == list(theirs.state_dict())
    assert dict(ours.state_dict()._metadata) == dict(theirs.state_dict()._metadata)


@rows
def test_outputs_gradients_and_statistics(row):
    ours, theirs = built(row)
    if row.train:
        for step in range(row.steps):
            compare_call(row, ours, theirs, step)
    for (name, x), y in zip(ours.state_dict().items(), theirs.state_dict().values(), strict=True):
        compare(x, y, row, name)
    ours.eval()
    theirs.eval()
    compare_call(row, ours, theirs, 20)


@rows
def test_single_precision(row):
    """In the default type, to single precision; the gradients come in it too."""
    ours, theirs = built(row, "as it comes")
    if not row.train:
        ours.eval(), theirs.eval()
    arrays = [a.astype(np.float32) if a.dtype.kind == "f" else a for a in row.arrays()]
    outs = flat(ours(*tensors(ringgrad, arrays, row.takes_gradient(arrays))))
    wanted = flat(theirs(*tensors(torch, arrays, row.takes_gradient(arrays))))
    for x, y in zip(outs, wanted, strict=True):
        got, want = x.detach().numpy(), y.detach().numpy()
        assert got.dtype == want.dtype
        np.testing.assert_allclose(got, want, rtol=2e-4, atol=2e-5)


def test_classes_weighted_and_ignored():
    """Weights per class are buffers of the loss and travel with its state."""
    weight = np.array([0.2, 1.0, 3.0, 0.5])
    x, t = np.random.default_rng(1).standard_normal((6, 4)), np.array([0, 3, 1, -100, 2, 2])
    for name, options in (("CrossEntropyLoss", {}), ("CrossEntropyLoss", {"label_smoothing": 0.2}), ("NLLLoss", {"reduction": "none"})):
        ours = getattr(ringgrad.nn, name)(weight=ringgrad.from_numpy(weight), **options)
        theirs = getattr(torch.nn, name)(weight=torch.from_numpy(weight), **options)
        assert list(ours.state_dict()) == list(theirs.state_dict()) == ["weight"]
        got, want = ours(ringgrad.from_numpy(x), ringgrad.from_numpy(t)), theirs(torch.from_numpy(x), torch.from_numpy(t))
        np.testing.assert_allclose(got.numpy(), want.numpy(), rtol=1e-12)


@pytest.mark.parametrize("name", ["MSELoss", "CrossEntropyLoss", "BCEWithLogitsLoss"])
@pytest.mark.parametrize(("size_average", "reduce", "word"), [
    (True, True, "mean"), (False, True, "sum"), (None, False, "none"), (True, None, "mean")])
def test_words_of_before_reduction(name, size_average, reduce, word):
    with pytest.warns(UserWarning, match=f"please use reduction='{word}' instead"):
        ours = getattr(ringgrad.nn, name)(size_average=size_average, reduce=reduce)
    with pytest.warns(UserWarning, match="please use reduction"):
        theirs = getattr(torch.nn, name)(size_average=size_average, reduce=reduce)
    assert ours.reduction == theirs.reduction == word


REFUSED = [
    "nn.Conv2d(3, 4, 3, groups=2)", "nn.Conv2d(4, 3, 3, groups=2)", "nn.Conv2d(4, 4, 3, groups=0)", "nn.Conv2d(4, 4, 3, padding='some')",
    "nn.Conv2d(4, 4, 3, padding='same', stride=2)", "nn.Conv2d(4, 4, 3, padding_mode='mirror')", "nn.Dropout(1.5)", "nn.GroupNorm(3, 4)",
    "nn.Unflatten(1, 5)", "nn.Unflatten(1, ('a',))", "nn.TripletMarginLoss(margin=-1)", "nn.MultiMarginLoss(p=3)",
    "nn.ConvTranspose2d(4, 4, 3, padding_mode='reflect')", "nn.Bilinear(0, 1, 1)", "nn.Embedding(4, 2, padding_idx=7)", "nn.Linear(3)",
    "nn.BatchNorm2d(3)(T.zeros(2, 3))", "nn.BatchNorm1d(3)(T.zeros(1, 3))", "nn.InstanceNorm2d(3)(T.zeros(2, 3, 1, 1))",
    "nn.Linear(3, 4)(T.zeros(2, 5))", "nn.Conv2d(3, 4, 3)(T.zeros(2, 5, 8, 8))", "nn.Softmax2d()(T.zeros(2, 3))",
    "nn.CrossEntropyLoss()(T.zeros(2, 3), T.tensor([0, 3]))", "nn.MSELoss(reduction='all')(T.zeros(2), T.zeros(2))",
    "nn.BCELoss()(T.zeros(2), T.zeros(3))", "nn.Embedding(3, 2)(T.tensor([3]))", "nn.Hardtanh(1.0, 0.0)",
    "nn.ConvTranspose2d(3, 4, 3, stride=2)(T.zeros(1, 3, 4, 4), output_size=(12, 12))",
]


@pytest.mark.filterwarnings("ignore:`nn.Container` is deprecated:FutureWarning")
@pytest.mark.parametrize("text", [*REFUSED, *layer_rows_rest.REFUSED])
def test_refusals_are_of_torchs_type(text):
    with pytest.raises(Exception) as theirs:  # noqa: B017, PT011 - which one is the question
        eval(text, {"nn": torch.nn, "T": torch})
    with pytest.raises(theirs.type) as ours:
        eval(text, {"nn": ringgrad.nn, "T": ringgrad})
    assert ours.type is theirs.type
    assert str(ours.value)
