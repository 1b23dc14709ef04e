"""ImageNet 2012 (Russakovsky et al. 2014, arXiv:1409.0575)."""
import os
import shutil
import tempfile

from ...serialization import load, save
from ._listed import mat_file
from .folder import ImageFolder
from .utils import check_integrity, extract_archive, verify_str_arg

__all__ = ["ImageNet"]

ARCHIVE_META = {"train": ("ILSVRC2012_img_train.tar", "1d675b47d978889d74fa0da5fadfb00e"),
                "val": ("ILSVRC2012_img_val.tar", "29b22e2961454d5413ddabcf34fc5622"),
                "devkit": ("ILSVRC2012_devkit_t12.tar.gz", "fa75699e90414af021442c21a62c3abf")}
META_FILE = "meta.bin"


class ImageNet(ImageFolder):
    """Samples are (Pillow image, class number), from `<root>/train` or `<root>/val`, folders of the WordNet numbers.

    split: "train" or "val".  Where they are missing, they are unpacked from the archives in `root`, which a person has to fetch.  `wnids` are the
    WordNet numbers, `classes` tuples of names, `class_to_idx` the numbers of the names.
    """

    def __init__(self, root, split="train", **kwargs):
        root = self.root = os.path.expanduser(root)
        self.split = verify_str_arg(split, "split", ("train", "val"))
        self.parse_archives()
        names = load_meta_file(root)[0]
        super().__init__(self.split_folder, **kwargs)
        self.root, self.wnids, self.wnid_to_idx = root, self.classes, self.class_to_idx
        self.classes = [names[wnid] for wnid in self.wnids]
        self.class_to_idx = {name: i for i, several in enumerate(self.classes) for name in several}

    def parse_archives(self):
        """Unpack what is not unpacked yet."""
        if not check_integrity(os.path.join(self.root, META_FILE)):
            parse_devkit_archive(self.root)
        if not os.path.isdir(self.split_folder):
            {"train": parse_train_archive, "val": parse_val_archive}[self.split](self.root)

    @property
    def split_folder(self):
        """The folder of the images."""
        return os.path.join(self.root, self.split)

    def extra_repr(self):
        return f"Split: {self.split}"


def load_meta_file(root, file=None):
    """({WordNet number: names}, the WordNet numbers of the validation images in order), as `parse_devkit_archive` wrote them."""
    path = os.path.join(root, file or META_FILE)
    if not check_integrity(path):
        raise RuntimeError(f"The meta file {file or META_FILE} is not present in the root directory {root} or is corrupted. This file is "
                           "automatically created by the ImageNet dataset.")
    return load(path, weights_only=True)


def _archive(root, kind, file):
    name, md5 = file or ARCHIVE_META[kind][0], ARCHIVE_META[kind][1]
    if not check_integrity(os.path.join(root, name), md5):
        raise RuntimeError(f"The archive {name} is not present in the root directory or is corrupted. You need to download it externally and place "
                           f"it in {root}.")
    return os.path.join(root, name)


def parse_devkit_archive(root, file=None):
    """Write META_FILE from the archive of the development kit."""
    path = _archive(root, "devkit", file)
    with tempfile.TemporaryDirectory() as folder:
        extract_archive(path, folder)
        data = os.path.join(folder, "ILSVRC2012_devkit_t12", "data")
        leaves = [row for row in mat_file(os.path.join(data, "meta.mat"), squeeze_me=True)["synsets"] if row[4] == 0]  # without children
        with open(os.path.join(data, "ILSVRC2012_validation_ground_truth.txt")) as lines:
            numbers = [int(line) for line in lines]
    wnids = {int(row[0]): str(row[1]) for row in leaves}
    save(({str(row[1]): tuple(str(row[2]).split(", ")) for row in leaves}, [wnids[i] for i in numbers]), os.path.join(root, META_FILE))


def parse_train_archive(root, file=None, folder="train"):
    """Unpack the training images, an archive of archives, into the folders of their classes."""
    train = os.path.join(root, folder)
    extract_archive(_archive(root, "train", file), train)
    for name in os.listdir(train):
        extract_archive(os.path.join(train, name), os.path.join(train, os.path.splitext(name)[0]), remove_finished=True)


def parse_val_archive(root, file=None, wnids=None, folder="val"):
    """Unpack the validation images into the folders of their classes."""
    wnids, val = load_meta_file(root)[1] if wnids is None else wnids, os.path.join(root, folder)
    extract_archive(_archive(root, "val", file), val)
    pictures = sorted(os.listdir(val))
    for wnid in set(wnids):
        os.mkdir(os.path.join(val, wnid))
    for wnid, name in zip(wnids, pictures):
        shutil.move(os.path.join(val, name), os.path.join(val, wnid, name))
