"""Learning-rate schedules: thirty steps against PyTorch, resuming in the middle, and the warnings and errors of wrong use."""
import pickle
import warnings

import pytest

import ringgrad
from ringgrad import optim
from ringgrad.optim import lr_scheduler

STEPS = 30
METRICS = [3.0, 2.0, 2.0, 2.0, 2.1, 1.9, 1.9, 1.95, 1.9, 1.9, 1.91, 1.0, 1.0, 1.1, 1.2, 1.3, 1.4, 1.5, 1.6, 1.7] + [2.0] * 10


class Scale:
    """A callable object whose attributes belong in a state dict."""

    def __init__(self, base):
        self.base = base

    def __call__(self, epoch):
        return self.base**epoch


ROWS = {
    "step": lambda s, o: s.StepLR(o, 4, gamma=0.5),
    "multi": lambda s, o: s.MultiStepLR(o, [3, 8, 8, 20], gamma=0.3),
    "constant": lambda s, o: s.ConstantLR(o, factor=0.25, total_iters=7),
    "linear": lambda s, o: s.LinearLR(o, start_factor=0.1, end_factor=0.8, total_iters=12),
    "exponential": lambda s, o: s.ExponentialLR(o, 0.9),
    "cosine": lambda s, o: s.CosineAnnealingLR(o, T_max=9, eta_min=0.01),
    "polynomial": lambda s, o: s.PolynomialLR(o, total_iters=20, power=1.7),
    "lambda": lambda s, o: s.LambdaLR(o, lambda e: 1 / (1 + e)),
    "lambdas": lambda s, o: s.LambdaLR(o, [Scale(0.9), Scale(0.8)]),
    "multiplicative": lambda s, o: s.MultiplicativeLR(o, [lambda e: 0.9, lambda e: 0.99**e]),
    "restarts": lambda s, o: s.CosineAnnealingWarmRestarts(o, T_0=4, T_mult=2, eta_min=0.01),
    "restarts_even": lambda s, o: s.CosineAnnealingWarmRestarts(o, T_0=5),
    "cyclic": lambda s, o: s.CyclicLR(o, 0.01, 0.3, step_size_up=4, step_size_down=6),
    "cyclic_halved": lambda s, o: s.CyclicLR(o, [0.01, 0.02], [0.3, 0.4], step_size_up=4, mode="triangular2"),
    "cyclic_exp": lambda s, o: s.CyclicLR(o, 0.01, 0.3, step_size_up=4, mode="exp_range", gamma=0.95, cycle_momentum=False),
    "cyclic_custom": lambda s, o: s.CyclicLR(o, 0.01, 0.3, step_size_up=4, scale_fn=Scale(0.9), scale_mode="iterations"),
    "onecycle": lambda s, o: s.OneCycleLR(o, 0.5, total_steps=STEPS),
    "onecycle_linear": lambda s, o: s.OneCycleLR(o, [0.5, 0.6], epochs=5, steps_per_epoch=6, anneal_strategy="linear", pct_start=0.4),
    "onecycle_three": lambda s, o: s.OneCycleLR(o, 0.5, total_steps=STEPS, three_phase=True, cycle_momentum=False),
    "sequential": lambda s, o: s.SequentialLR(o, [s.LinearLR(o, 0.1, total_iters=5), s.CosineAnnealingLR(o, 10), s.ExponentialLR(o, 0.9)],
                                              milestones=[5, 15]),
    "chained": lambda s, o: s.ChainedScheduler([s.LinearLR(o, 0.1, total_iters=5), s.ExponentialLR(o, 0.9)]),
    "plateau": lambda s, o: s.ReduceLROnPlateau(o, factor=0.5, patience=2, cooldown=1, min_lr=0.02),
    "plateau_max": lambda s, o: s.ReduceLROnPlateau(o, mode="max", patience=1, threshold=0.1, threshold_mode="abs", min_lr=[0.01, 0.05]),
}
schedules = pytest.mark.parametrize("make", ROWS.values(), ids=ROWS.keys())


