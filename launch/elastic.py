"""The whole run: attempts, one after another, until one succeeds, a signal ends the job, or no restart is left."""
from __future__ import annotations

import os
import shutil
import signal
import tempfile
from pathlib import Path

from . import _report
from ._guardian import Guardian
from ._logs import Console, log_root
from ._signals import SignalRelay
from .plan import Job
from .spawn import Attempt, Outcome

_LONGEST_FOLDER = 80  # a Unix socket below it may have a path of 107 bytes


def run(job: Job) -> int:
    """Run the job and return the exit code: 0, the first failing rank's, or 128 + n after signal n.

    A failed attempt is followed by a new one, at most `job.max_restarts` times: every rank is stopped and started again, with a new
    rendezvous socket and TORCHELASTIC_RESTART_COUNT one higher.
    """
    console = Console()
    with Guardian() as guardian, SignalRelay(job.signals) as relay:
        private = _private_folder()
        guardian.watch_folder(str(private))
        try:
            root = log_root(job, str(private))
            if root != private and job.log_dir is None:
                console.say(f"ringgrad-run: log files are in {root}")
            for number in range(job.max_restarts + 1):
                with Attempt(job, number, root=root, private=private, guardian=guardian, relay=relay, console=console) as attempt:
                    outcome = attempt.run()
                left = 0 if relay.ending or console.reader_gone else job.max_restarts - number
                report(console, outcome, f"; restart {number + 1} of {job.max_restarts} follows" if left else "")
                if outcome.exit_code == 0 or not left:
                    break
            return outcome.exit_code
        finally:
            shutil.rmtree(private, ignore_errors=True)


def _private_folder() -> Path:
    folder = tempfile.mkdtemp(prefix="ringgrad-")
    if len(os.fsencode(folder)) > _LONGEST_FOLDER:
        os.rmdir(folder)
        folder = tempfile.mkdtemp(prefix="ringgrad-", dir="/tmp")
    return Path(folder)


def report(console: Console, outcome: Outcome, follows: str) -> None:
    """The last words on an attempt, after all output of all ranks: what happened, then the failing rank's own account of it."""
    console.end_bars()
    if outcome.exit_code == 0 or outcome.signal == signal.SIGPIPE:
        return
    if outcome.signal:
        console.say(f"ringgrad-run: ended by {_report.signal_name(outcome.signal)}, which was passed on to the ranks")
        return
    if not outcome.failures:
        words = outcome.mpirun_words or "nothing"
        what = f"mpirun ended with exit code {outcome.mpirun_code} before the ranks did, and they were stopped{follows}"
        console.say(f"ringgrad-run: {what}. It said:\n{words}")
        return
    cause = _report.first(outcome.failures)
    others = [failure for failure in outcome.failures if failure is not cause]
    evidence = _report.evidence(cause)
    if cause.shown and cause.traceback and not follows:
        return
    console.say(f"ringgrad-run: {_report.sentence(cause, others, outcome.stopped)}{follows}")
    if evidence:
        console.say(evidence)
