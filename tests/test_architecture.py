"""The layer diagram of docs/architecture.md, executed: imports point down, none are hidden, and the three folders keep to themselves."""
import ast
import functools
import re
import sys
import tomllib
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[1]
FOLDERS = {"framework": "ringgrad", "distributed": "ringgrad.distributed", "launch": "ringgrad.launch"}

OPTIONAL = {"cupy", "cupyx", "mpi4py", "numba", "cuda", "nccl", "pynccl", "matplotlib", "tensorboard", "sklearn", "safetensors", "onnx", "PIL"}

TOOLS = {"ringgrad._stubs", "ringgrad.kernels.check"}  # commands: they may know everyone, and nobody imports them


def read_diagram(text):
    """{unit: layer} out of the lines "3 ops/ (one file per family)   kernels/" of docs/architecture.md.

    A unit is a file or a package directly below framework/; it may import from its own layer and from those below.
    """
    heights = {}
    for height, line in re.findall(r"^(\d) (.*)$", text, re.MULTILINE):
        units = re.sub(r"\([^)]*\)|:.*", "", line).replace("ringgrad/__init__", "__init__").split()
        heights.update({unit.split("/")[0].strip(","): int(height) for unit in units})
    return heights


LAYER = read_diagram((ROOT / "docs" / "architecture.md").read_text())


def files(folder):
    return sorted(p for p in (ROOT / folder).rglob("*.py") if "__pycache__" not in p.parts)


def module_of(path):
    """framework/_core/op.py -> ringgrad._core.op; a package's __init__ is the package itself."""
    folder, *rest = path.relative_to(ROOT).with_suffix("").parts
    return ".".join([FOLDERS[folder], *(rest[:-1] if rest[-1] == "__init__" else rest)])


SOURCES = {module_of(p): p for folder in FOLDERS for p in files(folder)}


@functools.cache
def tree_of(module):
    return ast.parse(SOURCES[module].read_text())


@functools.cache
def imports_of(module):
    """Every import of a module: (line, the module imported, inside a function?)."""
    return imports_in(tree_of(module), module, SOURCES[module].name == "__init__.py")


def imports_in(tree, module, package):
    found = []

    def visit(node, inside):
        if isinstance(node, ast.Import):
            found.extend((node.lineno, a.name, inside) for a in node.names)
        elif isinstance(node, ast.ImportFrom):
            base = node.module or ""
            if node.level:
                parts = module.split(".") if package else module.split(".")[:-1]
                parts = parts[:len(parts) - node.level + 1]
                base = ".".join([*parts, base] if base else parts)
            for a in node.names:
                inner = f"{base}.{a.name}"
                found.append((node.lineno, inner if inner in SOURCES else base, inside))
        inside = inside or isinstance(node, (ast.FunctionDef, ast.AsyncFunctionDef, ast.Lambda))
        for child in ast.iter_child_nodes(node):
            visit(child, inside)

    visit(tree, False)
    return found


def unit_of(module):
    """The unit of the diagram that a module of framework/ belongs to."""
    parts = module.split(".")
    return parts[1] if len(parts) > 1 else "__init__"


def layer_of(module):
    unit = "__init__" if module in TOOLS else unit_of(module)
    unit = unit if unit in LAYER else unit.removeprefix("_")  # _serialization lies beside serialization
    assert unit in LAYER, f"{module}: {unit!r} has no place in the diagram of docs/architecture.md; put it there"
    return LAYER[unit]


def folder_of(module):
    return next((f for f, name in reversed(FOLDERS.items()) if module == name or module.startswith(f"{name}.")), None)


def complain(rule):
    """Fail with every place in the sources where `rule(module)` finds something: [(line, what), ...]."""
    wrong = [f"{SOURCES[m].relative_to(ROOT)}:{line}: {what}" for m in sorted(SOURCES) for line, what in rule(m)]
    assert not wrong, "\n" + "\n".join(wrong)


def wrong_in_framework(module, imports):
    """[(line, complaint), ...] about the imports of a module of framework/."""
    wrong, here = [], layer_of(module)
    for line, target, _ in imports:
        if folder_of(target) in ("distributed", "launch"):
            wrong.append((line, f"the framework knows no plug, but imports {target}"))
        elif target in TOOLS:
            wrong.append((line, f"{target} is a command, which nobody imports"))
        elif folder_of(target) == "framework" and layer_of(target) > here:
            wrong.append((line, f"{target} (layer {layer_of(target)}) is above {module} (layer {here})"))
    return wrong


def wrong_in_distributed(module, imports):
    wrong = []
    for line, target, _ in imports:
        private = any(part.startswith("_") for part in target.split(".")[1:])
        if folder_of(target) == "launch":
            wrong.append((line, f"distributed meets the launcher through environment variables only, but imports {target}"))
        if folder_of(target) == "framework" and private and target != "ringgrad._core.hooks":
            wrong.append((line, f"{target} is private to the framework; public names and ringgrad._core.hooks are not"))
    return wrong


def wrong_in_launch(module, imports):
    return [(line, f"launch imports the standard library only, not {target}") for line, target, _ in imports
            if folder_of(target) != "launch" and target.split(".")[0] not in sys.stdlib_module_names]


RULES = {"framework": wrong_in_framework, "distributed": wrong_in_distributed, "launch": wrong_in_launch}


def test_imports_keep_to_the_diagram():
    complain(lambda module: RULES[folder_of(module)](module, imports_of(module)))


def needs_an_optional_library(module):
    """Whether importing a module of ours imports a library that may be missing."""
    return any(target.split(".")[0] in OPTIONAL for _, target, inside in imports_of(module) if not inside)


