"""Operators beside torchvision's Python code where it has some, and beside their definitions, written as loops, where it does not."""
import math

import numpy as np
import pytest

import ringgrad
from ringgrad import nn
from ringgrad.vision import ops

RNG = np.random.default_rng(0)


def boxes(n, seed=0, size=40.0):
    rng = np.random.default_rng(seed)
    low = rng.random((n, 2)) * size
    return np.concatenate([low, low + 1 + rng.random((n, 2)) * size / 2], 1).astype(np.float32)


A, B = boxes(7), boxes(5, 1)
LOGITS, TARGETS = RNG.standard_normal((4, 6)).astype(np.float32), RNG.integers(0, 2, (4, 6)).astype(np.float32)

CALLS = {
    "area": lambda o, t: o.box_area(t(A)), "area, xywh": lambda o, t: o.box_area(t(A), fmt="xywh"),
    "area of bytes": lambda o, t: o.box_area(t(A.astype(np.uint8))),
    "iou": lambda o, t: o.box_iou(t(A), t(B)), "iou, cxcywh": lambda o, t: o.box_iou(t(A), t(B), fmt="cxcywh"),
    "iou, xywh": lambda o, t: o.box_iou(t(A), t(B), fmt="xywh"),
    "iou of integers": lambda o, t: o.box_iou(t(A.astype(np.int64)), t(B.astype(np.int64))),
    "generalized iou": lambda o, t: o.generalized_box_iou(t(A), t(B)), "distance iou": lambda o, t: o.distance_box_iou(t(A), t(B)),
    "complete iou": lambda o, t: o.complete_box_iou(t(A), t(B)), "small": lambda o, t: o.remove_small_boxes(t(A), 8.0),
    "clip": lambda o, t: o.clip_boxes_to_image(t(A), (30, 35)),
    **{f"{a} to {b}": lambda o, t, a=a, b=b: o.box_convert(t(A), a, b) for a in ("xyxy", "xywh", "cxcywh") for b in ("xyxy", "xywh", "cxcywh")},
    **{f"{a} to {b}": lambda o, t, a=a, b=b: o.box_convert(t(TURNED[a]), a, b)
       for a in ("cxcywhr", "xywhr", "xyxyxyxy") for b in ("cxcywhr", "xywhr", "xyxyxyxy")},
    "masks": lambda o, t: o.masks_to_boxes(t(np.stack([np.indices((9, 11)).sum(0) == 8, np.indices((9, 11))[0] > 5]))),
    **{f"{name} {reduction}": lambda o, t, name=name, reduction=reduction: getattr(o, name)(t(A[:5]), t(B), reduction=reduction)
       for name in ("generalized_box_iou_loss", "distance_box_iou_loss", "complete_box_iou_loss") for reduction in ("none", "mean", "sum")},
    "focal": lambda o, t: o.sigmoid_focal_loss(t(LOGITS), t(TARGETS)),
    "focal, no weight": lambda o, t: o.sigmoid_focal_loss(t(LOGITS), t(TARGETS), alpha=-1, gamma=1.5, reduction="mean"),
}
TURNED = {"cxcywhr": np.concatenate([A, RNG.random((7, 1)).astype(np.float32) * 80 - 40], 1)}
TURNED["xywhr"] = TURNED["cxcywhr"]
TURNED["xyxyxyxy"] = ops.box_convert(ringgrad.from_numpy(TURNED["cxcywhr"]), "cxcywhr", "xyxyxyxy").numpy()


@pytest.mark.torch
@pytest.mark.parametrize("name", CALLS)
def test_as_torchvision(name, theirs):
    torch = pytest.importorskip("torch")
    expected, got = CALLS[name](theirs.ops, torch.from_numpy), CALLS[name](ops, ringgrad.from_numpy)
    assert got.dtype.name == str(expected.dtype).split(".")[1] and tuple(got.shape) == tuple(expected.shape)
    np.testing.assert_allclose(got.numpy(), expected.numpy(), rtol=1e-4, atol=1e-4)


