"""Cityscapes: streets of fifty cities (Cordts et al. 2016, arXiv:1604.01685)."""
import json
import os
from collections import namedtuple

from PIL import Image

from ._listed import opened
from .utils import extract_archive, verify_str_arg
from .vision import VisionDataset

__all__ = ["Cityscapes"]

_Class = namedtuple("CityscapesClass", "name id train_id category category_id has_instances ignore_in_eval color")
# name, id, train_id (255: not learnt), category, its number, whether single things are told apart, whether it is not judged, colour
_ROWS = """
unlabeled,0,255,void,0,0,1,0,0,0;ego vehicle,1,255,void,0,0,1,0,0,0;rectification border,2,255,void,0,0,1,0,0,0;out of roi,3,255,void,0,0,1,0,0,0
static,4,255,void,0,0,1,0,0,0;dynamic,5,255,void,0,0,1,111,74,0;ground,6,255,void,0,0,1,81,0,81;road,7,0,flat,1,0,0,128,64,128
sidewalk,8,1,flat,1,0,0,244,35,232;parking,9,255,flat,1,0,1,250,170,160;rail track,10,255,flat,1,0,1,230,150,140
building,11,2,construction,2,0,0,70,70,70;wall,12,3,construction,2,0,0,102,102,156;fence,13,4,construction,2,0,0,190,153,153
guard rail,14,255,construction,2,0,1,180,165,180;bridge,15,255,construction,2,0,1,150,100,100;tunnel,16,255,construction,2,0,1,150,120,90
pole,17,5,object,3,0,0,153,153,153;polegroup,18,255,object,3,0,1,153,153,153;traffic light,19,6,object,3,0,0,250,170,30
traffic sign,20,7,object,3,0,0,220,220,0;vegetation,21,8,nature,4,0,0,107,142,35;terrain,22,9,nature,4,0,0,152,251,152
sky,23,10,sky,5,0,0,70,130,180;person,24,11,human,6,1,0,220,20,60;rider,25,12,human,6,1,0,255,0,0;car,26,13,vehicle,7,1,0,0,0,142
truck,27,14,vehicle,7,1,0,0,0,70;bus,28,15,vehicle,7,1,0,0,60,100;caravan,29,255,vehicle,7,1,1,0,0,90;trailer,30,255,vehicle,7,1,1,0,0,110
train,31,16,vehicle,7,1,0,0,80,100;motorcycle,32,17,vehicle,7,1,0,0,0,230;bicycle,33,18,vehicle,7,1,0,119,11,32
license plate,-1,-1,vehicle,7,0,1,0,0,142
"""


def _class(row):
    name, id, train_id, category, category_id, instances, ignored, *color = row.split(",")
    return _Class(name, int(id), int(train_id), category, int(category_id), instances == "1", ignored == "1", tuple(map(int, color)))


class Cityscapes(VisionDataset):
    """Samples are (Pillow image, target).

    root: the folder that holds `leftImg8bit`, and `gtFine` or `gtCoarse`;  split: "train", "val", and "test" of the fine, "train_extra" of the
    coarse annotations;  mode: "fine" or "coarse";  target_type: "instance", "semantic", "color" (Pillow images), "polygon" (a dict), or a list of
    these, which makes the target a tuple.
    """

    CityscapesClass = _Class
    classes = [_class(row) for row in _ROWS.replace("\n", ";").split(";") if row]

    def __init__(self, root, split="train", mode="fine", target_type="instance", transform=None, target_transform=None, transforms=None):
        super().__init__(root, transforms, transform, target_transform)
        verify_str_arg(mode, "mode", ("fine", "coarse"))
        splits = ("train", "test", "val") if mode == "fine" else ("train", "train_extra", "val")
        verify_str_arg(split, "split", splits, f"Unknown value '{split}' for argument split if mode is '{mode}'. Valid values are {splits}.")
        self.mode, self.split = "gtFine" if mode == "fine" else "gtCoarse", split
        self.target_type = target_type if isinstance(target_type, list) else [target_type]
        for kind in self.target_type:
            verify_str_arg(kind, "target_type", ("instance", "semantic", "polygon", "color"))
        self.images_dir, self.targets_dir = (os.path.join(self.root, part, split) for part in ("leftImg8bit", self.mode))
        if not os.path.isdir(self.images_dir) or not os.path.isdir(self.targets_dir):
            self._unpack()
        self.images, self.targets = [], []
        for city in os.listdir(self.images_dir):
            for name in os.listdir(os.path.join(self.images_dir, city)):
                stem = name.split("_leftImg8bit")[0]
                self.images.append(os.path.join(self.images_dir, city, name))
                self.targets.append([os.path.join(self.targets_dir, city, f"{stem}_{self._get_target_suffix(self.mode, kind)}")
                                     for kind in self.target_type])

    def _unpack(self):
        pictures = "leftImg8bit_trainextra.zip" if self.split == "train_extra" else "leftImg8bit_trainvaltest.zip"
        archives = [os.path.join(self.root, name) for name in (pictures, "gtFine_trainvaltest.zip" if self.mode == "gtFine" else "gtCoarse.zip")]
        if not all(map(os.path.isfile, archives)):
            raise RuntimeError(f"Dataset not found or incomplete. Please make sure all required folders for the specified \"split\" and \"mode\" are "
                               f"inside the \"root\" directory (looked for {self.images_dir} and {self.targets_dir})")
        for archive in archives:
            extract_archive(archive, self.root)

    def __getitem__(self, index):
        image = Image.open(self.images[index]).convert("RGB")
        targets = tuple(self._load_json(path) if kind == "polygon" else opened(path) for kind, path in zip(self.target_type, self.targets[index]))
        target = targets if len(targets) > 1 else targets[0]
        return self.transforms(image, target) if self.transforms is not None else (image, target)

    def __len__(self):
        return len(self.images)

    def extra_repr(self):
        return f"Split: {self.split}\nMode: {self.mode}\nType: {self.target_type}"

    def _load_json(self, path):
        with open(path) as file:
            return json.load(file)

    def _get_target_suffix(self, mode, target_type):
        ending = {"instance": "instanceIds.png", "semantic": "labelIds.png", "color": "color.png", "polygon": "polygons.json"}[target_type]
        return f"{mode}_{ending}"
