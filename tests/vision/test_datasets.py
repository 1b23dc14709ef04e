"""Data sets from files made here, read by ours and by torchvision's; downloads from a server on this machine."""
import gzip
import hashlib
import http.server
import io
import os
import pickle
import re
import struct
import tarfile
import threading
import urllib.error
import zipfile

import numpy as np
import pytest
from PIL import Image

from ringgrad.vision import datasets
from ringgrad.vision.datasets import utils

RNG = np.random.default_rng(0)


def idx(array):
    kinds = {"u1": 8, "i4": 12}
    return struct.pack(">BBBB", 0, 0, kinds[array.dtype.str[1:]], array.ndim) + struct.pack(f">{array.ndim}I", *array.shape) + \
        array.astype(array.dtype.newbyteorder(">")).tobytes()


def mnist_files(n=6):
    return {f"{part}-{kind}": idx(data) for part in ("train", "t10k") for kind, data in (
        ("images-idx3-ubyte", RNG.integers(0, 256, (n, 28, 28), np.uint8)), ("labels-idx1-ubyte", RNG.integers(0, 10, n).astype(np.uint8)))}


def put(folder, files):
    folder.mkdir(parents=True, exist_ok=True)
    for name, data in files.items():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_bytes(data)


def picture(mode="RGB", size=(12, 10), format="PNG"):
    shape = (size[1], size[0], 3) if mode == "RGB" else (size[1], size[0])
    file = io.BytesIO()
    Image.fromarray(RNG.integers(0, 256, shape, np.uint8)).save(file, format=format)
    return file.getvalue()


XML = b"""<annotation><folder>VOC2007</folder><size><width>12</width><height>10</height></size><empty/><blank> </blank>
<object><name>dog</name><bndbox><xmin>1</xmin><xmax>5</xmax></bndbox><part><name>head</name></part><part><name>foot</name></part></object>%s</annotation>"""


def make_mnist(root):
    put(root / "MNIST" / "raw", mnist_files())
    return [lambda d, t=t: d.MNIST(root, train=t) for t in (True, False)]


def make_fashion(root):
    put(root / "FashionMNIST" / "raw", mnist_files())
    return [lambda d: d.FashionMNIST(str(root), transform=np.asarray, target_transform=lambda t: -t)]


def make_folder(root):
    put(root, {"cat/b.png": picture(), "cat/deep/a.JPG": picture(format="JPEG"), "dog/x.png": picture("L"), "dog/readme.txt": b"no"})
    return [lambda d: d.ImageFolder(root), lambda d: d.ImageFolder(str(root), is_valid_file=lambda p: p.endswith("b.png"), allow_empty=True),
            lambda d: d.DatasetFolder(str(root), lambda p: os.path.basename(p), extensions=(".txt", ".png"))]


def make_voc(root):
    base = root / "VOCdevkit" / "VOC2007"
    put(base, {"ImageSets/Main/test.txt": b"01\n02 \n", "ImageSets/Segmentation/test.txt": b"01\n", "JPEGImages/01.jpg": picture(format="JPEG"),
               "JPEGImages/02.jpg": picture(format="JPEG"), "Annotations/01.xml": XML % b"", "SegmentationClass/01.png": picture("L"),
               "Annotations/02.xml": XML % b"<object><name>cat</name></object>"})
    return [lambda d: d.VOCDetection(root, "2007", "test"),
            lambda d: d.VOCSegmentation(str(root), "2007", "test", transforms=lambda i, t: (np.asarray(i), np.asarray(t) + 1))]


def make_cifar(root):
    for base, labels in (("CIFAR10", "labels"), ("CIFAR100", "fine_labels")):
        kind, files = getattr(datasets, base), {}
        names = [n for n, _ in (*kind.train_list, *kind.test_list)]
        for name in names:
            files[name] = pickle.dumps({"data": RNG.integers(0, 256, (4, 3072), np.uint8), labels: RNG.integers(0, 10, 4).tolist()}, 2)
        files[kind.meta["filename"]] = pickle.dumps({kind.meta["key"]: [f"class {i}" for i in range(10)]}, 2)
        put(root / kind.base_folder, files)

    def made_here(kind):
        def md5(name):
            return hashlib.md5((root / kind.base_folder / name).read_bytes()).hexdigest()
        lists = {a: [[n, md5(n)] for n, _ in getattr(kind, a)] for a in ("train_list", "test_list")}
        return type(kind.__name__, (kind,), {**lists, "meta": {**kind.meta, "md5": md5(kind.meta["filename"])}})
    return [lambda d, t=t, b=b: made_here(getattr(d, b))(root, train=t) for t in (True, False) for b in ("CIFAR10", "CIFAR100")]


def make_emnist(root):
    put(root / "EMNIST" / "raw", {f"emnist-letters-{part}-{name.split('-', 1)[1]}": data for part in ("train", "test")
                                  for name, data in mnist_files().items() if name.startswith("t10k")})
    return [lambda d, t=t: d.EMNIST(root, "letters", train=t) for t in (True, False)]


