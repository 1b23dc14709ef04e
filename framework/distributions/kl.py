"""The Kullback-Leibler divergence, and the table of pairs for which it is known."""
import functools
import math
from typing import Any

from .. import autograd, linalg
from ..nn import functional as F
from ._names import rg
from .bernoulli import Bernoulli
from .beta import Beta
from .binomial import Binomial
from .categorical import Categorical
from .cauchy import Cauchy
from .continuous_bernoulli import ContinuousBernoulli
from .dirichlet import Dirichlet
from .exp_family import ExponentialFamily
from .exponential import Exponential
from .gamma import Gamma
from .geometric import Geometric
from .gumbel import Gumbel
from .half_normal import HalfNormal
from .independent import Independent
from .laplace import Laplace
from .lowrank_multivariate_normal import LowRankMultivariateNormal
from .multivariate_normal import MultivariateNormal, _log_diagonal, _mahalanobis, _same_batch
from .normal import Normal
from .one_hot_categorical import OneHotCategorical
from .pareto import Pareto
from .poisson import Poisson
from .transformed_distribution import TransformedDistribution
from .uniform import Uniform
from .utils import euler_constant, sum_rightmost

__all__ = ["kl_divergence", "register_kl"]

_registry = {}  # (type of p, type of q) -> function


def register_kl(type_p, type_q):
    """Decorator: fn(p, q) is the divergence of distributions of these types and of their subclasses, where no nearer pair is registered.

    Any classes will do, as in torch: other libraries have distributions that are not of ours.  TypeError for what is no class.
    """
    for name, kind in (("type_p", type_p), ("type_q", type_q)):
        if not isinstance(kind, type):
            raise TypeError(f"Expected {name} to be a Distribution subclass but got {kind}")

    def note(fn):
        _registry[type_p, type_q] = fn
        _find.cache_clear()
        return fn
    return note


@functools.cache
def _find(type_p, type_q):
    """The function of the nearest pair: the nearest type of p, and among those of q; None when there is none."""
    pairs = [(type_p.__mro__.index(p), type_q.__mro__.index(q), fn) for (p, q), fn in _registry.items()
             if issubclass(type_p, p) and issubclass(type_q, q)]
    return min(pairs, key=lambda pair: pair[:2])[2] if pairs else None


def kl_divergence(p, q):
    """The mean of log p(x) - log q(x) over x from p.  NotImplementedError for a pair that nobody registered."""
    fn = _find(type(p), type(q))
    if fn is None:
        raise NotImplementedError(f"No KL(p || q) is implemented for p type {type(p).__name__} and q type {type(q).__name__}; "
                                  "register one with register_kl")
    return fn(p, q)


def _inf_where(condition, value):
    return rg.where(condition, rg.full_like(value, math.inf), value)


def _x_log_x(x):
    return x * x.log()


# -- within a family ---------------------------------------------------------------------------------------------------

@register_kl(Bernoulli, Bernoulli)
def _(p, q):
    def part(a, b, log_ratio):
        return rg.where(b == 0, rg.full_like(log_ratio, math.inf), rg.where(a == 0, rg.zeros_like(log_ratio), log_ratio))
    soft = F.softplus
    ones = part(p.probs, q.probs, p.probs * (soft(-q.logits) - soft(-p.logits)))
    zeros = part(1 - p.probs, 1 - q.probs, (1 - p.probs) * (soft(q.logits) - soft(p.logits)))
    return ones + zeros


@register_kl(Beta, Beta)
def _(p, q):
    a, b, c, d = p.concentration1, p.concentration0, q.concentration1, q.concentration0
    front = (c.lgamma() + d.lgamma() + (a + b).lgamma()) - (a.lgamma() + b.lgamma() + (c + d).lgamma())
    return front + (a - c) * a.digamma() + (b - d) * b.digamma() + (c + d - a - b) * (a + b).digamma()


@register_kl(Binomial, Binomial)
def _(p, q):
    """NotImplementedError where p has more trials than q; inf where q cannot give what p can."""
    if bool((p.total_count < q.total_count).any()):
        raise NotImplementedError("KL between Binomials where q.total_count > p.total_count is not implemented")
    kl = p.total_count * (p.probs * (p.logits - q.logits) + (-p.probs).log1p() - (-q.probs).log1p())
    return _inf_where((p.total_count > q.total_count).expand(kl.shape), kl)


