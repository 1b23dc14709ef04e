"""Update rules of optimizers over all parameters in one launch: a kernel for every rule that has a CUDA body, made of that body.

A body stands beside its rule (optim/_rule.py).  It works on one element: `p`, `g` and the states by the names that they have in the rule, as
numbers that it may change, and `NAME_at` to ask whether a state is there; the rule's numbers by their names, flags as 0 and 1; and `descent`.
The numbers are a row for every parameter, since parameters may have made different numbers of steps.  Where step counts are on the host, the rows
are uploaded with each step.  Where they are on the device, as in a captured step, a second kernel makes the rows there, of a body of factors that
stands beside the rule too: a thread for each parameter counts its step and computes in double, as Python does on the host.
"""
import numpy as np

from .._backends.uploads import constant, upload
from .family import I64, SCALARS, flat_grid
from .multi_tensor import Steps, computing

HEAD = r"""
__device__ inline A descent(A p, A g, A weight_decay, A maximize) { return (maximize != 0 ? -g : g) + weight_decay * p; }
__device__ inline A sign(A v) { return v > 0 ? (A)1 : v < 0 ? (A)-1 : v; }
"""
KERNEL_TEXT = r"""
KERNEL {name}(TABLE, const A* numbers, const A* scale, const A* factor, const A* found) {{
    if (found && *found != 0) return;
    Chunk c = CHUNK_OF_BLOCK;
    const A* own = numbers + (i64)c.array * {count};
    const A {numbers};
    const A unscale = 1 / or_one(scale), shrink_to = or_one(factor);
    T* p_at = (T*)c.row[0];
    T* g_at = (T*)c.row[1];
    S* master = (S*)c.row[5];
    {pointers}
    each_of(c, [&](i64 i, auto number) {{
        constexpr int N = decltype(number)::value;
        A p_v[N], g_v[N];
        if (master) load(p_v, master, i);
        else load(p_v, p_at, i);
        load(g_v, g_at, i);
        {loads}
#pragma unroll
        for (int j = 0; j < N; ++j) {{
            g_v[j] *= unscale;
            A p = p_v[j], g = g_v[j] * shrink_to;
            {given}
            {body}
            p_v[j] = p;
            {kept}
        }}
        if (scale) store(g_v, g_at, i);  // unscaled, as torch leaves it
        if (master) store(p_v, master, i);
        store(p_v, p_at, i);
        {stores}
    }});
}}
"""
# counts: a row of addresses for each parameter, of its step count and what else is one number in its state
FACTORS_TEXT = r"""
KERNEL {name}_factors(const u64* counts, const double* options, A* numbers, i64 n, const A* found) {{
    if (found && *found != 0) return;
    EACH_ELEMENT(t, n) {{
        double {options};
        {scalars}
        double count = (*step_at += 1);
        double {missing};
        {factors}
        A* own = numbers + t * {count};
        {stores}
    }}
}}
"""
RULES = {}  # by name: (names of the states, names of the numbers, body, Factors or None)


class RuleSteps(Steps):
    """The kernels of all rules, whose text is complete when the optimizers are imported."""

    @property
    def text(self):
        """CUDA C of every rule."""
        return HEAD + "".join(kernel_text(name, *parts) for name, parts in RULES.items())

    @text.setter
    def text(self, value):
        """It is made of RULES."""


def kernel_text(name, states, numbers, body, factors):
    """The kernel of one rule, and that of its factors."""
    step = KERNEL_TEXT.format(
        name=name, count=len(numbers), body=body, numbers=", ".join(f"{n} = own[{k}]" for k, n in enumerate(numbers)),
        pointers=" ".join(f"S* {s}_at = (S*)c.row[{k}];" for k, s in enumerate(states, 2)),
        loads=" ".join(f"A {s}_v[N] = {{}}; if ({s}_at) load({s}_v, {s}_at, i);" for s in states),
        given=" ".join(f"A {s} = {s}_v[j];" for s in states), kept=" ".join(f"{s}_v[j] = {s};" for s in states),
        stores=" ".join(f"if ({s}_at) store({s}_v, {s}_at, i);" for s in states))
    return step if factors is None else step + factors_text(name, numbers, factors)


def factors_text(name, numbers, factors):
    """The kernel that makes a rule's numbers from options and step counts."""
    scalars = ("step", *factors.scalars)
    return FACTORS_TEXT.format(
        name=name, count=len(numbers), factors=factors.body, options=", ".join(f"{o} = options[{k}]" for k, o in enumerate(factors.options)),
        scalars=" ".join(f"float* {s}_at = (float*)counts[t * {len(scalars)} + {k}];" for k, s in enumerate(scalars)),
        missing=", ".join([n for n in numbers if n not in factors.options] or ["nothing"]),
        stores=" ".join(f"own[{k}] = (A){n};" for k, n in enumerate(numbers)))


FAMILY = RuleSteps("multi_tensor_rules", False, ("float16", "bfloat16", "float32", "float64"))
WIDE = RuleSteps("multi_tensor_rules_wide", True, ("float16", "bfloat16"))


def rows(xp, like, numbers):
    """The numbers of a rule from the host: a list of values for each parameter."""
    return upload(xp, np.array(numbers, SCALARS[like.dtype.char]).reshape(-1))


def rows_on_device(xp, name, like, scalars, options, found=None):
    """The numbers of a rule from step counts on the device, which are counted up (nothing happens where `found` is not 0).

    scalars: for each parameter its step count and the rule's other scalars, float32 device arrays of one element;  options: a float64 device array
    """
    addresses = constant(xp, np.array([[s.data.ptr for s in row] for row in scalars], np.uint64).reshape(-1))
    values = xp.empty((len(scalars) * len(RULES[name][1]),), computing(like))
    FAMILY.launch(xp, f"{name}_factors", like, *flat_grid(len(scalars)), addresses, options, values, I64(len(scalars)), found)
    return values


def step(xp, name, table, numbers, scale=None, factor=None, found=None):
    """One launch of the rule `name`.  table: parameters, gradients, a list for each state (None where it is missing) and master weights;
    numbers: what `rows` or `rows_on_device` made;  scale, factor, found: as in multi_tensor.py.
    """
    table.launch(xp, name, numbers, scale, factor, found, families=(FAMILY, WIDE))
