"""Public vision programs run unmodified and reach what they reach under torch: the same losses from the same weights (marker `torch`).

RINGGRAD_PROGRAMS names the folder that holds them (tests/compat/programs.py says how); without it every test here is skipped.
"""
import functools
import importlib.util
import os
import pickle
import struct

import numpy as np
import pytest

from .programs import HERE, copy_of, program, run, values

pytestmark = pytest.mark.torch
SAME = os.path.join(HERE, "same_vision.py")


@functools.cache
def have_oracle():
    """PIL.Image; skips where there is nothing to compare with."""
    for name in ("torch", "torchvision"):  # found, not imported: its operators may have been compiled for another torch
        if importlib.util.find_spec(name) is None:
            pytest.skip(f"{name}, which these programs are written for, is not installed")
    return pytest.importorskip("PIL.Image", reason="Pillow, an optional library, is not installed")


# -- data --------------------------------------------------------------------------------------------------------------


def scenes(count, height, width, channels=3):
    """Pictures with a shape that depends on their number: (count, height, width, channels) of uint8."""
    rng, (y, x) = np.random.default_rng(3), np.mgrid[:height, :width]
    waves = [np.sin(x / (3 + k % 5))[..., None] + np.cos(y / (4 + k % 3))[..., None] * rng.random(channels) for k in range(count)]
    return np.clip(np.stack(waves) * 60 + 120 + rng.standard_normal((count, height, width, channels)) * 10, 0, 255).astype(np.uint8)


def write_mnist(folder, train=320, test=64):
    """MNIST's files under `folder`/MNIST/raw."""
    raw = folder / "MNIST" / "raw"
    raw.mkdir(parents=True)
    for part, count in (("train", train), ("t10k", test)):
        (raw / f"{part}-images-idx3-ubyte").write_bytes(struct.pack(">iiii", 2051, count, 28, 28) + scenes(count, 28, 28, 1).tobytes())
        (raw / f"{part}-labels-idx1-ubyte").write_bytes(struct.pack(">ii", 2049, count) + bytes(k % 10 for k in range(count)))


def write_pictures(folder, classes=2, each=6, size=(72, 80)):
    """`folder`/class/number.png."""
    Image = have_oracle()  # noqa: N806
    for k, picture in enumerate(scenes(classes * each, *size)):
        path = folder / f"kind{k % classes}" / f"{k}.png"
        path.parent.mkdir(parents=True, exist_ok=True)
        Image.fromarray(picture).save(path)


def write_cifar(folder, each=3):
    """CIFAR-10 of 5 * `each` pictures: pickles, which torchvision reads, and the binary files, which ringgrad reads where digests differ."""
    packed, plain = folder / "cifar-10-batches-py", folder / "cifar-10-batches-bin"
    packed.mkdir(parents=True)
    plain.mkdir()
    names = [f"class{k}" for k in range(10)]
    for b, name in enumerate(["data_batch_1", "data_batch_2", "data_batch_3", "data_batch_4", "data_batch_5", "test_batch"]):
        planes = scenes(each + b, 32, 32)[b:].transpose(0, 3, 1, 2).reshape(each, -1)
        labels = [(b + k) % 10 for k in range(each)]
        (packed / name).write_bytes(pickle.dumps({"data": planes, "labels": labels}))
        (plain / f"{name}.bin").write_bytes(np.concatenate([np.array(labels, np.uint8)[:, None], planes], 1).tobytes())
    (packed / "batches.meta").write_bytes(pickle.dumps({"label_names": names}))
    (plain / "batches.meta.txt").write_text("\n".join(names) + "\n")


# -- programs with a command line --------------------------------------------------------------------------------------


def digits(at):
    write_mnist(at / "data")


def digits_within(at):
    write_mnist(at / "mnist_forward_forward" / "data")


def pictures(at):
    write_pictures(at / "pictures" / "train")
    write_pictures(at / "pictures" / "val")


def photographs(at):
    for part in ("train", "test"):
        write_pictures(at / "super_resolution" / "dataset" / "BSDS300" / "images", 1, 4, (260, 270))
        os.rename(at / "super_resolution" / "dataset" / "BSDS300" / "images" / "kind0",
                  at / "super_resolution" / "dataset" / "BSDS300" / "images" / part)


def small_cifar(at):
    """With a `stty` that answers where there is no terminal: the program asks it for the width at its import."""
    write_cifar(at / "pytorch-cifar" / "data")
    stty = at / "bin" / "stty"
    stty.parent.mkdir()
    stty.write_text("#!/bin/sh\necho 24 80\n")
    stty.chmod(0o755)


