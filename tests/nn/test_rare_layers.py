"""What rows cannot say of the layers that are used less often: random ones, and those where torch's own gradient is another."""
import numpy as np
import pytest

import ringgrad
from ringgrad import nn
from ringgrad._core.op import REGISTRY
from ringgrad.nn import functional as F


def test_fractional_pooling_draws_anew_and_takes_every_largest_element_from_its_window():
    x = ringgrad.randn(2, 3, 11, 9)
    pool = nn.FractionalMaxPool2d(2, output_size=(5, 4), return_indices=True)
    seen = set()
    for _ in range(5):
        y, at = pool(x)
        assert tuple(y.shape) == (2, 3, 5, 4)
        np.testing.assert_array_equal(np.take_along_axis(x.numpy().reshape(2, 3, -1), at.numpy().reshape(2, 3, -1), 2), y.numpy().reshape(2, 3, -1))
        seen.add(y.numpy().tobytes())
    assert len(seen) > 1
    assert tuple(nn.FractionalMaxPool3d(2, output_ratio=0.5)(ringgrad.randn(2, 8, 6, 6)).shape) == (2, 4, 3, 3)


def test_fractional_pooling_repeats_with_its_samples():
    samples = ringgrad.rand(2, 3, 2)
    pool, x = nn.FractionalMaxPool2d(3, output_size=3, _random_samples=samples), ringgrad.randn(2, 3, 8, 8)
    np.testing.assert_array_equal(pool(x).numpy(), pool(x).numpy())
    assert list(pool.state_dict()) == ["_random_samples"]


@pytest.mark.parametrize(("arguments", "words"), [
    ({}, "requires specifying either"), ({"output_size": 2, "output_ratio": 0.5}, "only one of output_size and output_ratio"),
    ({"output_ratio": (0.5, 1.5)}, "must be between 0 and 1")])
def test_fractional_pooling_refuses(arguments, words):
    with pytest.raises(ValueError, match=words):
        nn.FractionalMaxPool2d(2, **arguments)


@pytest.mark.torch
@pytest.mark.parametrize("size", [1, 3, 4, 5])
def test_cross_map_normalisation_has_torchs_values_and_their_gradient(size):
    """torch's own gradient is that of a window moved by one channel; ours is that of the values."""
    torch = pytest.importorskip("torch", reason="the oracle, torch, is not installed")
    x = np.random.default_rng(3).standard_normal((2, 7, 3, 2))
    ours, theirs = nn.CrossMapLRN2d(size, 0.7, 0.6, 1.5), torch.nn.CrossMapLRN2d(size, 0.7, 0.6, 1.5)
    np.testing.assert_allclose(ours(ringgrad.tensor(x)).numpy(), theirs(torch.from_numpy(x)).numpy(), rtol=1e-12)
    assert repr(ours) == repr(theirs)
    t, direction, step = ringgrad.tensor(x, requires_grad=True), np.random.default_rng(4).standard_normal(x.shape), 1e-6
    ours(t).sum().backward()
    values = [ours(ringgrad.tensor(x + s * step * direction)).sum().item() for s in (1, -1)]
    np.testing.assert_allclose((t.grad.numpy() * direction).sum(), (values[0] - values[1]) / (2 * step), rtol=1e-6)


def test_rows_looked_up_often_are_scaled_by_their_frequency_in_bags():
    """Each row's gradient over its count in the whole batch, as `embedding` has it; torch's kernel divides by the counts of other rows."""
    weight, index = ringgrad.randn(6, 3, requires_grad=True), ringgrad.tensor([[1, 1, 4], [1, 2, 2]])
    F.embedding_bag(index, weight, mode="sum", scale_grad_by_freq=True).sum().backward()
    np.testing.assert_allclose(weight.grad.numpy(), np.array([0, 1, 1, 0, 1, 0])[:, None] * np.ones(3), rtol=1e-6)


def test_alignment_losses_have_second_derivatives():
    rng, targets = np.random.default_rng(5), ringgrad.tensor([[1, 2], [2, 2]])
    x, v = rng.standard_normal((5, 2, 4)), rng.standard_normal((5, 2, 4))

    def gradient(at, create_graph=False):
        t = ringgrad.tensor(at, requires_grad=True)
        loss = F.ctc_loss(t.log_softmax(-1), targets, [5, 4], [2, 2], reduction="sum")
        return t, ringgrad.autograd.grad(loss, t, create_graph=create_graph)[0]
    t, g = gradient(x, create_graph=True)
    (second,) = ringgrad.autograd.grad((g * ringgrad.tensor(v)).sum(), t)
    numeric = (gradient(x + 1e-5 * v)[1].numpy() - gradient(x - 1e-5 * v)[1].numpy()) / 2e-5
    np.testing.assert_allclose(second.numpy(), numeric, rtol=1e-5, atol=1e-8)


