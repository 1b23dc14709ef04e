"""Learn to write first names, letter by letter: makemore's multi-layer perceptron (Bengio et al. 2003), published validation loss 2.107.

    python examples/names.py --data DIR       # DIR with makemore's names.txt, one name a line

Two hundred thousand steps of 32 examples on a network of 12 thousand weights: what is measured here is how little a step costs.
"""
import argparse
import random
from pathlib import Path

from tqdm import tqdm

import ringgrad
from ringgrad.nn import functional as F

CONTEXT, EMBEDDING, HIDDEN, BATCH = 3, 10, 200, 32
FILES = ("names.txt", "makemore_names.txt", "names/makemore_names.txt")


def arguments():
    """The command line."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--data", required=True, help="the file, or the folder it is in")
    parser.add_argument("--steps", type=int, default=200_000)
    parser.add_argument("--device", default="cpu")
    parser.add_argument("--seed", type=int, default=2147483647)
    parser.add_argument("--sample", type=int, default=10, help="names to write at the end")
    return parser.parse_args()


def read(place):
    """All names of the file."""
    files = [Path(place), *(Path(place, name) for name in FILES)]
    file = next((f for f in files if f.is_file()), None)
    if file is None:
        raise SystemExit(f"there is no list of names in {', '.join(map(str, files))}")
    return file.read_text().split()


def examples(names, numbers):
    """Each letter with the CONTEXT letters before it; 0 stands before the first and behind the last.  -> (N, CONTEXT) and (N,) int64."""
    before, letters = [], []
    for name in names:
        window = [0] * CONTEXT
        for number in [numbers[c] for c in name] + [0]:
            before.append(window)
            letters.append(number)
            window = window[1:] + [number]
    return ringgrad.tensor(before), ringgrad.tensor(letters)


def main():
    args = arguments()
    names = read(args.data)
    letters = sorted(set("".join(names)))
    numbers = {c: i for i, c in enumerate(letters, 1)}
    random.seed(42)
    random.shuffle(names)
    first, second = int(0.8 * len(names)), int(0.9 * len(names))
    parts = {"training": names[:first], "validation": names[first:second], "test": names[second:]}
    sets = {key: [t.to(args.device) for t in examples(part, numbers)] for key, part in parts.items()}

    generator = ringgrad.Generator().manual_seed(args.seed)

    def draw(*shape, scale=1.0):
        return (ringgrad.randn(shape, generator=generator) * scale).to(args.device).requires_grad_()
    table = draw(len(letters) + 1, EMBEDDING)
    w1, b1 = draw(CONTEXT * EMBEDDING, HIDDEN, scale=5 / 3 / (CONTEXT * EMBEDDING) ** 0.5), draw(HIDDEN, scale=0.01)
    w2, b2 = draw(HIDDEN, len(letters) + 1, scale=0.01), draw(len(letters) + 1, scale=0.0)
    parameters = [table, w1, b1, w2, b2]

    def logits(x):
        return ringgrad.tanh(table[x].view(len(x), -1) @ w1 + b1) @ w2 + b2

    def loss_of(part):
        with ringgrad.no_grad():
            x, y = sets[part]
            return F.cross_entropy(logits(x), y).item()

    optimizer = ringgrad.optim.SGD(parameters, lr=0.1)
    scheduler = ringgrad.optim.lr_scheduler.MultiStepLR(optimizer, [args.steps // 2], gamma=0.1)
    x, y = sets["training"]
    for _ in tqdm(range(args.steps), mininterval=1.0, unit="step"):
        chosen = ringgrad.randint(0, len(x), (BATCH,), generator=generator).to(args.device)
        optimizer.zero_grad()
        F.cross_entropy(logits(x[chosen]), y[chosen]).backward()
        optimizer.step()
        scheduler.step()
    print(f"{sum(p.numel() for p in parameters)} weights; loss: " + ", ".join(f"{part} {loss_of(part):.4f}" for part in sets))

    with ringgrad.no_grad():
        for _ in range(args.sample):
            name, window = "", [0] * CONTEXT
            while not name.endswith("."):
                p = F.softmax(logits(ringgrad.tensor([window], device=args.device)), dim=1).cpu()
                number = ringgrad.multinomial(p, 1, generator=generator).item()
                name, window = name + (letters[number - 1] if number else "."), window[1:] + [number]
            print(name[:-1])


if __name__ == "__main__":
    main()
