"""A file is replaced as a whole or not at all, whenever the process or the machine stops.

The new contents are written to a file beside the old one and reach the disk (fsync) before the name is moved to them (rename), and the move
reaches the disk too (fsync of the folder).  Where the system has files without a name (Linux: O_TMPFILE), the new file is one until it is
complete, so a killed process leaves nothing lying about.
"""
import contextlib
import os
import secrets
import stat

_NO_NAMELESS = getattr(os, "O_TMPFILE", None) is None


@contextlib.contextmanager
def replacing(path):
    """A binary file to write to; when the block ends well, it becomes `path`.  When it does not, `path` is what it was.

    A link is followed, an old file's permissions are kept, and what is not a regular file (a pipe, /dev/null) is written to directly.
    RuntimeError when the folder does not exist, PermissionError when the old file is write-protected.
    """
    target = os.path.realpath(path)
    folder, name = os.path.split(target)
    if not os.path.isdir(folder):
        raise RuntimeError(f"Parent directory {folder} does not exist; make it before saving to {os.fspath(path)!r}")
    old = _status(target)
    if old is not None and not stat.S_ISREG(old.st_mode):
        with open(target, "wb") as file:
            yield file
        return
    if old is not None and not os.access(target, os.W_OK):
        raise PermissionError(f"{target} is write-protected")
    temporary = os.path.join(folder, f".{name[:100]}.{os.getpid()}-{secrets.token_hex(4)}.tmp")
    descriptor, has_name = _open(folder, temporary)
    try:
        with os.fdopen(descriptor, "wb") as file:
            if old is not None and hasattr(os, "fchmod"):
                os.fchmod(file.fileno(), stat.S_IMODE(old.st_mode))
            yield file
            file.flush()
            os.fsync(file.fileno())
            if not has_name:
                _give_name(file.fileno(), folder, temporary)
                has_name = True
        os.replace(temporary, target)
    except BaseException:
        if has_name:
            with contextlib.suppress(OSError):
                os.unlink(temporary)
        raise
    _sync_folder(folder)


def _status(path):
    try:
        return os.stat(path)
    except FileNotFoundError:
        return None


def _open(folder, temporary):
    """(descriptor, whether it has the name `temporary`)"""
    if not _NO_NAMELESS:
        try:
            return os.open(folder, os.O_TMPFILE | os.O_RDWR | os.O_CLOEXEC, 0o666), False
        except OSError:  # this file system has no nameless files
            pass
    return os.open(temporary, os.O_CREAT | os.O_EXCL | os.O_RDWR | getattr(os, "O_CLOEXEC", 0) | getattr(os, "O_BINARY", 0), 0o666), True


def _give_name(descriptor, folder, temporary):
    at = os.open(folder, os.O_RDONLY)
    try:
        os.link(f"/proc/self/fd/{descriptor}", temporary, src_dir_fd=at, follow_symlinks=True)  # with a folder given, Python calls linkat
    finally:
        os.close(at)


def _sync_folder(folder):
    if not hasattr(os, "O_DIRECTORY"):  # Windows cannot
        return
    at = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(at)
    finally:
        os.close(at)
