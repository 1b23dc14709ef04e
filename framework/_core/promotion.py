"""How an op brings its inputs to one type: a policy per op, applied before the formula runs.

A policy takes the list of raw inputs (arrays, numbers, None) and the backend and returns (inputs, common NumPy dtype or None).  The fast path
of dispatch never comes here: it has already seen that all inputs are float32, or all are float64.
"""
from .. import _dtypes


def same(raw, backend):
    """Inputs of one type by torch's promotion; the result keeps it.  (add, where, matmul, sum, ...)"""
    return _convert(raw, backend, _dtypes.result_dtype(_operands(raw)).np)


def to_float(raw, backend):
    """Like `same`, but integers and bools become the default float.  (exp, divide, mean of floats, ...)"""
    common = _dtypes.result_dtype(_operands(raw))
    if common.category < _dtypes.FLOAT:
        common = _dtypes.get_default_dtype()
    return _convert(raw, backend, common.np)


def _operands(raw):
    return [x for x in raw if x is not None]


def _convert(raw, backend, common):
    """Cast arrays that differ; numbers become 0-d arrays, so that NumPy's own scalar rules never decide."""
    out = []
    for x in raw:
        if hasattr(x, "dtype"):
            out.append(x if x.dtype == common else x.astype(common))
        elif x is None:
            out.append(None)
        else:
            out.append(backend.scalar(x, common))
    return out, common
