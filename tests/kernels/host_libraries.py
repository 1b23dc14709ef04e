"""Doubles of NVIDIA's libraries on the host: they understand what they are told through ctypes, by columns, and compute it with NumPy.

    xp = host_libraries.device(folder)             # an emulated device (host_gpu) with streams and workspaces
    library = host_libraries.CublasLt()
    choice.put("matmul", xp, 0, cublaslt.Planner(cublaslt.opened(library)))

Each function is a C function pointer made of a Python method, so that arguments pass through the types that ringgrad declares.
"""
import ctypes
import types

import host_gpu
import ml_dtypes
import numpy as np

from ringgrad import ops
from ringgrad._libraries import attention, convolution, cublaslt, cudnn

NUMPY = {cublaslt.R_16F: np.float16, cublaslt.R_16BF: ml_dtypes.bfloat16, cublaslt.R_32F: np.float32, cublaslt.R_64F: np.float64}


class device(host_gpu.device):  # noqa: N801 - used like a module
    """An emulated device on which libraries find a stream and memory to work in."""

    def __init__(self, folder):
        super().__init__(folder)
        stream = types.SimpleNamespace(ptr=77, is_capturing=lambda: False)
        self.cuda = types.SimpleNamespace(get_current_stream=lambda device: stream, alloc=self._alloc,
                                          Device=lambda index=None: host_gpu.Device())

    def empty(self, shape, dtype=np.float32):
        """`host_gpu.device.empty`, as well aligned as CuPy's memory."""
        out = aligned(np.empty(shape, dtype).nbytes).view(dtype).reshape(shape).view(host_gpu.DeviceArray)
        out[...] = np.nan if out.dtype.kind in "fV" else 1
        return out

    def full(self, shape, value, dtype=None):
        """`empty`, filled."""
        out = self.empty(shape, dtype or np.asarray(value).dtype)
        out[...] = value
        return out

    def zeros(self, shape, dtype=np.float64):
        """`empty`, filled with zeros."""
        return self.full(shape, 0, dtype)

    def ascontiguousarray(self, a):
        """A copy that is aligned, unless `a` is contiguous."""
        if a.flags.c_contiguous:
            return a
        copy = self.empty(a.shape, a.dtype)
        copy[...] = a
        return copy

    def _alloc(self, size):
        room = np.zeros(size, np.uint8)
        return types.SimpleNamespace(ptr=room.ctypes.data, keeps=room)


def aligned(size):
    """`size` bytes at an address that is a multiple of 256."""
    room = np.empty(size + 256, np.uint8)
    start = -room.ctypes.data % 256
    return room[start:start + size]


