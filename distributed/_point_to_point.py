"""Messages between two ranks: send, recv, isend, irecv and batches of them, with torch.distributed's arguments.

Ranks given as src and dst are global ranks, group_src and group_dst ranks in the group. Messages between two ranks with one tag arrive in
the order in which they were sent.
"""

from collections.abc import Callable, Sequence
from typing import Any

from ._collectives import rank_in_group
from ._state import member, resolve
from .work import Work


def send(tensor: Any, dst: int | None = None, group: Any = None, tag: int = 0, group_dst: int | None = None) -> None:
    """Send a tensor to rank dst. May return before it has arrived."""
    work = isend(tensor, dst, group, tag, group_dst)
    if work is not None:
        work.wait()


def recv(tensor: Any, src: int | None = None, group: Any = None, tag: int = 0, group_src: int | None = None) -> int:
    """Receive a tensor from rank src, or from whichever rank sends first (None).  The sender's global rank, -1 outside the group."""
    work = irecv(tensor, src, group, tag, group_src)
    found = resolve(group)
    if work is None or found is None:
        return -1
    return found.ranks[work.source_rank()]


def isend(tensor: Any, dst: int | None = None, group: Any = None, tag: int = 0, group_dst: int | None = None) -> Work | None:
    """Start sending a tensor to rank dst; leave it alone until the Work is done."""
    found = member("isend", group)
    return None if found is None else found.send(tensor, rank_in_group(found, dst, group_dst), tag, async_op=True)


def irecv(tensor: Any, src: int | None = None, group: Any = None, tag: int = 0, group_src: int | None = None) -> Work | None:
    """Start receiving a tensor from rank src, or from whichever rank sends first (None)."""
    found = member("irecv", group)
    if found is None:
        return None
    source = None if src is None and group_src is None else rank_in_group(found, src, group_src)
    return found.recv(tensor, source, tag, async_op=True)


class P2POp:
    """One message of a batch: P2POp(isend, tensor, peer) or P2POp(irecv, tensor, peer).

    peer: global rank; group_peer: rank in the group.  ValueError, TypeError: another function, no tensor, no peer.
    """

    def __init__(
        self,
        op: Callable[..., Work | None],
        tensor: Any,
        peer: int | None = None,
        group: Any = None,
        tag: int = 0,
        group_peer: int | None = None,
    ) -> None:
        if op not in (isend, irecv):
            raise ValueError(
                "Invalid ``op``. Expected ``op`` to be of type ``ringgrad.distributed.isend`` or ``ringgrad.distributed.irecv``."
            )
        found = resolve(group)
        if found is None:
            raise ValueError("P2POp: this rank is not in the group")
        self.op, self.tensor, self.group, self.tag = op, tensor, group, tag
        self.group_peer = rank_in_group(found, peer, group_peer)
        self.peer = found.ranks[self.group_peer]

    def __repr__(self) -> str:
        return f"P2POp({self.op.__name__}, peer={self.peer}, tag={self.tag})"


def batch_isend_irecv(p2p_op_list: Sequence[P2POp]) -> list[Work]:
    """Start a list of messages that may depend on each other in any order, such as a ring's.  One Work for each.

    ValueError: an empty list, or messages of different groups.  TypeError: something other than P2POp.
    """
    if not isinstance(p2p_op_list, (list, tuple)) or not all(isinstance(each, P2POp) for each in p2p_op_list):
        raise TypeError("Invalid ``p2p_op_list``. Each op is expected to be of type ``ringgrad.distributed.P2POp``.")
    if not p2p_op_list:
        raise ValueError("Invalid ``p2p_op_list``: it is empty; give at least one P2POp")
    group = p2p_op_list[0].group
    if any(each.group is not group for each in p2p_op_list):
        raise ValueError("All ops need to use the same group.")
    found = member("batch_isend_irecv", group)
    if found is None:
        return []
    found.start_messages()
    try:
        works = [
            found.send(each.tensor, each.group_peer, each.tag, async_op=True)
            if each.op is isend
            else found.recv(each.tensor, each.group_peer, each.tag, async_op=True)
            for each in p2p_op_list
        ]
    finally:
        found.end_messages()
    return [work for work in works if work is not None]
