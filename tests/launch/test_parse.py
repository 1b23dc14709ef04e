"""Values of flags: what is understood, and the sentence for what is not."""
import signal

import pytest

from ringgrad.launch import _parse
from ringgrad.launch.plan import LaunchError

UNDERSTOOD = [
    (_parse.parse_nnodes, ("1",), 1),
    (_parse.parse_nnodes, ("4:4",), 4),
    (_parse.parse_nproc, ("3", 8, 16), 3),
    (_parse.parse_nproc, ("gpu", 8, 16), 8),
    (_parse.parse_nproc, ("cpu", 8, 16), 16),
    (_parse.parse_nproc, ("auto", 8, 16), 8),
    (_parse.parse_nproc, ("auto", 0, 16), 16),
    (_parse.parse_streams, ("--tee", "3", 2), (3, 3)),
    (_parse.parse_streams, ("--tee", "0:3,2:1", 3), (3, 0, 1)),
    (_parse.parse_streams, ("--tee", "11:2", 12), (0,) * 11 + (2,)),
    (_parse.parse_local_ranks, ("--local-ranks-filter", "", 2), None),
    (_parse.parse_local_ranks, ("--local-ranks-filter", "0,2", 3), {0, 2}),
    (_parse.parse_endpoint, ("node0:29500",), ("node0", 29500)),
    (_parse.parse_endpoint, ("node0",), ("node0", None)),
    (_parse.parse_endpoint, ("[::1]:7",), ("::1", 7)),
    (_parse.parse_settings, ("",), {}),
    (_parse.parse_settings, ("rank=1, timeout=90",), {"rank": "1", "timeout": "90"}),
    (_parse.parse_signals, ("SIGTERM, sigusr1",), (signal.SIGTERM, signal.SIGUSR1)),
]

REFUSED = [
    (_parse.parse_nnodes, ("1:4",), "not supported yet; give one, such as --nnodes 4"),
    (_parse.parse_nnodes, ("0",), "at least one machine"),
    (_parse.parse_nnodes, ("two",), "expected a number of machines"),
    (_parse.parse_nproc, ("0", 0, 2), "at least one process"),
    (_parse.parse_nproc, ("-1", 0, 2), "at least one process"),
    (_parse.parse_nproc, ("many", 0, 2), "expected a number, auto, cpu or gpu"),
    (_parse.parse_nproc, ("gpu", 0, 2), "no GPU is visible"),
    (_parse.parse_streams, ("--tee", "4", 2), "expected 0, 1 (stdout)"),
    (_parse.parse_streams, ("--tee", "0:3,", 2), "expected 0, 1 (stdout)"),
    (_parse.parse_streams, ("--tee", "2:1", 2), "there is no local rank 2"),
    (_parse.parse_local_ranks, ("--local-ranks-filter", "0;1", 2), "commas"),
    (_parse.parse_local_ranks, ("--local-ranks-filter", "5", 2), "the last one is 1"),
    (_parse.parse_endpoint, ("a:b:c",), "expected host:port"),
    (_parse.parse_settings, ("rank",), "`rank` is not of this form"),
    (_parse.parse_signals, ("SIGNAL",), "there is no signal SIGNAL"),
    (_parse.parse_signals, ("SIGKILL",), "cannot be handled"),
]


@pytest.mark.parametrize(("parse", "arguments", "value"), UNDERSTOOD)
def test_understood(parse, arguments, value):
    assert parse(*arguments) == value


@pytest.mark.parametrize(("parse", "arguments", "words"), REFUSED)
def test_refused(parse, arguments, words):
    with pytest.raises(LaunchError) as caught:
        parse(*arguments)
    assert words in str(caught.value)
    assert arguments[0] in str(caught.value)  # what was given is named


HOSTS = [("localhost", True), ("127.0.1.1", True), ("::1", True), ("10.0.0.1", False), ("node0", False)]


@pytest.mark.parametrize(("host", "expected"), HOSTS)
def test_is_loopback(host, expected):
    assert _parse.is_loopback(host) is expected
