"""spawn: a function in several processes, of which the first failure ends the others and is raised here with its traceback."""
import multiprocessing
import signal
import sys
import time
import traceback
from multiprocessing.connection import wait

_GRACE_S = 30.0  # between SIGTERM and SIGKILL for the processes that have to end because one failed


class ProcessException(Exception):  # noqa: N818 - torch's name
    """A process of `spawn` failed: which one (`error_index`), and its process number."""

    def __init__(self, msg, error_index, pid):
        super().__init__(msg)
        self.msg, self.error_index, self.pid = msg, error_index, pid

    def __reduce__(self):
        return type(self), (self.msg, self.error_index, self.pid)


class ProcessRaisedException(ProcessException):
    """Its function raised an exception, whose traceback is in the message."""

    def __init__(self, msg, error_index, error_pid):
        super().__init__(msg, error_index, error_pid)


class ProcessExitedException(ProcessException):
    """It ended by itself or by a signal: `exit_code`, `signal_name`."""

    def __init__(self, msg, error_index, error_pid, exit_code, signal_name=None):
        super().__init__(msg, error_index, error_pid)
        self.exit_code, self.signal_name = exit_code, signal_name

    def __reduce__(self):
        return type(self), (self.msg, self.error_index, self.pid, self.exit_code, self.signal_name)


def _run(fn, index, args, errors):
    try:
        fn(index, *args)
    except KeyboardInterrupt:
        pass  # the parent is told of it, too, and ends
    except Exception:
        errors.send(traceback.format_exc())
        sys.exit(1)
    finally:
        errors.close()


class ProcessContext:
    """The processes that `spawn(join=False)` started."""

    def __init__(self, processes, pipes):
        self.processes, self._pipes = processes, pipes
        self.sentinels = {process.sentinel: index for index, process in enumerate(processes)}

    def pids(self):
        """Their process numbers."""
        return [int(process.pid) for process in self.processes]

    def join(self, timeout=None, grace_period=None):
        """Wait up to `timeout` seconds (None: without end) for one or more to end; True when all have ended well.

        When one has failed the others are ended, with SIGKILL after `grace_period` seconds, and ProcessRaisedException or
        ProcessExitedException is raised.
        """
        if not self.sentinels:
            return True
        ended = [self.sentinels.pop(sentinel) for sentinel in wait(list(self.sentinels), timeout=timeout)]
        failed = None
        for index in ended:
            self.processes[index].join()
            if self.processes[index].exitcode != 0 and failed is None:
                failed = index
        if failed is None:
            return not self.sentinels
        self._end_others(_GRACE_S if grace_period is None else grace_period)
        self._raise(failed)
        return False

    def _end_others(self, grace_s):
        deadline = time.monotonic() + grace_s
        for process in self.processes:
            if process.is_alive():
                process.terminate()
        for process in self.processes:
            process.join(max(0.0, deadline - time.monotonic()))
            if process.is_alive():
                process.kill()
                process.join()

    def _raise(self, index):
        process = self.processes[index]
        text = _last_words(self._pipes[index])
        if text is not None:
            raise ProcessRaisedException(f"\n\n-- Process {index} terminated with the following error:\n{text}", index, process.pid)
        code = process.exitcode
        if code < 0:
            name = signal.Signals(-code).name
            raise ProcessExitedException(f"process {index} terminated with signal {name}", index, process.pid, code, name)
        raise ProcessExitedException(f"process {index} terminated with exit code {code}", index, process.pid, code)


SpawnContext = ProcessContext


def _last_words(pipe):
    try:
        return pipe.recv() if pipe.poll() else None
    except EOFError:
        return None


def start_processes(fn, args=(), nprocs=1, join=True, daemon=False, start_method="spawn", numa_options=None):
    """Run fn(i, *args) in `nprocs` processes, i from 0; see `spawn`."""
    context = multiprocessing.get_context(start_method)
    processes, pipes = [], []
    for index in range(nprocs):
        ours, theirs = context.Pipe(duplex=False)
        process = context.Process(target=_run, args=(fn, index, args, theirs), daemon=daemon)
        process.start()
        theirs.close()
        processes.append(process)
        pipes.append(ours)
    started = ProcessContext(processes, pipes)
    if not join:
        return started
    while not started.join():
        pass
    return None


def spawn(fn, args=(), nprocs=1, join=True, daemon=False, start_method="spawn"):
    """Run fn(i, *args) in `nprocs` new processes, i from 0, and wait for them; with join=False return a ProcessContext instead.

    The first that fails ends the others and is raised here: ProcessRaisedException with its traceback, or ProcessExitedException.
    fn and args must be picklable.  Raises as `ProcessContext.join` does.
    """
    return start_processes(fn, args, nprocs, join, daemon, start_method)