def hidden(module):
    if SOURCES[module].name == "__init__.py":
        return []
    return [(line, f"imports {target} inside a function") for line, target, inside in imports_of(module)
            if inside and folder_of(target) and not (target in SOURCES and needs_an_optional_library(target))]


def test_no_import_of_our_own_modules_hides_inside_a_function():
    """Save the lazy wiring of a package's public names, and of modules that need a library that may be missing."""
    complain(hidden)


def absolute(module):
    own, found = FOLDERS[folder_of(module)], []
    for node in ast.walk(tree_of(module)):
        names = [a.name for a in node.names] if isinstance(node, ast.Import) else []
        if isinstance(node, ast.ImportFrom) and not node.level:
            names = [node.module]
        found += [(node.lineno, f"imports {n} absolutely") for n in names if folder_of(n) is not None and (n + ".").startswith(own + ".")]
    return found


def test_no_absolute_import_of_the_own_folder():
    """`import ringgrad` inside the framework would run before it is complete; inside a folder imports are relative."""
    complain(absolute)


def leaving(module):
    own = FOLDERS[folder_of(module)]
    package_depth = len(module.split(".")) - (SOURCES[module].name != "__init__.py")
    return [(node.lineno, "a relative import leaves the folder") for node in ast.walk(tree_of(module))
            if isinstance(node, ast.ImportFrom) and node.level and package_depth - node.level + 1 < len(own.split("."))]


def test_relative_imports_stay_inside_the_folder():
    complain(leaving)


def cycles(graph):
    """One list of modules per import cycle: the strongly connected components with more than one member."""
    order, seen = [], set()

    def walk(start, edges, out):
        stack = [(start, iter(sorted(edges[start])))]
        seen.add(start)
        while stack:
            node, rest = stack[-1]
            for n in rest:
                if n not in seen:
                    seen.add(n)
                    stack.append((n, iter(sorted(edges[n]))))
                    break
            else:
                out.append(node)
                stack.pop()

    for n in graph:
        if n not in seen:
            walk(n, graph, order)
    back = {n: {m for m in graph if n in graph[m]} for n in graph}
    seen, found = set(), []
    for n in reversed(order):
        if n not in seen:
            group = []
            walk(n, back, group)
            found.append(group)
    return [sorted(g) for g in found if len(g) > 1]


def test_no_import_cycles():
    graph = {m: {t for _, t, inside in imports_of(m) if not inside and t in SOURCES and t != m} for m in SOURCES}
    assert cycles(graph) == []


def test_every_package_is_in_the_wheel():
    """setup.py lists what setuptools finds below the three folders, which are the folders that hold an __init__.py."""
    mapped = tomllib.loads((ROOT / "pyproject.toml").read_text())["tool"]["setuptools"]["package-dir"]
    assert mapped == {name: folder for folder, name in FOLDERS.items()}
    listed = next(ast.literal_eval(n.value) for n in ast.parse((ROOT / "setup.py").read_text()).body
                  if isinstance(n, ast.Assign) and n.targets[0].id == "FOLDERS")
    assert listed == mapped
    lost = sorted({str(p.parent.relative_to(ROOT)) for p in SOURCES.values() if not (p.parent / "__init__.py").exists()})
    assert not lost, f"without an __init__.py these folders are left out of the wheel: {lost}"


def test_examples_use_public_names_only():
    private = re.compile(r"\bringgrad(\.\w+)*\._\w+|from ringgrad(\.\w+)* import _\w+")
    wrong = [f"{p.relative_to(ROOT)}: {m[0]}" for p in files("examples") for m in private.finditer(p.read_text())]
    assert not wrong


@pytest.mark.parametrize(("module", "line", "complaint"), [
    ("ringgrad._core.op", "from ..nn import Module", "above"),
    ("ringgrad._core.op", "def f():\n    from ..nn import Module", "above"),
    ("ringgrad.nn.module", "from ringgrad.distributed import env", "no plug"),
    ("ringgrad.nn.module", "from .._core.tensor import Tensor", None),
    ("ringgrad.distributed.ddp", "from ringgrad._core.tensor import Tensor", "private"),
    ("ringgrad.distributed.ddp", "from ringgrad._core import hooks", None),
    ("ringgrad.distributed.ddp", "import ringgrad.launch.plan", "environment"),
    ("ringgrad.launch.cli", "import numpy as np", "standard library"),
    ("ringgrad.launch.cli", "import ringgrad", "standard library"),
    ("ringgrad.launch.cli", "from . import plan\nimport os", None),
])
def test_the_rules_see_what_they_should(module, line, complaint):
    wrong = RULES[folder_of(module)](module, imports_in(ast.parse(line), module, package=False))
    assert [complaint in what for _, what in wrong] == ([True] if complaint else [])


def test_the_diagram_is_read():
    text = "words\n2 _core: tensor, op\n1 _device  _backends/{numpy_,cupy_}  ops/ (one, two)\n7 ringgrad/__init__  knows"
    assert read_diagram(text) == {"_core": 2, "_device": 1, "_backends": 1, "ops": 1, "__init__": 7, "knows": 7}
    assert LAYER["_core"] < LAYER["ops"] < LAYER["nn"] < LAYER["__init__"]


def test_cycles_are_seen():
    assert cycles({"a": {"b"}, "b": {"c"}, "c": {"b"}, "d": {"a"}}) == [["b", "c"]]
    assert cycles({"a": {"b", "c"}, "b": {"c"}, "c": set()}) == []
