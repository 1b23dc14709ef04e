"""Files made by somebody who means harm: refused, and nothing of theirs runs."""
import io
import os
import pickle
import struct
import sys
import zipfile

import numpy as np
import pytest

import ringgrad

_seen, _watching = [], False


def _hook(event, args):
    if _watching and event in ("os.system", "exec", "compile", "subprocess.Popen", "import", "os.remove", "os.rename", "ctypes.dlopen",
                               "builtins.input", "socket.connect", "shutil.rmtree", "open", "os.fork", "os.exec", "code.__new__"):
        _seen.append((event, args))


sys.addaudithook(_hook)  # it cannot be taken away again, only told not to look


@pytest.fixture(autouse=True, scope="module")
def all_is_imported():
    """The first load of a process imports what it needs of Python's library."""
    ringgrad.load(checkpoint(tensor(), DATA))


def checkpoint(pickled, records=()):
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w") as archive:
        archive.writestr("archive/data.pkl", pickled)
        for name, data in dict(records).items():
            archive.writestr(f"archive/{name}", data)
    file.seek(0)
    return file


def refuses(pickled, records=(), **kwargs):
    """Load it with the audit hook looking; the error."""
    global _watching
    file = checkpoint(pickled, records)
    _seen.clear()
    _watching = True
    try:
        with pytest.raises((pickle.UnpicklingError, RuntimeError)) as error:
            ringgrad.load(file, **kwargs)
    finally:
        _watching = False
    assert _seen == []
    return error.value


class Calls:
    """Pickles as a call."""

    def __init__(self, function, *args, state=None):
        self.call = (function, args) if state is None else (function, args, state)

    def __reduce__(self):
        return self.call


def text(s):
    return b"X" + struct.pack("<I", len(s)) + s.encode()


def name(module, attribute):
    return f"c{module}\n{attribute}\n".encode()


REBUILD = name("torch._utils", "_rebuild_tensor_v2")
STORAGE = b"(" + text("storage") + name("torch", "FloatStorage") + text("0") + text("cpu") + b"K\x04tQ"


def tensor(offset=b"K\x00", size=b"K\x04\x85", stride=b"K\x01\x85", storage=STORAGE, rest=b"\x89N"):
    return b"\x80\x02" + REBUILD + b"(" + storage + offset + size + stride + rest + b"tR."


DATA = {"data/0": bytes(16)}

CODE = [
    ("os.system", pickle.dumps(Calls(os.system, "echo pwned"), 2), "GLOBAL posix.system"),
    ("eval", pickle.dumps(Calls(eval, "1+1"), 2), "GLOBAL builtins.eval"),
    ("exec, newest protocol", pickle.dumps(Calls(exec, "x = 1"), 5), "GLOBAL builtins.exec"),
    ("getattr", pickle.dumps(Calls(getattr, {}, "clear"), 2), "GLOBAL builtins.getattr"),
    ("open", pickle.dumps(Calls(open, "pwned.txt", "w"), 2), "GLOBAL io.open|GLOBAL _io.open"),
    ("a method of an allowed class", b"\x80\x04" + text("collections") + text("OrderedDict.fromkeys") + b"\x93.", "OrderedDict.fromkeys"),
    ("an allowed name of another module", b"\x80\x02" + name("os", "OrderedDict") + b".", "GLOBAL os.OrderedDict"),
    ("a function of torch's that is not on the list", b"\x80\x02" + name("torch", "load") + text("x") + b"\x85R.", "GLOBAL torch.load"),
    ("a module of ours", b"\x80\x02" + name("ringgrad.serialization", "load") + b".", "GLOBAL ringgrad.serialization.load"),
    ("numpy's loader", b"\x80\x02" + name("numpy", "load") + text("x") + b"\x85R.", "GLOBAL numpy.load"),
    ("the old instruction for objects", b"\x80\x02(" + text("echo pwned") + b"ios\nsystem\n.", "instruction b'i'"),
    ("objects of classes", b"\x80\x02(cos\nsystem\n" + text("x") + b"o.", "GLOBAL os.system"),
    ("an extension number", b"\x80\x02\x82\x01.", "instruction"),
    ("calling what is not a function", b"\x80\x02" + text("x") + b")R.", "calls 'x'"),
    ("calling the result of a call", b"\x80\x02" + name("collections", "OrderedDict") + b")R)R.", "not a function that loading allows"),
    ("an object of a function", b"\x80\x02" + name("_codecs", "encode") + b")\x81.", "not a class"),
    ("another codec", b"\x80\x02" + name("_codecs", "encode") + text("x") + text("rot13") + b"\x86R.", "latin1"),
    ("arguments that are no tuple", b"\x80\x02" + name("builtins", "set") + b"]R.", "not a function"),
]

