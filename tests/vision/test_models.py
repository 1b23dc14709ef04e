"""Every model beside torchvision's: names and order of its state, and, with that state copied, its outputs, gradients and statistics."""
import inspect

import numpy as np
import pytest

import ringgrad
from ringgrad import nn
from ringgrad.vision import models, ops

# Run forwards and backwards, in both modes; the large models are only built.
SMALL = {
    "resnet": lambda m: m.ResNet(m.resnet.BasicBlock, [1, 1, 1, 1], num_classes=5),
    "resnext": lambda m: m.ResNet(m.resnet.Bottleneck, [1, 2, 1, 1], num_classes=5, groups=4, width_per_group=8),
    "densenet": lambda m: m.DenseNet(8, (2, 3, 2), 16, num_classes=5),
    "densenet, checkpointed": lambda m: m.DenseNet(8, (2, 2), 16, num_classes=5, memory_efficient=True),
    "mobilenet": lambda m: m.MobileNetV2(5, 0.25, dropout=0),
    "vit": lambda m: m.VisionTransformer(64, 16, 2, 4, 32, 48, num_classes=5, representation_size=20),
    "vit with a stem": lambda m: m.VisionTransformer(64, 16, 1, 2, 16, 24, num_classes=5, conv_stem_configs=[
        m.vision_transformer.ConvStemConfig(c, 3, 2) for c in (4, 8, 8, 16)]),
    "vgg features": lambda m: m.vgg.make_layers([8, "M", 16, 16, "M"], batch_norm=True),
    "squeezenet": lambda m: m.SqueezeNet("1_1", 5, dropout=0),
    "shufflenet": lambda m: m.ShuffleNetV2([1, 2, 1], [8, 16, 24, 32, 40], num_classes=5),
    "mobilenet v3": lambda m: m.mobilenet_v3_small(width_mult=0.25, dilated=True, num_classes=5, dropout=0),
    "mnasnet": lambda m: m.MNASNet(0.25, num_classes=5, dropout=0),
    "efficientnet": lambda m: m.EfficientNet([m.efficientnet.MBConvConfig(1, 3, 1, 8, 8, 1), m.efficientnet.MBConvConfig(4, 5, 2, 8, 16, 2)],
                                             0, 0, 5),
    "efficientnet v2": lambda m: m.EfficientNet([m.efficientnet.FusedMBConvConfig(1, 3, 1, 8, 8, 1),
                                                 m.efficientnet.FusedMBConvConfig(4, 3, 2, 8, 16, 2)], 0, 0, 5, last_channel=24),
    "convnext": lambda m: m.ConvNeXt([m.convnext.CNBlockConfig(8, 16, 1), m.convnext.CNBlockConfig(16, None, 2)], 0, 0.5, 5),
    "regnet": lambda m: m.RegNet(m.regnet.BlockParams.from_init_params(4, 16, 12.0, 2.2, 8, se_ratio=0.25), 5),
    "swin": lambda m: m.SwinTransformer([4, 4], 16, [2, 1], [2, 4], [5, 7], stochastic_depth_prob=0, num_classes=5),
    "swin v2": lambda m: m.SwinTransformer([2, 4], 8, [2, 2], [2, 4], [5, 3], stochastic_depth_prob=0, num_classes=5,
                                           block=m.swin_transformer.SwinTransformerBlockV2, downsample_layer=m.swin_transformer.PatchMergingV2),
}
SIZES = dict.fromkeys(("squeezenet", "mobilenet v3", "mnasnet", "efficientnet", "efficientnet v2", "regnet", "swin v2"), 40)
UNFILLED = {"googlenet": {"init_weights": False}, "inception_v3": {"init_weights": False}}  # without it torchvision warns
UNFILLED.update({name: {"weights_backbone": None} for part in (models.detection, models.segmentation) for name in models.list_models(part)})


