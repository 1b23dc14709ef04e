"""Arguments as users spell them."""
import warnings

from ..._backends import of_array
from ..._core.inplace import apply_inplace
from ..._core.tensor import Tensor, wrap


def per_dimension(value, d, name):
    """One int per spatial dimension: from an int, a sequence of one, or a sequence of d.  RuntimeError for another length."""
    if isinstance(value, int):
        return (value,) * d
    values = tuple(int(v) for v in value)
    if len(values) == 1:
        return values * d
    if len(values) != d:
        raise RuntimeError(f"expected {name} to be a single integer value or a list of {d} values to match the convolution dimensions, but got "
                           f"{name}={list(values)}")
    return values


def batched(input, d, name):
    """(input with a batch dimension, whether it was added) for d spatial dimensions.  RuntimeError for other numbers of dimensions."""
    if input.ndim == d + 2:
        return input, False
    if input.ndim == d + 1:
        return input[None], True
    raise RuntimeError(f"Expected {d + 1}D (unbatched) or {d + 2}D (batched) input to {name}, but got input of size: {list(input.shape)}")


def unbatched(output, added):
    """`output` without the batch dimension that `batched` added."""
    return output[0] if added else output


def in_place_or_not(function, inplace, input, *attrs):
    """function(input, *attrs) of an op's fast function, or its in-place twin."""
    if not inplace:
        return function(input, *attrs)
    op = function.op
    return apply_inplace(op, input, (), {**op.attrs, **dict(zip(op.attrs, attrs))})


def reduction_of(size_average, reduce, reduction="mean"):
    """`reduction` in the words of before torch 0.4: size_average and reduce.  Warns when they are used."""
    if size_average is None and reduce is None:
        return reduction
    size_average, reduce = size_average is None or size_average, reduce is None or reduce
    word = "mean" if size_average and reduce else "sum" if reduce else "none"
    warnings.warn(f"size_average and reduce args will be deprecated, please use reduction='{word}' instead.", stacklevel=3)
    return word


def check_reduction(reduction):
    """ValueError for a reduction that is not one."""
    if reduction not in ("none", "mean", "sum"):
        raise ValueError(f"{reduction} is not a valid value for reduction; it is 'none', 'mean' or 'sum'")


def beside(input, array):
    """A NumPy array as a tensor on the device of `input`."""
    backend = of_array(input._data)
    with backend.on_device_of(input._data):
        return wrap(backend.asarray(array))


def check_tensor(value, function, argument):
    """TypeError unless `value` is a Tensor."""
    if not isinstance(value, Tensor):
        raise TypeError(f"{function}(): argument '{argument}' must be Tensor, not {type(value).__name__}")
