"""The reducer on ranks that are threads: order, averages, absent gradients, and what it says when things go wrong."""

import numpy as np
import pytest

import ringgrad
from ringgrad import distributed as dist
from ringgrad.distributed import _state, flight_recorder
from ringgrad.distributed.comm_hooks import DoneFuture, allreduce_hook
from ringgrad.distributed.reducer import Reducer

TIMEOUT_S = 30


def on_ranks(n, function):
    """What function(rank) returned on each of n ranks."""
    return dist.spawn_local(lambda: function(dist.get_rank()), n, timeout=TIMEOUT_S)


class Weights:
    """Parameters w0, w1, ... of two elements each, behind a reducer with one bucket per `per_bucket` of them."""

    def __init__(self, count, per_bucket=1, **options):
        self.all = [ringgrad.full((2,), float(i), dtype=ringgrad.float64).requires_grad_() for i in range(count)]
        names = [f"w{i}" for i in range(count)]
        self.reducer = Reducer(self.all, names, _state.default_group(), [16 * per_bucket], **options)

    def forward(self, factors):
        """sum of factor * w.sum() over {index: factor}; gradients arrive in the reverse of this order."""
        self.reducer.prepare_forward()
        out = ringgrad.zeros((), dtype=ringgrad.float64)
        for index, factor in factors.items():
            out = out + (self.all[index] * factor).sum()
        self.reducer.watch(out)
        return out

    def step(self, factors):
        """Forward and backward; the gradients, None where there is none."""
        self.forward(factors).backward()
        return self.grads()

    def grads(self):
        return [None if w.grad is None else w.grad[0].item() for w in self.all]

    def clear(self, set_to_none=True):
        for w in self.all:
            if set_to_none:
                w.grad = None
            elif w.grad is not None:
                w.grad = w.grad * 0 if w.grad.requires_grad else w.grad.mul_(0)


def launches(weights, factors):
    """Names of the parameters in each bucket, in the order of launching, in one step."""
    log = []

    def hook(group, bucket):
        log.append([weights.reducer.names[i] for i in weights.reducer.buckets[bucket.index()].indices])
        return allreduce_hook(group, bucket)

    weights.reducer.set_hook(hook, None)
    weights.step(factors)
    return log


VARIANTS = {"copied": {}, "as view": {"as_view": True}, "find unused": {"find_unused": True}, "static": {"static": True},
            "static as view": {"static": True, "as_view": True}}


@pytest.mark.parametrize("options", VARIANTS.values(), ids=VARIANTS)
@pytest.mark.parametrize("per_bucket", [1, 2, 10])
@pytest.mark.parametrize("ranks", [1, 2, 3])
@pytest.mark.parametrize("set_to_none", [True, False])
def test_gradients_are_averages_in_every_step(options, per_bucket, ranks, set_to_none):
    def program(rank):
        weights, seen = Weights(5, per_bucket, **options), []
        for step in range(3):
            weights.clear(set_to_none)
            seen.append(weights.step({i: (rank + 1) * 10**step * (i + 1) for i in range(5)}))
        return seen

    mean = (ranks + 1) / 2
    for seen in on_ranks(ranks, program):
        assert np.allclose(seen, [[mean * 10**step * (i + 1) for i in range(5)] for step in range(3)], rtol=1e-14)


@pytest.mark.parametrize("as_view", [False, True])
def test_autograd_learns_that_gradients_were_overwritten(as_view):
    def program(rank):
        weights = Weights(1, as_view=as_view)
        weights.step({0: 1.0})
        saved = ringgrad.ones(2, dtype=ringgrad.float64).requires_grad_() * weights.all[0].grad
        weights.step({0: 1.0})
        return saved

    for saved in on_ranks(2, program):
        with pytest.raises(RuntimeError, match="is at version 3; expected version 1"):  # added to by backward, then averaged
            saved.sum().backward()


def test_ranks_whose_gradients_come_in_different_orders_launch_in_the_same():
    def program(rank):
        weights = Weights(4)
        return launches(weights, dict.fromkeys([[0, 1, 2, 3], [3, 1, 0, 2], [2, 3, 1, 0]][rank], 1.0))

    assert on_ranks(3, program) == [[["w3"], ["w2"], ["w1"], ["w0"]]] * 3


