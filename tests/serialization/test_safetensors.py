"""safetensors files, through the library: here, and in its own functions for torch."""
import os
import struct

import numpy as np
import pytest

import ringgrad
from ringgrad import nn
from ringgrad.utils import safetensors as files

library = pytest.importorskip("safetensors", reason="safetensors, an optional library, is not installed")

NAMES = ["bool", "uint8", "int8", "int16", "int32", "int64", "float16", "bfloat16", "float32", "float64", "complex64"]
TENSORS = {name: ringgrad.arange(6).reshape(2, 3).to(getattr(ringgrad, name)) for name in NAMES}
TENSORS.update({"turned": ringgrad.arange(6.0).reshape(2, 3).t(), "none": ringgrad.zeros(0, 2), "number": ringgrad.tensor(3.5)})


def same(a, b):
    return a.keys() == b.keys() and all(a[k].dtype == b[k].dtype and a[k].shape == b[k].shape and a[k].tolist() == b[k].tolist() for k in a)


@pytest.mark.parametrize("mmap", [False, True])
def test_what_goes_in_comes_out(tmp_path, mmap):
    files.save_file(TENSORS, tmp_path / "x.safetensors", {"step": "3"})
    assert same(files.load_file(tmp_path / "x.safetensors", mmap=mmap), TENSORS)
    assert os.listdir(tmp_path) == ["x.safetensors"]
    with library.safe_open(tmp_path / "x.safetensors", "np") as file:
        assert file.metadata() == {"step": "3"}
    assert same(files.load(files.save(TENSORS)), TENSORS)


def test_mapped_tensors_can_be_written_and_the_file_stays(tmp_path):
    path = tmp_path / "x.safetensors"
    files.save_file({"w": ringgrad.ones(1000)}, path)
    before = path.read_bytes()
    got = files.load_file(path, mmap=True)["w"]
    got.add_(1)
    assert got.sum().item() == 2000 and path.read_bytes() == before


def tied():
    model = nn.Sequential(nn.Embedding(5, 3), nn.Linear(3, 5, bias=False))
    model[1].weight = model[0].weight
    return model


def test_a_model_with_tied_weights(tmp_path):
    source, target = tied(), tied()
    with pytest.raises(RuntimeError, match="share memory.*'0.weight' and '1.weight'"):
        files.save_file(source.state_dict(), tmp_path / "x.safetensors")
    files.save_model(source, tmp_path / "x.safetensors")
    assert list(files.load_file(tmp_path / "x.safetensors")) == ["0.weight"]
    assert files.load_model(target, tmp_path / "x.safetensors") == (set(), [])
    assert target[1].weight.tolist() == source[0].weight.tolist() and target[1].weight is target[0].weight


def test_a_model_that_does_not_fit(tmp_path):
    files.save_model(nn.Linear(2, 3), tmp_path / "x.safetensors")
    with pytest.raises(RuntimeError, match=r"missing \['other'\], unexpected \['bias', 'weight'\]"):
        model = nn.Module()
        model.other = nn.Parameter(ringgrad.ones(1))
        files.load_model(model, tmp_path / "x.safetensors")


BAD = [
    (lambda p: files.save_file([1], p), ValueError, "Expected a dict"),
    (lambda p: files.save_file({"a": 1}, p), ValueError, "Key `a` is invalid"),
    (lambda p: files.save_file({"a": ringgrad.ones(1, dtype=ringgrad.complex128)}, p), ValueError, "complex128.*does not have"),
    (lambda p: files.save_file({"a": ringgrad.ones(1)}, p, {"step": 3}), ValueError, "metadata is a dict of text"),
    (lambda p: files.save_file({}, p / "no" / "x"), RuntimeError, "Parent directory"),
    (lambda p: files.load_file(p), FileNotFoundError, "x.safetensors"),
]


@pytest.mark.parametrize(("act", "error", "words"), BAD, ids=[str(row[2])[:20] for row in BAD])
def test_wrong_use(tmp_path, act, error, words):
    with pytest.raises(error, match=words):
        act(tmp_path / "x.safetensors")
    assert os.listdir(tmp_path) == []


def test_damaged_files(tmp_path):
    path = tmp_path / "x.safetensors"
    good = files.save({"w": ringgrad.ones(100)})
    for data in (b"", good[:50], good[:-1], good + b"x", struct.pack("<Q", 1 << 60) + b"{}"):
        path.write_bytes(data)
        for mmap in (False, True):
            with pytest.raises(library.SafetensorError):
                files.load_file(path, mmap=mmap)


def test_load_says_what_such_a_file_is(tmp_path):
    files.save_file({"w": ringgrad.ones(3)}, tmp_path / "x.safetensors")
    with pytest.raises(RuntimeError, match="this is a safetensors file; read it with"):
        ringgrad.load(tmp_path / "x.safetensors")


@pytest.mark.torch
def test_torch_reads_our_files_and_we_its(tmp_path):
    pytest.importorskip("torch", reason="the oracle, torch, is not installed")
    from safetensors import torch as theirs
    files.save_file(TENSORS, tmp_path / "x.safetensors")
    read = theirs.load_file(tmp_path / "x.safetensors")
    assert {n: (str(t.dtype).split(".")[1], t.tolist()) for n, t in read.items()} == \
        {n: (t.dtype.name, t.tolist()) for n, t in TENSORS.items()}
    theirs.save_file({n: t.contiguous() for n, t in read.items()}, tmp_path / "y.safetensors")
    assert same(files.load_file(tmp_path / "y.safetensors", mmap=True), TENSORS)
    assert (tmp_path / "x.safetensors").read_bytes() == (tmp_path / "y.safetensors").read_bytes()
    assert np.array_equal(read["turned"].numpy(), TENSORS["turned"].numpy())
