"""What goes wrong in a data-parallel step, in torch's words, with the rank and the parameters' names."""

from collections.abc import Mapping, Sequence

CREATE_GRAPH = (
    "Using DistributedDataParallel with create_graph=True is not well-supported. The higher-order gradient will not be synchronized across "
    "ranks, and backpropagation through all_reduce operations will not occur."
)
_NOT_FINISHED = "Expected to have finished reduction"
_WAYS_OUT = (
    "You can enable unused parameter detection by passing the keyword argument `find_unused_parameters=True` to "
    "`ringgrad.nn.parallel.DistributedDataParallel`, and by making sure all `forward` function outputs participate in calculating loss."
)


def without_gradient(rank: int, lacking: Mapping[int, Sequence[str]], frozen: Sequence[str] = ()) -> RuntimeError:
    """Parameters got no gradient in a pass that was to reduce them all.

    rank: this one.  lacking: names by the rank that lacks them.  frozen: those of this rank that do not require grad any more.
    """
    who = "; ".join(f"rank {each}: {', '.join(names)}" for each, names in sorted(lacking.items()))
    text = (
        f"[rank {rank}] {_NOT_FINISHED} at the end of this backward pass, but these parameters did not receive a gradient: {who}. "
        f"This error indicates that your module has parameters that were not used in producing loss. {_WAYS_OUT}"
    )
    if frozen:
        text += f" {', '.join(frozen)} was wrapped with requires_grad=True and frozen later: freeze first, then wrap."
    return RuntimeError(text)


def changed_graph(rank: int, lacking: Sequence[str]) -> RuntimeError:
    """static_graph=True, but the set of used parameters changed."""
    return RuntimeError(
        f"[rank {rank}] {_NOT_FINISHED} at the end of this backward pass. This error indicates that your training graph has changed in "
        f"this iteration, e.g., one parameter is used in first iteration, but then got unused in the second iteration. this is not "
        f"compatible with static_graph set to True. Parameters which did not receive a gradient on rank {rank}: {', '.join(lacking)}."
    )


def sparse(rank: int, name: str) -> NotImplementedError:
    """A gradient that has places of its own on every rank."""
    return NotImplementedError(
        f"[rank {rank}] the gradient of {name} is sparse, and DistributedDataParallel averages dense ones only; make its embedding with sparse=False"
    )


def taken_away(rank: int, name: str) -> RuntimeError:
    """Somebody's hook cleared .grad before it was averaged."""
    return RuntimeError(
        f"[rank {rank}] the gradient of {name} was taken away by a hook before it could be averaged over the ranks; register hooks that "
        f"clear .grad after wrapping the module"
    )


def interrupted(rank: int, step: int, launched: int, buckets: int) -> RuntimeError:
    """A backward pass was left by an exception after part of it had been sent to the other ranks."""
    return RuntimeError(
        f"[rank {rank}] {_NOT_FINISHED} in the prior iteration before starting a new one. The backward pass of step {step} was left by an "
        f"exception after {launched} of {buckets} buckets had been sent, so this rank and the others are not at the same place any more. "
        f"End all ranks and resume from a checkpoint; to skip a bad batch, decide before backward(), and alike on all ranks."
    )


def marked_twice(rank: int, name: str) -> RuntimeError:
    """A parameter's gradient was final twice in one pass."""
    return RuntimeError(
        f"[rank {rank}] Expected to mark a variable ready only once. This error is caused by one of the following reasons: 1) Use of a "
        f"module parameter outside the `forward` function. Please make sure model parameters are not shared across multiple concurrent "
        f"forward-backward passes. 2) Reused parameters in multiple reentrant backward passes. For example, if you use multiple "
        f"`checkpoint` functions to wrap the same part of your model, it would result in the same set of parameters been used by "
        f"different reentrant backward passes multiple times, and hence marking a variable ready multiple times. static_graph=True allows "
        f"that if the graph does not change over iterations. Parameter {name} has been marked as ready twice on rank {rank}."
    )


def half_inside_no_sync(rank: int, forward_synced: bool) -> RuntimeError:
    """The forward pass ran on one side of a no_sync() block and backward on the other."""
    forward, backward = ("outside", "inside") if forward_synced else ("inside", "outside")
    return RuntimeError(
        f"[rank {rank}] the forward pass ran {forward} of no_sync() (require_backward_grad_sync={forward_synced}), but its backward() runs "
        f"{backward} of it: whether gradients are averaged is decided when forward runs, so this step would silently train on other "
        f"gradients than it says. Put forward and backward of a micro-step on the same side of it, or set "
        f"require_backward_grad_sync before forward."
    )
