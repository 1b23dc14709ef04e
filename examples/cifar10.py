"""Train ResNet-20 on CIFAR-10 as He et al. 2016 (arXiv:1512.03385, section 4.2) did: 64,000 steps of 128 images, 8.75 % error.

    python examples/cifar10.py --data DIR --device cuda --bf16 --captured
    ringgrad-run --nproc-per-node 2 examples/cifar10.py --data DIR

DIR holds the binary version's files (data_batch_1.bin ... test_batch.bin, packed or not).  --steps shortens the schedule, whose two drops of the
learning rate move with it.  All ranks draw the same batch and each takes its share; batch norm takes its statistics over all ranks, so the result
does not depend on their number.
"""
import argparse
import json
import time
from pathlib import Path

import _cifar
import numpy as np
from _metrics import hits
from tqdm import tqdm

import ringgrad
import ringgrad.distributed as dist
from ringgrad import nn, optim
from ringgrad.nn import functional as F
from ringgrad.nn.parallel import DistributedDataParallel

BATCH, STEPS, DROPS = 128, 64_000, (0.5, 0.75)


class Block(nn.Module):
    """Two convolutions and the input added to them; where the size changes, every second pixel of it, with channels of zeros (option A)."""

    def __init__(self, inside, out, stride):
        super().__init__()
        self.conv1, self.bn1 = nn.Conv2d(inside, out, 3, stride, padding=1, bias=False), nn.BatchNorm2d(out)
        self.conv2, self.bn2 = nn.Conv2d(out, out, 3, padding=1, bias=False), nn.BatchNorm2d(out)
        self.stride, self.more = stride, out - inside

    def forward(self, x):
        y = self.bn2(self.conv2(F.relu(self.bn1(self.conv1(x)))))
        if self.more:
            x = F.pad(x[:, :, ::self.stride, ::self.stride], (0, 0, 0, 0, self.more // 2, self.more // 2))
        return F.relu(y + x)


def resnet(blocks=3, width=16):
    """ResNet of 6 * blocks + 2 layers: (N, 3, 32, 32) -> (N, 10)."""
    layers = [nn.Conv2d(3, width, 3, padding=1, bias=False), nn.BatchNorm2d(width), nn.ReLU()]
    inside = width
    for stage in range(3):
        for i in range(blocks):
            layers.append(Block(inside, width << stage, 2 if stage and not i else 1))
            inside = width << stage
    model = nn.Sequential(*layers, nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(inside, 10))
    for module in model.modules():
        if isinstance(module, nn.Conv2d):
            nn.init.kaiming_normal_(module.weight, nonlinearity="relu")
    return model


def arguments():
    """The command line."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--data", required=True, help="folder with CIFAR-10's binary files")
    parser.add_argument("--steps", type=int, default=STEPS)
    parser.add_argument("--every", type=int, default=2000, help="steps between evaluations")
    parser.add_argument("--lr", type=float, default=0.1)
    parser.add_argument("--blocks", type=int, default=3, help="3 for ResNet-20, 9 for ResNet-56")
    parser.add_argument("--out", default="runs/cifar10", help="folder for the weights and the results")
    parser.add_argument("--device", default="cuda" if ringgrad.cuda.is_available() else "cpu")
    parser.add_argument("--bf16", action="store_true", help="bfloat16 where autocast allows it")
    parser.add_argument("--captured", action="store_true", help="capture the step in a CUDA graph and replay it")
    parser.add_argument("--seed", type=int, default=1)
    return parser.parse_args()


def batches(steps, images, seed):
    """The numbers of BATCH of so many images, `steps` times, epoch after epoch in a new order."""
    rng, in_epoch = np.random.default_rng(seed), images // BATCH
    for i in range(steps):
        if i % in_epoch == 0:
            order = rng.permutation(images)
        yield order[i % in_epoch * BATCH:][:BATCH]


def main():
    args = arguments()
    dist.init_process_group("nccl" if args.device == "cuda" else "mpi")
    rank, world = dist.get_rank(), dist.get_world_size()
    if BATCH % world:
        raise SystemExit(f"a batch of {BATCH} cannot be shared evenly by {world} ranks")
    device = ringgrad.device(args.device, dist.get_node_local_rank(0)) if args.device == "cuda" else ringgrad.device(args.device)
    train_x, train_y, test_x, test_y, source = _cifar.load(args.data)
    padded = F.pad(_cifar.normalised(train_x, device), (4, 4, 4, 4))
    labels, images, answers = ringgrad.from_numpy(train_y).to(device), _cifar.normalised(test_x, device), ringgrad.from_numpy(test_y).to(device)

    ringgrad.manual_seed(args.seed)
    model = resnet(args.blocks).to(device)
    if world > 1:
        model = nn.SyncBatchNorm.convert_sync_batchnorm(model)
    ddp = DistributedDataParallel(model) if world > 1 else model
    optimizer = optim.SGD(model.parameters(), lr=args.lr, momentum=0.9, weight_decay=1e-4)
    scheduler = optim.lr_scheduler.MultiStepLR(optimizer, [int(args.steps * part) for part in DROPS], gamma=0.1)

    def scores(network, x):
        with ringgrad.autocast(device.type, dtype=ringgrad.bfloat16, enabled=args.bf16):
            return network(x).float()

    def step(x, y):
        optimizer.zero_grad()
        loss = F.cross_entropy(scores(ddp, x), y)
        loss.backward()
        optimizer.step()
        return loss.detach()

    def error():
        """The share of wrong answers on the test images; each rank looks at its own part."""
        model.eval()
        right = ringgrad.zeros((), device=device)
        with ringgrad.no_grad():
            for x, y in zip(images[rank::world].split(500), answers[rank::world].split(500)):
                right += hits(scores(model, x), y)
        dist.all_reduce(right)
        model.train()
        return 1 - right.item() / len(answers)

    if args.captured:
        step = ringgrad.compile_step(step)
    rng, own, start, history = np.random.default_rng(args.seed + 1), slice(rank, None, world), time.perf_counter(), []
    if rank == 0:
        print(f"{len(train_y)} training images; test images: {source}; {world} rank{'s' * (world > 1)} on {args.device}", flush=True)
    order = batches(args.steps, len(train_y), args.seed)
    for i, chosen in enumerate(tqdm(order, total=args.steps, disable=rank != 0, mininterval=1.0, unit="step"), 1):
        loss = step(_cifar.augmented(padded, chosen, rng, own), labels[ringgrad.from_numpy(chosen[own]).to(device)])
        scheduler.step()
        if i % args.every == 0 or i == args.steps:
            whole = loss.clone()
            dist.all_reduce(whole, dist.ReduceOp.AVG)
            history.append({"step": i, "training loss": whole.item(), "test error": error(), "seconds": round(time.perf_counter() - start, 1)})
            if rank == 0:
                tqdm.write(f"step {i}: training loss {history[-1]['training loss']:.4f}, test error {history[-1]['test error']:.2%}")
    if rank == 0:
        out = Path(args.out)
        out.mkdir(parents=True, exist_ok=True)
        ringgrad.save(model.state_dict(), out / "weights.pt")
        (out / "results.json").write_text(json.dumps({"settings": vars(args), "test images": source, "history": history}, indent=1))
        print(f"weights: {out / 'weights.pt'}\nresults: {out / 'results.json'}")
    dist.destroy_process_group()


if __name__ == "__main__":
    main()
