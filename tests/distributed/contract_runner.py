"""Runs all rules of the contract on this rank, one after the other, and writes down how each ended.

    mpirun -n 2 python contract_runner.py BACKEND DEVICE FOLDER

Each rank writes FOLDER/rank<r>.jsonl: one line {rule, ok, error} per rule, as soon as the rule has ended.
"""

import json
import sys
import traceback
from pathlib import Path

import numpy as np

sys.path.insert(0, str(Path(__file__).parent))

from contract_rules import RULES, Ranks  # noqa: E402

import ringgrad.distributed as dist  # noqa: E402

# A rule that fails on one rank leaves the others waiting in its group; the default group, on which ranks meet between rules, waits longer.
BETWEEN_RULES_S = 90


def main(backend, device, folder):
    xp = np
    if device == "cuda":
        import cupy as xp
    dist.init_process_group(backend, timeout=BETWEEN_RULES_S)
    rank, size = dist.get_rank(), dist.get_world_size()
    with open(Path(folder) / f"rank{rank}.jsonl", "w") as report:
        for name, each in RULES.items():
            if size not in each.ranks or dist.get_backend() in each.never:
                continue
            error = ""
            try:
                each.function(Ranks(xp))
            except BaseException:
                error = traceback.format_exc()
            report.write(json.dumps({"rule": name, "ok": not error, "error": error}) + "\n")
            report.flush()
            dist.barrier()
    dist.destroy_process_group()


if __name__ == "__main__":
    main(*sys.argv[1:])
