"""Detectors, segmenting networks and video networks beside torchvision's: with its state copied, the same losses, gradients and detections.

torchvision's compiled operators need not load: it then leaves out overlapping boxes and pools regions by ours, which have tests of their own.
"""
import numpy as np
import pytest

import ringgrad
from ringgrad.vision.models import detection

RNG = np.random.default_rng(0)


def arrays(thing, leaf):
    """`thing` with `leaf` applied to each array in it."""
    if isinstance(thing, dict):
        return {k: arrays(v, leaf) for k, v in thing.items()}
    if isinstance(thing, (list, tuple)):
        return [arrays(v, leaf) for v in thing]
    return leaf(thing)


@pytest.fixture
def oracle(theirs, monkeypatch):
    """torchvision with our operators, and both libraries with the same sample of boxes."""
    torch = pytest.importorskip("torch")
    ours = lambda t: ringgrad.from_numpy(t.detach().numpy())

    class Pooled(torch.autograd.Function):
        """Our roi_align as a function of torch."""

        @staticmethod
        def forward(ctx, input, rois, options):
            x = ours(input).requires_grad_()
            ctx.x, ctx.out = x, ringgrad.vision.ops.roi_align(x, ours(rois), *options)
            return torch.from_numpy(ctx.out.detach().numpy().copy())

        @staticmethod
        def backward(ctx, g):
            return torch.from_numpy(ringgrad.autograd.grad(ctx.out, ctx.x, ours(g))[0].numpy().copy()), None, None

    def roi_align(input, boxes, output_size, spatial_scale=1.0, sampling_ratio=-1, aligned=False):
        return Pooled.apply(input, boxes, (output_size, spatial_scale, sampling_ratio, aligned))

    monkeypatch.setattr(theirs.ops.boxes, "nms", lambda b, s, t: torch.from_numpy(ringgrad.vision.ops.nms(ours(b), ours(s), t).numpy().copy()))
    monkeypatch.setattr(theirs.ops.poolers, "roi_align", roi_align)
    monkeypatch.setattr(theirs.models.detection.roi_heads, "roi_align", roi_align)
    monkeypatch.setattr(torch, "randperm", lambda n, **_: torch.arange(n))
    monkeypatch.setattr(detection._utils, "randperm", lambda n, **_: ringgrad.arange(n))
    return theirs


def copied(make, oracle, training, dtype="double"):
    """(torchvision's model, ours with its state)."""
    torch = pytest.importorskip("torch")
    torch.manual_seed(0)
    pair = [getattr(make(vision), dtype)().train(training) for vision in (oracle, ringgrad.vision)]
    for p in pair[0].parameters():
        if p.ndim == 1 and p.numel() > 1:
            p.data += torch.rand(p.shape, dtype=p.dtype) * 0.1
    state = {k: ringgrad.from_numpy(v.numpy().copy()) for k, v in pair[0].state_dict().items()}
    assert list(state) == list(pair[1].state_dict())
    pair[1].load_state_dict(state)
    return pair


def the_same(got, expected, tolerance=1e-7, types=True):
    assert type(expected).__name__ == type(got).__name__ or not isinstance(expected, (dict, list))
    if isinstance(expected, dict):
        assert list(got) == list(expected)
        for key in expected:
            the_same(got[key], expected[key], tolerance, types)
    elif isinstance(expected, (list, tuple)):
        assert len(got) == len(expected)
        for one, other in zip(got, expected):
            the_same(one, other, tolerance, types)
    else:
        assert not types or got.dtype.name == str(expected.dtype).split(".")[1]
        np.testing.assert_allclose(got.detach().numpy(), expected.detach().numpy(), rtol=tolerance, atol=tolerance)


