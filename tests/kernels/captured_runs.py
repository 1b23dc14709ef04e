"""What tests of captured steps share: small networks, batches, training runs, and comparisons to the last bit."""
import numpy as np

import ringgrad
import ringgrad.nn.functional as F
from ringgrad import nn, optim


def put(array):
    return ringgrad.from_numpy(np.ascontiguousarray(array)).to("cuda")


def batches(count, size=6, seed=0):
    rng = np.random.default_rng(seed)
    return [(put(rng.standard_normal((size, 1, 8, 8)).astype(np.float32)), put(rng.integers(0, 5, size))) for _ in range(count)]


def cnn():
    return nn.Sequential(nn.Conv2d(1, 4, 3), nn.ReLU(), nn.BatchNorm2d(4), nn.MaxPool2d(2), nn.Flatten(), nn.Linear(36, 16), nn.GELU(),
                         nn.LayerNorm(16), nn.Dropout(0.2), nn.Linear(16, 5))


def mlp():
    return nn.Sequential(nn.Flatten(), nn.Linear(64, 16), nn.Tanh(), nn.Dropout(0.1), nn.Linear(16, 5))


def values(net):
    return [t._data.get() for t in (*net.parameters(), *net.buffers())]


def same(a, b):
    return len(a) == len(b) and all(np.array_equal(x, y) for x, y in zip(a, b))


SCHEDULES = {
    "steps": lambda o: optim.lr_scheduler.StepLR(o, 2, 0.5),
    "one cycle": lambda o: optim.lr_scheduler.OneCycleLR(o, 0.1, total_steps=12),
    "warm up, then cosine": lambda o: optim.lr_scheduler.SequentialLR(
        o, [optim.lr_scheduler.LinearLR(o, 0.1, total_iters=3), optim.lr_scheduler.CosineAnnealingLR(o, 5)], [3]),
}
RULES = ("RMSprop", "Adagrad", "Adadelta", "Adamax", "NAdam", "RAdam", "Rprop", "ASGD", "Adafactor")  # whose numbers change with the step
OPTIMIZERS = {
    "AdamW": lambda p: optim.AdamW(p, lr=0.01), "AMSGrad": lambda p: optim.Adam(p, lr=0.01, amsgrad=True, weight_decay=0.1),
    "SGD": lambda p: optim.SGD(p, lr=0.1), "momentum": lambda p: optim.SGD(p, lr=0.1, momentum=0.9, nesterov=True),
    "clipped": lambda p: optim.clip_in_step(optim.AdamW(p, lr=0.01), 1.0),
    "clipped by the largest": lambda p: optim.clip_in_step(optim.RMSprop(p, lr=0.01), 0.01, float("inf")),
    **{name: lambda p, name=name: getattr(optim, name)(p, lr=0.01) for name in RULES},
}


def train(compiled, build, optimizer, schedule, data, inside=True, **options):
    """(losses, parameters and buffers, learning rates) of a training run."""
    ringgrad.manual_seed(0)
    net = build().to("cuda")
    opt = OPTIMIZERS[optimizer](net.parameters())
    plan = SCHEDULES[schedule](opt)

    def step(x, y):
        opt.zero_grad()
        loss = F.cross_entropy(net(x), y)
        loss.backward()
        if "max_grad_norm" not in opt.defaults:
            nn.utils.clip_grad_norm_(net.parameters(), 1.0)
        opt.step()
        if inside:
            plan.step()
        return loss

    run = ringgrad.compile_step(step, **options) if compiled else step
    losses, rates = [], []
    for x, y in data:
        losses.append(run(x, y).item())
        if not inside:
            plan.step()
        rates.append(plan.get_last_lr())
    return losses, values(net), rates, getattr(run, "graphs", {})
