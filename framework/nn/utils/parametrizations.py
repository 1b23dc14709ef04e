"""Parametrizations that are used often: weight norm, spectral norm, orthogonal matrices."""
import enum

from ... import ops
from ..._core.modes import no_grad
from ..._core.tensor import Tensor
from ..._functional.creation import eye
from ..._functional.factorisations import geqrf, householder_product
from .. import functional as F
from ..modules.module import Module
from . import parametrize
from ._power_iteration import as_matrix, check_iterations, output_dim, step
from ._weight_norm import norm_except_dim, scaled

# -- orthogonal matrices -----------------------------------------------------------------------------------------------


def _is_orthogonal(q):
    n, k = q.shape[-2:]
    eps = {"float64": 2.0 ** -52, "complex128": 2.0 ** -52}.get(q.dtype.name, 2.0 ** -23)
    return bool((ops.absolute(q.mH @ q - _eye_like(q, k)) <= 10.0 * n * eps + 1e-5 * _eye_like(q, k).real).all())


def _eye_like(x, n):
    return eye(n, dtype=x.dtype, device=x.device)


def _make_orthogonal(a):
    """The Q of a's QR decomposition with a positive diagonal of R.  (*, n, k) -> (*, n, k), k <= n"""
    x, tau = geqrf(a)
    return householder_product(x, tau) * x.diagonal(dim1=-2, dim2=-1).sgn().unsqueeze(-2)


class _OrthMaps(enum.Enum):
    matrix_exp = enum.auto()
    cayley = enum.auto()
    householder = enum.auto()


class _Orthogonal(Module):
    """From a matrix of free numbers to one with orthonormal columns (rows, where it is wide).

    With use_trivialization the result is multiplied from the left by the matrix `base`, which assignments change.
    """

    def __init__(self, weight, orthogonal_map, *, use_trivialization=True):
        super().__init__()
        if weight.is_complex() and orthogonal_map is _OrthMaps.householder:
            raise ValueError("The householder parametrization does not support complex tensors.")
        self.shape, self.orthogonal_map = weight.shape, orthogonal_map
        if use_trivialization:
            self.register_buffer("base", None)

    def forward(self, X):  # noqa: N803 - torch's name
        """(*, n, k) -> the same shape"""
        wide = X.shape[-2] < X.shape[-1]
        tall = X.mT if wide else X
        q = self._householder(tall) if self.orthogonal_map is _OrthMaps.householder else self._of_skew(tall)
        if hasattr(self, "base"):
            q = self.base @ q
        return q.mT if wide else q

    def _of_skew(self, x):
        """exp(A), or the Cayley map of A, for the skew-symmetric matrix A that the lower triangle of x makes; its first k columns."""
        n, k = x.shape[-2:]
        x = x.tril()
        if n != k:
            x = ops.concatenate([x, x.new_zeros(*x.shape[:-1], n - k)], -1)
        a = x - x.mH
        if self.orthogonal_map is _OrthMaps.matrix_exp:
            q = ops.matrix_exp(a)
        else:
            one = _eye_like(a, n)
            q = ops.solve(one - 0.5 * a, one + 0.5 * a)
        return q[..., :k] if n != k else q

    @staticmethod
    def _householder(x):
        """The product of the reflections whose vectors stand below the diagonal; the diagonal holds signs."""
        a = x.tril(diagonal=-1)
        tau = 2.0 / (1.0 + (a * a).sum(dim=-2))
        signs = x.detach().diagonal(dim1=-2, dim2=-1).int()
        return householder_product(a, tau) * signs.unsqueeze(-2)

    @no_grad()
    def right_inverse(self, Q):  # noqa: N803 - torch's name
        """What `forward` makes Q of, as far as Q is orthogonal."""
        if Q.shape != self.shape:
            raise ValueError(f"Expected a matrix or batch of matrices of shape {self.shape}. Got a tensor of shape {Q.shape}.")
        wide = Q.shape[-2] < Q.shape[-1]
        q = Q.mT if wide else Q
        if not hasattr(self, "base"):
            return self._reflections(q, wide)
        n, k = q.shape[-2:]
        if n != k:  # completed to a square one
            q = _make_orthogonal(ops.concatenate([q, q.new_empty(*q.shape[:-1], n - k).normal_(0, 1)], -1))
        else:
            q = q.clone() if _is_orthogonal(q) else _make_orthogonal(q)
        self.base = q
        # -1 on the diagonal: the householder map of this is the identity, and so are the others, which look below it only
        start = ops.zeros_like(Q)
        start.diagonal(dim1=-2, dim2=-1).fill_(-1.0)
        return start

    def _reflections(self, q, wide):
        if self.orthogonal_map is not _OrthMaps.householder:
            raise NotImplementedError("It is not possible to assign to the matrix exponential or the Cayley parametrizations when "
                                      "use_trivialization=False.")
        a, tau = geqrf(q)
        diagonal = a.diagonal(dim1=-2, dim2=-1)
        diagonal.copy_(diagonal.sign() * (1 - 2 * (tau == 0).to(a.dtype)))  # LAPACK says with tau = 0 that there is no reflection
        return a.mT if wide else a


