"""cuDNN: graphs of operations on tensors, planned once and run often.  `convolution` and `attention` make the graphs.

The library is told of tensors (sizes and steps, so that images with the channels last are told by their steps alone) and of operations on them; it
ranks ways to compute all of them at once, and the first that may be taken is.  This is its "backend" interface, the one that it develops.
"""
import threading
from ctypes import POINTER, byref, c_bool, c_char, c_double, c_float, c_int, c_int64, c_size_t, c_void_p

from .loading import Library

SIGNATURES = {
    "cudnnCreate": [POINTER(c_void_p)],
    "cudnnSetStream": [c_void_p, c_void_p],
    "cudnnBackendCreateDescriptor": [c_int, POINTER(c_void_p)],
    "cudnnBackendDestroyDescriptor": [c_void_p],
    "cudnnBackendSetAttribute": [c_void_p, c_int, c_int, c_int64, c_void_p],
    "cudnnBackendGetAttribute": [c_void_p, c_int, c_int, c_int64, POINTER(c_int64), c_void_p],
    "cudnnBackendFinalize": [c_void_p],
    "cudnnBackendExecute": [c_void_p, c_void_p, c_void_p],
}

# cudnnBackendDescriptorType_t
POINTWISE, CONVOLUTION, ENGINE, ENGINECFG, ENGINEHEUR, PLAN = 0, 1, 2, 3, 4, 5
OPERATION_POINTWISE, GRAPH, VARIANT_PACK, TENSOR, DEVICEPROP = 13, 15, 16, 17, 38

# cudnnBackendAttributeType_t and the C types of their values
HANDLE, DATA_TYPE, BOOLEAN, INT64, FLOAT, DOUBLE, VOID_PTR, CONVOLUTION_MODE, HEUR_MODE = range(9)
NUMERICAL_NOTE, POINTWISE_MODE, DESCRIPTOR, REDUCTION_OPERATOR, CHAR, RNG_DISTRIBUTION = 11, 14, 15, 18, 24, 29
C_TYPES = {HANDLE: c_void_p, DATA_TYPE: c_int, BOOLEAN: c_bool, INT64: c_int64, FLOAT: c_float, DOUBLE: c_double, VOID_PTR: c_void_p,
           DESCRIPTOR: c_void_p, CHAR: c_char,
           **dict.fromkeys((CONVOLUTION_MODE, HEUR_MODE, NUMERICAL_NOTE, POINTWISE_MODE, REDUCTION_OPERATOR, RNG_DISTRIBUTION), c_int)}

# cudnnBackendAttributeName_t
POINTWISE_ATTRIBUTES = {"mode": 0, "precision": 1, "axis": 9}
HEUR_ATTRIBUTES = {"mode": 200, "graph": 201, "results": 202, "device": 204}
CONFIG_ENGINE, ENGINE_NOTES = 300, 1303
PLAN_ATTRIBUTES = {"handle": 400, "config": 401, "workspace": 402, "device": 407}
OPERATION_POINTWISE_ATTRIBUTES = {"pointwise": 750, "x": 751, "b": 752, "y": 753, "t": 758}
GRAPH_HANDLE, GRAPH_OPERATIONS = 800, 801
TENSOR_ATTRIBUTES = {"alignment": 900, "type": 901, "dimensions": 902, "strides": 903, "id": 906, "virtual": 907, "by value": 908, "offsets": 913}
PACK_ATTRIBUTES = {"ids": 1000, "addresses": 1001, "workspace": 1003}
DEVICE_TEXT = 2702

TYPES = {"float32": 0, "float64": 1, "float16": 2, "int32": 4, "bfloat16": 9, "int64": 10, "bool": 11}  # cudnnDataType_t
BY_MODEL, FALLBACK = 3, 2  # heuristics: CUDNN_HEUR_MODE_A, CUDNN_HEUR_MODE_FALLBACK
TENSOR_CORE, DOWN_CONVERT_INPUTS, NONDETERMINISTIC = 0, 1, 4  # notes on engines
WORKSPACE_BYTES = 1 << 30  # engines that want more are passed over


def opened(library):
    """The functions of an opened library."""
    functions = Library(library, "cuDNN", SIGNATURES, "cudnnGetErrorString")
    functions.cudnnGetVersion = lambda: version(library)
    return functions


def version(library):
    """The version of an opened library as one number, such as 91900."""
    library.cudnnGetVersion.restype = c_size_t
    return library.cudnnGetVersion()


