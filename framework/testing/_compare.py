"""assert_close: values, types and shapes, through lists and dictionaries."""
import numbers
from collections.abc import Mapping, Sequence

import numpy as np

from .._core.tensor import Tensor
from .._dtypes import promote_types
from .._functional.creation import as_tensor

# torch's default tolerances (relative, absolute) by type; zero for everything that is not listed
_TOLERANCES = {"float16": (1e-3, 1e-5), "bfloat16": (1.6e-2, 1e-5), "float32": (1.3e-6, 1e-5), "float64": (1e-7, 1e-7), "complex32": (1e-3, 1e-5),
               "complex64": (1.3e-6, 1e-5), "complex128": (1e-7, 1e-7)}


def assert_close(actual, expected, *, allow_subclasses=True, rtol=None, atol=None, equal_nan=False, check_device=True, check_dtype=True,
                 check_layout=True, check_stride=False, msg=None):
    """AssertionError, with what differs and by how much, unless |actual - expected| <= atol + rtol * |expected| everywhere.

    Tensors, arrays, numbers, and sequences and mappings of them.  rtol and atol (both or none) default to what fits the type: 1.3e-6 and 1e-5
    for float32.  msg: another message, or a function of the message.
    """
    if (rtol is None) != (atol is None):
        raise ValueError(f"Both 'rtol' and 'atol' must be either specified or omitted, but got no {'rtol' if rtol is None else 'atol'}.")
    compare = _Comparison(allow_subclasses, rtol, atol, equal_nan, check_device, check_dtype, check_layout, check_stride)
    try:
        compare.pair(actual, expected, ())
    except _Different as found:
        words = str(found)
        raise AssertionError(msg(words) if callable(msg) else msg if msg is not None else words) from None


class _Different(Exception):  # noqa: N818 - it never leaves this file
    def __init__(self, words, path):
        where = "".join(f"[{item!r}]" if isinstance(item, str) else f"[{item}]" for item in path)
        super().__init__(f"{words}\n\nThe failure occurred for item {where}" if path else words)