@pytest.mark.parametrize("options", [{}, {"static": True}, {"as_view": True}], ids=["", "static", "as view"])
def test_after_the_first_step_buckets_follow_the_arrivals_of_rank_0(options):
    orders = [[3, 0, 2, 1], [0, 1, 2, 3]]

    def program(rank):
        weights = Weights(4, **options)
        weights.step(dict.fromkeys(orders[rank], 1.0))
        return [bucket.indices for bucket in weights.reducer.buckets]

    assert on_ranks(2, program) == [[[1], [2], [0], [3]]] * 2


def test_a_rebuilt_reducer_keeps_the_gradients_it_gave():
    def program(rank):
        weights = Weights(3, as_view=True)
        first = weights.step({2: rank, 0: rank, 1: rank})
        return first, weights.grads(), weights.step({0: 1.0, 1: 1.0, 2: 1.0})

    for first, kept, added in on_ranks(2, program):
        assert first == kept == [0.5] * 3
        assert added == [1.5] * 3


def test_buckets_are_not_rebuilt_when_parameters_may_be_absent():
    def program(rank):
        weights = Weights(3, find_unused=True)
        weights.step({2: 1.0, 0: 1.0, 1: 1.0})
        return [bucket.indices for bucket in weights.reducer.buckets]

    assert on_ranks(2, program) == [[[2], [1], [0]]] * 2


class Logged(ringgrad.autograd.Function):
    """Times a weight; writes down when its gradient is computed."""

    @staticmethod
    def forward(ctx, x, w, log, name):
        ctx.save_for_backward(x, w)
        ctx.log, ctx.name = log, name
        return x * w

    @staticmethod
    def backward(ctx, g):
        ctx.log.append(f"vjp of layer {ctx.name}")
        x, w = ctx.saved_tensors
        return g * w, g * x, None, None


def test_communication_begins_while_backward_is_running():
    def program(rank):
        log = []
        weights = Weights(3)
        weights.reducer.set_hook(lambda group, bucket: log.append(f"bucket {bucket.index()}") or allreduce_hook(group, bucket), None)
        for _ in range(2):
            log.clear()
            x = ringgrad.ones(2, dtype=ringgrad.float64)
            for name, w in enumerate(weights.all):
                x = Logged.apply(x, w, log, name)
            weights.reducer.watch(x)
            x.sum().backward()
        return log

    expected = ["vjp of layer 2", "bucket 0", "vjp of layer 1", "bucket 1", "vjp of layer 0", "bucket 2"]
    assert on_ranks(2, program) == [expected] * 2


def test_outstanding_communication_is_poked_from_gradient_hooks():
    def program(rank):
        weights, pokes = Weights(6, per_bucket=2), []
        group = weights.reducer.group
        plain = group.progress
        group.progress = lambda: pokes.append(len(pokes)) or plain()
        weights.step(dict.fromkeys(range(6), 1.0))
        return len(pokes)

    assert on_ranks(2, program) == [2, 2]  # by the first gradient of the second and of the third bucket


# Absent gradients


def test_a_gradient_absent_on_all_ranks_is_reported_by_name_and_rank():
    def program(rank):
        with pytest.raises(RuntimeError, match="Expected to have finished reduction") as caught:
            Weights(4).step({0: 1.0, 3: 1.0})
        return str(caught.value)

    for rank, text in enumerate(on_ranks(2, program)):
        assert text.startswith(f"[rank {rank}]")
        assert "rank 0: w1, w2; rank 1: w1, w2." in text
        assert "find_unused_parameters=True" in text


@pytest.mark.parametrize("hooked", [False, True])
@pytest.mark.parametrize("per_bucket", [1, 10])
def test_a_gradient_absent_on_one_rank_is_reported_on_all_and_nobody_waits(per_bucket, hooked):
    def program(rank):
        weights = Weights(3, per_bucket)
        if hooked:
            weights.reducer.set_hook(allreduce_hook, None)
        with pytest.raises(RuntimeError, match="rank 1: w1\\.") as caught:
            weights.step({0: 1.0, 1: 1.0, 2: 1.0} if rank != 1 else {0: 1.0, 2: 1.0})
        weights.clear()
        return str(caught.value), weights.step(dict.fromkeys(range(3), float(rank)))

    for text, after in on_ranks(3, program):
        assert "rank 0" not in text.partition("]")[2]
        assert after == [1.0] * 3, "the next step is not as usual"