CHANGES = [
    ("attributes of a function", b"\x80\x02" + REBUILD + b"}" + text("__defaults__") + b"Ns" + b"b.", "sets attributes of a Allowed"),
    ("slots of a dtype", b"\x80\x02" + name("torch", "float32") + b"N}" + text("name") + text("evil") + b"s\x86b.", "attributes of a dtype"),
    ("attributes of a tensor", tensor()[:-1] + b"}" + text("backward") + b"Nsb.", "sets attributes of a Tensor"),
    ("methods of a dict", b"\x80\x02" + name("collections", "OrderedDict") + b")R}" + text("items") + b"Nsb.", "replaces methods"),
    ("items of a tensor", tensor()[:-1] + b"K\x00K\x01s.", "can only set items of dicts"),
    ("items of a list", b"\x80\x02]K\x00K\x01s.", "can only set items of dicts, not of list"),
    ("appending to a dict", b"\x80\x02}K\x00a.", "can only append to lists, not to dict"),
    ("appending to a user's list", b"\x80\x02" + name("collections", "OrderedDict") + b")RK\x00a.", "can only append to lists"),
]

MEMORY = [
    ("a tensor beyond its storage", tensor(size=b"K\x05\x85"), "does not fit into its storage of 4 elements"),
    ("a tensor that begins beyond it", tensor(offset=b"K\x04", size=b"K\x01\x85"), "does not fit"),
    ("a huge stride", tensor(size=b"K\x02\x85", stride=b"\x8a\x08" + struct.pack("<q", 2**62) + b"\x85"), "does not fit"),
    ("a negative stride", tensor(stride=b"J\xff\xff\xff\xff\x85"), "do not fit together"),
    ("a negative offset", tensor(offset=b"J\xff\xff\xff\xff"), "do not fit together"),
    ("a negative size", tensor(size=b"J\xff\xff\xff\xff\x85"), "do not fit together"),
    ("sizes and strides of different lengths", tensor(size=b"K\x02K\x02\x86"), "do not fit together"),
    ("a size that is no number", tensor(size=text("4") + b"\x85"), "do not fit together"),
    ("a storage that is none", tensor(storage=b"K\x04"), "has a int for its storage"),
    ("a storage larger than its record", tensor(storage=STORAGE.replace(b"K\x04", b"J\xff\xff\xff\x7f")), "holds 16 bytes"),
    ("a storage that is not there", tensor(storage=STORAGE.replace(text("0"), text("../../etc/passwd"))), "file not found"),
    ("a persistent id that is none", b"\x80\x02" + text("storage") + b"Q.", "Only persistent_load of storage is allowed"),
    ("a persistent id of another kind", b"\x80\x02(" + text("module") + b"K\x01K\x01K\x01K\x01tQ.", "Only persistent_load of storage"),
    ("a string longer than the file", b"\x80\x02X\xff\xff\xff\x7fabc.", "truncated"),
    ("a number longer than the file", b"\x80\x02\x8b\xff\xff\xff\x7f\x01.", "truncated"),
    ("a bytearray by size", b"\x80\x02" + name("builtins", "bytearray") + b"\x8a\x06\x00\x00\x00\x00\x00\x01\x85R.", "made of bytes"),
    ("a NumPy array of objects", pickle.dumps(np.array([Calls(os.system, "echo pwned")]), 2), "GLOBAL posix.system|of type 'O8'"),
    ("a NumPy array of objects by hand", b"\x80\x02" + name("numpy", "dtype") + text("O8") + b"\x89\x88\x87R.", "only numbers are"),
    ("a NumPy array larger than its bytes", pickle.dumps(np.zeros(3), 2).replace(b"K\x03\x85", b"K\x09\x85"), "bytes"),
]

