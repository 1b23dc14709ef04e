"""torch._tensor_str, by which subclasses of Tensor write themselves: the elements as text, and the notes behind them."""
import numpy as np

from .._backends import of_array
from .._printing import array_text, get_printoptions, tensor_repr
from .._printing import options as PRINT_OPTS  # noqa: N812 - torch's name

__all__ = ["PRINT_OPTS"]


def _tensor_str(self, indent):
    """The elements of a tensor, of which lines after the first start `indent` characters in."""
    host = of_array(self._data).to_host(self._data)
    return array_text(host.astype(np.float32) if host.dtype.kind == "V" else host, indent)


def _str_intern(self, *, tensor_contents=None):
    return tensor_repr(self) if tensor_contents is None else f"{type(self).__name__}({tensor_contents})"


def _str(self, *, tensor_contents=None):
    return _str_intern(self, tensor_contents=tensor_contents)


def _add_suffixes(tensor_str, suffixes, indent, force_newline):
    """The text with notes such as "dtype=..." behind it, on new lines where they would grow too long, and a closing bracket."""
    lines, width = [tensor_str], len(tensor_str) - tensor_str.rfind("\n") + 1
    for suffix in suffixes:
        if force_newline or width + len(suffix) + 2 > get_printoptions()["linewidth"]:
            lines.append(",\n" + " " * indent + suffix)
            width, force_newline = indent + len(suffix), False
        else:
            lines.append(", " + suffix)
            width += len(suffix) + 2
    return "".join(lines) + ")"
