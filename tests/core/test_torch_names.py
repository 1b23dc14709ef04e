"""torch's names below nn.functional and its lists of tensors, side by side with torch; and what is said of names that are left out."""
import types

import numpy as np
import pytest

import ringgrad
from ringgrad._left_out import LEFT_OUT, reason

torch = pytest.importorskip("torch", reason="the oracle, torch, is not installed")
pytestmark = pytest.mark.torch


def numbers(*shape, seed=0, low=-2.0, high=2.0):
    return np.random.default_rng((seed, *shape)).uniform(low, high, shape)


X, Y, SIGNS = numbers(3, 4), numbers(3, 4, seed=1), np.sign(numbers(3, seed=2))
IMAGE, WEIGHT = numbers(2, 3, 5, 5), numbers(4, 3, 3, 3)

# name, tensors (floats carry gradients), further arguments
NATIVE = [
    ("kl_div", [X, abs(Y)], (1,)), ("kl_div", [X, abs(Y)], (2,)), ("kl_div", [X, Y], (0,)),
    ("binary_cross_entropy_with_logits", [X, abs(Y) / 2], ()), ("binary_cross_entropy_with_logits", [X, abs(Y) / 2], (None, None, 2)),
    ("poisson_nll_loss", [X, abs(Y)], (True, False, 1e-8, 1)), ("cosine_embedding_loss", [X, Y, SIGNS], (0.1, 2)),
    ("hinge_embedding_loss", [X[:, 0], SIGNS], (1.0, 0)), ("margin_ranking_loss", [X[:, 0], Y[:, 0], SIGNS], (0.2,)),
    ("triplet_margin_loss", [X, Y, X - Y], (1.0, 2.0, 1e-6, True, 0)),
    ("batch_norm", [X, numbers(4), numbers(4, seed=3)], (None, None, True, 0.1, 1e-5, False)),
    ("instance_norm", [IMAGE, numbers(3), numbers(3, seed=3)], (None, None, True, 0.1, 1e-5, False)),
    ("_weight_norm", [X, abs(numbers(3, 1))], (0,)), ("_weight_norm", [X, abs(numbers(1, 4))], (1,)),
    ("affine_grid_generator", [numbers(2, 2, 3)], ([2, 1, 3, 4], True)),
    ("grid_sampler", [IMAGE, numbers(2, 3, 3, 2)], (0, 1, False)), ("grid_sampler_2d", [IMAGE, numbers(2, 3, 3, 2)], (2, 2, True)),
    ("adaptive_max_pool1d", [IMAGE[0]], (2,)), ("max_pool1d_with_indices", [IMAGE[0]], (2,)), ("max_pool1d_with_indices", [IMAGE[0]], (2, 1)),
    ("conv_tbc", [numbers(5, 2, 3), numbers(2, 3, 4), numbers(4)], (1,)),
    ("convolution", [IMAGE, WEIGHT, numbers(4)], ([1, 2], [1, 0], [1, 1], False, [0, 0], 1)),
    ("convolution", [numbers(2, 4, 3, 3), WEIGHT], (None, [2, 2], [1, 1], [1, 1], True, [1, 1], 1)),
    ("_convolution", [IMAGE, WEIGHT, numbers(4)], ([1, 1], [0, 0], [1, 1], False, [0, 0], 1, False, False, True, True)),
    ("_softmax", [X], (1, False)), ("_log_softmax", [X], (0, False)), ("_logcumsumexp", [X], (1,)), ("_dim_arange", [X], (1,)),
    ("_is_all_true", [X > 0], ()), ("_is_any_true", [X > 0], ()),
    ("_unique", [np.round(X)], (True, True)), ("_unique2", [np.round(X)], (True, False, True)),
    ("alpha_dropout", [X], (0.5, False)), ("feature_dropout", [X], (0.0, True)), ("feature_dropout", [X], (1.0, True)),
    ("feature_alpha_dropout", [X], (0.5, False)), ("dropout_", [np.round(X).astype(int)], (0.5, False)),
]


