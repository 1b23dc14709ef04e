"""Damaged files: a sentence that names the file and what is wrong with it, whatever byte is changed and wherever the file ends."""
import io
import struct
import zipfile

import numpy as np
import pytest

import ringgrad


@pytest.fixture(scope="module")
def good():
    file = io.BytesIO()
    ringgrad.save({"w": ringgrad.arange(50.0), "v": ringgrad.ones(7, dtype=ringgrad.int16), "name": "model"}, file)
    return file.getvalue()


def load_bytes(folder, data, **kwargs):
    path = folder / "check point.pt"
    path.write_bytes(data)
    return ringgrad.load(path, **kwargs)


def test_an_empty_file(tmp_path):
    with pytest.raises(EOFError, match=r"check point.pt is empty"):
        load_bytes(tmp_path, b"")


@pytest.mark.parametrize("data", [b"P", b"hello world", b"\x80\x02}q\x00.", b"\x00" * 1000])
def test_another_kind_of_file(tmp_path, data):
    with pytest.raises(RuntimeError, match=r"check point.pt is not a checkpoint: .* begins with b"):
        load_bytes(tmp_path, data)


@pytest.mark.parametrize(("data", "words"), [
    (b"x" * 257 + b"ustar" + b"\0" * 250, "tar archive, torch's format before"),
    (b"\x80\x02\x8a\nl\xfc\x9cF\xf9 j\xa8P\x19.", "bare pickle, as torch wrote"),
    (b"\x02\0\0\0\0\0\0\0{}", "safetensors file; read it with")])
def test_older_and_other_formats_are_refused_with_the_reason(tmp_path, data, words):
    for weights_only in (True, False):
        with pytest.raises(RuntimeError, match=words):
            load_bytes(tmp_path, data, weights_only=weights_only)


def test_every_truncation(tmp_path, good):
    for n in [*range(2, 60), *range(60, len(good), 37), len(good) - 1]:
        with pytest.raises(RuntimeError, match="check point.pt is truncated or damaged, its end is missing"):
            load_bytes(tmp_path, good[:n])


def test_every_changed_byte_is_noticed_or_does_not_matter(tmp_path, good):
    """A byte that no reader looks at (padding, dates) may change; then the file must still load as it was."""
    rng, noticed = np.random.default_rng(0), 0
    for at in range(0, len(good), 3):
        data = bytearray(good)
        data[at] ^= 1 << rng.integers(8)
        try:
            got = load_bytes(tmp_path, bytes(data))
        except RuntimeError as error:
            assert "check point.pt" in str(error)
            noticed += 1
        else:
            assert got["w"].tolist() == list(range(50)) and got["v"].tolist() == [1] * 7 and got["name"] == "model" and len(got) == 3
    assert noticed > len(good) / 12


