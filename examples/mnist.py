"""Train a small CNN on handwritten digits, on one rank or many.  The same file runs under all of these:

    python examples/mnist.py --data DIR
    ringgrad-run --nproc-per-node 2 examples/mnist.py --data DIR
    mpirun -n 2 python examples/mnist.py --data DIR

The batch is shared among the ranks, so the result does not depend on their number.  --resume goes on from the last checkpoint.
"""
import argparse
from pathlib import Path

import _digits
from _metrics import EarlyStopping, hits
from tqdm import tqdm

import ringgrad
import ringgrad.distributed as dist
from ringgrad import nn, optim
from ringgrad.nn.parallel import DistributedDataParallel
from ringgrad.utils.data import DataLoader, DistributedSampler, TensorDataset


def network():
    """LeNet-5's shape (LeCun et al. 1998) with ReLU and max pooling: (N, 1, 28, 28) -> (N, 10)."""
    return nn.Sequential(
        nn.Conv2d(1, 10, kernel_size=5), nn.MaxPool2d(2), nn.ReLU(),
        nn.Conv2d(10, 20, kernel_size=5), nn.MaxPool2d(2), nn.ReLU(),
        nn.Flatten(), nn.Linear(320, 84), nn.ReLU(), nn.Linear(84, 10))


def as_dataset(images, labels):
    """Pixels scaled to mean 0 and deviation 1 (MNIST's 0.1307 and 0.3081)."""
    return TensorDataset((images.float().unsqueeze(1) / 255 - 0.1307) / 0.3081, labels)


def accuracy(model, dataset, device):
    """Share of right answers on `dataset`; each rank looks at its own part of it."""
    model.eval()
    right = ringgrad.zeros(1, device=device)
    own = DistributedSampler(dataset, shuffle=False, exact=True)  # no padding: every image counts once
    with ringgrad.no_grad():
        for x, y in DataLoader(dataset, batch_size=500, sampler=own):
            right += hits(model(x.to(device)), y.to(device))
    dist.all_reduce(right)
    return right.item() / len(dataset)


def draw(losses, path):
    """The loss of every step as a picture."""
    import matplotlib
    matplotlib.use("Agg")
    from matplotlib import pyplot
    pyplot.figure(figsize=(7, 4))
    pyplot.plot(losses, linewidth=0.7)
    pyplot.xlabel("step")
    pyplot.ylabel("training loss")
    pyplot.yscale("log")
    pyplot.savefig(path, dpi=120, bbox_inches="tight")


def arguments():
    """The command line."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--data", default="runs/data", help="folder with MNIST's IDX files; they are downloaded there when missing")
    parser.add_argument("--out", default="runs/mnist", help="folder for checkpoint, picture and TensorBoard events")
    parser.add_argument("--epochs", type=int, default=6)
    parser.add_argument("--patience", type=int, help="stop when the test accuracy has not risen for so many epochs")
    parser.add_argument("--batch-size", type=int, default=64, help="samples a step, over all ranks")
    parser.add_argument("--lr", type=float, default=0.05)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--device", default="cuda" if ringgrad.cuda.is_available() else "cpu")
    parser.add_argument("--resume", action="store_true", help="go on from the checkpoint in --out")
    return parser.parse_args()


def read(args):
    """(training data, test data, what they are); one rank downloads, the others read what it left."""
    if dist.get_rank() == 0:
        _digits.load(args.data)
    dist.barrier()
    train_x, train_y, test_x, test_y, source = _digits.load(args.data, may_download=False)
    return as_dataset(train_x, train_y), as_dataset(test_x, test_y), source


def main():
    args = arguments()
    dist.init_process_group("nccl" if args.device == "cuda" else "mpi")
    rank, world = dist.get_rank(), dist.get_world_size()
    if args.batch_size % world:
        raise SystemExit(f"--batch-size {args.batch_size} cannot be shared evenly by {world} ranks")
    device = ringgrad.device(args.device, dist.get_node_local_rank(0)) if args.device == "cuda" else ringgrad.device(args.device)
    ringgrad.manual_seed(args.seed)

    train, test, source = read(args)
    sampler = DistributedSampler(train, shuffle=True, seed=args.seed)
    loader = DataLoader(train, batch_size=args.batch_size // world, sampler=sampler)

    model = DistributedDataParallel(network().to(device))
    optimizer = optim.SGD(model.parameters(), lr=args.lr, momentum=0.9, weight_decay=1e-4)
    scheduler = optim.lr_scheduler.CosineAnnealingLR(optimizer, T_max=args.epochs * len(loader))
    criterion, stopping = nn.CrossEntropyLoss(), EarlyStopping(args.patience)

    out = Path(args.out)
    checkpoint, first, losses = out / "checkpoint.pt", 0, []
    if args.resume:
        state = ringgrad.load(checkpoint, map_location=device)
        model.load_state_dict(state["model"])
        optimizer.load_state_dict(state["optimizer"])
        scheduler.load_state_dict(state["scheduler"])
        stopping.load_state_dict(state.get("stopping", stopping.state_dict()))
        first, losses = state["epoch"], state["losses"]
    events = None
    if rank == 0:
        from tensorboard.summary import Writer
        out.mkdir(parents=True, exist_ok=True)
        events = Writer(str(out / "events"))
        print(f"{source}: {len(train)} training and {len(test)} test images, {world} rank{'s' * (world > 1)} on {args.device}", flush=True)

    for epoch in range(first, args.epochs):
        model.train()
        sampler.set_epoch(epoch)
        own = []  # this rank's loss of every step
        for x, y in tqdm(loader, desc=f"epoch {epoch + 1}/{args.epochs}", disable=rank != 0, mininterval=1.0, unit="step"):
            optimizer.zero_grad()
            loss = criterion(model(x.to(device)), y.to(device))
            loss.backward()
            optimizer.step()
            scheduler.step()
            own.append(loss.item())
        whole = ringgrad.tensor(own, device=device)
        dist.all_reduce(whole, dist.ReduceOp.AVG)  # the loss over the whole batch, of which each rank has seen its share
        losses += whole.tolist()
        score = accuracy(model.module, test, device)
        enough = stopping.update(score)
        if rank == 0:
            print(f"epoch {epoch + 1}: test accuracy {score:.2%}", flush=True)
            for step in range(len(losses) - len(loader), len(losses)):
                events.add_scalar("loss", losses[step], step)
            events.add_scalar("test accuracy", score, len(losses))
            events.flush()
            ringgrad.save({"model": model.state_dict(), "optimizer": optimizer.state_dict(), "scheduler": scheduler.state_dict(),
                           "stopping": stopping.state_dict(), "epoch": epoch + 1, "losses": losses}, checkpoint)
        if enough:
            break

    if rank == 0:
        events.close()
        draw(losses, out / "loss.png")
        print(f"checkpoint: {checkpoint}\nloss curve: {out / 'loss.png'}\nevents:     {out / 'events'}", flush=True)
    dist.destroy_process_group()


if __name__ == "__main__":
    main()
