"""Names that torch keeps here.  A worker's death is noticed where its batch is waited for, without a handler of SIGCHLD."""


def _set_SIGCHLD_handler():  # noqa: N802 - torch's name
    """Nothing: no handler is needed."""


def _set_worker_signal_handlers(*args):
    """Nothing: `worker.main` sets what a worker needs."""


def _set_worker_pids(key, child_pids):
    """Nothing: iterators watch their workers themselves."""


def _remove_worker_pids(key):
    """Nothing: iterators watch their workers themselves."""


def _error_if_any_worker_fails():
    """Nothing: a RuntimeError comes where a dead worker's batch is waited for."""
