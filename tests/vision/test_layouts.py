"""Data sets that have layouts of their own: small ones are written in them, and read by ours and by torchvision's."""
import bz2
import csv
import io
import json
import os
import tarfile

import numpy as np
import pytest
from PIL import Image

from ringgrad.vision import datasets

try:
    import scipy.io as scipy_io
except ImportError:
    scipy_io = None

RNG = np.random.default_rng(0)


def picture(kind="PNG", size=(9, 7), mode="RGB"):
    file = io.BytesIO()
    Image.fromarray(RNG.integers(0, 256, (*size[::-1], *((3,) if mode == "RGB" else ())), np.uint8)).save(file, kind)
    return file.getvalue()


def mat(**variables):
    if scipy_io is None:
        pytest.skip("SciPy, an optional library, is not installed")
    file = io.BytesIO()
    scipy_io.savemat(file, variables)
    return file.getvalue()


def flowers():
    return {"flowers-102/imagelabels.mat": mat(labels=np.array([[3, 1, 2, 1]])),
            "flowers-102/setid.mat": mat(trnid=np.array([[1, 3]]), valid=np.array([[2, 4]]), tstid=np.array([[4, 2, 1]])),
            **{f"flowers-102/jpg/image_{i:05d}.jpg": picture("JPEG") for i in range(1, 5)}}


def food():
    names = {"soup": ["soup/1", "soup/2"], "bread": ["bread/3"]}
    return {"food-101/meta/train.json": json.dumps(names).encode(),
            **{f"food-101/images/{name}.jpg": picture("JPEG") for pictures in names.values() for name in pictures}}


def pets():
    rows = [("Great_Pyrenees_1", 2, 2), ("Abyssinian_7", 1, 1), ("Great_Pyrenees_3", 2, 2)]
    return {"oxford-iiit-pet/annotations/trainval.txt": "\n".join(f"{n} {a} {b} 1" for n, a, b in rows).encode(),
            **{f"oxford-iiit-pet/images/{n}.jpg": picture("JPEG") for n, *_ in rows},
            **{f"oxford-iiit-pet/annotations/trimaps/{n}.png": picture(mode="L") for n, *_ in rows}}


def signs():
    table = io.StringIO()
    csv.writer(table, delimiter=";").writerows([["Filename", "Width", "ClassId"], ["00001.ppm", 9, 3], ["00000.ppm", 9, 1]])
    return {"gtsrb/GT-final_test.csv": table.getvalue().encode(), **{f"gtsrb/GTSRB/Final_Test/Images/0000{i}.ppm": picture("PPM") for i in (0, 1)},
            **{f"gtsrb/GTSRB/Training/0000{k}/{i}.ppm": picture("PPM") for k in (0, 1) for i in (0, 1)}}


def stl():
    pictures = lambda n: RNG.integers(0, 256, n * 3 * 96 * 96, np.uint8).tobytes()
    files = {"train_X.bin": pictures(12), "train_y.bin": bytes(i % 10 + 1 for i in range(12)), "unlabeled_X.bin": pictures(3),
             "test_X.bin": pictures(4), "test_y.bin": bytes([3, 1, 10, 2]), "class_names.txt": b"a\nb\n",
             "fold_indices.txt": b"\n".join(b"%d %d" % (i, i + 1) for i in range(10))}
    return {f"stl10_binary/{name}": data for name, data in files.items()}


def celebrities():
    names = [f"{i:06d}.jpg" for i in range(1, 8)]
    rows = lambda make, head="": (head + "\n".join(f"{n} {make(i)}" for i, n in enumerate(names)) + "\n").encode()
    return {"celeba/list_eval_partition.txt": rows(lambda i: i % 3), "celeba/identity_CelebA.txt": rows(lambda i: 70 + i),
            "celeba/list_attr_celeba.txt": rows(lambda i: f"{1 - 2 * (i % 2)}  -1", "4\nBald Young \n"),
            "celeba/list_bbox_celeba.txt": rows(lambda i: f"{i} 2 30 40", "4\nimage_id x y width height\n"),
            "celeba/list_landmarks_align_celeba.txt": rows(lambda i: " ".join(map(str, range(i, i + 10))), f"4\n{' '.join('abcdefghij')}\n"),
            **{f"celeba/img_align_celeba/{n}": picture("JPEG") for n in names}}


