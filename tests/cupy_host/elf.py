"""Names in a shared library: what it takes from others, and where its own functions lie."""
import struct
from dataclasses import dataclass
from pathlib import Path

SYMTAB, DYNSYM, VERSYM, VERNEED = 2, 11, 0x6FFFFFFF, 0x6FFFFFFE
FUNCTION = 2


@dataclass
class Section:
    """A row of the table of sections."""

    type: int
    offset: int
    size: int
    link: int
    entry: int


def sections(data):
    """The sections of a 64-bit little-endian library."""
    assert data[:6] == b"\x7fELF\x02\x01", "not a 64-bit little-endian ELF file"
    start, size, count = struct.unpack_from("<Q", data, 0x28)[0], *struct.unpack_from("<HH", data, 0x3A)
    rows = (struct.unpack_from("<IIQQQQIIQQ", data, start + i * size) for i in range(count))
    return [Section(r[1], r[4], r[5], r[6], r[9]) for r in rows]


def _symbols(data, kind):
    found = sections(data)
    for section in found:
        if section.type == kind:
            names = found[section.link].offset
            for at in range(section.offset, section.offset + section.size, 24):
                name, info, _, where, value, _ = struct.unpack_from("<IBBHQQ", data, at)
                yield data[names + name:data.index(b"\0", names + name)].decode(), info & 15, where, value


def taken(library):
    """Names that a library wants from others when it is loaded."""
    return sorted({name for name, _, where, _ in _symbols(Path(library).read_bytes(), DYNSYM) if where == 0 and name})


def functions(library):
    """{name: offset} of the functions inside a library that was not stripped, those it shows to nobody included."""
    return {name: value for name, kind, where, value in _symbols(Path(library).read_bytes(), SYMTAB) if kind == FUNCTION and where}