@pytest.mark.torch
@pytest.mark.parametrize("name", ["generalized_box_iou_loss", "distance_box_iou_loss", "complete_box_iou_loss"])
def test_gradients_of_losses(name, theirs):
    torch = pytest.importorskip("torch")
    a, b = torch.from_numpy(A[:5].astype(float)).requires_grad_(), ringgrad.from_numpy(A[:5].astype(float)).requires_grad_()
    getattr(theirs.ops, name)(a, torch.from_numpy(B.astype(float)), reduction="sum").backward()
    getattr(ops, name)(b, ringgrad.from_numpy(B.astype(float)), reduction="sum").backward()
    np.testing.assert_allclose(b.grad.numpy(), a.grad.numpy(), rtol=1e-8, atol=1e-10)


# -- leaving out what overlaps -----------------------------------------------------------------------------------------


def nms_by_loops(corners, scores, threshold):
    left, kept = list(np.argsort(-scores, kind="stable")), []
    while left:
        best = left.pop(0)
        kept.append(best)
        left = [i for i in left if ops.box_iou(ringgrad.from_numpy(corners[[best]]), ringgrad.from_numpy(corners[[i]])).item() <= threshold]
    return kept


@pytest.mark.parametrize("threshold", [0.1, 0.5, 0.9])
def test_nms(threshold):
    corners, scores = boxes(60, 3, 20.0).astype(float), np.round(RNG.random(60), 1)
    got = ops.nms(ringgrad.from_numpy(corners), ringgrad.from_numpy(scores), threshold)
    assert got.dtype.name == "int64" and got.tolist() == nms_by_loops(corners, scores, threshold)
    assert ops.nms(ringgrad.zeros(0, 4), ringgrad.zeros(0), 0.5).tolist() == []


def test_nms_of_many_boxes_and_of_an_overlap_that_is_the_threshold():
    corners = RNG.random((400, 4)).astype(np.float32) * 20
    corners[:, 2:] += corners[:, :2] + 1
    overlap = ops.box_iou(ringgrad.from_numpy(corners), ringgrad.from_numpy(corners)).numpy()
    for threshold in (0.05, 0.6):  # more than one sweep, and few left at its end
        kept = []
        for i in range(400):
            kept += [i] if all(overlap[i, j] <= threshold for j in kept) else []
        assert ops.nms(ringgrad.from_numpy(corners), -ringgrad.arange(400.0), threshold).tolist() == kept
    thirds = ringgrad.tensor([[0.0, 0, 2, 1], [1, 0, 3, 1]])  # 1 / 3 as float32 is more than 1 / 3
    assert ops.nms(thirds, ringgrad.tensor([0.9, 0.8]), 1 / 3).tolist() == [0]
    assert ops.nms(thirds.double(), ringgrad.tensor([0.9, 0.8]), 1 / 3).tolist() == [0, 1]


def test_batched_nms_both_ways(monkeypatch):
    corners, scores, kinds = boxes(80, 4, 20.0), RNG.random(80).astype(np.float32), RNG.integers(0, 3, 80)
    args = [ringgrad.from_numpy(x) for x in (corners, scores, kinds)]
    expected = sorted((i for k in range(3) for i in np.flatnonzero(kinds == k)[nms_by_loops(corners[kinds == k], scores[kinds == k], 0.3)]),
                      key=lambda i: -scores[i])
    assert ops.batched_nms(*args, 0.3).tolist() == expected
    monkeypatch.setattr(ops.boxes, "_MANY", 0)
    assert ops.batched_nms(*args, 0.3).tolist() == expected
    assert ops.batched_nms(ringgrad.zeros(0, 4), ringgrad.zeros(0), ringgrad.zeros(0), 0.3).tolist() == []


# -- pooling of regions ------------------------------------------------------------------------------------------------

INPUT = RNG.standard_normal((2, 3, 12, 15))
ROIS = np.concatenate([RNG.integers(0, 2, (6, 1)), boxes(6, 5, 14.0).astype(float) * 1.3 - 2], 1)


def bilinear(plane, y, x):
    h, w = plane.shape
    if y < -1 or y > h or x < -1 or x > w:
        return 0.0
    y, x = min(max(y, 0), h - 1), min(max(x, 0), w - 1)
    i, j = int(y), int(x)
    a, b, i2, j2 = y - i, x - j, min(i + 1, h - 1), min(j + 1, w - 1)
    return (1 - a) * ((1 - b) * plane[i, j] + b * plane[i, j2]) + a * ((1 - b) * plane[i2, j] + b * plane[i2, j2])


