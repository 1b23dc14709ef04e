"""What `import ringgrad` adds to NumPy's own import, in fresh processes."""
import os
import subprocess
import sys
import tempfile

from ._measure import table

PROBE = "import time; import numpy; t = time.process_time(); import ringgrad; print(time.process_time() - t)"


def main(torch):
    """Print the best and the median of eleven fresh processes."""
    with tempfile.TemporaryDirectory() as folder:  # byte code is kept here, even where PYTHONDONTWRITEBYTECODE is set; the first process writes it
        environment = {**{k: v for k, v in os.environ.items() if k != "PYTHONDONTWRITEBYTECODE"}, "PYTHONPYCACHEPREFIX": folder}
        times = sorted(float(subprocess.run([sys.executable, "-c", PROBE], env=environment, capture_output=True, text=True, check=True).stdout)
                       for _ in range(12))[:11]
    row = "ringgrad", f"{times[0] * 1e3:.0f}", f"{times[5] * 1e3:.0f}"
    table("import ringgrad, beyond NumPy's import (ms of CPU time)", ("", "best", "median"), [row])
