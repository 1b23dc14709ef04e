"""What the data sets share whose images are files in a list."""
import os

from PIL import Image

from .folder import default_loader
from .vision import VisionDataset

__all__ = ["Listed", "mat_file", "missing"]


def missing(*places):
    """The error for files that are not there, or not whole."""
    return RuntimeError(f"Dataset not found or corrupted. You can use download=True to download it (looked for {', '.join(map(str, places))})")


def mat_file(path, **options):
    """The variables in a MATLAB file.  ImportError without SciPy, an optional library."""
    try:
        from scipy.io import loadmat
    except ImportError as error:
        raise ImportError(f"{path} is a MATLAB file; install scipy to read it") from error
    return loadmat(path, **options)


class Listed(VisionDataset):
    """Samples are (image, class number).  A subclass fills `_image_files` and `_labels`.

    root: the folder that holds the data set's own folder, `_folder`;  loader: reads a path, as a Pillow image in RGB unless told otherwise.
    """

    _folder = ""

    def __init__(self, root, transform=None, target_transform=None, download=False, loader=default_loader):
        super().__init__(root, transform=transform, target_transform=target_transform)
        self._base_folder, self.loader = os.path.join(self.root, self._folder), loader
        if download and not self._check_exists():
            self._download()
        if not self._check_exists():
            raise missing(self._base_folder)
        self._image_files, self._labels = [], []

    def _check_exists(self):
        """Whether the files are there."""
        raise NotImplementedError

    def _download(self):
        """Fetch and unpack them."""
        raise NotImplementedError

    def _number_classes(self, names):
        """Sets `classes`, sorted, and `class_to_idx`."""
        self.classes = sorted(set(names))
        self.class_to_idx = {name: i for i, name in enumerate(self.classes)}

    def __len__(self):
        return len(self._image_files)

    def __getitem__(self, index):
        return self._transformed(self.loader(self._image_files[index]), self._labels[index])


def opened(path):
    """The image in a file, as it is."""
    with Image.open(path) as file:
        file.load()
        return file
