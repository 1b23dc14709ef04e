"""Grids, drawing, image files: beside torchvision, and on their own."""
import io

import numpy as np
import pytest
from PIL import Image

import ringgrad
from ringgrad.vision import io as files
from ringgrad.vision import utils

RNG = np.random.default_rng(0)
FLOATS, BYTES = RNG.random((5, 3, 7, 9), np.float32), RNG.integers(0, 256, (3, 40, 50), np.uint8)
BOXES = np.array([[2, 3, 20, 30], [10, 12, 45, 33], [0, 0, 5, 5]])
MASKS = np.stack([np.indices((40, 50)).sum(0) < 40, np.indices((40, 50))[1] > 30])
POINTS = np.array([[[3, 4], [20, 25], [40, 10]], [[10, 35], [30, 5], [45, 38]]])
FLOW = RNG.standard_normal((2, 2, 11, 12)).astype(np.float32)

CALLS = {
    "grid": lambda t, u: u.make_grid(t(FLOATS)),
    "grid of a list": lambda t, u: u.make_grid([t(f) for f in FLOATS], nrow=2, padding=1, pad_value=0.5),
    "grid, normalised": lambda t, u: u.make_grid(t(FLOATS * 8 - 3), nrow=3, normalize=True),
    "grid, each normalised": lambda t, u: u.make_grid(t(FLOATS * 8 - 3), normalize=True, scale_each=True),
    "grid, range": lambda t, u: u.make_grid(t(FLOATS * 8 - 3), normalize=True, value_range=(-1, 2)),
    "grid of grey": lambda t, u: u.make_grid(t(FLOATS[:, :1])),
    "one picture": lambda t, u: u.make_grid(t(FLOATS[0])),
    "one channel": lambda t, u: u.make_grid(t(FLOATS[0, :1])),
    "one plane": lambda t, u: u.make_grid(t(FLOATS[0, 0])),
    "grid of bytes": lambda t, u: u.make_grid(t(BYTES[None].repeat(3, 0)), pad_value=7),
    "boxes": lambda t, u: u.draw_bounding_boxes(t(BYTES), t(BOXES)),
    "boxes, options": lambda t, u: u.draw_bounding_boxes(t(BYTES), t(BOXES), colors=["red", "#00ff00", (1, 2, 3)], width=3, fill=True),
    "boxes, labels": lambda t, u: u.draw_bounding_boxes(t(BYTES), t(BOXES), labels=["a", "b", "c"], colors="blue", fill_labels=True),
    "boxes on grey floats": lambda t, u: u.draw_bounding_boxes(t(FLOATS[0, :1]), t(BOXES[2:]), colors="white"),
    "masks": lambda t, u: u.draw_segmentation_masks(t(BYTES), t(MASKS), alpha=0.4, colors=["red", "blue"]),
    "masks, default colours": lambda t, u: u.draw_segmentation_masks(t(BYTES), t(MASKS)),
    "points": lambda t, u: u.draw_keypoints(t(BYTES), t(POINTS), colors="green", radius=3),
    "points and lines": lambda t, u: u.draw_keypoints(t(BYTES), t(POINTS), connectivity=[(0, 1), (1, 2)], visibility=t(POINTS[..., 0] < 42), width=2),
    "flow": lambda t, u: u.flow_to_image(t(FLOW)),
    "one flow": lambda t, u: u.flow_to_image(t(FLOW[0])),
}


@pytest.mark.torch
@pytest.mark.parametrize("name", CALLS)
def test_as_torchvision(name, theirs):
    torch = pytest.importorskip("torch")
    expected, got = CALLS[name](torch.from_numpy, theirs.utils), CALLS[name](ringgrad.from_numpy, utils)
    assert str(got.dtype).split(".")[1] == str(expected.dtype).split(".")[1] and tuple(got.shape) == tuple(expected.shape)
    tolerance = 1 if "flow" in name or "masks" in name else 1e-6 if got.is_floating_point() else 0
    np.testing.assert_allclose(got.numpy().astype(float), expected.numpy().astype(float), atol=tolerance)


