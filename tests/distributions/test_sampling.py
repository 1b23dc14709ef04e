"""Samples: moments, distribution functions, and the gradients that flow through them.  Seeds are fixed, so nothing here is a matter of luck."""
import math

import numpy as np
import pytest

import ringgrad
from ringgrad import distributions as D

N = 6000
CONTINUOUS = [
    D.Normal(0.3, 1.5), D.Uniform(-2.0, 4.0), D.Cauchy(0.3, 1.5), D.Laplace(0.3, 1.5), D.Gumbel(0.3, 1.5), D.Exponential(2.0), D.Gamma(0.4, 2.0),
    D.Gamma(30.0, 2.0), D.Chi2(3.0), D.InverseGamma(4.5, 2.0), D.Weibull(1.5, 0.8), D.Pareto(0.2, 5.5), D.Kumaraswamy(0.5, 2.0), D.HalfNormal(1.5),
    D.HalfCauchy(1.5), D.LogNormal(0.3, 0.5), D.GeneralizedPareto(0.1, 1.5, 0.2), D.GeneralizedPareto(0.1, 1.5, 0.0), D.ContinuousBernoulli(0.2),
    D.TransformedDistribution(D.Normal(0.0, 1.0), [D.AffineTransform(0.5, -2.0), D.SigmoidTransform()]),
    D.MixtureSameFamily(D.Categorical(ringgrad.tensor([0.3, 0.7])), D.Normal(ringgrad.tensor([-2.0, 3.0]), ringgrad.tensor([1.0, 0.5]))),
]
WITH_MOMENTS = [
    *[d for d in CONTINUOUS if type(d).__name__ not in ("Cauchy", "HalfCauchy", "TransformedDistribution")], D.Beta(0.5, 2.0), D.Beta(20.0, 3.0),
    D.Dirichlet(ringgrad.tensor([0.5, 3.0, 1.5])), D.FisherSnedecor(3.0, 12.0), D.StudentT(9.0, 0.3, 1.5), D.Bernoulli(0.3), D.Geometric(0.3),
    D.Binomial(5, 0.3), D.NegativeBinomial(3.0, 0.4), D.Poisson(3.5), D.OneHotCategorical(ringgrad.tensor([0.2, 0.3, 0.5])),
    D.Multinomial(4, ringgrad.tensor([0.2, 0.3, 0.5])), D.OneHotCategoricalStraightThrough(ringgrad.tensor([0.2, 0.3, 0.5])),
    D.MultivariateNormal(ringgrad.tensor([0.3, -1.0]), ringgrad.tensor([[2.0, 0.3], [0.3, 1.0]])),
    D.LowRankMultivariateNormal(ringgrad.tensor([0.3, -1.0]), ringgrad.tensor([[0.5], [1.0]]), ringgrad.tensor([0.4, 0.9])),
    D.Wishart(ringgrad.tensor(4.5), ringgrad.tensor([[2.0, 0.3], [0.3, 1.0]])), D.Independent(D.Normal(ringgrad.zeros(3), ringgrad.ones(3)), 1),
]


@pytest.fixture(autouse=True)
def seed():
    ringgrad.manual_seed(1)


def name(d):
    return repr(d).replace("\n", " ")[:60]


@pytest.mark.parametrize("d", CONTINUOUS, ids=name)
def test_samples_follow_the_distribution_function(d):
    """Kolmogorov and Smirnov's statistic, against its 99.9 % point."""
    u = np.sort(d.cdf(d.sample((N,)).double()).numpy())
    steps = np.arange(N + 1) / N
    assert max((steps[1:] - u).max(), (u - steps[:-1]).max()) < 1.95 / math.sqrt(N)


@pytest.mark.parametrize("d", WITH_MOMENTS, ids=name)
def test_samples_have_the_moments(d):
    x = d.sample((N,)).double().numpy()
    mean, deviation = d.mean.numpy(), d.stddev.numpy()
    np.testing.assert_array_less(np.abs(x.mean(0) - mean), 5 * deviation / math.sqrt(N) + 1e-7)
    centred = (x - mean) ** 2
    spread = centred.std(0) / math.sqrt(N)
    np.testing.assert_array_less(np.abs(centred.mean(0) - deviation ** 2), 6 * spread + 1e-6)


@pytest.mark.parametrize("d", CONTINUOUS, ids=name)
def test_density_is_the_slope_of_the_distribution_function(d):
    if type(d).__name__ in ("Gamma", "Chi2"):
        pytest.skip("its distribution function is compared with torch's")
    x = d.sample((50,)).double().requires_grad_()
    slope, = ringgrad.autograd.grad(d.cdf(x).sum(), x)
    np.testing.assert_allclose(slope.abs().detach().numpy(), d.log_prob(x).exp().detach().numpy(), rtol=2e-4, atol=1e-6)


