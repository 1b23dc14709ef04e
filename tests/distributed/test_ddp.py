"""DistributedDataParallel: equal to one process on the whole batch and to its definition, on threads and on real processes."""

import copy
import pickle
import subprocess
import sys
import textwrap

import numpy as np
import pytest

import ringgrad
from ringgrad import distributed as dist
from ringgrad import nn
from ringgrad._core import hooks
from ringgrad.distributed.comm_hooks import (
    GradBucket,
    allreduce_hook,
    bf16_compress_hook,
    bf16_compress_wrapper,
    fp16_compress_hook,
    fp16_compress_wrapper,
)
from ringgrad.distributed.ddp import DistributedDataParallel
from ringgrad.distributed.join import Join, Joinable, JoinHook
from ringgrad.distributed.simple_ddp import SimpleDDP

TIMEOUT_S = 30
STEPS, BATCH = 20, 12
TOLERANCE = {"float32": 1e-5, "float64": 1e-12}


def on_ranks(n, function, *args):
    """What function(*args) returned on each of n ranks, which are threads."""
    return dist.spawn_local(function, n, *args, timeout=TIMEOUT_S)


def seeded(module, seed=0, scale=0.5):
    """The module with parameters that depend on the seed only."""
    random = np.random.default_rng(seed)
    for p in module.parameters():
        hooks.array(p)[...] = random.normal(0, scale, tuple(p.shape))
    return module


def mlp(dtype="float64", seed=0):
    return seeded(nn.Sequential(nn.Linear(6, 8), nn.Tanh(), nn.Linear(8, 5), nn.Tanh(), nn.Linear(5, 2)).to(getattr(ringgrad, dtype)), seed)


def cnn(dtype="float64", seed=0):
    layers = nn.Conv2d(2, 3, 3, padding=1), nn.ReLU(), nn.Flatten(), nn.Linear(48, 8), nn.Tanh(), nn.Linear(8, 2)
    return seeded(nn.Sequential(*layers).to(getattr(ringgrad, dtype)), seed)


MODELS = {"mlp": (mlp, (6,)), "cnn": (cnn, (2, 4, 4))}


def data(shape, dtype, seed=1, rows=BATCH):
    random = np.random.default_rng(seed)
    x, y = random.normal(size=(rows, *shape)), random.normal(size=(rows, 2))
    return ringgrad.tensor(x.astype(dtype)), ringgrad.tensor(y.astype(dtype))


def gradients(module):
    return {name: p.grad.numpy().copy() for name, p in module.named_parameters() if p.grad is not None}


def parameters(module):
    return {name: p.detach().numpy().copy() for name, p in module.named_parameters()}


def loss_of(model, x, y):
    return ((model(x) - y) ** 2).mean()


def own_rows(tensor):
    return tensor[dist.get_rank() :: dist.get_world_size()]


def train(kind, dtype, options=None, steps=STEPS):
    """Parameters after some steps of SGD with momentum: alone on whole batches, or (options) as one of the ranks."""
    build, shape = MODELS[kind]
    net = build(dtype, seed=0 if options is None else dist.get_rank())  # the ranks begin differently; rank 0's parameters count
    model = net if options is None else DistributedDataParallel(net, **options)
    optimizer = ringgrad.optim.SGD(net.parameters(), lr=0.05, momentum=0.9)
    for step in range(steps):
        x, y = data(shape, dtype, seed=step)
        if options is not None:
            x, y = own_rows(x), own_rows(y)
        optimizer.zero_grad()
        loss_of(model, x, y).backward()
        optimizer.step()
    return parameters(net)


def relative_difference(found, expected):
    return max(float(np.linalg.norm(found[name] - expected[name]) / np.linalg.norm(expected[name])) for name in expected)


# The result does not depend on the number of ranks


@pytest.mark.parametrize("kind", MODELS)
@pytest.mark.parametrize("dtype", TOLERANCE)
@pytest.mark.parametrize("ranks", [1, 2, 4])
def test_ranks_and_one_process_agree_after_20_steps(kind, dtype, ranks):
    alone = train(kind, dtype)
    found = on_ranks(ranks, train, kind, dtype, {"bucket_cap_mb": 0.0001})
    assert max(relative_difference(each, alone) for each in found) <= TOLERANCE[dtype]
    assert all(np.array_equal(each[name], found[0][name]) for each in found for name in alone), "the ranks differ among themselves"