BAD = [
    (lambda: utils.make_grid("x"), TypeError, "tensor or list of tensors expected"),
    (lambda: utils.make_grid([1]), TypeError, "got a list containing"),
    (lambda: utils.make_grid(ringgrad.from_numpy(FLOATS), normalize=True, value_range=[0, 1]), TypeError, "value_range has to be a tuple"),
    (lambda: utils.draw_bounding_boxes(BYTES, None), TypeError, "Tensor expected"),
    (lambda: utils.draw_bounding_boxes(ringgrad.from_numpy(BYTES).long(), None), ValueError, "must be uint8 or float"),
    (lambda: utils.draw_bounding_boxes(ringgrad.from_numpy(BYTES)[None], None), ValueError, "individual images"),
    (lambda: utils.draw_bounding_boxes(ringgrad.from_numpy(BYTES), ringgrad.tensor([[5, 5, 1, 1]])), ValueError, "xmin, ymin, xmax, ymax"),
    (lambda: utils.draw_bounding_boxes(ringgrad.from_numpy(BYTES), ringgrad.from_numpy(BOXES), labels=["a"]), ValueError, "mismatch"),
    (lambda: utils.draw_bounding_boxes(ringgrad.from_numpy(BYTES), ringgrad.from_numpy(BOXES), colors=["red"]), ValueError, "1 < 3"),
    (lambda: utils.draw_segmentation_masks(ringgrad.from_numpy(BYTES), ringgrad.ones(2, 40, 50)), ValueError, "dtype bool"),
    (lambda: utils.draw_keypoints(ringgrad.from_numpy(BYTES), ringgrad.ones(3, 2)), ValueError, "num_instances"),
    (lambda: utils.flow_to_image(ringgrad.ones(3, 4, 4)), ValueError, r"got \(3, 4, 4\)"),
    (lambda: files.decode_image(ringgrad.zeros(10, dtype=ringgrad.uint8)), RuntimeError, "not an image"),
    (lambda: files.decode_image(ringgrad.zeros(10)), RuntimeError, "one-dimensional tensor of uint8"),
    (lambda: files.encode_png(ringgrad.zeros(2, 4, 4, dtype=ringgrad.uint8)), RuntimeError, "1 or 3"),
    (lambda: files.encode_jpeg(ringgrad.from_numpy(BYTES), 0), ValueError, "between 1 and 100"),
    (lambda: files.read_image("no such file.png"), FileNotFoundError, "no such file"),
]


@pytest.mark.parametrize(("act", "error", "words"), BAD, ids=[row[2][:20] for row in BAD])
def test_wrong_use(act, error, words):
    with pytest.raises(error, match=words):
        act()


def test_no_boxes_no_masks():
    image = ringgrad.from_numpy(BYTES)
    with pytest.warns(UserWarning, match="No box was drawn"):
        assert utils.draw_bounding_boxes(image, ringgrad.zeros(0, 4)) is image
    with pytest.warns(UserWarning, match="No mask was drawn"):
        assert utils.draw_segmentation_masks(image, ringgrad.zeros(0, 40, 50, dtype=ringgrad.bool)) is image


def test_save_image(tmp_path):
    utils.save_image(ringgrad.from_numpy(FLOATS), tmp_path / "x.png", nrow=5, padding=0)
    with Image.open(tmp_path / "x.png") as image:
        assert image.size == (45, 7) and image.mode == "RGB"
        assert np.array_equal(np.asarray(image)[:, :9], (FLOATS[0] * 255 + 0.5).astype(np.uint8).transpose(1, 2, 0))
    file = io.BytesIO()
    utils.save_image(ringgrad.from_numpy(FLOATS[0, 0]), file, format="bmp")
    assert file.getvalue()[:2] == b"BM"


@pytest.mark.parametrize("channels", [1, 3])
def test_image_files(tmp_path, channels):
    image = ringgrad.from_numpy(BYTES[:channels])
    files.write_png(image, tmp_path / "x.png", 9)
    assert files.read_image(str(tmp_path / "x.png")).tolist() == image.tolist()
    assert files.decode_png(files.encode_png(image)).tolist() == image.tolist()
    smooth = ringgrad.full((channels, 40, 50), 120, dtype=ringgrad.uint8)
    files.write_jpeg(smooth, tmp_path / "x.jpg", 95)
    assert (files.read_image(tmp_path / "x.jpg").int() - 120).abs().max() <= 1
    for mode, count in (("RGB", 3), (files.ImageReadMode.GRAY, 1), ("RGB_ALPHA", 4), ("gray_alpha", 2)):
        assert files.read_image(tmp_path / "x.png", mode).shape == (count, 40, 50)


def test_exif_orientation(tmp_path):
    exif = Image.Exif()
    exif[0x0112] = 6
    Image.fromarray(BYTES.transpose(1, 2, 0)).save(tmp_path / "x.png", exif=exif)
    assert files.read_image(tmp_path / "x.png").shape == (3, 40, 50)
    assert files.read_image(tmp_path / "x.png", apply_exif_orientation=True).shape == (3, 50, 40)
