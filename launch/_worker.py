"""The first code of every process that the launcher starts: bind it to the launcher's life, then run the user's program.

    python _worker.py LAUNCHER_PID script PATH [argument ...]
    python _worker.py LAUNCHER_PID module NAME [argument ...]
    python _worker.py LAUNCHER_PID command PATH [argument ...]

Started by its path and without any import of ours, so that a rank pays for nothing it does not use. A Python program finds the world as
under plain `python`: `sys.argv`, `sys.path[0]`, `__main__` with its file and spec (so pickling and multiprocessing's spawn work), exit
codes. Added are a traceback for crashes in C code (faulthandler), lines that appear when they are written although stdout is a pipe,
and the file RINGGRAD_ERROR_FILE: written the moment an exception leaves the program, before `sys.excepthook`, exit handlers and other
threads have their turn, any of which may wait for peers that never answer. Any other program replaces this process.
"""
from __future__ import annotations

import builtins
import ctypes
import faulthandler
import importlib.machinery
import importlib.util
import io
import json
import os
import signal
import sys
import time
import traceback
import types
from typing import NoReturn

_PR_SET_PDEATHSIG = 1


def main() -> None:
    launcher, kind, target = sys.argv[1:4]
    del sys.argv[:3]
    die_with(int(launcher))
    if kind == "command":
        run_command(target)
    pid = os.getpid()
    if sys.stderr is not None:
        faulthandler.enable()
    if isinstance(sys.stdout, io.TextIOWrapper):
        sys.stdout.reconfigure(line_buffering=True)
    try:
        module, code = (load_script if kind == "script" else load_module)(target)
        sys.modules["__main__"] = module
        exec(code, module.__dict__)
        return
    except SystemExit as stop:
        exit_code = stop.code & 0xFF if isinstance(stop.code, int) else int(stop.code is not None)
        if exit_code and os.getpid() == pid:  # a forked child that leaves through here reports to its parent, not to the launcher
            leave_word(exit_code, f"SystemExit: {stop.code}", "")
        sys.exit(stop.code)  # not `raise`: whoever has put a function of his own there learns of the code, also after `raise SystemExit`
    except BaseException as error:
        failed_at = time.monotonic()
        exit_code = 130 if isinstance(error, KeyboardInterrupt) else 1
        error.__traceback__ = without_launcher(error.__traceback__)
        if os.getpid() == pid:
            leave_word(exit_code, f"{type(error).__name__}: {error}", "".join(traceback.format_exception(error)), failed_at)
        sys.excepthook(type(error), error, error.__traceback__)
    sys.exit(exit_code)


def die_with(launcher: int) -> None:
    """Have the kernel kill this process when its parent, the launcher, is gone; also when that has happened already."""
    prctl = getattr(ctypes.CDLL(None), "prctl", None)
    if prctl is not None:
        prctl(_PR_SET_PDEATHSIG, int(signal.SIGKILL))
    if os.getppid() != launcher:
        os._exit(1)


def run_command(path: str) -> NoReturn:
    for name in ("SIGPIPE", "SIGXFSZ"):  # ignored by Python, and an ignored signal stays ignored in the new program
        if hasattr(signal, name):
            signal.signal(getattr(signal, name), signal.SIG_DFL)
    try:
        os.execv(path, sys.argv)
    except OSError as error:
        raise SystemExit(f"ringgrad-run: cannot run {path}: {error.strerror}") from None


def load_script(path: str) -> tuple[types.ModuleType, types.CodeType]:
    """As `python PATH`: a source file, or a folder or zip file with a `__main__.py`."""
    if os.path.isdir(path) or path.endswith((".zip", ".pyz")):
        set_import_folder(os.path.join(os.getcwd(), path))
        return load_module_spec(find_in(sys.path[0]), "__main__")
    path = os.path.join(os.getcwd(), path)
    set_import_folder(os.path.dirname(os.path.realpath(path)))
    with io.open_code(path) as file:
        code = compile(file.read(), path, "exec", dont_inherit=True)
    loader = importlib.machinery.SourceFileLoader("__main__", path)
    return new_main(file=path, loader=loader, spec=None, package=None), code


def load_module(name: str) -> tuple[types.ModuleType, types.CodeType]:
    """As `python -m NAME`: a module, or a package with a `__main__` module."""
    sys.argv[0] = "-m"
    set_import_folder(os.getcwd())
    spec = find_module(name)
    if spec is not None and spec.submodule_search_locations is not None:
        name += ".__main__"
        spec = find_module(name)
    module, code = load_module_spec(spec, name)
    sys.argv[0] = str(module.__file__)
    return module, code


def find_module(name: str) -> importlib.machinery.ModuleSpec | None:
    try:
        return importlib.util.find_spec(name)
    except ModuleNotFoundError as error:
        if error.name and (name == error.name or name.startswith(error.name + ".")):  # a parent package that does not exist
            return None
        raise


def find_in(path: str) -> importlib.machinery.ModuleSpec | None:
    return importlib.machinery.PathFinder.find_spec("__main__", [path])


def load_module_spec(spec: importlib.machinery.ModuleSpec | None, name: str) -> tuple[types.ModuleType, types.CodeType]:
    loader = spec.loader if spec is not None else None
    code = loader.get_code(name) if loader is not None and hasattr(loader, "get_code") else None
    if spec is None or code is None:
        raise SystemExit(f"{sys.executable}: there is no module {name} that could be run")
    return new_main(file=spec.origin, loader=loader, spec=spec, package=spec.parent), code


def new_main(*, file: str | None, loader: object, spec: object, package: str | None) -> types.ModuleType:
    module = types.ModuleType("__main__")
    module.__dict__.update(
        __file__=file, __loader__=loader, __spec__=spec, __package__=package, __cached__=None, __builtins__=builtins, __annotations__={}
    )
    return module


def set_import_folder(folder: str) -> None:
    """Put the program's folder where this file's own folder stands (nothing stands there under `python -P`)."""
    if not sys.flags.safe_path:
        sys.path[0] = folder


def without_launcher(frames: types.TracebackType | None) -> types.TracebackType | None:
    """The traceback from the first frame of the user's program on."""
    while frames is not None and frames.tb_frame.f_code.co_filename.startswith((__file__, "<frozen ")):
        frames = frames.tb_next
    return frames


def leave_word(exit_code: int, message: str, text: str, failed_at: float | None = None) -> None:
    """Write the error file: torch's error.json, with the time (monotonic clock, seconds) by which the launcher finds the first failure."""
    path = os.environ.get("RINGGRAD_ERROR_FILE")
    if not path:
        return
    extra = {"py_callstack": text, "timestamp": str(int(time.time()))}
    record = {
        "message": {"message": message, "extraInfo": extra},
        "exit_code": exit_code,
        "monotonic_s": time.monotonic() if failed_at is None else failed_at,
    }
    try:
        with open(path + ".part", "w", encoding="utf-8", errors="backslashreplace") as file:
            json.dump(record, file)
        os.replace(path + ".part", path)
    except OSError as error:
        print(f"ringgrad-run: cannot write {path}: {error}", file=sys.stderr)


if __name__ == "__main__":
    main()
