"""Every loss function of nn.functional beside torch's: all reductions, the words of before there were reductions, all options."""
import itertools
import warnings

import numpy as np
import pytest

import ringgrad

torch = pytest.importorskip("torch", reason="the oracle, torch, is not installed")
pytestmark = pytest.mark.torch

RNG = np.random.default_rng(7)
X, Y, Z = (RNG.standard_normal((5, 4)) for _ in range(3))
UNIT, OTHER = RNG.uniform(0.05, 0.95, (5, 4)), RNG.uniform(0.05, 0.95, (5, 4))
SIGNS = np.where(RNG.random((5, 4)) < 0.5, -1.0, 1.0)
CLASSES = np.array([0, 3, 2, 2, 1])
WEIGHTS = np.array([0.2, 1.5, 1.0, 3.0])
LOG = np.log(UNIT / UNIT.sum(1, keepdims=True))
PROBABILITIES = OTHER / OTHER.sum(1, keepdims=True)

# name: (positional arrays, how many of them take gradients, the values of each option)
LOSSES = {
    "mse_loss": ((X, Y), 2, {"weight": [None, UNIT]}),
    "l1_loss": ((X, Y), 2, {"weight": [None, UNIT]}),
    "smooth_l1_loss": ((X, Y), 2, {"beta": [1.0, 0.3, 0.0]}),
    "huber_loss": ((X, Y), 2, {"delta": [1.0, 0.4], "weight": [None, UNIT]}),
    "binary_cross_entropy": ((UNIT, OTHER), 2, {"weight": [None, OTHER, WEIGHTS]}),
    "binary_cross_entropy_with_logits": ((X, OTHER), 2, {"weight": [None, UNIT], "pos_weight": [None, WEIGHTS]}),
    "kl_div": ((LOG, PROBABILITIES), 2, {"log_target": [False, True]}),
    "poisson_nll_loss": ((X, 3 * UNIT), 1, {"log_input": [True, False], "full": [False, True], "eps": [1e-8, 5.0]}),
    "gaussian_nll_loss": ((X, Y, UNIT), 3, {"full": [False, True], "eps": [1e-6, 0.5]}),
    "cross_entropy": ((X, CLASSES), 1, {"weight": [None, WEIGHTS], "ignore_index": [-100, 2], "label_smoothing": [0.0, 0.2]}),
    "cross_entropy of probabilities": ((X, PROBABILITIES), 2, {"weight": [None, WEIGHTS], "label_smoothing": [0.0, 0.2]}),
    "nll_loss": ((LOG, CLASSES), 1, {"weight": [None, WEIGHTS], "ignore_index": [-100, 2]}),
    "hinge_embedding_loss": ((X, SIGNS), 1, {"margin": [1.0, 0.3]}),
    "margin_ranking_loss": ((X, Y, SIGNS), 2, {"margin": [0.0, 0.5]}),
    "soft_margin_loss": ((X, SIGNS), 1, {}),
    "cosine_embedding_loss": ((X, Y, SIGNS[:, 0]), 2, {"margin": [0.0, 0.5]}),
    "triplet_margin_loss": ((X, Y, Z), 3, {"margin": [1.0, 0.2], "p": [2.0, 1.0], "swap": [False, True]}),
    "triplet_margin_with_distance_loss": ((X, Y, Z), 3, {"margin": [1.0, 0.2], "swap": [False, True]}),
    "multi_margin_loss": ((X, CLASSES), 1, {"p": [1, 2], "margin": [1.0, 0.5], "weight": [None, WEIGHTS]}),
    "multilabel_soft_margin_loss": ((X, (OTHER > 0.5) * 1.0), 1, {"weight": [None, UNIT]}),
    "multilabel_margin_loss": ((X, np.array([[0, 2, -1, 1], [-1, 2, 0, 0], [3, 1, 0, 2], [2, -1, -1, -1], [1, 1, 0, -1]])), 1, {}),
}
WITHOUT_OLD_WORDS = {"huber_loss", "gaussian_nll_loss", "triplet_margin_with_distance_loss"}


def options(name):
    """Every combination of a loss's options, with every reduction."""
    given = LOSSES[name][2]
    reductions = ["none", "mean", "sum", *(["batchmean"] if name == "kl_div" else [])]
    for values in itertools.product(reductions, *given.values()):
        yield dict(zip(("reduction", *given), values, strict=True))


def outcome(library, name, kwargs):
    """(loss, gradients)"""
    arrays, graded, _ = LOSSES[name]
    tensors = [library.tensor(a) for a in arrays]
    for t in tensors[:graded]:
        t.requires_grad_()
    kwargs = {k: library.tensor(v) if isinstance(v, np.ndarray) else v for k, v in kwargs.items()}
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        loss = getattr(library.nn.functional, name.split()[0])(*tensors, **kwargs)
    seeds = library.tensor(np.cos(np.arange(loss.numel())).reshape(tuple(loss.shape)))
    (loss * seeds).sum().backward()
    return [loss.detach().numpy(), *(t.grad.numpy() for t in tensors[:graded])]


def compare(name, kwargs):
    ours, theirs = outcome(ringgrad, name, kwargs), outcome(torch, name, kwargs)
    for i, (a, b) in enumerate(zip(ours, theirs, strict=True)):
        assert a.dtype == b.dtype
        np.testing.assert_allclose(a, b, rtol=1e-9, atol=1e-10, err_msg=f"{kwargs}: {f'gradient {i - 1}' if i else 'loss'}")


@pytest.mark.parametrize("name", LOSSES)
def test_every_combination_of_options(name):
    for kwargs in options(name):
        compare(name, kwargs)


@pytest.mark.parametrize("name", [n for n in LOSSES if n not in WITHOUT_OLD_WORDS])
def test_words_of_before_reduction(name):
    for size_average, reduce in itertools.product((None, True, False), repeat=2):
        if size_average is not None or reduce is not None:
            compare(name, {"size_average": size_average, "reduce": reduce})


@pytest.mark.parametrize("name", [n for n in LOSSES if n != "kl_div"])
def test_a_reduction_that_is_none_is_refused(name):
    for library in (ringgrad, torch):
        with pytest.raises(ValueError, match="all is not"):
            outcome(library, name, {"reduction": "all"})