@pytest.mark.torch
def test_adaptive_softmax_tells_all_probabilities():
    torch = pytest.importorskip("torch", reason="the oracle, torch, is not installed")
    ours, theirs = (lib.nn.AdaptiveLogSoftmaxWithLoss(8, 12, [3, 7], div_value=2.0).double() for lib in (ringgrad, torch))
    theirs.load_state_dict({k: torch.from_numpy(v.numpy().copy()) for k, v in ours.state_dict().items()})
    x = np.random.default_rng(6).standard_normal((20, 8)) * 5
    a, b = ringgrad.tensor(x), torch.from_numpy(x)
    np.testing.assert_allclose(ours.log_prob(a).detach().numpy(), theirs.log_prob(b).detach().numpy(), rtol=1e-10)
    np.testing.assert_array_equal(ours.predict(a).numpy(), theirs.predict(b).numpy())
    with pytest.raises(RuntimeError, match=r"Target values should be in \[0, 11\], but values in range \[0, 12\]"):
        ours(a, ringgrad.tensor([0, 12] * 10))
    for cutoffs in ([], [0, 3], [3, 3], [7, 3], [12], [1.5]):
        for library in (ringgrad, torch):
            with pytest.raises(ValueError, match="cutoffs should be a sequence"):
                library.nn.AdaptiveLogSoftmaxWithLoss(8, 12, cutoffs)


def test_chunks_of_logits_give_the_same_loss_and_gradients():
    x, w, b = (ringgrad.randn(*shape, dtype=ringgrad.float64) for shape in ((9, 4), (7, 4), (7,)))
    target, weight = ringgrad.tensor([0, 6, -100, 2, 1, 5, 5, -100, 3]), ringgrad.rand(7, dtype=ringgrad.float64)
    for reduction in ("none", "mean", "sum"):
        results = []
        for options in (None, nn.LinearCrossEntropyOptions(batch_chunk_size=2), nn.LinearCrossEntropyOptions()):
            leaves = [t.clone().requires_grad_() for t in (x, w, b)]
            loss = F.linear_cross_entropy(*leaves[:2], target, linear_bias=leaves[2], weight=weight, reduction=reduction, options=options)
            results.append([loss.detach().numpy(), *(g.numpy() for g in ringgrad.autograd.grad(loss.sum(), leaves))])
        for other in results[1:]:
            for got, want in zip(other, results[0], strict=True):
                np.testing.assert_allclose(got, want, rtol=1e-10, atol=1e-12)
    with pytest.warns(UserWarning, match="``options`` ignored"):
        F.linear_cross_entropy(x, w, target, label_smoothing=0.1, options=nn.LinearCrossEntropyOptions())


@pytest.mark.parametrize(("arguments", "words"), [
    ({"acc_policy": "fast"}, "invalid acc_policy"), ({"chunking_method": "rows"}, "invalid chunking_method"),
    ({"batch_chunk_size": 0}, "positive int"),
    ({"acc_dtype": ringgrad.int64}, "acc_dtype must be")])
def test_options_of_chunks_are_checked(arguments, words):
    with pytest.raises(ValueError, match=words):
        nn.LinearCrossEntropyOptions(**arguments)


@pytest.mark.parametrize("name", ["read_at", "write_at", "match_at"])
@pytest.mark.parametrize("dtype", ["float32", "float64", "complex128"])
def test_kernels_of_sampling_equal_their_formulas(name, dtype):
    rng, op = np.random.default_rng(8), REGISTRY[name]
    at = rng.integers(0, 9, (2, 4, 6))
    first = rng.standard_normal((2, 3, 6 if name == "write_at" else 9)).astype(dtype)
    second = rng.standard_normal((2, 3, 6) if name == "match_at" else (2, 4, 6)).astype(dtype)
    attrs = {"size": 9} if name == "write_at" else {}
    got, want = (f(np, first, second, at, **attrs) for f in (op.overrides["numpy", None], op.forward))
    assert got.dtype == want.dtype == np.dtype(dtype)
    np.testing.assert_allclose(got, want, rtol=1e-5 if dtype == "float32" else 1e-12, atol=1e-6 if dtype == "float32" else 1e-12)


def test_modules_say_once_that_nothing_is_compiled():
    nn.Module._said_that_nothing_compiles = False
    with pytest.warns(UserWarning, match="there is no compiler for modules here"):
        nn.Linear(1, 1).compile(dynamic=True)
    nn.Linear(1, 1).compile()


def test_copies_on_one_device_by_torchs_names():
    from ringgrad.nn.parallel import comm, replicate
    from ringgrad.nn.parallel._functions import Broadcast, Gather, ReduceAddCoalesced, Scatter
    x = ringgrad.arange(6.0).reshape(3, 2).requires_grad_()
    parts = Scatter.apply(["cpu", "cpu"], None, 0, x)
    assert [tuple(p.shape) for p in parts] == [(2, 2), (1, 2)]
    (Gather.apply("cpu", 0, *parts) * 2).sum().backward()
    np.testing.assert_array_equal(x.grad.numpy(), 2)
    assert [t.tolist() for t in comm.scatter(x, ["cpu", "cpu"], [1, 2])] == [[[0, 1]], [[2, 3], [4, 5]]]
    assert comm.reduce_add([x, x]).tolist() == (2 * x).tolist() == ReduceAddCoalesced.apply("cpu", 1, x, x)[0].tolist()
    assert len(Broadcast.apply(["cpu", "cpu"], x, x)) == 4 and len(comm.broadcast(x, ["cpu"] * 3)) == 3
    with pytest.raises(RuntimeError, match="Exactly one of 'devices' and 'out'"):
        comm.broadcast(x)
    with pytest.raises(ValueError, match="input 1 has invalid size"):
        comm.reduce_add([x, x[:1]])
    assert len(replicate(nn.Linear(2, 2), ["cpu", "cpu"])) == 2
