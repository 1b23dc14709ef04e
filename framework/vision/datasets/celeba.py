"""Faces of celebrities (Liu et al. 2015, arXiv:1411.7766)."""
import csv
import os

import numpy as np

from ..._core.tensor import wrap
from ._listed import missing, opened
from .utils import check_integrity, verify_str_arg
from .vision import VisionDataset

__all__ = ["CelebA"]


class CelebA(VisionDataset):
    """202,599 faces.  Samples are (Pillow image, target).

    split: "train", "valid", "test" or "all";  target_type: "attr" (40 of 0 or 1), "identity" (a number), "bbox" (x, y, width, height), "landmarks"
    (five points), or a list of these, which makes the target a tuple.  Its files lie in Google's storage, from where a person has to fetch them
    into `<root>/celeba`;  download=True says so.
    """

    base_folder = "celeba"
    file_list = [
        ("0B7EVK8r0v71pZjFTYXZWM3FlRnM", "00d2c5bc6d35e252742224ab0c1e8fcb", "img_align_celeba.zip"),
        ("0B7EVK8r0v71pblRyaVFSWGxPY0U", "75e246fa4810816ffd6ee81facbd244c", "list_attr_celeba.txt"),
        ("1_ee_0u7vcNLOfNLegJRHmolfH5ICW-XS", "32bd1bd63d3c78cd57e08160ec5ed1e2", "identity_CelebA.txt"),
        ("0B7EVK8r0v71pbThiMVRxWXZ4dU0", "00566efa6fedff7a56946cd1c10f1c16", "list_bbox_celeba.txt"),
        ("0B7EVK8r0v71pd0FJY3Blby1HUTQ", "cc24ecafdb5b50baae59b03474781f8c", "list_landmarks_align_celeba.txt"),
        ("0B7EVK8r0v71pY0NSMzRuSXJEVkk", "d32c9cbf5e040fd4025c592c306e6668", "list_eval_partition.txt"),
    ]
    _kinds = {"attr": "attr", "identity": "identity", "bbox": "bbox", "landmarks": "landmarks_align"}

    def __init__(self, root, split="train", target_type="attr", transform=None, target_transform=None, download=False):
        super().__init__(root, transform=transform, target_transform=target_transform)
        self.split, self.target_type = split, target_type if isinstance(target_type, list) else [target_type]
        if not self.target_type and target_transform is not None:
            raise RuntimeError("target_transform is specified but target_type is empty")
        for kind in self.target_type:
            verify_str_arg(kind, "target_type", tuple(self._kinds))
        part = {"train": 0, "valid": 1, "test": 2, "all": None}[verify_str_arg(
            split.lower() if isinstance(split, str) else split, "split", ("train", "valid", "test", "all"))]
        if not self._check_integrity():
            if download:
                links = ", ".join(f"https://drive.google.com/uc?id={key} ({name})" for key, _, name in self.file_list)
                raise RuntimeError(f"CelebA has to be fetched by a person: put the files of {links} into "
                                   f"{os.path.join(self.root, self.base_folder)}, and unpack the archive there")
            raise missing(os.path.join(self.root, self.base_folder))
        names, parts, _ = self._load("list_eval_partition.txt")
        rows = np.arange(len(names)) if part is None else np.flatnonzero(parts[:, 0] == part)
        self.filename = [names[i] for i in rows]
        self.identity, self.bbox, self.landmarks_align = (wrap(self._load(name, header)[1][rows]) for name, header in (
            ("identity_CelebA.txt", None), ("list_bbox_celeba.txt", 1), ("list_landmarks_align_celeba.txt", 1)))
        _, attributes, self.attr_names = self._load("list_attr_celeba.txt", 1)
        self.attr = wrap((attributes[rows] + 1) // 2)

    def _load(self, name, header=None):
        """(file names, (N, columns) int64, names of the columns).  header: the line that names them."""
        with open(os.path.join(self.root, self.base_folder, name)) as file:
            lines = list(csv.reader(file, delimiter=" ", skipinitialspace=True))  # one name more than there are, as torchvision has it
        rows = lines if header is None else lines[header + 1:]
        return [row[0] for row in rows], np.array([row[1:] for row in rows], np.int64), [] if header is None else lines[header]

    def _check_integrity(self):
        base = os.path.join(self.root, self.base_folder)
        return os.path.isdir(os.path.join(base, "img_align_celeba")) and all(
            check_integrity(os.path.join(base, name), md5) for _, md5, name in self.file_list if not name.endswith(".zip"))

    def __getitem__(self, index):
        image = opened(os.path.join(self.root, self.base_folder, "img_align_celeba", self.filename[index]))
        targets = tuple(getattr(self, self._kinds[kind])[index] if kind != "identity" else self.identity[index, 0] for kind in self.target_type)
        if self.transform is not None:
            image = self.transform(image)
        if not targets:
            return image, None
        target = targets if len(targets) > 1 else targets[0]
        return image, target if self.target_transform is None else self.target_transform(target)

    def __len__(self):
        return len(self.attr)

    def extra_repr(self):
        return f"Target type: {self.target_type}\nSplit: {self.split}"