def outputs(lib, name, arrays, args):
    leaves = [lib.tensor(a, requires_grad=a.dtype.kind == "f" and not name.startswith(("_unique", "_logcum"))) for a in arrays]
    found = getattr(lib, name)(*leaves, *args)
    found = found if isinstance(found, tuple) else (found,)
    sums = [(t * t).sum() for t in found if t.requires_grad]
    if sums:
        sum(sums).backward()
    return [*found, *(t.grad for t in leaves if t.grad is not None)]


@pytest.mark.filterwarnings("ignore::UserWarning")
@pytest.mark.parametrize("name, arrays, args", NATIVE, ids=[f"{i}-{row[0]}" for i, row in enumerate(NATIVE)])
def test_a_function_gives_what_torch_gives(name, arrays, args):
    ours, theirs = outputs(ringgrad, name, arrays, args), outputs(torch, name, arrays, args)
    assert len(ours) == len(theirs)
    for a, b in zip(ours, theirs):
        assert (str(a.dtype).split(".")[-1], tuple(a.shape)) == (str(b.dtype).split(".")[-1], tuple(b.shape))
        assert a.stride() == b.stride() or not a.numel()
        np.testing.assert_allclose(a.detach().numpy(), b.detach().numpy(), rtol=1e-8, atol=1e-10)


def test_a_wrong_number_for_a_word():
    with pytest.raises(ValueError, match=r"reduction is one of 0 \(none\), 1 \(mean\), 2 \(sum\), got 5"):
        ringgrad.hinge_embedding_loss(ringgrad.ones(2), ringgrad.ones(2), 1.0, 5)


@pytest.mark.parametrize("mode", [0, 1, 2])
def test_embedding_bag_and_ctc(mode):
    def run(lib):
        weight = lib.tensor(numbers(4, 2), requires_grad=True)
        bags = lib.embedding_bag(weight, lib.tensor([0, 1, 3, 3]), lib.tensor([0, 3]), False, mode)
        odds = lib.tensor(numbers(6, 2, 4), requires_grad=True)
        loss = lib.ctc_loss(odds.log_softmax(2), lib.tensor([[1, 2], [3, 3]]), lib.tensor([6, 5]), lib.tensor([2, 2]), 0, mode)
        (bags[0].sum() + loss.sum()).backward()
        return len(bags), [t.detach().numpy() for t in (bags[0], loss, weight.grad, odds.grad)]
    (ours, values), (theirs, expected) = run(ringgrad), run(torch)
    assert ours == theirs == 4
    for a, b in zip(values, expected):
        np.testing.assert_allclose(a, b, rtol=1e-7, atol=1e-9)


def test_renormed_rows():
    def run(lib):
        return lib.embedding_renorm_(lib.tensor(numbers(4, 3)), lib.tensor([0, 2, 2]), 1.0, 2.0).numpy()
    np.testing.assert_allclose(run(ringgrad), run(torch), rtol=1e-6)


# Lists of tensors

UNARY = """abs acos asin atan ceil clone cos cosh erf erfc exp expm1 floor frac lgamma log log10 log1p log2 max neg norm powsum reciprocal round rsqrt
           sigmoid sign sin sinh sqrt tan tanh trunc"""
LISTS = [(name, ()) for name in UNARY.split()] + [
    ("add", (2,)), ("add", ("others",)), ("add", ([1.0, 2.0],)), ("sub", ("others",)), ("mul", ("number",)), ("div", ("others",)), ("pow", (2,)),
    ("pow", ([2, 3],)), ("clamp_max", (0.5,)), ("clamp_min", ("others",)), ("maximum", ("others",)), ("maximum", (0.5,)), ("minimum", ([0.1, 0.5],)),
    ("addcmul", ("others", "others", 0.5)), ("addcmul", ("others", "others", [0.5, 2.0])), ("addcdiv", ("others", "others", "numbers")),
    ("lerp", ("others", 0.25)), ("lerp", ("others", "others")), ("norm", (1,)), ("norm", (float("inf"),)), ("powsum", (3,)),
]


