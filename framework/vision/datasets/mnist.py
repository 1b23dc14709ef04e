"""MNIST and the data sets made in its image: 28 x 28 grey pictures in IDX files.

    <root>/MNIST/raw/train-images-idx3-ubyte    and so on; a `.gz` beside it does as well
"""
import gzip
import os
import warnings

import numpy as np
from PIL import Image

from ..._core.tensor import wrap
from ...serialization import load
from .utils import download_url, extract_archive, verify_str_arg
from .vision import VisionDataset

__all__ = ["EMNIST", "KMNIST", "MNIST", "QMNIST", "FashionMNIST"]

_IDX_TYPES = {8: ">u1", 9: ">i1", 11: ">i2", 12: ">i4", 13: ">f4", 14: ">f8"}


def read_idx(path):
    """The tensor in an IDX file, or in its `.gz`.

    Format: two zero bytes, a type, the number of dimensions, each of them in four bytes, the elements; all big-endian.
    RuntimeError for a file that is cut short or of another format.
    """
    packed = not os.path.exists(path)
    with gzip.open(f"{path}.gz") if packed else open(path, "rb") as file:
        data = file.read()
    kind, rank = (data[2], data[3]) if len(data) > 3 and data[:2] == b"\0\0" else (None, 0)
    if kind not in _IDX_TYPES:
        raise RuntimeError(f"{path} is not an IDX file: it begins with {data[:4]!r}")
    shape = np.frombuffer(data, ">u4", rank, 4) if len(data) >= 4 + 4 * rank else [len(data)]
    dtype, start = np.dtype(_IDX_TYPES[kind]), 4 + 4 * rank
    wanted = int(np.prod(shape, dtype=object)) * dtype.itemsize
    if len(data) != start + wanted:
        raise RuntimeError(f"{path} is damaged: its head promises {wanted} bytes of data, and it holds {len(data) - start}; download it again")
    return wrap(np.frombuffer(data, dtype, offset=start).reshape(shape).astype(dtype.newbyteorder("=")))


class MNIST(VisionDataset):
    """Handwritten digits: 60,000 for training, 10,000 for tests (LeCun, Cortes and Burges).  Samples are (Pillow image, class number).

    root: the folder that holds `MNIST/raw`;  train: which part;  download: fetch what is missing.
    `data` is (N, 28, 28) uint8, `targets` (N) int64.  RuntimeError when files are missing or damaged.
    """

    mirrors = ["https://ossci-datasets.s3.amazonaws.com/mnist/", "http://yann.lecun.com/exdb/mnist/"]
    resources = [
        ("train-images-idx3-ubyte.gz", "f68b3c2dcbeaaa9fbdd348bbdeb94873"), ("train-labels-idx1-ubyte.gz", "d53e105ee54ea40749a09fcbcd1e9432"),
        ("t10k-images-idx3-ubyte.gz", "9fb629c4189551a2d022fa330f9573f3"), ("t10k-labels-idx1-ubyte.gz", "ec29112dd5afa0611ce80d1b7f02629c"),
    ]
    training_file, test_file = "training.pt", "test.pt"
    classes = ["0 - zero", "1 - one", "2 - two", "3 - three", "4 - four", "5 - five", "6 - six", "7 - seven", "8 - eight", "9 - nine"]

    def __init__(self, root, train=True, transform=None, target_transform=None, download=False):
        super().__init__(root, transform=transform, target_transform=target_transform)
        self.train = train
        processed = [os.path.join(self.processed_folder, name) for name in (self.training_file, self.test_file)]
        if all(map(os.path.isfile, processed)):  # what torchvision kept before version 0.9
            self.data, self.targets = load(processed[0 if train else 1])
            return
        if download:
            self.download()
        if not self._check_exists():
            raise RuntimeError("Dataset not found. You can use download=True to download it "
                               f"(looked for {', '.join(self._files())} in {self.raw_folder})")
        self.data, self.targets = self._load_data()

    def _files(self):
        return [os.path.splitext(name)[0] for name, _ in self.resources]

    def _load_data(self):
        part = "train" if self.train else "t10k"
        data, targets = (read_idx(os.path.join(self.raw_folder, f"{part}-{kind}")) for kind in ("images-idx3-ubyte", "labels-idx1-ubyte"))
        return data, targets.long()

    def __getitem__(self, index):
        image = Image.fromarray(np.asarray(self.data[index].numpy()))
        return self._transformed(image, int(self.targets[index]))

    def __len__(self):
        return len(self.data)

    @property
    def raw_folder(self):
        """Where the IDX files are."""
        return os.path.join(self.root, type(self).__name__, "raw")

    @property
    def processed_folder(self):
        """Where torchvision kept tensors before version 0.9."""
        return os.path.join(self.root, type(self).__name__, "processed")

    @property
    def class_to_idx(self):
        """{class name: number}."""
        return {name: i for i, name in enumerate(self.classes)}

    def _check_exists(self):
        paths = [os.path.join(self.raw_folder, name) for name in self._files()]
        return all(os.path.isfile(p) or os.path.isfile(f"{p}.gz") for p in paths)

    def download(self):
        """Fetch and unpack what is not there.  RuntimeError that names every mirror and its error, when none gives the file."""
        if self._check_exists():
            return
        for name, md5 in self.resources:
            download_from_mirrors(self.mirrors, name, self.raw_folder, md5)
            extract_archive(os.path.join(self.raw_folder, name), self.raw_folder)

    def extra_repr(self):
        return f"Split: {'Train' if self.train is True else 'Test'}"