@pytest.fixture
def nothing_is_drawn(monkeypatch):
    """Weights stay as memory was, so that the largest models are built at once."""
    for name in ("kaiming_uniform_", "kaiming_normal_", "xavier_uniform_", "uniform_", "normal_", "trunc_normal_", "zeros_", "ones_", "constant_"):
        monkeypatch.setattr(nn.init, name, lambda tensor, *args, **kwargs: tensor)


@pytest.fixture
def regnets_of_numbers(theirs, monkeypatch):
    """torchvision computes their widths by tensors, which need values where models are built without."""
    torch = pytest.importorskip("torch")
    plan = theirs.models.regnet.BlockParams.from_init_params

    def with_values(**options):
        with torch.device("cpu"):
            return plan(**options)
    monkeypatch.setattr(theirs.models.regnet.BlockParams, "from_init_params", with_values)


@pytest.mark.slow
@pytest.mark.torch
@pytest.mark.parametrize("name", models.list_models())
def test_state(name, theirs, nothing_is_drawn, regnets_of_numbers):
    torch = pytest.importorskip("torch")
    with torch.device("meta"):
        expected = theirs.models.get_model(name, num_classes=7, **UNFILLED.get(name, {})).state_dict()
    got = models.get_model(name, num_classes=7, **UNFILLED.get(name, {})).state_dict()
    assert [(k, tuple(v.shape)) for k, v in got.items()] == [(k, tuple(v.shape)) for k, v in expected.items()]


@pytest.mark.torch
@pytest.mark.parametrize("training", [True, False])
@pytest.mark.parametrize("name", SMALL)
def test_outputs_gradients_and_statistics(name, training, theirs):
    torch = pytest.importorskip("torch")
    torch.manual_seed(0)
    a, b = SMALL[name](theirs.models).double().train(training), SMALL[name](models).double().train(training)
    b.load_state_dict({k: ringgrad.from_numpy(v.numpy().copy()) for k, v in a.state_dict().items()})
    x = np.random.default_rng(0).standard_normal((2, 3, *[SIZES.get(name, 64)] * 2))
    expected, got = ([out] if hasattr(out, "backward") else out for out in (a(torch.from_numpy(x)), b(ringgrad.from_numpy(x))))
    for one, other in zip(got, expected):
        np.testing.assert_allclose(one.detach().numpy(), other.detach().numpy(), rtol=1e-8, atol=1e-9)
    for outs in (expected, got):
        sum((out * out.detach().cos()).sum() for out in outs).backward()
    largest = max(float(p.grad.abs().max()) for p in a.parameters() if p.grad is not None)
    for (key, p), q in zip(a.named_parameters(), b.parameters()):
        if p.grad is None:
            assert q.grad is None, key
            continue
        np.testing.assert_allclose(q.grad.numpy(), p.grad.numpy(), rtol=1e-6, atol=1e-9 * largest, err_msg=key)
    for (key, p), q in zip(a.named_buffers(), b.buffers()):
        np.testing.assert_allclose(q.numpy(), p.numpy(), rtol=1e-8, atol=1e-9, err_msg=key)


@pytest.mark.torch
@pytest.mark.parametrize("name", ["alexnet", "googlenet", "inception_v3"])
def test_models_without_a_small_form(name, theirs):
    torch = pytest.importorskip("torch")
    a, b = (vision.models.get_model(name, num_classes=5, **UNFILLED.get(name, {})).eval() for vision in (theirs, ringgrad.vision))
    b.load_state_dict({k: ringgrad.from_numpy(v.detach().numpy()) for k, v in a.state_dict().items()})
    x = np.random.default_rng(0).standard_normal((1, 3, 75, 75)).astype(np.float32)
    with torch.no_grad(), ringgrad.no_grad():
        np.testing.assert_allclose(b(ringgrad.from_numpy(x)).numpy(), a(torch.from_numpy(x)).numpy(), atol=1e-5)