def roi_align_by_loops(input, rois, size, scale, samples, offset, least, own_channels):
    height, width = size
    channels = input.shape[1] // (height * width) if own_channels else input.shape[1]
    out = np.zeros((len(rois), channels, height, width))
    for (k, (image, *corners)), c, i, j in (
            (kr, c, i, j) for kr in enumerate(rois) for c in range(channels) for i in range(height) for j in range(width)):
        x1, y1, x2, y2 = (v * scale - offset for v in corners)
        bin_h, bin_w = max(y2 - y1, least) / height, max(x2 - x1, least) / width
        ny, nx = (samples, samples) if samples > 0 else (math.ceil(bin_h), math.ceil(bin_w))
        plane = input[int(image), (c * height + i) * width + j if own_channels else c]
        values = [bilinear(plane, y1 + (i + (a + 0.5) / ny) * bin_h, x1 + (j + (b + 0.5) / nx) * bin_w) for a in range(ny) for b in range(nx)]
        out[k, c, i, j] = sum(values) / max(len(values), 1)
    return out


@pytest.mark.parametrize("aligned", [False, True])
@pytest.mark.parametrize(("size", "scale", "samples"), [((3, 4), 1.0, 2), ((2, 2), 0.5, -1), ((5, 1), 0.8, 3)])
def test_roi_align(size, scale, samples, aligned):
    expected = roi_align_by_loops(INPUT, ROIS, size, scale, samples, 0.5 if aligned else 0, -math.inf if aligned else 1.0, False)
    got = ops.roi_align(ringgrad.from_numpy(INPUT), ringgrad.from_numpy(ROIS), size, scale, samples, aligned)
    np.testing.assert_allclose(got.numpy(), expected, atol=1e-12)
    module = ops.RoIAlign(size, scale, samples, aligned)
    assert module(ringgrad.from_numpy(INPUT), ringgrad.from_numpy(ROIS)).tolist() == got.tolist()


@pytest.mark.parametrize(("scale", "samples"), [(1.0, 2), (0.5, -1)])
def test_ps_roi_align(scale, samples):
    input = RNG.standard_normal((2, 2 * 6, 12, 15))
    expected = roi_align_by_loops(input, ROIS, (2, 3), scale, samples, 0.5, -math.inf, True)
    got = ops.ps_roi_align(ringgrad.from_numpy(input), ringgrad.from_numpy(ROIS), (2, 3), scale, samples)
    np.testing.assert_allclose(got.numpy(), expected, atol=1e-12)


def c_round(v):
    return math.copysign(math.floor(abs(v) + 0.5), v)


def roi_pool_by_loops(input, rois, size, scale):
    out = np.zeros((len(rois), input.shape[1], *size))
    for k, (image, x1, y1, x2, y2) in enumerate(rois):
        left, top, right, bottom = (c_round(v * scale) for v in (x1, y1, x2, y2))
        bin_h, bin_w = max(bottom - top + 1, 1) / size[0], max(right - left + 1, 1) / size[1]
        for i, j in np.ndindex(*size):
            ys = [int(min(max(v, 0), input.shape[2])) for v in (math.floor(i * bin_h) + top, math.ceil((i + 1) * bin_h) + top)]
            xs = [int(min(max(v, 0), input.shape[3])) for v in (math.floor(j * bin_w) + left, math.ceil((j + 1) * bin_w) + left)]
            part = input[int(image), :, ys[0]:ys[1], xs[0]:xs[1]]
            out[k, :, i, j] = part.max(axis=(1, 2)) if part.size else 0
    return out


@pytest.mark.parametrize(("size", "scale"), [((3, 3), 1.0), ((2, 4), 0.6)])
def test_roi_pool(size, scale):
    rois = np.concatenate([ROIS, [[0, 30, 30, 40, 40]]])
    expected = roi_pool_by_loops(INPUT, rois, size, scale)
    assert (expected[-1] == 0).all()
    np.testing.assert_allclose(ops.roi_pool(ringgrad.from_numpy(INPUT), ringgrad.from_numpy(rois), size, scale).numpy(), expected, atol=1e-12)


