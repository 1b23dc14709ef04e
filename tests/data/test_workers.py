"""Workers in trouble, with real processes: errors, deaths, time limits, and that nothing is left behind."""
import gc
import os
import signal
import subprocess
import sys
import textwrap
import threading
import time
from pathlib import Path

import pytest

import ringgrad
from ringgrad.utils.data import DataLoader, Dataset, IterableDataset, _start, get_worker_info

TIMEOUT_S = 60
pytestmark = pytest.mark.skipif(not sys.platform.startswith("linux"), reason="looks into /proc")


def descriptors():
    return {(n, os.readlink(f"/proc/self/fd/{n}")) for n in os.listdir("/proc/self/fd") if os.path.exists(f"/proc/self/fd/{n}")}


def wait_until(condition, what, timeout_s=TIMEOUT_S):
    deadline = time.monotonic() + timeout_s
    while not condition():
        assert time.monotonic() < deadline, f"{what}: not within {timeout_s} s"
        time.sleep(0.01)


def is_gone(pid):
    """Whether a process has ended (a zombie has)."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] == "Z"
    except (FileNotFoundError, ProcessLookupError):
        return True


@pytest.fixture(autouse=True)
def no_open_pipes():
    """Errors hold their frames, and those the iterator; once they are gone, no pipe and no memory file is left open."""
    before = descriptors()
    yield
    gc.collect()
    assert {f for f in descriptors() - before if "pipe" in f[1] or "memfd" in f[1]} == set()


class Large(Dataset):
    """Samples of 400 kB; `at` maps an index to something to do in its place."""

    def __init__(self, n=40, at=None):
        self.n, self.at = n, at or {}

    def __len__(self):
        return self.n

    def __getitem__(self, i):
        if i in self.at:
            return self.at[i]()
        return ringgrad.full((100_000,), float(i))


def forked(dataset, **kwargs):
    """A loader whose workers are forked, so that tests may hand them local functions, whatever is loaded into this process."""
    return DataLoader(dataset, multiprocessing_context="fork", **kwargs)


def throw(error):
    raise error


class PickyError(Exception):
    def __init__(self, code, reason):
        super().__init__(code, reason)


class Lonely(Dataset):
    """Fails with an exception that only the worker's process knows."""

    def __len__(self):
        return 1

    def __getitem__(self, i):
        raise type("Unknown", (Exception,), {})("nobody knows me")


ERRORS = [
    (lambda: throw(ValueError("bad sample")), ValueError, "Caught ValueError in DataLoader worker process 0.\nOriginal Traceback"),
    (lambda: throw(KeyError("name")), KeyError, "Caught KeyError in DataLoader worker process 0.\nOriginal Traceback"),
    (lambda: throw(PickyError(3, "no")), RuntimeError, "Caught PickyError in DataLoader worker process 0."),
    (lambda: throw(StopIteration()), RuntimeError, "Caught StopIteration in DataLoader worker process 0."),
    (lambda: ringgrad.ones(2, requires_grad=True) * 2, RuntimeError, "Cowardly refusing to serialize non-leaf tensor"),
    (lambda: ringgrad.ones(3) + ringgrad.ones(4), RuntimeError, "must match the size of tensor b"),
]


@pytest.mark.parametrize(("act", "kind", "words"), ERRORS, ids=["ValueError", "KeyError", "odd", "StopIteration", "pickle", "op"])
def test_an_error_comes_with_the_workers_traceback(act, kind, words):
    loader = forked(Large(8, {4: act}), batch_size=None, num_workers=2)
    seen = []
    with pytest.raises(kind) as caught:
        for x in loader:
            seen.append(x[0].item())
    assert words in str(caught.value) and seen == [0.0, 1.0, 2.0, 3.0]
    assert "in __getitem__" in str(caught.value) or "serializing" in str(caught.value)


def test_an_error_of_a_class_that_only_the_worker_knows():
    with pytest.raises(RuntimeError, match=r"Caught Unknown in DataLoader worker process 0.(.|\n)*nobody knows me"):
        list(forked(Lonely(), num_workers=1))