def operands(lib, args):
    known = {"others": [lib.tensor(numbers(2, 3, seed=5, low=0.1, high=0.9)), lib.tensor(numbers(4, seed=5, low=0.1, high=0.9))],
             "number": lib.tensor(2.0), "numbers": lib.tensor([0.5, 2.0])}
    return [lib.tensor(numbers(2, 3, low=0.1, high=0.9)), lib.tensor(numbers(4, low=0.1, high=0.9))], [
        known[a] if isinstance(a, str) else a for a in args]


@pytest.mark.parametrize("twin", ["", "_"])
@pytest.mark.parametrize("name, args", LISTS, ids=lambda x: str(x))
def test_each_of_a_list(name, args, twin):
    full = f"_foreach_{name}{twin}"
    assert hasattr(ringgrad, full) == hasattr(torch, full)
    if not hasattr(torch, full):
        return

    def run(lib):
        tensors, rest = operands(lib, args)
        found = getattr(lib, full)(tensors, *rest)
        assert (found is tensors) == bool(twin)
        return found
    ours, theirs = run(ringgrad), run(torch)
    assert type(ours) is type(theirs) and len(ours) == len(theirs)
    for a, b in zip(ours, theirs):
        np.testing.assert_allclose(a.numpy(), b.numpy(), rtol=1e-7)


@pytest.mark.parametrize("call", [
    lambda lib: lib._foreach_add([], 1), lambda lib: lib._foreach_sqrt([]), lambda lib: lib._foreach_add([lib.ones(2)], [1, 2]),
    lambda lib: lib._foreach_mul([lib.ones(2)], [lib.ones(2)] * 2), lambda lib: lib._foreach_add([lib.ones(2)], lib.ones(2)),
    lambda lib: lib._foreach_mul([lib.ones(2)], 2, alpha=2),
], ids=range(6))
def test_wrong_lists_are_refused_alike(call):
    with pytest.raises(Exception) as theirs:  # noqa: B017, PT011 - torch says which
        call(torch)
    with pytest.raises(type(theirs.value)) as ours:
        call(ringgrad)
    if type(theirs.value) is RuntimeError:
        assert str(ours.value) == str(theirs.value)


def test_every_list_function_of_torch_is_here():
    assert [n for n in dir(torch) if n.startswith("_foreach_") and not hasattr(ringgrad, n)] == []


# Names that are left out


def test_every_name_of_torch_is_here_or_left_out_with_a_reason():
    own = [n for n in dir(torch) if not n.startswith("__")]
    names = [n for n in own if not isinstance(getattr(torch, n, None), types.ModuleType) or getattr(torch, n).__name__.startswith("torch")]
    assert len(names) > 1400
    assert [n for n in names if not reason(f"torch.{n}") and not hasattr(ringgrad, n)] == []


def test_what_is_left_out_says_why_and_names_the_way_out():
    with pytest.raises(AttributeError, match="'lobpcg': an iterative eigensolver for sparse matrices; linalg.eigh takes dense ones"):
        ringgrad.lobpcg  # noqa: B018
    with pytest.raises(AttributeError, match="has no attribute 'no_such_name'$"):
        ringgrad.no_such_name  # noqa: B018
    assert all(LEFT_OUT.values())


def test_anomaly_mode_by_its_older_functions():
    def run(lib):
        before = lib.is_anomaly_check_nan_enabled()
        lib.set_anomaly_enabled(True, False)
        inside = lib.is_anomaly_enabled(), lib.is_anomaly_check_nan_enabled()
        lib.set_anomaly_enabled(False)
        return before, inside, lib.is_anomaly_enabled()
    assert run(ringgrad) == run(torch)