def test_ps_roi_pool():
    input, size, scale = RNG.standard_normal((2, 2 * 6, 12, 15)), (2, 3), 0.7
    got = ops.ps_roi_pool(ringgrad.from_numpy(input), ringgrad.from_numpy(ROIS), size, scale).numpy()
    for k, (image, x1, y1, x2, y2) in enumerate(ROIS):
        left, top, right, bottom = c_round(x1) * scale, c_round(y1) * scale, c_round(x2 + 1) * scale, c_round(y2 + 1) * scale
        bin_h, bin_w = max(bottom - top, 0.1) / size[0], max(right - left, 0.1) / size[1]
        for c, i, j in np.ndindex(2, *size):
            ys = [int(min(max(v, 0), 12)) for v in (math.floor(i * bin_h + top), math.ceil((i + 1) * bin_h + top))]
            xs = [int(min(max(v, 0), 15)) for v in (math.floor(j * bin_w + left), math.ceil((j + 1) * bin_w + left))]
            part = input[int(image), (c * 2 + i) * 3 + j, ys[0]:ys[1], xs[0]:xs[1]]
            np.testing.assert_allclose(got[k, c, i, j], part.mean() if part.size else 0, atol=1e-12)


@pytest.mark.parametrize("name", ["roi_align", "roi_pool"])
def test_gradients_of_pooling(name):
    x, rois = ringgrad.from_numpy(INPUT[:, :, :8, :8].copy()).requires_grad_(), ringgrad.from_numpy(ROIS[:3])
    assert ringgrad.autograd.gradcheck(lambda t: getattr(ops, name)(t, rois, (2, 2), 0.5), (x,))


def test_boxes_as_a_list():
    lists = [ringgrad.from_numpy(ROIS[ROIS[:, 0] == i, 1:]) for i in range(2)]
    order = np.argsort(ROIS[:, 0], kind="stable")
    expected = ops.roi_align(ringgrad.from_numpy(INPUT), ringgrad.from_numpy(ROIS[order]), 2)
    assert ops.roi_align(ringgrad.from_numpy(INPUT), lists, 2).tolist() == expected.tolist()


def deform_by_loops(input, offset, weight, stride, padding, dilation, mask, groups):
    n, _, oh, ow = offset.shape
    k, per, kh, kw = weight.shape
    out, channels = np.zeros((n, k, oh, ow)), input.shape[1]
    padded = np.pad(input, ((0, 0), (0, 0), (9, 9), (9, 9)))
    for b, o, i, j in np.ndindex(n, k, oh, ow):
        for c, u, v in np.ndindex(per, kh, kw):
            channel = o // (k // (channels // per)) * per + c
            g = channel // (channels // groups)
            at = (g * kh + u) * kw + v
            y = i * stride - padding + u * dilation + offset[b, 2 * at, i, j]
            x = j * stride - padding + v * dilation + offset[b, 2 * at + 1, i, j]
            value = bilinear(padded[b, channel], y + 9, x + 9)
            out[b, o, i, j] += weight[o, c, u, v] * value * mask[b, at, i, j]
    return out


def test_deform_conv():
    input, weight = RNG.standard_normal((2, 4, 5, 6)), RNG.standard_normal((4, 2, 3, 2))
    offset, mask = RNG.standard_normal((2, 2 * 2 * 6, 3, 4)) * 1.5, RNG.random((2, 2 * 6, 3, 4))
    args = [ringgrad.from_numpy(a).requires_grad_() for a in (input, offset, weight, mask)]
    got = ops.deform_conv2d(args[0], args[1], args[2], None, 2, 1, 1, args[3])
    np.testing.assert_allclose(got.detach().numpy(), deform_by_loops(input, offset, weight, 2, 1, 1, mask, 2), atol=1e-12)
    assert ringgrad.autograd.gradcheck(lambda x, o, w, m: ops.deform_conv2d(x, o, w, None, 2, 1, 1, m), args)
    layer, still = ops.DeformConv2d(4, 6, 3, padding=1, groups=2), nn.Conv2d(4, 6, 3, padding=1, groups=2)
    still.load_state_dict(layer.state_dict())
    x = ringgrad.from_numpy(input.astype(np.float32))
    np.testing.assert_allclose(layer(x, ringgrad.zeros(2, 18, 5, 6)).detach().numpy(), still(x).detach().numpy(), atol=1e-5)
    assert repr(layer) == "DeformConv2d(4, 6, kernel_size=(3, 3), stride=(1, 1), padding=(1, 1), groups=2)"