def caltech():
    kinds = {"101_ObjectCategories/BACKGROUND_Google": 1, "101_ObjectCategories/Faces": 2, "101_ObjectCategories/ant": 1}
    return {**{f"caltech101/{kind}/image_{i:04d}.jpg": picture("JPEG") for kind, n in kinds.items() for i in range(1, n + 1)},
            **{f"caltech101/Annotations/{kind}/annotation_{i:04d}.mat": mat(obj_contour=RNG.random((2, 5))) for kind, i in (
                ("Faces_2", 1), ("Faces_2", 2), ("ant", 1))},
            **{f"caltech256/256_ObjectCategories/{kind}/{number}_{i:04d}.jpg": picture("JPEG") for kind, number in (
                ("001.ak47", "001"), ("002.flag", "002")) for i in (1, 2)}}


def streets():
    files = {}
    for city, frame in (("ulm", "ulm_000000_000019"), ("bonn", "bonn_000003_000019")):
        files[f"leftImg8bit/train/{city}/{frame}_leftImg8bit.png"] = picture()
        files[f"gtFine/train/{city}/{frame}_gtFine_polygons.json"] = json.dumps({"objects": [city]}).encode()
        for kind in ("instanceIds", "labelIds", "color"):
            files[f"gtFine/train/{city}/{frame}_gtFine_{kind}.png"] = picture(mode="RGB" if kind == "color" else "L")
    return files


def usps():
    line = lambda digit: f"{digit} " + " ".join(f"{i + 1}:{v:.4f}" for i, v in enumerate(RNG.uniform(-1, 1, 256)))
    return {"usps.bz2": bz2.compress("\n".join(map(line, (1, 10, 4))).encode()), "usps.t.bz2": bz2.compress((line(7) + "\n").encode())}


def characters():
    return {"omniglot-py/images_background.zip": b"", "omniglot-py/images_evaluation.zip": b"", **{
        f"omniglot-py/images_{part}/{alphabet}/character0{c}/{i}.png": picture(mode="L")
        for part in ("background", "evaluation") for alphabet in "AB" for c in (1, 2) for i in (0, 1)}}


def numbers():
    return {f"{part}_32x32.mat": mat(X=RNG.integers(0, 256, (32, 32, 3, 4), np.uint8), y=np.array([[1], [10], [7], [10]], np.uint8))
            for part in ("train", "test")}


def textures():
    return {"dtd/dtd/labels/val2.txt": b"dotted/d1.jpg\nbanded/b1.jpg\n", **{f"dtd/dtd/images/{n}.jpg": picture("JPEG") for n in (
        "dotted/d1", "banded/b1")}}


def fields():
    return {f"eurosat/2750/{kind}/{i}.jpg": picture("JPEG") for kind in ("Forest", "River") for i in (1, 2)}


def after(label):
    return label + 1


SETS = {
    "flowers": (flowers, lambda d, at: d.Flowers102(at)),
    "flowers to test": (flowers, lambda d, at: d.Flowers102(at, "test", target_transform=after)),
    "food": (food, lambda d, at: d.Food101(at)), "textures": (textures, lambda d, at: d.DTD(at, "val", 2)),
    "fields": (fields, lambda d, at: d.EuroSAT(at)),
    "signs": (signs, lambda d, at: d.GTSRB(at)), "signs to test": (signs, lambda d, at: d.GTSRB(at, "test")),
    "pets": (pets, lambda d, at: d.OxfordIIITPet(at)),
    "pets, all targets": (pets, lambda d, at: d.OxfordIIITPet(at, target_types=["category", "binary-category", "segmentation"])),
    "stl": (stl, lambda d, at: d.STL10(at)), "stl, a fold": (stl, lambda d, at: d.STL10(at, folds=4)),
    "stl, test": (stl, lambda d, at: d.STL10(at, "test")),
    "stl, all": (stl, lambda d, at: d.STL10(at, "train+unlabeled", folds=0)), "stl, unlabeled": (stl, lambda d, at: d.STL10(at, "unlabeled")),
    "faces": (celebrities, lambda d, at: d.CelebA(at)),
    "faces, all": (celebrities, lambda d, at: d.CelebA(at, "all", ["identity", "bbox", "landmarks"])),
    "faces without targets": (celebrities, lambda d, at: d.CelebA(at, "test", [])),
    "caltech 101": (caltech, lambda d, at: d.Caltech101(at, ["category", "annotation"])), "caltech 256": (caltech, lambda d, at: d.Caltech256(at)),
    "streets": (streets, lambda d, at: d.Cityscapes(at, target_type=["polygon", "semantic"])),
    "streets, one": (streets, lambda d, at: d.Cityscapes(at)),
    "usps": (usps, lambda d, at: d.USPS(at)), "usps, test": (usps, lambda d, at: d.USPS(at, False)),
    "characters": (characters, lambda d, at: d.Omniglot(at)), "characters to judge": (characters, lambda d, at: d.Omniglot(at, background=False)),
    "numbers": (numbers, lambda d, at: d.SVHN(at)),
}


