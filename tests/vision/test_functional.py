"""Every change without chance, of Pillow images and of tensors, beside torchvision's."""
import numpy as np
import pytest
from PIL import Image

import ringgrad
from ringgrad.vision.transforms import functional as F

RNG = np.random.default_rng(0)
Y, X = np.mgrid[0:24, 0:32]
SMOOTH = np.stack([X * 8, Y * 10, (X + Y) * 4]).astype(np.uint8)
NOISE = RNG.integers(0, 256, (3, 24, 32), np.uint8)
CORNERS = [[0, 0], [31, 0], [31, 23], [0, 23]]
MOVED = [[3, 2], [28, 1], [30, 20], [2, 22]]
DISPLACEMENT = (RNG.random((1, 24, 32, 2)) * 0.2 - 0.1).astype(np.float32)

CALLS = [  # (name, arguments, keywords)
    ("resize", ([12, 20],), {}), ("resize", (30,), {}), ("resize", ([40, 50],), {"interpolation": 0}), ("resize", (10,), {"max_size": 12}),
    ("resize", ([17, 19],), {"interpolation": 3}), ("center_crop", (10,), {}), ("center_crop", ([30, 20],), {}), ("crop", (3, 4, 10, 12), {}),
    ("crop", (-3, 20, 10, 20), {}), ("resized_crop", (2, 3, 15, 20, [10, 10]), {}),
    ("five_crop", (8,), {}), ("ten_crop", ([8, 6],), {"vertical_flip": True}),
    ("hflip", (), {}), ("vflip", (), {}), ("pad", (2,), {}), ("pad", ([1, 2],), {"fill": 9}), ("pad", ([1, 2, 3, 4],), {"padding_mode": "edge"}),
    ("pad", ([3, 4],), {"padding_mode": "reflect"}), ("pad", ([3, 4, 1, 2],), {"padding_mode": "symmetric"}),
    ("pad", ([-2, 3, 1, -4],), {"padding_mode": "symmetric"}),
    ("rotate", (30,), {}), ("rotate", (-77.5,), {"interpolation": 2, "expand": True}), ("rotate", (45,), {"center": [3, 4], "fill": [5, 6, 7]}),
    ("affine", (20, [2, 3], 1.2, [5, 8]), {}), ("affine", (-20, [2, -3], 0.8, 10.0), {"interpolation": 2, "fill": 100}),
    ("affine", (10, [0, 0], 1.0, [0.0]), {"center": [5, 5]}),
    ("perspective", (CORNERS, MOVED), {}), ("perspective", (CORNERS, MOVED), {"interpolation": 0, "fill": 30}),
    ("adjust_brightness", (1.4,), {}), ("adjust_brightness", (0.3,), {}), ("adjust_contrast", (1.7,), {}), ("adjust_contrast", (0.0,), {}),
    ("adjust_saturation", (2.5,), {}), ("adjust_saturation", (0.2,), {}), ("adjust_hue", (0.2,), {}), ("adjust_hue", (-0.45,), {}),
    ("adjust_gamma", (2.2,), {}), ("adjust_gamma", (0.6, 1.3), {}), ("adjust_sharpness", (2.0,), {}), ("adjust_sharpness", (0.0,), {}),
    ("rgb_to_grayscale", (), {}), ("rgb_to_grayscale", (3,), {}), ("invert", (), {}), ("posterize", (3,), {}), ("solarize", (128,), {}),
    ("autocontrast", (), {}), ("equalize", (), {}), ("gaussian_blur", (5,), {}), ("gaussian_blur", ([3, 5], [0.7, 1.9]), {}),
]
# Ways of interpolation differ by rounding: half to even here and there, and a pixel on an edge may fall on either side.
LOOSE = {"resize": 1, "resized_crop": 1, "rotate": 1, "affine": 1, "perspective": 1, "gaussian_blur": 1, "adjust_hue": 2}


def ids(rows):
    return [f"{name} {args} {keys}"[:60] for name, args, keys in rows]


def pixels(x):
    if isinstance(x, tuple):
        return [pixels(part) for part in x]
    return np.asarray(x) if isinstance(x, Image.Image) else x.numpy()


