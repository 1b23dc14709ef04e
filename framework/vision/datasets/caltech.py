"""Caltech-101 (Fei-Fei et al. 2004), Caltech-256 (Griffin et al. 2007), and Omniglot (Lake et al. 2015): pictures in folders of their classes."""
import os
import shutil

from PIL import Image

from ._listed import mat_file, missing, opened
from .utils import check_integrity, download_and_extract_archive, extract_archive, list_dir, list_files, verify_str_arg
from .vision import VisionDataset

__all__ = ["Caltech101", "Caltech256", "Omniglot"]

_OTHER_NAMES = {"Faces": "Faces_2", "Faces_easy": "Faces_3", "Motorbikes": "Motorbikes_16", "airplanes": "Airplanes_Side_2"}


class _Caltech(VisionDataset):
    """root: the folder that holds the data set's own.  `y` and `index` are each picture's class and number, from 1, `categories` the names."""

    _own, _pictures = "", ""

    def __init__(self, root, transform, target_transform, download):
        super().__init__(os.path.join(root, self._own), transform=transform, target_transform=target_transform)
        if download and not self._check_integrity():
            self.download()
        if not self._check_integrity():
            raise missing(os.path.join(self.root, self._pictures))
        self.categories = sorted(set(os.listdir(os.path.join(self.root, self._pictures))) - {"BACKGROUND_Google"})
        self.index, self.y = [], []
        for i, name in enumerate(self.categories):
            count = sum(file.endswith(".jpg") for file in os.listdir(os.path.join(self.root, self._pictures, name)))
            self.index += range(1, count + 1)
            self.y += [i] * count

    def _check_integrity(self):
        return os.path.isdir(os.path.join(self.root, self._pictures))

    def __len__(self):
        return len(self.index)


class Caltech101(_Caltech):
    """target_type: "category" (a number), "annotation" (the outline, read by SciPy), or a list of both, which makes the target a tuple."""

    _own, _pictures = "caltech101", "101_ObjectCategories"

    def __init__(self, root, target_type="category", transform=None, target_transform=None, download=False):
        kinds = [target_type] if isinstance(target_type, str) else target_type
        self.target_type = [verify_str_arg(kind, "target_type", ("category", "annotation")) for kind in kinds]
        super().__init__(root, transform, target_transform, download)
        self.annotation_categories = [_OTHER_NAMES.get(name, name) for name in self.categories]

    def __getitem__(self, index):
        kind, number = self.y[index], self.index[index]
        image = opened(os.path.join(self.root, self._pictures, self.categories[kind], f"image_{number:04d}.jpg"))
        outline = os.path.join(self.root, "Annotations", self.annotation_categories[kind], f"annotation_{number:04d}.mat")
        target = tuple(kind if way == "category" else mat_file(outline)["obj_contour"] for way in self.target_type)
        return self._transformed(image, target if len(target) > 1 else target[0])

    def download(self):
        """Fetch and unpack the archive."""
        download_and_extract_archive("https://data.caltech.edu/records/mzrjq-6wc02/files/caltech-101.zip", self.root, filename="caltech-101.zip",
                                     md5="3138e1922a9193bfa496528edbbc45d0", remove_finished=True)
        inner = os.path.join(self.root, "caltech-101")
        for path in list_files(inner, (".gz", ".tar"), prefix=True):
            extract_archive(path, self.root)
        shutil.rmtree(inner)

    def extra_repr(self):
        return f"Target type: {self.target_type}"


class Caltech256(_Caltech):
    """256 things and clutter.  Samples are (Pillow image, class number)."""

    _own, _pictures = "caltech256", "256_ObjectCategories"

    def __init__(self, root, transform=None, target_transform=None, download=False):
        super().__init__(root, transform, target_transform, download)

    def __getitem__(self, index):
        kind = self.y[index]
        path = os.path.join(self.root, self._pictures, self.categories[kind], f"{kind + 1:03d}_{self.index[index]:04d}.jpg")
        return self._transformed(opened(path), kind)

    def download(self):
        """Fetch and unpack the archive."""
        download_and_extract_archive("https://data.caltech.edu/records/nyy15-4j048/files/256_ObjectCategories.tar", self.root,
                                     filename="256_ObjectCategories.tar", md5="67b4f42ca05d46448c6bb8ecd2220f6d")


class Omniglot(VisionDataset):
    """Characters of fifty alphabets, each by twenty people.  Samples are (Pillow image in grey, number of the character).

    background: the thirty alphabets to learn from, else the twenty to be judged by;  loader: reads a path.
    """

    folder = "omniglot-py"
    download_url_prefix = "https://raw.githubusercontent.com/brendenlake/omniglot/master/python"
    zips_md5 = {"images_background": "68d2efa1b9178cc56df9314c21c6e718", "images_evaluation": "6b91aef0f799c5bb55b94e3f2daec811"}

    def __init__(self, root, background=True, transform=None, target_transform=None, download=False, loader=None):
        super().__init__(os.path.join(root, self.folder), transform=transform, target_transform=target_transform)
        self.background, self.loader = background, loader
        if download:
            self.download()
        if not self._check_integrity():
            raise missing(os.path.join(self.root, f"{self._get_target_folder()}.zip"))
        self.target_folder = os.path.join(self.root, self._get_target_folder())
        self._alphabets = list_dir(self.target_folder)
        self._characters = [os.path.join(a, c) for a in self._alphabets for c in list_dir(os.path.join(self.target_folder, a))]
        self._flat_character_images = [(name, i) for i, character in enumerate(self._characters)
                                       for name in list_files(os.path.join(self.target_folder, character), ".png")]

    def __len__(self):
        return len(self._flat_character_images)

    def __getitem__(self, index):
        name, character = self._flat_character_images[index]
        path = os.path.join(self.target_folder, self._characters[character], name)
        return self._transformed(Image.open(path).convert("L") if self.loader is None else self.loader(path), character)

    def _check_integrity(self):
        name = self._get_target_folder()
        return check_integrity(os.path.join(self.root, f"{name}.zip"), self.zips_md5[name])

    def download(self):
        """Fetch and unpack the archive, unless it is there and whole."""
        name = self._get_target_folder()
        if not self._check_integrity():
            download_and_extract_archive(f"{self.download_url_prefix}/{name}.zip", self.root, filename=f"{name}.zip", md5=self.zips_md5[name])

    def _get_target_folder(self):
        return "images_background" if self.background else "images_evaluation"