def download_from_mirrors(mirrors, name, folder, md5):
    """Fetch a file from the first mirror that gives it whole."""
    errors = []
    for mirror in mirrors:
        try:
            download_url(mirror + name, folder, name, md5)
            return
        except (OSError, RuntimeError) as error:
            errors.append(f"Tried {mirror}, got:\n{error}")
    raise RuntimeError("\n".join([f"Error downloading {name}:", *errors]))


def _renamed(old, new):
    def get(self):
        warnings.warn(f"{old} has been renamed {new}", stacklevel=2)
        return getattr(self, new)
    return property(get, doc=f"The old name of `{new}`.")


for _old, _new in (("train_labels", "targets"), ("test_labels", "targets"), ("train_data", "data"), ("test_data", "data")):
    setattr(MNIST, _old, _renamed(_old, _new))


class FashionMNIST(MNIST):
    """Clothes, in the form of MNIST (Xiao, Rasul and Vollgraf 2017, arXiv:1708.07747)."""

    mirrors = ["http://fashion-mnist.s3-website.eu-central-1.amazonaws.com/"]
    resources = [
        ("train-images-idx3-ubyte.gz", "8d4fb7e6c68d591d4c3dfef9ec88bf0d"), ("train-labels-idx1-ubyte.gz", "25c81989df183df01b3e8a0aad5dffbe"),
        ("t10k-images-idx3-ubyte.gz", "bef4ecab320f06d8554ea6380940ec79"), ("t10k-labels-idx1-ubyte.gz", "bb300cfdad3c16e7a12a480ee83cd310"),
    ]
    classes = ["T-shirt/top", "Trouser", "Pullover", "Dress", "Coat", "Sandal", "Shirt", "Sneaker", "Bag", "Ankle boot"]


class KMNIST(MNIST):
    """Cursive Japanese characters, in the form of MNIST (Clanuwat et al. 2018, arXiv:1812.01718)."""

    mirrors = ["http://codh.rois.ac.jp/kmnist/dataset/kmnist/"]
    resources = [
        ("train-images-idx3-ubyte.gz", "bdb82020997e1d708af4cf47b453dcf7"), ("train-labels-idx1-ubyte.gz", "e144d726b3acfaa3e44228e80efcd344"),
        ("t10k-images-idx3-ubyte.gz", "5c965bf0a639b31b8f53240b1b52f4d7"), ("t10k-labels-idx1-ubyte.gz", "7320c461ea6c1c855c0b718fb2a4b134"),
    ]
    classes = ["o", "ki", "su", "tsu", "na", "ha", "ma", "ya", "re", "wo"]


