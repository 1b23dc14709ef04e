"""The multivariate normal distribution whose covariance is a diagonal and a matrix of low rank."""
import math

from . import constraints
from ._names import rg
from .distribution import Distribution
from .multivariate_normal import _log_diagonal, _mahalanobis, _matvec
from .utils import lazy_property, standard_normal

__all__ = ["LowRankMultivariateNormal"]


class LowRankMultivariateNormal(Distribution):
    """Normal vectors with covariance W W^T + D.  loc: (..., n), cov_factor W: (..., n, r), cov_diag, the diagonal of D: (..., n)

    By the Woodbury identity and the matrix determinant lemma only the capacitance I + W^T D^-1 W: (..., r, r) is factored.
    """

    arg_constraints = {"loc": constraints.real_vector, "cov_factor": constraints.independent(constraints.real, 2),
                       "cov_diag": constraints.independent(constraints.positive, 1)}
    support = constraints.real_vector
    has_rsample = True

    def __init__(self, loc, cov_factor, cov_diag, validate_args=None):
        if loc.dim() < 1:
            raise ValueError("loc must be at least one-dimensional.")
        n = loc.shape[-1]
        if cov_factor.dim() < 2:
            raise ValueError("cov_factor must be at least two-dimensional, with optional leading batch dimensions")
        if cov_factor.shape[-2] != n:
            raise ValueError(f"cov_factor must be a batch of matrices with shape {n} x m")
        if cov_diag.shape[-1] != n:
            raise ValueError(f"cov_diag must be a batch of vectors with shape ({n},)")
        try:
            batch = rg.broadcast_shapes(tuple(loc.shape[:-1]), tuple(cov_factor.shape[:-2]), tuple(cov_diag.shape[:-1]))
        except RuntimeError as error:
            raise ValueError(f"Incompatible batch shapes: loc {loc.shape}, cov_factor {cov_factor.shape}, cov_diag {cov_diag.shape}") from error
        self.loc, self.cov_diag = loc.expand((*batch, n)), cov_diag.expand((*batch, n))
        self.cov_factor = cov_factor.expand((*batch, *cov_factor.shape[-2:]))
        super().__init__(batch, (n,), validate_args=validate_args)

    @lazy_property
    def _capacitance_tril(self):
        w, d = self.cov_factor, self.cov_diag
        inner = rg.matmul(w.mT / d.unsqueeze(-2), w)
        return rg.cholesky(inner + rg.eye(inner.shape[-1], dtype=inner.dtype, device=inner.device))

    @lazy_property
    def covariance_matrix(self):
        """W W^T + D"""
        return rg.matmul(self.cov_factor, self.cov_factor.mT) + rg.diag_embed(self.cov_diag)

    @lazy_property
    def scale_tril(self):
        """The Cholesky factor of the covariance."""
        return rg.cholesky(self.covariance_matrix)

    @lazy_property
    def precision_matrix(self):
        """The inverse of the covariance."""
        return rg.cholesky_inverse(self.scale_tril)

    mean = property(lambda self: self.loc)
    mode = property(lambda self: self.loc)

    @lazy_property
    def variance(self):
        """The diagonal of the covariance."""
        return self.cov_factor.pow(2).sum(-1) + self.cov_diag

    def rsample(self, sample_shape=()):
        """See Distribution."""
        shape = self._extended_shape(sample_shape)
        low = standard_normal((*shape[:-1], self.cov_factor.shape[-1]), self.loc)
        return self.loc + _matvec(self.cov_factor, low) + self.cov_diag.sqrt() * standard_normal(shape, self.loc)

    def _log_det(self):
        return 2 * _log_diagonal(self._capacitance_tril) + self.cov_diag.log().sum(-1)

    def log_prob(self, value):
        """See Distribution."""
        if self._validate_args:
            self._validate_sample(value)
        d = value - self.loc
        scaled = d / self.cov_diag
        distance = (d * scaled).sum(-1) - _mahalanobis(self._capacitance_tril, _matvec(self.cov_factor.mT, scaled))
        return -0.5 * (self._event_shape[0] * math.log(2 * math.pi) + self._log_det() + distance)

    def entropy(self):
        """See Distribution."""
        return 0.5 * (self._event_shape[0] * (1.0 + math.log(2 * math.pi)) + self._log_det())