def test_a_frozen_parameter_is_told_apart():
    def program(rank):
        weights = Weights(2)
        weights.all[1].requires_grad_(False)
        with pytest.raises(RuntimeError, match="w1 was wrapped with requires_grad=True and frozen later"):
            weights.step({0: 1.0, 1: 1.0})

    on_ranks(2, program)


@pytest.mark.parametrize("options", [{"find_unused": True}, {"find_unused": True, "as_view": True}], ids=["copied", "as view"])
@pytest.mark.parametrize("hooked", [False, True])
@pytest.mark.parametrize("per_bucket", [1, 2, 10])
def test_what_one_rank_used_is_averaged_and_what_none_used_is_left_alone(options, per_bucket, hooked):
    used = [{0: 1.0, 1: 2.0}, {1: 4.0, 2: 8.0}, {1: 6.0}]

    def program(rank):
        weights = Weights(5, per_bucket, **options)
        if hooked:
            weights.reducer.set_hook(allreduce_hook, None)
        kept = weights.all[4].grad = ringgrad.full((2,), 7.0, dtype=ringgrad.float64)
        grads = weights.step(used[rank])
        assert weights.all[4].grad is kept
        return grads

    for grads in on_ranks(3, program):
        assert grads[:3] == pytest.approx([1 / 3, 4.0, 8 / 3], rel=1e-15)
        assert grads[3:] == [None, 7.0]


@pytest.mark.parametrize("set_to_none", [True, False])
def test_a_rank_without_a_gradient_adds_nothing_of_earlier_steps(set_to_none):
    def program(rank):
        weights = Weights(2, find_unused=True)
        weights.step({0: 100.0, 1: 100.0})
        weights.clear(set_to_none)
        return weights.step({0: 2.0, 1: 2.0} if rank else {0: 2.0})

    assert on_ranks(2, program) == [[2.0, 1.0]] * 2


def test_unused_parameters_are_sent_before_the_backward_pass_is_over():
    def program(rank):
        return launches(Weights(3, find_unused=True), {0: 1.0, 1: 1.0})

    assert on_ranks(2, program) == [[["w2"], ["w1"], ["w0"]]] * 2


def test_an_output_that_the_loss_does_not_use_is_no_error_with_find_unused():
    def program(rank):
        weights = Weights(2, find_unused=True)
        outputs = {"a": weights.all[0] * 3, "b": [weights.all[1] * 5]}
        weights.reducer.watch(outputs)
        outputs["a"].sum().backward()
        return weights.grads()

    assert on_ranks(2, program) == [[3.0, None]] * 2


def test_forward_passes_that_use_different_parameters_may_share_a_backward_pass():
    def program(rank):
        weights = Weights(3, find_unused=True)
        (weights.forward({0: 1.0 + rank}) + weights.forward({1: 3.0})).backward()
        return weights.grads()

    assert on_ranks(2, program) == [[1.5, 3.0, None]] * 2


def test_what_was_used_in_no_sync_counts_as_used():
    def program(rank):
        weights = Weights(2, find_unused=True)
        weights.reducer.require_sync = False
        weights.step({1: 4.0 * rank} if rank else {0: 1.0})
        weights.reducer.require_sync = True
        return weights.step({0: 1.0})

    assert on_ranks(2, program) == [[1.5, 2.0]] * 2


# Static graphs


def test_a_static_graph_leaves_out_what_the_first_step_did_not_use():
    def program(rank):
        weights = Weights(4, static=True)
        first = weights.step({3: 2.0, 0: 1.0 + rank})
        plan = [bucket.indices for bucket in weights.reducer.buckets]
        weights.clear()
        return first, plan, weights.step({3: 2.0, 0: 3.0 + rank})

    for first, plan, second in on_ranks(2, program):
        assert first == [1.5, None, None, 2.0]
        assert plan == [[2], [1], [0], [3]]
        assert second == [3.5, None, None, 2.0]


