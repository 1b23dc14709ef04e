"""CIFAR-10 and CIFAR-100: 32 x 32 colour pictures (Krizhevsky 2009, "Learning Multiple Layers of Features from Tiny Images")."""
import os
import pickle

import numpy as np
from PIL import Image

from .utils import check_integrity, download_and_extract_archive
from .vision import VisionDataset

__all__ = ["CIFAR10", "CIFAR100"]

_IMAGE_BYTES = 3 * 32 * 32


class CIFAR10(VisionDataset):
    """Ten classes, 50,000 pictures for training and 10,000 for tests.  Samples are (Pillow image, class number).

    root: the folder that holds `cifar-10-batches-py`, or `cifar-10-batches-bin`, the same data without pickles;  train: which part;
    download: fetch what is missing.  `data` is an array (N, 32, 32, 3) of uint8, `targets` a list.
    RuntimeError when files are missing or do not have the published digests.
    """

    base_folder, binary_folder = "cifar-10-batches-py", "cifar-10-batches-bin"
    url, filename = "https://www.cs.toronto.edu/~kriz/cifar-10-python.tar.gz", "cifar-10-python.tar.gz"
    tgz_md5 = "c58f30108f718f92721af3b95e74349a"
    train_list = [
        ["data_batch_1", "c99cafc152244af753f735de768cd75f"], ["data_batch_2", "d4bba439e000b95fd0a9bffe97cbabec"],
        ["data_batch_3", "54ebc095f3ab1f0389bbae665268c751"], ["data_batch_4", "634d18415352ddfa80567beed471001a"],
        ["data_batch_5", "482c414d41f54cd18b22e5b47cb7c3cb"],
    ]
    test_list = [["test_batch", "40351d587109b95175f43aff81a1287e"]]
    meta = {"filename": "batches.meta", "key": "label_names", "md5": "5ff9c542aee3614f3951f8cda6e48888"}
    binary_meta, label_bytes = "batches.meta.txt", 1  # the last of so many bytes before each picture is its class

    def __init__(self, root, train=True, transform=None, target_transform=None, download=False):
        super().__init__(root, transform=transform, target_transform=target_transform)
        self.train = train
        if download:
            self.download()
        names = [name for name, _ in (self.train_list if train else self.test_list)]
        if self._check_integrity():
            planes, self.targets, self.classes = self._read_pickles(names)
        elif self._check_binary(names):
            planes, self.targets, self.classes = self._read_binary(names)
        else:
            raise RuntimeError("Dataset not found or corrupted. You can use download=True to download it "
                               f"(looked in {os.path.join(self.root, self.base_folder)} and {os.path.join(self.root, self.binary_folder)})")
        self.data = planes.reshape(-1, 3, 32, 32).transpose(0, 2, 3, 1)
        self.class_to_idx = {name: i for i, name in enumerate(self.classes)}

    def _read_pickles(self, names):
        """Their digests have been checked, so these pickles are the published ones."""
        entries = [self._unpickled(name) for name in names]
        targets = [t for entry in entries for t in entry["labels" if "labels" in entry else "fine_labels"]]
        return np.concatenate([entry["data"] for entry in entries]), targets, self._unpickled(self.meta["filename"])[self.meta["key"]]

    def _unpickled(self, name):
        with open(os.path.join(self.root, self.base_folder, name), "rb") as file:
            return pickle.load(file, encoding="latin1")

    def _binary_paths(self, names):
        return [os.path.join(self.root, self.binary_folder, f"{name}.bin") for name in names]

    def _check_binary(self, names):
        record = self.label_bytes + _IMAGE_BYTES
        return all(os.path.isfile(p) and os.path.getsize(p) % record == 0 for p in self._binary_paths(names))

    def _read_binary(self, names):
        records = np.concatenate([np.fromfile(p, np.uint8).reshape(-1, self.label_bytes + _IMAGE_BYTES) for p in self._binary_paths(names)])
        with open(os.path.join(self.root, self.binary_folder, self.binary_meta)) as file:
            classes = file.read().split()
        return records[:, self.label_bytes:], records[:, self.label_bytes - 1].tolist(), classes

    def __getitem__(self, index):
        return self._transformed(Image.fromarray(self.data[index]), self.targets[index])

    def __len__(self):
        return len(self.data)

    def _check_integrity(self):
        files = [*self.train_list, *self.test_list, (self.meta["filename"], self.meta["md5"])]
        return all(check_integrity(os.path.join(self.root, self.base_folder, name), md5) for name, md5 in files)

    def download(self):
        """Fetch and unpack the archive, unless its files, or the binary ones, are there and whole."""
        names = [name for name, _ in (*self.train_list, *self.test_list)]
        if not self._check_integrity() and not self._check_binary(names):
            download_and_extract_archive(self.url, self.root, filename=self.filename, md5=self.tgz_md5)

    def extra_repr(self):
        return f"Split: {'Train' if self.train is True else 'Test'}"


class CIFAR100(CIFAR10):
    """A hundred classes, 500 pictures of each for training and 100 for tests."""

    base_folder, binary_folder = "cifar-100-python", "cifar-100-binary"
    url, filename = "https://www.cs.toronto.edu/~kriz/cifar-100-python.tar.gz", "cifar-100-python.tar.gz"
    tgz_md5 = "eb9058c3a382ffc7106e4002c42a8d85"
    train_list = [["train", "16019d7e3df5f24257cddd939b257f8d"]]
    test_list = [["test", "f0ef6b0ae62326f3e7ffdfab6717acfc"]]
    meta = {"filename": "meta", "key": "fine_label_names", "md5": "7973b15100ade9c7d40fb424638fde48"}
    binary_meta, label_bytes = "fine_label_names.txt", 2
