"""Data sets of things to be told apart: flowers, food, textures, traffic signs, pets, and fields seen from space."""
import csv
import json
import os

from ._listed import Listed, mat_file, missing, opened
from .folder import ImageFolder, default_loader, make_dataset
from .utils import check_integrity, download_and_extract_archive, download_url, verify_str_arg
from .vision import VisionDataset

__all__ = ["DTD", "GTSRB", "EuroSAT", "Flowers102", "Food101", "OxfordIIITPet"]


class Flowers102(Listed):
    """102 kinds of flowers (Nilsback and Zisserman 2008).  split: "train", "val" or "test".  Its labels are MATLAB files, read by SciPy."""

    _folder = "flowers-102"
    _download_url_prefix = "https://www.robots.ox.ac.uk/~vgg/data/flowers/102/"
    _file_dict = {"image": ("102flowers.tgz", "52808999861908f626f3c1f4e79d11fa"), "label": ("imagelabels.mat", "e0620be6f572b9609742df49c70aed4d"),
                  "setid": ("setid.mat", "a5357ecc9cb78c4bef273ce3793fc85c")}
    _splits_map = {"train": "trnid", "val": "valid", "test": "tstid"}

    def __init__(self, root, split="train", transform=None, target_transform=None, download=False, loader=default_loader):
        self._split = verify_str_arg(split, "split", ("train", "val", "test"))
        super().__init__(root, transform, target_transform, download, loader)
        read = lambda kind: mat_file(os.path.join(self._base_folder, self._file_dict[kind][0]), squeeze_me=True)
        numbers, labels = read("setid")[self._splits_map[split]].tolist(), (read("label")["labels"] - 1).tolist()
        self._labels = [labels[i - 1] for i in numbers]
        with open(os.path.join(os.path.dirname(__file__), "flowers.txt"), encoding="utf-8") as file:
            self.classes = file.read().splitlines()
        self._image_files = [os.path.join(self._base_folder, "jpg", f"image_{i:05d}.jpg") for i in numbers]

    def _check_exists(self):
        return os.path.isdir(os.path.join(self._base_folder, "jpg")) and all(
            check_integrity(os.path.join(self._base_folder, name), md5) for name, md5 in (self._file_dict["label"], self._file_dict["setid"]))

    def _download(self):
        name, md5 = self._file_dict["image"]
        download_and_extract_archive(self._download_url_prefix + name, self._base_folder, md5=md5)
        for kind in ("label", "setid"):
            name, md5 = self._file_dict[kind]
            download_url(self._download_url_prefix + name, self._base_folder, md5=md5)

    def extra_repr(self):
        return f"split={self._split}"


class Food101(Listed):
    """101 dishes, 750 pictures of each for training and 250 for tests (Bossard et al. 2014).  split: "train" or "test"."""

    _folder = "food-101"
    _URL, _MD5 = "http://data.vision.ee.ethz.ch/cvl/food-101.tar.gz", "85eeb15f3717b99a5da872d97d918f87"

    def __init__(self, root, split="train", transform=None, target_transform=None, download=False, loader=default_loader):
        self._split = verify_str_arg(split, "split", ("train", "test"))
        super().__init__(root, transform, target_transform, download, loader)
        with open(os.path.join(self._base_folder, "meta", f"{split}.json")) as file:
            names = json.load(file)
        self._number_classes(names)
        for kind, pictures in names.items():
            self._labels += [self.class_to_idx[kind]] * len(pictures)
            self._image_files += [os.path.join(self._base_folder, "images", *f"{name}.jpg".split("/")) for name in pictures]

    def _check_exists(self):
        return all(os.path.isdir(os.path.join(self._base_folder, part)) for part in ("meta", "images"))

    def _download(self):
        download_and_extract_archive(self._URL, self.root, md5=self._MD5)

    def extra_repr(self):
        return f"split={self._split}"


class DTD(Listed):
    """47 textures (Cimpoi et al. 2014).  split: "train", "val" or "test";  partition: which of ten ways of splitting, 1 to 10."""

    _folder = "dtd"
    _URL, _MD5 = "https://www.robots.ox.ac.uk/~vgg/data/dtd/download/dtd-r1.0.1.tar.gz", "fff73e5086ae6bdbea199a49dfb8a4c1"

    def __init__(self, root, split="train", partition=1, transform=None, target_transform=None, download=False, loader=default_loader):
        self._split = verify_str_arg(split, "split", ("train", "val", "test"))
        if not isinstance(partition, int) or not 1 <= partition <= 10:
            raise ValueError(f"Parameter 'partition' should be an integer with `1 <= partition <= 10`, but got {partition} instead")
        self._partition = partition
        super().__init__(root, transform, target_transform, download, loader)
        with open(os.path.join(self._base_folder, "dtd", "labels", f"{split}{partition}.txt")) as file:
            names = [line.strip().split("/") for line in file]
        self._number_classes(kind for kind, _ in names)
        self._labels = [self.class_to_idx[kind] for kind, _ in names]
        self._image_files = [os.path.join(self._base_folder, "dtd", "images", kind, name) for kind, name in names]

    def _check_exists(self):
        return os.path.isdir(os.path.join(self._base_folder, "dtd"))

    def _download(self):
        download_and_extract_archive(self._URL, self._base_folder, md5=self._MD5)

    def extra_repr(self):
        return f"split={self._split}, partition={self._partition}"


