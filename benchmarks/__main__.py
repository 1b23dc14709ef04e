"""`python -m benchmarks [section ...]`: all sections, or the named ones."""
import sys

from . import _threads  # isort: skip # noqa: F401 - before anything that imports NumPy
from . import _measure, import_time, kernels, loading, memory, optimizers, tiny_ops, training_steps

SECTIONS = {"import": import_time.main, "ops": tiny_ops.main, "kernels": kernels.main, "steps": training_steps.main, "memory": memory.main,
            "loading": loading.main, "optim": optimizers.main}


def main(names):
    unknown = [n for n in names if n not in SECTIONS]
    if unknown:
        sys.exit(f"no benchmark named {', '.join(unknown)}; there are {', '.join(SECTIONS)}")
    torch = _measure.torch_or_none()
    print(_measure.machine(torch))
    if torch is None:
        print("torch is not installed: its columns are missing (make oracle installs it)")
    for name in names or SECTIONS:
        SECTIONS[name](torch)


main(sys.argv[1:])