class Described:
    """One of the library's descriptors: set, finish, ask."""

    def __init__(self, library, kind):
        self.library, self.address = library, c_void_p()
        library.check(library.cudnnBackendCreateDescriptor(kind, byref(self.address)), "making a descriptor")

    def set(self, attribute, kind, values):
        array = (C_TYPES[kind] * len(values))(*[v.address if isinstance(v, Described) else v for v in values])
        status = self.library.cudnnBackendSetAttribute(self.address, attribute, kind, len(values), array)
        if status:
            self.library.check(status, f"setting attribute {attribute} to {values}")
        return self

    def ask(self, attribute, kind, room, values=None):
        """Up to `room` values of an attribute; for room=0 their number.  values: an array of descriptors to be filled."""
        array, number = values if values is not None or not room else (C_TYPES[kind] * room)(), c_int64()
        self.library.check(self.library.cudnnBackendGetAttribute(self.address, attribute, kind, room, byref(number), array),
                           f"asking for attribute {attribute}")
        return list(array[:min(room, number.value)]) if room else number.value

    def finish(self):
        self.library.check(self.library.cudnnBackendFinalize(self.address), "finishing a descriptor")
        return self

    def __del__(self):
        if self.address:
            self.library.cudnnBackendDestroyDescriptor(self.address)


class Graph:
    """Tensors and operations as they are described to the library, one after the other.

    compute: the type to compute in, and of tensors between operations;  alignment: of all addresses
    """

    def __init__(self, library, compute, alignment):
        self.library, self.compute, self.alignment = library, compute, alignment
        self.operations, self.ids, self.number = [], {}, 0

    def tensor(self, sizes, steps, dtype=None, name=None, by_value=False, offsets=None):
        """A tensor.  name: that of one in memory, whose address a run is given (by value: on the host); without one it lives between operations.

        offsets: a tensor of int64, in elements of this one, that says where each of its parts along the first dimension begins, and the last ends
        """
        a = TENSOR_ATTRIBUTES
        self.number += 1
        if name is not None:
            self.ids[name] = self.number
        made = Described(self.library, TENSOR).set(a["type"], DATA_TYPE, [TYPES[dtype or self.compute]]).set(a["dimensions"], INT64, sizes)
        alignment = min(self.alignment, 8) if dtype == "int64" else self.alignment  # numbers of the random source stand next to each other
        made.set(a["strides"], INT64, steps).set(a["id"], INT64, [self.number]).set(a["alignment"], INT64, [alignment])
        made.set(a["virtual"], BOOLEAN, [name is None]).set(a["by value"], BOOLEAN, [by_value])
        if offsets is not None:
            made.set(a["offsets"], DESCRIPTOR, [offsets])
        return made.finish()

    def operation(self, kind, *attributes):
        """Add an operation.  attributes: (number, type, values)"""
        made = Described(self.library, kind)
        for attribute in attributes:
            made.set(*attribute)
        self.operations.append(made.finish())

    def pointwise(self, mode, y, x, b=None, t=None, precision=None, axis=None):
        """Add y = mode(x, b, t), element by element.  Returns y."""
        a, told = OPERATION_POINTWISE_ATTRIBUTES, Described(self.library, POINTWISE)
        told.set(POINTWISE_ATTRIBUTES["mode"], POINTWISE_MODE, [mode])
        told.set(POINTWISE_ATTRIBUTES["precision"], DATA_TYPE, [TYPES[precision or self.compute]])
        if axis is not None:
            told.set(POINTWISE_ATTRIBUTES["axis"], INT64, [axis])
        others = [(a[name], DESCRIPTOR, [value]) for name, value in (("b", b), ("t", t)) if value is not None]
        self.operation(OPERATION_POINTWISE, (a["pointwise"], DESCRIPTOR, [told.finish()]), (a["x"], DESCRIPTOR, [x]), *others,
                       (a["y"], DESCRIPTOR, [y]))
        return y


