"""What goes into a file comes out of it: here, in PyTorch, and from PyTorch."""
import io
import os
import pathlib
import pickle
import subprocess
import sys
import zipfile
from collections import Counter, OrderedDict

import numpy as np
import pytest

import ringgrad
from ringgrad._core.tensor import wrap
from ringgrad.nn.parameter import Parameter

NAMES = ["bool", "uint8", "int8", "int16", "int32", "int64", "float16", "bfloat16", "float32", "float64", "complex64", "complex128"]


def buffer(obj):
    file = io.BytesIO()
    ringgrad.save(obj, file)
    file.seek(0)
    return file


def again(obj, **kwargs):
    return ringgrad.load(buffer(obj), **kwargs)


PLAIN = {
    "numbers": [0, -1, 255, 256, 65536, 2**31, -(2**31), 2**70, -(2**70), 1.5, float("inf"), True, False, None, 1j],
    "text": ["", "a", "é\n€𝄞", "x" * 300],
    "bytes": [b"", b"\x00\xff", bytearray(b"ab")],
    "containers": [(), (1,), (1, 2), (1, 2, 3), (1, 2, 3, 4), [], [[]], {}, {1: {"a": (2,)}}, {1, 2}, {(1, "a"): 2.5, None: 1}],
    "ordered": OrderedDict([("b", 1), ("a", OrderedDict())]),
    "counter": Counter("abca"),
    "numpy numbers": [np.float64(1.5), np.float32(2.5), np.int64(3), np.bool_(True), np.complex64(1j)],
}


@pytest.mark.parametrize("name", PLAIN)
def test_plain_objects(name):
    got = again(PLAIN[name])
    assert got == PLAIN[name] and type(got) is type(PLAIN[name])
    assert repr(got) == repr(PLAIN[name])


@pytest.mark.parametrize("array", [np.arange(6.0).reshape(2, 3), np.arange(6, dtype=">i2").reshape(2, 3).T, np.zeros((0, 2)), np.array(3)])
def test_numpy_arrays(array):
    got = again(array)
    np.testing.assert_array_equal(got, array)
    assert got.dtype == array.dtype.newbyteorder("=") and got.flags.writeable


def test_types_devices_and_sizes():
    obj = [*(getattr(ringgrad, n) for n in NAMES), ringgrad.device("cpu"), ringgrad.device("cuda", 3), ringgrad.Size([2, 0])]
    assert again(obj) == obj and type(again(obj)[-1]) is ringgrad.Size


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("shape", [(2, 3), (), (0, 4)])
def test_tensors_of_every_type(name, shape):
    t = ringgrad.ones(shape).to(getattr(ringgrad, name))
    got = again(t)
    assert (got.dtype, got.shape, got.tolist()) == (t.dtype, t.shape, t.tolist())


def test_requires_grad_and_parameters():
    x = ringgrad.ones(2, requires_grad=True)
    p, frozen = Parameter(ringgrad.ones(2)), Parameter(ringgrad.ones(2), requires_grad=False)
    p.note = "kept"
    a, b, c, d = again([x, p, frozen, x * 2])
    assert a.requires_grad and d.requires_grad and d.is_leaf and not c.requires_grad
    assert type(b) is Parameter and b.requires_grad and type(c) is Parameter and b.note == "kept" and type(a) is ringgrad.Tensor


def test_attributes_of_a_tensor():
    t = ringgrad.ones(2)
    t.unit = "m/s"
    assert again(t).unit == "m/s"


def test_shared_memory_stays_shared_and_strides_stay():
    base = ringgrad.arange(12.0).reshape(3, 4)
    obj = {"row": base[1], "base": base, "turned": base.t(), "part": base[::2, 1:3], "same": base, "wide": base[0].expand(5, 4)}
    got = again(obj)
    for key, t in obj.items():
        assert got[key].tolist() == t.tolist() and got[key].stride() == t.stride() and got[key].storage_offset() == t.storage_offset()
    got["base"].add_(100)
    assert got["row"].tolist() == [104.0, 105.0, 106.0, 107.0] and got["turned"][3][2].item() == 111.0 and got["part"][1][0].item() == 109.0
    assert got["same"] is got["base"]
    assert len([n for n in zipfile.ZipFile(buffer(obj)).namelist() if "/data/" in n]) == 1
    twice = again(got)
    twice["base"].add_(1)
    assert twice["row"][0].item() == 105.0