def test_a_static_graph_that_changes_is_reported():
    def program(rank):
        weights = Weights(3, static=True)
        weights.step({0: 1.0, 1: 1.0})
        with pytest.raises(RuntimeError, match=f"training graph has changed in this iteration.* on rank {rank}: w1\\."):
            weights.step({0: 1.0})

    on_ranks(2, program)


class Reentrant(ringgrad.autograd.Function):
    """Times a weight, whose gradient is accumulated by a backward pass within the backward pass, as reentrant checkpoints do."""

    @staticmethod
    def forward(ctx, x, w):
        ctx.x, ctx.w = x.detach(), w
        return x * w.detach()

    @staticmethod
    def backward(ctx, g):
        with ringgrad.enable_grad():
            y = ctx.x * ctx.w
        y.backward(g)
        return g * ctx.w.detach(), None


def reentrant_step(weights, times):
    x = ringgrad.ones(2, dtype=ringgrad.float64).requires_grad_()
    y = x
    for _ in range(times):
        y = Reentrant.apply(y, weights.all[1])
    y = y * weights.all[0]
    weights.reducer.prepare_forward()
    weights.reducer.watch(y)
    y.sum().backward()


def test_a_gradient_from_a_backward_pass_within_the_pass_is_averaged_at_the_end_of_the_outer_one():
    def program(rank):
        weights = Weights(2)
        weights.all[0].data = ringgrad.full((2,), 1.0 + rank, dtype=ringgrad.float64)
        reentrant_step(weights, 1)
        return weights.grads()

    assert on_ranks(2, program) == [[1.0, 1.5]] * 2


def test_a_parameter_that_is_ready_twice_is_named():
    def program(rank):
        with pytest.raises(RuntimeError, match="Expected to mark a variable ready only once.*Parameter w1 has been marked as ready twice"):
            reentrant_step(Weights(2), 2)

    on_ranks(1, program)


def test_a_static_graph_may_use_a_parameter_in_several_backward_passes_within_the_pass():
    def program(rank):
        weights = Weights(2, static=True)
        seen = []
        for _ in range(3):
            weights.clear()
            weights.all[0].data = ringgrad.full((2,), 1.0 + rank, dtype=ringgrad.float64)
            reentrant_step(weights, 2)
            seen.append(weights.grads())
        return seen

    assert on_ranks(2, program) == [[[1.0, 3.0]] * 3] * 2


# What does not count


def test_no_sync_leaves_gradients_alone_until_the_next_averaged_step():
    def program(rank):
        weights, seen = Weights(2), []
        weights.reducer.require_sync = False
        for _ in range(2):
            seen.append(weights.step({0: rank, 1: 1.0}))
        weights.reducer.require_sync = True
        seen.append(weights.step({0: rank, 1: 1.0}))
        return seen

    assert on_ranks(3, program) == [[[rank, 1.0], [2.0 * rank, 2.0], [3.0, 3.0]] for rank in range(3)]


@pytest.mark.parametrize(("forward_synced", "words"), [(True, "ran outside of no_sync.*backward.. runs inside"),
                                                       (False, "ran inside of no_sync.*backward.. runs outside")])
def test_no_sync_round_one_half_of_a_step_is_refused(forward_synced, words):
    def program(rank):
        weights = Weights(2)
        weights.reducer.require_sync = forward_synced
        out = weights.forward({0: 1.0, 1: 1.0})
        weights.reducer.require_sync = not forward_synced
        with pytest.raises(RuntimeError, match=words):
            out.backward()
        assert weights.grads() == [None, None]
        weights.reducer.require_sync = True
        return weights.step({0: 1.0 * rank, 1: 1.0})

    assert on_ranks(2, program) == [[0.5, 1.0]] * 2


def test_autograd_grad_sends_nothing_and_a_penalty_on_it_is_averaged():
    def program(rank):
        weights = Weights(2)
        x = ringgrad.full((2,), 1.0 + rank, dtype=ringgrad.float64).requires_grad_()
        out = (x * x * weights.all[1]).sum() + weights.all[0].sum() * 0
        weights.reducer.watch(out)
        (g,) = ringgrad.autograd.grad(out, [x], create_graph=True)
        assert weights.reducer.step == 0
        (g.sum() + weights.all[0].sum()).backward()  # d/dw of 2 x w: the output itself is not part of this graph
        return weights.grads(), weights.reducer.step

    assert on_ranks(2, program) == [([1.0, 3.0], 1)] * 2