def same_gradients(ours, other):
    largest = max(float(p.grad.abs().max()) for p in other.parameters() if p.grad is not None)
    for (key, p), q in zip(other.named_parameters(), ours.parameters()):
        assert (p.grad is None) == (q.grad is None), key
        if p.grad is not None:
            np.testing.assert_allclose(q.grad.numpy(), p.grad.numpy(), rtol=1e-5, atol=1e-8 * largest, err_msg=key)


# -- detectors ---------------------------------------------------------------------------------------------------------

def scene(image, boxes, labels):
    """A target with round masks and three points per object, the last of them not seen."""
    y, x = np.mgrid[:image.shape[1], :image.shape[2]]
    masks = [(x - (b[0] + b[2]) / 2) ** 2 + (y - (b[1] + b[3]) / 2) ** 2 < (b[2] - b[0]) ** 2 / 5 for b in boxes]
    points = [[[b[0] + 3, b[1] + 2, 1], [b[2], b[3] - 4, 1], [0, 0, 0]] for b in boxes]
    return {"boxes": np.array(boxes, float), "labels": np.array(labels), "masks": np.stack(masks).astype(np.uint8),
            "keypoints": np.array(points, np.float32)}


IMAGES = [RNG.random((3, 48, 64)), RNG.random((3, 64, 40))]
SCENES = [scene(IMAGES[0], [[4, 6, 40, 44], [20, 8, 60, 30]], [1, 2]), scene(IMAGES[1], [[2, 20, 30, 60]], [2])]


def pyramid(v, *arguments):
    """A ResNet of one block per stage with a pyramid."""
    body = v.models.ResNet(v.models.resnet.BasicBlock, [1, 1, 1, 1], norm_layer=v.ops.FrozenBatchNorm2d)
    return v.models.detection.backbone_utils._resnet_fpn_extractor(body, *arguments)


def rcnn(v, kind="FasterRCNN", **options):
    d = v.models.detection
    heads = {"box_head": d.faster_rcnn.TwoMLPHead(256 * 49, 12), "box_predictor": d.faster_rcnn.FastRCNNPredictor(12, 3)}
    return getattr(d, kind)(pyramid(v, 4), min_size=40, max_size=60, box_score_thresh=0.1, rpn_post_nms_top_n_test=40, box_detections_per_img=12,
                            **heads, **options)


def mask_rcnn(v):
    d = v.models.detection.mask_rcnn
    return rcnn(v, "MaskRCNN", mask_head=d.MaskRCNNHeads(256, [8, 8], 1), mask_predictor=d.MaskRCNNPredictor(8, 6, 3))


def keypoint_rcnn(v):
    d = v.models.detection.keypoint_rcnn
    return rcnn(v, "KeypointRCNN", keypoint_head=d.KeypointRCNNHeads(256, [8]), keypoint_predictor=d.KeypointRCNNPredictor(8, 3))


def one_map(v):
    """A detector on a network that gives one feature map, as torchvision's tutorial makes it."""
    d = v.models.detection
    body = v.models.MobileNetV2(5, 0.25, dropout=0).features[:5]
    body.out_channels = 8
    return d.FasterRCNN(body, min_size=40, max_size=60, rpn_anchor_generator=d.rpn.AnchorGenerator(((16, 32),), ((0.5, 1.0),)),
                        box_roi_pool=v.ops.MultiScaleRoIAlign(["0"], 3, 2), box_head=d.faster_rcnn.FastRCNNConvFCHead((8, 3, 3), [6], [10]),
                        box_predictor=d.faster_rcnn.FastRCNNPredictor(10, 3), box_score_thresh=0.1, box_detections_per_img=12)


def retinanet(v, loss="l1"):
    further = getattr(v.ops, "feature_pyramid_network", None) or v.ops.feature_pyramid
    model = v.models.detection.RetinaNet(pyramid(v, 5, [2, 3, 4], further.LastLevelP6P7(256, 256)), 3, 40, 60, score_thresh=0.009,
                                         detections_per_img=15, topk_candidates=30)
    model.head.regression_head._loss_type = loss
    return model


