"""The keys and values of a store, without locks and sockets: what each request means.  Shared by all stores."""

from collections.abc import Iterable

from .errors import DistStoreError

MAX_KEY_BYTES = 1 << 16
MAX_VALUE_BYTES = 64 << 20


def check_size(key: bytes, value: bytes = b"") -> None:
    """ValueError for a key or value above the limits (64 KiB, 64 MiB): a store is for small things, tensors go through collectives."""
    for what, size, limit in (("key", len(key), MAX_KEY_BYTES), ("value", len(value), MAX_VALUE_BYTES)):
        if size > limit:
            raise ValueError(f"store: a {what} of {size} bytes is above the limit of {limit}; send large data with a collective")


class Table:
    """A dictionary from bytes to bytes with the operations of torch's Store."""

    def __init__(self) -> None:
        self._values: dict[bytes, bytes] = {}

    def set(self, key: bytes, value: bytes) -> None:
        """Write or overwrite one value."""
        self._values[key] = value

    def get(self, key: bytes) -> bytes:
        """The value of a key that exists."""
        return self._values[key]

    def missing(self, keys: Iterable[bytes]) -> list[bytes]:
        """Those of the keys that do not exist."""
        return [key for key in keys if key not in self._values]

    def add(self, key: bytes, amount: int) -> int:
        """Add to a counter that starts at 0 and is stored as decimal digits; the new value."""
        try:
            total = int(self._values.get(key, b"0")) + amount
        except ValueError:
            raise DistStoreError(f"add: key {key.decode(errors='replace')!r} does not hold an integer") from None
        self._values[key] = str(total).encode()
        return total

    def append(self, key: bytes, value: bytes) -> None:
        """Write behind what the key holds."""
        self._values[key] = self._values.get(key, b"") + value

    def compare_set(self, key: bytes, expected: bytes, desired: bytes) -> bytes:
        """Write `desired` if the key holds `expected`, or if it does not exist and `expected` is empty; what is held now.

        A key that does not exist and a non-empty `expected` change nothing and give `expected` back, as in torch.
        """
        held = self._values.get(key)
        if held == expected or (held is None and not expected):
            self._values[key] = desired
        return self._values.get(key, expected)

    def delete(self, key: bytes) -> bool:
        """Forget a key; whether it existed."""
        return self._values.pop(key, None) is not None

    def names(self) -> list[bytes]:
        """All keys, in the order in which they were first written."""
        return list(self._values)
