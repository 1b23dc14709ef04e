"""What NumPy's functions give for meta arrays: shapes by rule, types by calling the function on one element.

Views need no rule, NumPy makes them of the forms.  A function that stands in no table here makes the operation run on zeros (see meta_).
"""
import numpy as np

from . import meta_
from .meta_ import MetaArray, array_like, array_of

RULES = meta_.RULES


def _tiny(x, ndim=None):
    """One element of the type and number of dimensions of an array; numbers as they are."""
    if isinstance(x, (MetaArray, np.ndarray)):
        return np.ones((1,) * (x.ndim if ndim is None else ndim), x.dtype)
    return [_tiny(each, ndim) for each in x] if isinstance(x, (list, tuple)) else x


def _shape(x):
    return x.shape if isinstance(x, MetaArray) else np.shape(x)


def _refuse_values(arrays):
    """An array with values beside meta arrays is a tensor of the CPU, unless it is a number."""
    for a in arrays:
        if isinstance(a, np.ndarray) and a.ndim:
            raise meta_.MixedWithMeta


def _laid_out(shape, dtype, inputs):
    """A new array of `shape`, ordered in memory as the first of `inputs` that has this shape."""
    like = next((x for x in inputs if isinstance(x, MetaArray) and x.shape == shape), None)
    return array_of(shape, dtype) if like is None else array_like(like, dtype)


# -- ufuncs --------------------------------------------------------------------------------------------------------------

def _ufunc(ufunc, method, inputs, out, options):
    if method == "__call__":
        _refuse_values(inputs)
        found = _matmul(ufunc, *inputs) if ufunc.signature else _elementwise(ufunc, inputs, options)
    elif method == "reduce":
        found = _reduction(ufunc.reduce)(*inputs, **options)
    elif method == "accumulate":
        found = array_like(inputs[0], ufunc.accumulate(_tiny(inputs[0], 1), dtype=options.get("dtype")).dtype)
    elif method == "at":
        return None
    else:
        raise RuntimeError(f"{ufunc.__name__}.{method} has no meta rule")
    if out is not None and out[0] is not None:
        out[0][...] = found
        return out[0]
    return found


def _elementwise(function, inputs, options=None):
    shape = np.broadcast_shapes(*[_shape(x) for x in inputs])
    with np.errstate(all="ignore"):
        sample = function(*[_tiny(x) for x in inputs], **{k: v for k, v in (options or {}).items() if k not in ("where", "out")})
    if isinstance(sample, tuple):
        return tuple(_laid_out(shape, s.dtype, inputs) for s in sample)
    return _laid_out(shape, sample.dtype, inputs)


def _matmul(ufunc, x, y):
    if ufunc is not np.matmul:
        raise RuntimeError(f"{ufunc.__name__} has no meta rule")
    a, b = x.shape, y.shape
    if not a or not b or a[-1] != (b[-2] if len(b) > 1 else b[0]):
        raise ValueError(f"matmul: Input operand 1 has a mismatch in its core dimension 0 (shapes {a} and {b})")
    rows, columns = a[-2:-1], b[-1:] if len(b) > 1 else ()
    dtype = np.matmul(np.ones((1, 1), x.dtype), np.ones((1, 1), y.dtype)).dtype
    return array_of((*np.broadcast_shapes(a[:-2], b[:-2]), *rows, *columns), dtype)


# -- reductions ----------------------------------------------------------------------------------------------------------

def _reduction(function):
    def reduced(x, axis=None, dtype=None, out=None, keepdims=False, **options):
        axis, keepdims = _no_value(axis), bool(_no_value(keepdims))
        options = {k: v for k, v in options.items() if k in ("ddof", "correction")}
        if dtype is not None and dtype is not np._NoValue:
            options["dtype"] = dtype
        with np.errstate(all="ignore"):
            sample = function(np.ones(2, x.dtype), **options)
        axes = range(x.ndim) if axis is None else [axis] if isinstance(axis, (int, np.integer)) else axis
        axes = {np.lib.array_utils.normalize_axis_index(int(a), x.ndim) for a in axes}
        kept = [1 if i in axes else n for i, n in enumerate(x.shape) if keepdims or i not in axes]
        return array_of(kept, sample.dtype)
    return reduced


