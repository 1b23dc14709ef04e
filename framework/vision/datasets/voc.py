"""Pascal VOC: pictures with boxes (Annotations/*.xml) or masks (SegmentationClass/*.png)."""
import os
import xml.etree.ElementTree as ElementTree

from PIL import Image

from .utils import download_and_extract_archive, verify_str_arg
from .vision import VisionDataset

__all__ = ["VOCDetection", "VOCSegmentation"]

_HOST = "https://thor.robots.ox.ac.uk/pascal/VOC/"
DATASET_YEAR_DICT = {
    year: {"url": f"{_HOST}{folder}/{name}", "filename": name if year != "2008" else "VOCtrainval_11-May-2012.tar", "md5": md5,
           "base_dir": os.path.join(*(["TrainVal"] if year == "2011" else []), "VOCdevkit", f"VOC{year[:4]}")}
    for year, folder, name, md5 in (
        ("2012", "voc2012", "VOCtrainval_11-May-2012.tar", "6cd6e144f989b92b3379bac3b3de84fd"),
        ("2011", "voc2011", "VOCtrainval_25-May-2011.tar", "6c3384ef61512963050cb5d687e5bf1e"),
        ("2010", "voc2010", "VOCtrainval_03-May-2010.tar", "da459979d0c395079b5c75ee67908abb"),
        ("2009", "voc2009", "VOCtrainval_11-May-2009.tar", "a3e00b113cfcfebf17e343f59da3caa1"),
        ("2008", "voc2008", "VOCtrainval_14-Jul-2008.tar", "2629fa636546599198acfcfbfcf1904a"),
        ("2007", "voc2007", "VOCtrainval_06-Nov-2007.tar", "c52e279531787c972589f7e41ab4ae64"),
        ("2007-test", "voc2007", "VOCtest_06-Nov-2007.tar", "b6e924de25625d8de591ea690078ad9f"))
}


class _VOC(VisionDataset):
    """root: the folder that holds `VOCdevkit/VOC<year>`;  year: "2007" to "2012";  image_set: "train", "val", "trainval", and for 2007 "test"."""

    _splits, _targets, _ending = "", "", ""

    def __init__(self, root, year="2012", image_set="train", download=False, transform=None, target_transform=None, transforms=None):
        super().__init__(root, transforms, transform, target_transform)
        self.year = verify_str_arg(year, "year", [str(y) for y in range(2007, 2013)])
        self.image_set = verify_str_arg(image_set, "image_set", ["train", "trainval", "val", *(["test"] if year == "2007" else [])])
        source = DATASET_YEAR_DICT["2007-test" if image_set == "test" else year]
        self.url, self.filename, self.md5 = source["url"], source["filename"], source["md5"]
        if download:
            download_and_extract_archive(self.url, self.root, filename=self.filename, md5=self.md5)
        base = os.path.join(self.root, source["base_dir"])
        if not os.path.isdir(base):
            raise RuntimeError(f"Dataset not found or corrupted. You can use download=True to download it (looked for {base})")
        with open(os.path.join(base, "ImageSets", self._splits, f"{image_set}.txt")) as file:
            names = [line.strip() for line in file]
        self.images = [os.path.join(base, "JPEGImages", f"{name}.jpg") for name in names]
        self.targets = [os.path.join(base, self._targets, name + self._ending) for name in names]

    def __len__(self):
        return len(self.images)

    def __getitem__(self, index):
        with Image.open(self.images[index]) as file:
            image = file.convert("RGB")
        target = self._read_target(self.targets[index])
        return self.transforms(image, target) if self.transforms is not None else (image, target)


class VOCSegmentation(_VOC):
    """Samples are (Pillow image, Pillow image of class numbers).  Arguments as above."""

    _splits, _targets, _ending = "Segmentation", "SegmentationClass", ".png"

    @property
    def masks(self):
        """Paths of the masks."""
        return self.targets

    def _read_target(self, path):
        return Image.open(path)


class VOCDetection(_VOC):
    """Samples are (Pillow image, the annotation as nested dicts; `["annotation"]["object"]` is a list).  Arguments as above."""

    _splits, _targets, _ending = "Main", "Annotations", ".xml"

    @property
    def annotations(self):
        """Paths of the annotations."""
        return self.targets

    def _read_target(self, path):
        return self.parse_voc_xml(ElementTree.parse(path).getroot())

    @staticmethod
    def parse_voc_xml(node):
        """An XML element as {tag: text, or a dict of its children}; children of one tag that repeat become a list, objects always do."""
        children = list(node)
        if not children:
            return {node.tag: node.text.strip()} if node.text else {}
        groups = {}
        for child in children:
            for key, value in VOCDetection.parse_voc_xml(child).items():
                groups.setdefault(key, []).append(value)
        inner = {key: values[0] if len(values) == 1 else values for key, values in groups.items()}
        if node.tag == "annotation":
            inner["object"] = groups.get("object", [])
        return {node.tag: inner}
