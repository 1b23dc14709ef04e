"""A line on stderr, said once per process: for what is accepted and does nothing."""
import logging
import sys

_said = set()
_log = logging.getLogger(__name__.partition(".")[0])


def say_once(key, words):
    """Print `words` on stderr the first time that `key` comes; the logger "ringgrad" gets every one, at level INFO."""
    _log.info(words)
    if key not in _said:
        _said.add(key)
        print(f"ringgrad: {words}", file=sys.stderr)
