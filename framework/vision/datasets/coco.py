"""Common Objects in Context (Lin et al. 2014, arXiv:1405.0312): pictures with boxes, outlines, points or sentences, in one JSON file."""
import json
import os
from collections import defaultdict

from PIL import Image

from .vision import VisionDataset

__all__ = ["CocoCaptions", "CocoDetection"]


class Annotations:
    """The file of annotations, in the words of pycocotools' COCO as far as they look things up: imgs, anns, cats by their numbers."""

    def __init__(self, annotation_file):
        with open(annotation_file, encoding="utf-8") as file:
            self.dataset = json.load(file)
        self.imgs, self.anns, self.cats = ({entry["id"]: entry for entry in self.dataset.get(kind, ())}
                                           for kind in ("images", "annotations", "categories"))
        self.imgToAnns, self.catToImgs = defaultdict(list), defaultdict(list)
        for ann in self.anns.values():
            self.imgToAnns[ann["image_id"]].append(ann)
            if "category_id" in ann:
                self.catToImgs[ann["category_id"]].append(ann["image_id"])

    def getAnnIds(self, imgIds=(), catIds=(), areaRng=(), iscrowd=None):  # noqa: N802, N803 - pycocotools' names
        """Numbers of the annotations of these images, of these categories, within this range of areas, of groups or not."""
        images, categories = _several(imgIds), set(_several(catIds))
        found = [a for i in images for a in self.imgToAnns[i]] if images else self.dataset.get("annotations", [])
        return [a["id"] for a in found if (not categories or a["category_id"] in categories)
                and (not areaRng or areaRng[0] < a["area"] < areaRng[1]) and (iscrowd is None or a["iscrowd"] == iscrowd)]

    def getCatIds(self, catNms=(), supNms=(), catIds=()):  # noqa: N802, N803
        """Numbers of the categories of these names, of these names above them, among these numbers."""
        wanted = [(key, set(_several(names))) for key, names in (("name", catNms), ("supercategory", supNms), ("id", catIds))]
        return [c["id"] for c in self.cats.values() if all(not names or c[key] in names for key, names in wanted)]

    def getImgIds(self, imgIds=(), catIds=()):  # noqa: N802, N803
        """Numbers of the images, of those among imgIds that show every one of these categories."""
        found = set(_several(imgIds)) or set(self.imgs)
        for category in _several(catIds):
            found &= set(self.catToImgs[category])
        return list(found)

    def loadAnns(self, ids=()):  # noqa: N802
        """The annotations of these numbers."""
        return [self.anns[i] for i in _several(ids)]

    def loadCats(self, ids=()):  # noqa: N802
        """The categories of these numbers."""
        return [self.cats[i] for i in _several(ids)]

    def loadImgs(self, ids=()):  # noqa: N802
        """What is known of the images of these numbers."""
        return [self.imgs[i] for i in _several(ids)]


def _several(ids):
    return list(ids) if hasattr(ids, "__iter__") and not isinstance(ids, str) else [ids]


def _read(path):
    """pycocotools' COCO where it is installed, which also draws masks; what looks things up otherwise."""
    try:
        from pycocotools.coco import COCO
    except ImportError:
        return Annotations(path)
    return COCO(path)


class CocoDetection(VisionDataset):
    """Samples are (Pillow image, a list of annotations as dicts).  root: the folder of the images;  annFile: the JSON file.

    `coco` holds the annotations, `ids` the sorted numbers of the images.
    """

    def __init__(self, root, annFile, transform=None, target_transform=None, transforms=None):  # noqa: N803 - torchvision's name
        super().__init__(root, transforms, transform, target_transform)
        self.coco = _read(annFile)
        self.ids = sorted(self.coco.imgs)

    def _load_image(self, id):
        return Image.open(os.path.join(self.root, self.coco.loadImgs(id)[0]["file_name"])).convert("RGB")

    def _load_target(self, id):
        return self.coco.loadAnns(self.coco.getAnnIds(id))

    def __getitem__(self, index):
        if not isinstance(index, int):
            raise ValueError(f"Index must be of type integer, got {type(index)} instead.")
        image, target = self._load_image(self.ids[index]), self._load_target(self.ids[index])
        return self.transforms(image, target) if self.transforms is not None else (image, target)

    def __len__(self):
        return len(self.ids)


class CocoCaptions(CocoDetection):
    """Samples are (Pillow image, a list of sentences).  Arguments as above."""

    def _load_target(self, id):
        return [annotation["caption"] for annotation in super()._load_target(id)]
