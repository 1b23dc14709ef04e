"""Transforms and constraints against torch's."""
import numpy as np
import pytest

import ringgrad
from ringgrad import distributions as D

pytestmark = pytest.mark.torch
VECTOR, MATRIX = "[[0.3, -1.2, 0.7], [2.0, 0.1, -0.4]]", "[[0.3, -1.2], [2.0, 0.1]]"
ROWS = [
    ("D.ExpTransform()", VECTOR), ("D.PowerTransform(T.tensor(2.5))", "[0.3, 1.2]"), ("D.SigmoidTransform()", VECTOR), ("D.SoftplusTransform()",
                                                                                                                        VECTOR),
    ("D.TanhTransform()", VECTOR), ("D.AffineTransform(0.5, -2.0)", VECTOR), ("D.AffineTransform(0.5, 2.0, event_dim=1)", VECTOR),
    ("D.AffineTransform(T.tensor([0.5, 1.0, 0.0]), T.tensor([2.0, -1.0, 3.0]))", VECTOR), ("D.SoftmaxTransform()", VECTOR),
    ("D.AbsTransform()", "[0.3, 1.2]"), ("D.StickBreakingTransform()", VECTOR), ("D.LowerCholeskyTransform()", MATRIX),
    ("D.CorrCholeskyTransform()", VECTOR), ("D.PositiveDefiniteTransform()", "[[0.3, 0.0], [2.0, 0.1]]"),
    ("D.ComposeTransform([D.AffineTransform(0.0, 2.0), D.SigmoidTransform()])", VECTOR), ("D.ComposeTransform([])", VECTOR),
    ("D.ComposeTransform([D.ExpTransform(), D.StickBreakingTransform()])", VECTOR), ("D.ExpTransform().inv", "[0.3, 1.2]"),
    ("D.IndependentTransform(D.ExpTransform(), 1)", VECTOR), ("D.ReshapeTransform((3,), (3, 1))", VECTOR), ("D.identity_transform", VECTOR),
    ("D.CatTransform([D.ExpTransform(), D.AffineTransform(0.0, 2.0)], dim=1, lengths=[1, 2])", VECTOR),
    ("D.StackTransform([D.ExpTransform(), D.TanhTransform()], dim=0)", VECTOR), ("D.CumulativeDistributionTransform(D.Normal(0.0, 1.0))", VECTOR),
    *[(f"D.{to}(D.constraints.{c})", VECTOR) for to in ("biject_to", "transform_to") for c in (
        "real", "positive", "nonnegative", "greater_than(1.0)", "greater_than_eq(1.0)", "less_than(1.0)", "unit_interval", "interval(-1.0, 3.0)",
        "half_open_interval(0.0, 2.0)", "simplex", "corr_cholesky", "real_vector", "independent(D.constraints.positive, 1)")],
    ("D.transform_to(D.constraints.lower_cholesky)", MATRIX), ("D.transform_to(D.constraints.positive_definite)", "[[0.3, 0.0], [2.0, 0.1]]"),
]
CONSTRAINED = [
    "boolean", "one_hot", "integer_interval(0, 2)", "nonnegative_integer", "positive_integer", "real", "real_vector", "positive", "nonnegative",
    "greater_than(0.5)", "greater_than_eq(0.5)", "less_than(0.5)", "unit_interval", "interval(-1.0, 0.5)", "half_open_interval(0.0, 1.0)", "simplex",
    "multinomial(3)", "lower_triangular", "lower_cholesky", "corr_cholesky", "square", "symmetric", "positive_semidefinite", "positive_definite",
    "independent(C.positive, 1)", "cat([C.positive, C.real], -1, [1, 1])", "stack([C.positive, C.real], -1)",
]
POINTS = ["[[1.0, 0.0], [0.0, 1.0]]", "[[0.5, 0.5], [-1.0, 2.0]]", "[[1.0, 2.0], [2.0, 1.0]]", "[[float('nan'), 2.0], [2.0, 3.0]]",
          "[[1.0, 0.0], [0.6, 0.8]]"]


@pytest.fixture(scope="module")
def torch():
    return pytest.importorskip("torch", reason="the oracle, torch, is not installed")


def both(torch, see, text):
    """see(transform or constraint, library) under both libraries."""
    found = []
    for lib, module in ((ringgrad, D), (torch, torch.distributions)):
        found.append(see(eval(text, {"D": module, "T": lib, "C": module.constraints}), lib))
    return found


def numbers(t):
    return t.detach().numpy()


@pytest.mark.parametrize(("text", "points"), ROWS)
def test_the_same_map_there_and_back(torch, text, points):
    def see(transform, lib):
        x = lib.tensor(eval(points), dtype=lib.float64, requires_grad=True)
        y = transform(x)
        back = transform.inv(y)
        try:
            volume = transform.log_abs_det_jacobian(x, y)
        except NotImplementedError:
            volume = None
        (y.sum() + (volume.sum() if volume is not None else 0)).backward()
        return [numbers(y), numbers(back), None if volume is None else numbers(volume), numbers(x.grad),
                tuple(transform.forward_shape(tuple(x.shape))),
                tuple(transform.inverse_shape(tuple(y.shape))), transform.bijective, repr(transform).replace("ringgrad.", "").replace("torch.", "")]
    ours, theirs = both(torch, see, text)
    for a, b in zip(ours, theirs, strict=True):
        if isinstance(b, np.ndarray):
            assert a.shape == b.shape
            np.testing.assert_allclose(a, b, rtol=1e-6, atol=1e-9)
        elif not (isinstance(b, str) and "object at" in b):
            assert a == b


@pytest.mark.parametrize("text", [t for t, _ in ROWS if "Cat" not in t and "Stack" not in t])
def test_the_same_ends(torch, text):
    ours, theirs = both(torch, lambda t, lib: (repr(t.domain), repr(t.codomain), t.domain.event_dim, t.codomain.event_dim), text)
    assert ours == theirs


@pytest.mark.parametrize("name", CONSTRAINED)
def test_the_same_region(torch, name):
    def see(c, lib):
        return [repr(c).split(" object")[0].split(".")[-1], c.event_dim, c.is_discrete,
                *[c.check(lib.tensor(eval(p), dtype=lib.float64)).tolist() for p in POINTS if not ("nan" in p and "posit" in name)]]
    ours, theirs = both(torch, see, f"C.{name}")
    assert ours == theirs


def test_a_cache_gives_back_the_very_tensor():
    t = D.SigmoidTransform(cache_size=1)
    x = ringgrad.tensor([40.0])
    assert t.inv(t(x)) is x
    assert D.ExpTransform().with_cache() == D.ExpTransform() and D.ExpTransform() != D.TanhTransform()


def test_registries_take_new_constraints_and_refuse_unknown_ones():
    class Mine(D.constraints.Constraint):
        pass
    with pytest.raises(NotImplementedError, match="Cannot transform Mine"):
        D.biject_to(Mine())
    D.biject_to.register(Mine, lambda c: D.ExpTransform())
    assert D.biject_to(Mine()) == D.ExpTransform()
    with pytest.raises(TypeError, match="Constraint subclass"):
        D.biject_to.register(int, None)(lambda c: c)
