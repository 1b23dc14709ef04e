"""How an op brings its inputs to one type: a policy per op, applied before the formula runs.

A policy takes the list of raw inputs (arrays, numbers, None) and the backend and returns (inputs, common NumPy dtype or None).  The fast
path of dispatch never comes here: it has already seen that all arrays are float32, or all are float64; numbers beside them may stay
Python numbers where the policy has `numbers = True`, and arrays of integers and bools (places, targets, masks) what they are where it has
`places = True`.
"""
from functools import lru_cache

import numpy as np

from .. import _dtypes

_FLOAT32 = np.dtype(np.float32)


def same(raw, backend, exact=False):
    """Inputs of one type by torch's promotion; the result keeps it.  (maximum, where, sum, ...)"""
    agreed = _agreed(raw)
    if agreed is not None:
        return raw, agreed
    return _convert(raw, backend, result_dtype(raw).np, exact)


def _agreed(raw):
    """The NumPy dtype of all of `raw`, when they are arrays of one type; else None."""
    first = raw[0]
    kind, dtype = first.__class__, getattr(first, "dtype", None)
    for x in raw:
        if x.__class__ is not kind or dtype is None or x.dtype is not dtype:
            return None
    return dtype


def to_float(raw, backend, exact=False):
    """Like `same`, but integers and bools become the default float.  (exp, mean of floats, ...)"""
    common = result_dtype(raw)
    if common.category < _dtypes.FLOAT:
        common = _dtypes.get_default_dtype()
    return _convert(raw, backend, common.np, exact)


def with_exact_numbers(policy):
    """`policy` for * and /: a number or 0-d float beside half-precision arrays is not rounded to half precision first, as in torch."""
    def exact(raw, backend):
        return policy(raw, backend, exact=True)
    exact.numbers = True
    return exact


def refusing(policy, name, *categories):
    """`policy`, with a NotImplementedError for common types of these categories (BOOL, INTEGER, FLOAT, COMPLEX).  name: the op's."""
    def restricted(raw, backend):
        inputs, common = policy(raw, backend)
        refuse(name, common, *categories)
        return inputs, common
    restricted.numbers = _dtypes.FLOAT not in categories
    return restricted


same.numbers = to_float.numbers = True


def refuse(name, np_dtype, *categories):
    """NotImplementedError, torch's type, when `np_dtype` is of one of the categories."""
    d = _dtypes.of_numpy(np_dtype)
    if d.category in categories:
        raise NotImplementedError(f'"{name}" is not implemented for {d.name} tensors; convert the operands first, with .to(dtype)')


def result_dtype(raw):
    """torch's result type of arrays and numbers (None among them is left out): a ringgrad dtype."""
    ranks = []
    for x in raw:
        if hasattr(x, "ndim") and not isinstance(x, np.generic):
            ranks.append((x.dtype, x.ndim > 0))
        elif x is not None:
            ranks.append(type(x))
    return _result_dtype(_dtypes.get_default_dtype(), *ranks)


@lru_cache(maxsize=4096)
def _result_dtype(default, *ranks):
    """`result_dtype` of (NumPy dtype, has dimensions) pairs and types of numbers; `default` is part of the key only."""
    return _dtypes.result_dtype([np.empty((1,) * r[1], r[0]) if type(r) is tuple else _number(r) for r in ranks])


def _number(kind):
    """A number of a type; TypeError for what is no number."""
    if not issubclass(kind, (int, float, complex, np.number, np.bool_)):
        raise TypeError(f"expected a Tensor or a number, got {kind.__name__}")
    return kind(0)


def _convert(raw, backend, common, exact):
    """Cast arrays that differ; numbers become 0-d arrays, so that NumPy's own scalar rules never decide."""
    wide = _FLOAT32 if exact and backend.COMPUTES_HALF_IN_FLOAT32 and _dtypes.is_half(common) else common
    out = []
    for x in raw:
        if hasattr(x, "dtype") and not isinstance(x, np.generic):
            out.append(x if x.dtype == common else x.astype(common if x.ndim or x.dtype.kind != "f" else wide))
        elif x is None:
            out.append(None)
        else:
            out.append(backend.scalar(x, wide))
    return out, common