def ssd(v):
    d = v.models.detection
    body = v.models._utils.IntermediateLayerGetter(v.ops.Conv2dNormActivation(3, 6, 3, 8), {"2": "0"})
    body.out_channels = [6]
    return d.ssd.SSD(body, d.anchor_utils.DefaultBoxGenerator([[2]], 0.3, 0.6), (64, 64), 3, score_thresh=0.2, topk_candidates=20)


DETECTORS = {"faster rcnn": rcnn, "mask rcnn": mask_rcnn, "keypoint rcnn": keypoint_rcnn, "one map": one_map, "retinanet": retinanet,
             "retinanet, giou": lambda v: retinanet(v, "giou"), "ssd": ssd}


@pytest.mark.torch
@pytest.mark.parametrize("name", DETECTORS)
def test_what_is_found(name, oracle):
    torch = pytest.importorskip("torch")
    other, ours = copied(DETECTORS[name], oracle, False)
    with torch.no_grad(), ringgrad.no_grad():
        expected, got = other(arrays(IMAGES, torch.from_numpy)), ours(arrays(IMAGES, ringgrad.from_numpy))
    assert all(len(found["boxes"]) for found in expected)
    the_same(got, expected, 1e-5)


@pytest.mark.slow
@pytest.mark.torch
@pytest.mark.parametrize("name", DETECTORS)
def test_what_is_learnt(name, oracle):
    torch = pytest.importorskip("torch")
    other, ours = copied(DETECTORS[name], oracle, True)
    losses = [model(arrays(IMAGES, leaf), arrays(SCENES, leaf)) for model, leaf in ((ours, ringgrad.from_numpy), (other, torch.from_numpy))]
    the_same(*losses, 1e-6, types=False)  # torch's cross entropy of doubles and float labels is a float
    for each in losses:
        sum(each.values()).backward()
    same_gradients(ours, other)


@pytest.mark.torch
@pytest.mark.parametrize("name", ["mask rcnn", "retinanet", "ssd"])
def test_images_without_objects(name, oracle):
    torch = pytest.importorskip("torch")
    other, ours = copied(DETECTORS[name], oracle, True)
    nothing = {key: value[:0] for key, value in SCENES[0].items()}
    losses = [model(arrays(IMAGES, leaf), arrays([SCENES[0], nothing], leaf)) for model, leaf in (
        (ours, ringgrad.from_numpy), (other, torch.from_numpy))]
    the_same(*losses, 1e-6, types=False)  # torch's cross entropy of doubles and float labels is a float


CODERS = {
    "boxes": lambda d, t: d.BoxCoder((10.0, 10.0, 5.0, 5.0)).encode([t(SCENES[0]["boxes"])], [t(SCENES[0]["boxes"] + [[1, 2, 5, 3]])])[0],
    "distances": lambda d, t: d.BoxLinearCoder().encode(t(SCENES[0]["boxes"]), t(SCENES[0]["boxes"] + [[1, 2, 5, 3]])),
    "distances back": lambda d, t: d.BoxLinearCoder(False).decode(t(SCENES[0]["boxes"] / 9), t(SCENES[0]["boxes"])),
    "match": lambda d, t: d.Matcher(0.6, 0.3, True)(t(np.random.default_rng(3).random((4, 30)))),
    "match of ssd": lambda d, t: d.SSDMatcher(0.9)(t(np.random.default_rng(3).random((4, 30)))),
}


@pytest.mark.torch
@pytest.mark.parametrize("name", CODERS)
def test_coders_and_matchers(name, theirs):
    torch = pytest.importorskip("torch")
    the_same(CODERS[name](detection._utils, ringgrad.from_numpy), CODERS[name](theirs.models.detection._utils, torch.from_numpy))


