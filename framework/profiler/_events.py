"""What was timed, and its table."""
from collections import defaultdict
from dataclasses import dataclass, field


@dataclass
class FunctionEvent:
    """One operation or block: begin and end in microseconds, and the part of it that its children took."""

    name: str
    start_us: float
    end_us: float = 0.0
    children_us: float = 0.0
    input_shapes: list = field(default_factory=list)
    thread: int = 0

    @property
    def cpu_time_total(self):
        """Microseconds from begin to end."""
        return self.end_us - self.start_us

    @property
    def self_cpu_time_total(self):
        """Microseconds without those of operations inside it."""
        return self.cpu_time_total - self.children_us

    key = property(lambda self: self.name)
    device_time_total = cuda_time_total = self_device_time_total = property(lambda self: 0.0)
    count = 1


class Averages:
    """All events of one name (and input shapes)."""

    def __init__(self, key, events):
        self.key, self.count, self.input_shapes = key, len(events), events[0].input_shapes
        self.cpu_time_total = sum(e.cpu_time_total for e in events)
        self.self_cpu_time_total = sum(e.self_cpu_time_total for e in events)
        self.cpu_time = self.cpu_time_total / self.count

    device_time_total = cuda_time_total = self_device_time_total = self_cuda_time_total = 0.0

    def __repr__(self):
        return f"<{self.key}: {self.count} calls, {self.cpu_time_total:.1f} us>"


class EventList(list):
    """Events, or averages of them."""

    def key_averages(self, group_by_input_shape=False, group_by_stack_n=0):
        """One entry per name; with group_by_input_shape per name and shapes."""
        groups = defaultdict(list)
        for event in self:
            groups[event.key, str(event.input_shapes) if group_by_input_shape else ""].append(event)
        return EventList(Averages(key, events) for (key, _), events in groups.items())

    def total_average(self):
        """All of them as one entry."""
        return Averages("Total", list(self))

    @property
    def self_cpu_time_total(self):
        """Microseconds altogether."""
        return sum(e.self_cpu_time_total for e in self)

    def table(self, sort_by=None, row_limit=100, max_src_column_width=75, max_name_column_width=55, max_shapes_column_width=80, header=None,
              top_level_events_only=False):
        """The list as text; sort_by: an attribute such as "cpu_time_total" (descending)."""
        rows = list(self)
        if sort_by is not None:
            rows.sort(key=lambda e: getattr(e, sort_by.replace("cuda", "device"), 0.0), reverse=True)
        total = self.self_cpu_time_total or 1.0
        titles = ("Name", "Self CPU %", "Self CPU", "CPU total", "CPU time avg", "# of Calls")
        cells = [(e.key[:max_name_column_width], f"{100 * e.self_cpu_time_total / total:.2f}%", _time(e.self_cpu_time_total), _time(e.cpu_time_total),
                  _time(e.cpu_time_total / e.count), str(e.count)) for e in rows[:row_limit if row_limit >= 0 else None]]
        widths = [max(len(row[i]) for row in [titles, *cells]) for i in range(len(titles))]
        rule = "  ".join("-" * w for w in widths)
        lines = ["  ".join(c.rjust(w) for c, w in zip(row, widths)) for row in [titles, *cells]]
        text = "\n".join([rule, lines[0], rule, *lines[1:], rule, f"Self CPU time total: {_time(self.self_cpu_time_total)}"])
        return f"{header}\n{text}" if header else text

    def __str__(self):
        return self.table()


def _time(us):
    return f"{us / 1e6:.3f}s" if us >= 1e6 else f"{us / 1e3:.3f}ms" if us >= 1e3 else f"{us:.3f}us"
