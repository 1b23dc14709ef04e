"""The parts of a DataLoader: turning samples into batches, fetching them, page-locked memory, worker processes."""
import sys

from . import collate, fetch, pin_memory, signal_handling, worker
from ._exceptions import ExceptionWrapper

__all__ = ["ExceptionWrapper", "HAS_NUMPY", "IS_WINDOWS", "collate", "fetch", "pin_memory", "signal_handling", "worker"]

IS_WINDOWS = sys.platform == "win32"
HAS_NUMPY = True
