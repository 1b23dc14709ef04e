"""The meta backend: arrays that have a shape, a type and strides, and no values and no memory.

A MetaArray holds a NumPy array, its `form`, made over one dummy element: views of it are NumPy's own, so shapes, strides and offsets are right,
and nobody may read it.  Formulas run on MetaArrays as they do on arrays: NumPy hands its functions over (`__array_ufunc__`, `__array_function__`)
and `_meta_rules.py` answers with the shape of what would have come out.  Where a formula wants a value, or calls what has no rule, the
operation runs on zeros of the same shape instead, for the shape of its result (`by_form`).
"""
import functools
from contextlib import nullcontext
from types import SimpleNamespace

import numpy as np

from .sparse_ import Elsewhere

name = "meta"
COMPUTES_HALF_IN_FLOAT32 = True
_NOTHING = nullcontext()
_DUMMY = np.zeros(1, np.complex128)


_NO_VALUE = "Tensor.item() cannot be called on meta tensors"
_NO_COPY = "Cannot copy out of meta tensor; no data!"


class MixedWithMeta(Elsewhere):
    """An array with values met one without: the general path of dispatch finds numbers among them, and has torch's words for the rest."""

    def __init__(self):
        NotImplementedError.__init__(self, _NO_COPY)


class MetaArray(np.lib.mixins.NDArrayOperatorsMixin):
    """An array without values.  form: a NumPy array of its shape, type and strides that is never read;  base: whose memory it would look into."""

    __slots__ = ("form", "base")
    __hash__ = object.__hash__
    device = "meta"
    data = None  # no memory

    def __init__(self, form, base=None):
        self.form, self.base = form, base

    shape = property(lambda self: self.form.shape)
    ndim = property(lambda self: self.form.ndim)
    dtype = property(lambda self: self.form.dtype)
    size = property(lambda self: self.form.size)
    itemsize = property(lambda self: self.form.itemsize)
    nbytes = property(lambda self: self.form.nbytes)
    strides = property(lambda self: self.form.strides)
    flags = property(lambda self: self.form.flags)
    T = property(lambda self: self.look(self.form.T))
    real = property(lambda self: self.look(self.form.real))
    imag = property(lambda self: self.look(self.form.imag) if self.dtype.kind == "c" else array_of(self.shape, self.dtype))

    def look(self, form):
        """The MetaArray of a view of the form, which NumPy may think is better not written to."""
        if not form.flags.writeable:
            form.flags.writeable = True
        return MetaArray(form, self if self.base is None else self.base)

    def astype(self, dtype, order="K", casting="unsafe", subok=True, copy=True):
        """The same shape in another type."""
        return self if not copy and dtype == self.dtype else array_like(self, dtype)

    def copy(self, order="C"):
        """The same shape in memory of its own."""
        return array_like(self) if order == "K" else array_of(self.shape, self.dtype)

    def view(self, dtype=None, type=None):  # noqa: A002 - NumPy's name
        """The same memory under another type."""
        return self.look(self.form.view() if dtype is None or dtype is np.ndarray else self.form.view(dtype))

    def fill(self, value):
        """Nothing to write to."""

    def reshape(self, *shape, order="C"):
        """NumPy's method: sizes one by one, or in a tuple."""
        return RULES[np.reshape](self, shape[0] if len(shape) == 1 else shape, order)

    def transpose(self, *axes):
        """NumPy's method: axes one by one, or in a tuple."""
        return self.look(self.form.transpose(*axes))

    def flatten(self, order="C"):
        """A copy in one dimension."""
        return array_of((self.size,), self.dtype)

    def __getitem__(self, key):
        return RULES["getitem"](self, key)

    def __setitem__(self, key, value):
        value = value if isinstance(value, (MetaArray, np.ndarray)) else np.asarray(value)
        place = self if key is Ellipsis else self[key]
        if place.shape != np.broadcast_shapes(place.shape, value.shape):
            raise ValueError(f"could not broadcast input array from shape {value.shape} into shape {place.shape}")

    def __len__(self):
        return len(self.form)

    def __iter__(self):
        return (self[i] for i in range(len(self.form)))

    def __bool__(self):
        raise RuntimeError(_NO_VALUE)

    __int__ = __float__ = __complex__ = __index__ = item = __bool__

    def tolist(self):
        """NotImplementedError: there are no values."""
        raise NotImplementedError(_NO_COPY)

    tobytes = tolist

    def __array__(self, dtype=None, copy=None):
        raise MixedWithMeta

    def __array_ufunc__(self, ufunc, method, *inputs, out=None, **options):
        return RULES["ufunc"](ufunc, method, inputs, out, options)

    def __array_function__(self, func, types, args, kwargs):
        rule = RULES.get(func)
        if rule is None:
            raise RuntimeError(f"{func.__name__} has no meta rule")
        return rule(*args, **kwargs)

    def __getattr__(self, method):
        if method.startswith("_") or not hasattr(np.ndarray, method) or not hasattr(np, method):
            raise AttributeError(f"'MetaArray' object has no attribute {method!r}")
        return functools.partial(getattr(xp, method), self)

    def __repr__(self):
        return f"MetaArray(shape={self.shape}, dtype={self.dtype}, strides={self.strides})"