class CublasLt:
    """cuBLASLt as far as ringgrad uses it.  `runs` holds what was computed: dictionaries of what the library was told."""

    def __init__(self, supports=lambda told: True):
        self.things, self.runs, self.supports = {}, [], supports
        for name, signature in cublaslt.SIGNATURES.items():
            setattr(self, name, ctypes.CFUNCTYPE(ctypes.c_int, *signature)(getattr(self, f"_{name.removeprefix('cublasLt')}")))
        self.cublasLtGetStatusString = ctypes.CFUNCTYPE(ctypes.c_char_p, ctypes.c_int)(lambda status: b"a status")

    def epilogues(self):
        """The epilogues of what was computed, by their names."""
        names = {number: name for name, number in cublaslt.EPILOGUES.items()}
        return [names[told[cublaslt.DESC_EPILOGUE]] for told in self.runs]

    def _make(self, place, thing):
        address = 16 * (len(self.things) + 1)
        self.things[address], place[0] = thing, address
        return 0

    def _Create(self, place):
        return self._make(place, "handle")

    def _MatrixLayoutCreate(self, place, kind, rows, columns, ld):
        return self._make(place, {"kind": kind, "rows": rows, "columns": columns, "ld": ld})

    def _MatmulDescCreate(self, place, compute, scale):
        return self._make(place, {"compute": compute, "scale": scale})

    def _MatmulPreferenceCreate(self, place):
        return self._make(place, {})

    def _set(self, where, attribute, value, size):
        self.things[where][attribute] = int.from_bytes(ctypes.string_at(value, size), "little")
        return 0

    _MatrixLayoutSetAttribute = _MatmulDescSetAttribute = _MatmulPreferenceSetAttribute = _set

    def _MatmulAlgoGetHeuristic(self, handle, operation, a, b, c, d, preference, wanted, results, number):
        assert self.things[handle] == "handle" and wanted == 1
        self.alignment = {self.things[preference][attribute] for attribute in cublaslt.PREF_ALIGNMENT}
        for attribute in {cublaslt.DESC_BIAS, cublaslt.DESC_AUX} & self.things[operation].keys():
            address = self.things[operation][attribute]  # which tells the library how aligned those to come will be
            assert {address & -address} == self.alignment, "the heuristic is not told how an address is aligned"
        told = {**self.things[operation], "a": self.things[a], "b": self.things[b], "d": self.things[d], "alignment": self.alignment.pop()}
        number[0] = int(self.supports(told))
        results[0].workspace, results[0].algorithm.data[0] = 64, told["alignment"]
        return 0

    def _Matmul(self, handle, operation, one, a, a_layout, b, b_layout, zero, c, c_layout, d, d_layout, algorithm, workspace, size, stream):
        told = {**self.things[operation], "a": self.things[a_layout], "b": self.things[b_layout], "d": self.things[d_layout]}
        alignment = ctypes.cast(algorithm, ctypes.POINTER(ctypes.c_uint64))[0]
        assert not any(address % alignment for address in (a, b, d)), "an address is not aligned as it was planned"
        number = ctypes.c_double if told["scale"] == cublaslt.R_64F else ctypes.c_float
        assert ctypes.cast(one, ctypes.POINTER(number))[0] == 1 and not ctypes.cast(zero, ctypes.POINTER(number))[0]
        assert workspace and size == 64 and stream == 77 and c == d
        left, right = _matrix(a, told["a"], told[cublaslt.DESC_TRANSA]), _matrix(b, told["b"], told[cublaslt.DESC_TRANSB])
        out = _matrix(d, told["d"], 0)
        assert left.shape[1:] == (out.shape[1], right.shape[1]) and right.shape[2] == out.shape[2], "the three do not fit"
        result = left.astype(np.float64) @ right.astype(np.float64)
        out[...] = _Epilogue(told, out).after(result, left, right).astype(out.dtype)
        self.runs.append(told)
        return 0


BIAS, SUMS, GELU, SLOPE_OF_GELU, AUX, SUMS_OF_A, SUMS_OF_B = 4, 16, 32, 64, 128, 256, 512  # bits of cublasLtEpilogue_t


class _Epilogue:
    """What follows a product, by the words of cublasLt.h.  The vector has an element for each row of the result, the sums of B for each column."""

    def __init__(self, told, out):
        self.does, size, (batch, rows, columns) = told[cublaslt.DESC_EPILOGUE], out.itemsize, out.shape
        self.vector = self.aux = None
        if self.does & (BIAS | SUMS | SUMS_OF_A | SUMS_OF_B):
            self.vector = _memory(told[cublaslt.DESC_BIAS], (columns if self.does & SUMS_OF_B else rows) * size).view(out.dtype)
        if self.does & AUX:
            ld = told[cublaslt.DESC_AUX_LD]
            assert ld >= rows and ld % 8 == 0 and told[cublaslt.DESC_AUX] % 16 == 0 and batch == 1, "the matrix beside the result lies wrongly"
            self.aux = _memory(told[cublaslt.DESC_AUX], ((columns - 1) * ld + rows) * size).view(out.dtype)
            self.aux = np.lib.stride_tricks.as_strided(self.aux, (rows, columns), (size, ld * size))
        assert batch == 1 or self.does in (1, BIAS), "an epilogue of a batch"

    def after(self, y, a, b):
        """y = op(A) op(B) with the epilogue, in float64; what else it gives is written."""
        if self.does & BIAS:
            y = y + self.vector.astype(np.float64)[:, None]
        if self.does & GELU:
            self.aux[...] = y[0].astype(self.aux.dtype)
            y = gelu(y)
        if self.does & SLOPE_OF_GELU:
            y = y * gelu_slope(self.aux.astype(np.float64))
        for bit, sums in ((SUMS, y), (SUMS_OF_A, a), (SUMS_OF_B, b.swapaxes(1, 2))):
            if self.does & bit:
                self.vector[...] = sums[0].astype(np.float64).sum(1).astype(self.vector.dtype)
        return y


def _memory(address, size):
    return np.ctypeslib.as_array(ctypes.cast(address, ctypes.POINTER(ctypes.c_uint8)), (size,))


def gelu(x):
    """GELU by its tanh form."""
    return x * (1 + np.tanh(np.sqrt(2 / np.pi) * (x + 0.044715 * x**3))) / 2