def test_loading_goes_on_after_an_error():
    batches = iter(forked(Large(4, {1: lambda: throw(ValueError("bad"))}), batch_size=None, num_workers=2))
    assert next(batches)[0] == 0
    with pytest.raises(ValueError, match="bad"):
        next(batches)
    assert [b[0].item() for b in batches] == [2.0, 3.0]


def test_an_error_in_worker_init_fn():
    with pytest.raises(ValueError, match=r"in DataLoader worker process 0(.|\n)*no such file"):
        list(forked(Large(), num_workers=1, worker_init_fn=lambda i: throw(ValueError("no such file"))))


def test_an_error_while_an_iterable_dataset_is_opened():
    class Broken(IterableDataset):
        def __iter__(self):
            raise OSError("disk gone")
    with pytest.raises(OSError, match=r"Caught OSError in DataLoader worker process 0(.|\n)*disk gone"):
        list(forked(Broken(), num_workers=1))


def test_an_error_of_the_sampler_leaves_no_worker():
    def broken():
        yield 0
        raise ValueError("bad order")
    with pytest.raises(ValueError, match="bad order"):
        list(forked(Large(), sampler=broken(), num_workers=2))


@pytest.mark.parametrize(("number", "words"), [(signal.SIGKILL, r"is killed by signal: Killed \(SIGKILL\). If nobody killed it"),
                                               (signal.SIGSEGV, r"is killed by signal: Segmentation fault \(SIGSEGV\)"),
                                               (signal.SIGTERM, r"is killed by signal: Terminated \(SIGTERM\)")])
def test_a_worker_killed_by_a_signal(number, words):
    def die():
        import faulthandler
        faulthandler.disable()
        os.kill(os.getpid(), number)
    batches = iter(forked(Large(at={6: die}), batch_size=None, num_workers=2))
    pids = [w.process.pid for w in batches._workers]
    with pytest.raises(RuntimeError, match=rf"DataLoader worker \(pid {pids[0]}\) {words}"):
        list(batches)
    wait_until(lambda: all(is_gone(p) for p in pids), "the end of all workers")


def test_a_worker_that_leaves():
    with pytest.raises(RuntimeError, match=r"DataLoader worker \(pid \d+\) exited unexpectedly with exit code 7"):
        list(forked(Large(at={3: lambda: os._exit(7)}), num_workers=1))


def test_the_death_of_a_worker_that_nobody_waits_for_is_noticed():
    """The parent waits for worker 0, which never answers, when worker 1 dies."""
    loader = forked(Large(at={0: threading.Event().wait, 1: lambda: os._exit(3)}), batch_size=None, num_workers=2)
    with pytest.raises(RuntimeError, match="exit code 3"):
        next(iter(loader))


def test_a_dead_persistent_worker_is_replaced_in_the_next_pass():
    loader = forked(Large(4), batch_size=None, num_workers=2, persistent_workers=True)
    assert len(list(loader)) == 4
    os.kill(loader._iterator._workers[1].process.pid, signal.SIGKILL)
    with pytest.raises(RuntimeError, match="SIGKILL"):
        for _ in range(3):
            list(loader)
    assert len(list(loader)) == 4


def test_a_time_limit():
    loader = forked(Large(at={1: threading.Event().wait}), batch_size=None, num_workers=1, timeout=0.5)
    batches = iter(loader)
    next(batches)
    with pytest.raises(RuntimeError, match="DataLoader timed out after 0.5 seconds"):
        next(batches)


@pytest.mark.parametrize("batch_size", [None, 4])
def test_leaving_in_the_middle(batch_size):
    for batch in forked(Large(), batch_size=batch_size, num_workers=2):
        assert batch.shape[-1] == 100_000
        break


def test_a_batch_outlives_its_loader():
    loader = forked(Large(), batch_size=2, num_workers=1)
    batch = next(iter(loader))
    del loader
    assert batch[:, -1].tolist() == [0.0, 1.0]


