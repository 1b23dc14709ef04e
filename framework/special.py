"""torch.special's names: special functions, elementwise, and the reductions and normalisations that torch keeps there too."""
from . import ops
from ._functional._out import accepting_out
from ._functional.elementwise import logit, round  # noqa: A004
from ._functional.nn_ops import log_softmax, softmax
from ._functional.reductions import logsumexp
from ._functional.special_elementwise import (
    POLYNOMIALS,
    entr,
    igamma,
    igammac,
    modified_bessel_i0,
    modified_bessel_i1,
    mvlgamma,
    ndtr,
    polygamma,
    spherical_bessel_j0,
    zeta,
)

digamma = psi = ops.digamma
gammaln = ops.lgamma
multigammaln = mvlgamma
erf, erfc, erfinv, exp2, expm1, log1p = ops.erf, ops.erfc, ops.erfinv, ops.exp2, ops.expm1, ops.log1p
expit, sinc, xlogy, xlog1py = ops.sigmoid, ops.sinc, ops.xlogy, ops.xlog1py
i0, i0e, i1, i1e = ops.i0, ops.i0e, ops.i1, ops.i1e
erfcx, log_ndtr, ndtri, airy_ai = ops.erfcx, ops.log_ndtr, ops.ndtri, ops.airy_ai
gammainc, gammaincc = igamma, igammac
bessel_j0, bessel_j1, bessel_y0, bessel_y1 = ops.bessel_j0, ops.bessel_j1, ops.bessel_y0, ops.bessel_y1
modified_bessel_k0, modified_bessel_k1 = ops.modified_bessel_k0, ops.modified_bessel_k1
scaled_modified_bessel_k0, scaled_modified_bessel_k1 = ops.scaled_modified_bessel_k0, ops.scaled_modified_bessel_k1
globals().update(POLYNOMIALS)

__all__ = ["airy_ai", "bessel_j0", "bessel_j1", "bessel_y0", "bessel_y1", "digamma", "entr", "erf", "erfc", "erfcx", "erfinv", "exp2", "expit",
           "expm1", "gammainc", "gammaincc", "gammaln", "i0", "i0e", "i1", "i1e", "log1p", "log_ndtr", "log_softmax", "logit", "logsumexp",
           "modified_bessel_i0", "modified_bessel_i1", "modified_bessel_k0", "modified_bessel_k1", "multigammaln", "ndtr", "ndtri", "polygamma",
           "psi", "round", "scaled_modified_bessel_k0", "scaled_modified_bessel_k1", "sinc", "softmax", "spherical_bessel_j0", "xlog1py", "xlogy",
           "zeta"]
__all__ += [*POLYNOMIALS]
_WITHOUT_OUT = ("log_softmax", "softmax")  # as in torch
globals().update({name: accepting_out(f"special_{name}", globals()[name]) for name in __all__ if name not in _WITHOUT_OUT})