@pytest.mark.mpi
@pytest.mark.parametrize("ranks", [2, 4])
def test_processes_over_mpi_agree_with_one_process_after_20_steps(world, ranks):
    ran = world(ranks).run(train_all)
    for kind in MODELS:
        for dtype, tolerance in TOLERANCE.items():
            alone = train(kind, dtype)
            assert max(relative_difference(each[kind, dtype], alone) for each in ran.results) <= tolerance, (kind, dtype)


def train_all():
    dist.init_process_group(timeout=TIMEOUT_S)
    return {(kind, dtype): train(kind, dtype, {"bucket_cap_mb": 0.0001}) for kind in MODELS for dtype in TOLERANCE}


OPTIONS = {
    "default": {},
    "one bucket per parameter": {"bucket_cap_mb": 1e-6},
    "buckets of several sizes": {"bucket_cap_mb_list": [1e-6, 1e-4, 1e-3]},
    "gradient as bucket view": {"gradient_as_bucket_view": True, "bucket_cap_mb": 1e-4},
    "find unused": {"find_unused_parameters": True, "bucket_cap_mb": 1e-4},
    "static graph": {"static_graph": True, "bucket_cap_mb": 1e-4},
    "static graph as view": {"static_graph": True, "gradient_as_bucket_view": True},
    "no buffers": {"broadcast_buffers": False},
}


@pytest.mark.parametrize("options", OPTIONS.values(), ids=OPTIONS)
def test_gradients_equal_those_of_the_definition(options):
    def program():
        seen = []
        for wrap in (SimpleDDP, lambda module: DistributedDataParallel(module, **options)):
            model = wrap(mlp(seed=dist.get_rank()))
            for step in range(3):  # buckets are rebuilt after the first
                x, y = data((6,), "float64", seed=step)
                model.zero_grad()
                loss_of(model, own_rows(x), own_rows(y)).backward()
                seen.append(gradients(model.module))
        return seen

    for seen in on_ranks(3, program):
        for expected, found in zip(seen[:3], seen[3:]):
            assert relative_difference(found, expected) <= 1e-14


# Construction


def test_parameters_and_buffers_are_those_of_rank_0():
    def program():
        net = mlp(seed=dist.get_rank())
        net.register_buffer("seen", ringgrad.tensor([dist.get_rank() + 5]))
        tensors = [*net.parameters(), net.seen]
        before = [t._version for t in tensors]
        model = DistributedDataParallel(net)
        return parameters(model.module), net.seen.tolist(), [t._version - v for t, v in zip(tensors, before)]

    for rank, (found, seen, writes) in enumerate(on_ranks(3, program)):
        assert relative_difference(found, parameters(mlp(seed=0))) == 0
        assert seen == [5]
        assert writes == [int(rank != 0)] * 7, "autograd was not told, or told too much"


@pytest.mark.parametrize(("options", "copied"), [
    ({}, True), ({"broadcast_buffers": False}, False), ({"forward_sync_buffers": False}, True), ({"init_sync": False}, False)])
def test_buffers_are_copied_at_the_start_as_torch_does(options, copied):
    def program():
        net = mlp()
        net.register_buffer("seen", ringgrad.tensor([dist.get_rank()]))
        DistributedDataParallel(net, **options)
        return net.seen.item()

    assert on_ranks(2, program) == [0, 0 if copied else 1]


def test_ignored_parameters_are_neither_copied_nor_averaged():
    def program():
        net = mlp(seed=dist.get_rank())
        net._ddp_params_and_buffers_to_ignore = ["0.weight"]
        model = DistributedDataParallel(net)
        x, y = data((6,), "float64")
        loss_of(model, own_rows(x), own_rows(y)).backward()
        return gradients(net)

    first, second = on_ranks(2, program)
    assert np.array_equal(first["2.weight"], second["2.weight"])
    assert not np.array_equal(first["0.weight"], second["0.weight"])


def _frozen():
    return mlp().requires_grad_(False)