def test_memory_that_torch_could_not_describe_is_copied():
    turned = wrap(np.arange(6)[::-1])
    halves = wrap(np.zeros(4, [("a", np.float32), ("b", np.int8)])["a"])
    got = again([turned, halves])
    assert got[0].tolist() == [5, 4, 3, 2, 1, 0] and got[0].stride() == (1,) and got[1].tolist() == [0.0] * 4


def test_fortran_order():
    t = ringgrad.from_numpy(np.asfortranarray(np.arange(6.0).reshape(2, 3)))
    assert again(t).tolist() == t.tolist() and again(t).stride() == (1, 2)


def test_an_object_that_holds_itself():
    loop = [1]
    loop.append(loop)
    got = again(loop)
    assert got[1] is got


# -- files -------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("kind", [str, pathlib.Path, os.fsencode])
def test_paths(tmp_path, kind):
    path = kind(str(tmp_path / "ä model.tar.pt"))
    if kind is os.fsencode:
        with pytest.raises(TypeError, match="expected a path or a file open for writing, got bytes"):
            ringgrad.save(1, path)
        return
    ringgrad.save({"a": ringgrad.ones(2)}, path)
    assert ringgrad.load(path)["a"].tolist() == [1.0, 1.0]
    assert os.listdir(tmp_path) == ["ä model.tar.pt"]


def test_file_objects(tmp_path):
    with open(tmp_path / "x", "wb") as file:
        ringgrad.save(ringgrad.ones(3), file)
    with open(tmp_path / "x", "rb") as file:
        assert ringgrad.load(file).tolist() == [1.0] * 3
        file.seek(0)
        assert ringgrad.load(file).tolist() == [1.0] * 3

    class Slow(io.RawIOBase):
        """A file that gives a few bytes at a time and cannot fill a buffer."""

        def __init__(self, data):
            self.inner = io.BytesIO(data)

        def read(self, n=-1):
            return self.inner.read(n)

        def seek(self, *args):
            return self.inner.seek(*args)

        def tell(self):
            return self.inner.tell()

        readinto = None

    assert ringgrad.load(Slow((tmp_path / "x").read_bytes())).tolist() == [1.0] * 3


def test_records_begin_at_multiples_of_64_bytes_and_equal_contents_make_equal_files(tmp_path):
    obj = {f"key{n}": ringgrad.full((n,), float(n)) for n in range(20)}
    for name in ("a", "b"):
        (tmp_path / name).mkdir()
        ringgrad.save(obj, tmp_path / name / "x.pt")
    data = (tmp_path / "a" / "x.pt").read_bytes()
    assert data == (tmp_path / "b" / "x.pt").read_bytes()
    for n in range(1, 20):
        assert any(data[at:at + 4 * n] == np.full(n, n, np.float32).tobytes() for at in range(0, len(data), 64))


def test_sha256sum_reads_the_checksums(tmp_path):
    ringgrad.save({"a": ringgrad.ones(1000)}, tmp_path / "x.pt")
    with zipfile.ZipFile(tmp_path / "x.pt") as archive:
        archive.extractall(tmp_path)
    result = subprocess.run(["sha256sum", "-c", ".data/sha256"], cwd=tmp_path / "x", capture_output=True, text=True)
    assert result.returncode == 0 and "data/0: OK" in result.stdout, result.stderr


def test_mapping_a_file(tmp_path):
    path = tmp_path / "x.pt"
    ringgrad.save({"w": ringgrad.arange(100_000.0), "v": ringgrad.ones(3, dtype=ringgrad.bfloat16), "none": ringgrad.ones(0)}, path)
    before = path.read_bytes()
    got = ringgrad.load(path, mmap=True)
    assert got["w"][99_999].item() == 99_999.0 and got["v"].tolist() == [1.0] * 3 and got["none"].tolist() == []
    got["w"].add_(1)
    assert got["w"][0].item() == 1.0 and path.read_bytes() == before
    path.unlink()
    assert got["w"][50_000].item() == 50_001.0
    with pytest.raises(ValueError, match="must be a string filename"):
        ringgrad.load(io.BytesIO(before), mmap=True)