def test_leaving_does_not_wait_for_a_worker_that_hangs():
    batches = iter(forked(Large(at={1: threading.Event().wait}), batch_size=None, num_workers=2))
    next(batches)
    begin = time.monotonic()
    del batches
    assert time.monotonic() - begin < TIMEOUT_S


def test_workers_ignore_ctrl_c_and_their_parents_sigterm_handler():
    was = signal.signal(signal.SIGTERM, lambda *_: None)
    try:
        batches = iter(forked(Large(6), batch_size=None, num_workers=1))
        next(batches)
        os.kill(batches._workers[0].process.pid, signal.SIGINT)
        assert len(list(batches)) == 5
        batches = iter(forked(Large(at={1: lambda: signal.getsignal(signal.SIGTERM) == signal.SIG_DFL or throw(ValueError())}),
                                  batch_size=None, num_workers=1))
        assert next(batches)[0] == 0 and next(batches) is True
        del batches
    finally:
        signal.signal(signal.SIGTERM, was)


# -- scripts: a parent that dies, start methods ------------------------------------------------------------------------

HEAD = r"""
import os, signal, sys, threading
import ringgrad
from ringgrad.utils.data import DataLoader, Dataset, get_worker_info, _start

class Numbers(Dataset):
    def __len__(self):
        return 12
    def __getitem__(self, i):
        return i

class Hanging(Numbers):
    def __getitem__(self, i):
        os.write(1, f"{os.getpid()}\n".encode())
        threading.Event().wait()
"""


def script(tmp_path, body):
    path = tmp_path / "script.py"
    path.write_text(HEAD + textwrap.dedent(body))
    return [sys.executable, "-W", "error", str(path)]


def run(tmp_path, body, **env):
    return subprocess.run(script(tmp_path, body), capture_output=True, text=True, timeout=TIMEOUT_S, env={**os.environ, **env})


@pytest.mark.parametrize("method", ["fork", "forkserver", "spawn"])
@pytest.mark.parametrize("where", ["main", "thread"])
def test_workers_die_with_a_killed_parent_even_in_the_middle_of_a_sample(tmp_path, method, where):
    body = f"""
        def work():
            next(iter(DataLoader(Hanging(), num_workers=2, prefetch_factor=1, multiprocessing_context="{method}")))
        if __name__ == "__main__":
            if "{where}" == "main":
                work()
            t = threading.Thread(target=work)
            t.start()
            t.join()
    """
    parent = subprocess.Popen(script(tmp_path, body), stdout=subprocess.PIPE, text=True)
    try:
        pids = [int(parent.stdout.readline()) for _ in range(2)]
        assert not any(is_gone(p) for p in pids)
    finally:
        parent.kill()
        parent.wait()
        parent.stdout.close()
    wait_until(lambda: all(is_gone(p) for p in pids), "the end of all workers")


@pytest.mark.parametrize("method", ["forkserver", "spawn"])
def test_start_methods_give_the_same_batches(tmp_path, method):
    result = run(tmp_path, f"""
        if __name__ == "__main__":
            for persistent in (False, True):
                loader = DataLoader(Numbers(), batch_size=5, num_workers=2, multiprocessing_context="{method}",
                                    persistent_workers=persistent)
                for _ in range(2):
                    assert [b.tolist() for b in loader] == [[0, 1, 2, 3, 4], [5, 6, 7, 8, 9], [10, 11]]
            print("done")
    """)
    assert (result.stdout, result.stderr) == ("done\n", "")


def test_a_script_without_a_main_guard_works_where_fork_is_safe(tmp_path):
    result = run(tmp_path, """
        loader = DataLoader(Numbers(), batch_size=6, num_workers=2, collate_fn=lambda b: sum(b))
        print(list(loader))
    """)
    assert (result.stdout, result.stderr) == ("[15, 51]\n", "")