REFUSED = {
    "nothing to train": (lambda: DistributedDataParallel(_frozen()), RuntimeError, "doesn't have any parameter that requires a gradient"),
    "several device ids": (lambda: DistributedDataParallel(mlp(), [0, 1]), ValueError, "None or contain a single element"),
    "a GPU for a CPU module": (lambda: DistributedDataParallel(mlp(), [0]), ValueError, r"got device_ids \[0\].*parameters \['cpu'\]"),
    "a bucket of no size": (lambda: DistributedDataParallel(mlp(), bucket_cap_mb=0), ValueError, "positive number of MiB"),
    "a group this rank is not in": (lambda: DistributedDataParallel(mlp(), process_group=dist.GroupMember.NON_GROUP_MEMBER), ValueError,
                                    "not a member of process_group"),
    "mixed precision": (lambda: DistributedDataParallel(mlp(), mixed_precision=object()), NotImplementedError, "does not support mixed"),
    "no hook": (lambda: DistributedDataParallel(mlp()).register_comm_hook(None, 3), TypeError, "must be callable"),
}


@pytest.mark.parametrize(("call", "error", "words"), REFUSED.values(), ids=REFUSED)
def test_wrong_arguments(call, error, words):
    def program():
        with pytest.raises(error, match=words):
            call()

    on_ranks(1, program)


def test_without_a_process_group():
    with pytest.raises(ValueError, match="Default process group has not been initialized, please make sure to call init_process_group"):
        DistributedDataParallel(mlp())


def _narrower():
    return nn.Sequential(nn.Linear(6, 8), nn.Tanh(), nn.Linear(8, 4), nn.Tanh(), nn.Linear(4, 2)).double()


def _longer():
    return nn.Sequential(*mlp(), nn.Linear(2, 2)).double()


@pytest.mark.parametrize(("other", "words"), [
    (_narrower, r"rank 1 has 2.weight of shape \(4, 8\), float64 where rank 0 has 2.weight of shape \(5, 8\), float64"),
    (lambda: mlp("float32"), r"rank 1 has 0.weight of shape \(8, 6\), float32 where rank 0 has 0.weight of shape \(8, 6\), float64"),
    (_longer, r"rank 1 has 8 parameters and rank 0 has 6: 5.weight of shape \(2, 2\), float64 is missing on rank 0"),
    (lambda: _with_frozen_end(), r"rank 1 has 5 parameters and rank 0 has 6: 4.bias of shape \(2,\), float64 is missing on rank 1"),
])
def test_models_that_differ_are_told_apart_on_every_rank(other, words):
    def program():
        with pytest.raises(RuntimeError, match=rf"^\[rank {dist.get_rank()}\] DistributedDataParallel expects the same model.*{words}"):
            DistributedDataParallel(other() if dist.get_rank() == 1 else mlp())

    on_ranks(3, program)


def _with_frozen_end():
    net = mlp()
    net[4].bias.requires_grad_(False)
    return net


# Steps


def test_no_sync_accumulates_as_one_process_does():
    def program():
        model = DistributedDataParallel(mlp(), bucket_cap_mb=1e-4)
        x, y = data((6,), "float64")
        x, y = own_rows(x), own_rows(y)
        with model.no_sync():
            for at in range(0, 4, 2):
                loss_of(model, x[at : at + 2], y[at : at + 2]).backward()
        own = gradients(model.module)
        loss_of(model, x[4:], y[4:]).backward()
        return own, gradients(model.module)

    net = mlp()
    x, y = data((6,), "float64")
    for rows in (slice(0, 4), slice(4, 8), slice(8, 12)):
        loss_of(net, x[rows], y[rows]).backward()
    (own0, first), (own1, second) = on_ranks(2, program)
    assert relative_difference(first, gradients(net)) <= 1e-14
    assert relative_difference(second, first) == 0
    assert relative_difference(own0, own1) > 0.01, "no_sync has averaged"


@pytest.mark.parametrize("by_attribute", [False, True])
def test_no_sync_round_backward_only_is_refused(by_attribute):
    def program():
        model = DistributedDataParallel(mlp())
        loss = loss_of(model, *data((6,), "float64"))
        with pytest.raises(RuntimeError, match="forward pass ran outside of no_sync"):
            if by_attribute:
                model.require_backward_grad_sync = False
                loss.backward()
            else:
                with model.no_sync():
                    loss.backward()

    on_ranks(2, program)


def test_no_sync_is_left_also_after_an_error():
    def program():
        model = DistributedDataParallel(mlp())
        with pytest.raises(KeyError), model.no_sync():
            raise KeyError
        return model.require_backward_grad_sync

    assert on_ranks(1, program) == [True]


