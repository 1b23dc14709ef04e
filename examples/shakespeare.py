"""Train a GPT on the characters of a text, as nanoGPT's config/train_shakespeare_char.py does, on one rank or many:

    python examples/shakespeare.py --data FILE                          # nanoGPT's setting for a laptop: about 1.88 after 2,000 steps
    python examples/shakespeare.py --data FILE --setting gpu            # its setting for a GPU: published best validation loss 1.4697
    ringgrad-run --nproc-per-node 2 examples/shakespeare.py --data FILE

FILE is a text, or a folder with input.txt or tinyshakespeare/input.txt.  All ranks draw the same batch and each takes its share of it, so the result
does not depend on their number.  --captured replays the whole step as one CUDA graph.
"""
import argparse
import json
import math
import time
from pathlib import Path

import numpy as np
from _gpt import GPT
from tqdm import tqdm

import ringgrad
import ringgrad.distributed as dist
from ringgrad import optim
from ringgrad.nn.parallel import DistributedDataParallel

SETTINGS = {  # of nanoGPT's readme
    "laptop": dict(layers=4, heads=4, width=128, context=64, batch=12, dropout=0.0, steps=2000, evaluations=20),
    "gpu": dict(layers=6, heads=6, width=384, context=256, batch=64, dropout=0.2, steps=5000, evaluations=200),
}
LR, LEAST_LR, WARMUP, EVERY = 1e-3, 1e-4, 100, 250


def arguments():
    """The command line; what is not given comes from the setting."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--data", required=True, help="a text file, or the folder it is in")
    parser.add_argument("--setting", choices=SETTINGS, default="laptop")
    for name, value in SETTINGS["laptop"].items():
        parser.add_argument(f"--{name}", type=type(value))
    parser.add_argument("--out", default="runs/shakespeare", help="folder for the best weights and the losses")
    parser.add_argument("--device", default="cuda" if ringgrad.cuda.is_available() else "cpu")
    parser.add_argument("--bf16", action="store_true", help="bfloat16 where autocast allows it")
    parser.add_argument("--captured", action="store_true", help="capture the step in a CUDA graph and replay it")
    parser.add_argument("--seed", type=int, default=1337)
    args = parser.parse_args()
    for name, value in SETTINGS[args.setting].items():
        if getattr(args, name) is None:
            setattr(args, name, value)
    return args


def read(place):
    """(training part, validation part, characters): nine tenths and one tenth of the text as numbers."""
    place = Path(place)
    files = [place, place / "input.txt", place / "tinyshakespeare" / "input.txt"]
    file = next((f for f in files if f.is_file()), None)
    if file is None:
        raise SystemExit(f"there is no text in {', '.join(map(str, files))}")
    text = file.read_text()
    characters = sorted(set(text))
    numbers = np.array([characters.index(c) for c in characters])[np.unique(list(text), return_inverse=True)[1]]
    cut = int(0.9 * len(numbers))
    return numbers[:cut], numbers[cut:], characters


def rate(step, steps):
    """The factor of the learning rate: a linear rise, then half a cosine down to LEAST_LR."""
    if step < WARMUP:
        return (step + 1) / (WARMUP + 1)
    part = min(1.0, (step - WARMUP) / max(1, steps - WARMUP))
    return (LEAST_LR + 0.5 * (1 + math.cos(math.pi * part)) * (LR - LEAST_LR)) / LR


def adamw(model):
    """AdamW that decays matrices and tables, and leaves the scales of the norms alone."""
    decayed = [p for p in model.parameters() if p.dim() > 1]
    others = [p for p in model.parameters() if p.dim() <= 1]
    return optim.AdamW([{"params": decayed, "weight_decay": 0.1}, {"params": others, "weight_decay": 0.0}], lr=LR, betas=(0.9, 0.99), fused=True)


def main():
    args = arguments()
    dist.init_process_group("nccl" if args.device == "cuda" else "mpi")
    rank, world = dist.get_rank(), dist.get_world_size()
    if args.batch % world:
        raise SystemExit(f"--batch {args.batch} cannot be shared evenly by {world} ranks")
    device = ringgrad.device(args.device, dist.get_node_local_rank(0)) if args.device == "cuda" else ringgrad.device(args.device)
    train, validation, characters = read(args.data)
    if len(validation) <= args.context:
        raise SystemExit(f"a tenth of the text, {len(validation)} characters, must be longer than the context of {args.context}")
    ringgrad.manual_seed(args.seed)
    model = GPT(len(characters), args.layers, args.heads, args.width, args.context, args.dropout).to(device)
    ddp = DistributedDataParallel(model) if world > 1 else model
    ringgrad.manual_seed(args.seed + 1 + rank)  # dropout differs between ranks, the weights above do not
    optimizer = optim.clip_in_step(adamw(model), 1.0)
    scheduler = optim.lr_scheduler.LambdaLR(optimizer, lambda step: rate(step, args.steps))

    def batch(part, rng):
        """This rank's share of a batch: (x, y) of (batch / ranks, context), y one character later."""
        starts = rng.integers(0, len(part) - args.context, args.batch)[rank::world]
        rows = part[starts[:, None] + np.arange(args.context + 1)]
        return (ringgrad.from_numpy(np.ascontiguousarray(a)).to(device) for a in (rows[:, :-1], rows[:, 1:]))

    def loss_of(network, x, y):
        with ringgrad.autocast(device.type, dtype=ringgrad.bfloat16, enabled=args.bf16):
            return network(x, y)

    def step(x, y):
        optimizer.zero_grad()
        loss = loss_of(ddp, x, y)
        loss.backward()
        optimizer.step()
        return loss.detach()

    def evaluate():
        """The mean loss over the same batches of the validation part every time."""
        model.eval()
        rng, total = np.random.default_rng(0), ringgrad.zeros((), device=device)
        with ringgrad.no_grad():
            for _ in range(args.evaluations):
                total += loss_of(model, *batch(validation, rng))
        dist.all_reduce(total, dist.ReduceOp.AVG)
        model.train()
        return total.item() / args.evaluations

    if args.captured:
        step = ringgrad.compile_step(step)
    rng, out, history, best, start = np.random.default_rng(args.seed), Path(args.out), [], math.inf, time.perf_counter()
    if rank == 0:
        out.mkdir(parents=True, exist_ok=True)
        count = sum(p.numel() for p in model.parameters())
        print(f"{len(train) + len(validation)} characters, {count} parameters, {world} rank{'s' * (world > 1)} on {args.device}", flush=True)
    for i in tqdm(range(args.steps + 1), disable=rank != 0, mininterval=1.0, unit="step"):
        if i % EVERY == 0 or i == args.steps:
            loss = evaluate()
            history.append({"step": i, "validation": loss, "seconds": round(time.perf_counter() - start, 1)})
            if rank == 0:
                tqdm.write(f"step {i}: validation loss {loss:.4f}")
                if loss < best:
                    ringgrad.save({"model": model.state_dict(), "step": i, "characters": "".join(characters)}, out / "best.pt")
                (out / "losses.json").write_text(json.dumps({"settings": vars(args), "history": history}, indent=1))
            best = min(best, loss)
        if i < args.steps:
            step(*batch(train, rng))
            scheduler.step()
    if rank == 0:
        print(f"best validation loss {best:.4f}\nweights: {out / 'best.pt'}\nlosses:  {out / 'losses.json'}")
    dist.destroy_process_group()


if __name__ == "__main__":
    main()