@register_kl(Categorical, Categorical)
def _(p, q):
    t = p.probs * (p.logits - q.logits)
    t = rg.where((q.probs == 0).expand(t.shape), rg.full_like(t, math.inf), t)
    return rg.where((p.probs == 0).expand(t.shape), rg.zeros_like(t), t).sum(-1)


@register_kl(OneHotCategorical, OneHotCategorical)
def _(p, q):
    return kl_divergence(p._categorical, q._categorical)


@register_kl(ContinuousBernoulli, ContinuousBernoulli)
def _(p, q):
    return p.mean * (p.logits - q.logits) + p._log_norm() + rg.log1p(-p.probs) - q._log_norm() - rg.log1p(-q.probs)


@register_kl(Dirichlet, Dirichlet)
def _(p, q):
    a, b = p.concentration, q.concentration
    front = a.sum(-1).lgamma() - b.sum(-1).lgamma() - (a.lgamma() - b.lgamma()).sum(-1)
    return front + ((a - b) * (a.digamma() - a.sum(-1).digamma().unsqueeze(-1))).sum(-1)


@register_kl(Exponential, Exponential)
def _(p, q):
    ratio = q.rate / p.rate
    return -ratio.log() + ratio - 1


@register_kl(ExponentialFamily, ExponentialFamily)
def _(p, q):
    """The Bregman divergence of the log normalizer.  NotImplementedError for two families."""
    if type(p) is not type(q):
        raise NotImplementedError(f"The cross KL-divergence between different exponential families cannot be computed using Bregman divergences: "
                                  f"{type(p).__name__} and {type(q).__name__}")
    ours = [t.detach().requires_grad_() for t in p._natural_params]
    normalizer = p._log_normalizer(*ours)
    result = q._log_normalizer(*q._natural_params) - normalizer
    for a, b, g in zip(ours, q._natural_params, autograd.grad(normalizer.sum(), ours, create_graph=True)):
        result = result - sum_rightmost((b - a) * g, len(q.event_shape))
    return result


@register_kl(Gamma, Gamma)
def _(p, q):
    a, b = p.concentration, q.concentration
    return b * (p.rate / q.rate).log() + b.lgamma() - a.lgamma() + (a - b) * a.digamma() + (q.rate - p.rate) * (a / p.rate)


@register_kl(Gumbel, Gumbel)
def _(p, q):
    ratio = p.scale / q.scale
    shift, offset = q.loc / q.scale, p.loc / q.scale
    return -ratio.log() - shift + offset + ratio * euler_constant + rg.exp(shift + (1 + ratio).lgamma() - offset) - (1 + euler_constant)


@register_kl(Geometric, Geometric)
def _(p, q):
    return -p.entropy() - rg.log1p(-q.probs) / p.probs - q.logits


@register_kl(HalfNormal, HalfNormal)
def _(p, q):
    return kl_divergence(p.base_dist, q.base_dist)


@register_kl(Laplace, Laplace)
def _(p, q):
    ratio, distance = p.scale / q.scale, (p.loc - q.loc).abs()
    return -ratio.log() + distance / q.scale + ratio * rg.exp(-distance / p.scale) - 1


@register_kl(Normal, Normal)
def _(p, q):
    ratio = (p.scale / q.scale).pow(2)
    return 0.5 * (ratio + ((p.loc - q.loc) / q.scale).pow(2) - 1 - ratio.log())


@register_kl(Pareto, Pareto)
def _(p, q):
    ratio, alphas = p.scale / q.scale, q.alpha / p.alpha
    kl = q.alpha * ratio.log() - alphas.log() + alphas - 1
    return _inf_where(p.scale < q.scale, kl)


@register_kl(Poisson, Poisson)
def _(p, q):
    return p.rate * (p.rate.log() - q.rate.log()) - (p.rate - q.rate)


@register_kl(Uniform, Uniform)
def _(p, q):
    return _inf_where((q.low > p.low) | (q.high < p.high), ((q.high - q.low) / (p.high - p.low)).log())


@register_kl(Cauchy, Cauchy)
def _(p, q):
    """Chyzak and Nielsen 2019, arXiv:1905.10965."""
    return ((p.scale + q.scale).pow(2) + (p.loc - q.loc).pow(2)).log() - (4 * p.scale * q.scale).log()