def orthogonal(module, name="weight", orthogonal_map=None, *, use_trivialization=True):
    """Keep a weight (*, n, k) orthogonal: orthonormal columns, or rows where it is wide.  Lezcano-Casado 2019, arXiv:1909.09501.

    orthogonal_map   "matrix_exp", "cayley" or "householder"; by default the first for square and complex matrices, else the last
    """
    weight = _tensor_of(module, name)
    if weight.ndim < 2:
        raise ValueError(f"Expected a matrix or batch of matrices. Got a tensor of {weight.ndim} dimensions.")
    if orthogonal_map is None:
        orthogonal_map = "matrix_exp" if weight.shape[-2] == weight.shape[-1] or weight.is_complex() else "householder"
    if orthogonal_map not in _OrthMaps.__members__:
        raise ValueError(f'orthogonal_map has to be one of "matrix_exp", "cayley", "householder". Got: {orthogonal_map}')
    made_by = _Orthogonal(weight, _OrthMaps[orthogonal_map], use_trivialization=use_trivialization)
    return parametrize.register_parametrization(module, name, made_by, unsafe=True)


def _tensor_of(module, name):
    weight = getattr(module, name, None)
    if not isinstance(weight, Tensor):
        raise ValueError(f"Module '{module}' has no parameter or buffer with name '{name}'")
    return weight


# -- weight norm -------------------------------------------------------------------------------------------------------

class _WeightNorm(Module):
    """g * v / |v|, the lengths those of the slices along `dim` (None: of the whole)."""

    def __init__(self, dim=0):
        super().__init__()
        self.dim = -1 if dim is None else dim

    def forward(self, weight_g, weight_v):
        """The weight."""
        return scaled(weight_v, weight_g, self.dim)

    def right_inverse(self, weight):
        """(g, v)"""
        return norm_except_dim(weight, self.dim), weight


def weight_norm(module, name="weight", dim=0):
    """Make a weight of its lengths, `parametrizations.<name>.original0`, and directions, `original1`.  Salimans & Kingma 2016.

    dim: the dimension whose slices have a length each; None: one length for all.  State dicts of the older `nn.utils.weight_norm` load too.
    """
    parametrize.register_parametrization(module, name, _WeightNorm(dim), unsafe=True)

    def older_keys(state_dict, prefix, *_):
        g, v = f"{prefix}{name}_g", f"{prefix}{name}_v"
        if g in state_dict and v in state_dict:
            for i, key in enumerate((g, v)):
                state_dict[f"{prefix}parametrizations.{name}.original{i}"] = state_dict.pop(key)

    module._register_load_state_dict_pre_hook(older_keys)
    return module


# -- spectral norm -----------------------------------------------------------------------------------------------------

class _SpectralNorm(Module):
    """The weight over its largest singular value, by power iteration on the buffers _u and _v, which goes on in training."""

    def __init__(self, weight, n_power_iterations=1, dim=0, eps=1e-12):
        super().__init__()
        ndim = weight.ndim
        if not -ndim <= dim < ndim:
            raise IndexError(f"Dimension out of range (expected to be in range of [-{ndim}, {ndim - 1}] but got {dim})")
        check_iterations(n_power_iterations)
        self.dim, self.eps = dim % ndim, eps
        if ndim > 1:
            self.n_power_iterations = n_power_iterations
            with no_grad():
                matrix = as_matrix(weight.detach(), self.dim)
                for name, n in zip(("_u", "_v"), matrix.shape):
                    self.register_buffer(name, F.normalize(matrix.new_empty(n).normal_(0, 1), dim=0, eps=eps))
            self._power_method(matrix, 15)

    @no_grad()
    def _power_method(self, matrix, n_power_iterations):
        for _ in range(n_power_iterations):
            step(self._u, matrix, self._v, self.eps)
            step(self._v, matrix.mH, self._u, self.eps)

    def forward(self, weight):
        """(*) -> (*)"""
        if weight.ndim == 1:
            return F.normalize(weight, dim=0, eps=self.eps)
        matrix = as_matrix(weight, self.dim)
        if self.training:
            self._power_method(matrix.detach(), self.n_power_iterations)
        u, v = self._u.clone(), self._v.clone()  # a later forward pass changes the buffers, and this one's backward needs them
        return weight / u.vdot(matrix.mv(v))

    def right_inverse(self, value):
        """The value itself."""
        return value


def spectral_norm(module, name="weight", n_power_iterations=1, eps=1e-12, dim=None):
    """Keep the largest singular value of a weight at 1.  Miyato et al. 2018, arXiv:1802.05957.

    n_power_iterations: per look at the weight in training;  dim: the weight's dimension of outputs (None: 1 for transposed convolutions).
    """
    weight = _tensor_of(module, name)
    made_by = _SpectralNorm(weight, n_power_iterations, output_dim(module, dim), eps)
    return parametrize.register_parametrization(module, name, made_by)


__all__ = ["orthogonal", "spectral_norm", "weight_norm"]