def test_offsets_at_whole_numbers():
    """There the gradient is the way to the next pixel, in both directions, as in torchvision: offsets begin as zeros, and have to move."""
    x, offset = RNG.standard_normal((1, 1, 3, 4)), ringgrad.zeros(1, 2, 3, 4, dtype=ringgrad.float64).requires_grad_()
    ops.deform_conv2d(ringgrad.from_numpy(x), offset, ringgrad.ones(1, 1, 1, 1, dtype=ringgrad.float64)).sum().backward()
    for d in range(2):
        beyond = np.zeros((*x.shape[:2], *(1 if a == d else n for a, n in enumerate(x.shape[2:]))))
        np.testing.assert_allclose(offset.grad.numpy()[:, d:d + 1], np.diff(x, axis=2 + d, append=beyond), atol=1e-12)


# -- modules -----------------------------------------------------------------------------------------------------------

MODULES = {
    "frozen": lambda o: o.FrozenBatchNorm2d(4), "squeeze": lambda o: o.SqueezeExcitation(4, 2), "permute": lambda o: o.Permute([0, 2, 3, 1]),
    "conv": lambda o: o.Conv2dNormActivation(4, 6, 3, stride=2, dilation=2),
    "conv, bare": lambda o: o.Conv2dNormActivation(4, 6, (3, 1), norm_layer=None, activation_layer=None),
    "mlp": lambda o: o.MLP(8, [16, 4], dropout=0.0),
}


@pytest.mark.torch
@pytest.mark.parametrize("name", MODULES)
def test_modules(name, theirs):
    torch = pytest.importorskip("torch")
    a, b = MODULES[name](theirs.ops).double(), MODULES[name](ops).double()
    assert repr(a) == repr(b)
    b.load_state_dict({k: ringgrad.from_numpy(v.numpy().copy()) for k, v in a.state_dict().items()})
    x = RNG.standard_normal((2, 4, 6, 8))
    np.testing.assert_allclose(b(ringgrad.from_numpy(x)).detach().numpy(), a(torch.from_numpy(x)).detach().numpy(), atol=1e-10)


@pytest.mark.torch
@pytest.mark.parametrize("extra", [None, "LastLevelMaxPool", "LastLevelP6P7"])
def test_pyramid(extra, theirs):
    torch = pytest.importorskip("torch")

    def make(vision, home):
        blocks = None if extra is None else getattr(home, extra)(*([8, 8] if extra == "LastLevelP6P7" else []))
        return vision.ops.FeaturePyramidNetwork([3, 5, 7], 8, blocks).double()
    a, b = make(theirs, theirs.ops.feature_pyramid_network), make(ringgrad.vision, ops.feature_pyramid)
    b.load_state_dict({k: ringgrad.from_numpy(v.numpy().copy()) for k, v in a.state_dict().items()})
    features = {name: RNG.standard_normal((1, c, s, s)) for name, c, s in (("a", 3, 16), ("b", 5, 8), ("c", 7, 4))}
    expected, got = a({k: torch.from_numpy(v) for k, v in features.items()}), b({k: ringgrad.from_numpy(v) for k, v in features.items()})
    assert list(got) == list(expected)
    for key in expected:
        np.testing.assert_allclose(got[key].detach().numpy(), expected[key].detach().numpy(), atol=1e-10)


def test_pooling_from_a_pyramid():
    features = {name: ringgrad.from_numpy(RNG.standard_normal((1, 2, s, s))) for name, s in (("0", 64), ("1", 32), ("unused", 3), ("2", 16))}
    pool = ops.MultiScaleRoIAlign(["0", "1", "2"], 3, 2)
    regions = ringgrad.tensor([[0.0, 0, 20, 20], [10.0, 10, 250, 250], [5.0, 5, 160, 140]], dtype=ringgrad.float64)
    got = pool(features, [regions], [(256, 256)])
    assert pool.scales == [0.25, 0.125, 0.0625]
    for i, (name, scale) in enumerate((("0", 0.25), ("2", 0.0625), ("1", 0.125))):
        assert got[i].tolist() == ops.roi_align(features[name], [regions[i:i + 1]], 3, scale, 2)[0].tolist()
    assert repr(pool) == "MultiScaleRoIAlign(featmap_names=['0', '1', '2'], output_size=(3, 3), sampling_ratio=2)"