class EMNIST(MNIST):
    """Letters and digits (Cohen et al. 2017, arXiv:1702.05373).  split: "byclass", "bymerge", "balanced", "letters", "digits" or "mnist"."""

    url, md5 = "https://biometrics.nist.gov/cs_links/EMNIST/gzip.zip", "58c8d27c78d21e728a6bc7b3cc06412e"
    splits = ("byclass", "bymerge", "balanced", "letters", "digits", "mnist")
    _digits, _upper, _lower = list("0123456789"), list("ABCDEFGHIJKLMNOPQRSTUVWXYZ"), list("abcdefghijklmnopqrstuvwxyz")
    _own_lower = list("abdefghnqrt")  # small letters that do not look like their capitals
    classes_split_dict = {
        "byclass": sorted([*_digits, *_upper, *_lower]), "bymerge": sorted([*_digits, *_upper, *_own_lower]),
        "balanced": sorted([*_digits, *_upper, *_own_lower]), "letters": ["N/A", *_lower], "digits": _digits, "mnist": _digits,
    }

    def __init__(self, root, split, **kwargs):
        self.split = verify_str_arg(split, "split", self.splits)
        self.training_file, self.test_file = f"training_{split}.pt", f"test_{split}.pt"
        super().__init__(root, **kwargs)
        self.classes = self.classes_split_dict[split]

    def _files(self):
        part = "train" if self.train else "test"
        return [f"emnist-{self.split}-{part}-{kind}" for kind in ("images-idx3-ubyte", "labels-idx1-ubyte")]

    def _load_data(self):
        data, targets = (read_idx(os.path.join(self.raw_folder, name)) for name in self._files())
        return data, targets.long()

    def download(self):
        """Fetch and unpack the archive with all splits, unless this one is there."""
        if self._check_exists():
            return
        download_url(self.url, self.raw_folder, md5=self.md5)
        extract_archive(os.path.join(self.raw_folder, "gzip.zip"), self.raw_folder)
        folder = os.path.join(self.raw_folder, "gzip")
        for name in os.listdir(folder):
            os.replace(os.path.join(folder, name), os.path.join(self.raw_folder, name))
        os.rmdir(folder)


class QMNIST(MNIST):
    """MNIST with its whole test set found again and full labels (Yadav and Bottou 2019, arXiv:1905.10498).

    what: "train", "test", "test10k", "test50k" or "nist"; None follows `train`.  compat: targets are class numbers (True) or the 8 numbers
    of the extended label.
    """

    subsets = {"train": "train", "test": "test", "test10k": "test", "test50k": "test", "nist": "nist"}
    _base = "https://raw.githubusercontent.com/facebookresearch/qmnist/master/"
    mirrors = [_base]
    resources_of = {
        "train": [("qmnist-train-images-idx3-ubyte.gz", "ed72d4157d28c017586c42bc6afe6370"),
                  ("qmnist-train-labels-idx2-int.gz", "0058f8dd561b90ffdd0f734c6a30e5e4")],
        "test": [("qmnist-test-images-idx3-ubyte.gz", "1394631089c404de565df7b7aeaf9412"),
                 ("qmnist-test-labels-idx2-int.gz", "5b5b05890a5e13444e108efe57b788aa")],
        "nist": [("xnist-images-idx3-ubyte.xz", "7f124b3b8ab81486c9d8c2749c17f834"),
                 ("xnist-labels-idx2-int.xz", "5ed0e788978e45d4a8bd4b7caec3d79d")],
    }

    def __init__(self, root, what=None, compat=True, train=True, **kwargs):
        self.what = verify_str_arg(what or ("train" if train else "test"), "what", tuple(self.subsets))
        self.compat = compat
        self.resources = self.resources_of[self.subsets[self.what]]
        super().__init__(root, train, **kwargs)

    def _load_data(self):
        data, targets = (read_idx(os.path.join(self.raw_folder, name)) for name in self._files())
        part = {"test10k": slice(0, 10_000), "test50k": slice(10_000, None)}.get(self.what, slice(None))
        return data[part], targets[part].long()

    def __getitem__(self, index):
        image, target = Image.fromarray(np.asarray(self.data[index].numpy())), self.targets[index]
        return self._transformed(image, int(target[0]) if self.compat else target)

    def extra_repr(self):
        return f"Split: {self.what}"