Array = MetaArray
ARRAY_TYPES = (MetaArray,)
RULES: dict = {}  # NumPy's function -> what it gives for meta arrays, filled by _meta_rules


# -- new arrays ----------------------------------------------------------------------------------------------------------

def array_of(shape, dtype=np.float64, strides=None):
    """A MetaArray of `shape`, in row-major order where no `strides` (in bytes) are given."""
    dtype = np.dtype(dtype)
    if strides is None:
        strides, step = [], dtype.itemsize
        for n in reversed(shape):
            strides.append(step)
            step *= max(n, 1)
        strides.reverse()
    return MetaArray(np.lib.stride_tricks.as_strided(_DUMMY.view(np.uint8)[:dtype.itemsize].view(dtype), tuple(shape), tuple(strides)))


def array_like(x, dtype=None, shape=None):
    """A MetaArray of the shape of `x` (or of `shape`), its dimensions in the order in which those of `x` lie in memory."""
    dtype = x.dtype if dtype is None else np.dtype(dtype)
    if shape is not None and tuple(shape) != x.shape or x.flags.c_contiguous:
        return array_of(x.shape if shape is None else _sizes(shape), dtype)
    order = sorted(range(x.ndim), key=lambda i: -abs(x.strides[i]))
    dense = array_of([x.shape[i] for i in order], dtype).form
    return MetaArray(dense.transpose(np.argsort(order)))


def _sizes(shape):
    return (int(shape),) if isinstance(shape, (int, np.integer)) else tuple(int(n) for n in shape)


def stand_in(x):
    """Values in the place of a meta array: zeros, or for square matrices of floats, which might be inverted, ones on the diagonal."""
    if not isinstance(x, MetaArray):
        return [stand_in(each) for each in x] if isinstance(x, (list, tuple)) else x
    values = np.zeros(x.shape, x.dtype)
    if x.ndim > 1 and x.shape[-1] == x.shape[-2] and x.dtype.kind in "fc":
        values[..., np.arange(x.shape[-1]), np.arange(x.shape[-1])] = 1
    return values


def without_values(x):
    """An array with values, or a list of such, as meta arrays of the same layout."""
    if isinstance(x, (list, tuple)):
        return type(x)([without_values(each) for each in x])
    return array_like(x) if isinstance(x, (np.ndarray, np.generic)) else x


# -- operations ----------------------------------------------------------------------------------------------------------

def kernel(op):
    """What computes an op on meta arrays: its formula, and where that wants values, NumPy's way on zeros, of whose result the shape is kept."""
    def run(formula_xp, *inputs, **attrs):
        for x in inputs:
            if isinstance(x, np.ndarray) and x.ndim:
                raise MixedWithMeta
        if op.name in WITHOUT_SHAPE:
            raise NotImplementedError(f"{op.name}: attempted to run this operator with Meta tensors, and the shape of its result depends on values, "
                                      "which they do not have")
        numpys = op.kernels[np.ndarray]
        if op.name in ELEMENTWISE:
            return RULES["elementwise"](functools.partial(numpys, np, **attrs), inputs)
        return by_form(op.forward, numpys, inputs, attrs)
    return run


def rule(fn, numpys):
    """A gradient rule on meta arrays, as `kernel`.  numpys: the rule that NumPy arrays go to"""
    def run(formula_xp, *inputs, **attrs):
        return by_form(fn, numpys, inputs, attrs)
    return run


