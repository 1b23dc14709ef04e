"""torch.utils.collect_env: what a bug report has to say about this machine."""
import importlib.metadata
import os
import platform
import sys

import numpy as np

from .. import cuda
from .._threads import get_num_threads

_PACKAGES = ("numpy", "ml_dtypes", "cupy-cuda12x", "cupy-cuda13x", "mpi4py", "numba", "safetensors", "tensorboard")


def _installed():
    for name in _PACKAGES:
        try:
            yield f"{name} {importlib.metadata.version(name)}"
        except importlib.metadata.PackageNotFoundError:
            continue


def get_pretty_env_info():
    """System, Python, libraries, threads and GPUs, a line each."""
    gpus = [cuda.get_device_name(i) for i in range(cuda.device_count())]
    return "\n".join([
        f"ringgrad: {importlib.metadata.version(__name__.partition('.')[0])}", f"OS: {platform.platform()}",
        f"Python: {sys.version.split()[0]}", f"NumPy: {np.__version__}", f"CPU: {os.cpu_count()} cores, {get_num_threads()} threads",
        f"GPUs: {', '.join(gpus) or 'none'}", f"Packages: {', '.join(_installed())}"])


def main():
    """Print it."""
    print(get_pretty_env_info())


if __name__ == "__main__":
    main()
