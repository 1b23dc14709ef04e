"""Training steps of whole networks: ours eager and captured, beside torch eager, in a CUDA graph, and compiled; peak memory of each.

All contenders of a network begin with the same weights and batch.  The losses of the first steps stand beside the times, since a wrong step is quick.
"""
from functools import partial
from typing import NamedTuple

from ..models import char_gpt, cnn, mlp
from ._bench import guarded
from .networks import flops_of_gpt, gpt2, resnet20, resnet50

FIRST_STEPS = 3  # of which the losses are compared
SETTLING = 4  # steps after those, in which graphs are captured and memory comes to its peak


class Network(NamedTuple):
    """make: lib -> (model, (x, y)).  autocast: a type or None.  channels_last: images and weights.  compiled: whether to spend time on torch.compile.

    optimizer: name and options.  flops: number of parameters -> those of a step, or None.
    """

    make: object
    autocast: str | None = None
    channels_last: bool = False
    compiled: bool = True
    optimizer: tuple = ("AdamW", {"lr": 1e-4, "fused": True})
    flops: object = None


def images(network, count, size, classes, lib):
    """A network with random images and labels."""
    return network(lib), (lib.randn(count, 3, size, size), lib.randint(0, classes, (count,)))


MOMENTUM = ("SGD", {"lr": 0.01, "momentum": 0.9, "fused": True})
NETWORKS = {
    "MLP 784-512-512-10, batch 128": Network(mlp),
    "char-GPT 4x128, 12x64": Network(char_gpt),
    "CNN (MNIST), batch 64": Network(cnn, compiled=False),
    "ResNet-20, batch 128": Network(partial(images, resnet20, 128, 32, 10), compiled=False, optimizer=MOMENTUM),
    "GPT-2 124M, 12x1024, bf16": Network(gpt2, "bfloat16", flops=partial(flops_of_gpt, layers=12, width=768, tokens=12 * 1024)),
    "ResNet-50, batch 128, bf16, channels last": Network(partial(images, resnet50, 128, 224, 1000), "bfloat16", True, optimizer=MOMENTUM,
                                                         flops=lambda parameters: 3 * 2 * 4.09e9 * 128),
}
SMALL = {  # in a rehearsal
    "GPT-2 124M, 12x1024, bf16": partial(gpt2, layers=1, heads=2, width=16, context=8, batch=2, vocabulary=32),
    "ResNet-50, batch 128, bf16, channels last": partial(images, partial(resnet50, classes=4, width=4, blocks=(1, 1, 1, 1)), 4, 64, 4),
    "ResNet-20, batch 128": partial(images, partial(resnet20, width=4, blocks=1), 2, 32, 10),
}


def steps(bench):
    """Milliseconds of a step of each, ratios to torch eager, peak MiB, the largest difference of the first losses, model flops utilisation."""
    rows = {}
    for name, network in NETWORKS.items():
        if bench.deadline.left() < 40:
            break
        rows[name] = guarded(lambda name=name, network=network: one_network(bench, name, network))
        bench.tidy()
    return rows


def one_network(bench, name, network):
    """All contenders of one network."""
    if bench.rehearsal:
        network = network._replace(make=SMALL.get(name, network.make))
    first = next(reversed(bench.libraries.values()))  # torch, where it is there
    first.manual_seed(0)
    model, batch = network.make(first)
    start = {key: value.numpy() for key, value in model.state_dict().items()}, [t.numpy() for t in batch]
    contenders, losses, row = {}, {}, {}
    for key, how in contenders_of(bench, network):
        found = guarded(lambda how=how: begin(bench, network, start, *how))
        if isinstance(found, dict):
            row[f"{key}: error"] = found["error"][:120]
            continue
        contenders[key], losses[key], row[f"{key} peak MiB"] = found
    if not contenders:
        return row
    times = bench.medians(contenders, 0.2)
    row |= {f"{key} ms": round(1e3 * t, 3) for key, t in times.items()}
    if "torch" in times:
        row |= {f"{key} / torch": round(t / times["torch"], 3) for key, t in times.items() if key.startswith("ringgrad")}
        row["loss difference"] = max(abs(a - b) / abs(b) for key in losses for a, b in zip(losses[key], losses["torch"]))
    if network.flops:
        flops = network.flops(sum(p.numel() for p in model.parameters()))
        row |= {f"{key} MFU": round(flops / t / 1e12 / bench.ceilings["bfloat16"], 3) for key, t in times.items()}
    return row


