"""`make gpu-smoke` and `make gpu`: one of everything in two minutes; then every test that needs a GPU.

Both run in parts of their own process, so that a fault of the device ends one part only.  Each part has a share of the time; what does not fit is
left out and said so.  compute-sanitizer runs over the kernels where it is installed.
Exit code 1 when a test failed; 0 when all passed, and on a machine without a GPU, where the report says why nothing ran.
"""
import contextlib
import importlib.util
import os
import re
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

from ._start import ROOT, Deadline, make_importable, report, table

TIME_S = 520
PLUGINS_OFF = {"PYTEST_DISABLE_PLUGIN_AUTOLOAD": "1"}  # other plugins of that Python warn, and warnings are errors here
SANITIZER = ["compute-sanitizer", "--error-exitcode", "9", "--target-processes", "all", "--tool"]
TOOLS = ("memcheck", "racecheck")
KERNELS = ["tests/gpu/test_block_kernels.py", "-k", "gives and float16"]


def others():
    """The test files that hold a test for a GPU and belong to no part of their own."""
    named = [argument for arguments, _, _ in PARTS.values() for argument in arguments if argument.startswith("tests/")]
    files = (str(path.relative_to(ROOT)) for path in sorted((ROOT / "tests").rglob("test_*.py")) if "mark.gpu" in path.read_text())
    return [file for file in files if not file.startswith(tuple(named)) and file != "tests/gpu/test_without.py"]


WARM = ["-m", "benchmarks.gpu.warm"]
LIBRARIES, CAPTURED = "tests/gpu/test_libraries.py", "tests/gpu/test_captured.py"
SMOKE = {  # as PARTS, the smallest first
    "a device": (["tests/core/test_device.py", "tests/core/test_random.py"], 40, None),
    "products": ([LIBRARIES, "-k", "a_linear_layer or report or another_stream"], 40, None),
    "convolution": ([LIBRARIES, "-k", "test_convolutions and 3x3 and last"], 40, None),
    "attention": ([LIBRARIES, "-k", "test_flash_attention and gpt"], 40, None),
    "compiling": (WARM, 90, "command"),
    "kernels": (["tests/gpu/test_block_kernels.py", "-k", "gives and (float32 or bfloat16)"], 90, "parallel"),
    "captured steps": ([CAPTURED, "-k", "are_the_steps or random_numbers or accounts"], 60, None),
    "training": (["tests/gpu/test_training.py", "-k", "MNIST"], 60, None),
    "two NCCL ranks": (["tests/gpu/test_replicas.py"], 90, None),
}
PARTS = {  # name: (pytest's arguments, most seconds, what else: a tool, "parallel" for several processes where pytest-xdist is installed, "command")
    "compiling": (WARM, 90, "command"),
    "kernels, poisoned memory": (["tests/gpu/test_block_kernels.py"], 150, "parallel"),
    "libraries": ([LIBRARIES], 60, None),
    "captured steps": ([CAPTURED], 90, None),
    "op table, CPU = GPU": (["tests/ops/test_ops.py"], 240, "parallel"),
    "training curves": (["tests/gpu/test_training.py"], 120, None),
    "two NCCL ranks, replicas": (["tests/gpu/test_replicas.py", "tests/distributed/test_nccl.py"], 180, None),
    "optimizers, amp, files": (["tests/optim/test_gpu.py", "tests/amp/test_gpu.py", "tests/serialization/test_gpu.py"], 90, "parallel"),
    "beyond 2^31 bytes": (["tests/gpu/test_large.py"], 60, None),
    "memcheck": (KERNELS, 90, "memcheck"),
    "racecheck": (KERNELS, 90, "racecheck"),
}
PARTS["the rest"] = others(), 60, None
PROCESSES = max(2, min(12, len(os.sched_getaffinity(0)) - 2))  # of a parallel part: they share the GPU, and compile CuPy's kernels at the same time