# (program, what makes its data, optimizer steps, relative tolerance of the losses, command line)
COMMANDS = {
    "mnist": ("examples/mnist", digits, 0, 2e-3, "main.py --epochs 1 --lr 0.01 --no-accel --save-model"),
    "mnist_rnn": ("examples/mnist_rnn", digits, 0, 1e-4, "main.py --epochs 1"),
    "siamese": ("examples/siamese_network", digits, 3, 1e-3, "main.py --epochs 1 --batch-size 8 --lr 0.01"),
    "vae": ("examples/vae", digits, 2, 1e-4, "main.py --epochs 1"),
    "dcgan, digits": ("examples/dcgan", digits, 8, 1e-4, "main.py --dataset mnist --dataroot ../data --batchSize 8 --ngf 8 --ndf 8 --niter 1"),
    "dcgan, folder": ("examples/dcgan", pictures, 8, 1e-4, "main.py --dataset folder --dataroot ../pictures/train --batchSize 4 --ngf 8 --ndf 8"),
    "super_resolution": ("examples/super_resolution", photographs, 0, 1e-4,
                         "main.py --upscale_factor 4 --batchSize 2 --nEpochs 1 --lr 0.001 --threads 0"),
    "imagenet": ("examples/imagenet", pictures, 0, 5e-3, "main.py -a resnet18 -b 4 --epochs 1 --lr 0.001 -j 2 ../pictures"),
    "cifar": ("pytorch-cifar", small_cifar, 2, 5e-3, "main.py --lr 0.001"),
}


@pytest.mark.parametrize("name", COMMANDS)
def test_the_same_losses(name, tmp_path):
    folder, make_data, steps, tolerance, command = COMMANDS[name]
    program(folder)
    have_oracle()
    losses = {}
    for under in ("torch", "ringgrad"):
        at = tmp_path / under
        at.mkdir()
        here = copy_of(folder, at)
        make_data(at)
        out = run(SAME, steps, *command.split(), under=under, cwd=here, PATH=f"{at / 'bin'}{os.pathsep}{os.environ['PATH']}")
        losses[under] = values(out)
    assert len(losses["torch"]) > 1
    assert losses["ringgrad"] == pytest.approx(losses["torch"], rel=tolerance, abs=1e-4)


def test_mnist_hogwild_on_two_processes(tmp_path):
    here = copy_of("examples/mnist_hogwild", tmp_path)
    have_oracle()
    digits(tmp_path)
    out = run("main.py", "--epochs", 2, "--dry-run", under="ringgrad", cwd=here)
    assert out.count("Train Epoch: 2") == 2 and "Test set: Average loss" in out


def test_mnist_forward_forward(tmp_path):
    here = copy_of("examples/mnist_forward_forward", tmp_path)
    have_oracle()
    digits_within(tmp_path)
    out = run("main.py", "--epochs", 8, "--train_size", 200, "--test_size", 64, under="ringgrad", cwd=here)
    assert "train error:" in out and "test error:" in out


# -- programs that are libraries: a script that uses them ----------------------------------------------------------------

CIFAR_MODELS = """
import sys, zlib
import numpy as np, torch
import models
makers = dict(VGG16=lambda: models.VGG("VGG16"), ResNet18=models.ResNet18, ResNet50=models.ResNet50, PreActResNet18=models.PreActResNet18,
              GoogLeNet=models.GoogLeNet, DenseNet=models.densenet_cifar, ResNeXt29=models.ResNeXt29_2x64d, MobileNet=models.MobileNet,
              MobileNetV2=models.MobileNetV2, DPN26=models.DPN26, SENet18=models.SENet18, ShuffleNetV2=lambda: models.ShuffleNetV2(0.5),
              EfficientNetB0=models.EfficientNetB0, RegNetX=models.RegNetX_200MF, RegNetY=models.RegNetY_400MF, PNASNetA=models.PNASNetA,
              DLA=models.DLA, SimpleDLA=models.SimpleDLA, LeNet=models.LeNet)
models.efficientnet.drop_connect = lambda x, ratio: x
torch.nn.functional.dropout = lambda x, p=0.5, training=True, inplace=False: x
x = torch.from_numpy(np.random.default_rng(0).standard_normal((2, 3, 32, 32))).requires_grad_()
for name, make in makers.items():
    net = make().double()
    for key, p in net.named_parameters():
        draws = np.random.default_rng(zlib.crc32(key.encode()))
        bound = p[0].numel() ** -0.5
        values = draws.uniform(-bound, bound, tuple(p.shape)) + (1 if p.dim() == 1 and key.endswith("weight") else 0)
        p.data.copy_(torch.from_numpy(values))
    out = net(x)
    (gradient,) = torch.autograd.grad(out.sin().sum(), x, retain_graph=True)
    out.sin().sum().backward()
    numbers = [out.sum(), gradient.abs().sum(), *(p.grad.abs().sum() for p in list(net.parameters())[:3]), net.eval()(x).sum()]
    print(*[f"{name} {v.item():.10g}" for v in numbers], len(net.state_dict()), sep="\\nvalue ", file=sys.stderr)
"""

