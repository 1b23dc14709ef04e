"""The two steps of loss scaling that look at numbers, without the host waiting for a device."""
import numpy as np

from .. import _dtypes
from .._backends import of_array
from .._core.hooks import written
from .._core.quiet import OFF, restore, silence
from ..kernels import multi_tensor


def _amp_foreach_non_finite_check_and_unscale_(self, found_inf, inv_scale):
    """Multiply the tensors of the list `self` by inv_scale, in place; found_inf becomes 1 when an element is inf or nan.

    found_inf, inv_scale: float32 tensors of one element, on the device of the tensors
    """
    token = silence(OFF)
    try:
        left = _unscaled_together([t._data for t in self], found_inf._data, inv_scale._data)
        for a in left:
            backend = of_array(a)
            with backend.on_device_of(a):
                _unscale(backend.xp, a, found_inf._data, inv_scale._data.reshape(()))
        for t in self:
            written(t)
    finally:
        restore(token)
        written(found_inf)


def _unscaled_together(arrays, found, factor):
    """Do what `_unscale` does on a GPU, a launch for all arrays of one type.  Returns the arrays that this is not for."""
    kind = type(arrays[0])
    if of_array(arrays[0]).name != "cupy" or type(found) is not kind or type(factor) is not kind:
        return arrays
    by_type, left = {}, []
    for a in arrays:
        takes = type(a) is kind and a.size and found.dtype == factor.dtype == np.float32 and multi_tensor.fits([a])
        (by_type.setdefault(a.dtype, []) if takes else left).append(a)
    for own in by_type.values():
        backend = of_array(own[0])
        with backend.on_device_of(own[0]):
            multi_tensor.unscale_all(backend.xp, own, found, factor)
    return left


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
    scale, count, found = self._data, growth_tracker._data, found_inf._data
    backend = of_array(scale)
    one_launch = backend.name == "cupy" and scale.dtype == found.dtype == np.float32 and count.dtype == np.int32
    token = silence(OFF)
    try:
        with backend.on_device_of(scale):
            (multi_tensor.update_scale if one_launch else _update)(backend.xp, scale, count, found, scale_growth_factor, scale_backoff_factor,
                                                                   growth_interval)
    finally:
        restore(token)
    written(self)
    written(growth_tracker)
    return self


def _update(xp, scale, count, found, growth, backoff, interval):
    """The definition of `multi_tensor.update_scale`."""
    found = found.reshape(scale.shape) != 0
    grows = ~found & (count + 1 == interval)
    grown = scale * np.float32(growth)
    scale[...] = xp.where(found, scale * np.float32(backoff), xp.where(grows & xp.isfinite(grown), grown, scale))
    count[...] = xp.where(found | grows, 0, count + 1)
