"""The stores: torch's operations on each, and the TCP store against strangers, other jobs, garbage and cut-off frames."""

import os
import socket
import struct
import subprocess
import sys
import threading
from datetime import timedelta

import pytest

from ringgrad.distributed._store_wire import ANSWER_BYTES, GREETING, HELLO_BYTES, PROOF_BYTES, Code, pack, proof
from ringgrad.distributed._tcp_store import TCPStore
from ringgrad.distributed.errors import DistNetworkError, DistStoreError
from ringgrad.distributed.store import FileStore, HashStore, PrefixStore


@pytest.fixture(params=["hash", "file", "tcp", "prefix"])
def store(request, tmp_path):
    if request.param == "tcp":
        opened = TCPStore("127.0.0.1", 0, is_master=True, timeout=5)
        yield opened
        opened.close()
    elif request.param == "file":
        yield FileStore(tmp_path / "store", timeout=5)
    else:
        yield HashStore(5) if request.param == "hash" else PrefixStore("job", HashStore(5))


def test_operations(store):
    store.set("text", "grüße")
    store.set("raw", b"\0\xff")
    assert store.get("text") == "grüße".encode()
    assert store.multi_get(["raw", "text"]) == [b"\0\xff", "grüße".encode()]
    assert [store.add("count", 2), store.add("count", -5), store.get("count")] == [2, -3, b"-3"]
    store.append("log", "a")
    store.append("log", "b")
    assert store.get("log") == b"ab"
    assert store.check(["text", "raw"]) and not store.check(["text", "nothing"])
    assert store.num_keys() == 4
    assert sorted(store.list_keys()) == ["count", "log", "raw", "text"]
    assert store.delete_key("text") and not store.delete_key("text")
    assert not store.check(["text"])
    store.multi_set(["x", "y"], ["1", b"2"])
    assert store.multi_get(["y", "x"]) == [b"2", b"1"]


def test_compare_set_follows_torch(store):
    assert store.compare_set("key", "expected", "new") == b"expected", "a missing key with an expectation stays missing"
    assert not store.check(["key"])
    assert store.compare_set("key", "", "first") == b"first"
    assert store.compare_set("key", "other", "second") == b"first"
    assert store.compare_set("key", "first", "second") == b"second"
    assert store.get("key") == b"second"


def test_compare_set_and_add_equal_torchs_hash_store(store):
    torch_store = pytest.importorskip("torch.distributed", reason="the oracle torch is not installed").HashStore()
    calls = [
        ("compare_set", ("k", "x", "y")),
        ("compare_set", ("k", "", "a")),
        ("compare_set", ("k", "b", "c")),
        ("compare_set", ("k", "a", "b")),
    ]
    calls += [("add", ("n", 3)), ("add", ("n", -7)), ("delete_key", ("n",)), ("delete_key", ("n",))]
    assert [getattr(store, name)(*arguments) for name, arguments in calls] == [
        getattr(torch_store, name)(*arguments) for name, arguments in calls
    ]


def test_a_wait_that_times_out_names_the_missing_keys(store):
    store.set("there", "1")
    with pytest.raises(DistStoreError, match="missing'") as caught:
        store.wait(["there", "missing"], timedelta(milliseconds=30))
    assert "there" not in str(caught.value).split("keys:")[1].split(":")[0]
    assert store.get("there") == b"1", "the store is usable after a timeout"


def test_a_wait_ends_when_another_thread_sets_the_key(store):
    other = store.clone() if isinstance(store, TCPStore) else store
    setter = threading.Thread(target=lambda: other.set("late", "now"))
    waiter_result = []
    waiter = threading.Thread(target=lambda: waiter_result.append(store.get("late")))
    waiter.start()
    setter.start()
    waiter.join(5)
    setter.join(5)
    assert waiter_result == [b"now"]
    if other is not store:
        other.close()


def test_bad_values(store):
    with pytest.raises(TypeError, match="str and bytes, but got int"):
        store.set("key", 3)
    with pytest.raises(ValueError, match="above the limit"):
        store.set("k" * 100_000, "x")
    with pytest.raises(ValueError, match="2 keys but 1 values"):
        store.multi_set(["a", "b"], ["1"])
    store.set("word", "three")
    with pytest.raises(DistStoreError, match="does not hold an integer"):
        store.add("word", 1)
    with pytest.raises(ValueError, match="positive"):
        store.wait(["word"], timedelta(0))


def test_counting_processes_share_a_file(tmp_path):
    path = tmp_path / "store"
    code = f"from ringgrad.distributed.store import FileStore\nfor _ in range(40): FileStore({str(path)!r}).add('n', 1)"
    workers = [subprocess.Popen([sys.executable, "-c", code]) for _ in range(3)]
    assert [worker.wait(60) for worker in workers] == [0, 0, 0]
    assert FileStore(path).get("n") == b"120"


