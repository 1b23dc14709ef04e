"""What a DataLoader says to the pipes behind its dataset: whether to shuffle, from which seed, and which share to take."""
import inspect
import warnings

from .datapipes.iter.sharding import SHARDING_PRIORITIES, _ShardingIterDataPipe
from .graph import traverse_dps
from .sampler import draw_seed

__all__ = ["apply_random_seed", "apply_sharding", "apply_shuffle_seed", "apply_shuffle_settings", "get_all_graph_pipes"]


def get_all_graph_pipes(graph):
    """Every pipe of a graph, once."""
    found = {}

    def visit(level):
        for key, (pipe, sources) in level.items():
            if key not in found:
                found[key] = pipe
                visit(sources)

    visit(graph)
    return list(found.values())


def _has_methods(pipe, *names):
    return all(inspect.ismethod(getattr(pipe, name, None)) for name in names)


def apply_sharding(datapipe, num_of_instances, instance_id, sharding_group=SHARDING_PRIORITIES.DEFAULT):
    """Let every `sharding_filter` (every pipe with a method `apply_sharding`) take the share `instance_id` of `num_of_instances`.

    RuntimeError where one reads from another.  Returns the pipe.
    """
    def visit(graph, outer):
        for pipe, sources in graph.values():
            if not isinstance(pipe, _ShardingIterDataPipe) and not _has_methods(pipe, "apply_sharding"):
                visit(sources, outer)
                continue
            if outer is not None:
                raise RuntimeError("Sharding twice on a single pipeline is likely unintended and will cause data loss. Sharding already "
                                   f"applied to {outer} while trying to apply to {pipe}")
            takes_group = len(inspect.signature(pipe.apply_sharding).parameters) >= 3
            pipe.apply_sharding(num_of_instances, instance_id, **({"sharding_group": sharding_group} if takes_group else {}))
            visit(sources, pipe)

    visit(traverse_dps(datapipe), None)
    return datapipe


def apply_shuffle_settings(datapipe, shuffle=None):
    """Switch the shuffling of every pipe with methods `set_shuffle` and `set_seed` on or off; None leaves it alone.

    Returns the pipe; with shuffle=True and no such pipe, one that shuffles it, with a warning.
    """
    if shuffle is None:
        return datapipe
    shufflers = [p for p in get_all_graph_pipes(traverse_dps(datapipe)) if _has_methods(p, "set_shuffle", "set_seed")]
    if not shufflers and shuffle:
        warnings.warn("`shuffle=True` was set, but the datapipe does not contain a `Shuffler`. Adding one at the end. Be aware that the "
                      "default buffer size might not be sufficient for your task.", stacklevel=2)
        datapipe = datapipe.shuffle()
        shufflers = [datapipe]
    for pipe in shufflers:
        pipe.set_shuffle(shuffle)
    return datapipe


def apply_random_seed(datapipe, rng):
    """Give every pipe with a method `set_seed` a seed from the Generator `rng` (None: the default one).  Returns the pipe."""
    for pipe in get_all_graph_pipes(traverse_dps(datapipe)):
        if _has_methods(pipe, "set_seed"):
            pipe.set_seed(draw_seed(rng))
    return datapipe


def apply_shuffle_seed(datapipe, rng):
    """`apply_random_seed`, under its older name."""
    warnings.warn("`apply_shuffle_seed` is deprecated since 1.12 and will be removed in the future releases. Please use `apply_random_seed` "
                  "instead.", FutureWarning, stacklevel=2)
    return apply_random_seed(datapipe, rng)
