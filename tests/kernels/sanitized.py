"""Run the rows of block_rows.py on the host under the address and undefined-behaviour sanitizers: `python sanitized.py FOLDER`.

Started by test_block_kernels.py with the sanitizers' libraries preloaded: a kernel that reads or writes beside an array ends the program.
"""
import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parent))

import block_rows  # noqa: E402
import host_gpu  # noqa: E402
import numpy as np  # noqa: E402

from ringgrad import _config  # noqa: E402

BEYOND = """
KERNEL beyond(const float* x, float* y, int n) { y[threadIdx.x] = x[threadIdx.x + n]; }
"""


def main(folder, what):
    with host_gpu.plugged(host_gpu.device(folder, sanitize=True)) as xp:
        if what == "beyond":
            x = xp.place(np.ones(5, np.float32))
            xp.RawModule(code=BEYOND).get_function("beyond")((1,), (1,), (x, xp.empty((1,)), np.int32(5)))
            return
        for row in [*block_rows.ROWS, *block_rows.ATOMIC]:
            _config.DETERMINISTIC["on"] = row not in block_rows.ATOMIC
            block_rows.check(row, xp, "float32" if "float16" not in row.dtypes else "float16", both_orders=False)
    print(len(block_rows.ROWS), "rows are clean")


main(*sys.argv[1:])
