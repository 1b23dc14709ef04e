"""The words for a name that is not there: the name, the program's line that asks for it, and the nearest thing ringgrad has."""
import difflib
import dis
import os
import sys
import traceback

from .._core.tensor import Tensor
from .._left_out import reason

_PACKAGE = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
_IMPORT_FROM = dis.opmap["IMPORT_FROM"]


class MissingName(AttributeError):  # noqa: N818 - the program sees an AttributeError
    """`torch.x` where ringgrad has no x.  The words are put together when somebody reads them, for `hasattr` never does."""

    __module__ = __package__

    def __init__(self, path, place, candidates):
        super().__init__(path)
        self.path, self.place, self._candidates = path, place, candidates

    def __str__(self):
        return sentence(self.path, self.place, self._candidates())

    def __reduce__(self):
        return AttributeError, (str(self),)


class MissingImport(ImportError):  # noqa: N818 - the program sees an ImportError
    """`from torch.x import y` where ringgrad has no y."""

    __module__ = __package__

    def __str__(self):
        return self.msg


class MissingModule(ModuleNotFoundError):  # noqa: N818 - the program sees a ModuleNotFoundError
    """`import torch.x` where ringgrad has no such module."""

    __module__ = __package__


def sentence(path, place, candidates):
    """'torch.relux is not in ringgrad (asked for at train.py:12); the nearest it has: torch.relu'."""
    near = nearest(path, candidates)
    ending = f"; the nearest it has: {', '.join(near)}" if near else "; nothing in it has a similar name"
    where = f" (asked for at {place})" if place else ""
    why = reason(path)
    if why:
        return f"{path} is not in ringgrad{where}: {why}"
    return f"{path} is not in ringgrad{where}{ending}"


def nearest(path, candidates):
    """Up to three of `candidates` (dotted names): the same last name elsewhere first, then similar spellings."""
    last = path.rpartition(".")[2]
    short = {}
    for candidate in candidates:
        short.setdefault(candidate.rpartition(".")[2], []).append(candidate)
    found = list(short.get(last, []))
    for spelling in difflib.get_close_matches(last, short, n=3, cutoff=0.7):
        found += short[spelling]
    folded = [name for spelling, names in short.items() if spelling.casefold() == last.casefold() for name in names]
    return list(dict.fromkeys([*folded, *found]))[:3]


def program_frame(frame):
    """The first frame outside of ringgrad and the import machinery, from `frame` outwards; None when there is none."""
    while frame is not None:
        name = frame.f_code.co_filename
        if not name.startswith(("<frozen", _PACKAGE)) and os.path.basename(os.path.dirname(name)) != "importlib":
            return frame
        frame = frame.f_back
    return None


def place_of(frame):
    """'train.py:12' of a frame."""
    return f"{frame.f_code.co_filename}:{frame.f_lineno}" if frame is not None else ""


def raise_missing(path, frame, candidates):
    """Raise what fits the code of `frame`, which asked for `path`: ImportError inside `from x import y`, else AttributeError."""
    place = place_of(program_frame(frame))
    if frame.f_lasti >= 0 and frame.f_code.co_code[frame.f_lasti] == _IMPORT_FROM:
        module, _, name = path.rpartition(".")
        words = sentence(path, place, candidates())
        raise MissingImport(f"cannot import name {name!r} from {module!r}: {words}", name=module)
    error = MissingName(path, place, candidates)
    error.name = path.rpartition(".")[2]
    raise error


def watch_uncaught(names_of_torch):
    """Let uncaught errors about attributes that Tensors lack end with the nearest thing they have."""
    before = sys.excepthook

    def report(kind, error, frames):
        try:
            note = note_for(error, names_of_torch)
            if note:
                error.add_note(note)
            if isinstance(error, (MissingName, MissingImport, MissingModule)):
                end_at_program(frames)
        finally:
            before(kind, error, frames)

    sys.excepthook = report


def end_at_program(frames):
    """Cut a traceback behind the program's last line, so that it does not end in our own."""
    last = None
    while frames is not None:
        last = frames if program_frame(frames.tb_frame) is frames.tb_frame else last
        frames = frames.tb_next
    if last is not None:
        last.tb_next = None


def note_for(error, names_of_torch):
    """What to add to an uncaught AttributeError of a Tensor or a Tensor class; None for any other error."""
    owner = getattr(error, "obj", None)
    name = getattr(error, "name", None)
    kind = owner if isinstance(owner, type) else type(owner)
    if not isinstance(error, AttributeError) or isinstance(error, MissingName) or not name or not issubclass(kind, Tensor):
        return None
    frames = [f for f, _ in traceback.walk_tb(error.__traceback__) if program_frame(f) is f]
    candidates = [f"Tensor.{n}" for n in dir(kind) if not n.startswith("_")] + list(names_of_torch())
    return sentence(f"Tensor.{name}", place_of(frames[-1]) if frames else "", candidates)