class GTSRB(Listed):
    """43 German traffic signs (Stallkamp et al. 2012).  split: "train" or "test"."""

    _folder = "gtsrb"
    _URL = "https://sid.erda.dk/public/archives/daaeac0d7ce1152aea9b61d9f1e19370/"
    _FILES = {"train": {"GTSRB-Training_fixed.zip": "513f3c79a4c5141765e10e952eaa2478"},
              "test": {"GTSRB_Final_Test_Images.zip": "c7e4e6327067d32654124b0fe9e82185",
                       "GTSRB_Final_Test_GT.zip": "fe31e9c9270bbcd7b84b7f21a9d9d9e5"}}

    def __init__(self, root, split="train", transform=None, target_transform=None, download=False):
        self._split = verify_str_arg(split, "split", ("train", "test"))
        super().__init__(root, transform, target_transform, download)
        if split == "train":
            samples = make_dataset(self._pictures(), extensions=(".ppm",))
        else:
            with open(os.path.join(self._base_folder, "GT-final_test.csv")) as file:
                samples = [(os.path.join(self._pictures(), row["Filename"]), int(row["ClassId"]))
                           for row in csv.DictReader(file, delimiter=";", skipinitialspace=True)]
        self._samples = samples
        self._image_files, self._labels = [path for path, _ in samples], [label for _, label in samples]

    def _pictures(self):
        return os.path.join(self._base_folder, "GTSRB", *(("Training",) if self._split == "train" else ("Final_Test", "Images")))

    def _check_exists(self):
        return os.path.isdir(self._pictures())

    def _download(self):
        for name, md5 in self._FILES[self._split].items():
            download_and_extract_archive(self._URL + name, self._base_folder, md5=md5)


class OxfordIIITPet(VisionDataset):
    """37 breeds of cats and dogs (Parkhi et al. 2012).

    split: "trainval" or "test";  target_types: "category" (the breed), "binary-category" (cat or dog), "segmentation" (a Pillow image of 1 for the
    animal, 2 for the background, 3 for the border), or several, which make the target a tuple.
    """

    _FILES = {"images.tar.gz": "5c4f3ee8e5d25df40f4fd59a7f44e54c", "annotations.tar.gz": "95a8c909bbe2e81eed6a22bccdf3f68f"}
    _URL = "https://www.robots.ox.ac.uk/~vgg/data/pets/data/"

    def __init__(self, root, split="trainval", target_types="category", transforms=None, transform=None, target_transform=None, download=False):
        self._split = verify_str_arg(split, "split", ("trainval", "test"))
        kinds = [target_types] if isinstance(target_types, str) else target_types
        self._target_types = [verify_str_arg(kind, "target_types", ("category", "binary-category", "segmentation")) for kind in kinds]
        super().__init__(root, transforms, transform, target_transform)
        base = os.path.join(self.root, "oxford-iiit-pet")
        if download and not self._check_exists(base):
            for name, md5 in self._FILES.items():
                download_and_extract_archive(self._URL + name, base, md5=md5)
        if not self._check_exists(base):
            raise missing(base)
        with open(os.path.join(base, "annotations", f"{split}.txt")) as file:
            rows = [line.split()[:3] for line in file]
        self._labels, self._bin_labels = ([int(row[i]) - 1 for row in rows] for i in (1, 2))
        self._images = [os.path.join(base, "images", f"{row[0]}.jpg") for row in rows]
        self._segs = [os.path.join(base, "annotations", "trimaps", f"{row[0]}.png") for row in rows]
        breeds = dict(sorted({(label, row[0].rsplit("_", 1)[0]) for label, row in zip(self._labels, rows)}))
        self.classes, self.bin_classes = [" ".join(part.title() for part in name.split("_")) for name in breeds.values()], ["Cat", "Dog"]
        self.class_to_idx, self.bin_class_to_idx = ({name: i for i, name in enumerate(names)} for names in (self.classes, self.bin_classes))

    @staticmethod
    def _check_exists(base):
        return all(os.path.isdir(os.path.join(base, part)) for part in ("images", "annotations"))

    def __len__(self):
        return len(self._images)

    def __getitem__(self, index):
        image = default_loader(self._images[index])
        ways = {"category": lambda: self._labels[index], "binary-category": lambda: self._bin_labels[index],
                "segmentation": lambda: opened(self._segs[index])}
        target = tuple(ways[kind]() for kind in self._target_types)
        target = target if len(target) > 1 else target[0] if target else None
        return self.transforms(image, target) if self.transforms is not None else (image, target)


class EuroSAT(ImageFolder):
    """Ten kinds of land use seen by Sentinel-2 (Helber et al. 2019), in folders."""

    _URL = "https://huggingface.co/datasets/torchgeo/eurosat/resolve/c877bcd43f099cd0196738f714544e355477f3fd/EuroSAT.zip"

    def __init__(self, root, transform=None, target_transform=None, download=False, loader=default_loader):
        base = os.path.join(os.path.expanduser(root), "eurosat")
        pictures = os.path.join(base, "2750")
        if download and not os.path.isdir(pictures):
            download_and_extract_archive(self._URL, base, md5="c8fa014336c82ac7804f0398fcb19387")
        if not os.path.isdir(pictures):
            raise missing(pictures)
        super().__init__(pictures, transform, target_transform, loader)
        self.root = os.path.expanduser(root)
