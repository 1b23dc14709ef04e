"""DataParallel with two replicas on one GPU, and DistributedDataParallel on two NCCL ranks that share it: equal to one with the whole batch.

Not run on a device yet.
"""
import os
import secrets
import socket
import subprocess
import sys
import textwrap

import numpy as np
import pytest

import ringgrad
from ringgrad import nn, optim
from ringgrad.distributed.parallel import DataParallel

pytestmark = pytest.mark.gpu
STEPS, BATCH, TIMEOUT_S = 10, 16, 150

RANK = textwrap.dedent("""
    import os, sys
    import numpy as np
    import ringgrad
    import ringgrad.distributed as dist
    from ringgrad import nn, optim
    from ringgrad.nn.parallel import DistributedDataParallel

    steps, batch, out = int(sys.argv[1]), int(sys.argv[2]), sys.argv[3]
    dist.init_process_group("nccl")
    rank, size = dist.get_rank(), dist.get_world_size()
    ringgrad.cuda.set_device(0)
    ringgrad.manual_seed(0)
    model = nn.Sequential(nn.Linear(12, 32), nn.GELU(), nn.LayerNorm(32), nn.Linear(32, 5)).to("cuda")
    ddp = DistributedDataParallel(model, device_ids=[0])
    optimizer = optim.SGD(ddp.parameters(), lr=0.1, momentum=0.9)
    rng = np.random.default_rng(1)
    for _ in range(steps):
        x = rng.standard_normal((batch, 12)).astype(np.float32)[rank::size]
        y = rng.integers(0, 5, batch)[rank::size]
        optimizer.zero_grad()
        nn.functional.cross_entropy(ddp(ringgrad.from_numpy(x).to("cuda")), ringgrad.from_numpy(y).to("cuda")).backward()
        optimizer.step()
    if rank == 0:
        np.savez(out, *[p.detach().cpu().numpy() for p in model.parameters()])
    dist.destroy_process_group()
""")


def train_on_ranks(size, folder, environment, sharing_a_gpu):
    """Parameters after training on `size` NCCL ranks, all on GPU 0."""
    (folder / "rank.py").write_text(RANK)
    with socket.create_server(("127.0.0.1", 0)) as listener:
        os.set_inheritable(listener.fileno(), True)
        shared = {**environment, "WORLD_SIZE": str(size), "LOCAL_WORLD_SIZE": str(size), "MASTER_ADDR": "127.0.0.1", "LOCAL_RANK": "0",
                  "MASTER_PORT": str(listener.getsockname()[1]), "RINGGRAD_STORE_TOKEN": secrets.token_hex(16)}
        command = [sys.executable, str(folder / "rank.py"), str(STEPS), str(BATCH), str(folder / f"{size}.npz")]
        ranks = []
        for rank in range(size):
            own = {"RANK": str(rank), **sharing_a_gpu(rank), **({} if rank else {"RINGGRAD_STORE_FD": str(listener.fileno())})}
            ranks.append(subprocess.Popen(command, env={**shared, **own}, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True,
                                          pass_fds=() if rank else (listener.fileno(),)))
        try:
            outputs = [rank.communicate(timeout=TIMEOUT_S)[0] for rank in ranks]
        finally:
            for rank in ranks:
                rank.kill()
                rank.wait()
    assert all(rank.returncode == 0 for rank in ranks), "\n".join(outputs)
    with np.load(folder / f"{size}.npz") as file:
        return [file[name] for name in file.files]


def test_two_nccl_ranks_equal_one_with_the_whole_batch(tmp_path, rank_environment, sharing_a_gpu):
    one, two = (train_on_ranks(size, tmp_path, rank_environment, sharing_a_gpu) for size in (1, 2))
    for a, b in zip(one, two, strict=True):
        assert np.linalg.norm(a - b) <= 1e-5 * np.linalg.norm(a)


def test_data_parallel_replicas_on_one_device():
    def train(wrap):
        ringgrad.manual_seed(0)
        net = nn.Sequential(nn.Linear(12, 32), nn.GELU(), nn.LayerNorm(32), nn.Linear(32, 5)).to("cuda")
        model, optimizer = wrap(net), optim.AdamW(net.parameters(), lr=0.01)
        rng = np.random.default_rng(1)
        for _ in range(STEPS):
            x, y = rng.standard_normal((BATCH, 12)).astype(np.float32), rng.integers(0, 5, BATCH)
            optimizer.zero_grad()
            nn.functional.cross_entropy(model(ringgrad.from_numpy(x).to("cuda")), ringgrad.from_numpy(y).to("cuda")).backward()
            optimizer.step()
        return [p.detach().cpu().numpy() for p in net.parameters()]
    for a, b in zip(train(lambda net: net), train(lambda net: DataParallel(net, [0, 0])), strict=True):
        np.testing.assert_allclose(a, b, rtol=1e-3, atol=1e-5)
