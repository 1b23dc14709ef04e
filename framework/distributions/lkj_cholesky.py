"""Cholesky factors of random correlation matrices."""
import math

from .._core.modes import no_grad
from . import constraints
from ._names import rg
from .beta import Beta
from .distribution import Distribution
from .utils import broadcast_all, standard_normal

__all__ = ["LKJCholesky"]


class LKJCholesky(Distribution):
    """Factors L: (..., dim, dim) of correlation matrices with density proportional to det(L L^T)^(concentration - 1).

    Lewandowski, Kurowicka and Joe 2009, "Generating random correlation matrices based on vines and extended onion method"; by the onion method.
    """

    arg_constraints = {"concentration": constraints.positive}
    support = constraints.corr_cholesky

    def __init__(self, dim, concentration=1.0, validate_args=None):
        if dim < 2:
            raise ValueError(f"Expected dim to be an integer greater than or equal to 2. Found dim={dim}.")
        self.dim = dim
        (self.concentration,) = broadcast_all(concentration)
        self._beta = self._made_beta()
        super().__init__(self.concentration.shape, (dim, dim), validate_args)

    def _made_beta(self):
        """The squared length of each row but the last element, (dim); the first has none."""
        marginal = self.concentration + 0.5 * (self.dim - 2)
        offset = rg.arange(self.dim - 1, dtype=marginal.dtype, device=marginal.device)
        offset = rg.cat([offset.new_zeros((1,)), offset])
        return Beta(offset + 0.5, marginal.unsqueeze(-1) - 0.5 * offset)

    def expand(self, batch_shape, _instance=None):
        """See Distribution."""
        new = self._new_of(type(self), _instance)
        new.dim, new.concentration = self.dim, self.concentration.expand(tuple(batch_shape))
        new._beta = self._beta.expand((*batch_shape, self.dim))
        return self._finish(new, batch_shape)

    def sample(self, sample_shape=()):
        """See Distribution."""
        with no_grad():
            shape = self._extended_shape(sample_shape)
            y = self._beta.sample(sample_shape).unsqueeze(-1)
            u = standard_normal(shape, self.concentration).tril(-1)
            u = u / u.norm(dim=-1, keepdim=True)
            u = rg.where(rg.arange(self.dim, device=u.device).view(-1, 1) == 0, rg.zeros_like(u), u)
            w = y.sqrt() * u
            rest = (1 - (w ** 2).sum(-1)).clamp(min=rg.finfo(w.dtype).tiny).sqrt()
            return w + rg.diag_embed(rest)

    def log_prob(self, value):
        """See Distribution."""
        if self._validate_args:
            self._validate_sample(value)
        diagonal = value.diagonal(dim1=-1, dim2=-2)[..., 1:]
        order = rg.arange(2, self.dim + 1, device=self.concentration.device)
        order = 2 * (self.concentration - 1).unsqueeze(-1) + self.dim - order
        unnormalized = (order * diagonal.log()).sum(-1)
        d = self.dim - 1
        alpha = self.concentration + 0.5 * d
        normalizer = 0.5 * d * math.log(math.pi) + rg.mvlgamma(alpha - 0.5, d) - rg.lgamma(alpha) * d
        return unnormalized - normalizer
