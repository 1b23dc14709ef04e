"""Bessel functions of the first and second kind, the modified ones of the second kind, and Airy's function, elementwise.

Integers become the default float.  As in torch they pass no gradient.
"""
import numpy as np

from .. import _dtypes
from .._core.op import op
from .._core.promotion import refusing, to_float
from . import _bessel


def _declared(name, host, on_gpu, doc):
    """An op of one input: host(x) on NumPy arrays, cupyx.scipy.special's function `on_gpu` on CuPy's (None: on the CPU too)."""
    def forward(xp, x):
        if xp is np:
            return host(x)
        if on_gpu is None:
            return xp.asarray(host(x.get()))
        from cupyx.scipy import special
        return getattr(special, on_gpu)(x)
    forward.__name__, forward.__doc__ = name, doc
    return op(promote=refusing(to_float, name, _dtypes.COMPLEX))(forward)


bessel_j0 = _declared("bessel_j0", lambda x: _bessel.bessel_j(x, 0), "j0", "The Bessel function of the first kind, of order 0.")
bessel_j1 = _declared("bessel_j1", lambda x: _bessel.bessel_j(x, 1), "j1", "The Bessel function of the first kind, of order 1.")
bessel_y0 = _declared("bessel_y0", lambda x: _bessel.bessel_y(x, 0), "y0", "The Bessel function of the second kind, of order 0.")
bessel_y1 = _declared("bessel_y1", lambda x: _bessel.bessel_y(x, 1), "y1", "The Bessel function of the second kind, of order 1.")
modified_bessel_k0 = _declared("modified_bessel_k0", lambda x: _bessel.bessel_k(x, 0, False), "k0",
                               "The modified Bessel function of the second kind, of order 0.")
modified_bessel_k1 = _declared("modified_bessel_k1", lambda x: _bessel.bessel_k(x, 1, False), "k1",
                               "The modified Bessel function of the second kind, of order 1.")
scaled_modified_bessel_k0 = _declared("scaled_modified_bessel_k0", lambda x: _bessel.bessel_k(x, 0, True), "k0e", "modified_bessel_k0(x) exp(x).")
scaled_modified_bessel_k1 = _declared("scaled_modified_bessel_k1", lambda x: _bessel.bessel_k(x, 1, True), "k1e", "modified_bessel_k1(x) exp(x).")
airy_ai = _declared("airy_ai", _bessel.airy, None, "Airy's function Ai.")
