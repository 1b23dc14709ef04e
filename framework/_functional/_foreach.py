"""torch's `_foreach_*` functions, which run one operation on every tensor of a list: what optimizers and gradient clipping are written with.

    _foreach_add(tensors, 1.0)   _foreach_add(tensors, others, alpha=2)   _foreach_add_(tensors, numbers)   _foreach_sqrt(tensors)

A second operand is one number, one tensor, or a list with a number or a tensor for each.  The functions return a tuple of new tensors; those
whose name ends in "_" write over the tensors and return their list.  Each is the loop over Tensor's method that its name says.
"""
from .._core.tensor import Tensor

_ONE = """abs acos asin atan ceil clone cos cosh erf erfc exp expm1 floor frac lgamma log log10 log1p log2 max neg norm reciprocal round rsqrt
          sigmoid sign sin sinh sqrt tan tanh trunc"""
_TWO = "add clamp_max clamp_min div maximum minimum mm mul pow sub"
_THREE = {"addcdiv": "value", "addcmul": "value", "lerp": "weight"}
_NEVER_INPLACE = ("clone", "max", "norm", "mm")
_SCALED = ("add", "sub")  # take alpha


def _checked(tensors):
    if not len(tensors):
        raise RuntimeError("Tensor list must have at least one tensor.")
    return tensors


def _one_each(tensors, operand):
    """The operand of each tensor.  RuntimeError, in torch's words, for a list of another length."""
    if not isinstance(operand, (list, tuple)):
        return [operand] * len(tensors)
    if len(operand) != len(tensors):
        if operand and isinstance(operand[0], Tensor):
            raise RuntimeError(f"Tensor lists must have the same number of tensors, got {len(tensors)} and {len(operand)}")
        raise RuntimeError("Tensor list must have same number of elements as scalar list.")
    return operand


def _call(name, x, *args, **kwargs):
    """x.name(*args).  maximum and minimum take a number too, and have an in-place form, which their methods have not."""
    if name.rstrip("_") in ("maximum", "minimum"):
        (y,) = args
        found = getattr(x, name.rstrip("_"))(y if isinstance(y, Tensor) else x.new_tensor(y))
        return x.copy_(found) if name.endswith("_") else found
    return getattr(x, name)(*args, **kwargs)


def _finish(name, tensors, results):
    return tensors if name.endswith("_") else tuple(results)


def _unary(name):
    def each(self, *args, **kwargs):
        return _finish(name, self, [_call(name, x, *args, **kwargs) for x in _checked(self)])
    return each


def _binary(name):
    def each(self, other, *, alpha=None):
        if alpha is not None and name.rstrip("_") not in _SCALED:
            raise TypeError(f"_foreach_{name}() got an unexpected keyword argument 'alpha'")
        if isinstance(other, Tensor) and other.ndim:
            raise RuntimeError(f"scalar tensor expected to be 0 dim but it has {other.ndim} dimensions and {other.numel()} elements.")
        scale = {} if alpha is None else {"alpha": alpha}
        return _finish(name, self, [_call(name, x, y, **scale) for x, y in zip(_checked(self), _one_each(self, other))])
    return each


def _ternary(name, word):
    def each(self, tensor1, tensor2, value=1):
        numbers = value.tolist() if isinstance(value, Tensor) else value
        rows = zip(_checked(self), _one_each(self, tensor1), _one_each(self, tensor2), _one_each(self, numbers))
        return _finish(name, self, [getattr(x, name)(a, b, **{word: v}) for x, a, b, v in rows])

    def lerp(self, tensors1, weight):
        return _finish(name, self, [getattr(x, name)(a, w) for x, a, w in zip(_checked(self), _one_each(self, tensors1), _one_each(self, weight))])
    return lerp if word == "weight" else each


def _pow(self, exponent):
    """self ** exponent for each; a number may stand in the place of the list of bases."""
    if not isinstance(self, (list, tuple)):
        return tuple([x.__rpow__(self) for x in _checked(exponent)])
    return _binary("pow")(self, exponent)


def _powsum(self, ord=2, dtype=None):  # noqa: A002 - torch's name
    """sum(|x| ** ord) of each tensor.  dtype: computed and returned in it."""
    return tuple([(x if dtype is None else x.to(dtype)).abs().pow(ord).sum() for x in _checked(self)])


def _norm(self, ord=2, dtype=None):  # noqa: A002 - torch's name
    """The vector norm of each tensor, over all its elements.  dtype: computed and returned in it."""
    return tuple([x.norm(ord, dtype=dtype) for x in _checked(self)])


def _copy_(self, src, non_blocking=False):
    """Copy each of `src` into the tensor at its place."""
    for x, y in zip(_checked(self), _one_each(self, src)):
        x.copy_(y, non_blocking)
    return self


def _zero_(self):
    """Fill every tensor with zeros."""
    for x in _checked(self):
        x.zero_()
    return self


def _named(name, function):
    function.__name__ = function.__qualname__ = f"_foreach_{name}"
    function.__doc__ = function.__doc__ or f"`{name}` of every tensor of a list, with one operand for all of them or a list of operands."
    return function


def _all():
    found = {}
    for names, make in ((_ONE, _unary), (_TWO, _binary), (_THREE, lambda n: _ternary(n, _THREE[n.rstrip("_")]))):
        for name in names if names is _THREE else names.split():
            found[name] = make(name)
            if name not in _NEVER_INPLACE:
                found[f"{name}_"] = make(f"{name}_")
    found.update({"pow": _pow, "powsum": _powsum, "norm": _norm, "copy_": _copy_, "zero_": _zero_})
    return {f"_foreach_{name}": _named(name, function) for name, function in found.items()}


FOREACH = _all()
globals().update(FOREACH)