def test_mapping_does_not_read_the_tensors(tmp_path):
    """What is mapped and not used takes no memory."""
    path = tmp_path / "x.pt"
    ringgrad.save([ringgrad.ones(4_000_000) for _ in range(4)], path)
    code = f"""
import ringgrad
def resident():
    return int(open("/proc/self/statm").read().split()[1]) * 4
before = resident()
x = ringgrad.load({str(path)!r}, mmap={{mmap}})
print(resident() - before, x[3][7].item())
"""
    used = {}
    for mmap in (True, False):
        out = subprocess.run([sys.executable, "-c", code.format(mmap=mmap)], capture_output=True, text=True, timeout=60, check=True).stdout
        used[mmap] = int(out.split()[0])
    assert used[True] < 20_000 < 55_000 < used[False]  # kB, of 64 MB


# -- where things go ---------------------------------------------------------------------------------------------------


def from_gpu():
    """A file whose tensor was on a GPU."""
    source = zipfile.ZipFile(buffer({"w": ringgrad.arange(3.0)}))
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w") as target:
        for name in source.namelist():
            data = source.read(name)
            if name.endswith("data.pkl"):
                data = data.replace(b"X\x03\x00\x00\x00cpu", b"X\x06\x00\x00\x00cuda:7")
            if not name.endswith("sha256"):
                target.writestr(name, data)
    file.seek(0)
    return file


@pytest.mark.parametrize("map_location", ["cpu", ringgrad.device("cpu"), {"cuda:7": "cpu"}, lambda storage, location: storage,
                                          lambda storage, location: storage.cpu()])
def test_map_location(map_location):
    assert ringgrad.load(from_gpu(), map_location=map_location)["w"].tolist() == [0.0, 1.0, 2.0]


def test_map_location_functions_see_storage_and_location():
    seen = []
    ringgrad.load(from_gpu(), map_location=lambda storage, location: seen.append((storage.nbytes(), len(storage), location)) or storage)
    assert seen == [(12, 3, "cuda:7")]


@pytest.mark.parametrize("map_location", [None, {}, lambda storage, location: None])
def test_a_device_that_is_not_there(map_location):
    with pytest.raises(RuntimeError, match=r"deserialize object on a CUDA device \(cuda:7\)(.|\n)*map_location='cpu'"):
        ringgrad.load(from_gpu(), map_location=map_location)


# -- arguments ---------------------------------------------------------------------------------------------------------


class Point:
    def __init__(self, x):
        self.x = x

    def __eq__(self, other):
        return type(other) is Point and self.x == other.x

    __hash__ = None


def test_classes_need_trust_or_a_word():
    file = buffer({"p": Point([1]), "w": ringgrad.ones(2)})
    with pytest.raises(pickle.UnpicklingError, match=r"Unsupported global: GLOBAL .*Point was not an allowed global by default.*add_safe"):
        ringgrad.load(file)
    got = ringgrad.load(file, weights_only=False)
    assert got["p"] == Point([1]) and got["w"].tolist() == [1.0, 1.0]
    with ringgrad.serialization.safe_globals([Point]):
        assert ringgrad.serialization.get_safe_globals() == [Point]
        assert ringgrad.load(file)["p"] == Point([1])
    with pytest.raises(pickle.UnpicklingError):
        ringgrad.load(file)
    ringgrad.serialization.add_safe_globals([(Point, f"{Point.__module__}.Point")])
    try:
        assert ringgrad.load(file)["p"] == Point([1])
    finally:
        ringgrad.serialization.clear_safe_globals()
    assert ringgrad.serialization.get_safe_globals() == []


BAD = [
    (lambda: ringgrad.save(1, 3), TypeError, "expected a path or a file open for writing, got int"),
    (lambda: ringgrad.load(3), TypeError, "expected a path or a file open for reading, got int"),
    (lambda: ringgrad.load("no such file.pt"), FileNotFoundError, "no such file.pt"),
    (lambda: ringgrad.save(1, "no/such/folder/x.pt"), RuntimeError, "Parent directory .*no/such/folder does not exist"),
    (lambda: ringgrad.save(1, io.BytesIO(), pickle_protocol=4), ValueError, "protocol 2"),
    (lambda: ringgrad.load(buffer(1), pickle_module=pickle), RuntimeError, "weights_only=False"),
    (lambda: ringgrad.load(type("Pipe", (), {"read": lambda s, n=-1: b""})()), AttributeError, "seekable"),
    (lambda: ringgrad.save(lambda: 1, io.BytesIO()), (pickle.PicklingError, AttributeError), "lambda"),
    (lambda: ringgrad.serialization.add_safe_globals([(1, 2, 3)]), ValueError, "tuple of length: 3"),
    (lambda: ringgrad.serialization.add_safe_globals([(Point, 2)]), TypeError, "to be str"),
]