class Counting(nn.Module):
    """A linear layer with a buffer that each forward pass in training mode writes to."""

    def __init__(self):
        super().__init__()
        self.linear = seeded(nn.Linear(2, 2).double())
        self.register_buffer("count", ringgrad.zeros(1))
        self.register_buffer("last", ringgrad.zeros(2, dtype=ringgrad.int64))

    def forward(self, x):
        if self.training:
            self.count += 1
            self.last += dist.get_rank()
        return self.linear(x)


@pytest.mark.parametrize(("broadcast", "expected"), [(True, [0, 1]), (False, [0, 3])])
def test_buffers_are_rank_0s_before_each_forward_in_training(broadcast, expected):
    def program():
        model = DistributedDataParallel(Counting(), broadcast_buffers=broadcast)
        for _ in range(3):
            model(ringgrad.ones(1, 2, dtype=ringgrad.float64)).sum().backward()
        return model.module.count.item(), model.module.last.tolist()

    assert on_ranks(2, program) == [(3, [last] * 2) for last in expected]


def test_one_rank_may_evaluate_alone():
    def program():
        model = DistributedDataParallel(Counting())
        if dist.get_rank() == 0:
            model.eval()
            with ringgrad.no_grad():
                return model(ringgrad.ones(1, 2, dtype=ringgrad.float64)).shape
        return None

    assert on_ranks(2, program) == [(1, 2), None]


class Branches(nn.Module):
    """Two layers, of which an argument chooses one."""

    def __init__(self):
        super().__init__()
        self.a, self.b = seeded(nn.Linear(2, 1).double()), seeded(nn.Linear(2, 1).double())

    def forward(self, x, *, branch):
        return {"out": (self.a if branch == "a" else self.b)(x)}


def test_find_unused_parameters_with_branches():
    def program():
        model = DistributedDataParallel(Branches(), find_unused_parameters=True)
        x = ringgrad.ones(1, 2, dtype=ringgrad.float64)
        grads = []
        for branches in ("ab", "aa"):
            model.zero_grad()
            model(x, branch=branches[dist.get_rank()])["out"].sum().backward()
            grads.append(gradients(model.module))
        return grads

    for mixed, alike in on_ranks(2, program):
        assert {name: g.ravel().tolist() for name, g in mixed.items()} == {
            "a.weight": [0.5, 0.5], "a.bias": [0.5], "b.weight": [0.5, 0.5], "b.bias": [0.5]}
        assert {name: g.ravel().tolist() for name, g in alike.items()} == {"a.weight": [1.0, 1.0], "a.bias": [1.0]}


def test_gradients_as_bucket_views_share_the_buckets_memory():
    def program():
        model = DistributedDataParallel(mlp(), gradient_as_bucket_view=True)
        for _ in range(2):
            model.zero_grad()
            loss_of(model, *data((6,), "float64")).backward()
        rows = [bucket.row for bucket in model.reducer.buckets]
        return all(any(np.shares_memory(hooks.array(p.grad), row) for row in rows) for p in model.parameters())

    assert on_ranks(2, program) == [True, True]


HOOKS = {
    "allreduce": (allreduce_hook, 1e-15), "fp16": (fp16_compress_hook, 2e-3), "bf16": (bf16_compress_hook, 2e-2),
    "fp16 wrapper": (fp16_compress_wrapper(allreduce_hook), 2e-3), "bf16 wrapper": (bf16_compress_wrapper(allreduce_hook), 2e-2)}


@pytest.mark.parametrize(("hook", "tolerance"), HOOKS.values(), ids=HOOKS)
@pytest.mark.parametrize("as_view", [False, True])
def test_communication_hooks(hook, tolerance, as_view):
    def program(hooked):
        model = DistributedDataParallel(mlp(), bucket_cap_mb=1e-4, gradient_as_bucket_view=as_view)
        if hooked:
            model.register_comm_hook(None, hook)
        for _ in range(2):
            model.zero_grad()
            loss_of(model, *map(own_rows, data((6,), "float64"))).backward()
        return gradients(model.module)

    plain, hooked = on_ranks(2, program, False), on_ranks(2, program, True)
    difference = relative_difference(hooked[0], plain[0])
    assert difference <= tolerance
    assert (difference > 1e-6) == (tolerance > 1e-6), "nothing was compressed"
    assert relative_difference(hooked[1], hooked[0]) == 0


