"""Sizes and dimensions, as users spell them."""
import operator

from .._core.tensor import Tensor


def sizes(args, name):
    """The tuple of sizes in `f(2, 3)`, `f((2, 3))`, `f([2, 3])` or `f(2)`.  TypeError for what is no integer; `name` is the function's."""
    if len(args) == 1:
        only = args[0]
        if isinstance(only, (tuple, list)):
            args = only
        elif isinstance(only, Tensor) and only._data.ndim:
            args = only.tolist()
    try:
        return tuple([n if type(n) is int else _integer(n) for n in args])
    except TypeError:
        bad = next(i for i, n in enumerate(args) if not _is_integer(n))
        raise TypeError(f"{name}(): argument 'size' must be tuple of ints, but found {type(args[bad]).__name__} {args[bad]!r} at position "
                        f"{bad + 1}") from None


def shape_of_new(args, size, name):
    """As `sizes`, for a new tensor: `size=` may stand for the arguments, and none may be negative."""
    if not args and size is None:
        raise TypeError(f'{name}() missing 1 required positional arguments: "size"')
    shape = sizes(args if size is None else (size,), name)
    for n in shape:
        if n < 0:
            raise RuntimeError(f"{name}: Dimension size must be non-negative, but found {n} in {list(shape)}.")
    return shape


def _integer(n):
    if not _is_integer(n):
        raise TypeError
    return operator.index(n)


def _is_integer(n):
    return hasattr(n, "__index__") and not isinstance(n, bool)


def several(tensors):
    """The tensors of `f(a, b)` or of `f([a, b])`."""
    return tensors[0] if len(tensors) == 1 and isinstance(tensors[0], (tuple, list)) else tensors


def check_tensors(tensors, name):
    """TypeError unless `tensors` is a sequence of Tensors."""
    if isinstance(tensors, Tensor) or not isinstance(tensors, (tuple, list)):
        raise TypeError(f"{name}(): argument 'tensors' (position 1) must be tuple of Tensors, not {type(tensors).__name__}")
    for i, t in enumerate(tensors):
        if not isinstance(t, Tensor):
            raise TypeError(f"expected Tensor as element {i} in argument 0, but got {type(t).__name__}")
