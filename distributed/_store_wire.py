"""How a TCP store and its clients talk: frames, requests, and the proof that both know the job's token.

A frame is a 4-byte length and a body; a body is a 1-byte code followed by fields, each a 4-byte length and its bytes.
Nothing is ever unpickled. Before the first frame both sides prove that they know the token (HMAC-SHA256 over the other's
random challenge, RFC 2104), so neither a stranger nor another job's store is talked to, and the token never travels.
"""

import hashlib
import hmac
import struct
from enum import IntEnum

from ._store_table import MAX_KEY_BYTES, MAX_VALUE_BYTES

GREETING = b"ringgrad-store-1"
CHALLENGE_BYTES = 32
PROOF_BYTES = hashlib.sha256().digest_size
HELLO_BYTES = len(GREETING) + CHALLENGE_BYTES  # server to client
ANSWER_BYTES = CHALLENGE_BYTES + PROOF_BYTES  # client to server; the server then sends its own proof, or zeros
REFUSED = bytes(PROOF_BYTES)
MAX_FRAME_BYTES = MAX_VALUE_BYTES + 16 * MAX_KEY_BYTES

_LENGTH = struct.Struct("!I")


class Code(IntEnum):
    """What a frame asks for (client to server) or says (server to client)."""

    SET = 1
    GET = 2  # field 0: milliseconds to wait, then keys
    WAIT = 3  # the same, without values in the reply
    ADD = 4
    APPEND = 5
    COMPARE_SET = 6
    DELETE = 7
    CHECK = 8
    LIST = 9
    OK = 100
    TIMED_OUT = 101
    REFUSED = 102


def proof(token: bytes, who: bytes, challenge: bytes) -> bytes:
    """What only somebody who knows the token can answer to a challenge; `who` keeps one side's answer from serving the other."""
    return hmac.new(token, who + challenge, hashlib.sha256).digest()


def pack(code: Code, *fields: bytes) -> bytes:
    """One frame.  ValueError if it is larger than a store accepts."""
    body = b"".join([bytes([code]), *(part for field in fields for part in (_LENGTH.pack(len(field)), field))])
    if len(body) > MAX_FRAME_BYTES:
        raise ValueError(
            f"store: a request of {len(body)} bytes is above the limit of {MAX_FRAME_BYTES}; send large data with a collective"
        )
    return _LENGTH.pack(len(body)) + body


def frame_size(head: bytes | bytearray) -> int | None:
    """Bytes of the frame that starts here, its length included, or None if fewer than 4 bytes are there.  ValueError: too large."""
    if len(head) < _LENGTH.size:
        return None
    (size,) = _LENGTH.unpack_from(head)
    if not 1 <= size <= MAX_FRAME_BYTES:
        raise ValueError(f"a frame of {size} bytes; allowed are 1 to {MAX_FRAME_BYTES}")
    return int(size) + _LENGTH.size


def unpack(frame: bytes) -> tuple[Code, list[bytes]]:
    """Code and fields of a whole frame.  ValueError if its parts do not add up."""
    at, fields = _LENGTH.size + 1, []
    while at < len(frame):
        if at + _LENGTH.size > len(frame):
            raise ValueError("a field's length is cut off")
        (size,) = _LENGTH.unpack_from(frame, at)
        at += _LENGTH.size
        if at + size > len(frame):
            raise ValueError(f"a field of {size} bytes does not fit into its frame")
        fields.append(frame[at : at + size])
        at += size
    return Code(frame[_LENGTH.size]), fields
