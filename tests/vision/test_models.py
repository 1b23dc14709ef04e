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
}


@pytest.fixture
def nothing_is_drawn(monkeypatch):
    """Weights stay as memory was, so that the largest models are built at once."""
    for name in ("kaiming_uniform_", "kaiming_normal_", "xavier_uniform_", "uniform_", "normal_", "trunc_normal_", "zeros_", "ones_", "constant_"):
        monkeypatch.setattr(nn.init, name, lambda tensor, *args, **kwargs: tensor)


@pytest.mark.torch
@pytest.mark.parametrize("name", models.list_models())
def test_state(name, theirs, nothing_is_drawn):
    torch = pytest.importorskip("torch")
    with torch.device("meta"):
        expected = theirs.models.get_model(name, num_classes=7).state_dict()
    got = models.get_model(name, num_classes=7).state_dict()
    assert [(k, tuple(v.shape)) for k, v in got.items()] == [(k, tuple(v.shape)) for k, v in expected.items()]


@pytest.mark.torch
@pytest.mark.parametrize("training", [True, False])
@pytest.mark.parametrize("name", SMALL)
def test_outputs_gradients_and_statistics(name, training, theirs):
    torch = pytest.importorskip("torch")
    torch.manual_seed(0)
    a, b = SMALL[name](theirs.models).double().train(training), SMALL[name](models).double().train(training)
    b.load_state_dict({k: ringgrad.from_numpy(v.numpy().copy()) for k, v in a.state_dict().items()})
    x = np.random.default_rng(0).standard_normal((2, 3, 64, 64))
    expected, got = a(torch.from_numpy(x)), b(ringgrad.from_numpy(x))
    np.testing.assert_allclose(got.detach().numpy(), expected.detach().numpy(), rtol=1e-8, atol=1e-9)
    for out in (expected, got):
        (out * out.detach().cos()).sum().backward()
    largest = max(float(p.grad.abs().max()) for p in a.parameters())
    for (key, p), q in zip(a.named_parameters(), b.parameters()):
        np.testing.assert_allclose(q.grad.numpy(), p.grad.numpy(), rtol=1e-6, atol=1e-9 * largest, err_msg=key)
    for (key, p), q in zip(a.named_buffers(), b.buffers()):
        np.testing.assert_allclose(q.numpy(), p.numpy(), rtol=1e-8, atol=1e-9, err_msg=key)


@pytest.mark.torch
@pytest.mark.parametrize("name", ["alexnet"])
def test_models_that_are_mostly_classifier(name, theirs):
    torch = pytest.importorskip("torch")
    a, b = theirs.models.get_model(name, num_classes=5).eval(), models.get_model(name, num_classes=5).eval()
    b.load_state_dict({k: ringgrad.from_numpy(v.detach().numpy()) for k, v in a.state_dict().items()})
    x = np.random.default_rng(0).standard_normal((1, 3, 64, 64)).astype(np.float32)
    with torch.no_grad(), ringgrad.no_grad():
        np.testing.assert_allclose(b(ringgrad.from_numpy(x)).numpy(), a(torch.from_numpy(x)).numpy(), atol=1e-5)


@pytest.mark.torch
@pytest.mark.parametrize("name", ["resnet50", "mobilenet_v2", "densenet121", "vit_b_16", "vgg11", "alexnet"])
def test_constructors(name, theirs, nothing_is_drawn):
    """Classes take torchvision's arguments, with its defaults, and print as its do."""
    ours, other = models.get_model(name, num_classes=3), theirs.models.get_model(name, num_classes=3)
    assert repr(ours) == repr(other)

    def signature(model):
        return [(p.name, p.default if isinstance(p.default, (int, float, type(None), tuple)) else None)
                for p in inspect.signature(type(model).__init__).parameters.values()]
    assert signature(ours) == signature(other)


@pytest.mark.torch
def test_initial_weights_have_the_same_spread(theirs):
    for name in ("resnet18", "mobilenet_v2", "densenet121"):
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
        assert ours.DEFAULT.name == other.DEFAULT.name and repr(ours.DEFAULT) == repr(other.DEFAULT)
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
    assert models.list_models(module=models) == models.list_models()


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