@pytest.mark.torch
@pytest.mark.parametrize("name", ["resnet50", "mobilenet_v2", "densenet121", "vit_b_16", "vgg11", "alexnet", "squeezenet1_0", "shufflenet_v2_x0_5",
                                  "mobilenet_v3_large", "mnasnet0_5", "efficientnet_b5", "efficientnet_v2_s", "convnext_tiny", "regnet_y_400mf",
                                  "swin_t", "swin_v2_t", "googlenet", "inception_v3"])
def test_constructors(name, theirs, nothing_is_drawn):
    """Classes take torchvision's arguments, with its defaults, and print as its do."""
    ours, other = (vision.models.get_model(name, num_classes=3, **UNFILLED.get(name, {})) for vision in (ringgrad.vision, theirs))
    assert repr(ours) == repr(other)

    def signature(model):
        return [(p.name, p.default if isinstance(p.default, (int, float, type(None), tuple)) else None)
                for p in inspect.signature(type(model).__init__).parameters.values()]
    assert signature(ours) == signature(other)


@pytest.mark.torch
def test_initial_weights_have_the_same_spread(theirs):
    for name in ("resnet18", "mobilenet_v2", "densenet121", "squeezenet1_1", "mnasnet0_5", "efficientnet_b0", "convnext_tiny", "regnet_x_400mf"):
        a, b = theirs.models.get_model(name, num_classes=10), models.get_model(name, num_classes=10)
        for (key, p), q in zip(a.named_parameters(), b.parameters()):
            if p.numel() >= 1000:
                np.testing.assert_allclose(q.std().item(), p.std().item(), rtol=0.15, atol=1e-6, err_msg=f"{name} {key}")
            elif p.numel() > 1 and float(p.detach().std()) == 0:
                assert q.tolist() == p.tolist(), f"{name} {key}"


@pytest.mark.torch
def test_options_of_resnet(theirs):
    for config in ({"zero_init_residual": True}, {"replace_stride_with_dilation": [False, True, True]}, {"groups": 2, "width_per_group": 32}):
        ours, other = models.resnet50(num_classes=3, **config), theirs.models.resnet50(num_classes=3, **config)
        assert repr(ours) == repr(other) and ours.layer1[0].bn3.weight.sum().item() == other.layer1[0].bn3.weight.sum().item()
    x = ringgrad.randn(1, 3, 64, 64)
    assert models.resnet50(replace_stride_with_dilation=[False, True, True], num_classes=3).eval()(x).shape == (1, 3)


@pytest.mark.torch
def test_weights_are_named_and_found_as_there(theirs):
    for name in models.list_models():
        ours, other = models.get_model_weights(name), theirs.models.get_model_weights(name)
        assert ours.__name__ == other.__name__ and [(m.name, m.url) for m in ours] == [(m.name, m.url) for m in other]
        for key in ("min_size", "categories"):
            assert [m.meta[key] for m in ours] == [m.meta[key] for m in other], name
        assert [repr(m.transforms()) for m in ours] == [repr(m.transforms()) for m in other]
        assert ours.DEFAULT.name == other.DEFAULT.name and repr(ours.DEFAULT) == repr(other.DEFAULT)
    assert len(models.list_models()) > 70 and set(models.list_models()) <= set(theirs.models.list_models())
    assert models.get_weight("ResNet50_Weights.IMAGENET1K_V2") is models.ResNet50_Weights.DEFAULT


@pytest.mark.parametrize("how", [{"weights": "DEFAULT"}, {"weights": models.AlexNet_Weights.IMAGENET1K_V1}, {"pretrained": True}])
def test_weights_that_are_on_the_disk(how, tmp_path, monkeypatch):
    source = models.alexnet()
    monkeypatch.setattr(models._weights, "load_state_dict_from_url", lambda url, **kwargs: (seen.append(url), source.state_dict())[1])
    seen = []
    if "pretrained" in how:
        with pytest.warns(UserWarning, match="'pretrained' is deprecated"):
            got = models.alexnet(**how)
    else:
        got = models.alexnet(**how)
    assert seen == ["https://download.pytorch.org/models/alexnet-owt-7be5be79.pth"]
    assert got.classifier[6].weight.tolist() == source.classifier[6].weight.tolist()