def gelu_slope(x):
    """The derivative of `gelu`."""
    c = np.sqrt(2 / np.pi)
    t = np.tanh(c * (x + 0.044715 * x**3))
    return (1 + t + x * (1 - t * t) * c * (1 + 0.134145 * x * x)) / 2


def _matrix(address, layout, transposed):
    """(batch, rows, columns) of a matrix stored by columns; transposed where the library was told so."""
    dtype = np.dtype(NUMPY[layout["kind"]])
    batch, step = layout.get(cublaslt.LAYOUT_BATCH_COUNT, 1), layout.get(cublaslt.LAYOUT_BATCH_STEP, 0)
    rows, columns, ld = layout["rows"], layout["columns"], layout["ld"]
    assert ld >= rows, "columns overlap"
    size = ((batch - 1) * step + (columns - 1) * ld + rows) * dtype.itemsize
    flat = _memory(address, size).view(dtype)
    found = np.lib.stride_tricks.as_strided(flat, (batch, rows, columns), [s * dtype.itemsize for s in (step, 1, ld)])
    return found.swapaxes(1, 2) if transposed else found


class Cudnn:
    """cuDNN as far as ringgrad uses it: descriptors that keep what they are told, and graphs of them computed with NumPy in float64.

    supports(told) says whether there is an engine for an operation; `runs` holds what was computed.
    """

    def __init__(self, supports=lambda told: True, notes=()):
        self.things, self.runs, self.supports, self.notes, self.stream = {}, [], supports, notes, None
        for name, signature in cudnn.SIGNATURES.items():
            setattr(self, name, ctypes.CFUNCTYPE(ctypes.c_int, *signature)(getattr(self, f"_{name.removeprefix('cudnn')}")))
        self.cudnnGetVersion = ctypes.CFUNCTYPE(ctypes.c_size_t)(lambda: 91900)
        self.cudnnGetErrorString = ctypes.CFUNCTYPE(ctypes.c_char_p, ctypes.c_int)(lambda status: b"a status")

    def _Create(self, place):
        place[0] = 8
        return 0

    def _SetStream(self, handle, stream):
        self.stream = stream
        return 0

    def _BackendCreateDescriptor(self, kind, place):
        address = 16 * (len(self.things) + 1)
        self.things[address], place[0] = {"kind": kind, "finished": False}, address
        return 0

    def _BackendDestroyDescriptor(self, address):
        return 0

    def _BackendSetAttribute(self, address, attribute, kind, number, values):
        thing = self.things[address]
        assert not thing["finished"], "a finished descriptor is changed"
        found = list(ctypes.cast(values, ctypes.POINTER(cudnn.C_TYPES[kind]))[:number])
        if kind == cudnn.DESCRIPTOR:
            assert all(self.things[f]["finished"] or self.things[f]["kind"] == cudnn.ENGINECFG for f in found), "a descriptor is used unfinished"
            found = [self.things[f] for f in found]
        thing[attribute] = found
        return 0

    def _BackendGetAttribute(self, address, attribute, kind, room, number, values):
        thing = self.things[address]
        answers = {cudnn.HEUR_ATTRIBUTES["results"]: [None], cudnn.CONFIG_ENGINE: [None], cudnn.ENGINE_NOTES: list(self.notes),
                   cudnn.PLAN_ATTRIBUTES["workspace"]: [64]}[attribute]
        number[0] = len(answers)
        if attribute == cudnn.HEUR_ATTRIBUTES["results"]:
            graph = thing[cudnn.HEUR_ATTRIBUTES["graph"]][0]
            number[0] = int(self.supports(graph[cudnn.GRAPH_OPERATIONS]))
            if room:
                self.things[ctypes.cast(values, ctypes.POINTER(ctypes.c_void_p))[0]].update(graph=graph)
        elif kind != cudnn.DESCRIPTOR and room:
            for i, answer in enumerate(answers):
                ctypes.cast(values, ctypes.POINTER(cudnn.C_TYPES[kind]))[i] = answer
        return 0

    def _BackendFinalize(self, address):
        self.things[address]["finished"] = True
        return 0

    def _BackendExecute(self, handle, plan, pack):
        pack, a = self.things[pack], cudnn.PACK_ATTRIBUTES
        assert handle == 8 and self.stream == 77 and pack[a["workspace"]][0], "no handle, stream or workspace"
        memory = dict(zip(pack[a["ids"]], pack[a["addresses"]]))
        graph = self.things[plan][cudnn.PLAN_ATTRIBUTES["config"]][0]["graph"]
        assert graph[cudnn.GRAPH_HANDLE] == [8]
        operations, virtual = graph[cudnn.GRAPH_OPERATIONS], {}
        computes = {cudnn.OPERATION_POINTWISE: self._pointwise, attention.OPERATION_MATMUL: self._product, attention.RESHAPE: self._reshape,
                    attention.OPERATION_REDUCTION: self._reduction, attention.OPERATION_RNG: self._random}
        with np.errstate(invalid="ignore", divide="ignore"):  # queries that look nowhere are nan
            for operation in operations:
                computes.get(operation["kind"], self._convolution)(operation, memory, virtual)
        self.runs.append(operations)
        return 0

    def _convolution(self, operation, memory, virtual):
        name, (_, _, _, geometry, attributes) = next((n, o) for n, o in convolution.OPERATIONS.items() if o[0] == operation["kind"])
        w, x, y = (operation[attribute][0] for attribute in attributes)
        told, a = operation[geometry][0], convolution.ATTRIBUTES
        assert told[a["before"]] == told[a["after"]] and told[a["mode"]] == [convolution.CROSS_CORRELATION]
        geometry = {"stride": tuple(told[a["strides"]]), "padding": tuple(told[a["before"]]), "dilation": tuple(told[a["dilations"]])}
        shapes = [tuple(t[cudnn.TENSOR_ATTRIBUTES["dimensions"]]) for t in (w, x, y)]
        geometry["groups"] = shapes[1][1] // shapes[0][1]
        w_, x_, y_ = (_Place(t, memory, virtual) for t in (w, x, y))
        if name == "forward":
            y_.put(ops.convolution.op.forward(np, x_.get(), w_.get(), None, **geometry))
        elif name == "data":
            x_.put(ops.conv_transpose.op.forward(np, y_.get(), w_.get(), None, size=shapes[1][2:], **geometry))
        else:
            w_.put(ops.conv_weight.op.forward(np, y_.get(), x_.get(), kernel=shapes[0][2:], **geometry))

    def _pointwise(self, operation, memory, virtual):
        a, told = cudnn.OPERATION_POINTWISE_ATTRIBUTES, operation[cudnn.OPERATION_POINTWISE_ATTRIBUTES["pointwise"]][0]
        x, b, t = (_Place(operation[a[n]][0], memory, virtual).get() if a[n] in operation else None for n in ("x", "b", "t"))
        mode, axis = told[cudnn.POINTWISE_ATTRIBUTES["mode"]][0], told.get(cudnn.POINTWISE_ATTRIBUTES["axis"], [0])[0]
        _Place(operation[a["y"]][0], memory, virtual).put(POINTWISE[mode](x, b, t, axis))

    def _product(self, operation, memory, virtual):
        a = attention.MATMUL_ATTRIBUTES
        x, y, out = (_Place(operation[a[n]][0], memory, virtual) for n in "abc")
        x, y = x.get(), y.get()
        y = np.repeat(y, x.shape[1] // y.shape[1], axis=1)
        stops = {n: _Place(operation[a[n]][0], memory, virtual).get().ravel().astype(int) for n in ("rows", "columns", "terms") if a[n] in operation}
        if not stops:
            out.put(x @ y)
            return
        result, sizes = np.full((*x.shape[:3], y.shape[3]), np.nan), {"rows": x.shape[2], "columns": y.shape[3], "terms": x.shape[3]}
        for i in range(len(x)):
            m, n, k = (stops[name][i] if name in stops else size for name, size in sizes.items())
            result[i, :, :m, :n] = x[i, :, :m, :k] @ y[i, :, :k, :n]
        out.put(result)

    def _reduction(self, operation, memory, virtual):
        a = attention.REDUCTION_ATTRIBUTES
        x, y = _Place(operation[a["x"]][0], memory, virtual).get(), _Place(operation[a["y"]][0], memory, virtual)
        reduce = {attention.SUM: np.sum, attention.LARGEST: np.max}[operation[a["reduction"]][0][a["operator"]][0]]
        x = reduce(x, axis=tuple(i for i, n in enumerate(y.shape) if n == 1), keepdims=True)
        if x.shape != y.shape:  # over the heads of queries that are one head of keys
            b, heads, *rest = x.shape
            x = reduce(x.reshape(b, y.shape[1], heads // y.shape[1], *rest), axis=2)
        y.put(x)

    def _reshape(self, operation, memory, virtual):
        x, y = (_Place(operation[attention.RESHAPE_ATTRIBUTES[n]][0], memory, virtual) for n in "xy")
        values = x.get().swapaxes(2, 3)
        assert values.shape == y.shape, "the only reshape known exchanges the last two dimensions"
        y.put(values)

    def _random(self, operation, memory, virtual):
        a = attention.RNG_ATTRIBUTES
        seed, offset = (int(_Place(operation[a[n]][0], memory, virtual).get().item()) for n in ("seed", "offset"))
        y = _Place(operation[a["y"]][0], memory, virtual)
        y.put(dropped(seed, offset, y.shape, operation[a["rng"]][0][a["probability"]][0]))


def dropped(seed, offset, shape, keep):
    """1 with probability `keep`, else 0: what the double draws for a seed and an offset."""
    return (np.random.default_rng([seed, offset]).random(shape) < keep).astype(np.float64)


POINTWISE = {
    attention.ADD: lambda x, b, t, axis: x + b, attention.MUL: lambda x, b, t, axis: x * b, attention.SUB: lambda x, b, t, axis: x - b,
    attention.DIV: lambda x, b, t, axis: x / b, attention.EXP: lambda x, b, t, axis: np.exp(x), attention.LOG: lambda x, b, t, axis: np.log(x),
    attention.IDENTITY: lambda x, b, t, axis: x, attention.NOT_BELOW: lambda x, b, t, axis: x >= b,
    attention.BELOW: lambda x, b, t, axis: x < b, attention.ABOVE: lambda x, b, t, axis: x > b,
    attention.BOTH: lambda x, b, t, axis: np.logical_and(x, b),
    attention.INDEX: lambda x, b, t, axis: np.indices(x.shape, sparse=True)[axis] + np.zeros(x.shape),
    attention.SELECT: lambda x, b, t, axis: np.where(t, x, b),
}


class _Place:
    """The values of a tensor that the library was told of, in memory or, for a virtual one, between operations."""

    def __init__(self, tensor, memory, virtual):
        a = cudnn.TENSOR_ATTRIBUTES
        self.id, self.virtual, self.shape = tensor[a["id"]][0], virtual if tensor[a["virtual"]] == [True] else None, tuple(tensor[a["dimensions"]])
        if self.virtual is not None:
            return
        kind = {0: np.float32, 1: np.float64, 2: np.float16, 4: np.int32, 9: ml_dtypes.bfloat16, 10: np.int64}[tensor[a["type"]][0]]
        dtype, shape, steps, address = np.dtype(kind), tensor[a["dimensions"]], tensor[a["strides"]], memory[self.id]
        assert tensor[a["by value"]][0] or address % tensor[a["alignment"]][0] == 0, "an address is not aligned as it was planned"
        if a["offsets"] not in tensor:
            self.pieces = [(..., _array(address, dtype, shape, steps))]
            return
        starts = _Place(tensor[a["offsets"]][0], memory, virtual).get().ravel().astype(int).tolist()
        along = 3 if steps[3] > steps[2] else 2  # the dimension of tokens; of keys that are told turned the last one
        self.pieces = []
        for i, (start, end) in enumerate(zip(starts, starts[1:])):
            number = (end - start) // steps[along]
            sizes = [n if d != along else number for d, n in enumerate(shape)][1:]
            assert number <= shape[along], "a sequence is longer than the longest"
            index = (i, *[slice(0, n) for n in sizes])
            self.pieces += [(index, _array(address + start * dtype.itemsize, dtype, sizes, steps[1:]))] if number else []

    def get(self):
        if self.virtual is not None:
            return self.virtual[self.id]
        values = np.full(self.shape, np.nan)
        for index, array in self.pieces:
            values[index] = array.astype(np.float64)
        return values

    def put(self, values):
        if self.virtual is not None:
            self.virtual[self.id] = values
            return
        assert values.shape == self.shape, "a result has another shape than its tensor"
        for index, array in self.pieces:
            array[...] = values[index].astype(array.dtype)


def _array(address, dtype, shape, steps):
    """The memory at an address."""
    size = (sum((n - 1) * s for n, s in zip(shape, steps)) + 1) * dtype.itemsize
    flat = np.ctypeslib.as_array(ctypes.cast(address, ctypes.POINTER(ctypes.c_uint8)), (size,)).view(dtype)
    return np.lib.stride_tricks.as_strided(flat, shape, [s * dtype.itemsize for s in steps])