def test_dropping():
    ringgrad.manual_seed(0)
    x = ringgrad.ones(64, 2, 21, 21)
    out = ops.drop_block2d(x, 0.2, 5)
    assert abs((out == 0).float().mean().item() - 0.2) < 0.04 and abs(out.mean().item() - 1) < 1e-3
    assert ops.drop_block3d(ringgrad.ones(8, 2, 9, 9, 9), 0.3, 3).shape == (8, 2, 9, 9, 9)
    assert ops.DropBlock2d(0.2, 3).eval()(x) is x and repr(ops.DropBlock3d(0.2, 3)) == "DropBlock3d(p=0.2, block_size=3, inplace=False)"
    rows = ops.stochastic_depth(ringgrad.ones(4000, 3), 0.25, "row")
    assert abs(rows.mean().item() - 1) < 0.05 and np.allclose(rows.unique().numpy(), [0, 4 / 3]) and (rows[:, 0] == rows[:, 2]).all()
    assert ops.stochastic_depth(rows, 1.0, "batch").abs().sum().item() == 0


BAD = [
    (lambda: ops.nms(ringgrad.zeros(3, 5), ringgrad.zeros(3), 0.5), RuntimeError, "4 elements in dimension 1"),
    (lambda: ops.nms(ringgrad.zeros(3, 4), ringgrad.zeros(2), 0.5), RuntimeError, "same number of elements"),
    (lambda: ops.box_convert(ringgrad.zeros(3, 4), "xyxy", "polar"), ValueError, "in_fmt xyxy and out_fmt polar"),
    (lambda: ops.box_area(ringgrad.zeros(3, 4), "polar"), ValueError, "given format polar"),
    (lambda: ops.box_iou(ringgrad.zeros(3, 4), ringgrad.zeros(3, 4), "polar"), ValueError, "Unsupported format 'polar'"),
    (lambda: ops.sigmoid_focal_loss(ringgrad.zeros(2), ringgrad.zeros(2), alpha=2), ValueError, "Invalid alpha value: 2"),
    (lambda: ops.generalized_box_iou_loss(ringgrad.zeros(2, 4), ringgrad.zeros(2, 4), "max"), ValueError, "Supported reduction modes"),
    (lambda: ops.roi_align(ringgrad.zeros(1, 2, 4, 4), ringgrad.zeros(3, 4), 2), AssertionError, r"Tensor\[K, 5\]"),
    (lambda: ops.roi_align(ringgrad.zeros(1, 2, 4, 4), [ringgrad.zeros(3, 5)], 2), AssertionError, r"List\[Tensor\[L, 4\]\]"),
    (lambda: ops.ps_roi_align(ringgrad.zeros(1, 5, 4, 4), ringgrad.zeros(3, 5), 2), RuntimeError, "multiple of pooling height"),
    (lambda: ops.drop_block2d(ringgrad.zeros(1, 2, 4), 0.5, 3), ValueError, "4 dimensional. Got 3"),
    (lambda: ops.drop_block2d(ringgrad.zeros(1, 2, 8, 8), 0.5, 4), ValueError, "odd. Got 4"),
    (lambda: ops.deform_conv2d(ringgrad.zeros(1, 2, 4, 4), ringgrad.zeros(1, 3, 4, 4), ringgrad.zeros(2, 2, 3, 3)), RuntimeError, "offset tensor"),
    (lambda: ops.deform_conv2d(ringgrad.zeros(1, 2, 4, 4), ringgrad.zeros(1, 2, 4, 4), ringgrad.zeros(2, 2, 1, 1), mask=ringgrad.zeros(1, 1, 4, 3)),
     RuntimeError, "mask should have shape"),
    (lambda: ops.DeformConv2d(3, 4, 3, groups=2), ValueError, "in_channels must be divisible"),
    (lambda: ops.FeaturePyramidNetwork([0], 4), ValueError, "in_channels=0"),
]


@pytest.mark.parametrize(("act", "error", "words"), BAD, ids=[f"{i} {row[2][:18]}" for i, row in enumerate(BAD)])
def test_wrong_use(act, error, words):
    with pytest.raises(error, match=words):
        act()


@pytest.mark.torch
def test_names(theirs):
    assert set(theirs.ops.__all__) - set(ops.__all__) == set()
