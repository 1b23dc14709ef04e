"""Event files, through TensorBoard's classes."""
import os
import time

from tensorboard.compat.proto.event_pb2 import Event, SessionLog
from tensorboard.summary.writer.event_file_writer import EventFileWriter
from tensorboard.summary.writer.record_writer import RecordWriter

__all__ = ["FileWriter", "RecordWriter"]


class FileWriter:
    """One event file in the folder `log_dir`; a thread of TensorBoard's writes it every `flush_secs` seconds."""

    def __init__(self, log_dir, max_queue=10, flush_secs=120, filename_suffix=""):
        self.event_writer = EventFileWriter(os.fspath(log_dir), max_queue, flush_secs, filename_suffix)

    def get_logdir(self):
        """The folder."""
        return self.event_writer.get_logdir()

    def add_event(self, event, step=None, walltime=None):
        """Write an Event; `walltime` in seconds since 1970, now unless given."""
        event.wall_time = time.time() if walltime is None else walltime
        if step is not None:
            event.step = int(step)
        self.event_writer.add_event(event)

    def add_summary(self, summary, global_step=None, walltime=None):
        """Write a Summary."""
        self.add_event(Event(summary=summary), global_step, walltime)

    def add_purge(self, step):
        """Tell TensorBoard to forget what was written for `step` and later, before a restart from there."""
        self.add_event(Event(file_version="brain.Event:2"), step)
        self.add_event(Event(session_log=SessionLog(status=SessionLog.START)), step)

    def flush(self):
        """Write everything to the file now."""
        self.event_writer.flush()

    def close(self):
        """Write everything and close the file."""
        self.event_writer.close()

    def reopen(self):
        """TensorBoard's writer opens again by itself."""
        self.event_writer.reopen() if hasattr(self.event_writer, "reopen") else None
