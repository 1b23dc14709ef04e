"""Everything about a distribution that is not drawn, held against torch.distributions."""
import numpy as np
import pytest

import ringgrad
from ringgrad import distributions

from .rows import ROWS

pytestmark = [pytest.mark.torch, pytest.mark.filterwarnings("ignore:Singular sample")]
PROPERTIES = ("mean", "mode", "variance", "stddev")
ANSWERS = {
    "log_prob": lambda d, x: d.log_prob(x), "cdf": lambda d, x: d.cdf(x), "icdf": lambda d, x: d.icdf(d.cdf(x).detach()),
    "entropy": lambda d, x: d.entropy(), "perplexity": lambda d, x: d.perplexity(), "enumerate_support": lambda d, x: d.enumerate_support(),
    "enumerate_support of size 1": lambda d, x: d.enumerate_support(expand=False), **{n: lambda d, x, n=n: getattr(d, n) for n in PROPERTIES},
}


@pytest.fixture(scope="module")
def torch():
    return pytest.importorskip("torch", reason="the oracle, torch, is not installed")


def by(lib):
    """(the module of distributions, t) of a library; t makes leaves and lists them."""
    leaves = []

    def t(values):
        leaves.append(lib.tensor(values, dtype=lib.float64, requires_grad=True))
        return leaves[-1]
    return (distributions if lib is ringgrad else lib.distributions), t, leaves


def make(lib, text):
    """(the distribution, its leaves)"""
    module, t, leaves = by(lib)
    return eval(text, {"D": module, "t": t, "T": lib}), leaves


def value_of(lib, row):
    return lib.tensor(row.values, dtype=lib.int64 if isinstance(np.ravel(row.values)[0], (int, np.integer)) else lib.float64)


def outcome(lib, row, ask):
    """(value, gradients of its weighted sum), or the name of the exception's type."""
    d, leaves = make(lib, row.make)
    x = value_of(lib, row)
    if x.is_floating_point():
        x.requires_grad_()
    try:
        out = ask(d, x)
    except (NotImplementedError, AttributeError, RuntimeError) as error:
        return type(error).__name__
    grads = None
    if out.requires_grad:
        kept = out[~out.isnan() & ~out.isinf()] if out.isnan().any() or out.isinf().any() else out
        try:
            (kept * lib.arange(1.0, 1 + kept.numel(), dtype=out.dtype).reshape(kept.shape)).sum().backward()
        except NotImplementedError:
            return out.detach().numpy(), "refused"
        grads = [None if leaf.grad is None else leaf.grad.numpy() for leaf in (*leaves, x)]
    return out.detach().numpy(), grads


@pytest.mark.parametrize("row", ROWS, ids=str)
@pytest.mark.parametrize("question", ANSWERS)
def test_the_same_answer_and_gradients(torch, row, question):
    want, got = outcome(torch, row, ANSWERS[question]), outcome(ringgrad, row, ANSWERS[question])
    if isinstance(want, str) or isinstance(got, str):
        assert got == want, f"{question}: {got if isinstance(got, str) else 'a value'}, torch has {want if isinstance(want, str) else 'a value'}"
        return
    assert got[0].shape == want[0].shape
    assert got[0].dtype == want[0].dtype
    np.testing.assert_allclose(got[0], want[0], rtol=2e-6, atol=1e-9)
    if want[1] == "refused" or got[1] == "refused":
        assert got[1] == want[1]
    elif want[1] is not None:
        assert got[1] is not None, "no gradient"
        for i, (g, w) in enumerate(zip(got[1], want[1], strict=True)):
            if w is None or g is None:
                assert g is None or not g.any(), f"gradient {i}"
                assert w is None or not w.any(), f"gradient {i}"
            elif np.isfinite(w).all():
                np.testing.assert_allclose(g, w, rtol=1e-5, atol=1e-7, err_msg=f"gradient {i}")


@pytest.mark.parametrize("row", ROWS, ids=str)
def test_the_same_shapes_words_and_kinds(torch, row):
    (ours, _), (theirs, _) = make(ringgrad, row.make), make(torch, row.make)
    assert tuple(ours.batch_shape) == tuple(theirs.batch_shape) and tuple(ours.event_shape) == tuple(theirs.event_shape)
    assert (ours.has_rsample, ours.has_enumerate_support) == (theirs.has_rsample, theirs.has_enumerate_support)
    assert repr(ours).replace("ringgrad.", "") == repr(theirs).replace("torch.", "")
    assert list(ours.arg_constraints) == list(theirs.arg_constraints) or set(ours.arg_constraints) == set(theirs.arg_constraints)
    assert ours.support.event_dim == theirs.support.event_dim and ours.support.is_discrete == theirs.support.is_discrete
    assert tuple(ours.sample((3,)).shape) == tuple(theirs.sample((3,)).shape)
    assert str(ours.sample().dtype).split(".")[-1] == str(theirs.sample().dtype).split(".")[-1]


@pytest.mark.parametrize("row", ROWS, ids=str)
def test_expanded_distributions(torch, row):
    x = value_of(ringgrad, row)
    (ours, _), (theirs, _) = make(ringgrad, row.make), make(torch, row.make)
    shape = (3, 2, *theirs.batch_shape)
    ours, theirs = ours.expand(shape), theirs.expand(shape)
    assert tuple(ours.batch_shape) == tuple(theirs.batch_shape) == shape and type(ours).__name__ == type(theirs).__name__
    x = x[0] if len(row.values) == 2 else x[:1].reshape(())
    twin = torch.tensor(x.tolist(), dtype=torch.float64 if x.is_floating_point() else torch.int64)
    np.testing.assert_allclose(ours.log_prob(x).detach().numpy(), theirs.log_prob(twin).detach().numpy(), rtol=2e-6)
    assert tuple(ours.sample((4,)).shape) == tuple(theirs.sample((4,)).shape)


@pytest.mark.parametrize("row", [r for r in ROWS if r.wrong is not None], ids=str)
def test_values_outside_are_refused(torch, row):
    for lib in (torch, ringgrad):
        d, _ = make(lib, row.make)
        with pytest.raises(ValueError, match="within the support"):
            d.log_prob(lib.tensor(row.wrong, dtype=lib.float64))
        if d.batch_shape or d.event_shape:
            with pytest.raises(ValueError, match=r"must match event_shape|not broadcastable"):
                d.log_prob(lib.zeros(7, 7, 7))
        if type(d).__name__ not in ("Gamma", "HalfCauchy"):  # these make a tensor of what they get
            with pytest.raises(ValueError, match="must be a Tensor"):
                d.log_prob("one")


@pytest.mark.parametrize("row", [r for r in ROWS if r.bad], ids=str)
def test_parameters_outside_are_refused(torch, row):
    said = []
    for lib in (torch, ringgrad):
        with pytest.raises(ValueError) as raised:
            make(lib, row.bad)
        said.append(str(raised.value).split("\n")[0].split(" of distribution")[0])
    assert said[0] == said[1]
