"""torch.utils.benchmark: a Timer for snippets, and what it measured."""
import statistics
import timeit
from dataclasses import dataclass, field

from .. import cuda
from .._threads import get_num_threads, set_num_threads

__all__ = ["Measurement", "Timer"]


@dataclass
class Measurement:
    """Seconds of each repetition, of `number_per_run` runs: `times`, `mean` and `median` are per run."""

    number_per_run: int
    raw_times: list
    stmt: str = ""
    label: str | None = None
    sub_label: str | None = None
    description: str | None = None
    num_threads: int = 1
    env: str | None = None
    metadata: dict = field(default_factory=dict)

    @property
    def times(self):
        """Seconds per run, one for each repetition."""
        return [t / self.number_per_run for t in self.raw_times]

    @property
    def mean(self):
        """Their mean."""
        return statistics.fmean(self.times)

    @property
    def median(self):
        """Their median."""
        return statistics.median(self.times)

    @property
    def iqr(self):
        """The distance of their quartiles; 0 for a single repetition."""
        if len(self.times) < 2:
            return 0.0
        low, _, high = statistics.quantiles(self.times, n=4)
        return high - low

    def __repr__(self):
        size, unit = next(((s, u) for s, u in ((1e9, "ns"), (1e6, "us"), (1e3, "ms")) if self.median * s < 1000), (1, "s"))
        plural = "thread" if self.num_threads == 1 else "threads"
        return (f"{self.label or self.stmt}\n  {self.median * size:.2f} {unit} (median of {len(self.raw_times)} measurements, "
                f"{self.number_per_run} runs each, {self.num_threads} {plural})")


class Timer:
    """Times `stmt` after `setup`, with the names in `globals`; `num_threads` threads for matrix products, and the GPU's queue empty at each end."""

    def __init__(self, stmt="pass", setup="pass", global_setup="", timer=None, globals=None, label=None, sub_label=None, description=None, env=None,
                 num_threads=1, language="python"):
        self._timer = timeit.Timer(stmt, setup, timer or _clock, dict(globals or {}))
        self._about = dict(stmt=stmt if isinstance(stmt, str) else repr(stmt), label=label, sub_label=sub_label, description=description, env=env,
                           num_threads=num_threads)
        self._num_threads = num_threads

    def _measured(self, repetitions, number):
        before = get_num_threads()
        set_num_threads(self._num_threads)
        try:
            return Measurement(number, self._timer.repeat(repetitions, number), **self._about)
        finally:
            set_num_threads(before)

    def timeit(self, number=1_000_000):
        """One measurement of `number` runs, after a short one to warm up."""
        self._measured(1, max(number // 100, 2))
        return self._measured(1, number)

    def blocked_autorange(self, callback=None, min_run_time=0.2):
        """As many measurements as fit into `min_run_time` seconds, each long enough for the clock."""
        self._measured(1, 2)
        number = 1
        while (taken := sum(self._measured(1, number).raw_times)) < min_run_time / 1000 and number < 10**9:
            number *= 10
        return self._measured(max(1, min(1000, int(min_run_time / max(taken, 1e-9)))), number)

    autorange = adaptive_autorange = blocked_autorange


def _clock():
    if cuda.is_initialized():
        cuda.synchronize()
    return timeit.default_timer()
