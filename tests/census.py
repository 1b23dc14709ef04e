"""Write docs/compatibility.md: which of the names that public programs use are here, and what proves them.  `python -m tests.census`

tests/oracle/census.csv counts, for 292 public programs, how many use each name of torch.  "Compared" means that a row of tests/ops calls the
name and is held against torch, or that a method is the very function such a row calls; "named" that another test file names it.
"""
import collections
import csv
import functools
import operator
import re
from pathlib import Path

import ringgrad
import ringgrad.nn
import ringgrad.optim
from ringgrad import compat
from ringgrad._left_out import LEFT_OUT

from .ops.samples import ROWS

TESTS = Path(__file__).resolve().parent
TARGET = TESTS.parent / "docs" / "compatibility.md"
ROOTS = {"Tensor": ringgrad.Tensor, "Module": ringgrad.nn.Module, "Optim": ringgrad.optim.Optimizer}
ON_INSTANCES = {"Optim.param_groups", "Optim.state", "Module.training"}  # attributes that objects have and their classes do not
COLUMNS = ("namespace", "names", "present", "compared with torch", "named in another test")

HEAD = """# Compatibility

Written by `make compatibility`; do not edit. It counts the names of torch that 292 public programs use (`tests/oracle/census.csv`).
*Present*: a program finds the name through `ringgrad.compat`, and it does not refuse. *Compared with torch*: a row of `tests/ops` calls it,
which the oracle multiplies by dtypes, layouts and gradients of both orders. *Named in another test*: modules, optimizers, hooks and the
like are proven by tests of their own.  What whole programs reach under ringgrad stands in [programs.md](programs.md).

"""


def census():
    """{name: number of programs that use it}."""
    with (TESTS / "oracle" / "census.csv").open() as file:
        return {row["api"]: int(row["programs"]) for row in csv.DictReader(file)}


def found(name):
    """What a program finds under torch's `name` (see ringgrad.compat); None when there is nothing, or what refuses to be used."""
    first, _, rest = name.partition(".")
    if name in ON_INSTANCES:
        return name
    try:
        thing = operator.attrgetter(rest)(ROOTS[first]) if first in ROOTS else compat.resolve(name)
    except (AttributeError, ImportError, compat.Missing):
        return None
    if not compat.is_built(thing):
        return None
    return name if thing is None else thing  # torch.version.cuda is there, and None


def behind(name):
    """`found`, without the wrapper that adds out=."""
    thing = found(name)
    return getattr(thing, "__wrapped__", thing)


def namespace(name):
    """The heading that a name is counted under."""
    parts = name.split(".")
    return ".".join(parts[:-1][:2 if parts[1:2] != ["nn"] else 3])


@functools.cache
def rows():
    """(names that rows call, the functions behind them)."""
    names = {row.name for row in ROWS}
    functions = {id(behind(f"torch.{n}" if not n.startswith("Tensor.") else n)) for n in names}
    return names, functions


def compared(name):
    """Whether a row of tests/ops calls the name, or the function that the name stands for."""
    names, functions = rows()
    short = name.removeprefix("torch.")
    if short in names or (found(name) is not None and id(behind(name)) in functions):
        return True
    bare = short.removeprefix("Tensor.")
    return name.startswith("Tensor.") and (bare.removesuffix("_") in names or f"Tensor.{bare.removesuffix('_')}" in names)


@functools.cache
def words():
    """Every word of the test files, outside the rows."""
    return {w for p in TESTS.rglob("*.py") if p.name != "census.py" for w in re.findall(r"\w+", p.read_text())}


def report():
    """The text of docs/compatibility.md."""
    counts, missing, unproven = collections.defaultdict(lambda: [0, 0, 0, 0]), [], []
    for name, programs in census().items():
        there, row = found(name) is not None, compared(name)
        named = not row and name.rpartition(".")[2] in words()
        for i, holds in enumerate((True, there, there and row, there and named)):
            counts[namespace(name)][i] += holds
        if not there:
            missing.append((name, programs))
        elif not row and not named:
            unproven.append((name, programs))
    lines = [" | ".join(["", *COLUMNS, ""]).strip(), "|---|" + "---:|" * (len(COLUMNS) - 1)]
    total = [sum(column) for column in zip(*counts.values())]
    lines += [f"| {space} | {' | '.join(map(str, numbers))} |" for space, numbers in [*sorted(counts.items()), ("**all**", total)]]
    return HEAD + "\n".join(lines) + "\n" + listed("Missing", missing) + listed("Present, but named by no test", unproven) + left_out()


def left_out():
    """The section of LEFT_OUT."""
    return "\n## Left out, and why\n\n" + "\n".join(f"- `{name}`: {reason}." for name, reason in LEFT_OUT.items()) + "\n"


def listed(title, names):
    """A section with names and how many programs use each."""
    text = ", ".join(f"`{name}` ({programs})" for name, programs in names) or "None."
    return f"\n## {title}\n\n{text}\n"


if __name__ == "__main__":
    TARGET.write_text(report())
