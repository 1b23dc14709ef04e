"""Divergences against torch's, and the table of pairs."""
import numpy as np
import pytest

import ringgrad
from ringgrad import distributions as D

from .test_against_torch import make

PAIRS = [(p, q) for p, qs in {
    "D.Normal(t([0.3, -1.0]), t([1.5, 0.4]))": ["D.Normal(t(0.1), t(2.0))", "D.Laplace(t(0.1), t(2.0))", "D.Gumbel(t(0.1), t(2.0))",
                                                "D.Beta(t(1.0), t(2.0))",
                                                "D.Gamma(t(1.0), t(2.0))", "D.Pareto(t(1.0), t(2.0))", "D.Uniform(t(1.0), t(2.0))"],
    "D.Uniform(t([0.1, 0.3]), t([0.9, 0.8]))": ["D.Uniform(t(0.0), t([2.0, 0.5]))", "D.Normal(t(0.1), t(2.0))", "D.Beta(t(1.5), t(2.0))",
                                                "D.Gamma(t(1.5), t(2.0))", "D.Exponential(t(1.5))", "D.Gumbel(t(0.1), t(2.0))",
                                                "D.Pareto(t([0.05, 0.5]), t(2.0))", "D.ContinuousBernoulli(t(0.3))"],
    "D.Beta(t([0.5, 3.0]), t([2.0, 0.7]))": ["D.Beta(t(1.5), t(2.0))", "D.Gamma(t(1.5), t(2.0))", "D.Normal(t(0.1), t(2.0))", "D.Exponential(t(1.5))",
                                             "D.Uniform(t([0.0, 0.5]), t(1.0))", "D.ContinuousBernoulli(t(0.3))", "D.Pareto(t(1.0), t(2.0))"],
    "D.Gamma(t([0.5, 3.0]), t([2.0, 0.7]))": ["D.Gamma(t(1.5), t(2.0))", "D.Exponential(t(1.5))", "D.Gumbel(t(0.1), t(2.0))",
                                              "D.Normal(t(0.1), t(2.0))",
                                              "D.Beta(t(1.5), t(2.0))"],
    "D.Exponential(t([0.5, 2.0]))": ["D.Exponential(t(1.5))", "D.Gamma(t(1.5), t(2.0))", "D.Gumbel(t(0.1), t(2.0))", "D.Normal(t(0.1), t(2.0))",
                                     "D.Uniform(t(0.0), t(1.0))"],
    "D.Gumbel(t([0.3, -1.0]), t([1.5, 0.4]))": ["D.Gumbel(t(0.1), t(2.0))", "D.Normal(t(0.1), t(2.0))", "D.Exponential(t(1.5))"],
    "D.Laplace(t([0.3, -1.0]), t([1.5, 0.4]))": ["D.Laplace(t(0.1), t(2.0))", "D.Normal(t(0.1), t(2.0))", "D.Pareto(t(1.0), t(2.0))"],
    "D.Pareto(t([1.0, 0.5]), t([3.5, 2.5]))": ["D.Pareto(t(0.7), t(2.0))", "D.Exponential(t(1.5))", "D.Gamma(t(1.5), t(2.0))",
                                               "D.Normal(t(0.1), t(2.0))"],
    "D.ContinuousBernoulli(t([0.2, 0.6]))": ["D.ContinuousBernoulli(t(0.3))", "D.Normal(t(0.1), t(2.0))", "D.Exponential(t(1.5))",
                                             "D.Uniform(t(-1.0), t(2.0))"],
    "D.Bernoulli(t([0.2, 1.0]))": ["D.Bernoulli(t(0.3))", "D.Bernoulli(t(0.0))", "D.Poisson(t(0.3))"],
    "D.Poisson(t([0.2, 1.0]))": ["D.Poisson(t(0.3))", "D.Bernoulli(t(0.5))", "D.Binomial(3, t(0.5))"],
    "D.Binomial(3, t([0.2, 0.6]))": ["D.Binomial(3, t(0.3))", "D.Binomial(2, t(0.3))"], "D.Geometric(t([0.2, 0.6]))": ["D.Geometric(t(0.3))"],
    "D.Categorical(t([0.2, 0.3, 0.5]))": ["D.Categorical(t([0.1, 0.1, 0.8]))", "D.Categorical(t([0.5, 0.5, 0.0]))"],
    "D.Categorical(t([0.5, 0.5, 0.0]))": ["D.Categorical(t([0.1, 0.1, 0.8]))"],
    "D.OneHotCategorical(t([0.2, 0.8]))": ["D.OneHotCategorical(t([0.6, 0.4]))"],
    "D.Dirichlet(t([0.5, 3.0, 1.5]))": ["D.Dirichlet(t([1.5, 1.0, 2.5]))"], "D.Cauchy(t(0.3), t(1.5))": ["D.Cauchy(t(0.1), t(2.0))"],
    "D.HalfNormal(t([1.5, 0.4]))": ["D.HalfNormal(t(2.0))"], "D.LogNormal(t(0.3), t(1.5))": ["D.LogNormal(t(0.1), t(2.0))"],
    "D.Chi2(t(3.0))": ["D.Chi2(t(2.0))", "D.Gamma(t(1.5), t(2.0))"],
    "D.MultivariateNormal(t([0.3, -1.0]), t([[2.0, 0.3], [0.3, 1.0]]))": [
        "D.MultivariateNormal(t([0.1, 1.0]), t([[1.0, -0.3], [-0.3, 2.0]]))",
        "D.LowRankMultivariateNormal(t([0.1, 1.0]), t([[0.5], [1.0]]), t([0.4, 0.9]))"],
    "D.LowRankMultivariateNormal(t([0.3, -1.0]), t([[0.7], [0.2]]), t([1.4, 0.9]))": [
        "D.MultivariateNormal(t([0.1, 1.0]), t([[1.0, -0.3], [-0.3, 2.0]]))",
        "D.LowRankMultivariateNormal(t([0.1, 1.0]), t([[0.5], [1.0]]), t([0.4, 0.9]))"],
    "D.Independent(D.Normal(t([0.3, -1.0]), t([1.5, 0.4])), 1)": ["D.Independent(D.Normal(t([0.1, 0.0]), t([1.0, 2.0])), 1)"],
}.items() for q in qs]