def compare(got, expected, tolerance, share=0.0):
    if isinstance(expected, list):
        assert len(got) == len(expected)
        for a, b in zip(got, expected):
            compare(a, b, tolerance, share)
        return
    assert got.shape == expected.shape and got.dtype == expected.dtype
    off = np.abs(got.astype(float) - expected.astype(float)) > tolerance
    assert off.mean() <= share, f"{off.mean():.3f} of the values are off, by up to {np.abs(got.astype(float) - expected.astype(float)).max()}"


@pytest.mark.torch
@pytest.mark.parametrize("image", [SMOOTH, NOISE], ids=["smooth", "noise"])
@pytest.mark.parametrize(("name", "args", "keys"), CALLS, ids=ids(CALLS))
def test_pillow_images(name, args, keys, image, theirs):
    expected = getattr(theirs.transforms.functional, name)(Image.fromarray(image.transpose(1, 2, 0)), *args, **keys)
    got = getattr(F, name)(Image.fromarray(image.transpose(1, 2, 0)), *args, **keys)
    compare(pixels(got), pixels(expected), LOOSE.get(name, 0) if name == "gaussian_blur" else 0)


@pytest.mark.torch
@pytest.mark.parametrize("dtype", [np.uint8, np.float32])
@pytest.mark.parametrize(("name", "args", "keys"), CALLS, ids=ids(CALLS))
def test_tensors(name, args, keys, dtype, theirs):
    torch = pytest.importorskip("torch")
    if dtype == np.float32 and name in ("posterize", "equalize"):
        with pytest.raises(TypeError, match="Only torch.uint8"):
            getattr(F, name)(ringgrad.from_numpy(NOISE).float(), *args, **keys)
        return
    for image in (SMOOTH, NOISE):
        image = image if dtype == np.uint8 else (image / 255).astype(np.float32)
        if name == "solarize" and dtype == np.float32:
            args = (0.5,)
        if dtype == np.float32 and isinstance(keys.get("fill"), int):  # in the range of the image, on which the tolerance is
            keys = {**keys, "fill": keys["fill"] / 256}
        expected = getattr(theirs.transforms.functional, name)(torch.from_numpy(image), *args, **keys)
        got = getattr(F, name)(ringgrad.from_numpy(image), *args, **keys)
        edge = name in ("rotate", "affine", "perspective") and keys.get("interpolation", 0) != 2
        tolerance = LOOSE.get(name, 0) if dtype == np.uint8 else 2e-3 if name == "adjust_hue" else 1e-4
        compare(pixels(got), pixels(expected), tolerance, 0.01 if edge else 0.0)


@pytest.mark.torch
@pytest.mark.parametrize("name", ["adjust_contrast", "autocontrast", "equalize", "adjust_sharpness", "gaussian_blur", "resize", "rotate", "pad"])
def test_batches(name, theirs):
    """Leading dimensions are images of their own."""
    args = {"adjust_contrast": (1.5,), "adjust_sharpness": (1.5,), "gaussian_blur": (3,), "resize": ([10, 12],), "rotate": (20,),
            "pad": (2,)}.get(name, ())
    both = ringgrad.from_numpy(np.stack([SMOOTH, NOISE]))
    got = getattr(F, name)(both, *args)
    for i in range(2):
        assert got[i].tolist() == getattr(F, name)(both[i], *args).tolist()


@pytest.mark.torch
@pytest.mark.parametrize("mode", ["1", "L", "P", "LA", "RGB", "RGBA", "CMYK", "YCbCr", "HSV", "I", "F", "I;16"])
def test_every_mode_of_pillow(mode, theirs):
    if mode == "I;16":
        image = Image.frombytes("I;16", (4, 3), RNG.integers(0, 30000, (3, 4)).astype("<u2").tobytes())
    else:
        image = Image.fromarray(NOISE.transpose(1, 2, 0)).convert("RGB").convert(mode if mode not in ("LA",) else "L").convert(mode)
    for name in ("to_tensor", "pil_to_tensor"):
        got, expected = getattr(F, name)(image), getattr(theirs.transforms.functional, name)(image)
        assert got.dtype.name == str(expected.dtype).split(".")[1] and got.tolist() == expected.tolist(), name