def by_form(formula, numpys, inputs, attrs):
    """What `formula` gives for the inputs, none of which is read."""
    try:
        return formula(xp, *inputs, **attrs)
    except Exception as error:  # no rule, a value asked for, or shapes that do not fit, which NumPy then says
        if isinstance(error, NotImplementedError) and not isinstance(error, MixedWithMeta):
            raise  # the shape of a result depends on values
        return without_values(numpys(np, *[stand_in(x) for x in inputs], **attrs))


# Elementwise operations whose formulas ask CuPy's own functions where `xp` is not NumPy.
ELEMENTWISE = {"bessel_j0", "bessel_j1", "bessel_y0", "bessel_y1", "digamma", "erf", "erfc", "erfcx", "erfinv", "i0", "i0e", "i1", "i1e", "igamma",
               "igammac", "lgamma", "log_ndtr", "modified_bessel_k0", "modified_bessel_k1", "ndtri", "polygamma", "scaled_modified_bessel_k0",
               "scaled_modified_bessel_k1", "zeta", "gelu"}
WITHOUT_SHAPE = {"argwhere", "histogram_counts", "suppress", "unique", "unique_runs", "unique_slices", "bincount"}


def _as_strided(x, shape=None, strides=None, subok=False, writeable=True):
    return x.look(np.lib.stride_tricks.as_strided(x.form, shape, strides))


class _Namespace:
    """NumPy's functions, of which those that make arrays make meta arrays."""

    lib = SimpleNamespace(stride_tricks=SimpleNamespace(as_strided=_as_strided, sliding_window_view=np.lib.stride_tricks.sliding_window_view),
                          array_utils=np.lib.array_utils)

    def __getattr__(self, function):
        return getattr(np, function)

    @staticmethod
    def empty(shape, dtype=np.float64, order="C"):
        return array_of(_sizes(shape), dtype)

    zeros = ones = empty

    @staticmethod
    def full(shape, fill_value, dtype=None, order="C"):
        return array_of(_sizes(shape), np.asarray(fill_value).dtype if dtype is None else dtype)

    @staticmethod
    def arange(*bounds, dtype=None):
        start, stop, step = (0, bounds[0], 1) if len(bounds) == 1 else (*bounds, 1)[:3]
        kind = np.result_type(*[type(b) for b in bounds]) if dtype is None else dtype
        return array_of((max(0, int(np.ceil((stop - start) / step))),), kind)

    @staticmethod
    def linspace(start, stop, num=50, endpoint=True, dtype=None):
        return array_of((num,), np.float64 if dtype is None else dtype)

    @staticmethod
    def eye(n, m=None, k=0, dtype=np.float64):
        return array_of((n, n if m is None else m), dtype)

    @staticmethod
    def asarray(x, dtype=None, **options):
        return asarray(x, dtype)

    array = asarray

    @staticmethod
    def ascontiguousarray(x, dtype=None):
        x = asarray(x, dtype)
        return x if x.flags.c_contiguous else array_of(x.shape, x.dtype)


xp = _Namespace()


# -- what every backend has ----------------------------------------------------------------------------------------------

def asarray(x, dtype=None):
    """`x` as a meta array; only the layout of an array with values is kept."""
    x = x if isinstance(x, MetaArray) else array_like(np.asarray(x))
    return x if dtype is None or x.dtype == dtype else x.astype(dtype)


def from_host(array, index=None, non_blocking=False):
    """A host array without its values."""
    return array_like(array)


def move(array, index=None):
    """An array of any backend without its values."""
    return array_of(array.shape, array.dtype, tuple(array.strides))


def to_host(array, non_blocking=False):
    """NotImplementedError: there is nothing to copy."""
    raise NotImplementedError(_NO_COPY)


def index_of(array):
    """There is one meta device, without an index."""
    return


def data_ptr(array):
    """0: nothing has an address."""
    return 0


def offset(array, owner):
    """Bytes from the first element of `owner` to that of `array`, which looks into its memory."""
    return array.form.__array_interface__["data"][0] - owner.form.__array_interface__["data"][0]


def synchronize(index=None):
    """Nothing runs."""


def require_device(index=None):
    """The meta device is always there."""


def scalar(value, dtype):
    """A Python number as a 0-d array, with its value: numbers are no tensors."""
    return np.asarray(value).astype(dtype)


def on_device_of(array):
    """A context in which work goes to the device of `array`: nothing to do."""
    return _NOTHING
