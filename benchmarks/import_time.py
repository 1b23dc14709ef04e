"""What `import ringgrad` adds to NumPy's own import, in fresh processes."""
import subprocess
import sys

from ._measure import table

PROBE = "import time; import numpy; t = time.perf_counter(); import ringgrad; print(time.perf_counter() - t)"


def main(torch):
    """Print the best and the median of eleven fresh processes."""
    times = sorted(float(subprocess.run([sys.executable, "-c", PROBE], capture_output=True, text=True, check=True).stdout) for _ in range(11))
    table("import ringgrad, beyond NumPy's import (ms)", ("", "best", "median"), [("ringgrad", f"{times[0] * 1e3:.0f}", f"{times[5] * 1e3:.0f}")])
