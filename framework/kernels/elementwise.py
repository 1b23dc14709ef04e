"""Elementwise CUDA kernels, generated from the one-line bodies that stand with the ops.

A body assigns `out` from the inputs, by their names, and the attributes (numbers): "out = x / (1 + exp(-x))".  float16 and bfloat16 are read and
written as such and computed in float.  The kernel takes contiguous arrays of one shape and type; everything else runs the formula.
"""
import numpy as np

from .family import TYPES

THREADS, MAX_BLOCKS = 256, 1 << 16

TEMPLATE = """{header}extern "C" __global__ void {name}({parameters}) {{
    const long long step = (long long)gridDim.x * blockDim.x;
    for (long long i = (long long)blockIdx.x * blockDim.x + threadIdx.x; i < n; i += step) {{
        {loads}
        {compute} out;
        {body};
        out_p[i] = ({storage})out;
    }}
}}
"""


def source(op, dtype):
    """CUDA C of `op` for one float type (a name in TYPES)."""
    storage, compute, header = TYPES[dtype]
    parameters = [f"const {storage}* __restrict__ {n}_p" for n in op.inputs]
    parameters += [f"{storage}* __restrict__ out_p", "long long n"] + [f"{compute} {a}" for a in op.attrs]
    loads = " ".join(f"const {compute} {n} = ({compute}){n}_p[i];" for n in op.inputs)
    return TEMPLATE.format(header=header, name=f"{op.name}_{dtype}", parameters=", ".join(parameters), loads=loads, compute=compute,
                           storage=storage, body=op.cuda.rstrip("; "))


def kernel(op):
    """The function that computes `op` on CuPy arrays: fused where the arrays allow it, the formula elsewhere."""
    compiled = {}

    def launch(xp, *arrays, **attrs):
        first = arrays[0]
        dtype = first.dtype.name
        if dtype not in TYPES or not all(_fits(a, first) for a in arrays) or not first.size:
            return op.forward(xp, *arrays, **attrs)
        key = dtype, id(xp)
        if key not in compiled:
            module = xp.RawModule(code=source(op, dtype), options=("-std=c++17",))
            compiled[key] = module.get_function(f"{op.name}_{dtype}"), np.dtype("float64" if dtype == "float64" else "float32").type
        function, number = compiled[key]
        out = xp.empty_like(first)
        blocks = min((first.size + THREADS - 1) // THREADS, MAX_BLOCKS)
        function((blocks,), (THREADS,), (*arrays, out, np.int64(first.size), *(number(attrs[a]) for a in op.attrs)))
        return out
    return launch


def _fits(a, first):
    return type(a) is type(first) and a.dtype == first.dtype and a.shape == first.shape and a.flags.c_contiguous
