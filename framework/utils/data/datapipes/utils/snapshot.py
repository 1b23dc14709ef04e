"""Putting a chain of pipes back to where it was."""
from ...graph_settings import apply_random_seed
from .._hook_iterator import _SnapshotState


def _simple_graph_snapshot_restoration(datapipe, n_iterations, rng=None):
    """Read and throw away `n_iterations` elements, so that the next `iter(datapipe)` goes on behind them.

    rng: the Generator that seeds the shuffling, in the state in which the DataLoader got it.  RuntimeError when the pipe was just
    restored, or has fewer elements.
    """
    if datapipe._snapshot_state is _SnapshotState.Restored:
        raise RuntimeError("Snapshot restoration cannot be applied. You can only restore simple snapshot to the graph if your graph has not "
                           "been restored.")
    datapipe.reset()
    apply_random_seed(datapipe, rng)
    elements = iter(datapipe)
    for _ in range(n_iterations):
        try:
            next(elements)
        except StopIteration as error:
            raise RuntimeError(f"Fast-forward {datapipe} by {n_iterations} iterations exceeds the number of samples available.") from error
    datapipe._fast_forward_iterator = elements
    datapipe._snapshot_state = _SnapshotState.Restored