def test_a_hook_gets_a_bucket_of_gradients():
    def program():
        model, seen = DistributedDataParallel(mlp(), bucket_cap_mb=1e-6), []

        def hook(state, bucket: GradBucket):
            seen.append((bucket.index(), bucket.is_last(), bucket.buffer().numel(), [tuple(p.shape) for p in bucket.parameters()]))
            return allreduce_hook(state, bucket)

        model.register_comm_hook(None, hook)
        loss_of(model, *data((6,), "float64")).backward()
        return seen

    expected = [(0, False, 2, [(2,)]), (1, False, 10, [(2, 5)]), (2, False, 5, [(5,)]), (3, False, 40, [(5, 8)]),
                (4, False, 8, [(8,)]), (5, True, 48, [(8, 6)])]
    assert on_ranks(2, program) == [expected] * 2


def test_a_subgroup_averages_among_its_members():
    def program():
        group = dist.new_group([1, 2])
        if dist.get_rank() == 0:
            return None
        net = seeded(nn.Linear(1, 1, bias=False).double(), seed=dist.get_rank())
        model = DistributedDataParallel(net, process_group=group)
        model(ringgrad.full((1, 1), float(dist.get_rank()), dtype=ringgrad.float64)).sum().backward()
        return net.weight.item(), net.weight.grad.item()

    first = seeded(nn.Linear(1, 1, bias=False).double(), seed=1).weight.item()
    assert on_ranks(3, program) == [None, (first, 1.5), (first, 1.5)]


# Copies


def test_the_state_dict_has_the_prefix_module():
    def program():
        model = DistributedDataParallel(mlp())
        model.load_state_dict({f"module.{name}": value * 0 for name, value in mlp().state_dict().items()})
        return list(model.state_dict()), sum(float(abs(p).sum()) for p in model.parameters())

    names, total = on_ranks(1, program)[0]
    assert names == [f"module.{name}" for name in mlp().state_dict()]
    assert total == 0


@pytest.mark.parametrize("duplicate", [copy.deepcopy, lambda model: pickle.loads(pickle.dumps(model))], ids=["deepcopy", "pickle"])
def test_a_copy_averages_on_its_own(duplicate):
    def program():
        model = DistributedDataParallel(mlp(), bucket_cap_mb=1e-4, gradient_as_bucket_view=True)
        twin = duplicate(model)
        x, y = data((6,), "float64")
        loss_of(twin, own_rows(x), own_rows(y)).backward()
        assert gradients(model.module) == {}
        loss_of(model, own_rows(x), own_rows(y)).backward()
        return relative_difference(gradients(twin.module), gradients(model.module)), len(twin.reducer.buckets) - len(model.reducer.buckets)

    assert on_ranks(2, program) == [(0.0, 0)] * 2


def test_only_the_default_group_can_be_pickled():
    def program():
        model = DistributedDataParallel(mlp(), process_group=dist.new_group([0]))
        with pytest.raises(RuntimeError, match="only supported when using DDP with the default process group"):
            pickle.dumps(model)

    on_ranks(1, program)


def test_a_module_that_is_wrapped_no_more_keeps_no_hooks():
    def program():
        net = mlp()
        for _ in range(3):
            model = DistributedDataParallel(net)
            del model
        return [len(p._hooks.post_accumulate) for p in net.parameters()]

    assert on_ranks(1, program) == [[0] * 6]


# Uneven inputs


def uneven_steps(divide_by_initial_world_size, options):
    """Rank r sees r + 1 batches: (gradients of the weight per step, the weight at the end, steps that the reducer averaged)."""
    net = seeded(nn.Linear(1, 1, bias=False).double(), seed=dist.get_rank())
    model, seen = DistributedDataParallel(net, **options), []
    with model.join(divide_by_initial_world_size=divide_by_initial_world_size):
        for _ in range(dist.get_rank() + 1):
            model.zero_grad()
            model(ringgrad.ones(1, 1, dtype=ringgrad.float64) * (dist.get_rank() + 1)).sum().backward()
            seen.append(net.weight.grad.item())
            net.weight.data = net.weight.data - net.weight.grad
    return seen, net.weight.item()


@pytest.mark.parametrize("options", [{}, {"find_unused_parameters": True}, {"gradient_as_bucket_view": True}], ids=["", "unused", "view"])
@pytest.mark.parametrize(("by_all", "expected"), [(True, [2.0, 5 / 3, 1.0]), (False, [2.0, 2.5, 3.0])])
def test_join_lets_ranks_run_out_of_data(by_all, expected, options):
    start = seeded(nn.Linear(1, 1, bias=False).double(), seed=0).weight.item()
    for rank, (seen, weight) in enumerate(on_ranks(3, uneven_steps, by_all, options)):
        assert seen == pytest.approx(expected[: rank + 1], rel=1e-14)
        assert weight == pytest.approx(start - sum(expected), rel=1e-14), "the ranks do not end with the last one's parameters"