@pytest.mark.torch
def test_default_boxes_and_anchors(theirs):
    torch = pytest.importorskip("torch")
    out = []
    for v, lib in ((ringgrad.vision, ringgrad), (theirs, torch)):
        d = v.models.detection
        images = d.image_list.ImageList(lib.zeros(2, 3, 40, 60), [(40, 60), (30, 50)])
        maps = [lib.zeros(2, 1, 5, 6), lib.zeros(2, 1, 2, 3)]
        out.append([d.anchor_utils.DefaultBoxGenerator([[2], [2, 3]], steps=steps, clip=clip)(images, maps) for steps, clip in (
            (None, True), ([8, 16], False))] + [d.anchor_utils.AnchorGenerator((8, 24), (0.5, 1.0))(images, maps)])
    the_same(*out, 1e-5)


def test_which_stages_learn():
    frozen = lambda model: {n.split(".")[0] for n, p in model.backbone.body.named_parameters() if not p.requires_grad}
    body = ringgrad.vision.models.resnet18(norm_layer=ringgrad.vision.ops.FrozenBatchNorm2d, num_classes=1)
    detector = detection.FasterRCNN(detection.backbone_utils._resnet_fpn_extractor(body, 2), 2, 64, 64)
    assert frozen(detector) == {"conv1", "layer1", "layer2"} and list(detector.backbone.body) == ["conv1", "bn1", "relu", "maxpool", *(
        f"layer{i}" for i in range(1, 5))]


def test_published_weights_stand_for_those_below(monkeypatch):
    source, seen = detection.fasterrcnn_mobilenet_v3_large_320_fpn(weights_backbone=None), []
    monkeypatch.setattr(ringgrad.vision.models._weights, "load_state_dict_from_url",
                        lambda url, **kwargs: (seen.append(url.rsplit("/", 1)[1]), source.state_dict())[1])
    got = detection.fasterrcnn_mobilenet_v3_large_320_fpn(weights="DEFAULT")
    assert seen == ["fasterrcnn_mobilenet_v3_large_320_fpn-907ea3f9.pth"] and len(got.state_dict()) < len(source.state_dict())
    assert not next(got.backbone.body.parameters()).requires_grad and got.transform.min_size == (320,)
    with pytest.warns(UserWarning, match="'pretrained_backbone' is deprecated"):
        detection.fasterrcnn_mobilenet_v3_large_fpn(pretrained_backbone=False, num_classes=2)
    with pytest.raises(ValueError, match="'num_classes' expected value 91 but got 3"):
        detection.ssd300_vgg16(weights="DEFAULT", num_classes=3)
    with pytest.warns(UserWarning, match="all layers are trainable"):
        detection.retinanet_resnet50_fpn(weights_backbone=None, num_classes=2, trainable_backbone_layers=2)


def wrong(name, targets, **image):
    model = DETECTORS[name](ringgrad.vision).double()
    return model(arrays([image.get("image", IMAGES[0])], ringgrad.from_numpy), targets)


