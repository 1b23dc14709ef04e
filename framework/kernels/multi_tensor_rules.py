"""Update rules of optimizers over all parameters in one launch: a kernel for every rule that has a CUDA body, made of that body.

A body stands beside its rule (optim/_rule.py).  It works on one element: `p`, `g` and the states by the names that they have in the rule, as
numbers that it may change, and `NAME_at` to ask whether a state is there; the rule's numbers by their names, flags as 0 and 1; and `descent`.
The numbers are uploaded with each step, a row for every parameter, since parameters may have made different numbers of steps.
"""
import numpy as np

from .._backends.uploads import upload
from .family import SCALARS
from .multi_tensor import CHUNK, Steps

HEAD = r"""
__device__ inline A descent(A p, A g, A weight_decay, A maximize) { return (maximize != 0 ? -g : g) + weight_decay * p; }
__device__ inline A sign(A v) { return v > 0 ? (A)1 : v < 0 ? (A)-1 : v; }
"""
KERNEL_TEXT = r"""
KERNEL {name}(const u64* table, const i64* sizes, const int* blocks, const A* numbers) {{
    const int t = blocks[2 * blockIdx.x];
    const u64* row = table + (i64)t * 6;
    const A* own = numbers + (i64)t * {count};
    const A {numbers};
    T* p_at = (T*)row[0];
    const T* g_at = (const T*)row[1];
    {pointers}
    const i64 from = (i64)blocks[2 * blockIdx.x + 1] * {chunk}, to = min(from + (i64){chunk}, sizes[t]);
    for (i64 i = from + threadIdx.x; i < to; i += blockDim.x) {{
        A p = (A)p_at[i], g = (A)g_at[i];
        {loads}
        {body}
        p_at[i] = (T)p;
        {stores}
    }}
}}
"""
RULES = {}  # by name: (names of the states, names of the numbers, body)


class RuleSteps(Steps):
    """The kernels of all rules, whose text is complete when the optimizers are imported."""

    @property
    def text(self):
        """CUDA C of every rule."""
        return HEAD + "".join(kernel_text(name, *parts) for name, parts in RULES.items())

    @text.setter
    def text(self, value):
        """It is made of RULES."""


def kernel_text(name, states, numbers, body):
    """The kernel of one rule."""
    return KERNEL_TEXT.format(
        name=name, count=len(numbers), chunk=CHUNK, body=body, numbers=", ".join(f"{n} = own[{k}]" for k, n in enumerate(numbers)),
        pointers=" ".join(f"S* {s}_at = (S*)row[{k}];" for k, s in enumerate(states, 2)),
        loads=" ".join(f"A {s} = {s}_at ? (A){s}_at[i] : (A)0;" for s in states),
        stores=" ".join(f"if ({s}_at) {s}_at[i] = (S){s};" for s in states))


FAMILY = RuleSteps("multi_tensor_rules", False, ("float16", "bfloat16", "float32", "float64"))


def step(xp, name, table, numbers):
    """One launch of the rule `name`.  table: parameters, gradients and a list for each state (None where it is missing);  numbers: a list of
    values for each parameter.
    """
    values = upload(xp, np.array(numbers, SCALARS[table.like.dtype.char]).reshape(-1))
    if table.count:
        FAMILY.launch(xp, name, table.like, (table.count,), (256,), table.table, table.sizes, table.blocks, values)