def test_old_names_in_published_densenets():
    assert list(models.densenet._renamed({"features.denseblock1.denselayer2.norm.1.weight": 1, "features.norm5.bias": 2})) == \
        ["features.denseblock1.denselayer2.norm1.weight", "features.norm5.bias"]


def test_lists():
    assert models.list_models(include="resnet*", exclude=["resnet1*"]) == ["resnet34", "resnet50"]
    assert models.get_model_builder("ResNet18") is models.resnet18
    parts = (models, models.detection, models.segmentation, models.video)
    assert sorted(name for part in parts for name in models.list_models(module=part)) == models.list_models()


def test_models_of_ones_own(monkeypatch):
    monkeypatch.setattr(models._build, "BUILDERS", dict(models._build.BUILDERS))
    models._build.register_model("mine")(lambda **options: options)
    assert "mine" in models.list_models(include="m*e") and models.get_model("mine", width=3) == {"width": 3}
    with pytest.raises(ValueError, match="already registered under the name 'mine'"):
        models._build.register_model("mine")(print)
    with pytest.raises(ValueError, match="has no enumeration of weights"):
        models.get_model_weights("mine")


def test_classifiers_in_the_middle(nothing_is_drawn):
    x = ringgrad.zeros(2, 3, 32, 32)
    out = models.googlenet(num_classes=3)(x)
    assert out._fields == ("logits", "aux_logits2", "aux_logits1") and [tuple(t.shape) for t in out] == [(2, 3)] * 3
    assert models.googlenet(num_classes=3, aux_logits=False).aux1 is None and models.googlenet(num_classes=3).eval()(x).shape == (2, 3)


@pytest.mark.parametrize(("name", "kept"), [("googlenet", False), ("inception_v3", True)])
def test_published_files_hold_the_classifiers_in_the_middle(name, kept, monkeypatch, nothing_is_drawn):
    state = models.get_model(name, init_weights=False).state_dict()
    monkeypatch.setattr(models._weights, "load_state_dict_from_url", lambda url, **kwargs: state)
    for aux in (None, True, False):
        model = models.get_model(name, weights="DEFAULT", **({} if aux is None else {"aux_logits": aux}))
        assert model.transform_input and model.aux_logits == (kept if aux is None else aux)
        assert ("AuxLogits.fc.weight" in model.state_dict() or "aux2.fc2.weight" in model.state_dict()) == model.aux_logits


def test_intermediate_layers():
    body = models.resnet18(num_classes=3).eval()
    getter = models._utils.IntermediateLayerGetter(body, {"layer1": "low", "layer3": 2})
    out = getter(ringgrad.zeros(1, 3, 32, 32))
    assert {k: tuple(v.shape) for k, v in out.items()} == {"low": (1, 64, 8, 8), "2": (1, 256, 2, 2)}
    assert list(getter) == ["conv1", "bn1", "relu", "maxpool", "layer1", "layer2", "layer3"]
    with pytest.raises(ValueError, match="not present in model: layer9"):
        models._utils.IntermediateLayerGetter(body, {"layer9": "x"})


@pytest.mark.torch
@pytest.mark.parametrize("nodes", [{"layer1": "low", "layer4.1.relu_1": "high"}, ["avgpool", "layer2.0.conv1"], {"fc": "out"}])
def test_features_from_within(nodes, theirs):
    torch = pytest.importorskip("torch")
    other, ours = (v.models.resnet18(num_classes=3).eval() for v in (theirs, ringgrad.vision))
    ours.load_state_dict({k: ringgrad.from_numpy(v.numpy().copy()) for k, v in other.state_dict().items()})
    x = np.random.default_rng(0).standard_normal((1, 3, 40, 40)).astype(np.float32)
    from torchvision.models.feature_extraction import create_feature_extractor
    expected = create_feature_extractor(other, nodes)(torch.from_numpy(x))
    extractor = models.feature_extraction.create_feature_extractor(ours, nodes)
    got = extractor(ringgrad.from_numpy(x))
    assert list(got) == list(expected)
    for key, value in expected.items():
        np.testing.assert_allclose(got[key].detach().numpy(), value.detach().numpy(), atol=1e-5)
    assert list(extractor.state_dict()) == list(ours.state_dict()) and not any(m._forward_hooks for m in ours.modules())


