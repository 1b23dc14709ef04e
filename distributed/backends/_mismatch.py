"""Words for collectives that do not match, the same whichever backend found out."""

from collections.abc import Mapping, Sequence

from ..flight_recorder import Record


def describe_mismatch(said: Mapping[int, Record] | Mapping[int, str]) -> str:
    """'the ranks called different collectives: ranks 0, 2 all_reduce #3 (SUM, ...); rank 1 broadcast #3 (...)'.

    said: what each global rank called.
    """
    sides: dict[str, list[int]] = {}
    for rank, call in said.items():
        sides.setdefault(call if isinstance(call, str) else call_in_words(call), []).append(rank)
    both = "; ".join(f"rank{'s' if len(ranks) > 1 else ''} {', '.join(map(str, ranks))} called {call}" for call, ranks in sides.items())
    return f"the ranks called different collectives: {both}; every rank must call the same ones in the same order"


def call_in_words(record: Record) -> str:
    """'all_reduce #3 (SUM, float32, shape (4,))', without group and label."""
    arguments = record.arguments()
    label = f" for {record.label!r}" if record.label else ""
    return f"{record.collective} #{record.sequence}{f' ({arguments})' if arguments else ''}{label}"


def split_mismatch(sends: Sequence[Sequence[int]], receives: Sequence[Sequence[int]], members: Sequence[int]) -> str | None:
    """What is wrong with the split sizes of an all_to_all, or None.

    sends[i][j]: elements that rank i has for rank j.  receives[j][i]: elements that rank j expects from rank i.
    """
    for sender, row in enumerate(sends):
        for receiver, count in enumerate(row):
            expected = receives[receiver][sender]
            if count != expected:
                return (
                    f"the split sizes disagree: rank {members[sender]} sends {count} elements to rank {members[receiver]}, "
                    f"which expects {expected}; output_split_sizes of one must be input_split_sizes of the other"
                )
    return None
