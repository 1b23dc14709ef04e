"""torch.linalg's names: linear algebra on (batches of) matrices, with gradients of both orders."""
from . import ops
from ._functional._out import accepting_out
from ._functional.arrange import diagonal as _diagonal
from ._functional.differences import linalg_cross as cross
from ._functional.differences import vander
from ._functional.factorisations import (
    householder_product,
    ldl_factor,
    ldl_factor_ex,
    ldl_solve,
    lu,
    lu_factor,
    lu_factor_ex,
    lu_solve,
    tensorinv,
    tensorsolve,
)
from ._functional.linalg import matrix_power
from ._functional.matrices import (
    cholesky,
    cholesky_ex,
    cond,
    det,
    eig,
    eigh,
    eigvals,
    eigvalsh,
    inv,
    inv_ex,
    lstsq,
    matrix_exp,
    matrix_norm,
    matrix_rank,
    multi_dot,
    norm,
    pinv,
    qr,
    slogdet,
    solve,
    solve_ex,
    solve_triangular,
    svd,
    svdvals,
    vecdot,
)
from ._functional.reductions import vector_norm
from .ops.matrices import LinAlgError

matmul = ops.matmul


def diagonal(A, *, offset=0, dim1=-2, dim2=-1):  # noqa: N803 - torch's name
    """The diagonals of the last two dimensions, as a view."""
    return _diagonal(A, offset, dim1, dim2)


__all__ = ["LinAlgError", "cholesky", "cholesky_ex", "cond", "cross", "det", "diagonal", "eig", "eigh", "eigvals", "eigvalsh",
           "householder_product", "inv", "inv_ex", "ldl_factor", "ldl_factor_ex", "ldl_solve", "lstsq", "lu", "lu_factor", "lu_factor_ex",
           "lu_solve", "matmul", "matrix_exp", "matrix_norm", "matrix_power", "matrix_rank", "multi_dot", "norm", "pinv", "qr", "slogdet", "solve",
           "solve_ex", "solve_triangular", "svd", "svdvals", "tensorinv", "tensorsolve", "vander", "vecdot", "vector_norm"]
_WITHOUT_OUT = ("LinAlgError", "diagonal", "vander")  # as in torch
globals().update({name: accepting_out(f"linalg_{name}", globals()[name]) for name in __all__ if name not in _WITHOUT_OUT})