def divergence(lib, p, q):
    first, leaves = make(lib, p)
    second, more = make(lib, q)
    module = D if lib is ringgrad else lib.distributions
    kl = module.kl_divergence(first, second)
    grads = None
    finite = kl[~kl.isinf()]
    if kl.requires_grad and finite.numel():
        finite.sum().backward()
        grads = [None if leaf.grad is None else leaf.grad.numpy() for leaf in (*leaves, *more)]
    return kl.detach().numpy(), grads


@pytest.mark.torch
@pytest.mark.parametrize(("p", "q"), PAIRS, ids=lambda text: text.replace("D.", ""))
def test_the_same_divergence_and_gradients(p, q):
    torch = pytest.importorskip("torch", reason="the oracle, torch, is not installed")
    ours, our_grads = divergence(ringgrad, p, q)
    theirs, their_grads = divergence(torch, p, q)
    assert ours.shape == theirs.shape
    np.testing.assert_allclose(ours, theirs, rtol=1e-6, atol=1e-9)
    assert (our_grads is None) == (their_grads is None)
    for g, w in zip(our_grads or [], their_grads or [], strict=True):
        if w is not None and g is not None and np.isfinite(w).all():
            np.testing.assert_allclose(g, w, rtol=1e-5, atol=1e-7)


def test_the_nearest_pair_is_used():
    class Mine(D.Normal):
        pass
    plain, mine = D.Normal(0.0, 1.0), Mine(0.0, 1.0)
    assert D.kl_divergence(mine, plain) == 0

    @D.register_kl(Mine, D.Normal)
    def _(p, q):
        return "mine"
    assert D.kl_divergence(mine, plain) == "mine" and D.kl_divergence(mine, mine) == "mine" and D.kl_divergence(plain, mine) == 0
    del D.kl._registry[Mine, D.Normal]
    D.kl._find.cache_clear()


def test_unknown_pairs_and_types_are_refused():
    with pytest.raises(NotImplementedError, match="No KL"):
        D.kl_divergence(D.Normal(0.0, 1.0), D.Cauchy(0.0, 1.0))
    with pytest.raises(TypeError, match="Distribution subclass"):
        D.register_kl("Normal", D.Normal)
