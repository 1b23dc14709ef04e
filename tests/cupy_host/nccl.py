"""NCCL by files: the ranks of a communicator, processes or threads, leave what they contribute in a folder that its unique id names.

A collective holds the thread that asks until the ranks it needs have called too; a send never waits.  While a stream captures, the call is
part of the graph.  Not there: splitting communicators, time limits (a rank that never comes is waited for until somebody aborts).
"""
import ctypes
import secrets
import shutil
import tempfile
import threading
import time
from pathlib import Path

import ml_dtypes
import numpy as np

from .views import LETTERS, lead, submitter, view

TYPES = (np.int8, np.uint8, np.int32, np.uint32, np.int64, np.uint64, np.float16, np.float32, np.float64, ml_dtypes.bfloat16)  # ncclDataType_t
OPERATIONS = (np.add, np.multiply, np.maximum, np.minimum, np.add)  # ncclRedOp_t; the last is divided by the number of ranks
AVERAGE, VERSION, POLL_S = 4, 22809, 0.0005
HERE, COLLECTIVE = "here", "collective"


class Id(ctypes.Structure):
    """ncclUniqueId: the name of a folder."""

    _fields_ = [("text", ctypes.c_char * 128)]


class Communicator:
    """One rank's end."""

    def __init__(self, folder, rank, size):
        self.folder, self.rank, self.size, self.aborted, self.counts = Path(folder), rank, size, False, {}
        self.folder.mkdir(mode=0o700, exist_ok=True)

    def number(self, kind):
        """How many calls of this kind there were before this one."""
        self.counts[kind] = self.counts.get(kind, -1) + 1
        return self.counts[kind]

    def leave(self, name, data):
        """Leave bytes for the others, whole or not at all."""
        unfinished = self.folder / f"{name}.{self.rank}.unfinished"
        unfinished.write_bytes(data)
        unfinished.rename(self.folder / name)

    def take(self, name):
        """Bytes that another rank leaves, as soon as they are there; None once somebody has aborted this rank."""
        while not self.aborted:
            try:
                return (self.folder / name).read_bytes()
            except FileNotFoundError:
                time.sleep(POLL_S)
        return None

    def gather(self, name, data, sources):
        """What each of the sources left under this name.  A generator: it yields None once this rank has left its own, then gives the list."""
        self.leave(f"{name}.{self.rank}", data)
        yield
        return [self.take(f"{name}.{source}") for source in sources]

    def close(self):
        """The last rank to leave removes the folder."""
        (self.folder / f"gone.{self.rank}").touch()
        if len(list(self.folder.glob("gone.*"))) == self.size:
            shutil.rmtree(self.folder, ignore_errors=True)


def reduced(parts, dtype, operation):
    """An operation over rows of bytes, in the order of ranks, halves in float32."""
    rows = [np.frombuffer(part, dtype) for part in parts]
    wide = np.float32 if np.dtype(dtype).itemsize == 2 else dtype
    out = OPERATIONS[operation].reduce([row.astype(wide) for row in rows], axis=0, dtype=wide)
    if operation == AVERAGE:
        out = out / len(rows) if np.dtype(wide).kind == "f" else out // len(rows)
    return out.astype(dtype).tobytes()


