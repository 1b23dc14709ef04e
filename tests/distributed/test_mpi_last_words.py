"""A rank that stops the job waits until mpirun has read what it has printed, which would be lost otherwise."""

import os
import threading

import pytest

from ringgrad.distributed.backends import _mpi_world

WORDS = b"ValueError: the cause\n"


@pytest.fixture
def pipe():
    ends = os.pipe()
    yield ends
    for end in ends:
        os.close(end)


def test_unread_words_are_waited_for(pipe, monkeypatch):
    monkeypatch.setattr(_mpi_world, "_READ_S", 60)
    reader, writer = pipe
    os.write(writer, WORDS)
    about_to_wait, heard = threading.Event(), []

    def read_slowly():
        about_to_wait.wait()
        for _ in WORDS:
            heard.append(os.read(reader, 1))

    thread = threading.Thread(target=read_slowly)
    thread.start()
    about_to_wait.set()
    _mpi_world.wait_until_read(writer)
    heard_when_it_returned = len(heard)
    thread.join()
    assert heard_when_it_returned >= len(WORDS) - 1  # the last byte is out of the pipe a moment before it is in the list


def test_a_reader_that_does_not_read_is_given_up(pipe, monkeypatch):
    monkeypatch.setattr(_mpi_world, "_READ_S", 0.01)
    os.write(pipe[1], WORDS)
    _mpi_world.wait_until_read(pipe[1])
    assert os.read(pipe[0], 100) == WORDS


def test_files_and_closed_descriptors_are_not_waited_for(tmp_path, monkeypatch):
    monkeypatch.setattr(_mpi_world.time, "sleep", lambda seconds: pytest.fail("it waits"))
    with open(tmp_path / "log", "w+b") as file:
        file.write(WORDS)
        file.seek(0)
        _mpi_world.wait_until_read(file.fileno(), 99999)
        assert file.read() == WORDS