def test_every_changed_byte_of_a_record_is_noticed(tmp_path, good):
    archive = zipfile.ZipFile(io.BytesIO(good))
    for entry in archive.infolist():
        name_size, extra_size = struct.unpack("<HH", good[entry.header_offset + 26:entry.header_offset + 30])
        begin = entry.header_offset + 30 + name_size + extra_size
        for at in {begin, begin + entry.file_size // 2, begin + entry.file_size - 1}:
            data = bytearray(good)
            data[at] ^= 4
            record = entry.filename.split("/", 1)[1]
            if record in ("version", ".format_version", ".storage_alignment", ".data/serialization_id"):
                continue  # read by nobody
            with pytest.raises(RuntimeError, match="truncated or was altered after it was written|was altered"):
                load_bytes(tmp_path, bytes(data))


def rebuilt(good, change):
    """The archive with its records changed by `change(records)`, and all of zip's own checksums right."""
    source, file = zipfile.ZipFile(io.BytesIO(good)), io.BytesIO()
    records = {n: source.read(n) for n in source.namelist()}
    change(records)
    with zipfile.ZipFile(file, "w") as target:
        for name, data in records.items():
            target.writestr(name, data)
    return file.getvalue()


CHANGES = [
    (lambda r: r.update({"archive/data/0": bytes(200)}), "data/0: .* its SHA-256 is not the one that was written"),
    (lambda r: r.update({"archive/data.pkl": r["archive/data.pkl"].replace(b"model", b"other")}), "data.pkl: .* SHA-256"),
    (lambda r: r.pop("archive/data/1"), "its list of checksums and its records differ in data/1"),
    (lambda r: r.update({"archive/data/9": b""}), "its list of checksums and its records differ in data/9"),
    (lambda r: r.update({"archive/.data/sha256": b"what?"}), "not a list of checksums"),
    (lambda r: r.update({"other/data.pkl": b"."}), "holds 2 files named data.pkl"),
    (lambda r: [r.pop(n) for n in ("archive/data.pkl", "archive/.data/sha256")], "holds 0 files named data.pkl"),
    (lambda r: [r.pop(n) for n in ("archive/data/0", "archive/.data/sha256")], "data/0: file not found: .* does not hold it"),
    (lambda r: [r.update({"archive/data/0": bytes(20)}), r.pop("archive/.data/sha256")],
     "says that data/0 holds 50 elements .* holds 20 bytes"),
    (lambda r: r.update({"archive/constants.pkl": b"."}), "TorchScript archive"),
]


@pytest.mark.parametrize(("change", "words"), CHANGES, ids=[row[1][:30] for row in CHANGES])
def test_a_file_repacked_with_other_contents(tmp_path, good, change, words):
    with pytest.raises(RuntimeError, match=words) as error:
        load_bytes(tmp_path, rebuilt(good, change))
    assert "check point.pt" in str(error.value)


def test_without_our_checksums_those_of_zip_are_checked(tmp_path, good):
    data = bytearray(rebuilt(good, lambda r: r.pop("archive/.data/sha256")))
    assert load_bytes(tmp_path, bytes(data))["name"] == "model"
    at = data.index(np.arange(50, dtype=np.float32).tobytes())
    data[at + 10] ^= 1
    with pytest.raises(RuntimeError, match="data/0: .* its CRC-32 is not the one that was written"):
        load_bytes(tmp_path, bytes(data))


def test_a_compressed_archive_can_be_read(tmp_path, good):
    source, file = zipfile.ZipFile(io.BytesIO(good)), io.BytesIO()
    with zipfile.ZipFile(file, "w", zipfile.ZIP_DEFLATED) as target:
        for name in source.namelist():
            target.writestr(name, source.read(name))
    for mmap in (False, True):
        assert load_bytes(tmp_path, file.getvalue(), mmap=mmap)["w"].tolist() == list(range(50))


def test_two_records_of_one_name(tmp_path, good):
    file = io.BytesIO(good)
    with pytest.warns(UserWarning, match="Duplicate name"), zipfile.ZipFile(file, "a") as target:
        target.writestr("archive/data/0", b"other")
    with pytest.raises(RuntimeError, match="holds two files named archive/data/0"):
        load_bytes(tmp_path, file.getvalue())


def test_mapping_checks_all_but_the_contents_of_tensors(tmp_path, good):
    assert load_bytes(tmp_path, good, mmap=True)["w"].tolist() == list(range(50))
    with pytest.raises(RuntimeError, match="data.pkl: .* SHA-256"):
        load_bytes(tmp_path, rebuilt(good, CHANGES[1][0]), mmap=True)


def test_numbers_of_the_other_byte_order(tmp_path, good):
    def turn(records):
        records["archive/byteorder"] = b"big"
        records["archive/data/0"] = np.arange(50, dtype=">f4").tobytes()
        records["archive/data/1"] = np.ones(7, ">i2").tobytes()
        del records["archive/.data/sha256"]
    got = load_bytes(tmp_path, rebuilt(good, turn))
    assert got["w"].tolist() == list(range(50)) and got["v"].tolist() == [1] * 7