def test_join_with_buffers_and_no_sync():
    def program():
        model, rank = DistributedDataParallel(Counting()), dist.get_rank()
        x = ringgrad.ones(1, 2, dtype=ringgrad.float64)
        with model.join():
            for _ in range(1 + rank):
                model.zero_grad()
                with model.no_sync():
                    model(x).sum().backward()
                model(x).sum().backward()
        return model.module.count.item(), model.module.linear.weight.grad.tolist()

    (count0, _), (count1, grad) = on_ranks(2, program)
    assert count0 == count1 == 4
    assert grad == [[1.0, 1.0]] * 2  # two micro-steps of one rank, divided by two ranks


def test_after_join_everything_is_as_before():
    def program():
        net = seeded(nn.Linear(1, 1, bias=False).double())
        model = DistributedDataParallel(net)
        x = ringgrad.ones(1, 1, dtype=ringgrad.float64)
        with model.join(divide_by_initial_world_size=False):
            for _ in range(1 + dist.get_rank()):
                model(x).sum().backward()
        model.zero_grad()
        before = len(dist.flight_recorder.dump().splitlines())
        model(x * dist.get_rank()).sum().backward()
        return net.weight.grad.item(), len(dist.flight_recorder.dump().splitlines()) - before

    assert on_ranks(2, program) == [(0.5, 1)] * 2


def test_join_can_stop_all_ranks_when_one_runs_out():
    def program():
        model, rank = DistributedDataParallel(mlp()), dist.get_rank()
        words = "Rank 0 exhausted all inputs" if rank == 0 else "Detected at least one rank that exhausted inputs"
        with pytest.raises(RuntimeError, match=words), model.join(throw_on_early_termination=True):
            for _ in range(2 + rank):
                loss_of(model, *data((6,), "float64")).backward()

    on_ranks(2, program)


def test_join_can_be_switched_off():
    def program():
        model = DistributedDataParallel(mlp())
        before = len(dist.flight_recorder.dump().splitlines())
        with model.join(enable=False):
            loss_of(model, *data((6,), "float64")).backward()
        return len(dist.flight_recorder.dump().splitlines()) - before

    assert on_ranks(2, program) == [2, 2]  # the bucket and the order of buckets


def test_an_exception_inside_join_comes_out():
    def program():
        model = DistributedDataParallel(mlp())
        with pytest.raises(KeyError), model.join():
            raise KeyError

    on_ranks(2, program)


class SummingHook(JoinHook):
    """Adds nothing."""

    def __init__(self, summing):
        self.summing = summing

    def main_hook(self):
        self.summing.add(0.0)

    def post_hook(self, is_last_joiner):
        self.summing.last = is_last_joiner


class Summing(Joinable):
    """Adds 1 over all ranks in each step."""

    def __init__(self, group):
        super().__init__()
        self.group, self.total, self.last = group, 0, None

    def step(self):
        Join.notify_join_context(self)
        self.add(1.0)

    def add(self, number):
        tensor = ringgrad.tensor([number])
        self.group.all_reduce(tensor)
        self.total += tensor.item()

    def join_hook(self, **kwargs):
        return SummingHook(self)

    join_device = property(lambda self: "cpu")
    join_process_group = property(lambda self: self.group)


def test_join_with_several_joinables_of_other_kinds():
    def program():
        first, second = Summing(dist.group.WORLD), Summing(dist.group.WORLD)
        with Join([first, second]):
            for _ in range(1 + 2 * dist.get_rank()):
                first.step()
                second.step()
        return first.total, second.total, first.last

    assert on_ranks(2, program) == [(4.0, 4.0, False), (4.0, 4.0, True)]


def test_join_needs_joinables_of_one_group():
    def program():
        with pytest.raises(ValueError, match="requires at least one joinable"):
            Join([])
        with pytest.raises(ValueError, match="multiple process groups"):
            Join([Summing(dist.group.WORLD), Summing(dist.new_group([0]))])

    on_ranks(1, program)


def uneven_without_join():
    model, rank = DistributedDataParallel(mlp()), dist.get_rank()
    for _ in range(2 + rank):
        loss_of(model, *data((6,), "float64")).backward()


