"""The zip archive of a checkpoint, in torch's layout, with a checksum of every record.

    <stem>/data.pkl              the pickled object
    <stem>/.format_version, .storage_alignment, byteorder, version
    <stem>/data/<key>            the bytes of storage <key>, beginning at a multiple of 64 bytes
    <stem>/.data/serialization_id
    <stem>/.data/sha256          "<hex digest>  <record>" for every record before it: what `sha256sum -c` reads

torch ignores the last record.  A file without it was written by torch; there zip's own CRC-32 is checked.
"""
import hashlib
import os
import struct
import zipfile
import zlib
from concurrent.futures import ThreadPoolExecutor

import numpy as np

ALIGNMENT = 64
CHECKSUMS = ".data/sha256"
_CHUNK = 1 << 23
_LOCAL_HEADER, _ZIP64_EXTRA = 30, 20
_FAILED = "PytorchStreamReader failed reading"  # the words that torch begins these errors with
_WAY_OUT = "copy it again from where it was written, or go back to an earlier checkpoint"


def _hashing_threads():
    """Threads that hash while this one reads or writes: that takes as long, and lets go of the interpreter."""
    return ThreadPoolExecutor(min(4, os.cpu_count() or 1), "ringgrad-sha256")


class ArchiveWriter:
    """Writes records one after the other.  stem: the folder inside the archive."""

    def __init__(self, file, stem):
        self._file, self._stem = file, stem
        self._zip = zipfile.ZipFile(file, "w", zipfile.ZIP_STORED)
        self._digests = []  # (record, digest to come)
        self._hasher = _hashing_threads()

    def write(self, record, data):
        """Add a record: bytes, or a memoryview of bytes."""
        view = memoryview(data)
        info = zipfile.ZipInfo(f"{self._stem}/{record}", (1980, 1, 1, 0, 0, 0))
        info.file_size = view.nbytes
        is_large = view.nbytes * 1.05 > zipfile.ZIP64_LIMIT
        start = self._file.tell() + _LOCAL_HEADER + len(info.filename.encode()) + (_ZIP64_EXTRA if is_large else 0) + 4
        padding = -start % ALIGNMENT
        info.extra = b"FB" + struct.pack("<H", padding) + b"Z" * padding
        self._digests.append((record, self._hasher.submit(hashlib.sha256, view)))
        with self._zip.open(info, "w", force_zip64=is_large) as place:
            for at in range(0, view.nbytes, _CHUNK):
                place.write(view[at:at + _CHUNK])

    def serialization_id(self):
        """A number made of the records so far, 40 digits as torch's: equal contents have equal numbers."""
        return str(int.from_bytes(hashlib.sha256(self._manifest()).digest()[:16], "big")).zfill(40).encode()

    def finish(self):
        """Add the checksums and the directory."""
        self.write(CHECKSUMS, self._manifest())
        self._zip.close()

    def _manifest(self):
        return "".join(f"{digest.result().hexdigest()}  {record}\n" for record, digest in self._digests).encode()

    def close(self):
        """Let go of the threads; the file stays the caller's."""
        self._hasher.shutdown(cancel_futures=True)


def _other_format(file, magic):
    """What such a file may be, and the way out."""
    file.seek(0)
    head = file.read(512)
    if head[8:9] == b"{":
        return ": this is a safetensors file; read it with ringgrad.utils.safetensors.load_file"
    if head[257:262] == b"ustar":
        return ": this is a tar archive, torch's format before version 0.1.10, which it writes no more; load and save it with such a torch first"
    if magic[:1] == b"\x80":
        return (": this is a bare pickle, as torch wrote before version 1.6; such a file can only be read by running it; load and save it "
                "with torch first")
    return ""