class _Comparison:
    def __init__(self, allow_subclasses, rtol, atol, equal_nan, check_device, check_dtype, check_layout, check_stride):
        self.allow_subclasses, self.rtol, self.atol, self.equal_nan = allow_subclasses, rtol, atol, equal_nan
        self.checks = [name for name, wanted in (("layout", check_layout), ("device", check_device), ("dtype", check_dtype)) if wanted]
        self.check_stride = check_stride

    def pair(self, actual, expected, path):
        """Raise _Different at the first difference."""
        if self._structures(actual, expected, path):
            return
        if actual is None and expected is None:
            return
        if all(isinstance(x, (bool, np.bool_)) for x in (actual, expected)):
            if bool(actual) is not bool(expected):
                raise _Different(f"Booleans mismatch: {actual} is not {expected}", path)
        elif all(isinstance(x, numbers.Number) and not isinstance(x, bool) for x in (actual, expected)):
            self._numbers(actual, expected, path)
        elif self._related(actual, expected):
            self._tensors(as_tensor(actual), as_tensor(expected), path)
        else:
            raise TypeError(f"No comparison pair was able to handle inputs of type {type(actual)} and {type(expected)}.")

    def _related(self, actual, expected):
        if not all(isinstance(x, (Tensor, np.ndarray, numbers.Number)) for x in (actual, expected)):
            return False
        if type(actual) is type(expected):
            return True
        return self.allow_subclasses and (isinstance(actual, type(expected)) or isinstance(expected, type(actual)))

    def _structures(self, actual, expected, path):
        """Whether both are sequences or mappings, which are then compared item by item."""
        if all(isinstance(x, Sequence) and not isinstance(x, str) for x in (actual, expected)):
            if len(actual) != len(expected):
                raise _Different(f"The length of the sequences mismatch: {len(actual)} != {len(expected)}", path)
            for i, (a, b) in enumerate(zip(actual, expected)):
                self.pair(a, b, (*path, i))
            return True
        if all(isinstance(x, Mapping) for x in (actual, expected)):
            missing, extra = sorted(expected.keys() - actual.keys()), sorted(actual.keys() - expected.keys())
            if missing or extra:
                raise _Different("The keys of the mappings do not match:\n"
                                 f"Missing keys in the actual mapping: {missing}\nAdditional keys in the actual mapping: {extra}", path)
            for key in actual:
                self.pair(actual[key], expected[key], (*path, key))
            return True
        return False

    def _tolerances(self, *names):
        if self.rtol is not None:
            return self.rtol, self.atol
        found = [_TOLERANCES.get(name, (0.0, 0.0)) for name in names]
        return max(r for r, _ in found), max(a for _, a in found)

    def _numbers(self, actual, expected, path):
        kinds = ["complex128" if isinstance(x, complex) else "float64" if isinstance(x, float) else "int64" for x in (actual, expected)]
        rtol, atol = self._tolerances(*kinds)
        self._scalars(actual, expected, rtol, atol, path)

    def _scalars(self, actual, expected, rtol, atol, path):
        if actual == expected or self.equal_nan and actual != actual and expected != expected:
            return
        difference = abs(actual - expected)
        if difference <= atol + rtol * abs(expected) and np.isfinite(difference):
            return
        exact = rtol == 0 and atol == 0
        relative = difference / abs(expected) if expected else float("inf")
        allowed = lambda tolerance: "" if exact else f" (up to {tolerance} allowed)"
        raise _Different(f"Scalars are not {'equal' if exact else 'close'}!\n\nExpected {expected} but got {actual}.\n"
                         f"Absolute difference: {difference}{allowed(atol)}\nRelative difference: {relative}{allowed(rtol)}", path)

    def _tensors(self, actual, expected, path):
        if actual.shape != expected.shape:
            raise _Different(f"The values for attribute 'shape' do not match: {actual.shape} != {expected.shape}.", path)
        for name in self.checks:
            a, b = getattr(actual, name), getattr(expected, name)
            if a != b:
                raise _Different(f"The values for attribute {name!r} do not match: {a} != {b}.", path)
        if self.check_stride and actual.stride() != expected.stride():
            raise _Different(f"The values for attribute 'stride()' do not match: {actual.stride()} != {expected.stride()}.", path)
        names = [str(t.dtype).rpartition(".")[2] for t in (actual, expected)]
        rtol, atol = self._tolerances(*names)
        common = promote_types(actual.dtype, expected.dtype)
        a, b = (t.detach().to_dense() if t.is_sparse else t.detach() for t in (actual, expected))
        a, b = (_wide(t.to(common).cpu()) for t in (a, b))
        if a.ndim == 0:
            self._scalars(a.item(), b.item(), rtol, atol, path)
        else:
            self._arrays(a, b, rtol, atol, path)

    def _arrays(self, a, b, rtol, atol, path):
        close = np.isclose(a, b, rtol=rtol, atol=atol, equal_nan=self.equal_nan)
        if close.all():
            return
        exact = rtol == 0 and atol == 0
        with np.errstate(all="ignore"):
            difference = np.abs(a.astype(np.int64) - b.astype(np.int64)) if a.dtype.kind in "biu" else np.abs(a - b)
            relative = difference.astype(np.float32) / np.abs(b).astype(np.float32) if b.dtype.kind in "biu" else difference / np.abs(b)
        wrong = int((~close).sum())
        lines = [f"Tensor-likes are not {'equal' if exact else 'close'}!", "", f"Mismatched elements: {wrong} / {a.size} ({wrong / a.size:.1%})"]
        for word, values, tolerance in (("absolute", difference, atol), ("relative", relative, rtol)):
            at = np.unravel_index(np.argmax(np.where(close, -1, np.nan_to_num(values, nan=np.inf))), a.shape)
            allowed = "" if exact else f" (up to {tolerance} allowed)"
            lines.append(f"Greatest {word} difference: {values[at].item()} at index {_tuple(at)}{allowed}")
        raise _Different("\n".join(lines), path)


def _wide(tensor):
    """A NumPy array in which differences can be taken."""
    return tensor.float().numpy() if tensor.dtype.is_floating_point and tensor.element_size() < 4 else tensor.numpy()


def _tuple(index):
    return str(tuple(int(i) for i in index))


def assert_allclose(actual, expected, rtol=None, atol=None, equal_nan=True, msg=""):
    """The older form of `assert_close`: types, devices and layouts may differ, and NaN equals NaN."""
    actual, expected = (x if isinstance(x, Tensor) else as_tensor(x) for x in (actual, expected))
    if (rtol is None) != (atol is None):
        raise ValueError("rtol and atol must both be specified or both be unspecified")
    if rtol is None:
        rtol, atol = (max(t) for t in zip(*(_TOLERANCES.get(str(t.dtype).rpartition(".")[2], (0.0, 0.0)) for t in (actual, expected))))
    assert_close(actual, expected, rtol=rtol, atol=atol, equal_nan=equal_nan, check_device=True, check_dtype=False, check_layout=False,
                 msg=msg or None)