BOXES = ringgrad.tensor([[0.0, 0, 9, 9]], dtype=ringgrad.float64)
BAD = [
    (lambda: wrong("ssd", None), AssertionError, "targets should not be none"),
    (lambda: wrong("ssd", [{"boxes": BOXES[0], "labels": ringgrad.tensor([1])}]), AssertionError, r"shape \[N, 4\], got \(4,\)"),
    (lambda: wrong("ssd", [{"boxes": BOXES[:, [0, 1, 0, 3]], "labels": ringgrad.tensor([1])}]), AssertionError, "positive height and width"),
    (lambda: wrong("ssd", None, image=np.zeros((3, 8, 8), np.uint8)), AssertionError, "targets"),
    (lambda: wrong("one map", [{"boxes": BOXES, "labels": ringgrad.tensor([1.0])}]), TypeError, "labels must of int64 type"),
    (lambda: wrong("one map", [{"boxes": BOXES}]), KeyError, "labels"),
    (lambda: ssd(ringgrad.vision).eval()([ringgrad.zeros(3, 8, 8, dtype=ringgrad.uint8)]), TypeError, "images to be of floating type"),
    (lambda: ssd(ringgrad.vision).eval()([ringgrad.zeros(8, 8)]), ValueError, "3d tensors of shape"),
    (lambda: detection.FasterRCNN(ringgrad.nn.Linear(1, 1), 2), ValueError, "attribute out_channels"),
    (lambda: rcnn(ringgrad.vision, num_classes=2), ValueError, "num_classes should be None when box_predictor"),
    (lambda: rcnn(ringgrad.vision, rpn_anchor_generator=3), TypeError, "AnchorGenerator or None"),
    (lambda: detection._utils.Matcher(0.5, 0.3)(ringgrad.zeros(0, 4)), ValueError, "No ground-truth boxes"),
    (lambda: detection._utils.Matcher(0.5, 0.3)(ringgrad.zeros(2, 0)), ValueError, "No proposal boxes"),
    (lambda: detection._utils.Matcher(0.1, 0.3), AssertionError, "low_threshold should be"),
    (lambda: detection.anchor_utils.DefaultBoxGenerator([[2]], steps=[1, 2]), ValueError, "same length"),
    (lambda: pyramid(ringgrad.vision, 6), ValueError, r"range \[0,5\], got 6"),
    (lambda: pyramid(ringgrad.vision, 3, [0, 1]), ValueError, r"range \[1,4\]"),
]


@pytest.mark.parametrize(("act", "error", "words"), BAD, ids=[f"{i} {row[2][:18]}" for i, row in enumerate(BAD)])
def test_wrong_use(act, error, words):
    with pytest.raises(error, match=words):
        act()


# -- segmentation and videos -------------------------------------------------------------------------------------------


def segmenting(kind):
    def make(v):
        s = v.models.segmentation
        body = v.models._utils.IntermediateLayerGetter(v.models.MobileNetV2(5, 0.25, dropout=0).features, {"3": "aux", "6": "out"})
        head = s.fcn.FCNHead(8, 3) if kind == "FCN" else s.deeplabv3.DeepLabHead(8, 3, (1, 2))
        return getattr(s, kind)(body, head, s.fcn.FCNHead(8, 3) if kind == "FCN" else None)
    return make


def lraspp(v):
    body = v.models._utils.IntermediateLayerGetter(v.models.MobileNetV2(5, 0.25, dropout=0).features, {"3": "low", "6": "high"})
    return v.models.segmentation.LRASPP(body, 8, 8, 3, 6)


def video(v):
    r = v.models.video.resnet
    return r.VideoResNet(r.BasicBlock, [r.Conv2Plus1D, r.Conv3DSimple, r.Conv3DNoTemporal, r.Conv2Plus1D], [1, 1, 1, 1], r.R2Plus1dStem, 3)


DENSE = {"fcn": (segmenting("FCN"), (2, 3, 40, 48)), "deeplab": (segmenting("DeepLabV3"), (2, 3, 48, 40)), "lraspp": (lraspp, (2, 3, 40, 40)),
         "video": (video, (2, 3, 4, 24, 24))}


@pytest.mark.torch
@pytest.mark.parametrize("training", [True, False])
@pytest.mark.parametrize("name", DENSE)
def test_outputs_and_gradients(name, training, oracle):
    torch = pytest.importorskip("torch")
    make, size = DENSE[name]
    pair = copied(make, oracle, training)
    for model in pair:
        for part in model.modules():
            part.p = 0.0 if "Dropout" in type(part).__name__ else None
    x = RNG.standard_normal(size)
    expected, got = (model(leaf(x)) for model, leaf in zip(pair, (torch.from_numpy, ringgrad.from_numpy)))
    the_same(got, expected)
    for out in (expected, got):
        sum((t * t.detach().cos()).sum() for t in (out.values() if isinstance(out, dict) else [out])).backward()
    same_gradients(pair[1], pair[0])
