"""The two steps of loss scaling that look at numbers, without the host waiting for a device."""
import numpy as np

from .. import _dtypes
from .._backends import of_array
from .._core.hooks import written
from .._core.quiet import OFF, restore, silence


def _amp_foreach_non_finite_check_and_unscale_(self, found_inf, inv_scale):
    """Multiply the tensors of the list `self` by inv_scale, in place; found_inf becomes 1 when an element is inf or nan.

    found_inf, inv_scale: float32 tensors of one element, on the device of the tensors
    """
    token = silence(OFF)
    try:
        for t in self:
            backend = of_array(t._data)
            with backend.on_device_of(t._data):
                _unscale(backend.xp, t._data, found_inf._data, inv_scale._data.reshape(()))
            written(t)
    finally:
        restore(token)
        written(found_inf)


def _unscale(xp, a, found, factor):
    bad = ~xp.isfinite(a).all()
    found[...] = xp.maximum(found, bad.astype(np.float32))
    if _dtypes.is_half(a.dtype):
        a[...] = (a.astype(np.float32) * factor).astype(a.dtype)
    else:
        a *= factor.astype(a.real.dtype)


def _amp_update_scale_(self, growth_tracker, found_inf, scale_growth_factor, scale_backoff_factor, growth_interval):
    """Lower the scale `self` after an inf, raise it after growth_interval steps without one; growth_tracker counts those.  Returns `self`.

    A scale that would become inf stays what it is.
    """
    scale, count = self._data, growth_tracker._data
    backend = of_array(scale)
    token = silence(OFF)
    try:
        with backend.on_device_of(scale):
            xp = backend.xp
            found = found_inf._data.reshape(scale.shape) != 0
            grows = ~found & (count + 1 == growth_interval)
            grown = scale * np.float32(scale_growth_factor)
            scale[...] = xp.where(found, scale * np.float32(scale_backoff_factor), xp.where(grows & xp.isfinite(grown), grown, scale))
            count[...] = xp.where(found | grows, 0, count + 1)
    finally:
        restore(token)
    written(self)
    written(growth_tracker)
    return self