@pytest.mark.torch
@pytest.mark.parametrize(("shape", "dtype", "mode"), [
    ((3, 5, 6), "uint8", None), ((3, 5, 6), "float32", None), ((1, 5, 6), "uint8", None), ((5, 6), "float32", None), ((2, 5, 6), "uint8", None),
    ((4, 5, 6), "uint8", None), ((4, 5, 6), "uint8", "CMYK"), ((3, 5, 6), "uint8", "HSV"), ((1, 5, 6), "int32", None), ((1, 5, 6), "int16", None),
    ((1, 5, 6), "float32", "F")])
def test_to_pil_image(shape, dtype, mode, theirs):
    torch = pytest.importorskip("torch")
    values = RNG.random(shape) * (200 if dtype != "float32" else 1)
    got = F.to_pil_image(ringgrad.from_numpy(values.astype(dtype)), mode)
    expected = theirs.transforms.functional.to_pil_image(torch.from_numpy(values.astype(dtype)), mode)
    assert got.mode == expected.mode and got.size == expected.size and got.tobytes() == expected.tobytes()


@pytest.mark.torch
@pytest.mark.parametrize("source", ["uint8", "int8", "int16", "int32", "float32", "float64"])
@pytest.mark.parametrize("target", ["uint8", "int16", "int32", "int64", "float32", "float64"])
def test_convert_image_dtype(source, target, theirs):
    torch = pytest.importorskip("torch")
    values = RNG.random((3, 4, 5)) if "float" in source else RNG.integers(0, 120, (3, 4, 5))
    values = values.astype(source)
    try:
        expected = theirs.transforms.functional.convert_image_dtype(torch.from_numpy(values), getattr(torch, target))
    except RuntimeError:
        with pytest.raises(RuntimeError, match="cannot be performed safely"):
            F.convert_image_dtype(ringgrad.from_numpy(values), getattr(ringgrad, target))
        return
    assert F.convert_image_dtype(ringgrad.from_numpy(values), getattr(ringgrad, target)).tolist() == expected.tolist()


@pytest.mark.torch
def test_the_others(theirs):
    torch = pytest.importorskip("torch")
    x = (NOISE / 255).astype(np.float32)
    for args in (([0.5, 0.4, 0.3], [0.2, 0.3, 0.4]), ((0.5,), (0.5,))):
        np.testing.assert_allclose(F.normalize(ringgrad.from_numpy(x), *args).numpy(),
                                   theirs.transforms.functional.normalize(torch.from_numpy(x), *args).numpy(), rtol=1e-6)
    t = ringgrad.from_numpy(x.copy())
    assert F.normalize(t, [0.5], [0.5], inplace=True) is t and t.mean().item() < 0.3
    got = F.elastic_transform(ringgrad.from_numpy(x), ringgrad.from_numpy(DISPLACEMENT), fill=0.3)
    expected = theirs.transforms.functional.elastic_transform(torch.from_numpy(x), torch.from_numpy(DISPLACEMENT), fill=0.3)
    np.testing.assert_allclose(got.numpy(), expected.numpy(), atol=1e-5)
    erased = F.erase(ringgrad.from_numpy(x), 2, 3, 4, 5, 0.0)
    assert erased[:, 2:6, 3:8].abs().sum().item() == 0 and erased[:, 6:].tolist() == x[:, 6:].tolist() and erased[:, :2].tolist() == x[:, :2].tolist()
    assert F.get_dimensions(Image.new("RGBA", (5, 6))) == [4, 6, 5] and F.get_image_size(ringgrad.zeros(2, 3, 7, 9)) == [9, 7]
    assert F.get_image_num_channels(ringgrad.zeros(7, 9)) == 1
    assert F.to_grayscale(Image.fromarray(NOISE.transpose(1, 2, 0)), 3).getbands() == ("R", "G", "B")