MAKERS = {"mnist": make_mnist, "fashion": make_fashion, "folder": make_folder, "voc": make_voc, "cifar": make_cifar, "emnist": make_emnist}


def plain(x):
    if isinstance(x, Image.Image):
        return x.mode, x.size, x.tobytes()
    if isinstance(x, np.ndarray):
        return x.shape, str(x.dtype), x.tobytes()
    return x


@pytest.mark.torch
@pytest.mark.parametrize("name", MAKERS)
def test_as_torchvision(name, theirs, tmp_path):
    for make in MAKERS[name](tmp_path):
        got, expected = make(datasets), make(theirs.datasets)
        assert re.sub("0x[0-9a-f]+", "", repr(got)) == re.sub("0x[0-9a-f]+", "", repr(expected)) and len(got) == len(expected) > 0
        assert [tuple(map(plain, got[i])) for i in range(len(got))] == [tuple(map(plain, expected[i])) for i in range(len(got))]
        for attribute in ("classes", "class_to_idx", "samples", "images", "extensions", "split", "year"):
            assert getattr(got, attribute, None) == getattr(expected, attribute, None), attribute
        if hasattr(expected, "targets"):
            assert np.asarray(got.targets).tolist() == np.asarray(expected.targets).tolist()


def test_mnist_packed_and_damaged(tmp_path):
    raw, files = tmp_path / "MNIST" / "raw", mnist_files()
    put(raw, {f"{name}.gz": gzip.compress(data) for name, data in files.items()})
    data = datasets.MNIST(tmp_path, train=False)
    assert data.data.shape == (6, 28, 28) and data.targets.dtype.name == "int64" and data.class_to_idx["3 - three"] == 3
    with pytest.warns(UserWarning, match="test_labels has been renamed targets"):
        assert data.test_labels is data.targets
    put(raw, {"train-images-idx3-ubyte": files["train-images-idx3-ubyte"][:-5]})
    with pytest.raises(RuntimeError, match="promises 4704 bytes of data, and it holds 4699"):
        datasets.MNIST(tmp_path)
    put(raw, {"train-images-idx3-ubyte": b"<html>"})
    with pytest.raises(RuntimeError, match="not an IDX file"):
        datasets.MNIST(tmp_path)


def test_cifar_without_pickles(tmp_path):
    records = RNG.integers(0, 10, (3, 3073), np.uint8)
    put(tmp_path / "cifar-10-batches-bin", {f"data_batch_{i}.bin": records.tobytes() for i in range(1, 6)} | {"batches.meta.txt": b"a\nb\n"})
    data = datasets.CIFAR10(tmp_path)
    assert data.data.shape == (15, 32, 32, 3) and data.targets == records[:, 0].tolist() * 5 and data.classes == ["a", "b"]
    assert np.array_equal(np.asarray(data[1][0]).transpose(2, 0, 1).reshape(-1), records[1, 1:])
    with pytest.raises(RuntimeError, match="not found or corrupted"):
        datasets.CIFAR10(tmp_path, train=False)
    put(tmp_path / "cifar-10-batches-bin", {"test_batch.bin": records.tobytes()})
    assert len(datasets.CIFAR10(tmp_path, train=False, download=True)) == 3  # nothing is fetched


def test_altered_pickles_are_not_opened(tmp_path):
    make_cifar(tmp_path)
    with pytest.raises(RuntimeError, match="not found or corrupted"):
        datasets.CIFAR10(tmp_path)


def test_qmnist(tmp_path):
    labels = RNG.integers(0, 10, (6, 8)).astype(np.int32)
    put(tmp_path / "QMNIST" / "raw", {"qmnist-train-images-idx3-ubyte": mnist_files()["train-images-idx3-ubyte"],
                                      "qmnist-train-labels-idx2-int": idx(labels)})
    assert datasets.QMNIST(tmp_path)[2][1] == labels[2, 0]
    assert datasets.QMNIST(tmp_path, compat=False)[2][1].tolist() == labels[2].tolist()


def test_fake_data():
    data = datasets.FakeData(5, (1, 8, 9), 3, random_offset=2)
    assert len(data) == 5 and data[0][0].size == (9, 8) and data[0][0].mode == "L" and all(0 <= data[i][1] < 3 for i in range(5))
    assert data[2][0].tobytes() == datasets.FakeData(5, (1, 8, 9), 3, random_offset=4)[0][0].tobytes() != data[1][0].tobytes()
    with pytest.raises(IndexError, match="out of range"):
        data[5]