@pytest.mark.parametrize("make", [
    lambda a: D.Normal(a, 2.0), lambda a: D.Normal(0.5, a), lambda a: D.Uniform(-a, 2 * a), lambda a: D.Laplace(1.0, a), lambda a: D.Gumbel(a, a),
    lambda a: D.Exponential(a), lambda a: D.Gamma(a, 2.0), lambda a: D.Gamma(0.1 * a, a), lambda a: D.Gamma(100 * a, 10 * a), lambda a: D.Chi2(a),
    lambda a: D.Beta(a, 2.0), lambda a: D.Beta(0.3, 0.5 * a), lambda a: D.Weibull(a, 1.5), lambda a: D.Pareto(0.5, a + 5), lambda a: D.HalfNormal(a),
    lambda a: D.Kumaraswamy(a, 2.0), lambda a: D.LogNormal(0.0, a / 3), lambda a: D.StudentT(7.0, a, a), lambda a: D.InverseGamma(a + 5, 2.0),
    lambda a: D.FisherSnedecor(3.0 * a, 20.0), lambda a: D.ContinuousBernoulli(a / 5), lambda a: D.MultivariateNormal(
        ringgrad.stack([a, -a]), ringgrad.diag(ringgrad.stack([a, a * a]))), lambda a: D.Dirichlet(ringgrad.stack([a, 2 * a, a ** 0])),
])
def test_gradients_through_samples_are_those_of_the_moments(make):
    """d E[x] / da and d E[x^2] / da, by samples and by the formulas of mean and variance."""
    a = ringgrad.tensor(1.3, dtype=ringgrad.float64, requires_grad=True)
    d = make(a)
    x = d.rsample((4 * N,)).double()
    for drawn, exact in ((x, d.mean), (x ** 2, d.variance + d.mean ** 2)):
        if not exact.requires_grad:
            continue
        one, = ringgrad.autograd.grad(drawn.mean(0).reshape(-1)[0], a, retain_graph=True)
        whole, = ringgrad.autograd.grad(exact.reshape(-1)[0], a, retain_graph=True)
        assert abs(one - whole) < 0.06 * abs(whole) + 0.03, (one, whole)


def test_von_mises_and_lkj_samples():
    d = D.VonMises(ringgrad.tensor(1.0), ringgrad.tensor(2.0))
    x = d.sample((N,))
    assert x.min() >= -math.pi and x.max() <= math.pi
    assert abs((x - 1.0).cos().mean() - (1 - d.variance)) < 0.02
    low = D.LKJCholesky(3, 2.0).sample((N,))
    correlations = low @ low.mT
    assert (correlations.diagonal(dim1=-2, dim2=-1) - 1).abs().max() < 1e-5
    assert abs(correlations[:, 1, 0].mean()) < 0.03 and abs(correlations[:, 1, 0].var() - 1 / 6) < 0.01  # beta of 2 + 1/2, on [-1, 1]
    assert abs(correlations[:, 2, 1].var() - 3 / 14) < 0.02  # the third row's squared length is beta(3/2, 2) in torch too, shared by two elements


def test_relaxed_samples_lie_inside_and_pass_gradients():
    logits = ringgrad.zeros(3, requires_grad=True)
    x = D.RelaxedOneHotCategorical(ringgrad.tensor(0.5), logits=logits).rsample((10,))
    assert (x.sum(-1) - 1).abs().max() < 1e-5
    x[:, 0].sum().backward()
    assert (logits.grad != 0).all()
    y = D.RelaxedBernoulli(ringgrad.tensor(0.5), logits=ringgrad.zeros(4)).sample((10,))
    assert (y > 0).all() and (y < 1).all()


def test_straight_through_samples_are_one_hot_and_pass_gradients():
    probs = ringgrad.tensor([0.2, 0.3, 0.5], requires_grad=True)
    x = D.OneHotCategoricalStraightThrough(probs).rsample((5,))
    assert ((x.detach() - 1).abs() < 1e-6).sum() == 5
    x[:, 1].sum().backward()
    assert probs.grad is not None and probs.grad.abs().sum() > 0


def test_the_seed_repeats_samples_and_a_sample_has_no_gradient():
    a = ringgrad.tensor(2.0, requires_grad=True)
    draws = []
    for _ in range(2):
        ringgrad.manual_seed(7)
        draws.append([d.sample((3,)) for d in (D.Gamma(a, a), D.Categorical(ringgrad.ones(4)), D.Poisson(a), D.Normal(a, a))])
    for first, second in zip(*draws, strict=True):
        assert (first == second).all() and not first.requires_grad


def test_a_subclass_with_its_own_constructor_says_how_it_expands():
    class Shifted(D.Normal):
        def __init__(self, by):
            super().__init__(by, 1.0)
    with pytest.raises(NotImplementedError, match="must also define a custom .expand"):
        Shifted(2.0).expand((3,))


def test_validation_can_be_turned_off():
    with pytest.raises(ValueError, match="Expected parameter scale"):
        D.Normal(0.0, -1.0)
    D.Normal(0.0, -1.0, validate_args=False)
    D.Distribution.set_default_validate_args(False)
    try:
        D.Normal(0.0, -1.0)
    finally:
        D.Distribution.set_default_validate_args(True)
