"""Data sets of small pictures in few files: street numbers, handwritten digits, and ten things of which most are not named."""
import bz2
import os

import numpy as np
from PIL import Image

from ._listed import mat_file, missing
from .utils import check_integrity, download_and_extract_archive, download_url, verify_str_arg
from .vision import VisionDataset

__all__ = ["STL10", "SVHN", "USPS"]


class SVHN(VisionDataset):
    """House numbers, 32 x 32 in colour (Netzer et al. 2011).  Samples are (Pillow image, digit).  Its files are MATLAB's, read by SciPy.

    split: "train", "test" or "extra".  `data` is (N, 3, 32, 32) uint8, `labels` (N) int64.
    """

    split_list = {
        split: [f"http://ufldl.stanford.edu/housenumbers/{split}_32x32.mat", f"{split}_32x32.mat", md5] for split, md5 in (
            ("train", "e26dedcc434d2e4c54c9b2d4a06d8373"), ("test", "eb5a983be6a315427106f1b164d9cef3"),
            ("extra", "a93ce644f1a588dc4d68dda5feec44a7"))}

    def __init__(self, root, split="train", transform=None, target_transform=None, download=False):
        super().__init__(root, transform=transform, target_transform=target_transform)
        self.split = verify_str_arg(split, "split", tuple(self.split_list))
        self.url, self.filename, self.file_md5 = self.split_list[split]
        if download:
            self.download()
        if not self._check_integrity():
            raise missing(os.path.join(self.root, self.filename))
        contents = mat_file(os.path.join(self.root, self.filename))
        self.labels = contents["y"].astype(np.int64).squeeze() % 10  # the file calls the digit 0 10
        self.data = contents["X"].transpose(3, 2, 0, 1)

    def __getitem__(self, index):
        return self._transformed(Image.fromarray(self.data[index].transpose(1, 2, 0)), int(self.labels[index]))

    def __len__(self):
        return len(self.data)

    def _check_integrity(self):
        return check_integrity(os.path.join(self.root, self.filename), self.file_md5)

    def download(self):
        """Fetch the file, unless it is there and whole."""
        download_url(self.url, self.root, self.filename, self.file_md5)

    def extra_repr(self):
        return f"Split: {self.split}"


class USPS(VisionDataset):
    """Digits from envelopes, 16 x 16 in grey (Hull 1994).  Samples are (Pillow image, digit).  `data` is (N, 16, 16) uint8, `targets` a list."""

    split_list = {
        "train": ["https://www.csie.ntu.edu.tw/~cjlin/libsvmtools/datasets/multiclass/usps.bz2", "usps.bz2", "ec16c51db3855ca6c91edd34d0e9b197"],
        "test": ["https://www.csie.ntu.edu.tw/~cjlin/libsvmtools/datasets/multiclass/usps.t.bz2", "usps.t.bz2", "8ea070ee2aca1ac39742fdd1ef5ed118"]}

    def __init__(self, root, train=True, transform=None, target_transform=None, download=False):
        super().__init__(root, transform=transform, target_transform=target_transform)
        url, name, md5 = self.split_list["train" if train else "test"]
        path = os.path.join(self.root, name)
        if download and not os.path.exists(path):
            download_url(url, self.root, name, md5=md5)
        with bz2.open(path, "rt") as file:
            rows = [line.split() for line in file]
        values = np.array([[entry.rsplit(":", 1)[1] for entry in row[1:]] for row in rows], np.float32).reshape(-1, 16, 16)
        self.data, self.targets = ((values + 1) / 2 * 255).astype(np.uint8), [int(row[0]) - 1 for row in rows]

    def __getitem__(self, index):
        return self._transformed(Image.fromarray(self.data[index]), int(self.targets[index]))

    def __len__(self):
        return len(self.data)


class STL10(VisionDataset):
    """Ten things, 96 x 96 in colour: 5,000 pictures for training, 8,000 for tests, 100,000 without names (Coates et al. 2011).

    split: "train", "train+unlabeled", "unlabeled" or "test";  folds: one of ten parts of the training pictures, or None for all.  Samples are
    (Pillow image, class number, -1 without a name).  `data` is (N, 3, 96, 96) uint8, `labels` (N).
    """

    base_folder, filename, tgz_md5 = "stl10_binary", "stl10_binary.tar.gz", "91f7769df0f17e558f3565bffb0c7dfb"
    url = "http://ai.stanford.edu/~acoates/stl10/stl10_binary.tar.gz"
    class_names_file, folds_list_file = "class_names.txt", "fold_indices.txt"
    train_list = [["train_X.bin", "918c2871b30a85fa023e0c44e0bee87f"], ["train_y.bin", "5a34089d4802c674881badbb80307741"],
                  ["unlabeled_X.bin", "5242ba1fed5e4be9e1e742405eb56ca4"]]
    test_list = [["test_X.bin", "7f263ba9f9e0b06b93213547f721ac82"], ["test_y.bin", "36f9794fa4beb8a2c72628de14fa638e"]]
    splits = ("train", "train+unlabeled", "unlabeled", "test")

    def __init__(self, root, split="train", folds=None, transform=None, target_transform=None, download=False):
        super().__init__(root, transform=transform, target_transform=target_transform)
        self.split = verify_str_arg(split, "split", self.splits)
        if folds is not None and (not isinstance(folds, int) or not 0 <= folds < 10):
            raise ValueError(f"Value for argument folds should be in the range [0, 10), or None, but got {folds}.")
        self.folds = folds
        if download:
            self.download()
        if not self._check_integrity():
            raise missing(os.path.join(self.root, self.base_folder))
        parts = [self._named("train" if part == "train" else "test", folds if part == "train" else None) if part != "unlabeled" else self._unnamed()
                 for part in split.split("+")]
        self.data, self.labels = (np.concatenate(arrays) if len(parts) > 1 else arrays[0] for arrays in zip(*parts))
        names = os.path.join(self.root, self.base_folder, self.class_names_file)
        if os.path.isfile(names):
            with open(names) as file:
                self.classes = file.read().splitlines()

    def _bytes(self, name):
        return np.fromfile(os.path.join(self.root, self.base_folder, name), np.uint8)

    def _pictures(self, name):
        return self._bytes(name).reshape(-1, 3, 96, 96).transpose(0, 1, 3, 2)  # the file goes down the columns

    def _unnamed(self):
        pictures = self._pictures(self.train_list[2][0])
        return pictures, np.full(len(pictures), -1)

    def _named(self, part, fold):
        (pictures, _), (labels, _) = getattr(self, f"{part}_list")[:2]
        pictures, labels = self._pictures(pictures), self._bytes(labels) - 1
        if fold is not None:
            with open(os.path.join(self.root, self.base_folder, self.folds_list_file)) as file:
                rows = np.array(file.read().splitlines()[fold].split(), np.int64)
            pictures, labels = pictures[rows], labels[rows]
        return pictures, labels

    def __getitem__(self, index):
        return self._transformed(Image.fromarray(self.data[index].transpose(1, 2, 0)), int(self.labels[index]))

    def __len__(self):
        return len(self.data)

    def _check_integrity(self):
        return all(check_integrity(os.path.join(self.root, self.base_folder, name), md5) for name, md5 in self.train_list + self.test_list)

    def download(self):
        """Fetch and unpack the archive, unless its files are there and whole."""
        if not self._check_integrity():
            download_and_extract_archive(self.url, self.root, filename=self.filename, md5=self.tgz_md5)

    def extra_repr(self):
        return f"Split: {self.split}"