def test_what_is_wrong_with_folders(tmp_path):
    with pytest.raises(FileNotFoundError, match="Couldn't find any class folder"):
        datasets.ImageFolder(tmp_path)
    put(tmp_path, {"cat/a.txt": b""})
    with pytest.raises(FileNotFoundError, match="no valid file for the classes cat. Supported extensions are: .jpg"):
        datasets.ImageFolder(tmp_path)
    with pytest.raises(ValueError, match="Both extensions and is_valid_file"):
        datasets.DatasetFolder(str(tmp_path), open)
    with pytest.raises(ValueError, match="Only transforms or transform/target_transform"):
        datasets.VisionDataset(transforms=1, transform=2)
    with pytest.raises(ValueError, match="Unknown value '1999' for argument year"):
        datasets.VOCDetection(tmp_path, "1999")
    with pytest.raises(RuntimeError, match="download=True"):
        datasets.VOCDetection(tmp_path)
    with pytest.raises(ValueError, match="Unknown value 'all' for argument split"):
        datasets.EMNIST(tmp_path, "all")


# -- downloads ---------------------------------------------------------------------------------------------------------


@pytest.fixture
def server(tmp_path):
    """(address, {path: body or (body, length that is announced)}) of a server on this machine."""
    files = {}

    class Handler(http.server.BaseHTTPRequestHandler):
        def do_GET(self):
            entry = files.get(self.path)
            if entry is None:
                self.send_error(404)
                return
            body, length = entry if isinstance(entry, tuple) else (entry, len(entry))
            self.send_response(200)
            self.send_header("Content-Length", str(length))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *args):
            pass
    httpd = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=httpd.serve_forever)
    thread.start()
    yield f"http://127.0.0.1:{httpd.server_port}/", files
    httpd.shutdown()
    thread.join()
    httpd.server_close()


def test_mnist_is_downloaded(server, tmp_path):
    address, files = server
    made = mnist_files()
    files.update({f"/{name}.gz": gzip.compress(data) for name, data in made.items()})
    md5 = [(f"{name}.gz", hashlib.md5(files[f"/{name}.gz"]).hexdigest()) for name in made]
    Local = type("MNIST", (datasets.MNIST,), {"mirrors": [address + "gone/", address], "resources": md5})
    assert len(Local(tmp_path, download=True)) == 6
    files.clear()
    assert len(Local(tmp_path, download=True)) == 6  # it is there
    Gone = type("Gone", (datasets.MNIST,), {"mirrors": [address, address + "x/"], "resources": md5})
    with pytest.raises(RuntimeError, match=r"Error downloading train-images(.|\n)*404(.|\n)*Tried .*x/"):
        Gone(tmp_path, download=True)


def test_downloads_that_go_wrong_leave_nothing(server, tmp_path):
    address, files = server
    files.update({"/a": b"abc", "/short": (b"abc", 10)})
    with pytest.raises(RuntimeError, match="File not found or corrupted: .* was expected"):
        utils.download_url(address + "a", tmp_path, md5="0" * 32)
    with pytest.raises(urllib.error.URLError, match="ended after 3 of 10 bytes"):
        utils.download_url(address + "short", tmp_path)
    assert os.listdir(tmp_path) == []
    utils.download_url(address + "a", str(tmp_path), "b", md5=hashlib.md5(b"abc").hexdigest())
    assert (tmp_path / "b").read_bytes() == b"abc" and utils.check_integrity(tmp_path / "b", hashlib.md5(b"abc").hexdigest())


def test_archives(tmp_path):
    inner = tmp_path / "in" / "x.txt"
    put(tmp_path, {"in/x.txt": b"hello"})
    with tarfile.open(tmp_path / "a.tar.gz", "w:gz") as t:
        t.add(inner, "x.txt")
    with zipfile.ZipFile(tmp_path / "a.zip", "w") as z:
        z.write(inner, "x.txt")
    (tmp_path / "y.txt.gz").write_bytes(gzip.compress(b"hello"))
    for name in ("a.tar.gz", "a.zip"):
        assert utils.extract_archive(tmp_path / name, tmp_path / name[2:5]) == str(tmp_path / name[2:5])
        assert (tmp_path / name[2:5] / "x.txt").read_bytes() == b"hello"
    assert utils.extract_archive(tmp_path / "y.txt.gz", remove_finished=True) == str(tmp_path / "y.txt")
    assert (tmp_path / "y.txt").read_bytes() == b"hello" and not (tmp_path / "y.txt.gz").exists()
    with pytest.raises(RuntimeError, match="Unknown compression or archive type: '.rar'"):
        utils.extract_archive(tmp_path / "a.rar")
    assert sorted(utils.list_dir(tmp_path)) == ["in", "tar", "zip"] and utils.list_files(tmp_path, ".zip", prefix=True) == [str(tmp_path / "a.zip")]


def test_an_archive_may_not_leave_its_folder(tmp_path):
    with tarfile.open(tmp_path / "evil.tar", "w") as t:
        t.addfile(tarfile.TarInfo("../outside.txt"))
    with pytest.raises(tarfile.OutsideDestinationError):
        utils.extract_archive(tmp_path / "evil.tar", tmp_path / "to")
    assert not (tmp_path / "outside.txt").exists()