@register_kl(TransformedDistribution, TransformedDistribution)
def _(p, q):
    """NotImplementedError unless both are transformed in the same way."""
    if p.transforms != q.transforms or p.event_shape != q.event_shape:
        raise NotImplementedError("KL between distributions that are transformed differently is not implemented")
    return kl_divergence(p.base_dist, q.base_dist)


@register_kl(Independent, Independent)
def _(p, q):
    if p.reinterpreted_batch_ndims != q.reinterpreted_batch_ndims:
        raise NotImplementedError(f"KL between Independents of {p.reinterpreted_batch_ndims} and {q.reinterpreted_batch_ndims} dimensions is not "
                                  "implemented")
    return sum_rightmost(kl_divergence(p.base_dist, q.base_dist), p.reinterpreted_batch_ndims)


# -- normal vectors ----------------------------------------------------------------------------------------------------

def _check_events(p, q):
    if p.event_shape != q.event_shape:
        raise ValueError(f"KL-divergence between two {'' if type(p) is type(q) else '(Low Rank) '}Multivariate Normals with\n"
                         "                          different event shapes cannot be computed")


def _factor(d):
    return d._unbroadcasted_scale_tril if isinstance(d, MultivariateNormal) else d.scale_tril


def _kl_of_normals(p, q):
    _check_events(p, q)
    low_p, low_q = _same_batch(_factor(p), _factor(q))
    between = linalg.solve_triangular(low_q, low_p, upper=False).pow(2).sum((-2, -1))
    half_log_dets = _log_diagonal(low_q) - _log_diagonal(low_p)
    return half_log_dets + 0.5 * (between + _mahalanobis(_factor(q), q.loc - p.loc) - p.event_shape[0])


for _p in (MultivariateNormal, LowRankMultivariateNormal):
    for _q in (MultivariateNormal, LowRankMultivariateNormal):
        register_kl(_p, _q)(_kl_of_normals)


# -- between families --------------------------------------------------------------------------------------------------

def _mean_square(p):
    return p.variance + p.mean.pow(2)


def _to_normal(p, q):
    """-entropy(p) - E log q, for a normal q and any p with two moments."""
    return -p.entropy() + 0.5 * (2 * math.pi * q.scale.pow(2)).log() + (
        0.5 * _mean_square(p) - p.mean * q.loc + 0.5 * q.loc.pow(2)) / q.scale.pow(2)


def _to_exponential(p, q):
    return -p.entropy() - q.rate.log() + q.rate * p.mean


def _to_gamma(p, q, mean_log):
    return -p.entropy() + q.concentration.lgamma() - q.concentration * q.rate.log() - (q.concentration - 1) * mean_log + q.rate * p.mean


def _to_uniform(p, q):
    return _inf_where((q.high < p.support.upper_bound) | (q.low > p.support.lower_bound), -p.entropy() + (q.high - q.low).log())


def _mean_log_of_uniform(p):
    return (_x_log_x(p.high) - _x_log_x(p.low)) / (p.high - p.low) - 1


_pairs: Any = ((Normal, _to_normal, (Beta, ContinuousBernoulli, Exponential, Gamma, Gumbel, Laplace, Uniform)),
               (Exponential, _to_exponential, (Beta, ContinuousBernoulli, Gamma)), (Uniform, _to_uniform, (Beta, ContinuousBernoulli)))
for _other, _rule, _kinds in _pairs:
    for _kind in _kinds:
        register_kl(_kind, _other)(_rule)


@register_kl(Bernoulli, Poisson)
def _(p, q):
    return -p.entropy() - (p.probs * q.rate.log() - q.rate)


@register_kl(Beta, ContinuousBernoulli)
def _(p, q):
    return -p.entropy() - p.mean * q.logits - rg.log1p(-q.probs) - q._log_norm()


@register_kl(Beta, Gamma)
def _(p, q):
    return _to_gamma(p, q, p.concentration1.digamma() - (p.concentration1 + p.concentration0).digamma())


@register_kl(Exponential, Gamma)
def _(p, q):
    return _to_gamma(p, q, -euler_constant - p.rate.log())


@register_kl(Exponential, Gumbel)
def _(p, q):
    z = p.rate * q.scale
    return z.log() - 1 - q.loc / q.scale + z.reciprocal() + rg.exp(q.loc / q.scale) * z / (z + 1)