def test_a_backward_pass_without_a_forward_is_this_ranks_own():
    def program(rank):
        weights = Weights(1)
        (weights.all[0] * rank).sum().backward()
        return weights.grads(), weights.reducer.step

    assert on_ranks(2, program) == [([0.0], 0), ([1.0], 0)]


def test_a_second_backward_pass_through_the_same_graph_is_averaged_too():
    def program(rank):
        weights = Weights(2)
        out = weights.forward({0: rank, 1: 1.0})
        out.backward(retain_graph=True)
        out.backward()
        return weights.grads()

    assert on_ranks(2, program) == [[1.0, 2.0]] * 2


@pytest.mark.parametrize("as_view", [False, True])
def test_create_graph_warns_and_gives_averages_without_history(as_view):
    def program(rank):
        weights = Weights(2, as_view=as_view)
        out = weights.forward({0: 3.0, 1: 1.0})
        with pytest.warns(UserWarning, match="create_graph=True is not well-supported"):
            (out * out).backward(create_graph=True)
        assert not any(w.grad.requires_grad for w in weights.all)
        return weights.grads()

    assert on_ranks(1, program) == [[12.0, 4.0]]


# Trouble


def test_a_pass_that_was_left_half_sent_is_noticed_before_the_next_one():
    class Breaks(ringgrad.autograd.Function):
        @staticmethod
        def forward(ctx, x):
            return x * 1.0

        @staticmethod
        def backward(ctx, g):
            raise ZeroDivisionError

    def program(rank):
        weights = Weights(2)
        out = (Breaks.apply(weights.all[0]) + weights.all[1]).sum()
        weights.reducer.watch(out)
        with pytest.raises(ZeroDivisionError):
            out.backward()
        if rank == 0:
            assert weights.grads() == [None, 1.0]
        with pytest.raises(RuntimeError, match="left by an exception after 1 of 2 buckets had been sent"):
            weights.forward({0: 1.0})

    on_ranks(2, program)


def test_alone_a_pass_that_was_left_is_forgotten():
    def program(rank):
        weights = Weights(2)
        out = weights.forward({0: 1.0, 1: 1.0})
        handle = weights.all[0].register_hook(lambda g: 1 / 0)
        with pytest.raises(ZeroDivisionError):
            out.backward()
        handle.remove()
        weights.clear()
        return weights.step({0: 2.0, 1: 3.0})

    assert on_ranks(1, program) == [[2.0, 3.0]]


def test_when_a_rank_is_gone_the_others_say_step_bucket_and_parameters():
    def program(rank):
        weights = Weights(2)
        weights.step({0: 1.0, 1: 1.0})
        if rank == 1:
            return None
        with pytest.raises(dist.RankFailedError) as caught:
            weights.step({0: 1.0, 1: 1.0})
        return str(caught.value)

    text, _ = on_ranks(2, program)
    assert "[rank 0] while averaging gradients, DistributedDataParallel step 2, bucket 0 (w1)" in text
    assert "rank 1 has finished its program" in text


def test_when_a_rank_does_something_else_both_sides_are_told():
    def program(rank):
        weights = Weights(1)
        weights.step({0: 1.0})
        with pytest.raises(dist.CollectiveMismatchError) as caught:
            if rank:
                dist.barrier()
            else:
                weights.step({0: 1.0})
        return str(caught.value)

    for text in on_ranks(2, program):
        assert "rank 0 called all_reduce" in text
        assert "DistributedDataParallel step 2, bucket 0 (w0)" in text
        assert "rank 1 called barrier" in text