@pytest.mark.parametrize(("act", "error", "words"), BAD, ids=[str(row[2])[:24] for row in BAD])
def test_wrong_use(act, error, words):
    with pytest.raises(error, match=words):
        act()


# -- torch -------------------------------------------------------------------------------------------------------------


def values(obj):
    """A structure of either library as plain data."""
    if hasattr(obj, "requires_grad"):
        kind = "parameter" if type(obj).__name__ == "Parameter" else "tensor"
        layout = tuple(obj.shape), tuple(obj.stride()) if obj.numel() else None, obj.storage_offset()
        return kind, str(obj.dtype).split(".")[1], layout, obj.requires_grad, obj.tolist()
    if isinstance(obj, dict):
        return type(obj).__name__, [(k, values(v)) for k, v in obj.items()], values(getattr(obj, "_metadata", None))
    if isinstance(obj, (list, tuple)):
        return type(obj).__name__, [values(v) for v in obj]
    return str(obj).replace("torch.", "").replace("ringgrad.", "")


def samples(library, parameter):
    x = library.arange(12.0).reshape(3, 4)
    state = OrderedDict(weight=x * 2, bias=x[0])
    state._metadata = OrderedDict([("", {"version": 1})])
    return {
        "types": [library.ones(2).to(getattr(library, n)) for n in NAMES],
        "views": {"a": x[1:], "b": x.t(), "c": x, "d": x[2, 3], "e": x[:, 1:3]},
        "state dict": state,
        "parameters": [parameter(x), parameter(x.clone(), requires_grad=False), library.ones(1, requires_grad=True)],
        "checkpoint": {"epoch": 3, "loss": 0.5, "name": "é", "best": None, "optimizer": {"state": {0: {"step": library.tensor(3.0)}},
                       "param_groups": [{"lr": 0.1, "betas": (0.9, 0.999), "params": [0, 1]}]}},
        "others": [library.float16, library.device("cpu"), library.Size([1, 2]), {1}, b"ab", 1j, Counter("ab"), 2**70, library.zeros(0, 3)],
    }


SAMPLE_NAMES = list(samples(ringgrad, lambda *a, **k: None))


@pytest.mark.torch
@pytest.mark.parametrize("name", SAMPLE_NAMES)
def test_torch_reads_our_files(name, tmp_path):
    torch = pytest.importorskip("torch", reason="the oracle, torch, is not installed")
    obj = samples(ringgrad, Parameter)[name]
    ringgrad.save(obj, tmp_path / "x.pt")
    for kwargs in ({"weights_only": True}, {"weights_only": False}, {"weights_only": True, "mmap": True}):
        assert values(torch.load(tmp_path / "x.pt", **kwargs)) == values(obj), kwargs
    assert values(torch.load(buffer(obj))) == values(obj)


@pytest.mark.torch
@pytest.mark.parametrize("name", SAMPLE_NAMES)
def test_we_read_torch_files(name, tmp_path):
    torch = pytest.importorskip("torch", reason="the oracle, torch, is not installed")
    obj = samples(torch, torch.nn.Parameter)[name]
    torch.save(obj, tmp_path / "x.pt")
    for kwargs in ({}, {"weights_only": False}, {"mmap": True}, {"map_location": "cpu"}):
        assert values(ringgrad.load(tmp_path / "x.pt", **kwargs)) == values(obj), kwargs


@pytest.mark.torch
def test_files_go_back_and_forth(tmp_path):
    torch = pytest.importorskip("torch", reason="the oracle, torch, is not installed")
    model = torch.nn.Sequential(torch.nn.Conv2d(1, 2, 3), torch.nn.BatchNorm2d(2), torch.nn.Linear(4, 5))
    torch.save(model.state_dict(), tmp_path / "a.pt")
    ringgrad.save(ringgrad.load(tmp_path / "a.pt"), tmp_path / "b.pt")
    back = torch.load(tmp_path / "b.pt")
    assert values(back) == values(model.state_dict())
    model.load_state_dict(back)