PICTURE, TENSOR = Image.new("RGB", (8, 8)), ringgrad.zeros(3, 8, 8)
BAD = [
    (lambda: F.to_tensor(TENSOR), TypeError, "PIL Image or ndarray"),
    (lambda: F.to_tensor(np.zeros(3)), ValueError, "2/3 dimensional. Got 1"),
    (lambda: F.to_pil_image("x"), TypeError, "Tensor or ndarray"),
    (lambda: F.to_pil_image(ringgrad.zeros(5, 8, 8)), ValueError, "> 4 channels"),
    (lambda: F.to_pil_image(TENSOR, "L"), ValueError, "Only modes"),
    (lambda: F.to_pil_image(ringgrad.zeros(1, 8, 8), "RGB"), ValueError, "Should be L"),
    (lambda: F.to_pil_image(TENSOR.long()), TypeError, "int64 is not supported"),
    (lambda: F.resize("x", 3), TypeError, "Unexpected type"),
    (lambda: F.resize(PICTURE, [1, 2, 3]), ValueError, "not a 3 element"),
    (lambda: F.resize(PICTURE, [3, 4], max_size=5), ValueError, "max_size should"),
    (lambda: F.resize(PICTURE, 5, max_size=5), ValueError, "strictly greater"),
    (lambda: F.resize(PICTURE, 5, "bilinear"), TypeError, "InterpolationMode"),
    (lambda: F.resize(TENSOR, 5, 1), ValueError, "'lanczos' is unsupported with Tensor input"),
    (lambda: F.pad(PICTURE, "x"), TypeError, "inappropriate padding"),
    (lambda: F.pad(TENSOR, [1, 2, 3]), ValueError, "not a 3 element"),
    (lambda: F.pad(TENSOR, 1, padding_mode="wrap"), ValueError, "Padding mode should"),
    (lambda: F.pad(TENSOR, 1, "x"), TypeError, "inappropriate fill"),
    (lambda: F.pad(PICTURE, 1, (1, 2)), ValueError, r"2 != 3"),
    (lambda: F.five_crop(TENSOR, 9), ValueError, "bigger than input size"),
    (lambda: F.normalize(TENSOR, [0.5], [0.0]), ValueError, "std evaluated to zero"),
    (lambda: F.normalize(TENSOR.byte(), [0], [1]), TypeError, "float"),
    (lambda: F.normalize(PICTURE, [0], [1]), TypeError, "Tensor Image"),
    (lambda: F.rotate(TENSOR, "x"), TypeError, "Argument angle"),
    (lambda: F.affine(TENSOR, 1, [1], 1.0, 0.0), ValueError, "length 2"),
    (lambda: F.affine(TENSOR, 1, [1, 2], 0.0, 0.0), ValueError, "positive"),
    (lambda: F.rotate(TENSOR, 5, fill=[1, 2]), ValueError, "2 != 3"),
    (lambda: F.adjust_hue(TENSOR, 0.6), ValueError, "not in"),
    (lambda: F.adjust_brightness(TENSOR, -1), ValueError, "not non-negative"),
    (lambda: F.adjust_gamma(TENSOR, -1), ValueError, "non-negative"),
    (lambda: F.posterize(PICTURE, 9), ValueError, "between 0 and 8"),
    (lambda: F.solarize(TENSOR, 2), TypeError, "less than bound"),
    (lambda: F.gaussian_blur(TENSOR, 4), ValueError, "odd and positive"),
    (lambda: F.gaussian_blur(TENSOR, 3, -1), ValueError, "positive values"),
    (lambda: F.perspective(TENSOR, CORNERS[:3], CORNERS), ValueError, "exactly four corners"),
    (lambda: F.invert(ringgrad.zeros(8)), TypeError, "not a torch image"),
    (lambda: F.adjust_contrast(ringgrad.zeros(2, 8, 8), 1), TypeError, "permitted channel values"),
    (lambda: F.to_grayscale(TENSOR), TypeError, "PIL Image"),
    (lambda: F.elastic_transform(TENSOR, ringgrad.zeros(1, 2, 2, 2)), ValueError, r"\(1, 8, 8, 2\)"),
    (lambda: F.erase(PICTURE, 0, 0, 1, 1, 0), TypeError, "Tensor"),
    (lambda: F.convert_image_dtype(PICTURE), TypeError, "Tensor Image"),
]


@pytest.mark.parametrize(("act", "error", "words"), BAD, ids=[f"{i} {row[2][:18]}" for i, row in enumerate(BAD)])
def test_wrong_use(act, error, words):
    with pytest.raises(error, match=words):
        act()