def two_groups(library, kind="SGD"):
    a, b = (library.ones(2, requires_grad=True) for _ in range(2))
    kwargs = {"momentum": 0.9} if kind == "SGD" else {}
    return getattr(library.optim, kind)([{"params": [a]}, {"params": [b], "lr": 0.5}], lr=0.2, **kwargs)


def advance(optimizer, schedule, steps):
    """The rates and momenta after each step."""
    path = []
    for n in steps:
        optimizer.step()
        if "Plateau" in type(schedule).__name__:
            schedule.step(METRICS[n])
        else:
            schedule.step()
        path.append([(g["lr"], g.get("momentum"), g.get("betas")) for g in optimizer.param_groups])
        assert schedule.get_last_lr() == [g["lr"] for g in optimizer.param_groups]
    return path


def flat(settings):
    rate, momentum, betas = settings
    return [rate, *([] if momentum is None else [momentum]), *(betas or [])]


@pytest.mark.torch
@schedules
@pytest.mark.parametrize("kind", ["SGD", "Adam"])
def test_thirty_steps_equal_torch(make, kind):
    torch = pytest.importorskip("torch", reason="the oracle, torch, is not installed")
    a, b = two_groups(ringgrad, kind), two_groups(torch, kind)
    mine, other = make(lr_scheduler, a), make(torch.optim.lr_scheduler, b)
    assert [g["lr"] for g in a.param_groups] == pytest.approx([g["lr"] for g in b.param_groups], rel=1e-12)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # torch's own, about its chained schedules
        want = advance(b, other, range(STEPS - 1))
    for n, (x, y) in enumerate(zip(advance(a, mine, range(STEPS - 1)), want, strict=True)):
        for group, other_group in zip(x, y, strict=True):
            assert flat(group) == pytest.approx(flat(other_group), rel=1e-12, abs=1e-15), n


@schedules
def test_resumes_in_the_middle(make):
    a = two_groups(ringgrad)
    whole = make(lr_scheduler, a)
    first = advance(a, whole, range(13))
    saved = pickle.loads(pickle.dumps((a.state_dict(), whole.state_dict())))
    rest = advance(a, whole, range(13, 29))
    b = two_groups(ringgrad)
    again = make(lr_scheduler, b)
    again.load_state_dict(saved[1])
    b.load_state_dict(saved[0])
    assert advance(b, again, range(13, 29)) == rest != first[:len(rest)]
    assert again.state_dict().keys() == whole.state_dict().keys()


@pytest.mark.torch
@pytest.mark.parametrize("make", [v for k, v in ROWS.items() if k not in ("plateau", "plateau_max")],
                         ids=[k for k in ROWS if not k.startswith("plateau")])
def test_state_dicts_have_torch_keys(make):
    torch = pytest.importorskip("torch", reason="the oracle, torch, is not installed")
    mine = make(lr_scheduler, two_groups(ringgrad)).state_dict()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        other = make(torch.optim.lr_scheduler, two_groups(torch)).state_dict()
    assert set(mine) == set(other)


@pytest.mark.torch
@pytest.mark.parametrize("make", [ROWS[k] for k in ("step", "multi", "constant", "linear", "exponential", "cosine", "polynomial",
                                                    "restarts")])
def test_step_to_an_epoch_warns_and_equals_torch(make):
    torch = pytest.importorskip("torch", reason="the oracle, torch, is not installed")
    a, b = two_groups(ringgrad), two_groups(torch)
    mine, other = make(lr_scheduler, a), make(torch.optim.lr_scheduler, b)
    a.step(), b.step()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        mine.step(7), other.step(7)
    assert mine.get_last_lr() == pytest.approx(other.get_last_lr(), rel=1e-12)


