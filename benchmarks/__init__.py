"""Speed, measured beside somebody in the same run: `make bench`, or `python -m benchmarks [section ...]`.

Benchmarks are not tests: they print ratios and never fail.
"""
