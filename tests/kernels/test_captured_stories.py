"""Whole training loops around a captured step, as programs have them: each trains as it does without the capture, to the last bit."""
import copy
import io

import host_gpu
import numpy as np
import pytest
from captured_runs import batches, cnn, mlp, put, same, values

import ringgrad
import ringgrad.nn.functional as F
from ringgrad import nn, optim

pytestmark = pytest.mark.skipif(host_gpu.compiler() is None, reason="no g++ on the PATH to compile the CUDA sources with")


def compiled_if(wanted, step, **options):
    return ringgrad.compile_step(step, **options) if wanted else step


def captures(step):
    return sum(kind.captures for kind in step.graphs.values()) if hasattr(step, "graphs") else None


def accumulation(wanted):
    """Three micro-batches within one step."""
    net = mlp().to("cuda")
    opt = optim.AdamW(net.parameters(), lr=0.01)

    def step(parts):
        opt.zero_grad()
        total = 0
        for x, y in parts:
            loss = F.cross_entropy(net(x), y) / len(parts)
            loss.backward()
            total = total + loss.detach()
        nn.utils.clip_grad_norm_(net.parameters(), 1.0)
        opt.step()
        return total
    go = compiled_if(wanted, step)
    return [go(batches(3, size=4, seed=n)).item() for n in range(7)], values(net), captures(go)


def two_networks(wanted):
    """A generator and what judges it: two optimizers in one step, and gradients of one that the other's pass leaves behind."""
    maker = nn.Sequential(nn.Linear(3, 8), nn.ReLU(), nn.Linear(8, 4)).to("cuda")
    judge = nn.Sequential(nn.Linear(4, 8), nn.Tanh(), nn.Linear(8, 1)).to("cuda")
    first, second = optim.Adam(maker.parameters(), lr=0.02, betas=(0.5, 0.99)), optim.RMSprop(judge.parameters(), lr=0.01)

    def step(real, noise):
        second.zero_grad()
        made = maker(noise)
        loss = F.softplus(-judge(real)).mean() + F.softplus(judge(made.detach())).mean()
        loss.backward()
        second.step()
        first.zero_grad()
        fooled = F.softplus(-judge(made)).mean()
        fooled.backward()
        first.step()
        return loss.detach(), fooled.detach()
    go, rng, losses = compiled_if(wanted, step), np.random.default_rng(0), []
    for _ in range(8):
        real, noise = (put(rng.standard_normal((5, n)).astype(np.float32)) for n in (4, 3))
        losses.append([t.item() for t in go(real, noise)])
    return losses, values(maker) + values(judge), captures(go)


def moving_average(wanted):
    """Of the weights, within the step; and torch's AveragedModel behind it."""
    net = mlp().to("cuda")
    slow, outside = copy.deepcopy(net), optim.swa_utils.AveragedModel(net, multi_avg_fn=optim.swa_utils.get_ema_multi_avg_fn(0.9))
    opt = optim.SGD(net.parameters(), lr=0.1, momentum=0.9)

    def step(x, y):
        opt.zero_grad()
        loss = F.cross_entropy(net(x), y)
        loss.backward()
        opt.step()
        with ringgrad.no_grad():
            for a, p in zip(slow.parameters(), net.parameters()):
                a.lerp_(p, 0.1)
        return loss.detach()
    go, losses = compiled_if(wanted, step), []
    for x, y in batches(8):
        losses.append(go(x, y).item())
        outside.update_parameters(net)
    return losses, values(net) + values(slow) + values(outside.module), captures(go)


def a_cycle_of_rate_and_momentum(wanted):
    """OneCycleLR moves SGD's momentum with the rate."""
    net = mlp().to("cuda")
    opt = optim.SGD(net.parameters(), lr=0.1, momentum=0.9, nesterov=True)
    plan = optim.lr_scheduler.OneCycleLR(opt, 0.2, total_steps=12)

    def step(x, y):
        opt.zero_grad()
        loss = F.cross_entropy(net(x), y)
        loss.backward()
        opt.step()
        plan.step()
        return loss.detach()
    go = compiled_if(wanted, step)
    return [(go(x, y).item(), opt.param_groups[0]["momentum"]) for x, y in batches(10)], values(net), captures(go)


