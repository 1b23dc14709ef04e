"""What the distributions share: broadcast parameters, probabilities and their logits, and properties that are computed once."""
from .._core.modes import enable_grad
from .._core.tensor import Tensor
from .._dtypes import get_default_dtype
from .._tensor.info import Size
from ..nn import functional as F
from ._names import rg

__all__ = ["broadcast_all", "clamp_probs", "euler_constant", "lazy_property", "logits_to_probs", "probs_to_logits", "tril_matrix_to_vec",
           "vec_to_tril_matrix"]

euler_constant = 0.57721566490153286060


def _is_number(x):
    return isinstance(x, (int, float, bool, complex))


def broadcast_all(*values):
    """Tensors of one shape from tensors and numbers; numbers take the first tensor's type and place.  ValueError for anything else."""
    if not all(isinstance(v, Tensor) or _is_number(v) for v in values):
        raise ValueError("Input arguments must all be instances of Number, torch.Tensor or objects implementing __torch_function__.")
    first = next((v for v in values if isinstance(v, Tensor)), None)
    options = {"dtype": get_default_dtype() if first is None else first.dtype, "device": None if first is None else first.device}
    return rg.broadcast_tensors(*[v if isinstance(v, Tensor) else rg.tensor(v, **options) for v in values])


def shape_of(value):
    """The shape of a tensor, () of a number."""
    return value.shape if isinstance(value, Tensor) else Size()


def standard_normal(shape, like):
    """Normal numbers in the type and place of `like`."""
    return rg.randn(tuple(shape), dtype=like.dtype, device=like.device)


def uniform(shape, like):
    """Numbers from [0, 1) in the type and place of `like`."""
    return rg.rand(tuple(shape), dtype=like.dtype, device=like.device)


def open_uniform(shape, like):
    """Numbers from (0, 1), neither end included."""
    return uniform(shape, like).clamp(min=rg.finfo(like.dtype).tiny)


def logits_to_probs(logits, is_binary=False):
    """sigmoid of log odds, or with several categories softmax along the last dimension."""
    return rg.sigmoid(logits) if is_binary else F.softmax(logits, dim=-1)


def clamp_probs(probs):
    """Probabilities kept away from 0 and 1 by the precision of their type, so that their logarithms are finite."""
    eps = rg.finfo(probs.dtype).eps
    return probs.clamp(min=eps, max=1 - eps)


def probs_to_logits(probs, is_binary=False):
    """Log odds, or with several categories logarithms, of probabilities."""
    clamped = clamp_probs(probs)
    return rg.log(clamped) - rg.log1p(-clamped) if is_binary else rg.log(clamped)


class lazy_property:  # noqa: N801 - torch's name
    """A property that is computed when first asked for and then kept in the instance."""

    def __init__(self, wrapped):
        self.wrapped, self.__doc__ = wrapped, wrapped.__doc__

    def __get__(self, instance, owner=None):
        if instance is None:
            return self
        with enable_grad():
            value = self.wrapped(instance)
        setattr(instance, self.wrapped.__name__, value)
        return value


def tril_matrix_to_vec(mat, diag=0):
    """The lower triangle of (..., n, n), up to the diagonal `diag`, row by row.  ValueError for a diagonal outside."""
    n = mat.shape[-1]
    if not -n <= diag < n:
        raise ValueError(f"diag ({diag}) provided is outside [{-n}, {n - 1}].")
    rows, columns = rg.tril_indices(n, n, diag)
    return mat[..., rows, columns]


def vec_to_tril_matrix(vec, diag=0):
    """`tril_matrix_to_vec`, undone: zeros stand above.  ValueError for a length that no triangle has."""
    d = vec.shape[-1]
    n = (-(1 + 2 * diag) + ((1 + 2 * diag) ** 2 + 8 * d + 4 * abs(diag) * (diag + 1)) ** 0.5) / 2
    if not round(n, 5).is_integer():
        raise ValueError(f"The size of last dimension is {d} which cannot be expressed as the lower triangular part of a square D x D matrix.")
    n = round(n)
    rows, columns = rg.tril_indices(n, n, diag)
    return rg.index_put(vec.new_zeros((*vec.shape[:-1], n * n)).movedim(-1, 0), (rows * n + columns,), vec.movedim(-1, 0)).movedim(0, -1).reshape(
        (*vec.shape[:-1], n, n))


def sum_rightmost(value, dims):
    """`value` summed over its last `dims` dimensions."""
    return value if not dims else value.reshape((*value.shape[:value.dim() - dims], -1)).sum(-1)


_standard_normal, _sum_rightmost = standard_normal, sum_rightmost  # other libraries take them by torch's names
