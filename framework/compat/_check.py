"""--check: the names of torch that a program's sources use and ringgrad lacks, file and line each."""
import os
import sys
import warnings

from .._core.tensor import Tensor
from ._missing import nearest
from ._modules import Missing, names_of_torch, resolve
from ._refuse import is_built
from ._scan import uses
from ._tensor_names import ONLY_TENSORS_HAVE

_SKIPPED = {".git", "__pycache__", "node_modules", ".venv", "venv", "site-packages"}


def check(paths):
    """Print what the sources at `paths` (files and folders) use and ringgrad lacks; 1 if there is anything, 2 for bad arguments."""
    missing = [p for p in paths if not os.path.exists(p)]
    if not paths or missing:
        print(f"ringgrad.compat: {f'there is no file or folder {missing[0]}' if missing else '--check needs a file or a folder'}", file=sys.stderr)
        return 2
    files = [f for p in paths for f in sources(p)]
    problems, used = findings(files)
    for path, line, words in problems:
        print(f"{path}:{line}: {words}")
    count = sum(1 for *_, words in problems if not words.endswith(_GUARDED))
    print(f"{len(files)} files use {len(used)} names of torch; {count or 'none'} of these uses ringgrad lacks" if files
          else "there are no Python files here", file=sys.stderr)
    return int(count > 0)


_GUARDED = "(the program has another way)"


def sources(path):
    """The Python files at or below `path`, in order."""
    if os.path.isfile(path):
        return [path]
    found = []
    for folder, folders, names in os.walk(path):
        folders[:] = sorted(f for f in folders if f not in _SKIPPED)
        found += [os.path.join(folder, n) for n in sorted(names) if n.endswith(".py")]
    return found


def findings(files):
    """([(file, line, words), ...], the names of torch in use)."""
    read, own, problems, used = {}, set(), [], set()
    for path in files:
        try:
            with open(path, "rb") as file, warnings.catch_warnings():
                warnings.simplefilter("ignore", SyntaxWarning)
                warnings.simplefilter("ignore", DeprecationWarning)
                read[path], defined = uses(file.read(), path)
        except (SyntaxError, ValueError) as error:
            problems.append((path, getattr(error, "lineno", 0) or 0, f"not Python 3: {getattr(error, 'msg', error)}"))
            continue
        own |= defined
    for path, found in read.items():
        seen = set()
        for use in sorted(found, key=lambda u: u.line):
            if not use.name.startswith("Tensor."):
                used.add(use.name)
            name, words = _lacking(use, own)
            if words and (use.line, name) not in seen:
                seen.add((use.line, name))
                problems.append((path, use.line, f"{words} {_GUARDED}" if use.guarded else words))
    return problems, used


def _lacking(use, own):
    """(the name that is missing, what to say about it); (None, None) when nothing is."""
    kind, _, name = use.name.partition(".")
    if kind == "Tensor":
        if name not in ONLY_TENSORS_HAVE or name in own or hasattr(Tensor, name):
            return None, None
        return use.name, _said(f"torch.{use.name}", [f"torch.Tensor.{n}" for n in dir(Tensor) if not n.startswith("_")])
    try:
        thing = resolve(use.name)
    except Missing as error:
        path = error.args[0]
        if _set_on_instances(path.rpartition(".")[0]):
            return None, None
        return path, _said(path, names_of_torch())
    if not is_built(thing):
        return use.name, f"{use.name} is not built: it can be imported, and refuses when it is used"
    return None, None


def _set_on_instances(path):
    """Whether `path` is a class other than Tensor: what it lacks may still be set on its instances."""
    try:
        owner = resolve(path)
    except Missing:
        return False
    return isinstance(owner, type) and owner is not Tensor


def _said(path, candidates):
    near = nearest(path, candidates)
    return f"{path} is not in ringgrad" + (f"; the nearest it has: {', '.join(near)}" if near else "")