def a_rate_from_a_function(wanted):
    """LambdaLR for two groups, one of which stands still at times."""
    net = mlp().to("cuda")
    opt = optim.NAdam([{"params": net[1].parameters()}, {"params": net[4].parameters(), "weight_decay": 0.1}], lr=0.02)
    plan = optim.lr_scheduler.LambdaLR(opt, [lambda n: 1 / (1 + n), lambda n: float(n % 3 != 2)])

    def step(x, y):
        opt.zero_grad()
        loss = F.cross_entropy(net(x), y)
        loss.backward()
        opt.step()
        return loss.detach()
    go, losses = compiled_if(wanted, step), []
    for x, y in batches(9):
        losses.append(go(x, y).item())
        plan.step()
    return losses, values(net), captures(go)


def a_plateau_outside(wanted):
    """The rate falls when the mean loss of an epoch does; the last batch of an epoch is smaller; evaluation between epochs is captured too."""
    net = cnn().to("cuda")
    opt = optim.AdamW(net.parameters(), lr=0.05)
    plan, said = optim.lr_scheduler.ReduceLROnPlateau(opt, patience=0, threshold=0.5), []

    def step(x, y):
        opt.zero_grad()
        loss = F.cross_entropy(net(x), y)
        loss.backward()
        opt.step()
        return loss.detach()

    @ringgrad.no_grad()
    def judge(x, y):
        return (net(x).argmax(1) == y).float().mean()
    go, look = compiled_if(wanted, step, warmup=2), compiled_if(wanted, judge, warmup=2)
    for epoch in range(4):
        net.train()
        total = ringgrad.zeros((), device="cuda")
        for n, size in enumerate((4, 4, 3)):
            total += go(*batches(1, size, seed=10 * epoch + n)[0])
        net.eval()
        said.append((total.item(), look(*batches(1, 5, seed=99)[0]).item(), opt.param_groups[0]["lr"]))
        plan.step(total)
    return said, values(net), (captures(go), captures(look)) if wanted else None


def penalties_and_frozen_parts(wanted):
    """Gradients of gradients in the step, a part that is frozen, and a number that is passed as a tensor."""
    net = nn.Sequential(nn.Linear(4, 6), nn.Tanh(), nn.Linear(6, 1)).to("cuda")
    net[0].bias.requires_grad_(False)
    opt = optim.Adam([p for p in net.parameters() if p.requires_grad], lr=0.02)

    def step(x, strength):
        opt.zero_grad()
        x = x.requires_grad_()
        y = net(x)
        (slope,) = ringgrad.autograd.grad(y.sum(), x, create_graph=True)
        loss = y.square().mean() + strength * (slope.norm(dim=1) - 1).square().mean()
        loss.backward()
        opt.step()
        return loss.detach()
    go, rng = compiled_if(wanted, step), np.random.default_rng(0)
    losses = [go(put(rng.standard_normal((5, 4)).astype(np.float32)), put(np.float32(n))).item() for n in range(7)]
    return losses, values(net), captures(go)


STORIES = {
    accumulation: 1, two_networks: 1, moving_average: 1, a_cycle_of_rate_and_momentum: 1, a_rate_from_a_function: 1, a_plateau_outside: (2, 1),
    penalties_and_frozen_parts: 1,
}


QUICK = (accumulation, two_networks)


@pytest.mark.parametrize("story", [pytest.param(s, marks=() if s in QUICK else pytest.mark.slow, id=s.__name__) for s in STORIES])
def test_it_trains_as_it_would(xp, story):
    found = []
    for wanted in (False, True):
        ringgrad.manual_seed(0)
        found.append(story(wanted))
    (plain, weights, _), (captured, captured_weights, count) = found
    assert captured == plain and same(captured_weights, weights) and count == STORIES[story]