class Planner:
    """The library on one device: a handle, and plans for graphs.

    what: a Convolution or an Attention, which draws a Graph and says which engines it refuses for their notes.

    device: a finished DEVICEPROP descriptor takes the place of the handle, to plan for a device that is not there.
    """

    def __init__(self, library, device=None):
        self.library, self.device, self.handle, self.lock = library, device, c_void_p(), threading.Lock()
        self.version = library.cudnnGetVersion()
        if device is None:
            library.check(library.cudnnCreate(byref(self.handle)), "making a handle")

    def plans(self, what, most=1):
        """Up to `most` Plans, best first by the library's own judgement; none where it has no way."""
        try:
            drawn = what.draw(self.library)
            graph = self._finished(drawn)
        except RuntimeError:
            return []
        found = []
        for mode in (BY_MODEL, FALLBACK):
            for config in self._configurations(graph, mode):
                plan = self._plan(graph, config, what, drawn.ids)
                if plan is not None:
                    found.append(plan)
                    if len(found) == most:
                        return found
            if found:
                break
        return found

    def _finished(self, drawn):
        graph = Described(self.library, GRAPH)
        if self.device is None:
            graph.set(GRAPH_HANDLE, HANDLE, [self.handle])
        graph.set(GRAPH_OPERATIONS, DESCRIPTOR, drawn.operations)
        return graph.finish()

    def _configurations(self, graph, mode):
        """Ways to compute a graph, best first."""
        ask = HEUR_ATTRIBUTES
        heuristics = Described(self.library, ENGINEHEUR).set(ask["graph"], DESCRIPTOR, [graph]).set(ask["mode"], HEUR_MODE, [mode])
        if self.device is not None:
            heuristics.set(ask["device"], DESCRIPTOR, [self.device])
        try:
            heuristics.finish()
            number = heuristics.ask(ask["results"], DESCRIPTOR, 0)
        except RuntimeError:  # none of this kind
            return []
        made = [Described(self.library, ENGINECFG) for _ in range(number)]
        return made[:len(heuristics.ask(ask["results"], DESCRIPTOR, number, (c_void_p * number)(*[m.address for m in made])))] if number else []

    def _plan(self, graph, config, what, ids):
        """A Plan, or None where this way may not be taken or does not support the graph after all."""
        try:
            if self._refused(config, what):
                return None
            plan = Described(self.library, PLAN).set(PLAN_ATTRIBUTES["config"], DESCRIPTOR, [config])
            if self.device is None:
                plan.set(PLAN_ATTRIBUTES["handle"], HANDLE, [self.handle])
            else:
                plan.set(PLAN_ATTRIBUTES["device"], DESCRIPTOR, [self.device])
            workspace = plan.finish().ask(PLAN_ATTRIBUTES["workspace"], INT64, 1)[0]
        except RuntimeError:
            return None
        return Plan(self, what, plan, workspace, ids, (graph, config)) if workspace <= WORKSPACE_BYTES else None

    def _refused(self, config, what):
        engine = Described(self.library, ENGINE)
        config.ask(CONFIG_ENGINE, DESCRIPTOR, 1, (c_void_p * 1)(engine.address))
        return what.refuses(engine.ask(ENGINE_NOTES, NUMERICAL_NOTE, 16))


class Plan:
    """A graph that can be run.  workspace: bytes that a run needs;  names: of its tensors, in the order in which `run` takes their addresses."""

    def __init__(self, planner, what, plan, workspace, ids, keeps):
        self.planner, self.what, self.plan, self.workspace, self._keeps = planner, what, plan, workspace, keeps
        self.names, self._ids = tuple(ids), (c_int64 * len(ids))(*ids.values())

    def run(self, addresses, workspace, stream):
        """Run on addresses in device memory, or on the host of what is told by value.  RuntimeError with the library's words when it fails."""
        planner, library, a = self.planner, self.planner.library, PACK_ATTRIBUTES
        pack = Described(library, VARIANT_PACK).set(a["addresses"], VOID_PTR, addresses).set(a["workspace"], VOID_PTR, [workspace])
        library.check(library.cudnnBackendSetAttribute(pack.address, a["ids"], INT64, len(self._ids), self._ids), "naming tensors")
        pack.finish()
        with planner.lock:  # the stream is part of the handle
            library.check(library.cudnnSetStream(planner.handle, stream), "setting the stream")
            status = library.cudnnBackendExecute(planner.handle, self.plan.address, pack.address)
        if status:
            library.check(status, f"computing {self.what}")


def absent_device(library, text):
    """A device that is described and not there, to plan for.  text: JSON as the library writes it."""
    made, raw = Described(library, DEVICEPROP), text.encode()
    return made.set(DEVICE_TEXT, CHAR, [bytes([b]) for b in raw]).finish()
