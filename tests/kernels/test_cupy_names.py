"""Formulas are written once for NumPy and CuPy: every name they take from `xp` exists in CuPy, and takes the keywords they pass.

CuPy needs no GPU to be imported and asked.
"""
import ast
import inspect
from pathlib import Path

import pytest

cupy = pytest.importorskip("cupy", reason="CuPy is not installed (pip install 'ringgrad[cuda13]')")

ROOT = Path(__file__).parents[2]
BACKEND = {"xp", "name"}  # variables called xp that hold a backend: framework/_serialization
UFUNC = {"out", "dtype", "casting"}


def sources():
    return [path for folder in ("framework", "distributed") for path in sorted((ROOT / folder).rglob("*.py"))]


def dotted(node):
    """["linalg", "svd"] of xp.linalg.svd or cupy.linalg.svd; None of anything else."""
    names = []
    while isinstance(node, ast.Attribute):
        names.append(node.attr)
        node = node.value
    return names[::-1] if isinstance(node, ast.Name) and node.id in ("xp", "cupy") and names and names[-1] not in BACKEND else None


def found(names):
    """What CuPy has under the names; None where it has nothing."""
    at = cupy
    for name in names:
        at = getattr(at, name, None)
    return at


def refused(function, call):
    """The keywords of a call that a function of CuPy does not take."""
    given = {k.arg for k in call.keywords if k.arg is not None}
    if isinstance(function, cupy.ufunc):
        return given - UFUNC
    try:
        parameters = inspect.signature(function).parameters.values()
    except (TypeError, ValueError):
        return set()  # written in Cython, without a signature
    return set() if any(p.kind is p.VAR_KEYWORD for p in parameters) else given - {p.name for p in parameters}


def complaints(path):
    said, text = [], path.read_text()
    for node in ast.walk(ast.parse(text)) if "xp." in text or "cupy." in text else ():
        names = dotted(node.func if isinstance(node, ast.Call) else node)
        if names is None:
            continue
        name, place = ".".join(names), f"{path.relative_to(ROOT)}:{node.lineno}"
        if found(names) is None:
            said += [] if isinstance(node, ast.Call) else [f"{place}: CuPy has no {name}"]
        elif isinstance(node, ast.Call):
            said += [f"{place}: {name} of CuPy takes no {word}=" for word in refused(found(names), node)]
    return said


def test_every_name_is_in_cupy():
    assert not [line for path in sources() for line in complaints(path)]


def test_what_is_missing_is_told(tmp_path, monkeypatch):
    monkeypatch.setattr(f"{__name__}.ROOT", tmp_path)
    (tmp_path / "op.py").write_text("y = xp.add(x, x, where=x), xp.nansense(x), xp.take(x, 0, axis=0), xp.linalg.svd(x, compute_uv=False)\n")
    assert complaints(tmp_path / "op.py") == ["op.py:1: add of CuPy takes no where=", "op.py:1: CuPy has no nansense"]
