"""A GPU that writes down what it is asked for and does nothing: the launches of a captured step, and the bytes that each has to move.

    xp = host_ledger.device()
    with host_ledger.plugged(xp):
        ...                              # a step, captured by `compile_step`
    xp.launches                          # [Launch], in their order

It stands where CuPy does, as host_capture does, whose streams, captures and pools it has.  Arrays have shapes, strides and addresses of their own
in a region of memory that nobody touches, so networks of any size cost nothing.  What NumPy's functions give is told by the rules of meta tensors;
products, convolutions and attention go to doubles of the libraries, which plan as always and compute nothing (host_ledger_libraries.py).

Bytes: each array that a launch gets is counted once, const parameters of kernels as read, others as written.  So a kernel that goes over its input
twice is counted as if the second time came from a cache, and one that picks elements of a table (PICKS, SPREADS) by what it picks.  A function of
CuPy's is one launch.  `peak` counts the bytes of arrays, and no workspaces.
"""
import collections
import ctypes
import functools
import itertools
import mmap
import re
import sys
from types import SimpleNamespace
from typing import NamedTuple

import host_capture
import host_gpu
import numpy as np

from ringgrad import kernels
from ringgrad._backends.meta_ import RULES, MetaArray
from ringgrad._backends.meta_ import xp as meta
from ringgrad._libraries import choice, cublaslt, cudnn

__name__ = "cupy.host_ledger"  # in tracebacks these frames are CuPy's
REGION, NO_RESERVE = 1 << 41, 0x4000  # bytes of addresses; Linux' MAP_NORESERVE
ALIGNED = 512
COPIES = ("ascontiguousarray", "copy", "copyto", "concatenate", "stack", "array", "setitem", "reshape", "ravel", "flatten", "asarray")
FILLS = ("zeros", "zeros_like", "ones", "ones_like", "full", "full_like", "fill")
PICKS = ("take", "getitem", "nll_rows")  # read as much of each array as they write, at most
SPREADS = ("embedding_atomic", "embedding_sorted")  # write as much as they read, at most
READS_ONLY, IN_PLACE = ("squares",), ("scale_all", "unscale_all")  # kernels over tables of addresses that see gradients alone
FAMILIES = {  # kinds of kernels whose families have other names
    "adding": "additions", "nll_loss": "loss", "cross_entropy": "loss", "layer_norm": "norm", "batch_norm": "norm", "channel_sums": "norm",
    "multi_tensor": "optimizer", "multi_tensor_wide": "optimizer", "reductions": "sums", "embedding_atomic": "embedding"}


class Launch(NamedTuple):
    """kind: a column of the table;  shapes: of the arrays;  place: the functions of ringgrad that asked for it, the innermost first."""

    kind: str
    name: str
    shapes: tuple
    read: int
    written: int
    flops: int
    place: tuple