@pytest.mark.torch
def test_oddities_of_torch_files(tmp_path):
    torch = pytest.importorskip("torch", reason="the oracle, torch, is not installed")
    t = torch.ones(2)
    t.unit = "m/s"
    z = torch.tensor([1 + 2j])
    torch.save([t, z.conj()], tmp_path / "x.pt")
    a, b = ringgrad.load(tmp_path / "x.pt")
    assert a.unit == "m/s" and b.tolist() == [1 - 2j]
    torch.save(torch.ones(2, dtype=torch.uint16), tmp_path / "x.pt")
    with pytest.raises(RuntimeError, match="torch.uint16, a type that ringgrad does not have"):
        ringgrad.load(tmp_path / "x.pt")
    torch.save(torch.nn.Linear(1, 1), tmp_path / "x.pt")
    with pytest.raises(pickle.UnpicklingError, match="GLOBAL torch.nn.modules.linear.Linear was not an allowed global"):
        ringgrad.load(tmp_path / "x.pt")
    torch.save(t, tmp_path / "x.pt", _use_new_zipfile_serialization=False)
    with pytest.raises(RuntimeError, match="is not a checkpoint: a checkpoint is a zip archive"):
        ringgrad.load(tmp_path / "x.pt")


def whole_model(nn):
    return nn.Sequential(nn.Conv2d(1, 4, 3, padding=1), nn.BatchNorm2d(4), nn.ReLU(), nn.MaxPool2d(2), nn.Flatten(), nn.Dropout(0.5),
                         nn.Linear(16, 5), nn.LayerNorm(5), nn.GELU(), nn.LogSoftmax(1)).eval()


def test_a_whole_module_comes_back():
    from ringgrad import nn
    model, x = whole_model(nn), ringgrad.linspace(-1, 1, 16).reshape(1, 1, 4, 4)
    model.register_forward_hook(double)
    got = again(model, weights_only=False)
    assert type(got[0]) is nn.Conv2d and got(x).tolist() == model(x).tolist() == (2 * model.forward(x)).tolist()
    with pytest.raises(pickle.UnpicklingError, match="GLOBAL torch.nn.modules.linear.Linear was not an allowed global"):
        again(nn.Linear(1, 1))
    with ringgrad.serialization.safe_globals([nn.Linear]):
        assert ringgrad.serialization.get_safe_globals() == [nn.Linear]
        assert again(nn.Linear(3, 2)).in_features == 3


def double(module, inputs, output):
    return 2 * output


@pytest.mark.torch
def test_whole_modules_go_to_torch_and_come_from_there(tmp_path):
    torch = pytest.importorskip("torch", reason="the oracle, torch, is not installed")
    from ringgrad import nn
    x = np.linspace(-1, 1, 16, dtype=np.float32).reshape(1, 1, 4, 4)
    for write, read, modules, reader in ((torch, ringgrad, torch.nn, nn), (ringgrad, torch, nn, torch.nn)):
        model = whole_model(modules)
        write.save(model, tmp_path / "x.pt")
        got = read.load(tmp_path / "x.pt", weights_only=False)
        assert type(got[0]) is reader.Conv2d and repr(got) == repr(model)
        np.testing.assert_allclose(got(read.tensor(x)).tolist(), model(write.tensor(x)).tolist(), rtol=1e-5, atol=1e-6)
        assert got.train()(read.tensor(x)).requires_grad


@pytest.mark.torch
def test_a_name_of_torch_that_is_not_here(tmp_path):
    torch = pytest.importorskip("torch", reason="the oracle, torch, is not installed")
    torch.save(torch.ao.quantization.QConfig, tmp_path / "x.pt")
    with pytest.raises(pickle.UnpicklingError, match="torch.ao.quantization.qconfig.QConfig, which ringgrad does not have"):
        ringgrad.load(tmp_path / "x.pt", weights_only=False)


@pytest.mark.torch
@pytest.mark.parametrize("protocol", [2, 3, 4, 5])
def test_other_pickle_protocols(protocol, tmp_path):
    torch = pytest.importorskip("torch", reason="the oracle, torch, is not installed")
    obj = {"w": torch.arange(3), "plain": [1, b"x" * 300, "y" * 300, {2, 3}, 1.5, -7, bytearray(b"z")], "big": 2**3000}
    torch.save(obj, tmp_path / "x.pt", pickle_protocol=protocol)
    assert values(ringgrad.load(tmp_path / "x.pt")) == values(obj)


def test_saving_does_not_need_torch():
    code = ("import sys, io, ringgrad; f = io.BytesIO(); ringgrad.save(ringgrad.ones(2), f); f.seek(0); ringgrad.load(f)\n"
            "print('torch' in sys.modules)")
    result = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=60)
    assert result.stdout == "False\n", result.stderr
