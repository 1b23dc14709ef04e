"""Time limits: torch passes datetime.timedelta, Python programs pass seconds; inside, everything is seconds."""

from datetime import timedelta

default_pg_timeout = timedelta(minutes=30)  # torch.distributed's default for CPU groups


def seconds(timeout: timedelta | float | None, default_s: float = default_pg_timeout.total_seconds()) -> float:
    """A time limit in seconds from a timedelta, a number of seconds, or None (the default).  ValueError if it is not positive."""
    if timeout is None:
        return default_s
    if isinstance(timeout, bool) or not isinstance(timeout, (timedelta, int, float)):
        raise TypeError(f"a timeout is a datetime.timedelta or a number of seconds, but got {type(timeout).__name__}")
    value = timeout.total_seconds() if isinstance(timeout, timedelta) else float(timeout)
    if not value > 0:
        raise ValueError(f"a timeout must be positive, but got {value} s")
    return value