def _no_value(option):
    return None if option is np._NoValue else option


for _reducing in (np.sum, np.prod, np.mean, np.var, np.std, np.all, np.any, np.amax, np.amin, np.max, np.min, np.argmax, np.argmin, np.nansum,
                  np.median, np.count_nonzero):
    RULES[_reducing] = _reduction(_reducing)


# -- views ---------------------------------------------------------------------------------------------------------------

def _view(function):
    def looked(x, *args, **kwargs):
        kwargs.pop("writeable", None)
        found = function(x.form, *args, **kwargs)
        return type(found)([x.look(f) for f in found]) if isinstance(found, (list, tuple)) else x.look(found)
    return looked


for _looking in (np.transpose, np.swapaxes, np.moveaxis, np.rollaxis, np.squeeze, np.expand_dims, np.broadcast_to, np.diagonal, np.flip, np.split,
                 np.array_split, np.lib.stride_tricks.sliding_window_view, np.real, np.atleast_1d, np.atleast_2d, np.rot90):
    RULES[_looking] = _view(_looking)
RULES[np.imag] = lambda x: x.imag


def _reshape(x, shape, order="C", copy=None):
    wanted = (int(shape),) if isinstance(shape, (int, np.integer)) else tuple(int(n) for n in shape)
    unknown = -1 in wanted
    known = int(np.prod([n for n in wanted if n != -1], dtype=np.int64))
    if (known == 0 or x.size % known) if unknown else known != x.size:
        raise ValueError(f"cannot reshape array of size {x.size} into shape {wanted}")
    wanted = tuple(x.size // known if n == -1 else n for n in wanted)
    try:
        return x.look(x.form.reshape(wanted, copy=False))
    except ValueError:
        return array_of(wanted, x.dtype)


RULES[np.reshape] = _reshape
RULES[np.ravel] = lambda x, order="C": _reshape(x, -1)


def _getitem(x, key):
    """Indexing: views by NumPy; lists and arrays of places by the rule that their broadcast shape takes the place of their dimensions."""
    keys = key if isinstance(key, tuple) else (key,)
    keys = tuple(np.asarray(k) if isinstance(k, list) else k for k in keys)
    if any(_is_mask(k) for k in keys):
        raise NotImplementedError("a mask of a meta tensor: the shape of what it picks depends on values, which meta tensors do not have")
    if not any(isinstance(k, (MetaArray, np.ndarray)) for k in keys):
        found = x.form[key]
        return x.look(found) if isinstance(found, np.ndarray) else array_of((), x.dtype)
    keys = _without_ellipsis(x, keys)
    basic = x.form[tuple(slice(None) if isinstance(k, (MetaArray, np.ndarray)) else k for k in keys)]
    places = [i for i, k in enumerate(keys) if isinstance(k, (MetaArray, np.ndarray, int, np.integer))]
    picked = np.broadcast_shapes(*[_shape(keys[i]) for i in places])
    shape, at, rest = [], 0, list(basic.shape)
    apart = places[-1] - places[0] >= len(places)
    for i, k in enumerate(keys):
        if i == places[0] and not apart:
            at = len(shape)
        if isinstance(k, (MetaArray, np.ndarray)):
            rest.pop(0)
        elif not isinstance(k, (int, np.integer)):
            shape.append(rest.pop(0))
    return array_of((*shape[:at], *picked, *shape[at:], *rest), x.dtype)


def _is_mask(k):
    return getattr(k, "dtype", None) is not None and k.dtype == bool and k.ndim > 0


def _without_ellipsis(x, keys):
    at = next((i for i, k in enumerate(keys) if k is Ellipsis), None)
    if at is None:
        return keys
    used = sum(k is not None and k is not Ellipsis for k in keys)
    return (*keys[:at], *[slice(None)] * (x.ndim - used), *keys[at + 1:])


RULES["ufunc"], RULES["getitem"], RULES["elementwise"] = _ufunc, _getitem, _elementwise


# -- one array for another -----------------------------------------------------------------------------------------------

def _same(x, *args, **kwargs):
    return array_like(x)


for _keeping in (np.tril, np.triu, np.roll, np.sort, np.nan_to_num, np.copy, np.partition):
    RULES[_keeping] = _same
RULES[np.round] = RULES[np.around] = lambda x, decimals=0, out=None: array_like(x)
RULES[np.argsort] = RULES[np.argpartition] = lambda x, *args, **kwargs: array_of(x.shape, np.int64)
RULES[np.cumsum] = RULES[np.cumprod] = lambda x, axis=None, dtype=None, out=None: array_of(
    x.shape if axis is not None else (x.size,), np.cumsum(np.ones(1, x.dtype), dtype=dtype).dtype)
RULES[np.astype] = lambda x, dtype, copy=True, device=None: x.astype(dtype, copy=copy)
RULES[np.clip] = lambda x, low=None, high=None, out=None, **bounds: _elementwise(np.clip, (x, bounds.get("min", low), bounds.get("max", high)))


def _new_like(x, dtype=None, order="K", subok=True, shape=None, device=None):
    return array_like(x, dtype, shape)


RULES[np.empty_like] = RULES[np.zeros_like] = RULES[np.ones_like] = _new_like
RULES[np.full_like] = lambda x, fill_value, dtype=None, order="K", subok=True, shape=None: array_like(x, dtype, shape)


def _where(condition, *choices):
    if not choices:
        raise NotImplementedError("where of a meta tensor: how many places there are depends on values, which meta tensors do not have")
    _refuse_values((condition, *choices))
    return _elementwise(np.where, (condition, *choices))


RULES[np.where] = _where
RULES[np.nonzero] = RULES[np.argwhere] = RULES[np.flatnonzero] = lambda x: _where(x)


def _copyto(target, source, casting="same_kind", where=True):
    if isinstance(target, np.ndarray):
        raise NotImplementedError("Cannot copy out of meta tensor; no data!")
    target[...] = source


RULES[np.copyto] = _copyto


# -- several arrays, pieces and products -----------------------------------------------------------------------------------

def _concatenate(arrays, axis=0, out=None, dtype=None, casting="same_kind"):
    _refuse_values(arrays)
    first = arrays[0]
    axis = np.lib.array_utils.normalize_axis_index(axis, first.ndim)
    for a in arrays:
        if a.shape[:axis] + a.shape[axis + 1:] != first.shape[:axis] + first.shape[axis + 1:]:
            raise ValueError(f"all the input array dimensions except for the concatenation axis must match exactly: {first.shape} and {a.shape}")
    length = sum(a.shape[axis] for a in arrays)
    common = np.concatenate(_tiny(arrays, 1), dtype=dtype).dtype
    return array_of((*first.shape[:axis], length, *first.shape[axis + 1:]), common)


def _stack(arrays, axis=0, out=None, dtype=None, casting="same_kind"):
    return _concatenate([np.expand_dims(a, axis) for a in arrays], axis if axis >= 0 else axis + arrays[0].ndim + 1, dtype=dtype)


def _take(x, indices, axis=None, out=None, mode="raise"):
    shape = _shape(indices)
    if axis is None:
        return array_of(shape, x.dtype)
    axis = np.lib.array_utils.normalize_axis_index(axis, x.ndim)
    return array_of((*x.shape[:axis], *shape, *x.shape[axis + 1:]), x.dtype)


def _pad(x, pad_width, mode="constant", **options):
    widths = np.broadcast_to(np.asarray(pad_width), (x.ndim, 2))
    return array_of([n + int(before) + int(after) for n, (before, after) in zip(x.shape, widths)], x.dtype)


def _repeat(x, repeats, axis=None):
    if not isinstance(repeats, (int, np.integer)):
        raise RuntimeError("repeat by an array has no meta rule")
    x, axis = (_reshape(x, -1), 0) if axis is None else (x, np.lib.array_utils.normalize_axis_index(axis, x.ndim))
    return array_of((*x.shape[:axis], x.shape[axis] * int(repeats), *x.shape[axis + 1:]), x.dtype)


def _tile(x, reps):
    reps = (reps,) if isinstance(reps, (int, np.integer)) else tuple(reps)
    n = max(len(reps), x.ndim)
    return array_of([a * int(b) for a, b in zip((1,) * (n - x.ndim) + x.shape, (1,) * (n - len(reps)) + reps)], x.dtype)


def _tensordot(x, y, axes=2):
    mine, yours = (range(x.ndim - axes, x.ndim), range(axes)) if isinstance(axes, int) else [[a] if isinstance(a, int) else a for a in axes]
    mine, yours = {a % x.ndim for a in mine}, {a % y.ndim for a in yours}
    kept = [n for i, n in enumerate(x.shape) if i not in mine] + [n for i, n in enumerate(y.shape) if i not in yours]
    return array_of(kept, np.result_type(x.dtype, y.dtype))


def _dot(x, y, out=None):
    return np.multiply(x, y) if x.ndim == 0 or y.ndim == 0 else np.matmul(x, y) if y.ndim < 3 else _tensordot(x, y, ([x.ndim - 1], [y.ndim - 2]))


def _take_along_axis(x, indices, axis=-1):
    axis = np.lib.array_utils.normalize_axis_index(axis, x.ndim)
    outer = np.broadcast_shapes(x.shape[:axis] + x.shape[axis + 1:], indices.shape[:axis] + indices.shape[axis + 1:])
    return array_of((*outer[:axis], indices.shape[axis], *outer[axis:]), x.dtype)


def _einsum(subscripts, *operands, **options):
    _refuse_values(operands)
    if "..." in subscripts or "->" not in subscripts:
        raise RuntimeError("einsum has a meta rule for letters and an arrow only")
    terms, result = subscripts.replace(" ", "").split("->")
    sizes = {}
    for term, x in zip(terms.split(","), operands):
        sizes.update(zip(term, x.shape))
    return array_of([sizes[letter] for letter in result], np.result_type(*[x.dtype for x in operands]))


RULES.update({np.concatenate: _concatenate, np.stack: _stack, np.take: _take, np.pad: _pad, np.repeat: _repeat, np.tile: _tile, np.dot: _dot,
              np.tensordot: _tensordot, np.take_along_axis: _take_along_axis, np.einsum: _einsum,
              np.put_along_axis: lambda x, indices, values, axis: None, np.fill_diagonal: lambda x, value, wrap=False: None,
              np.outer: lambda x, y, out=None: array_of((x.size, y.size), np.result_type(x.dtype, y.dtype)),
              np.shape: lambda x: x.shape, np.ndim: lambda x: x.ndim, np.size: lambda x, axis=None: x.size if axis is None else x.shape[axis],
              np.iscomplexobj: lambda x: x.dtype.kind == "c", np.result_type: lambda *xs: np.result_type(*[_tiny(x) for x in xs]),
              np.isin: lambda x, y, **options: array_of(x.shape, bool),
              np.shares_memory: lambda x, y, max_work=None: False, np.may_share_memory: lambda x, y, max_work=None: False,
              np.broadcast_arrays: lambda *xs, subok=False: tuple(np.broadcast_to(x, np.broadcast_shapes(*[_shape(x) for x in xs])) for x in xs)})