def test_a_wait_has_the_groups_time_limit():
    def program():
        if dist.get_rank() == 0:
            with pytest.raises(dist.DistTimeoutError, match="step 1, bucket 0.*gave up after 0.2 s: rank 1 had not arrived"):
                Weights(1).step({0: 1.0})
            dist.send(ringgrad.zeros(1), 1)
        else:
            dist.recv(ringgrad.zeros(1), 0)

    def patient():
        # rank 1 waits longer than rank 0 gives up
        group = dist.group.WORLD
        group.timeout_s = 0.2 if dist.get_rank() == 0 else TIMEOUT_S
        program()

    dist.spawn_local(patient, 2, timeout=TIMEOUT_S)


def test_the_flight_recorder_shows_what_was_sent():
    def program(rank):
        Weights(2, per_bucket=2).step({0: 1.0, 1: 1.0})
        return flight_recorder.dump()

    assert all("DistributedDataParallel step 1, bucket 0 (w1, w0)" in text for text in on_ranks(2, program))


def test_a_gradient_that_a_hook_took_away_is_named():
    def program(rank):
        w = ringgrad.zeros(2).requires_grad_()

        def take_away(p):
            p.grad = None

        w.register_post_accumulate_grad_hook(take_away)
        reducer = Reducer([w], ["w"], _state.default_group(), [100])
        reducer.watch(out := w.sum())
        with pytest.raises(RuntimeError, match=r"\[rank 0\] the gradient of w was taken away by a hook"):
            out.backward()

    on_ranks(1, program)


# Hooks


def test_a_hook_sees_undivided_gradients_and_says_what_becomes_of_them():
    def program(rank):
        weights = Weights(3, per_bucket=2)

        def hook(state, bucket):
            state.append((bucket.index(), bucket.is_last(), [g.tolist() for g in bucket.gradients()], len(bucket.parameters())))
            return DoneFuture(bucket.buffer() * 10)

        seen = []
        weights.reducer.set_hook(hook, seen)
        return weights.step({0: 1.0, 1: 2.0, 2: 4.0 + rank}), seen

    for rank, (grads, seen) in enumerate(on_ranks(2, program)):
        assert grads == [10.0, 20.0, 40.0 + 10 * rank]
        assert seen == [(0, False, [[4.0 + rank] * 2, [2.0] * 2], 2), (1, True, [[1.0] * 2], 1)]


@pytest.mark.parametrize(("value", "words"), [(None, "holds NoneType"), (ringgrad.zeros(3), "holds one of 3 elements")])
def test_a_hook_must_return_a_future_of_the_buckets_size(value, words):
    def program(rank):
        weights = Weights(1)
        weights.reducer.set_hook(lambda state, bucket: DoneFuture(value), None)
        with pytest.raises(RuntimeError, match=f"must hold one tensor of the bucket's 2 elements, but {words}"):
            weights.step({0: 1.0})

    on_ranks(2, program)


def test_there_is_one_hook():
    def program(rank):
        weights = Weights(1)
        weights.reducer.set_hook(allreduce_hook, None)
        with pytest.raises(RuntimeError, match="can only be called once"):
            weights.reducer.set_hook(allreduce_hook, None)

    on_ranks(1, program)


@pytest.mark.parametrize("dtype", ["float16", "bfloat16", "float32", "complex64"])
def test_other_dtypes(dtype):
    def program(rank):
        w = ringgrad.zeros(3, dtype=getattr(ringgrad, dtype)).requires_grad_()
        reducer = Reducer([w], ["w"], _state.default_group(), [100])
        out = w * float(rank + 1)
        reducer.watch(out)
        out.backward(ringgrad.ones(3, dtype=w.dtype))
        assert w.grad.dtype == w.dtype
        return w.grad.tolist()

    assert on_ranks(2, program) == [[1.5] * 3] * 2


def test_parameters_of_two_dtypes_travel_apart():
    def program(rank):
        a, b = ringgrad.zeros(2).requires_grad_(), ringgrad.zeros(3, dtype=ringgrad.float64).requires_grad_()
        reducer = Reducer([a, b], ["a", "b"], _state.default_group(), [1000])
        out = (a * rank).sum().to(ringgrad.float64) + (b * 2.0 * rank).sum()
        reducer.watch(out)
        out.backward()
        return len(reducer.buckets), a.grad.tolist(), b.grad.tolist()

    assert on_ranks(2, program) == [(2, [0.5] * 2, [1.0] * 3)] * 2