@pytest.fixture
def whole(theirs, monkeypatch):
    """Files count as whole when they are there."""
    there = lambda path, md5=None: os.path.isfile(path)
    for module in ("svhn", "stl10", "flowers102", "celeba", "omniglot"):
        monkeypatch.setattr(getattr(theirs.datasets, module), "check_integrity", there)
    for module in ("small_pictures", "recognition", "celeba", "caltech"):
        monkeypatch.setattr(getattr(datasets, module), "check_integrity", there)
    return theirs.datasets


def put(folder, files):
    for name, data in files.items():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_bytes(data)


def plain(thing):
    """Nested lists of what arrays, tensors and images hold."""
    if isinstance(thing, (tuple, list)):
        return [plain(t) for t in thing]
    if isinstance(thing, Image.Image):
        return [thing.mode, np.asarray(thing).tolist()]
    return thing.tolist() if hasattr(thing, "tolist") else thing


@pytest.mark.torch
@pytest.mark.parametrize("name", SETS)
def test_read_as_torchvision_reads(name, whole, tmp_path):
    files, make = SETS[name]
    put(tmp_path, files())
    ours, other = make(datasets, str(tmp_path)), make(whole, str(tmp_path))
    assert len(ours) == len(other) > 0 and repr(ours) == repr(other)
    for i in range(len(other)):
        assert plain(ours[i]) == plain(other[i])
    for key in ("classes", "class_to_idx", "categories", "attr_names", "bin_classes", "targets"):
        assert plain(getattr(ours, key, None)) == plain(getattr(other, key, None)), key


@pytest.mark.torch
def test_the_classes_of_cityscapes(theirs):
    assert [tuple(c) for c in datasets.Cityscapes.classes] == [tuple(c) for c in theirs.datasets.Cityscapes.classes]
    assert datasets.Cityscapes.classes[7]._fields == theirs.datasets.Cityscapes.classes[7]._fields


@pytest.mark.torch
def test_names(theirs):
    left_out = {  # name: why
        **dict.fromkeys(("CREStereo", "CarlaStereo", "ETH3DStereo", "FallingThingsStereo", "FlyingChairs", "FlyingThings3D", "HD1K", "InStereo2k",
                         "Kitti", "Kitti2012Stereo", "Kitti2015Stereo", "KittiFlow", "Middlebury2014Stereo", "SceneFlowStereo", "Sintel",
                         "SintelStereo"), "pairs of pictures for models of flow and depth, which are not here"),
        **dict.fromkeys(("HMDB51", "Kinetics", "MovingMNIST", "UCF101"), "videos, for which nothing here decodes"),
        **dict.fromkeys(("LSUN", "LSUNClass"), "need lmdb"),
        **dict.fromkeys(("CLEVRClassification", "Country211", "FER2013", "FGVCAircraft", "Flickr30k", "Flickr8k", "INaturalist", "Imagenette",
                         "LFWPairs", "LFWPeople", "PCAM", "PhotoTour", "Places365", "RenderedSST2", "SBDataset", "SBU", "SEMEION", "SUN397",
                         "StanfordCars", "WIDERFace"), "few programs read them"),
        "wrap_dataset_for_transforms_v2": "few programs call it"}
    assert set(theirs.datasets.__all__) - set(datasets.__all__) == set(left_out)


# -- COCO and ImageNet -------------------------------------------------------------------------------------------------

COCO = {"images": [{"id": 7, "file_name": "b.png"}, {"id": 2, "file_name": "a.png"}],
        "categories": [{"id": 1, "name": "cat", "supercategory": "animal"}, {"id": 5, "name": "dog", "supercategory": "animal"}],
        "annotations": [{"id": 30, "image_id": 7, "category_id": 5, "bbox": [1, 2, 3, 4], "area": 12, "iscrowd": 0, "caption": "a dog"},
                        {"id": 31, "image_id": 2, "category_id": 1, "bbox": [0, 0, 2, 2], "area": 4, "iscrowd": 0, "caption": "a cat"},
                        {"id": 32, "image_id": 7, "category_id": 1, "bbox": [0, 1, 5, 5], "area": 25, "iscrowd": 1, "caption": "many cats"}]}