# Stopping, going on, and failing


class Run:
    """A training run that can be saved and loaded: dropout, a schedule, a loss scale, clipping in the step."""

    def __init__(self, wanted):
        self.net = cnn().to("cuda")
        self.opt = optim.clip_in_step(optim.AdamW(self.net.parameters(), lr=0.01, fused=True), 1.0)
        self.plan = optim.lr_scheduler.CosineAnnealingLR(self.opt, 12)
        self.scaler = ringgrad.amp.GradScaler("cuda", init_scale=2.0**8, growth_interval=3)
        self.go, self.losses = compiled_if(wanted, self.step, warmup=2), []

    def step(self, x, y):
        self.opt.zero_grad()
        loss = F.cross_entropy(self.net(x), y)
        self.scaler.scale(loss).backward()
        self.scaler.step(self.opt)
        self.scaler.update()
        self.plan.step()
        return loss.detach()

    def parts(self):
        return {"net": self.net, "opt": self.opt, "plan": self.plan, "scaler": self.scaler}

    def save(self):
        file = io.BytesIO()
        ringgrad.save({**{k: part.state_dict() for k, part in self.parts().items()}, "random": ringgrad.cuda.get_rng_state()}, file)
        return file.getvalue()

    def load(self, saved):
        found = ringgrad.load(io.BytesIO(saved), map_location="cpu")
        for name, part in self.parts().items():
            part.load_state_dict(found[name])
        ringgrad.cuda.set_rng_state(found["random"])

    def train(self, data):
        self.losses += [(self.go(x, y).item(), self.opt.total_norm.item(), self.scaler.get_scale()) for x, y in data]


def test_a_run_goes_on_from_its_checkpoint(xp):
    """In the same objects, whose graph replays before and behind, and in new ones; random numbers too."""
    data = batches(11)
    ringgrad.manual_seed(0)
    plain = Run(False)
    plain.train(data)
    ringgrad.manual_seed(0)
    first = Run(True)
    first.train(data[:6])
    saved = first.save()
    first.train(data[6:])
    assert first.losses == plain.losses and same(values(first.net), values(plain.net))
    first.load(saved)
    first.train(data[6:])
    assert first.losses[11:] == plain.losses[6:] and same(values(first.net), values(plain.net))
    ringgrad.manual_seed(7)
    second = Run(True)
    second.load(saved)
    second.train(data[6:])
    assert second.losses == plain.losses[6:] and same(values(second.net), values(plain.net))


@pytest.mark.parametrize("calls", [0, 1, 3], ids=["the first call", "while it warms up", "between replays"])
def test_an_interruption_leaves_nothing_behind(xp, calls):
    """Control-C in the middle of the step or of the loop; who goes on afterwards trains as if that step had not been asked for."""
    def run(wanted, interrupted):
        ringgrad.manual_seed(0)
        net = nn.Sequential(nn.Flatten(), nn.Linear(64, 5)).to("cuda")
        opt, stop = optim.AdamW(net.parameters(), lr=0.01), []

        def step(x, y):
            opt.zero_grad()
            loss = F.cross_entropy(net(x), y)
            if stop:
                raise KeyboardInterrupt
            loss.backward()
            opt.step()
            return loss.detach()
        go, losses = compiled_if(wanted, step, warmup=2), []
        for n, (x, y) in enumerate(batches(6)):
            if interrupted and n == calls:
                stop.append(1)
                try:
                    go(x, y if calls < 3 else y[:4])
                except (KeyboardInterrupt, ValueError) as error:
                    assert type(error) is (KeyboardInterrupt if calls < 3 else ValueError)
                stop.clear()
            losses.append(go(x, y).item())
        return losses, values(net)
    plain, captured = run(False, False), run(True, True)
    assert captured[0] == plain[0] and same(captured[1], plain[1])
