"""AutoAugment and its kin beside torchvision's, under the same draws."""
import numpy as np
import pytest
from PIL import Image

import ringgrad
from ringgrad.vision import transforms as T
from ringgrad.vision.transforms import autoaugment

Y, X = np.mgrid[0:32, 0:40]
PIXELS = (np.stack([X * 6, Y * 7, (X + Y) * 3]) + np.random.default_rng(1).integers(0, 20, (3, 32, 40))).astype(np.uint8)
ROWS = [("AutoAugment", (), {"policy": "IMAGENET"}), ("AutoAugment", (), {"policy": "CIFAR10", "fill": 5, "interpolation": "BILINEAR"}),
        ("AutoAugment", (), {"policy": "SVHN", "fill": [1, 2, 3]}), ("RandAugment", (), {}), ("RandAugment", (4, 20, 25), {"fill": 9}),
        ("TrivialAugmentWide", (), {}), ("TrivialAugmentWide", (10,), {"interpolation": "BILINEAR"}), ("AugMix", (), {}),
        ("AugMix", (5, 2, 2, 0.5, False), {"fill": [3.0, 4.0, 5.0]})]


def made(T, name, args, keys):
    spelled = {"policy": getattr(T.AutoAugmentPolicy, keys["policy"])} if "policy" in keys else {}
    if "interpolation" in keys:
        spelled["interpolation"] = getattr(T.InterpolationMode, keys["interpolation"])
    return getattr(T, name)(*args, **{**keys, **spelled})


@pytest.mark.torch
@pytest.mark.parametrize("kind", ["pillow", "tensor"])
@pytest.mark.parametrize(("name", "args", "keys"), ROWS, ids=[f"{row[0]} {row[2]}" for row in ROWS])
def test_with_the_same_chance(name, args, keys, kind, theirs, chance):
    torch = pytest.importorskip("torch")
    ringgrad.manual_seed(21)
    mine, other = made(T, name, args, keys), made(theirs.transforms, name, args, keys)
    assert repr(mine) == repr(other)
    for _ in range(12):
        images = [Image.fromarray(PIXELS.transpose(1, 2, 0))] * 2 if kind == "pillow" else [ringgrad.from_numpy(PIXELS), torch.from_numpy(PIXELS)]
        got, expected = chance(mine, other, *images)
        got, expected = (np.asarray(x) if kind == "pillow" else x.numpy() for x in (got, expected))
        assert got.shape == expected.shape and got.dtype == expected.dtype
        off = np.abs(got.astype(int) - expected.astype(int))  # the strengths of both libraries differ by the last bit
        assert (off > 2).mean() <= (0.0 if kind == "pillow" and name != "AugMix" else 0.02) and (off > 0).mean() < (0.02 if kind == "pillow" else 0.2)


@pytest.mark.torch
def test_policies(theirs):
    for policy in T.AutoAugmentPolicy:
        assert T.AutoAugment(policy).policies == theirs.transforms.AutoAugment(theirs.transforms.AutoAugmentPolicy(policy.value)).policies


@pytest.mark.torch
@pytest.mark.parametrize(("name", "args"), [("AutoAugment", (10, (30, 50))), ("RandAugment", (31, (30, 50))), ("TrivialAugmentWide", (31,)),
                                            ("AugMix", (10, (30, 50)))])
def test_spaces(name, args, theirs):
    """The magnitudes of each strength, and the order in which operations are numbered."""
    mine, other = getattr(T, name)()._augmentation_space(*args), getattr(theirs.transforms, name)()._augmentation_space(*args)
    assert list(mine) == list(other)
    for operation, (magnitudes, signed) in other.items():
        assert mine[operation][1] == signed
        np.testing.assert_allclose(mine[operation][0].numpy(), magnitudes.numpy(), rtol=1e-6)


def test_every_operation_is_reached():
    """Each operation of the space is drawn about as often, and both signs are."""
    ringgrad.manual_seed(8)
    steps = [T.TrivialAugmentWide().steps((32, 32))[0] for _ in range(1400)]
    counts = {name: [m for n, m in steps if n == name] for name, _ in steps}
    assert len(counts) == 14 and all(60 < len(found) < 145 for found in counts.values())
    assert min(counts["Rotate"]) < -100 and max(counts["Rotate"]) > 100


@pytest.mark.torch
def test_a_batch_is_mixed_image_by_image(theirs, chance):
    torch = pytest.importorskip("torch")
    both = np.stack([PIXELS, 255 - PIXELS])
    got, expected = chance(T.AugMix(), theirs.transforms.AugMix(), ringgrad.from_numpy(both), torch.from_numpy(both))
    assert (np.abs(got.numpy().astype(int) - expected.numpy().astype(int)) > 2).mean() < 0.02


def test_wrong_use():
    with pytest.raises(ValueError, match="policy imagenet is not recognized"):
        T.AutoAugment("imagenet")
    with pytest.raises(ValueError, match=r"between \[1, 10\]. Got 11"):
        T.AugMix(severity=11)
    with pytest.raises(ValueError, match="operator Blur is not recognized"):
        autoaugment.apply_operation(ringgrad.zeros(3, 4, 4), "Blur", 0.0, T.InterpolationMode.NEAREST, None)
