"""make_tensor: a tensor of random numbers of any type."""
import math

from .._dtypes import as_dtype
from .._functional.creation import empty
from .._functional.dtypes import iinfo

_FLOAT_RANGE, _INTEGER_RANGE = (-9.0, 9.0), (-9, 10)


def make_tensor(*shape, dtype, device, low=None, high=None, requires_grad=False, noncontiguous=False, exclude_zero=False, memory_format=None):
    """Numbers uniform in [low, high): from -9 to 9 for floats and complex numbers, -9 to 9 for signed integers, 0 to 9 for uint8, both bools.

    noncontiguous: every second element of a larger tensor.  exclude_zero: zeros become the smallest positive number (1 for integers).
    """
    if len(shape) == 1 and not isinstance(shape[0], int):
        shape = tuple(shape[0])
    dtype = as_dtype(dtype)
    if requires_grad and not (dtype.is_floating_point or dtype.is_complex):
        raise ValueError(f"`requires_grad=True` is not supported for boolean and integral dtypes, but got dtype={dtype}")
    full = (*shape[:-1], 2 * shape[-1]) if noncontiguous and math.prod(shape) > 1 else shape
    result = _filled(full, dtype, device, low, high)
    if full != shape:
        result = result[..., ::2]
    if exclude_zero:
        result[result == 0] = 1 if not (dtype.is_floating_point or dtype.is_complex) else 2.0 ** -14
    if memory_format is not None:
        result = result.clone(memory_format=memory_format)
    return result.requires_grad_(requires_grad) if requires_grad else result


def _filled(shape, dtype, device, low, high):
    kind = dtype.is_floating_point or dtype.is_complex
    lowest, highest = _FLOAT_RANGE if kind else (0, 2) if str(dtype).endswith("bool") else _INTEGER_RANGE
    low, high = lowest if low is None else low, highest if high is None else high
    if not kind and not str(dtype).endswith("bool"):
        low = max(low, iinfo(dtype).min)
    if not low < high and not (low == high and kind):
        raise ValueError(f"`low` must be less than `high`, but got {low} >= {high}")
    result = empty(shape, dtype=dtype, device=device)
    if dtype.is_complex:
        result.real.uniform_(low, high)
        result.imag.uniform_(low, high)
        return result
    if kind:
        return result.uniform_(low, high)
    return result.random_(math.ceil(low), math.ceil(high))
