"""torch.utils.tensorboard: a SummaryWriter on TensorBoard's own event files.  Needs the package tensorboard."""
from ._files import FileWriter, RecordWriter
from .writer import SummaryWriter

__all__ = ["FileWriter", "RecordWriter", "SummaryWriter"]
