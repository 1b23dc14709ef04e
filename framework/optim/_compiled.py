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


def scalar_form(rule, descent):
    """A rule's formula as a function of single elements: without the parameter `xp`, which becomes NumPy, and all arguments positional."""
    function = ast.parse(inspect.getsource(rule.formula)).body[0]
    function.decorator_list = []
    function.args.args = [*function.args.args[1:], *function.args.kwonlyargs]
    function.args.kwonlyargs, function.args.kw_defaults = [], []
    scope = {**rule.formula.__globals__, "xp": np, "descent": descent}
    exec(compile(ast.Module([function], []), f"<ringgrad rule {rule.name}>", "exec"), scope)
    return scope[rule.name]
