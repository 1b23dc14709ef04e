"""What checks and measurements share: whether there is a GPU, an import path for ringgrad, the report."""
import importlib.util
import json
import os
import subprocess
import sys
import time
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
ASK = """
import json
try:
    import cupy
    count = cupy.cuda.runtime.getDeviceCount()
    p = cupy.cuda.runtime.getDeviceProperties(0)
    print(json.dumps({"gpu": p["name"].decode(), "gpus": count, "memory_GiB": round(p["totalGlobalMem"] / 2**30, 1),
                      "compute_capability": f"{p['major']}.{p['minor']}", "cuda_runtime": cupy.cuda.runtime.runtimeGetVersion(),
                      "cuda_driver": cupy.cuda.runtime.driverGetVersion(), "cupy": cupy.__version__}))
except Exception as error:
    print(json.dumps({"gpu": None, "reason": f"{type(error).__name__}: {error}".splitlines()[0]}))
"""


def machine():
    """{"gpu": its name, ...}, or {"gpu": None, "reason": ...}.  Asked in another process: this one makes no CUDA context."""
    try:
        done = subprocess.run([sys.executable, "-c", ASK], capture_output=True, text=True, timeout=120)
        return json.loads(done.stdout.splitlines()[-1])
    except (subprocess.TimeoutExpired, IndexError, ValueError) as error:
        return {"gpu": None, "reason": f"CuPy could not be asked: {type(error).__name__}: {error}"}


def make_importable(folder):
    """Where ringgrad is not installed, a folder of links under its import name; in any case the environment for subprocesses, wherever they run."""
    path = [str(ROOT)]
    if importlib.util.find_spec("ringgrad") is None:
        package = Path(folder).resolve() / "import" / "ringgrad"
        package.mkdir(parents=True, exist_ok=True)
        for entry in [*(ROOT / "framework").iterdir(), ROOT / "distributed", ROOT / "launch"]:
            link = package / entry.name
            if entry.name != "__pycache__" and not link.exists():
                link.symlink_to(entry)
        path.insert(0, str(package.parent))
        sys.path[:0] = path
    before = [os.environ["PYTHONPATH"]] if os.environ.get("PYTHONPATH") else []
    return {**os.environ, "PYTHONPATH": os.pathsep.join([*path, *before])}


class Deadline:
    """The time that a whole run has."""

    def __init__(self, seconds):
        self.seconds, self.start = seconds, time.monotonic()

    def left(self):
        """Seconds, 0 when there are none."""
        return max(0.0, self.seconds - (time.monotonic() - self.start))


def report(folder, name, found, lines, quiet=False):
    """Write NAME.json and NAME.txt into `folder`, and print the text unless `quiet`."""
    Path(folder).mkdir(parents=True, exist_ok=True)
    text = "\n".join(lines) + "\n"
    (Path(folder) / f"{name}.json").write_text(json.dumps(found, indent=1) + "\n")
    (Path(folder) / f"{name}.txt").write_text(text)
    if not quiet:
        print(text, end="")


def table(header, rows):
    """Lines of text with columns aligned."""
    widths = [max(len(str(r[i])) for r in [header, *rows]) for i in range(len(header))]
    return ["  ".join(str(c).rjust(w) if i else str(c).ljust(w) for i, (c, w) in enumerate(zip(row, widths))).rstrip()
            for row in [header, *rows]]
