"""The reducer: averages gradients over the ranks, in buckets, while the backward pass goes on.

    mark_ready        the last gradient of one parameter is there: copy it to its place in its bucket
    launch_in_order   send the buckets that are full, but bucket k only after bucket k-1, on every rank: so ranks whose gradients come in
                      different orders cannot deadlock
    finalize          at the end of the pass: send the rest, wait, copy the averages back
    no_sync           passes whose forward ran while require_sync was False keep their gradients on this rank, to be sent with the next

What all this must equal is simple_ddp.py, by test.  Li et al. 2020, arXiv:2006.15704, sections 3.2 and 4.2.

Absent gradients. No gradient may mean that this rank did not use the parameter, or that nobody did; only the ranks together know. One spare
element behind the last bucket travels with it and counts the ranks that miss any gradient. It is 0 in a usual step, and then there is
nothing to ask. Otherwise every rank sees that it is not, and all meet once more: with find_unused or static, to find what was used
anywhere; without them, to learn whose parameters the error must name. So an absent gradient never leaves a rank waiting.
"""

import warnings
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from functools import partial
from typing import Any

import numpy as np

import ringgrad
from ringgrad import Tensor
from ringgrad._core import hooks

from . import _ddp_errors as errors
from ._meeting import lacking_by_rank, of_first_rank, used_anywhere
from ._nested import reached_from, tensors_in
from .buckets import Bucket, kinds_of, pieces, plan_buckets
from .comm_hooks import CommHook, GradBucket, take_result
from .errors import DistError
from .process_group import ProcessGroup

array = hooks.array
multiply = np.multiply  # CuPy arrays answer for themselves

# What the backward pass that is running is to a reducer.
IDLE = "none, or none of its business"
BEGUN = "to be averaged, but no gradient has come"
RUNNING = "being averaged"
LOCAL = "one of no_sync"