SSD = """
import sys
import torch, torchvision
import same_start
make = torchvision.models.vgg16
torchvision.models.vgg16 = lambda pretrained: make(num_classes=10)
from model import SSD300, MultiBoxLoss
same_start.draw_from_numpy()
model = SSD300(n_classes=4)
images = torch.rand(1, 3, 300, 300)
boxes = [torch.tensor([[0.1, 0.1, 0.4, 0.5], [0.5, 0.4, 0.9, 0.8], [0.2, 0.6, 0.3, 0.75]])]
labels = [torch.tensor([1, 2, 3])]
locations, scores = model(images)
loss = MultiBoxLoss(priors_cxcy=model.priors_cxcy)(locations, scores, boxes, labels)
loss.backward()
found, kinds, certain = model.detect_objects(locations.detach(), scores.detach(), min_score=0.01, max_overlap=0.45, top_k=20)
for v in (loss, locations.abs().sum(), scores.abs().sum(), found[0].sum(), certain[0].sum(), kinds[0].sum(),
          *(p.grad.abs().sum() for p in list(model.parameters())[:4])):
    print(f"value {v.item():.8g}", file=sys.stderr)
"""

YOLO = """
import sys
import torch
import same_start
from pytorchyolo.models import load_model
from pytorchyolo.utils.loss import compute_loss
from pytorchyolo.utils.utils import rescale_boxes
same_start.draw_from_numpy()
model = load_model("config/yolov3-tiny.cfg")
optimizer = torch.optim.Adam(model.parameters(), lr=1e-4)
images = torch.rand(2, 3, 96, 96)
targets = torch.tensor([[0, 1, 0.3, 0.4, 0.2, 0.3], [0, 2, 0.7, 0.6, 0.3, 0.2], [1, 0, 0.5, 0.5, 0.4, 0.6]])
for step in range(3):
    loss, parts = compute_loss(model(images), targets, model)
    optimizer.zero_grad()
    loss.backward()
    optimizer.step()
    print(f"value {loss.item():.8g}", *[f"value {p:.8g}" for p in parts.tolist()], sep="\\n", file=sys.stderr)
model.eval()
with torch.no_grad():
    found = model(images)
print(f"value {found.abs().sum().item():.8g}\\nvalue {rescale_boxes(found[0, :5, :4].clone(), 96, (48, 64)).sum().item():.8g}", file=sys.stderr)
"""

FACES = """
import sys
import numpy as np, torch
import same_start
from models.inception_resnet_v1 import InceptionResnetV1
from models.utils.training import accuracy
same_start.draw_from_numpy()
net = InceptionResnetV1(classify=True, num_classes=4, dropout_prob=0.0).double()
optimizer = torch.optim.SGD(net.parameters(), lr=1e-3)
faces, people = torch.randn(4, 3, 96, 96).double(), torch.tensor([0, 1, 2, 3])
for step in range(2):
    logits = net(faces)
    loss = torch.nn.functional.cross_entropy(logits, people)
    optimizer.zero_grad()
    loss.backward()
    optimizer.step()
    print(f"value {loss.item():.8g}\\nvalue {accuracy(logits, people).item():.8g}", file=sys.stderr)
net.classify = False
print(f"value {net.eval()(faces).abs().sum().item():.8g}", file=sys.stderr)
"""

# name: (program, script, optional libraries that the program imports, relative tolerance)
SCRIPTS = {
    "cifar models": ("pytorch-cifar", CIFAR_MODELS, (), 1e-7),
    "ssd300": ("a-PyTorch-Tutorial-to-Object-Detection", SSD, (), 1e-3),
    "yolo": ("PyTorch-YOLOv3", YOLO, ("imgaug",), 1e-4),
    "faces": ("facenet-pytorch", FACES, ("requests",), 1e-6),
}


@pytest.mark.parametrize("name", SCRIPTS)
def test_the_same_numbers(name, tmp_path):
    folder, script, libraries, tolerance = SCRIPTS[name]
    program(folder)
    have_oracle()
    for library in libraries:
        if importlib.util.find_spec(library) is None:
            pytest.skip(f"{library}, which {folder} imports, is not installed")
    here = copy_of(folder, tmp_path)
    with open(os.path.join(here, "use_it.py"), "w") as file:
        file.write(script)
    found = {under: run(SAME, 0, "use_it.py", under=under, cwd=here, PYTHONPATH=os.pathsep.join([HERE, os.environ.get("PYTHONPATH", "")]))
             for under in ("torch", "ringgrad")}
    theirs, ours = ([line for line in found[under].splitlines() if line.startswith("value ")] for under in ("torch", "ringgrad"))
    assert len(theirs) > 4 and len(ours) == len(theirs)
    assert [line.split()[:-1] for line in ours] == [line.split()[:-1] for line in theirs]
    assert [float(line.split()[-1]) for line in ours] == pytest.approx([float(line.split()[-1]) for line in theirs], rel=tolerance, abs=1e-6)
