"""The stubs that editors and type checkers read say what is attached at import."""
import ast

import ringgrad
from ringgrad import _stubs
from ringgrad._core import tensor


def test_the_stubs_are_those_that_make_stubs_writes():
    stale = [str(path) for path, text in _stubs.files().items() if not path.exists() or path.read_text() != text]
    assert not stale, f"run `make stubs`: {', '.join(stale)}"


def names_in(text):
    """What a stub defines at its top level, and in its classes as "Class.name"."""
    found = set()
    for node in ast.parse(text).body:
        if isinstance(node, ast.ImportFrom):
            found |= {a.asname or a.name for a in node.names}
        elif isinstance(node, ast.AnnAssign):
            found.add(node.target.id)
        elif hasattr(node, "name"):
            found.add(node.name)
            for inner in getattr(node, "body", ()) if isinstance(node, ast.ClassDef) else ():
                found.add(f"{node.name}.{getattr(inner, 'name', None) or getattr(getattr(inner, 'target', None), 'id', '')}")
    return found


def test_the_tensor_stub_names_every_method_and_every_function_of_its_module():
    stub = names_in(_stubs.tensor_stub())
    methods = {f"Tensor.{name}" for name in vars(ringgrad.Tensor) if not name.startswith("__") or name in ringgrad._methods.METHODS}
    assert not methods - stub
    own = {name for name, value in vars(tensor).items() if getattr(value, "__module__", "") == tensor.__name__}
    assert not own - stub


def test_the_package_stub_names_every_public_function():
    stub = names_in(_stubs.package_stub())
    assert not set(ringgrad._methods.FUNCTIONS) - stub and {"Tensor", "no_grad", "float32", "bool"} <= stub