def test_features_in_each_mode():
    model = nn.Sequential(nn.Linear(2, 2), nn.ReLU(), nn.Linear(2, 2))
    extractor = models.feature_extraction.create_feature_extractor(model, train_return_nodes=["1"], eval_return_nodes={"0": "first"})
    assert list(extractor(ringgrad.ones(1, 2))) == ["1"] and list(extractor.eval()(ringgrad.ones(1, 2))) == ["first"] and not model.training
    assert models.feature_extraction.get_graph_node_names(model)[0] == ["0", "1", "2"]
    wrong = [({}, "should be specified"), ({"return_nodes": ["0"], "eval_return_nodes": ["0"]}, "should not be"),
             ({"return_nodes": ["add"]}, "'add' is not present in model")]
    for arguments, words in wrong:
        with pytest.raises(ValueError, match=words):
            models.feature_extraction.create_feature_extractor(model, **arguments)
    with pytest.raises(ValueError, match="ended without 1_1"):
        models.feature_extraction.create_feature_extractor(model, ["1_1"])(ringgrad.ones(1, 2))


BAD = [
    (lambda: models.get_model("resnet19"), ValueError, "Unknown model resnet19"),
    (lambda: models.get_weight("ResNet18_Weights.V9"), ValueError, "not there"),
    (lambda: models.resnet18(weights=models.AlexNet_Weights.DEFAULT), TypeError, "expected ResNet18_Weights but received AlexNet_Weights"),
    (lambda: models.resnet18(weights="NONE"), KeyError, "NONE"),
    (lambda: models.alexnet(weights="DEFAULT", num_classes=3), ValueError, "'num_classes' expected value 1000 but got 3"),
    (lambda: models.ResNet(models.resnet.BasicBlock, [1, 1, 1, 1], groups=2), ValueError, "only supports groups=1"),
    (lambda: models.resnext50_32x4d(groups=3), ValueError, "'groups' expected value 32 but got 3"),
    (lambda: models.VisionTransformer(30, 16, 1, 1, 8, 8), AssertionError, "indivisible by patch size"),
    (lambda: models.VisionTransformer(64, 16, 1, 1, 8, 8)(ringgrad.zeros(1, 3, 32, 64)), AssertionError, "Expected 64 but got 32"),
    (lambda: models.MobileNetV2(inverted_residual_setting=[]), ValueError, "non-empty"),
    (lambda: ops.stochastic_depth(ringgrad.ones(2), 2, "row"), ValueError, "between 0 and 1, but got 2"),
    (lambda: ops.stochastic_depth(ringgrad.ones(2), 0.5, "column"), ValueError, "'batch' or 'row', but got column"),
]


@pytest.mark.parametrize(("act", "error", "words"), BAD, ids=[row[2][:20] for row in BAD])
def test_wrong_use(act, error, words):
    with pytest.raises(error, match=words):
        act()


@pytest.mark.torch
def test_embeddings_for_another_size(theirs):
    torch = pytest.importorskip("torch")
    state = np.random.default_rng(0).standard_normal((1, 17, 6)).astype(np.float32)
    expected, got = (make(96, 16, {"encoder.pos_embedding": tensor(state.copy()), "heads.x": 1}, reset_heads=True) for make, tensor in (
        (theirs.models.vision_transformer.interpolate_embeddings, torch.from_numpy), (models.interpolate_embeddings, ringgrad.from_numpy)))
    assert list(got) == list(expected)
    np.testing.assert_allclose(got["encoder.pos_embedding"].numpy(), expected["encoder.pos_embedding"].numpy(), atol=1e-5)