@register_kl(Gamma, Gumbel)
def _(p, q):
    z = p.rate * q.scale
    shift = q.loc / q.scale
    return -p.entropy() + q.scale.log() - shift + p.concentration / z + rg.exp(shift) * (1 + z.reciprocal()).pow(-p.concentration)


@register_kl(Normal, Gumbel)
def _(p, q):
    mean, spread, shift = p.loc / q.scale, (p.scale / q.scale).pow(2), q.loc / q.scale
    return -p.entropy() + q.scale.log() + mean - shift + rg.exp(-mean + 0.5 * spread + shift)


@register_kl(Normal, Laplace)
def _(p, q):
    z = (p.loc - q.loc) / p.scale
    distance = math.sqrt(2 / math.pi) * p.scale * rg.exp(-0.5 * z.pow(2)) + p.scale * z * rg.erf(math.sqrt(0.5) * z)
    return -p.entropy() + (2 * q.scale).log() + distance / q.scale


@register_kl(Pareto, Exponential)
def _(p, q):
    ratio = q.rate * p.scale
    return _inf_where(p.alpha <= 1, (p.alpha / ratio).log() - 1 - p.alpha.reciprocal() + p.alpha * ratio / (p.alpha - 1))


@register_kl(Pareto, Gamma)
def _(p, q):
    return _inf_where(p.alpha <= 1, _to_gamma(p, q, p.scale.log() + p.alpha.reciprocal()))


@register_kl(Pareto, Normal)
def _(p, q):
    return _inf_where(p.alpha <= 2, _to_normal(p, q))


@register_kl(Uniform, Beta)
def _(p, q):
    width = p.high - p.low
    left = _mean_log_of_uniform(p)
    right = (_x_log_x(1 - p.low) - _x_log_x(1 - p.high)) / width - 1
    a, b = q.concentration1, q.concentration0
    kl = -width.log() - (a - 1) * left - (b - 1) * right + a.lgamma() + b.lgamma() - (a + b).lgamma()
    return _inf_where((p.high > q.support.upper_bound) | (p.low < q.support.lower_bound), kl)


@register_kl(Uniform, ContinuousBernoulli)
def _(p, q):
    kl = -p.entropy() - p.mean * q.logits - rg.log1p(-q.probs) - q._log_norm()
    return _inf_where((p.high > q.support.upper_bound) | (p.low < q.support.lower_bound), kl)


@register_kl(Uniform, Exponential)
def _(p, q):
    return _inf_where(p.low < 0, _to_exponential(p, q))


@register_kl(Uniform, Gamma)
def _(p, q):
    return _inf_where(p.low < 0, _to_gamma(p, q, _mean_log_of_uniform(p)))


@register_kl(Uniform, Gumbel)
def _(p, q):
    width, high, low = (p.high - p.low) / q.scale, (p.high - q.loc) / q.scale, (p.low - q.loc) / q.scale
    return -width.log() + 0.5 * (high + low) - (rg.exp(-high) - rg.exp(-low)) / width


@register_kl(Uniform, Pareto)
def _(p, q):
    kl = -(p.high - p.low).log() - (q.alpha * q.scale.pow(q.alpha)).log() + (q.alpha + 1) * _mean_log_of_uniform(p)
    return _inf_where(p.low < q.scale, kl)


def _infinite(p, q):
    """q gives no weight to some of what p gives."""
    return rg.full(rg.broadcast_shapes(tuple(p.batch_shape), tuple(q.batch_shape)), math.inf)


_POSITIVE = (Exponential, Gamma, Pareto)
_without_overlap: Any = {
    Beta: (Pareto,), ContinuousBernoulli: (Pareto,), Exponential: (Beta, ContinuousBernoulli, Pareto, Uniform),
    Gamma: (Beta, ContinuousBernoulli, Pareto, Uniform), Gumbel: (Beta, ContinuousBernoulli, *_POSITIVE, Uniform),
    Laplace: (Beta, ContinuousBernoulli, *_POSITIVE, Uniform), Normal: (Beta, ContinuousBernoulli, *_POSITIVE, Uniform),
    Pareto: (Beta, ContinuousBernoulli, Uniform), Poisson: (Bernoulli, Binomial),
}
for _kind, _others in _without_overlap.items():
    for _other in _others:
        register_kl(_kind, _other)(_infinite)
