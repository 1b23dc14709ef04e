"""The doubles of cuBLASLt and cuDNN for host_ledger.py: they plan as those of host_libraries.py do, and write down what they would compute."""
import host_ledger
import host_libraries
import numpy as np

from ringgrad._libraries import attention, convolution, cublaslt, cudnn

BYTES = {0: 4, 1: 8, 2: 2, 9: 2, 10: 8}  # of cuDNN's types


class CublasLt(host_libraries.CublasLt):
    """The double, which computes nothing."""

    def _Matmul(self, handle, operation, one, a, a_layout, b, b_layout, zero, c, c_layout, d, d_layout, *rest):
        told, left, right, out = (self.things[t] for t in (operation, a_layout, b_layout, d_layout))
        sizes = [int(np.dtype(host_libraries.NUMPY[t["kind"]]).itemsize) for t in (left, right, out)]
        batches = [t.get(cublaslt.LAYOUT_BATCH_COUNT, 1) for t in (left, right, out)]
        shared = [bool(t.get(cublaslt.LAYOUT_BATCH_STEP, 0)) for t in (left, right, out)]
        bytes_ = [t["rows"] * t["columns"] * s * (b if step else 1) for t, s, b, step in zip((left, right, out), sizes, batches, shared)]
        inner = left["rows"] if told.get(cublaslt.DESC_TRANSA) else left["columns"]
        flops = 2 * batches[2] * out["rows"] * out["columns"] * inner
        shapes = tuple(f"{b}x{t['rows']}x{t['columns']}" for b, t in zip(batches, (left, right, out)))
        beside = self._beside(told[cublaslt.DESC_EPILOGUE], out["rows"] * sizes[2], out["columns"] * sizes[2], bytes_[2])
        host_ledger.XP.note("products", "matmul", shapes, bytes_[0] + bytes_[1] + beside[0], bytes_[2] + beside[1], flops)
        return 0

    def _beside(self, epilogue, column, row, matrix):
        """(bytes read, bytes written) of the vector and the matrix of an epilogue; column, row, matrix: bytes of those of the result."""
        does = host_libraries
        reads = column * bool(epilogue & does.BIAS) + matrix * bool(epilogue & does.SLOPE_OF_GELU)
        writes = column * bool(epilogue & does.SUMS) + row * bool(epilogue & does.SUMS_OF_B) + matrix * bool(epilogue & does.GELU)
        return reads, writes


class Cudnn(host_libraries.Cudnn):
    """The double, which computes nothing."""

    def _BackendExecute(self, handle, plan, pack):
        graph = self.things[plan][cudnn.PLAN_ATTRIBUTES["config"]][0]["graph"]
        operations, a = graph[cudnn.GRAPH_OPERATIONS], cudnn.TENSOR_ATTRIBUTES
        tensors, made, flops, name = {}, set(), 0, "attention"
        for operation in operations:
            found = [v[0] for v in operation.values() if isinstance(v, list) and isinstance(v[0], dict) and a["id"] in v[0]]
            for t in found:
                if t[a["virtual"]] != [True] and not t.get(a["by value"], [False])[0]:
                    tensors[t[a["id"]][0]] = t
            last = self._result(operation)
            made.add(last[a["id"]][0] if last is not None else None)
            flops += self._flops(operation, found)
            name = next((f"convolution {n}" for n, o in convolution.OPERATIONS.items() if o[0] == operation["kind"]), name)
        sizes = {i: int(np.prod(t[a["dimensions"]], dtype=np.int64)) * BYTES[t[a["type"]][0]] for i, t in tensors.items()}
        written = sum(s for i, s in sizes.items() if i in made)
        shapes = tuple(str(t[a["dimensions"]]) for t in tensors.values())
        host_ledger.XP.note("attention" if name == "attention" else "convolutions", name, shapes, sum(sizes.values()) - written, written, flops)
        return 0

    def _result(self, operation):
        """The tensor that an operation writes."""
        for _, (kind, _, _, _, attributes) in convolution.OPERATIONS.items():
            if kind == operation["kind"]:
                name = next(n for n, o in convolution.OPERATIONS.items() if o[0] == kind)
                return operation[attributes[{"filter": 0, "data": 1}.get(name, 2)]][0]
        names = {cudnn.OPERATION_POINTWISE: cudnn.OPERATION_POINTWISE_ATTRIBUTES["y"], attention.OPERATION_MATMUL: attention.MATMUL_ATTRIBUTES["c"],
                 attention.RESHAPE: attention.RESHAPE_ATTRIBUTES["y"], attention.OPERATION_REDUCTION: attention.REDUCTION_ATTRIBUTES["y"],
                 attention.OPERATION_RNG: attention.RNG_ATTRIBUTES["y"]}
        return operation[names[operation["kind"]]][0]

    def _flops(self, operation, tensors):
        a = cudnn.TENSOR_ATTRIBUTES
        if operation["kind"] == attention.OPERATION_MATMUL:
            left, out = (operation[attention.MATMUL_ATTRIBUTES[n]][0][a["dimensions"]] for n in "ac")
            return 2 * int(np.prod(out, dtype=np.int64)) * left[3]
        for _, (kind, _, _, _, attributes) in convolution.OPERATIONS.items():
            if kind == operation["kind"]:
                w, _, y = (operation[attribute][0][a["dimensions"]] for attribute in attributes)
                return 2 * int(np.prod(y, dtype=np.int64)) * int(np.prod(w[1:], dtype=np.int64))
        return 0
