"""Update rules as one compiled loop per parameter, where numba is installed (extra `fast-cpu`).

The loop is generated from the rule's own source, so there is no second formula.  numba neither reorders nor contracts floating-point
operations unless told to, hence the results are those of NumPy to the last bit (tests/optim/test_optimizer.py).
"""
import ast
import functools
import inspect

import numpy as np

from .._numba import available  # noqa: F401 - asked by _rule


def loop(rule, absent, descent):
    """A function of a rule's flat arrays (without those that are `absent`) and its numbers, which updates the arrays in place."""
    import numba  # half a second, and only worth it for large parameters
    compiled = functools.partial(numba.njit, nogil=True, error_model="numpy")
    given = [n for n, missing in zip(rule.arrays, absent) if not missing]
    outputs = [n if n in given else "_" for n in rule.arrays if n != rule.arrays[1]]
    elements = ", ".join(f"{n}[i]" if n in given else "None" for n in rule.arrays)
    source = (f"def run({', '.join([*given, *rule.numbers])}):\n"
              f"    for i in range({given[0]}.size):\n"
              f"        {', '.join(n if n == '_' else n + '[i]' for n in outputs)}, = formula({elements}, {', '.join(rule.numbers)})\n")
    scope = {"formula": compiled(scalar_form(rule, compiled(descent)))}
    exec(compile(source, f"<ringgrad loop {rule.name}>", "exec"), scope)
    return compiled(scope["run"])


def loop_over_all(rule, absent, descent):
    """A function of the addresses (arrays, parameters), the sizes and a rule's numbers, which runs `loop` on one parameter after the other.

    The arrays are float32, each in one block of memory that may be written to.  One call for all: beside small parameters a call is what takes time.
    """
    import numba
    from numba.core import cgutils, types
    from numba.extending import intrinsic

    @intrinsic
    def pointer(typing, address):
        return types.voidptr(address), lambda context, builder, signature, args: builder.inttoptr(args[0], cgutils.voidptr_t)

    count = len(absent) - sum(absent)
    arrays = ", ".join(f"carray(pointer(addresses[{k}, i]), (sizes[i],), float32)" for k in range(count))
    source = (f"def run_all(addresses, sizes, {', '.join(rule.numbers)}):\n    for i in range(sizes.size):\n"
              f"        run({arrays}, {', '.join(rule.numbers)})\n")
    scope = {"run": loop(rule, absent, descent), "pointer": pointer, "carray": numba.carray, "float32": np.float32}
    exec(compile(source, f"<ringgrad loop over all {rule.name}>", "exec"), scope)
    return numba.njit(nogil=True, error_model="numpy")(scope["run_all"])


def scalar_form(rule, descent):
    """A rule's formula as a function of single elements: without the parameter `xp`, which becomes NumPy, and all arguments positional."""
    function = ast.parse(inspect.getsource(rule.formula)).body[0]
    function.decorator_list = []
    function.args.args = [*function.args.args[1:], *function.args.kwonlyargs]
    function.args.kwonlyargs, function.args.kw_defaults = [], []
    scope = {**rule.formula.__globals__, "xp": np, "descent": descent}
    exec(compile(ast.Module([function], []), f"<ringgrad rule {rule.name}>", "exec"), scope)
    return scope[rule.name]
