"""The multivariate normal distribution."""
import math

from .. import linalg
from . import constraints
from ._names import rg
from .distribution import Distribution
from .utils import lazy_property, standard_normal

__all__ = ["MultivariateNormal"]


def _matvec(matrix, vector):
    """(..., n, m), (..., m) -> (..., n)"""
    return rg.matmul(matrix, vector.unsqueeze(-1)).squeeze(-1)


def _mahalanobis(scale_tril, x):
    """|scale_tril^-1 x|^2, broadcast over the batch.  (..., n, n), (..., n) -> (...)"""
    return linalg.solve_triangular(*_same_batch(scale_tril, x.unsqueeze(-1)), upper=False).squeeze(-1).pow(2).sum(-1)


def _same_batch(a, b):
    """Two stacks of matrices with equal batch shapes."""
    batch = rg.broadcast_shapes(tuple(a.shape[:-2]), tuple(b.shape[:-2]))
    return a.expand((*batch, *a.shape[-2:])), b.expand((*batch, *b.shape[-2:]))


def _log_diagonal(matrix):
    """The sum of the logarithms of the diagonals."""
    return matrix.diagonal(dim1=-2, dim2=-1).log().sum(-1)


def _precision_to_scale_tril(precision):
    """The Cholesky factor of the inverse."""
    flipped = rg.cholesky(rg.flip(precision, (-2, -1)))
    upper = rg.flip(flipped, (-2, -1)).mT
    identity = rg.eye(precision.shape[-1], dtype=precision.dtype, device=precision.device).expand(precision.shape)
    return linalg.solve_triangular(upper, identity, upper=False)


class MultivariateNormal(Distribution):
    """Normal vectors with mean loc: (..., n) and one of covariance_matrix, precision_matrix, scale_tril (its Cholesky factor): (..., n, n).

    ValueError unless exactly one of the three is given, and for parameters with too few dimensions.
    """

    arg_constraints = {"loc": constraints.real_vector, "covariance_matrix": constraints.positive_definite,
                       "precision_matrix": constraints.positive_definite, "scale_tril": constraints.lower_cholesky}
    support = constraints.real_vector
    has_rsample = True
    _expanded = ("_unbroadcasted_scale_tril",)

    def __init__(self, loc, covariance_matrix=None, precision_matrix=None, scale_tril=None, validate_args=None):
        if loc.dim() < 1:
            raise ValueError("loc must be at least one-dimensional.")
        given = {n: m for n, m in (("scale_tril", scale_tril), ("covariance_matrix", covariance_matrix), ("precision_matrix", precision_matrix))
                 if m is not None}
        if len(given) != 1:
            raise ValueError("Exactly one of covariance_matrix or precision_matrix or scale_tril may be specified.")
        (name, matrix), = given.items()
        if matrix.dim() < 2:
            raise ValueError(f"{name} must be at least two-dimensional, with optional leading batch dimensions")
        batch = rg.broadcast_shapes(tuple(matrix.shape[:-2]), tuple(loc.shape[:-1]))
        setattr(self, name, matrix.expand((*batch, *matrix.shape[-2:])))
        self.loc = loc.expand((*batch, loc.shape[-1]))
        super().__init__(batch, self.loc.shape[-1:], validate_args=validate_args)
        self._unbroadcasted_scale_tril = matrix if name == "scale_tril" else rg.cholesky(matrix) if name == "covariance_matrix" else (
            _precision_to_scale_tril(matrix))

    def expand(self, batch_shape, _instance=None):
        """See Distribution."""
        new = self._new_of(type(self), _instance)
        for name, dims in (("loc", 1), ("covariance_matrix", 2), ("precision_matrix", 2), ("scale_tril", 2)):
            if name in self.__dict__:
                value = self.__dict__[name]
                setattr(new, name, value.expand((*batch_shape, *value.shape[value.dim() - dims:])))
        new._unbroadcasted_scale_tril = self._unbroadcasted_scale_tril
        return self._finish(new, batch_shape)

    @lazy_property
    def scale_tril(self):
        """The lower Cholesky factor of the covariance."""
        low = self._unbroadcasted_scale_tril
        return low.expand((*self._batch_shape, *low.shape[-2:]))

    @lazy_property
    def covariance_matrix(self):
        """scale_tril @ its transpose."""
        low = self._unbroadcasted_scale_tril
        return rg.matmul(low, low.mT).expand((*self._batch_shape, *low.shape[-2:]))

    @lazy_property
    def precision_matrix(self):
        """The inverse of the covariance."""
        low = self._unbroadcasted_scale_tril
        return rg.cholesky_inverse(low).expand((*self._batch_shape, *low.shape[-2:]))

    mean = property(lambda self: self.loc)
    mode = property(lambda self: self.loc)
    variance = property(lambda self: self._unbroadcasted_scale_tril.pow(2).sum(-1).expand(self._batch_shape + self._event_shape))

    def rsample(self, sample_shape=()):
        """See Distribution."""
        return self.loc + _matvec(self._unbroadcasted_scale_tril, standard_normal(self._extended_shape(sample_shape), self.loc))

    def log_prob(self, value):
        """See Distribution."""
        if self._validate_args:
            self._validate_sample(value)
        low = self._unbroadcasted_scale_tril
        return -0.5 * (self._event_shape[0] * math.log(2 * math.pi) + _mahalanobis(low, value - self.loc)) - _log_diagonal(low)

    def entropy(self):
        """See Distribution."""
        return (0.5 * self._event_shape[0] * (1.0 + math.log(2 * math.pi)) + _log_diagonal(self._unbroadcasted_scale_tril)).expand(self._batch_shape)
