"""The program that the ranks will run: it must exist before anything is started."""
from __future__ import annotations

import importlib.util
import os
import shutil
import sys
from collections.abc import Sequence

from .plan import LaunchError, Program


def find_program(kind: str, target: str, arguments: Sequence[str]) -> Program:
    """Program of kind "script", "module" or "command". Raises LaunchError where there is none that could run."""
    if kind == "module":
        _check_module(target)
    elif kind == "command":
        target = _find_command(target)
    else:
        _check_script(target)
    return Program(kind, target, tuple(arguments))


def aliases_for_torch() -> str:
    """The folder that, on PYTHONPATH, makes `import torch` find ringgrad; see ringgrad.compat."""
    spec = importlib.util.find_spec(f"{__name__.partition('.')[0]}.compat")
    if spec is None or spec.origin is None:
        raise LaunchError("--as-torch needs ringgrad.compat, and it is not in this installation")
    return os.path.join(os.path.dirname(os.path.abspath(spec.origin)), "shadow")


def _check_script(path: str) -> None:
    if not os.path.exists(path):
        raise LaunchError(f"there is no script {path} (looked in {os.getcwd()}); modules need -m, other programs --no-python")
    if os.path.isdir(path) and not os.path.exists(os.path.join(path, "__main__.py")):
        raise LaunchError(f"{path} is a folder without __main__.py; name the script in it")
    if not os.access(path, os.R_OK):
        raise LaunchError(f"the script {path} may not be read by this user")


def _find_command(name: str) -> str:
    path = shutil.which(name)
    if path is None:
        raise LaunchError(f"there is no program {name} that can be run (looked at that path and on PATH)")
    return path


def _check_module(name: str) -> None:
    """Only the first part of a dotted name is looked up, for a deeper look would import it; ranks look where this process stands."""
    before = list(sys.path)
    sys.path.insert(0, os.getcwd())
    try:
        found = importlib.util.find_spec(name.partition(".")[0]) is not None
    except ValueError:  # an empty name, or __main__
        found = False
    finally:
        sys.path[:] = before
    if not found:
        raise LaunchError(f"there is no module {name} (looked in {os.getcwd()} and in the packages of {sys.executable})")