def test_going_on_from_a_last_epoch():
    a = two_groups(ringgrad)
    rates = [r[0][0] for r in advance(a, lr_scheduler.StepLR(a, 4, gamma=0.5), range(10))]
    b = two_groups(ringgrad)
    b.load_state_dict(a.state_dict())
    lr_scheduler.StepLR(b, 4, gamma=0.5, last_epoch=9)
    assert b.param_groups[0]["initial_lr"] == 0.2 and rates[9] == b.param_groups[0]["lr"]
    with pytest.raises(KeyError, match="param 'initial_lr' is not specified in param_groups"):
        lr_scheduler.StepLR(two_groups(ringgrad), 4, last_epoch=3)


def test_a_tensor_rate_stays_the_same_tensor():
    rate = ringgrad.tensor(0.5)
    optimizer = optim.SGD([ringgrad.ones(2, requires_grad=True)], lr=rate)
    schedule = lr_scheduler.ExponentialLR(optimizer, 0.5)
    optimizer.step()
    schedule.step()
    assert optimizer.param_groups[0]["lr"] is rate and rate.item() == 0.25
    assert schedule.get_last_lr()[0] is not rate and schedule.get_last_lr()[0].item() == 0.25


def test_stepping_the_schedule_first_warns():
    schedule = lr_scheduler.StepLR(two_groups(ringgrad), 2)
    with pytest.warns(UserWarning, match="before `optimizer.step"):
        schedule.step()


def test_a_step_before_the_schedule_was_made_does_not_count():
    optimizer = two_groups(ringgrad)
    optimizer.step()
    schedule = lr_scheduler.StepLR(optimizer, 2)
    with pytest.warns(UserWarning, match="before `optimizer.step"):
        schedule.step()


def test_overriding_step_warns():
    optimizer = two_groups(ringgrad)
    schedule = lr_scheduler.StepLR(optimizer, 2)
    optimizer.step = lambda: None
    with pytest.warns(UserWarning, match="has been overridden"):
        schedule.step()


def test_get_lr_outside_of_a_step_warns():
    schedule = lr_scheduler.ExponentialLR(two_groups(ringgrad), 0.5)
    with pytest.warns(UserWarning, match="get_last_lr"):
        schedule.get_lr()


BAD = [
    ("StepLR", lambda s, o: s.StepLR("sgd", 2), TypeError, "str is not an Optimizer"),
    ("LambdaLR", lambda s, o: s.LambdaLR(o, [lambda e: 1]), ValueError, "Expected 2 lr_lambdas, but got 1"),
    ("MultiplicativeLR", lambda s, o: s.MultiplicativeLR(o, 0.5), TypeError, "should be a function, but got float"),
    ("ConstantLR", lambda s, o: s.ConstantLR(o, factor=1.5), ValueError, "between 0 and 1"),
    ("LinearLR", lambda s, o: s.LinearLR(o, start_factor=0), ValueError, "greater than 0"),
    ("LinearLR", lambda s, o: s.LinearLR(o, end_factor=2), ValueError, "between 0 and 1"),
    ("restarts", lambda s, o: s.CosineAnnealingWarmRestarts(o, T_0=0), ValueError, "positive integer T_0"),
    ("restarts", lambda s, o: s.CosineAnnealingWarmRestarts(o, 2).step(-1), ValueError, "non-negative epoch"),
    ("plateau", lambda s, o: s.ReduceLROnPlateau(o, factor=1.0), ValueError, "Factor should be < 1.0"),
    ("plateau", lambda s, o: s.ReduceLROnPlateau(o, mode="down"), ValueError, "mode down is unknown"),
    ("plateau", lambda s, o: s.ReduceLROnPlateau(o, min_lr=[0.1]), ValueError, "expected 2 min_lrs, got 1"),
    ("cyclic", lambda s, o: s.CyclicLR(o, 0.1, 0.2, mode="square"), ValueError, "mode is invalid"),
    ("cyclic", lambda s, o: s.CyclicLR(o, [0.1], 0.2), ValueError, "same length as optimizer.param_groups"),
    ("onecycle", lambda s, o: s.OneCycleLR(o, 0.1), ValueError, "either total_steps OR"),
    ("onecycle", lambda s, o: s.OneCycleLR(o, 0.1, total_steps=10, pct_start=2.0), ValueError, "between 0 and 1 pct_start"),
    ("onecycle", lambda s, o: s.OneCycleLR(o, 0.1, total_steps=10, anneal_strategy="x"), ValueError, "'cos' or 'linear'"),
    ("sequential", lambda s, o: s.SequentialLR(o, [s.StepLR(o, 2)], [3]), ValueError, "one more than the number of milestone"),
    ("sequential", lambda s, o: s.SequentialLR(o, [], []), ValueError, "at least one scheduler"),
    ("sequential", lambda s, o: s.SequentialLR(o, [s.ReduceLROnPlateau(o)], []), ValueError, "does not support `ReduceLROnPlateau`"),
    ("chained", lambda s, o: s.ChainedScheduler([s.StepLR(o, 2), s.StepLR(two_groups(ringgrad), 2)]), ValueError, "same optimizer"),
]