CLIENT = """
import sys
from ringgrad.distributed._tcp_store import TCPStore
store = TCPStore("127.0.0.1", int(sys.argv[1]), timeout=20)
rank = int(sys.argv[2])
store.set(f"rank{rank}", "x" * (1 << 20))
store.wait([f"rank{i}" for i in range(3)])
print(store.add("sum", rank), store.get("from the server").decode())
"""


def test_processes_meet_in_a_tcp_store():
    server = TCPStore("127.0.0.1", 0, is_master=True, timeout=20)
    ranks = [
        subprocess.Popen([sys.executable, "-c", CLIENT, str(server.port), str(rank)], stdout=subprocess.PIPE, text=True)
        for rank in range(3)
    ]
    server.set("from the server", "hello")
    outputs = [rank.communicate(timeout=60)[0] for rank in ranks]
    assert [rank.returncode for rank in ranks] == [0, 0, 0]
    assert all(output.split()[1] == "hello" for output in outputs)
    assert server.get("sum") == b"3"
    server.close()


def test_wait_for_workers():
    stores = []
    client = threading.Thread(target=lambda: stores.append(TCPStore("127.0.0.1", port, world_size=2, timeout=10)))
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port = listener.getsockname()[1]
        client.start()
        stores.append(TCPStore("127.0.0.1", port, world_size=2, is_master=True, timeout=10, master_listen_fd=listener.fileno()))
        client.join(10)
        assert len(stores) == 2 and stores[0].num_keys() == 0, "the key that counts ranks is not the user's"
        for each in stores:
            each.close()
    with pytest.raises(DistStoreError, match="only 1 of 2 ranks"):
        TCPStore("127.0.0.1", 0, world_size=2, is_master=True, timeout=0.2)


# Strangers


@pytest.fixture
def server():
    opened = TCPStore("127.0.0.1", 0, is_master=True, timeout=5, token="secret")
    yield opened
    assert opened.add("alive", 1) == 1, "whatever a test did to it, the server serves"
    opened.close()


@pytest.mark.parametrize(("token", "words"), [("wrong", "differs from the server's"), ("", "RINGGRAD_STORE_TOKEN is not set here")])
def test_a_wrong_or_missing_token_is_refused(server, token, words):
    with pytest.raises(DistNetworkError, match=words):
        TCPStore("127.0.0.1", server.port, timeout=5, token=token)


def test_the_right_token_from_the_environment(server, monkeypatch):
    monkeypatch.setenv("RINGGRAD_STORE_TOKEN", "secret")
    client = TCPStore("127.0.0.1", server.port, timeout=5)
    client.set("key", "value")
    assert server.get("key") == b"value"
    client.close()


def test_a_server_that_does_not_know_the_token_is_not_trusted():
    def impostor(listener):
        client, _ = listener.accept()
        with client:
            client.sendall(GREETING + bytes(HELLO_BYTES - len(GREETING)))
            client.recv(ANSWER_BYTES)
            client.sendall(b"\1" * PROOF_BYTES)

    with socket.create_server(("127.0.0.1", 0)) as listener:
        thread = threading.Thread(target=impostor, args=(listener,))
        thread.start()
        with pytest.raises(DistNetworkError, match="belongs to another job"):
            TCPStore("127.0.0.1", listener.getsockname()[1], timeout=5, token="secret")
        thread.join(5)


def test_another_program_on_the_port():
    def web_server(listener):
        client, _ = listener.accept()
        with client:
            client.sendall(b"HTTP/1.1 400 Bad Request\r\nContent-Length: 0\r\nServer: something\r\n\r\n")

    with socket.create_server(("127.0.0.1", 0)) as listener:
        thread = threading.Thread(target=web_server, args=(listener,))
        thread.start()
        with pytest.raises(DistNetworkError, match="not a ringgrad store"):
            TCPStore("127.0.0.1", listener.getsockname()[1], timeout=5)
        thread.join(5)


def handshake(server, token=b"secret"):
    """A connection that has proved itself, without the client's code."""
    client = socket.create_connection(("127.0.0.1", server.port), timeout=5)
    hello = client.recv(HELLO_BYTES, socket.MSG_WAITALL)
    client.sendall(bytes(32) + proof(token, b"client", hello[len(GREETING) :]))
    assert client.recv(PROOF_BYTES, socket.MSG_WAITALL) == proof(token, b"server", bytes(32))
    return client


def closed_by_server(client):
    """Whether the server ends the connection; a reset counts."""
    try:
        return client.recv(1) == b""
    except ConnectionError:
        return True


BEFORE_PROOF = {
    "http": b"GET / HTTP/1.1\r\nHost: localhost\r\nAccept: */*\r\nUser-Agent: something long enough\r\n\r\n",
    "zeros": bytes(4096),
    "noise": bytes((i * 97) % 256 for i in range(10_000)),
    "a request without a proof": pack(Code.SET, b"key", b"stolen" * 20),
}