NONSENSE = [
    ("nothing", b"", "truncated"),
    ("no end", b"\x80\x02", "truncated"),
    ("an empty stack", b"\x80\x02.", "makes no sense"),
    ("a mark that is not there", b"\x80\x02e.", "makes no sense"),
    ("a memory that is not there", b"\x80\x02h\x07.", "makes no sense"),
    ("a list as a key", b"\x80\x02}]K\x01s.", "makes no sense"),
    ("text that is none", b"\x80\x02X\x01\x00\x00\x00\xff.", "makes no sense"),
    ("half an item", b"\x80\x02}(K\x01u.", "makes no sense"),
    ("a name over the end", b"\x80\x02cos", "truncated"),
    ("a tuple as large as the stack is not", b"\x80\x02K\x01\x87.", "stack is empty"),
]

ROWS = [*CODE, *CHANGES, *MEMORY, *NONSENSE]


@pytest.mark.parametrize(("pickled", "words"), [row[1:] for row in ROWS], ids=[row[0] for row in ROWS])
def test_refused(pickled, words):
    import re
    error = refuses(pickled, DATA)
    assert re.search(words, str(error)), error
    assert ringgrad.float32.name == "float32"


def test_the_rows_attack():
    """With Python's own Unpickler such a file does run: the audit hook sees it."""
    global _watching
    _seen.clear()
    _watching = True
    try:
        assert ringgrad.load(checkpoint(pickle.dumps(Calls(eval, "6*7"), 2)), weights_only=False) == 42
    finally:
        _watching = False
    assert "compile" in [event for event, _ in _seen]


def test_a_good_file_made_by_hand_loads():
    """The helpers above make files that would load, were it not for what is wrong with each."""
    assert ringgrad.load(checkpoint(tensor(), DATA)).tolist() == [0.0] * 4


def test_a_key_that_takes_for_ever_to_hash():
    nested = ()
    for _ in range(60):
        nested = (nested, nested)
    pickled = pickle.dumps(nested, 2)[:-1]
    assert "parts" in str(refuses(b"\x80\x02}" + pickled[2:] + b"Ns."))
    assert "parts" in str(refuses(b"\x80\x02" + name("builtins", "set") + pickled[2:] + b"\x85R."))
    wide = ()
    for _ in range(4):
        wide = (wide,) * 500
    assert "parts" in str(refuses(b"\x80\x02}" + pickle.dumps(wide, 2)[2:-1] + b"Ns."))
    assert "parts" in str(refuses(b"\x80\x02" + name("builtins", "set") + b"](" + pickled[2:] + b"e\x85R."))
    assert "parts" in str(refuses(b"\x80\x04\x8f(" + pickled[2:] + b"\x90."))
    assert "parts" in str(refuses(b"\x80\x04(" + pickled[2:] + b"\x91."))


def test_deep_nesting_does_not_overflow():
    got = ringgrad.load(checkpoint(b"\x80\x02" + b"]" * 50_000 + b"a" * 49_999 + b"."))
    depth = 0
    while got:
        got, depth = got[0], depth + 1
    assert depth == 49_999


def test_every_single_byte_change_of_a_pickle_is_harmless():
    """Whatever a changed pickle does, it fails in one of two ways or loads; it never crashes, calls or hangs."""
    file = io.BytesIO()
    ringgrad.save({"w": ringgrad.ones(4), "x": [1, "two", (3.0,), {4}], "s": ringgrad.Size([1])}, file)
    pickled = zipfile.ZipFile(file).read("archive/data.pkl")
    rng = np.random.default_rng(0)
    global _watching
    for at in range(len(pickled)):
        for value in rng.integers(0, 256, 4).tolist():
            changed = checkpoint(pickled[:at] + bytes([value]) + pickled[at + 1:], DATA)
            _seen.clear()
            _watching = True
            try:
                ringgrad.load(changed)
            except (pickle.UnpicklingError, RuntimeError):
                pass
            finally:
                _watching = False
            assert _seen == []


def test_an_allowed_class_does_not_allow_others():
    with ringgrad.serialization.safe_globals([Calls]):
        assert "GLOBAL posix.system" in str(refuses(pickle.dumps(Calls(os.system, "echo pwned"), 2)))