class ArchiveReader:
    """Reads records of a file, which must be open and seekable.  name: what errors call it.

    EOFError for an empty file;  RuntimeError for one that is truncated, altered, or something else altogether.
    """

    def __init__(self, file, name):
        self._file, self._name = file, name
        size = file.seek(0, os.SEEK_END)
        file.seek(0)
        if size == 0:
            raise EOFError(f"{name} is empty: not even the beginning of a checkpoint")
        magic = file.read(4)
        if magic[:2] != b"PK":
            raise RuntimeError(f"{name} is not a checkpoint: a checkpoint is a zip archive, which begins with b'PK', and this file begins "
                               f"with {magic!r}{_other_format(file, magic)}")
        try:
            self._zip = zipfile.ZipFile(file)
        except (zipfile.BadZipFile, ValueError, OSError, struct.error, NotImplementedError) as error:
            raise RuntimeError(f"{_FAILED} zip archive: failed finding central directory: {name} is truncated or damaged, its end is "
                               f"missing ({size} bytes; {error}); {_WAY_OUT}") from None
        self._entries, self.stem = self._directory()
        self._digests = self._read_digests()
        self._hasher = _hashing_threads()
        self._checks = []

    def _directory(self):
        roots = [e.filename[:-len("/data.pkl")] for e in self._zip.infolist() if e.filename.endswith("/data.pkl")]
        if len(roots) != 1:
            raise RuntimeError(f"{_FAILED} zip archive: {self._name} holds {len(roots)} files named data.pkl, and a checkpoint holds one")
        stem, entries = roots[0], {}
        for e in self._zip.infolist():
            if e.filename.startswith(f"{stem}/"):
                record = e.filename[len(stem) + 1:]
                if record in entries:
                    raise RuntimeError(f"{_FAILED} zip archive: {self._name} holds two files named {e.filename}")
                entries[record] = e
        if "constants.pkl" in entries:
            raise RuntimeError(f"{self._name} is a TorchScript archive, which holds code; only checkpoints can be loaded")
        return entries, stem

    def _read_digests(self):
        """{record: digest}, or None where torch wrote the file."""
        if CHECKSUMS not in self._entries:
            return None
        data = bytes(self._contents(CHECKSUMS))
        self._check_crc(CHECKSUMS, data)
        try:
            digests = {record: digest for digest, record in (line.split("  ", 1) for line in data.decode().splitlines())}
        except ValueError:
            raise self._altered(CHECKSUMS, "it is not a list of checksums") from None
        if digests.keys() != self._entries.keys() - {CHECKSUMS}:
            odd = sorted(digests.keys() ^ (self._entries.keys() - {CHECKSUMS}))
            raise RuntimeError(f"{self._name} was altered after it was written: its list of checksums and its records differ in "
                               f"{', '.join(odd)}; {_WAY_OUT}")
        return digests

    def __contains__(self, record):
        return record in self._entries

    def read(self, record):
        """The contents of a record, checked."""
        data = self._contents(record)
        self._check(record, data)
        return bytes(data)

    def size(self, record):
        """Bytes in a record.  RuntimeError when there is no such record."""
        entry = self._entries.get(record)
        if entry is None:
            raise RuntimeError(f"{_FAILED} file {record}: file not found: {self._name} does not hold it, although its data.pkl asks for it")
        return entry.file_size

    def read_array(self, record, dtype):
        """The contents of a record as a one-dimensional NumPy array in memory of its own, checked by the time `finish` returns."""
        out = np.empty(self.size(record) // dtype.itemsize, dtype)
        view = memoryview(out.view(np.uint8)) if out.size else memoryview(b"")
        if self._entries[record].compress_type == zipfile.ZIP_STORED and callable(getattr(self._file, "readinto", None)):
            self._file.seek(self._begin(record))
            filled = 0
            while filled < view.nbytes:
                n = self._file.readinto(view[filled:filled + (1 << 30)])
                if not n:
                    raise self._altered(record, f"it ends after {filled} of {view.nbytes} bytes")
                filled += n
        elif out.size:
            view[:] = self._contents(record)
        self._checks.append(self._hasher.submit(self._check, record, view))
        return out

    def map_array(self, record, dtype, memory):
        """A record as a one-dimensional NumPy array over the mapped file `memory`; not checked, as nothing of it is read now."""
        count, begin = self.size(record) // dtype.itemsize, self._begin(record)
        if self._entries[record].compress_type != zipfile.ZIP_STORED or begin % dtype.itemsize:
            return self.read_array(record, dtype)
        if begin + count * dtype.itemsize > len(memory):
            raise self._altered(record, "the file ends before it does")
        return np.frombuffer(memory, dtype, count, begin) if count else np.empty(0, dtype)

    def finish(self):
        """Wait until all arrays are checked.  RuntimeError for the first that is not what was written."""
        for check in self._checks:
            check.result()
        self._checks.clear()

    def close(self):
        """Let go of the threads; the file stays the caller's."""
        self._hasher.shutdown(cancel_futures=True)

    # -- private -------------------------------------------------------------------------------------------------------

    def _begin(self, record):
        """Where in the file a record's bytes begin."""
        entry = self._entries[record]
        try:
            self._file.seek(entry.header_offset)
            header = self._file.read(_LOCAL_HEADER)
        except (OSError, ValueError, OverflowError):
            header = b""
        if len(header) != _LOCAL_HEADER or header[:4] != b"PK\x03\x04":
            raise self._altered(record, "its header is damaged")
        name_size, extra_size = struct.unpack("<HH", header[26:30])
        return entry.header_offset + _LOCAL_HEADER + name_size + extra_size

    def _contents(self, record):
        size, entry = self.size(record), self._entries[record]
        if entry.compress_type == zipfile.ZIP_STORED:
            self._file.seek(self._begin(record))
            data = self._file.read(size)
            if len(data) != size:
                raise self._altered(record, f"it ends after {len(data)} of {size} bytes")
            return data
        try:
            return self._zip.read(entry)
        except (zipfile.BadZipFile, zlib.error, EOFError, NotImplementedError, RuntimeError) as error:
            raise self._altered(record, str(error)) from None

    def _check(self, record, data):
        if self._digests is None:
            self._check_crc(record, data)
        elif hashlib.sha256(data).hexdigest() != self._digests[record]:
            raise self._altered(record, "its SHA-256 is not the one that was written")

    def _check_crc(self, record, data):
        if zlib.crc32(data) != self._entries[record].CRC:
            raise self._altered(record, "its CRC-32 is not the one that was written")

    def _altered(self, record, how):
        return RuntimeError(f"{_FAILED} file {record}: {self._name} is truncated or was altered after it was written: {how}; "
                            f"{_WAY_OUT}")
