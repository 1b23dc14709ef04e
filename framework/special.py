"""torch.special's names: special functions, elementwise, and the reductions and normalisations that torch keeps there too."""
from . import ops
from ._functional.elementwise import logit, round  # noqa: A004
from ._functional.nn_ops import log_softmax, softmax
from ._functional.reductions import logsumexp
from ._functional.special_elementwise import entr, mvlgamma, ndtr, ndtri, polygamma

digamma = psi = ops.digamma
gammaln = ops.lgamma
multigammaln = mvlgamma
erf, erfc, erfinv, exp2, expm1, log1p = ops.erf, ops.erfc, ops.erfinv, ops.exp2, ops.expm1, ops.log1p
expit, sinc, xlogy, xlog1py = ops.sigmoid, ops.sinc, ops.xlogy, ops.xlog1py
i0, i0e, i1, i1e = ops.i0, ops.i0e, ops.i1, ops.i1e

__all__ = ["digamma", "entr", "erf", "erfc", "erfinv", "exp2", "expit", "expm1", "gammaln", "i0", "i0e", "i1", "i1e", "log1p", "log_softmax", "logit",
           "logsumexp", "multigammaln", "ndtr", "ndtri", "polygamma", "psi", "round", "sinc", "softmax", "xlog1py", "xlogy"]
