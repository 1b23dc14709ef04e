"""The Wishart distribution."""
import math
import warnings

from .._core.modes import no_grad
from .._core.tensor import Tensor
from . import constraints
from ._names import rg
from .chi2 import Chi2
from .exp_family import ExponentialFamily
from .multivariate_normal import _log_diagonal, _precision_to_scale_tril
from .utils import lazy_property, standard_normal

__all__ = ["Wishart"]


class Wishart(ExponentialFamily):
    """Positive definite matrices: sums of x x^T over df normal vectors x with covariance_matrix (or precision_matrix, or scale_tril): (..., n, n).

    df > n - 1.  Samples by Bartlett's decomposition.  ValueError unless exactly one of the three matrices is given.
    """

    support = constraints.positive_definite
    has_rsample = True
    _mean_carrier_measure = 0
    _expanded = ("df", "_unbroadcasted_scale_tril")

    @property
    def arg_constraints(self):
        """df above n - 1."""
        n = self._event_shape[-1]
        return {"covariance_matrix": constraints.positive_definite, "precision_matrix": constraints.positive_definite,
                "scale_tril": constraints.lower_cholesky, "df": constraints.greater_than(n - 1)}

    def __init__(self, df, covariance_matrix=None, precision_matrix=None, scale_tril=None, validate_args=None):
        given = {n: m for n, m in (("scale_tril", scale_tril), ("covariance_matrix", covariance_matrix), ("precision_matrix", precision_matrix))
                 if m is not None}
        if len(given) != 1:
            raise ValueError("Exactly one of covariance_matrix or precision_matrix or scale_tril may be specified.")
        (name, matrix), = given.items()
        if matrix.dim() < 2:
            raise ValueError("scale_tril must be at least two-dimensional, with optional leading batch dimensions")
        df = df if isinstance(df, Tensor) else rg.tensor(df, dtype=matrix.dtype, device=matrix.device)
        batch = rg.broadcast_shapes(tuple(matrix.shape[:-2]), tuple(df.shape))
        self.df = df.expand(batch)
        setattr(self, name, matrix.expand((*batch, *matrix.shape[-2:])))
        if bool((self.df <= matrix.shape[-1] - 1).any()):
            raise ValueError(f"Value of df={df} expected to be greater than ndim - 1 = {matrix.shape[-1] - 1}.")
        super().__init__(batch, matrix.shape[-2:], validate_args=validate_args)
        if bool((self.df < self._event_shape[-1]).any()):
            warnings.warn("Low df values detected. Singular samples are highly likely to occur for ndim - 1 < df < ndim.", stacklevel=2)
        self._unbroadcasted_scale_tril = matrix if name == "scale_tril" else rg.cholesky(matrix) if name == "covariance_matrix" else (
            _precision_to_scale_tril(matrix))

    def expand(self, batch_shape, _instance=None):
        """See Distribution."""
        new = self._new_of(type(self), _instance)
        for name in ("df", "covariance_matrix", "precision_matrix", "scale_tril"):
            if name in self.__dict__:
                setattr(new, name, self.__dict__[name].expand((*batch_shape, *self.__dict__[name].shape[len(self._batch_shape):])))
        new._unbroadcasted_scale_tril = self._unbroadcasted_scale_tril
        return self._finish(new, batch_shape)

    def _spread(self, matrix):
        return matrix.expand((*self._batch_shape, *self._event_shape))

    @lazy_property
    def scale_tril(self):
        """The Cholesky factor of the scale matrix."""
        return self._spread(self._unbroadcasted_scale_tril)

    @lazy_property
    def covariance_matrix(self):
        """The scale matrix."""
        return self._spread(self._unbroadcasted_scale_tril @ self._unbroadcasted_scale_tril.mT)

    @lazy_property
    def precision_matrix(self):
        """Its inverse."""
        return self._spread(rg.cholesky_inverse(self._unbroadcasted_scale_tril))

    mean = property(lambda self: self.df.view((*self._batch_shape, 1, 1)) * self.covariance_matrix)

    @property
    def mode(self):
        """nan up to df = n + 1."""
        factor = self.df - self.covariance_matrix.shape[-1] - 1
        factor = factor.masked_fill(factor <= 0, float("nan"))
        return factor.view((*self._batch_shape, 1, 1)) * self.covariance_matrix

    @property
    def variance(self):
        """See Distribution."""
        v = self.covariance_matrix
        diagonal = v.diagonal(dim1=-2, dim2=-1)
        return self.df.view((*self._batch_shape, 1, 1)) * (v.pow(2) + diagonal.unsqueeze(-1) * diagonal.unsqueeze(-2))

    def rsample(self, sample_shape=(), max_try_correction=None):
        """See Distribution.  Bartlett: L A A^T L^T, A lower triangular with sqrt(chi^2(df - i)) on the diagonal and normal numbers below."""
        n = self._event_shape[-1]
        steps = rg.arange(n, dtype=self.df.dtype, device=self.df.device)
        chi = Chi2((self.df.unsqueeze(-1) - steps).expand((*self._batch_shape, n)), validate_args=False)
        diagonal = rg.diag_embed(chi.rsample(sample_shape).clamp(min=rg.finfo(self.df.dtype).tiny).sqrt())
        below = standard_normal(self._extended_shape(sample_shape), self._unbroadcasted_scale_tril).tril(-1)
        factor = self._unbroadcasted_scale_tril @ (diagonal + below)
        return factor @ factor.mT

    def sample(self, sample_shape=()):
        """See Distribution."""
        with no_grad():
            return self.rsample(sample_shape)

    def log_prob(self, value):
        """See Distribution."""
        if self._validate_args:
            self._validate_sample(value)
        nu, n = self.df, self._event_shape[-1]
        low = self._unbroadcasted_scale_tril
        solved = rg.cholesky_solve(value, low.expand((*value.shape[:-2], n, n)))
        return (-nu * (n * math.log(2) / 2 + _log_diagonal(low)) - rg.mvlgamma(nu / 2, n)
                + (nu - n - 1) / 2 * rg.logdet(value) - solved.diagonal(dim1=-2, dim2=-1).sum(-1) / 2)

    def entropy(self):
        """See Distribution."""
        nu, n = self.df, self._event_shape[-1]
        steps = rg.arange(n, dtype=nu.dtype, device=nu.device)
        digammas = rg.digamma((nu.unsqueeze(-1) - steps) / 2).sum(-1)
        return ((n + 1) * (n * math.log(2) / 2 + _log_diagonal(self._unbroadcasted_scale_tril)) + rg.mvlgamma(nu / 2, n)
                - (nu - n - 1) / 2 * digammas + nu * n / 2)

    @property
    def _natural_params(self):
        return -self.precision_matrix / 2, (self.df - self._event_shape[-1] - 1) / 2

    def _log_normalizer(self, x, y):
        n = self._event_shape[-1]
        return (y + (n + 1) / 2) * (-rg.logdet(-2 * x) + n * math.log(2)) + rg.mvlgamma(y + (n + 1) / 2, n)
