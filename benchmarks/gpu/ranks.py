"""Two NCCL ranks that share this GPU: all-reduce, and a training step under DistributedDataParallel."""
import json
import subprocess
import sys

from ._start import ROOT, make_importable

RANK = """
import json, os, time
import ringgrad
import ringgrad.distributed as dist
from benchmarks.models import mlp
dist.init_process_group("nccl")
ringgrad.cuda.set_device(0)
found = {}
for mib in (1, 64):
    x = ringgrad.ones(mib << 18, device="cuda")
    for _ in range(5):
        dist.all_reduce(x)
    ringgrad.cuda.synchronize()
    start = time.perf_counter()
    for _ in range(10):
        dist.all_reduce(x)
    ringgrad.cuda.synchronize()
    found[f"all_reduce of {mib} MiB, us"] = round((time.perf_counter() - start) * 1e5, 1)
model, (x, y) = mlp(ringgrad)
ddp = ringgrad.nn.parallel.DistributedDataParallel(model.to("cuda"), device_ids=[0])
x, y, optimizer = x.to("cuda"), y.to("cuda"), ringgrad.optim.SGD(ddp.parameters(), lr=0.01)
def step():
    optimizer.zero_grad()
    ringgrad.nn.functional.cross_entropy(ddp(x), y).backward()
    optimizer.step()
for _ in range(5):
    step()
ringgrad.cuda.synchronize()
start = time.perf_counter()
for _ in range(50):
    step()
ringgrad.cuda.synchronize()
found["DDP step of the MLP, us"] = round((time.perf_counter() - start) * 2e4, 1)
if dist.get_rank() == 0:
    print("FOUND" + json.dumps(found))
dist.destroy_process_group()
"""


def nccl(bench):
    """Two ranks that share this GPU, started by ringgrad's own launcher; NCCL then talks over sockets, so this is no figure for two GPUs."""
    script = bench.folder / "nccl_rank.py"
    script.write_text("import os\nos.environ['NCCL_HOSTID'] = 'host' + os.environ['RANK']\n" + RANK)
    environment = {**make_importable(bench.folder), "NCCL_MULTI_RANK_GPU_ENABLE": "1", "NCCL_SOCKET_IFNAME": "lo", "NCCL_MNNVL_ENABLE": "0"}
    command = [sys.executable, "-m", "ringgrad.launch", "--nproc-per-node", "2", str(script)]
    done = subprocess.run(command, cwd=ROOT, env=environment, capture_output=True, text=True, timeout=max(10, min(120, bench.deadline.left())))
    lines = [line for line in done.stdout.splitlines() if "FOUND" in line]
    if not lines:
        return {"error": (done.stdout + done.stderr)[-1500:]}
    return {"two ranks on one GPU": json.loads(lines[0].partition("FOUND")[2])}