def test_uneven_inputs_without_join_are_an_error_that_says_how_far_this_rank_came():
    words = r"\[rank 1\].*DistributedDataParallel step 3, bucket 0.*rank 0 has finished its program"
    with pytest.raises(dist.RankFailedError, match=words):
        on_ranks(2, uneven_without_join)


# Real processes


@pytest.mark.mpi
def test_over_mpi_uneven_inputs_are_an_error_that_says_how_far_this_rank_came(world):
    ran = world(2).run(uneven_over_mpi, check=False)
    assert ran.returncode != 0
    assert "DistributedDataParallel step 3, bucket 0" in ran.outputs[1], ran
    assert ran.seconds < TIMEOUT_S


def uneven_over_mpi():
    dist.init_process_group(timeout=2 * TIMEOUT_S)
    uneven_without_join()
    dist.destroy_process_group()


@pytest.mark.mpi
def test_over_mpi_a_missing_gradient_ends_all_ranks_with_names(world):
    ran = world(4).run(missing_gradient_over_mpi, check=False)
    assert ran.returncode != 0
    assert any("Expected to have finished reduction" in text and "rank 2: b.weight, b.bias." in text for text in ran.outputs), ran
    assert ran.seconds < TIMEOUT_S


def missing_gradient_over_mpi():
    dist.init_process_group(timeout=2 * TIMEOUT_S)
    model = DistributedDataParallel(Both(uses_both=dist.get_rank() != 2))
    model(ringgrad.ones(1, 2, dtype=ringgrad.float64)).sum().backward()


class Both(Branches):
    """Two layers; without uses_both, one."""

    def __init__(self, uses_both):
        super().__init__()
        self.uses_both = uses_both

    def forward(self, x):
        return self.a(x) + self.b(x) if self.uses_both else self.a(x)


@pytest.mark.mpi
def test_over_mpi_everything_else(world):
    """no_sync, unused parameters, hooks, join and copies, as above, on processes."""
    for rank, found in enumerate(world(2).run(features_over_mpi).results):
        assert found["used on one rank"] == {"a.weight": [0.5, 0.5], "a.bias": [0.5], "b.weight": [0.5, 0.5], "b.bias": [0.5]}
        assert found["join"][0] == pytest.approx([1.5, 1.0][: rank + 1])
        assert found["compressed"] <= 2e-3
        assert found["no_sync"] <= 1e-14


def features_over_mpi():
    dist.init_process_group(timeout=TIMEOUT_S)
    rank, found = dist.get_rank(), {}
    model = DistributedDataParallel(Branches(), find_unused_parameters=True)
    model(ringgrad.ones(1, 2, dtype=ringgrad.float64), branch="ab"[rank])["out"].sum().backward()
    found["used on one rank"] = {name: g.ravel().tolist() for name, g in gradients(model.module).items()}
    found["join"] = uneven_steps(True, {})
    plain, hooked, halves = (DistributedDataParallel(mlp(), bucket_cap_mb=1e-4) for _ in range(3))
    hooked.register_comm_hook(None, fp16_compress_hook)
    x, y = map(own_rows, data((6,), "float64"))
    loss_of(plain, x, y).backward()
    loss_of(hooked, x, y).backward()
    with halves.no_sync():
        (loss_of(halves, x[:3], y[:3]) / 2).backward()
    (loss_of(halves, x[3:], y[3:]) / 2).backward()
    found["compressed"] = relative_difference(gradients(hooked.module), gradients(plain.module))
    found["no_sync"] = relative_difference(gradients(halves.module), gradients(plain.module))
    return found


def test_under_plain_python(tmp_path):
    script = tmp_path / "script.py"
    script.write_text(textwrap.dedent("""
        import ringgrad
        from ringgrad import distributed as dist, nn
        from ringgrad.distributed.ddp import DistributedDataParallel

        dist.init_process_group()
        model = DistributedDataParallel(nn.Linear(3, 2))
        model(ringgrad.ones(4, 3)).sum().backward()
        print(model.module.weight.grad.tolist(), dist.get_world_size())
        dist.destroy_process_group()
    """))
    ran = subprocess.run([sys.executable, str(script)], capture_output=True, text=True, timeout=TIMEOUT_S)
    assert (ran.stdout, ran.stderr) == ("[[4.0, 4.0, 4.0], [4.0, 4.0, 4.0]] 1\n", "")