def test_a_script_without_a_main_guard_is_told_so_where_it_is_not(tmp_path):
    result = run(tmp_path, """
        list(DataLoader(Numbers(), num_workers=1, multiprocessing_context="spawn"))
    """)
    assert "put the script's code below `if __name__ == '__main__':`" in result.stderr


def test_a_start_that_fails_says_why_and_leaves_nothing(tmp_path):
    result = run(tmp_path, """
        class Once(Numbers):
            "Can be pickled for the first worker, not for the second."
            count = 0
            def __reduce__(self):
                Once.count += 1
                if Once.count > 1:
                    raise TypeError("not again")
                return Once, ()
        if __name__ == "__main__":
            try:
                iter(DataLoader(Once(), num_workers=2, multiprocessing_context="spawn"))
            except TypeError as error:
                print(error)
                print(len(_start.multiprocessing.active_children()))
    """)
    assert "must be picklable: define them at the top of a module" in result.stdout and result.stdout.endswith("\n0\n"), result


def test_persistent_workers_end_with_the_program(tmp_path):
    result = run(tmp_path, """
        loader = DataLoader(Numbers(), num_workers=2, persistent_workers=True)
        list(loader)
        print(*[w.process.pid for w in loader._iterator._workers])
    """)
    assert result.returncode == 0 and result.stderr == ""
    assert all(is_gone(int(p)) for p in result.stdout.split())


def test_an_uncaught_error_in_the_loop_ends_the_program(tmp_path):
    result = run(tmp_path, """
        for batch in DataLoader(Numbers(), num_workers=2):
            raise SystemExit(3)
    """)
    assert (result.returncode, result.stderr) == (3, "")


def test_which_method_is_chosen(tmp_path):
    result = run(tmp_path, """
        import multiprocessing
        def chosen():
            print(_start.default_context().get_start_method(), _start.fork_is_unsafe())
        if __name__ == "__main__":
            chosen()
            multiprocessing.RLock()                       # what a progress bar does
            threading.Thread(target=threading.Event().wait, daemon=True).start()
            chosen()
            t = threading.Thread(target=chosen)
            t.start()
            t.join()
            stay = threading.Event()
            t = threading.Thread(target=stay.wait)
            t.start()
            chosen()
            stay.set()
            t.join()
            multiprocessing.set_start_method("spawn", force=True)
            chosen()
    """)
    assert result.stderr == ""
    assert result.stdout.splitlines() == ["fork None", "fork None", "forkserver this is not the main thread",
                                          "forkserver other threads are running", "spawn None"]


@pytest.mark.mpi
def test_workers_under_mpi_are_not_forked(tmp_path):
    pytest.importorskip("mpi4py", reason="mpi4py is not installed")
    result = run(tmp_path, """
        from mpi4py import MPI
        if __name__ == "__main__":
            print(_start.fork_is_unsafe())
            loader = DataLoader(Numbers(), batch_size=6, num_workers=2)
            print([b.sum().item() for b in loader], loader._index_sampler is not None)
    """)
    assert result.stdout.splitlines() == ["MPI is initialised", "[15, 51] True"], result.stderr


def test_a_forked_child_of_the_user_does_not_stop_the_workers():
    loader = forked(Large(6), batch_size=None, num_workers=2)
    batches = iter(loader)
    next(batches)
    child = os.fork()
    if child == 0:
        status = 1
        try:
            batches._finalizer()
            status = 0 if all(w.connection.closed for w in batches._workers) else 2  # else the workers would not see the parent go
        finally:
            os._exit(status)
    assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0
    assert len(list(batches)) == 5


def test_get_worker_info_names_the_worker():
    class Who(Large):
        def __getitem__(self, i):
            info = get_worker_info()
            return info.id, info.num_workers, type(info.dataset).__name__ == "Who"
    assert [[x.item() for x in b] for b in forked(Who(2), num_workers=2)] == [[0, 2, True], [1, 2, True]]


def test_the_grace_is_short():
    assert 0 < _start.GRACE_S < 10