def test_coco_without_pycocotools(tmp_path):
    put(tmp_path, {"a.png": picture(), "b.png": picture(), "ann.json": json.dumps(COCO).encode()})
    found = datasets.CocoDetection(tmp_path, tmp_path / "ann.json", transforms=lambda image, target: (image.size, [a["id"] for a in target]))
    assert len(found) == 2 and found.ids == [2, 7] and [found[0], found[1]] == [((9, 7), [31]), ((9, 7), [30, 32])]
    assert datasets.CocoCaptions(tmp_path, tmp_path / "ann.json")[1][1] == ["a dog", "many cats"]
    with pytest.raises(ValueError, match="Index must be of type integer"):
        found["a"]
    coco = datasets.coco.Annotations(tmp_path / "ann.json")
    assert coco.getAnnIds(catIds=[1]) == [31, 32] and coco.getAnnIds(7, iscrowd=0) == [30] and coco.getAnnIds(areaRng=[3, 13]) == [30, 31]
    assert coco.getCatIds(["dog"]) == [5] and coco.getCatIds(supNms="animal") == [1, 5] and coco.getCatIds(catIds=5) == [5]
    assert coco.getImgIds(catIds=[1, 5]) == [7] and sorted(coco.getImgIds()) == [2, 7] and coco.getImgIds([2], [5]) == []
    assert coco.loadCats(5)[0]["name"] == "dog" and coco.loadImgs([2])[0]["file_name"] == "a.png" and coco.loadAnns(32)[0]["area"] == 25


def test_imagenet_from_its_archives(tmp_path, monkeypatch):
    def archive(name, files):
        with tarfile.open(tmp_path / name, "w:gz" if name.endswith("gz") else "w") as tar:
            for inner, data in files.items():
                entry = tarfile.TarInfo(inner)
                entry.size = len(data)
                tar.addfile(entry, io.BytesIO(data))
        return (tmp_path / name).read_bytes()
    kind = np.dtype([(n, object) for n in ("ILSVRC2012_ID", "WNID", "words", "gloss", "num_children")])
    rows = np.array([(1, "n1", "cat, house cat", "", 0), (2, "n0", "animal", "", 2), (3, "n2", "dog", "", 0)], kind)
    data = "ILSVRC2012_devkit_t12/data/"
    archive("ILSVRC2012_devkit_t12.tar.gz", {f"{data}meta.mat": mat(synsets=rows), f"{data}ILSVRC2012_validation_ground_truth.txt": b"3\n1\n3\n"})
    archive("ILSVRC2012_img_val.tar", {f"v{i}.JPEG": picture("JPEG") for i in range(3)})
    archive("ILSVRC2012_img_train.tar", {f"{n}.tar": archive("inner.tar", {f"{n}_1.JPEG": picture("JPEG")}) for n in ("n1", "n2")})
    monkeypatch.setattr(datasets.imagenet, "check_integrity", lambda path, md5=None: os.path.isfile(path))
    val = datasets.ImageNet(tmp_path, "val")
    assert val.targets == [0, 1, 1] and val.classes == [("cat", "house cat"), ("dog",)] and val.class_to_idx == {"cat": 0, "house cat": 0, "dog": 1}
    train = datasets.ImageNet(tmp_path)
    assert train.wnids == ["n1", "n2"] and [os.path.basename(path) for path, _ in train.imgs] == ["n1_1.JPEG", "n2_1.JPEG"]
    assert train[1][0].size == (9, 7) and repr(train).splitlines()[3].strip() == "Split: train"
    with pytest.raises(RuntimeError, match="archive ILSVRC2012_devkit_t12.tar.gz is not present"):
        datasets.ImageNet(tmp_path / "train", "val")


BAD = [
    (lambda at: datasets.Flowers102(at), RuntimeError, "flowers-102"), (lambda at: datasets.SVHN(at, "all"), ValueError, "Unknown value 'all'"),
    (lambda at: datasets.STL10(at, folds=10), ValueError, r"range \[0, 10\), or None, but got 10"),
    (lambda at: datasets.DTD(at, partition=11), ValueError, "1 <= partition <= 10"),
    (lambda at: datasets.CelebA(at, download=True), RuntimeError, "fetched by a person"),
    (lambda at: datasets.CelebA(at, target_type="age"), ValueError, "Unknown value 'age'"),
    (lambda at: datasets.CelebA(at, target_type=[], target_transform=str), RuntimeError, "target_type is empty"),
    (lambda at: datasets.Cityscapes(at, "train_extra"), ValueError, "'train_extra' for argument split if mode is 'fine'"),
    (lambda at: datasets.Cityscapes(at), RuntimeError, "Dataset not found or incomplete"),
    (lambda at: datasets.EuroSAT(at), RuntimeError, "2750"), (lambda at: datasets.Omniglot(at), RuntimeError, "images_background.zip"),
    (lambda at: datasets.Caltech101(at), RuntimeError, "101_ObjectCategories"),
    (lambda at: datasets.OxfordIIITPet(at), RuntimeError, "oxford-iiit-pet"),
]


@pytest.mark.parametrize(("act", "error", "words"), BAD, ids=[f"{i} {row[2][:18]}" for i, row in enumerate(BAD)])
def test_wrong_use(act, error, words, tmp_path):
    with pytest.raises(error, match=words):
        act(str(tmp_path))