@pytest.mark.parametrize("garbage", BEFORE_PROOF.values(), ids=BEFORE_PROOF)
def test_garbage_before_the_proof(server, garbage):
    with socket.create_connection(("127.0.0.1", server.port), timeout=5) as client:
        client.recv(HELLO_BYTES, socket.MSG_WAITALL)
        client.sendall(garbage)
        reply = client.recv(PROOF_BYTES, socket.MSG_WAITALL)
        assert reply in (b"", bytes(PROOF_BYTES)) and closed_by_server(client)
    assert not server.check(["key"])


AFTER_PROOF = {
    "a frame of 4 GB": b"\xff\xff\xff\xff" + b"x" * 100,
    "an empty frame": struct.pack("!I", 0),
    "an unknown code": struct.pack("!I", 1) + b"\x77",
    "a field larger than its frame": struct.pack("!IBI", 5, Code.GET, 1000),
    "a field whose length is cut off": struct.pack("!IB", 3, Code.SET) + b"\0\0",
    "a wait without a time": pack(Code.WAIT, b"soon", b"key"),
}


@pytest.mark.parametrize("frame", AFTER_PROOF.values(), ids=AFTER_PROOF)
def test_broken_frames_end_their_connection_only(server, frame):
    with handshake(server) as client:
        client.sendall(frame)
        assert closed_by_server(client)


@pytest.mark.parametrize(
    "frame", [pack(Code.SET, b"only a key"), pack(Code.ADD, b"n", b"much"), pack(Code.OK), pack(Code.SET, b"k" * 70_000, b"")]
)
def test_requests_that_make_no_sense_are_refused(server, frame):
    with handshake(server) as client:
        client.sendall(frame)
        size = struct.unpack("!I", client.recv(4, socket.MSG_WAITALL))[0]
        assert client.recv(1) == bytes([Code.REFUSED]) and size > 1


def test_a_frame_in_pieces_and_a_client_that_leaves_in_the_middle(server):
    frame = pack(Code.SET, b"slow", b"value")
    with handshake(server) as client:
        for byte in frame:
            client.sendall(bytes([byte]))
        assert client.recv(64) == pack(Code.OK)
    with handshake(server) as client:
        client.sendall(frame[:7])
    with handshake(server) as client:
        client.sendall(pack(Code.WAIT, b"60000", b"never"))
    assert server.get("slow") == b"value"


def test_silent_connections_do_not_hold_up_others(server):
    silent = [socket.create_connection(("127.0.0.1", server.port), timeout=5) for _ in range(20)]
    client = TCPStore("127.0.0.1", server.port, timeout=5, token="secret")
    assert client.add("n", 1) == 1
    for each in (client, *silent):
        each.close()


# Ports


def test_a_port_that_is_taken_says_so_and_the_way_out():
    with socket.create_server(("127.0.0.1", 0)) as occupied:
        port = occupied.getsockname()[1]
        with pytest.raises(DistNetworkError, match=f"port {port} on 127.0.0.1 is taken.*MASTER_PORT.*ringgrad-run"):
            TCPStore("127.0.0.1", port, is_master=True, timeout=1)


def test_nobody_listens():
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port = listener.getsockname()[1]
    with pytest.raises(DistNetworkError, match=f"could not reach the store at 127.0.0.1:{port}.*MASTER_ADDR"):
        TCPStore("127.0.0.1", port, timeout=0.1)


def test_an_unknown_host():
    with pytest.raises(DistNetworkError, match="no.such.host.invalid"):
        TCPStore("no.such.host.invalid", 1234, is_master=True, timeout=1)


def test_listening_beyond_this_machine_needs_a_token():
    with pytest.raises(ValueError, match="RINGGRAD_STORE_TOKEN"):
        TCPStore("127.0.0.1", 0, is_master=True, everywhere=True, timeout=1, token="")
    store = TCPStore("127.0.0.1", 0, is_master=True, everywhere=True, timeout=5, token="secret")
    assert store.add("n", 1) == 1
    store.close()


def test_a_listening_socket_is_taken_over_twice():
    """init, destroy, init again in one process: the launcher's socket serves each time."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        os.set_inheritable(listener.fileno(), True)
        for _ in range(2):
            store = TCPStore("127.0.0.1", 0, is_master=True, timeout=5, master_listen_fd=listener.fileno())
            assert store.port == listener.getsockname()[1]
            assert store.add("n", 1) == 1
            store.close()
        assert not os.get_inheritable(listener.fileno())


def test_a_descriptor_that_is_no_listening_socket():
    with open(os.devnull) as file, pytest.raises(ValueError, match=f"file descriptor {file.fileno()} is not an open socket"):
        TCPStore("127.0.0.1", 0, is_master=True, timeout=1, master_listen_fd=file.fileno())
    with socket.socket() as idle, pytest.raises(ValueError, match="does not listen"):
        TCPStore("127.0.0.1", 0, is_master=True, timeout=1, master_listen_fd=idle.fileno())


def test_a_server_that_ends_is_named():
    server = TCPStore("127.0.0.1", 0, is_master=True, timeout=5)
    client = server.clone()
    server.close()
    with pytest.raises(DistNetworkError, match="lost the store.*rank 0"):
        client.get("key")
    client.close()
