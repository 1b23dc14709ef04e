"""torch.multiprocessing: memory that processes share, and spawn."""
import pytest


def ok(result):
    code, out, err = result
    assert code == 0, err
    return out.splitlines()


@pytest.mark.parametrize("method", ["fork", "spawn", "forkserver"])
def test_a_write_in_the_child_is_seen_by_the_parent(run_program, method):
    assert ok(run_program("""
        import os, sys
        import torch
        import torch.multiprocessing as mp
        import torch.nn as nn

        def child(queue, shared, model, back):
            sent = queue.get()
            sent += 1
            shared[0] = 7
            with torch.no_grad():
                model.weight.fill_(3)
            back.send((sent[1:], torch.arange(3, dtype=torch.bfloat16)))
            back.recv()  # memory is fetched from its sender, who has to be there

        if __name__ == "__main__":
            context = mp.get_context(sys.argv[1])
            queue, sent, shared = context.Queue(), torch.zeros(3), torch.zeros(2).share_memory_()
            model = nn.Linear(2, 1, bias=False)
            model.share_memory()
            ours, theirs = context.Pipe()
            process = context.Process(target=child, args=(queue, shared, model, theirs))
            process.start()
            queue.put(sent)
            part, other = ours.recv()
            ours.send("thanks")
            process.join()
            part[0] = 9
            print(sent.tolist(), shared.tolist(), model.weight.tolist(), sent.is_shared(), torch.zeros(1).is_shared())
            print(part.tolist(), other.tolist(), other.dtype, process.exitcode)
            print([name for name in os.listdir("/dev/shm") if "ringgrad" in name or "torch" in name])
    """, method)) == ["[1.0, 9.0, 1.0] [7.0, 0.0] [[3.0, 3.0]] True False", "[9.0, 1.0] [0.0, 1.0, 2.0] torch.bfloat16 0", "[]"]


def test_a_result_with_a_graph_is_not_sent(run_program):
    assert ok(run_program("""
        import torch, torch.multiprocessing as mp
        ours, theirs = mp.Pipe()
        try:
            ours.send(torch.ones(2, requires_grad=True) * 2)
        except RuntimeError as error:
            print(str(error)[:63])
        ours.send(torch.nn.Parameter(torch.ones(2)))
        got = theirs.recv()
        print(type(got).__name__, got.requires_grad, mp.get_sharing_strategy())
    """)) == ["Cowardly refusing to serialize non-leaf tensor which requires_g", "Parameter True file_descriptor"]


SPAWN = """
    import os, sys
    import torch
    import torch.multiprocessing as mp

    def fill(i, t):
        t[i] = i + 1

    def fails(i):
        if i == 1:
            raise ValueError("number one")
        import signal
        signal.pause()

    def leaves(i):
        os._exit(3)

    def is_killed(i):
        os.kill(os.getpid(), 9)

    if __name__ == "__main__":
        t = torch.zeros(2).share_memory_()
        print(mp.spawn(fill, args=(t,), nprocs=2), t.tolist())
        for function, processes in ((fails, 2), (leaves, 1), (is_killed, 1)):
            try:
                mp.spawn(function, nprocs=processes)
            except mp.ProcessRaisedException as error:
                print("raised", error.error_index, str(error).strip().splitlines()[0], str(error).strip().splitlines()[-1])
            except mp.ProcessExitedException as error:
                print("exited", error.error_index, error.exit_code, error.signal_name, error)
        context = mp.start_processes(fill, args=(t,), nprocs=1, join=False, start_method="fork")
        print(context.join(), len(context.pids()))
"""


def test_spawn_raises_what_a_process_raised(run_program):
    assert ok(run_program(SPAWN)) == [
        "None [1.0, 2.0]", "raised 1 -- Process 1 terminated with the following error: ValueError: number one",
        "exited 0 3 None process 0 terminated with exit code 3", "exited 0 -9 SIGKILL process 0 terminated with signal SIGKILL", "True 1"]


@pytest.mark.slow
@pytest.mark.torch
def test_spawn_says_what_torch_says(run_program):
    pytest.importorskip("torch", reason="PyTorch is not installed: make oracle")
    assert ok(run_program(SPAWN)) == ok(run_program(SPAWN, under="torch"))
