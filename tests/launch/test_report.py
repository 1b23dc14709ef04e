"""Which failure was the first, and how it is put into words."""
import signal

import pytest

from ringgrad.launch._report import Failure, evidence, first, ranks_in_words, sentence, signal_name


def failure(rank, time, **more):
    return Failure(**{"rank": rank, "local_rank": rank, "pid": 100 + rank, "exit_code": 1, "time": time} | more)


@pytest.mark.parametrize(
    ("failures", "rank"),
    [
        ([failure(0, 2.0), failure(1, 1.0)], 1),
        ([failure(0, 1.0), failure(1, 1.0, signal=9)], 1),  # both last seen alive at the same look: nobody reports his own kill
        ([failure(0, 0.9), failure(1, 1.0, signal=9)], 0),
        ([failure(3, 1.0), failure(2, 1.0)], 2),
    ],
)
def test_first(failures, rank):
    assert first(failures).rank == rank


@pytest.mark.parametrize(("ranks", "words"), [([4], "rank 4"), ([0, 1], "ranks 0 and 1"), ([0, 1, 3], "ranks 0, 1 and 3")])
def test_ranks_in_words(ranks, words):
    assert ranks_in_words(ranks) == words


def test_sentences():
    assert sentence(failure(2, 0, exit_code=7), [], []) == "rank 2 (local rank 2, pid 102) failed with exit code 7"
    text = sentence(failure(2, 0), [failure(0, 1)], [1, 3])
    assert text.endswith("failed with exit code 1; ranks 1 and 3 were stopped; rank 0 failed after it")
    assert "was killed by SIGTERM; rank 0 was stopped" in sentence(failure(1, 0, signal=signal.SIGTERM), [], [0])
    assert "out-of-memory" in sentence(failure(1, 0, signal=signal.SIGKILL), [], [])
    assert "out-of-memory" not in sentence(failure(1, 0, signal=signal.SIGSEGV), [], [])


def test_evidence():
    assert evidence(failure(1, 0, traceback="Traceback ...\nE: x\n", tail=["noise\n"])) == "Traceback of rank 1:\nTraceback ...\nE: x"
    assert evidence(failure(1, 0, tail=["one\n", "two\n"])) == "The last lines of rank 1 on stderr:\none\ntwo"
    assert evidence(failure(1, 0)) == ""
    assert evidence(failure(1, 0, traceback="x", shown=True)) == ""


def test_signal_names():
    assert signal_name(9) == "SIGKILL"
    assert signal_name(40) == "signal 40"
