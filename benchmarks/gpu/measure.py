"""`make gpu-bench`: ringgrad beside torch with CUDA on the same card, in one process, interleaved, random data; medians.

    ceilings    copy bandwidth and rates of products of matrices, which the shares below are of
    launch      what an operation on small tensors costs the host
    steps       training steps of whole networks, eager and captured, torch's beside them; peak memory; model flops utilisation
    kernels     forward and backward of single operations: bytes that have to move over time, as a share of the copy bandwidth
    feed_forward  linear layers and networks of two, with their activations: with and without epilogues of the products
    attention   forward and backward, with masks that learn, of packed sequences, in single precision; peak memory
    optimizers  one step over the parameters of GPT-2 124M
    largest     the ten largest kernels of GPT-2's and ResNet-50's steps
    nccl        all-reduce between two ranks on this GPU, and a training step under DistributedDataParallel

Written without a GPU and not run on one yet: a section that fails is reported with its error, the others go on.
"""
import sys
from pathlib import Path

from ._bench import Bench, guarded
from ._start import Deadline, report, table
from .attention import attention
from .feed_forward import feed_forward
from .largest import largest
from .operations import ceilings, kernels, launch, optimizers
from .ranks import nccl
from .training import steps

SECTIONS = {f.__name__: f for f in (ceilings, launch, steps, kernels, feed_forward, attention, optimizers, largest, nccl)}
ON_THE_GPU_ONLY = ("largest", "nccl")


def main(folder, found, time_s, names, device="cuda"):
    """Run the sections; 0.  device "cpu" rehearses them."""
    import ringgrad  # only now can it be found
    for name in names:
        if name not in SECTIONS:
            sys.exit(f"no section named {name}; there are {', '.join(SECTIONS)}")
    Path(folder).mkdir(parents=True, exist_ok=True)
    torch = torch_on(device)
    bench = Bench(ringgrad, torch, Deadline(time_s), Path(folder), device)
    chosen = names or [name for name in SECTIONS if device == "cuda" or name not in ON_THE_GPU_ONLY]
    sections = {}
    for name in chosen:
        sections[name] = guarded(lambda name=name: SECTIONS[name](bench)) if bench.deadline.left() > 15 else {"left out": "the time was used up"}
        print(f"{name}: {bench.deadline.left():.0f} s left", flush=True)
        described = {**found, "torch": torch and f"{torch.__version__}, CUDA {torch.version.cuda}", "sections": sections}
        report(folder, "rehearsal" if bench.rehearsal else "gpu-bench", described, lines_of(described), quiet=name != chosen[-1])
    return 0


def torch_on(device):
    """torch where it is installed and has the device, else None."""
    try:
        import torch
    except ImportError:
        return None
    return torch if device == "cpu" or torch.cuda.is_available() else None


def lines_of(described):
    """The report as text."""
    lines = [f"{described['gpu']}, CuPy {described['cupy']}; torch {described['torch'] or 'with CUDA is not installed'}"]
    for name, rows in described["sections"].items():
        lines += ["", name]
        if not all(isinstance(row, dict) for row in rows.values()):  # the section failed as a whole
            lines += [f"  {key}: {value}" for key, value in rows.items()]
            continue
        if name == "steps":  # many columns: a block for each network
            lines += [line for key, row in rows.items() for line in (f"  {key}", *(f"    {k:32} {v}" for k, v in row.items()))]
            continue
        columns = list(dict.fromkeys(k for row in rows.values() for k in row if k not in ("where", "error")))
        lines += [f"  {line}" for line in table(("", *columns), [(key, *(row.get(c, "") for c in columns)) for key, row in rows.items()])]
        lines += [f"  {key}: {row['error'].splitlines()[0]}" for key, row in rows.items() if "error" in row]
    return lines