class Reducer:
    """Averages the gradients of `parameters` over the ranks of `group`.

    names: of the parameters, for errors.  limits: sizes of the buckets in bytes, see buckets.limits_from.
    find_unused: parameters may get no gradient.  as_view: gradients live in the buckets (gradient_as_bucket_view) and are not copied back.
    static: the graph never changes, so what the first pass used is what every pass uses, and as often.
    """

    # Of the pass that is running; see _reset.
    _left: list[int]  # how often each parameter's hook has still to fire
    _arrived: list[int]  # parameters, in the order in which their gradients came
    _absent: set[int]  # parameters that get no gradient
    _launched: int  # buckets that were sent
    _spare_work: Any  # of the spare element, where a communication hook has the buckets
    _factor_in: float  # by which gradients are multiplied on the way into the bucket,
    _factor_at_launch: float  # and when it is sent

    def __init__(
        self,
        parameters: Sequence[Tensor],
        names: Sequence[str],
        group: ProcessGroup,
        limits: Sequence[int],
        find_unused: bool = False,
        as_view: bool = False,
        static: bool = False,
    ) -> None:
        self.parameters, self.names, self.group, self.limits = list(parameters), list(names), group, list(limits)
        self.find_unused, self.as_view, self.static = find_unused and not static, as_view, static
        self.rank, self.device = group.rank(), parameters[0].device
        self.step = 0  # averaged passes so far
        self.require_sync = True  # False inside no_sync
        self.rebuilt = False
        self._hook: tuple[CommHook, Any] | None = None
        self._divisor = group.size()
        self._allows_absent = find_unused or static
        self._learning = static  # the first pass of a static graph only counts
        self._expected = [1] * len(self.parameters)  # how often each parameter's hook fires in a pass
        self._unused: set[int] | None = None  # what no forward pass since the last averaged pass has used
        self._used_locally: set[int] = set()  # used in passes of no_sync
        self._forward_synced: bool | None = None  # require_sync at the last forward; None once its backward is over
        self._phase = IDLE
        self._build(plan_buckets(*kinds_of(self.parameters), self.limits))
        self.handles = [p.register_post_accumulate_grad_hook(partial(self.mark_ready, i)) for i, p in enumerate(self.parameters)]

    # The hot path

    def mark_ready(self, index: int, parameter: Tensor) -> None:
        """The gradient of one parameter is final: the hook of its last accumulation."""
        if self._phase is not RUNNING and not self._enter(index):
            return
        left = self._left[index] = self._left[index] - 1
        if left:
            self._fired_again(index, left)
            return
        self._arrived.append(index)
        bucket, view, in_bucket = self._places[index]
        if in_bucket is None or parameter.grad is not in_bucket:
            self._copy_in(index, parameter, view, in_bucket)
        bucket.waiting -= 1
        if not bucket.waiting:
            self.launch_in_order()
        elif self._launched:
            self.group.progress()  # an all-reduce over MPI stands still unless it is poked

    def _copy_in(self, index: int, parameter: Tensor, view: Any, in_bucket: Tensor | None) -> None:
        grad = parameter.grad
        if grad is None:
            raise errors.taken_away(self.rank, self.names[index])
        try:
            multiply(array(grad), self._factor_in, out=view)  # copied and divided in one pass over memory
        except NotImplementedError:
            raise errors.sparse(self.rank, self.names[index]) from None
        if in_bucket is not None:
            parameter.grad = in_bucket

    def launch_in_order(self) -> None:
        """Send the buckets that are full, up to the first that is not."""
        buckets = self.buckets
        while self._launched < len(buckets) and not buckets[self._launched].waiting:
            self._launch(buckets[self._launched])
            self._launched += 1

    def _launch(self, bucket: Bucket) -> None:
        row, is_last = bucket.row, bucket is self.buckets[-1]
        if self._factor_at_launch != 1:
            multiply(row, self._factor_at_launch, out=row)
        if is_last:
            row[bucket.size] = bool(self._absent)
        with self._naming(bucket):
            if self._hook is not None:
                hook, state = self._hook
                bucket.work = hook(state, GradBucket(bucket, [self.parameters[i] for i in bucket.indices], is_last))
                if is_last:
                    self._spare_work = self.group.all_reduce(row[bucket.size :], async_op=True, label=self._label(bucket))
            elif self.group.size() > 1:
                bucket.work = self.group.all_reduce(row, async_op=True, label=self._label(bucket))

    # The beginning of a pass

    def watch(self, output: Any) -> None:
        """After forward: be told through its output when the backward pass begins, and note which parameters it did not use."""
        synced = self._forward_synced = self.require_sync
        tensors = [t for t in tensors_in(output) if t.requires_grad]
        begin = partial(self._begin, synced)
        for t in tensors:
            if t.grad_fn is not None:
                t.register_hook(begin)
        if self.find_unused and synced and tensors:
            reached = reached_from(tensors)
            unused = {i for i, p in enumerate(self.parameters) if id(p) not in reached}
            self._unused = unused if self._unused is None else self._unused & unused

    def prepare_forward(self) -> None:
        """Before forward: RuntimeError if the last backward pass was left by an exception after buckets had been sent."""
        if self._phase is IDLE:
            return
        if self._launched and self.group.size() > 1:
            raise errors.interrupted(self.rank, self.step + 1, self._launched, len(self.buckets))
        self._phase = IDLE
        self._reset()

    def _begin(self, synced: bool, _: Tensor | None = None) -> None:
        """The first gradient of a pass has come to an output of the module, or to a parameter that was used without it."""
        if self._phase is not IDLE:
            return
        if synced != self.require_sync:
            raise errors.half_inside_no_sync(self.rank, synced)
        hooks.on_backward_end(self.finalize)
        self._phase = BEGUN if synced else LOCAL

    def _enter(self, index: int) -> bool:
        """A parameter's gradient came while no averaged pass was running: does it begin one?"""
        if self._phase is IDLE:
            if self._forward_synced is None:  # the module inside was called directly: its gradients are this rank's own
                return False
            self._begin(self._forward_synced)
        if self._phase is LOCAL:
            self._used_locally.add(index)
            return False
        self._phase = RUNNING
        if ringgrad.is_grad_enabled():
            warnings.warn(errors.CREATE_GRAPH, stacklevel=2)
        for i in self._known_unused():
            self._left[i] = 0
            self._mark_absent(i)
        self.launch_in_order()
        return True

    def _known_unused(self) -> set[int]:
        """Parameters of which it is known before the pass that they get no gradient in it."""
        if self.static:
            return set() if self._learning else {i for i, n in enumerate(self._expected) if not n}
        return self._unused or set()

    def _mark_absent(self, index: int) -> None:
        """This pass has no gradient for a parameter: send what it accumulated before, or zeros."""
        grad = self.parameters[index].grad
        bucket, view, in_bucket = self._places[index]
        if grad is None:
            view[...] = 0
        elif grad is not in_bucket:
            multiply(array(grad), self._factor_in, out=view)
        self._absent.add(index)
        bucket.waiting -= 1

    def _fired_again(self, index: int, left: int) -> None:
        """A hook fired that completes no parameter: one of several in a static graph, or one too many."""
        if self._learning:
            self._arrived.append(index)
        elif left < 0:
            raise errors.marked_twice(self.rank, self.names[index])

    # The end of a pass

    def finalize(self) -> None:
        """Send what is left, wait for everything, and give every parameter its average."""
        phase, self._phase = self._phase, IDLE
        if phase is LOCAL:
            self._forward_synced = None
        if not self._arrived:  # no_sync, or a pass that accumulates nothing, such as autograd.grad
            return
        self.step += 1
        try:
            if self._learning:
                self._learn()
            for index in [i for bucket in self.buckets if bucket.waiting for i in bucket.indices if self._left[i] > 0]:
                self._mark_absent(index)
            self.launch_in_order()
            for bucket in self.buckets:
                self._wait(bucket)
                self._copy_out(bucket)
            self._settle()
        finally:
            self._forward_synced, self._unused = None, None
            self._used_locally.clear()
            self._reset()

    def shadow(self) -> None:
        """Do what `finalize` does on the other ranks, without gradients: this rank has run out of data, inside join()."""
        try:
            for bucket in self.buckets:
                bucket.row[...], bucket.waiting = 0, 0
            self.launch_in_order()
            for bucket in self.buckets:
                self._wait(bucket)
            self._settle(joined=True)
        finally:
            self._reset()

    def _wait(self, bucket: Bucket) -> None:
        work, bucket.work = bucket.work, None
        if work is None:  # a group of one
            return
        with self._naming(bucket):
            value = work.wait()
        if self._hook is not None:
            take_result(value, bucket, self._hook[0])

    def _copy_out(self, bucket: Bucket) -> None:
        for index, view in zip(bucket.indices, bucket.views):
            if index not in self._absent:
                self._give(index, view)

    def _give(self, index: int, view: Any) -> None:
        """The average becomes the parameter's gradient."""
        parameter, in_bucket = self.parameters[index], self._places[index][2]
        grad = parameter.grad
        if grad is None or grad.requires_grad:
            grad = parameter.grad = ringgrad.zeros_like(parameter) if in_bucket is None else in_bucket
        if grad is not in_bucket:
            array(grad)[...] = view
        hooks.written(grad)

    def _settle(self, joined: bool = False) -> None:
        """What remains once the averages are there: absent gradients, and after the first pass the order of the buckets."""
        if self._someone_lacks():
            if not self._allows_absent:
                count, absent = len(self.parameters), self._absent
                raise self._without_gradient(lacking_by_rank(self.group, self.device, count, absent))
            self._share_absent(joined)
        if not self.rebuilt and not self.find_unused:
            self._rebuild()

    def _someone_lacks(self) -> bool:
        """Whether a gradient was absent on any rank.

        Reading that from a GPU would make the host wait in every step, so there, unless absent gradients are allowed, only the ranks that
        lack one raise.
        """
        last = self.buckets[-1]
        if self._spare_work is not None:
            with self._naming(last):
                self._spare_work.wait()
        if self._allows_absent or self.device.type == "cpu":
            return bool(last.row[last.size] != 0)
        if self._absent:
            raise self._without_gradient({self.rank: sorted(self._absent)})
        return False

    def _share_absent(self, joined: bool) -> None:
        """A parameter that any rank used gets the average on all of them; one that none used keeps its gradient."""
        used = [not joined and (i not in self._absent or i in self._used_locally) for i in range(len(self.parameters))]
        anywhere = used_anywhere(self.group, self.device, used)
        for index in self._absent:
            if anywhere[index]:
                self._give(index, self._places[index][1])
        changed = sorted(i for i in self._absent if self.static and self._expected[i])
        if changed:
            raise errors.changed_graph(self.rank, [self.names[i] for i in changed])

    def _without_gradient(self, lacking: dict[int, list[int]]) -> RuntimeError:
        frozen = [self.names[i] for i in lacking.get(self.rank, ()) if not self.parameters[i].requires_grad]
        return errors.without_gradient(self.rank, {rank: [self.names[i] for i in indices] for rank, indices in lacking.items()}, frozen)

    # Buckets

    def _build(self, plan: Sequence[Sequence[int]]) -> None:
        last = len(plan) - 1
        self.buckets = [Bucket(k, indices, self.parameters, self.names, spare=int(k == last)) for k, indices in enumerate(plan)]
        self._places: list[Any] = [None] * len(self.parameters)  # of each parameter: bucket, view, and in as_view mode its gradient there
        for bucket in self.buckets:
            in_bucket = pieces(bucket.flat, [view.shape for view in bucket.views]) if self.as_view else [None] * len(bucket.views)
            for index, view, tensor in zip(bucket.indices, bucket.views, in_bucket):
                self._places[index] = (bucket, view, tensor)
        self._reset()

    def _reset(self) -> None:
        """Ready for a new pass."""
        self._left = [0] * len(self.parameters) if self._learning else self._expected.copy()
        self._arrived, self._absent = [], set()
        self._launched, self._spare_work = 0, None
        # Gradients are divided on the way into the bucket; where they live in it, when it is sent; with a hook, by the hook.
        factor = 1 if self._hook is not None else 1 / self._divisor
        self._factor_in, self._factor_at_launch = (1, factor) if self.as_view else (factor, 1)
        for bucket in self.buckets:
            bucket.waiting, bucket.work = len(bucket.indices), None

    def _rebuild(self) -> None:
        """Make the buckets anew in the order in which rank 0's gradients came: the order in which they will come again."""
        self.rebuilt = True
        plan = plan_buckets(*kinds_of(self.parameters), self.limits, of_first_rank(self.group, self.device, self._arrival_order()))
        if plan != [bucket.indices for bucket in self.buckets]:
            self._build(plan)

    def _arrival_order(self) -> list[int]:
        """Every parameter once, by its last arrival; those that did not come stand first, in their present order."""
        present = [index for bucket in self.buckets for index in bucket.indices]
        return list(dict.fromkeys(reversed([*present, *self._arrived])))[::-1]

    def _learn(self) -> None:
        """The first pass of a static graph is over: how often each parameter's hook fires, and which ones never do."""
        self._learning = False
        self._expected = [-n for n in self._left]
        for index, n in enumerate(self._expected):
            bucket, view, in_bucket = self._places[index]
            if not n:
                self._mark_absent(index)
                continue
            if in_bucket is None or self.parameters[index].grad is not in_bucket:
                self._copy_in(index, self.parameters[index], view, in_bucket)
            bucket.waiting -= 1
        self._left = [0] * len(self.parameters)

    # Settings

    def set_divisor(self, ranks: int) -> None:
        """Divide the sums by this number instead of the group's size: ranks that still have data, inside join()."""
        self._divisor = ranks
        self._reset()

    def set_hook(self, hook: CommHook, state: Any) -> None:
        """Leave the buckets' communication to hook(state, bucket)."""
        if self._hook is not None:
            raise RuntimeError("register_comm_hook or register_builtin_comm_hook can only be called once.")
        self._hook = (hook, state)
        self._reset()

    # Words

    def _label(self, bucket: Bucket) -> str:
        return f"DistributedDataParallel step {self.step + (self._phase is not IDLE)}, {bucket}"

    @contextmanager
    def _naming(self, bucket: Bucket) -> Iterator[None]:
        """Errors of communication say which rank, step and parameters they hit."""
        try:
            yield
        except DistError as error:
            error.args = (f"[rank {self.rank}] while averaging gradients, {self._label(bucket)}: {error}", *error.args[1:])
            raise