@pytest.mark.parametrize(("make", "error", "words"), [row[1:] for row in BAD], ids=[row[0] for row in BAD])
def test_wrong_use(make, error, words):
    with pytest.raises(error, match=words):
        make(lr_scheduler, two_groups(ringgrad))


def test_one_cycle_refuses_to_go_on_after_its_end():
    optimizer = two_groups(ringgrad)
    schedule = lr_scheduler.OneCycleLR(optimizer, 0.1, total_steps=3)
    advance(optimizer, schedule, range(3))
    with pytest.raises(ValueError, match="Tried to step 4 times. The specified number of total steps is 3"):
        schedule.step()


def test_cyclic_needs_an_optimizer_with_momentum():
    optimizer = optim.Adagrad([ringgrad.ones(2, requires_grad=True)])
    with pytest.raises(ValueError, match="must support momentum or beta1"):
        lr_scheduler.CyclicLR(optimizer, 0.1, 0.2)


def warm_up(library, older):
    """A schedule as programs write them: a subclass of the older name, with a schedule of its own behind it."""
    class WarmUp(getattr(library.optim.lr_scheduler, older)):
        def __init__(self, optimizer, length, after, last_epoch=-1):
            self.length, self.after, self.finished = length, after, False
            super().__init__(optimizer, last_epoch)

        def get_lr(self):
            if self.last_epoch > self.length:
                self.after.base_lrs = [base * 2 for base in self.base_lrs]
                self.finished = True
                return self.after.get_last_lr()
            return [base * self.last_epoch / self.length for base in self.base_lrs]

        def step(self, epoch=None):
            if self.finished:
                self.after.step(epoch)
                self._last_lr = self.after.get_last_lr()
            else:
                super().step(epoch)
    return WarmUp


@pytest.mark.torch
@pytest.mark.parametrize("older", ["_LRScheduler", "LRScheduler"])
def test_a_schedule_of_ones_own(older):
    torch = pytest.importorskip("torch", reason="the oracle, torch, is not installed")

    def path(library):
        optimizer = two_groups(library)
        after = library.optim.lr_scheduler.ExponentialLR(optimizer, 0.9)
        schedule = warm_up(library, older)(optimizer, 5, after)
        rates = []
        for _ in range(STEPS):
            optimizer.step()
            with warnings.catch_warnings():
                warnings.simplefilter("ignore")
                schedule.step()
            rates.append([g["lr"] for g in optimizer.param_groups])
        assert set(schedule.state_dict()) >= {"length", "finished", "base_lrs", "last_epoch"}
        return rates
    assert path(ringgrad) == [pytest.approx(r, rel=1e-12) for r in path(torch)]