class Block:
    """Memory of one array: counted while it lives."""

    def __init__(self, xp, size):
        self.xp, self.size = xp, -(-size // ALIGNED) * ALIGNED
        self.start = xp.next
        xp.next += max(self.size, ALIGNED)
        xp.used += self.size
        xp.peak = max(xp.peak, xp.used)
        self.ptr = xp.base + self.start

    def __del__(self):
        self.xp.used -= self.size


class Counted(host_gpu.DeviceArray):
    """An array without values."""

    device = property(lambda self: host_capture.Device(0))

    @property
    def base(self):
        """The array whose memory this one looks into, as CuPy tells it."""
        found = self
        while isinstance(found, np.ndarray):
            if "block" in getattr(found, "__dict__", ()):
                return None if found is self else found
            found = np.ndarray.base.__get__(found)
        return None

    def __array_finalize__(self, source):
        pass

    def __array_ufunc__(self, ufunc, method, *inputs, out=None, **options):
        outs = tuple(plain(o) for o in out) if out is not None else None
        found = RULES["ufunc"](ufunc, method, [plain(i) for i in inputs], outs, options)
        targets = [o for o in out or () if o is not None] or ([inputs[0]] if method == "at" else [])
        name = ufunc.__name__ if method == "__call__" else f"{ufunc.__name__}.{method}"
        return XP.wrote(name, inputs, found, targets)

    def __array_function__(self, function, types, args, kwargs):
        return XP.call(function, function.__name__, args, kwargs)

    def __getitem__(self, key):
        keys = key if isinstance(key, tuple) else (key,)
        if any(isinstance(k, (np.ndarray, list)) for k in keys):
            if any(isinstance(k, list) or getattr(getattr(k, "dtype", None), "kind", "") == "b" for k in keys):
                host_capture.refuse("synchronous API calls")
            return XP.wrote("getitem", [self, *keys], plain(self)[plain(key)], [])
        return np.ndarray.__getitem__(self, keys if any(k is ... for k in keys) else (*keys, ...))

    def __setitem__(self, key, value):
        target = self if key is Ellipsis else None if _picks(key) else self[key]
        if target is None:
            places = [k for k in (key if isinstance(key, tuple) else (key,)) if isinstance(k, np.ndarray)]
            XP.wrote("setitem", [value, *places], None, [XP.ghost(plain(self)[plain(key)])])
        else:
            XP.wrote("setitem", [value], None, [target])

    def get(self, stream=None, order="C", out=None, blocking=True):
        host_capture.refuse("D2H transfers")
        return np.zeros(self.shape, self.dtype) if out is None else out

    def set(self, array, stream=None):
        host_capture.refuse("H2D transfers")

    def astype(self, dtype, order="K", casting="unsafe", subok=True, copy=True):
        return self if not copy and self.dtype == dtype else XP.wrote("astype", [self], plain(self).astype(dtype), [])

    def copy(self, order="C"):
        return XP.wrote("copy", [self], plain(self).copy(order), [])

    def fill(self, value):
        XP.wrote("fill", [], None, [self])

    def reshape(self, *shape, order="C"):
        return XP.call(np.reshape, "reshape", (self, shape[0] if len(shape) == 1 else shape), {})

    def ravel(self, order="C"):
        return self.reshape(-1)

    def flatten(self, order="C"):
        return self.reshape(-1).copy()


def _picks(key):
    return any(isinstance(k, (np.ndarray, list)) for k in (key if isinstance(key, tuple) else (key,)))


def _method(name):
    def method(self, *args, **kwargs):
        return XP.call(getattr(np, name), name, (self, *args), kwargs)
    return method


def _read(name):
    def method(self, *args):
        host_capture.refuse("synchronous API calls")
        return getattr(np.zeros(self.shape, self.dtype), name)(*args)
    return method


for _name in ("sum", "prod", "mean", "std", "var", "max", "min", "argmax", "argmin", "any", "all", "cumsum", "cumprod", "take", "argsort", "clip",
              "round", "repeat"):
    setattr(Counted, _name, _method(_name))
for _name in host_capture.READS:
    setattr(Counted, _name, _read(_name))


def plain(value):
    """Arrays as meta arrays, in whatever holds them."""
    if isinstance(value, Counted):
        return MetaArray(np.ndarray.view(value, np.ndarray))
    if isinstance(value, (list, tuple)) and not hasattr(value, "_fields"):
        return type(value)([plain(v) for v in value])
    return value


def moved(array):
    """Bytes of an array, of what is repeated once."""
    size = array.itemsize
    for n, step in zip(array.shape, array.strides):
        size *= n if step or n == 0 else 1
    return size


class Named:
    """A module of kernels: their names and what their parameters are."""

    def __init__(self, xp, code):
        self.xp, self.code = xp, code
        self.kind = next((FAMILIES.get(f.name, f.name) for f in kernels.FAMILIES.values() if code.endswith(f.text)),
                         "random" if code == kernels.philox.SOURCE else "elementwise")
        sizes = {kind: {"double": 8, "float": 4}.get(name, 2) for name, kind in re.findall(r"typedef (\S+) ([TA]);", code)}
        self.sizes = (sizes.get("T", 4), sizes.get("A", 4) if "typedef A S;" in code else sizes.get("T", 4))

    def get_function(self, name):
        """Launches a kernel: f(grid, block, arguments)."""
        listed = re.search(rf"(?:KERNEL|__global__ void)\s+{name}\(([^)]*)\)", self.code).group(1)
        for short, long in re.findall(r"#define (\w+) ([^\n]*?)(?:\s*//.*)?\n", self.code):  # for several parameters
            listed = re.sub(rf"(?<!\w){short}(?=\s*(,|$))", long, listed) if short not in ("T", "A") else listed
        parameters = [p.strip() for p in listed.split(",")]

        def run(grid, block, arguments):
            assert len(arguments) == len(parameters), f"{name} takes {len(parameters)} arguments, got {len(arguments)}"
            arrays = [(a, p) for a, p in zip(arguments, parameters) if isinstance(a, Counted)]
            if parameters[0].endswith(" table"):
                self.run_on_table(name, arguments, arrays)
                return
            self.xp.wrote(name, [a for a, p in arrays if p.startswith("const")], None, [a for a, p in arrays if not p.startswith("const")], self.kind)
        return run

    def run_on_table(self, name, arguments, arrays):
        """A kernel over arrays whose addresses stand in a table: parameter, gradient, states, master weight."""
        addresses, sizes = arguments[0].host, arguments[1].host
        there = addresses.reshape(len(sizes), -1) != 0
        per = [int((sizes * there[:, c]).sum()) * self.sizes[c > 1] for c in range(there.shape[1])]
        read = per[1] if name in READS_ONLY + IN_PLACE else sum(per)
        written = 0 if name in READS_ONLY else per[1] if name in IN_PLACE else sum(per) - per[1]
        if there.shape[1] == 6 and per[5] and name not in READS_ONLY + IN_PLACE:
            read -= per[0]  # where there are master weights, the parameter is only written
        small = sum(moved(a) for a, _ in arrays)
        self.xp.note(self.kind, name, (f"{len(sizes)} arrays",), read + small, written, 0)


class device(host_capture.device):  # noqa: N801 - used like a module
    """host_capture.device, without values.  launches: what was captured;  used, peak: bytes of arrays."""

    ndarray = Counted
    bool_, float32, float64, int64, int32, uint8, uint64, newaxis, inf, nan, pi, e = (
        np.bool_, np.float32, np.float64, np.int64, np.int32, np.uint8, np.uint64, None, np.inf, np.nan, np.pi, np.e)

    def __init__(self):
        global XP
        super().__init__(".")
        self.region = mmap.mmap(-1, REGION, flags=mmap.MAP_PRIVATE | mmap.MAP_ANONYMOUS | NO_RESERVE)
        self.base = ctypes.addressof(ctypes.c_char.from_buffer(self.region))
        self.next = self.used = self.peak = 0
        self.launches, self.numbers = [], itertools.count()
        self.cuda.alloc = lambda size: SimpleNamespace(ptr=self.base)
        self.lib = SimpleNamespace(stride_tricks=SimpleNamespace(
            as_strided=lambda x, *rest, **more: np.ndarray.view(np.lib.stride_tricks.as_strided(np.ndarray.view(x, np.ndarray), *rest), Counted),
            sliding_window_view=lambda *args, **more: self.call(np.lib.stride_tricks.sliding_window_view, "sliding_window_view", args, more)))
        XP = self

    # -- arrays --------------------------------------------------------------------------------------------------------

    def new(self, shape, dtype, strides=None):
        """An array in memory of its own."""
        dtype = np.dtype(dtype)
        shape = (int(shape),) if isinstance(shape, (int, np.integer)) else tuple(int(n) for n in shape)
        block = Block(self, int(np.prod(shape, dtype=np.int64)) * dtype.itemsize)
        array = np.ndarray.__new__(Counted, shape, dtype, self.region, block.start, strides)
        array.block = block
        return array

    def like(self, form):
        """A new array of the shape and strides of a form."""
        return self.new(form.shape, form.dtype, form.strides if form.size and all(form.strides) else None)

    def ghost(self, value):
        """Something of the layout of a meta array that stands for no memory."""
        return np.lib.stride_tricks.as_strided(np.ndarray.__new__(Counted, (), value.dtype, self.region), value.shape, value.strides, subok=True)

    def empty(self, shape, dtype=np.float32, order="C"):
        return self.new(shape, dtype)

    def empty_like(self, x, dtype=None, **options):
        return self.like(np.empty_like(plain(x), dtype=dtype, **options).form)

    def zeros(self, shape, dtype=np.float64, order="C"):
        return self.wrote("zeros", [], None, [self.new(shape, dtype)])

    ones = zeros

    def full(self, shape, fill_value, dtype=None, order="C"):
        return self.wrote("full", [], None, [self.new(shape, np.asarray(fill_value).dtype if dtype is None else dtype)])

    def arange(self, *bounds, dtype=None):
        return self.wrote("arange", [], None, [self.like(meta.arange(*bounds, dtype=dtype).form)])

    def asarray(self, x, dtype=None, **options):
        if isinstance(x, Counted):
            return x if dtype is None or x.dtype == dtype else x.astype(dtype)
        if isinstance(x, np.ndarray) and x.ndim or isinstance(x, list):
            host_capture.refuse("H2D transfers")
        x = np.asarray(x, dtype)
        array = self.new(x.shape, x.dtype)
        array.host = x.copy() if x.nbytes < 1 << 24 else x
        return array

    def array(self, x, dtype=None, copy=True, **options):
        return x.copy() if isinstance(x, Counted) and copy else self.asarray(x, dtype)

    def ascontiguousarray(self, x, dtype=None):
        x = self.asarray(x, dtype)
        return x if x.flags.c_contiguous else self.wrote("ascontiguousarray", [x], None, [self.new(x.shape, x.dtype)])

    def __getattr__(self, name):
        value = getattr(np, name)
        if not callable(value) or isinstance(value, type):
            return value
        if isinstance(value, np.ufunc):
            call = functools.partial(self.call, value, name)
            return _Ufunc(call, value)
        return lambda *args, **kwargs: self.call(value, name, args, kwargs)

    def RawModule(self, code, options=()):
        if code not in self.modules:
            self.modules[code] = Named(self, code)
        return self.modules[code]

    # -- what is done with them ----------------------------------------------------------------------------------------

    def call(self, function, name, args, kwargs):
        """A function of NumPy's on arrays."""
        if not any(isinstance(a, Counted) for a in arrays_in([*args, *kwargs.values()])):
            found = function(*args, **kwargs)
            return self.asarray(found) if isinstance(found, np.ndarray) else found
        if name in host_capture.NEED_VALUES or name == "where" and len(args) == 1:
            host_capture.refuse("synchronous API calls")
        out = kwargs.pop("out", None)
        targets = [args[0]] if name in host_capture.WRITERS else [] if out is None else [out]
        found = function(*plain(args), **{k: plain(v) for k, v in kwargs.items()})
        same = next((a for a in args if isinstance(a, Counted) and isinstance(found, MetaArray) and found.form.__array_interface__ ==
                     a.__array_interface__ and found.base is None), None) if name in ("asarray", "astype") else None
        return same if same is not None else self.wrote(name, arrays_in([*args, *kwargs.values()]), found, targets)

    def wrote(self, name, inputs, found, targets, kind=None):
        """Note a launch that reads `inputs` and writes `targets`, or else the new arrays that were `found`.  Returns the result."""
        if found is not None and not targets:
            several = isinstance(found, (list, tuple))
            if not several and not isinstance(found, MetaArray):
                return found
            results = []
            for each in found if several else [found]:
                if each.base is not None:
                    results.append(np.ndarray.view(each.form, Counted))
                else:
                    results.append(self.like(each.form))
                    targets = [*targets, results[-1]]
            result = type(found)(results) if several else results[0]
            if not targets:
                return result
        else:
            result = targets[0]
        inputs = [i for i in inputs if isinstance(i, np.ndarray)]
        kind = kind or ("casts" if name == "astype" or name in COPIES and inputs and targets and inputs[0].dtype != targets[0].dtype
                        else "copies" if name in COPIES else "fills" if name in FILLS else "CuPy")
        shapes = tuple(f"{a.dtype.name}{list(a.shape)}" for a in (*inputs, *targets))
        read, written = list(map(moved, inputs)), sum(map(moved, targets))
        if name in PICKS:
            read = [min(size, written) for size in read]
        self.note(kind, name, shapes, sum(read), min(written, sum(read)) if name in SPREADS else written, 0)
        return result

    def note(self, kind, name, shapes, read, written, flops):
        """A launch, if there is a capture."""
        if host_capture.RUNTIME.capture() is not None:
            self.launches.append(Launch(kind, name, shapes, read, written, flops, _place()))


def arrays_in(value):
    return [a for v in value for a in arrays_in(v)] if isinstance(value, (list, tuple)) else [value] if isinstance(value, np.ndarray) else []


class _Ufunc:
    """A ufunc with its methods."""

    def __init__(self, call, ufunc):
        self.call, self.ufunc = call, ufunc

    def __call__(self, *args, out=None, **kwargs):
        return self.ufunc(*args, **({} if out is None else {"out": out}), **kwargs)

    def __getattr__(self, name):
        return getattr(self.ufunc, name)


def _place():
    """Where in ringgrad a launch was asked for."""
    frame, found = sys._getframe(2), []
    while frame is not None and len(found) < 6:
        module = frame.f_globals.get("__name__", "")
        if module.startswith("ringgrad"):
            found.append(f"{module.removeprefix('ringgrad.')}:{frame.f_code.co_name}:{frame.f_lineno}")
        frame = frame.f_back
    return tuple(found)


class plugged(host_capture.plugged):  # noqa: N801 - used with `with`
    """host_capture.plugged, with cuBLASLt and cuDNN."""

    def __enter__(self):
        from host_ledger_libraries import CublasLt, Cudnn
        xp = super().__enter__()
        choice.put("matmul", xp, 0, cublaslt.Planner(cublaslt.opened(CublasLt())))
        choice.put("graphs", xp, 0, cudnn.Planner(cudnn.opened(Cudnn())))
        return xp


def table_of(launches):
    """{kind: (launches, bytes read, bytes written, flops)}, the most bytes first."""
    found = collections.defaultdict(lambda: [0, 0, 0, 0])
    for launch in launches:
        for i, n in enumerate((1, launch.read, launch.written, launch.flops)):
            found[launch.kind][i] += n
    return {kind: tuple(row) for kind, row in sorted(found.items(), key=lambda item: -item[1][1] - item[1][2])}
