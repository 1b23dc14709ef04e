"""Results of several tensors with names, which print as torch's do."""
import collections

from .. import _config


def named(name, fields):
    """A named tuple class that prints as torch.return_types.<name>, one field a line."""
    kind = collections.namedtuple(name, fields)

    def __repr__(self):
        return f"{_config.NAME}.return_types.{name}(\n" + ",\n".join(f"{f}={v!r}" for f, v in zip(kind._fields, self)) + ")"

    kind.__repr__ = __repr__
    return kind