def contenders_of(bench, network):
    """(name, (library, way)) of what is measured."""
    yield "ringgrad", (bench.ringgrad, "eager")
    yield "ringgrad captured", (bench.ringgrad, "captured")
    if bench.torch:
        yield "torch", (bench.torch, "eager")
        yield "torch graph", (bench.torch, "captured")
        if network.compiled and not bench.rehearsal and bench.deadline.left() > 120:
            yield "torch.compile", (bench.torch, "compiled")


def begin(bench, network, start, lib, way):
    """(a training step, its first losses, the peak of memory in MiB above what was held before)."""
    before = held(bench, lib)
    step = make_step(bench, network, start, lib, way)
    losses = [float(step()) for _ in range(FIRST_STEPS)]
    for _ in range(SETTLING):
        step()
    peak = 0 if bench.rehearsal else round((lib.cuda.max_memory_allocated() - before) / 2**20)
    return step, losses, peak


def held(bench, lib):
    """Bytes in use, from which the peak is counted anew."""
    if bench.rehearsal:
        return 0
    lib.cuda.synchronize()
    lib.cuda.reset_peak_memory_stats()
    return lib.cuda.memory_allocated()


def make_step(bench, network, start, lib, way):
    """A step from the weights and on the batch of `start`; it returns the loss."""
    weights, batch = start
    model, _ = network.make(lib)
    model.load_state_dict({key: lib.from_numpy(value) for key, value in weights.items()})
    x, y = (lib.from_numpy(t).to(bench.device) for t in batch)
    step = eager_step(network, lib, model.to(bench.device), x, y, capturable=way == "captured" and lib is bench.torch,
                      around=lib.compile if way == "compiled" else None)
    if way != "captured" or bench.rehearsal and lib is bench.torch:
        return step
    return bench.ringgrad.compile_step(step) if lib is bench.ringgrad else in_a_graph(lib, step)


def eager_step(network, lib, model, x, y, capturable=False, around=None):
    """A training step of `model` on a batch, all on one device; it returns the loss.  capturable: for torch's graphs;  around: of the model."""
    if network.channels_last:
        model, x = model.to(memory_format=lib.channels_last), x.contiguous(memory_format=lib.channels_last)
    name, options = network.optimizer
    if capturable and name == "AdamW":
        options = {**options, "capturable": True}
    optimizer = getattr(lib.optim, name)(model.parameters(), **options)
    criterion, called = lib.nn.CrossEntropyLoss(), model if around is None else around(model)

    def step():
        optimizer.zero_grad()
        with lib.autocast(x.device.type, dtype=getattr(lib, network.autocast or "bfloat16"), enabled=network.autocast is not None):
            loss = criterion(called(x), y)
        loss.backward()
        optimizer.step()
        return loss.detach()
    return step


def in_a_graph(torch, step):
    """torch's step replayed from a CUDA graph, captured as torch's manual says.  The first calls are those of the warm-up on a side stream."""
    losses, side = [], torch.cuda.Stream()
    side.wait_stream(torch.cuda.current_stream())
    with torch.cuda.stream(side):
        losses += [step() for _ in range(FIRST_STEPS)]
    torch.cuda.current_stream().wait_stream(side)
    graph = torch.cuda.CUDAGraph()
    with torch.cuda.graph(graph):
        loss = step()

    def replay():
        if losses:
            return losses.pop(0)
        graph.replay()
        return loss
    return replay