def main(folder, found, time_s=TIME_S, names=(), table_of=PARTS, report_name="gpu"):
    """Run the parts of a table whose names begin with one of `names` (all without any); the exit code."""
    environment = make_importable(folder)
    environment.setdefault("OMP_NUM_THREADS", "8")
    deadline, parts = Deadline(time_s), {}
    chosen = {name: part for name, part in table_of.items() if not names or name.startswith(tuple(names))}
    if not chosen:
        sys.exit(f"no part begins with {' or '.join(names)}; there are {', '.join(table_of)}")
    found = {**found, "told": told(environment)}
    print(*found["told"], sep="\n", flush=True)
    failed = []
    for name, (arguments, most, how) in chosen.items():
        if importlib.util.find_spec("pytest") is None:
            parts[name] = {"outcome": "failed", "first failures": ["pytest is not installed: see docs/gpu.md"]}
        elif how in TOOLS and not shutil.which(SANITIZER[0]):
            parts[name] = {"outcome": "left out: compute-sanitizer is not on the PATH"}
        elif deadline.left() < 5:
            parts[name] = {"outcome": "left out: the time was used up"}
        else:
            parts[name] = run(folder, name, arguments, min(most, deadline.left()), how, environment)
        print(f"{name}: {parts[name]['outcome']}", *parts[name].get("first failures", [])[:5], sep="\n    ", flush=True)
        failed = tell(folder, found, parts, report_name, quiet=name != list(chosen)[-1])
    return 1 if failed else 0


def told(environment):
    """Lines of `ringgrad.show_config()`, asked in another process."""
    try:
        done = subprocess.run([sys.executable, "-c", "import ringgrad; ringgrad.show_config()"], env=environment, capture_output=True, text=True,
                              timeout=60)
    except subprocess.TimeoutExpired:
        return ["show_config() did not answer within 60 s"]
    return (done.stdout if not done.returncode else done.stderr[-600:]).splitlines()


def tell(folder, found, parts, report_name, quiet):
    """Write the report of the parts that are over; the names of those that failed."""
    failed = [name for name, part in parts.items() if part["outcome"] not in ("passed", "nothing ran") and not part["outcome"].startswith("left out")]
    rows = [(name, part["outcome"], *(part.get(k, "") for k in ("passed", "failed", "skipped", "seconds"))) for name, part in parts.items()]
    lines = [f"{found['gpu']}, CuPy {found['cupy']}, CUDA {found['cuda_runtime']}, driver {found['cuda_driver']}", *found["told"], "",
             *table(("part", "outcome", "passed", "failed", "skipped", "seconds"), rows)]
    lines += [line for name in failed for line in ("", f"{name}:", *parts[name].get("first failures", []))]
    report(folder, report_name, {**found, "parts": parts, "failed": failed}, lines, quiet)
    return failed


def run(folder, name, arguments, seconds, how, environment):
    """One part: its outcome, counts, seconds and the first failures.  The whole output goes to a file in `folder`."""
    before = [*SANITIZER, how, *(["--report-api-errors", "no"] if how == "memcheck" else [])] if how in TOOLS else []
    parallel = ["-p", "xdist", "-n", str(PROCESSES)] if how == "parallel" and importlib.util.find_spec("xdist") else []
    command = [*before, sys.executable, "-m", "pytest", "-m", "gpu", "-q", "--no-header", "-p", "no:cacheprovider", "--tb=short", *parallel,
               *arguments]
    command = [sys.executable, *arguments] if how == "command" else command
    environment = {**environment, **PLUGINS_OFF, "PYTHONHASHSEED": "0"}  # all processes of a parallel part must find the same tests in the same order
    start = time.monotonic()
    log = Path(folder) / (re.sub(r"\W+", "_", name) + ".log")
    log.parent.mkdir(parents=True, exist_ok=True)
    with open(log, "w") as file:
        process = subprocess.Popen(command, cwd=ROOT, env=environment, stdout=file, stderr=subprocess.STDOUT, start_new_session=True)
        try:
            code = process.wait(seconds)
        except subprocess.TimeoutExpired:
            code = None
        with contextlib.suppress(ProcessLookupError):  # and the ranks it may have started
            os.killpg(process.pid, signal.SIGKILL)
        process.wait()
    output = log.read_text(errors="replace")
    counts = {word: int(n) for n, word in re.findall(r"(\d+) (passed|failed|skipped|error)", output.splitlines()[-1] if output else "")}
    outcome = {0: "passed", 5: "nothing ran", 9: "the sanitizer found errors", None: f"not done after {seconds:.0f} s"}.get(code, "failed")
    if outcome == "passed" and how != "command" and not counts.get("passed"):
        outcome = "nothing ran"
    failures = [line[:300] for line in output.splitlines() if line.startswith(("FAILED", "ERROR", "========= Invalid"))][:20]
    if not failures and outcome not in ("passed", "nothing ran"):
        failures = [line[:300] for line in output.splitlines()[-8:]]  # a fault that pytest did not live to tell
    return {"outcome": outcome, **counts, "seconds": round(time.monotonic() - start, 1), "log": log.name, "first failures": failures}