def install(shell, compute, host):
    """Lead a shell of libnccl here."""
    ends, group, submit = {}, threading.local(), submitter(host, shell)

    def bytes_at(address, count, kind):
        return ctypes.string_at(address, count * np.dtype(TYPES[kind]).itemsize) if count else b""

    def put(address, data):
        if data is not None:
            ctypes.memmove(address, data, len(data))

    def run(calls):
        """Each call leaves what it contributes before the first of them waits."""
        begun = [call() for call in calls]
        for each in begun:
            next(each, None)
        for each in begun:
            for _ in each:
                pass

    def ask(stream, call):
        if not compute:
            return
        if getattr(group, "depth", 0):
            group.calls.append((call, stream))
        else:
            submit(stream, lambda: run([call]))

    def group_start():
        group.depth = getattr(group, "depth", 0) + 1
        if group.depth == 1:
            group.calls = []

    def group_end():
        group.depth -= 1
        if group.depth == 0 and group.calls:
            calls = [call for call, _ in group.calls]
            submit(group.calls[0][1], lambda: run(calls))

    def collective(end, data, sources, finish):
        """sources: the ranks whose parts `finish` takes; none where this rank only gives."""
        parts = yield from end.gather(f"{COLLECTIVE}.{end.number(COLLECTIVE)}", data, sources)
        if sources and None not in parts:
            finish(parts)

    def all_reduce(sent, received, count, kind, operation, comm, stream):
        reduce_to(sent, received, count, kind, operation, range(ends[comm].size), comm, stream)

    def reduce_to(sent, received, count, kind, operation, roots, comm, stream):
        end = ends[comm]
        ask(stream, lambda: collective(end, bytes_at(sent, count, kind), range(end.size) if end.rank in roots else (),
                                       lambda parts: put(received, reduced(parts, TYPES[kind], operation))))

    def reduce(sent, received, count, kind, operation, root, comm, stream):
        reduce_to(sent, received, count, kind, operation, (root,), comm, stream)

    def broadcast(sent, received, count, kind, root, comm, stream):
        end = ends[comm]
        ask(stream, lambda: collective(end, bytes_at(sent, count, kind) if end.rank == root else b"", (root,), lambda parts: put(received, parts[0])))

    def all_gather(sent, received, count, kind, comm, stream):
        end = ends[comm]
        ask(stream, lambda: collective(end, bytes_at(sent, count, kind), range(end.size), lambda parts: put(received, b"".join(parts))))

    def reduce_scatter(sent, received, count, kind, operation, comm, stream):
        end, each = ends[comm], count * np.dtype(TYPES[kind]).itemsize
        ask(stream, lambda: collective(
            end, bytes_at(sent, count * end.size, kind), range(end.size),
            lambda parts: put(received, reduced([part[end.rank * each:][:each] for part in parts], TYPES[kind], operation))))

    def send(sent, count, kind, peer, comm, stream):
        end = ends[comm]

        def call():
            end.leave(f"{end.rank}-{peer}.{end.number((end.rank, peer))}", bytes_at(sent, count, kind))
            yield
        ask(stream, call)

    def receive(received, count, kind, peer, comm, stream):
        end = ends[comm]

        def call():
            yield
            put(received, end.take(f"{peer}-{end.rank}.{end.number((peer, end.rank))}"))
        ask(stream, call)

    def begin(out, end):
        ends[len(ends) + 1] = end
        view(out, (1,), np.uint64)[0] = len(ends)

    def unique_id(out):
        folder = Path(tempfile.gettempdir()) / f"nccl-host-{secrets.token_hex(8)}"
        ctypes.memmove(out, bytes(Id(str(folder).encode())), ctypes.sizeof(Id))

    def init_rank(out, size, name, rank, config):
        end = Communicator(name.text.decode(), rank, size)
        run([lambda: end.gather(HERE, b"", range(size))])
        begin(out, end)
        return 0

    def init_all(out, size, devices):
        folder = Path(tempfile.gettempdir()) / f"nccl-host-{secrets.token_hex(8)}"
        for rank in range(size):
            begin(out + 8 * rank, Communicator(folder, rank, size))

    def abort(comm):
        ends[comm].aborted = True
        ends[comm].close()

    def tell(what):
        return lambda comm, out: view(out, (1,), np.int32).fill(what(ends[comm]))

    for name, letters, function in (
            ("ncclGetVersion", "p", lambda out: view(out, (1,), np.int32).fill(VERSION)), ("ncclGetUniqueId", "p", unique_id),
            ("ncclCommInitAll", "pip", init_all), ("ncclCommDestroy", "p", lambda comm: ends[comm].close()), ("ncclCommAbort", "p", abort),
            ("ncclCommCount", "pp", tell(lambda end: end.size)), ("ncclCommUserRank", "pp", tell(lambda end: end.rank)),
            ("ncclCommCuDevice", "pp", tell(lambda end: 0)), ("ncclCommGetAsyncError", "pp", tell(lambda end: 0)),
            ("ncclGroupStart", "", group_start), ("ncclGroupEnd", "", group_end),
            ("ncclAllReduce", "pplii" "pp", all_reduce), ("ncclReduce", "ppliii" "pp", reduce), ("ncclBroadcast", "pplii" "pp", broadcast),
            ("ncclAllGather", "ppli" "pp", all_gather), ("ncclReduceScatter", "pplii" "pp", reduce_scatter),
            ("ncclSend", "plii" "pp", send), ("ncclRecv", "plii" "pp", receive)):
        lead(shell, name, letters, function)
    shell.lead("ncclCommInitRankConfig", ctypes.c_int, [LETTERS["p"], LETTERS["i"], Id, LETTERS["i"], LETTERS["p"]], init_rank)
