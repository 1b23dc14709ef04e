"""Fetching, checking and unpacking files of data sets."""
import bz2
import gzip
import hashlib
import lzma
import os
import shutil
import tarfile
import urllib.error
import urllib.request
import zipfile

from ..._serialization.atomic import replacing

__all__ = ["calculate_md5", "check_integrity", "check_md5", "download_and_extract_archive", "download_url", "extract_archive", "list_dir",
           "list_files", "verify_str_arg"]

_BLOCK = 1 << 20
_OPENERS = {".gz": gzip.open, ".bz2": bz2.open, ".xz": lzma.open}
_SHORT = {".tgz": (".tar", ".gz"), ".tbz": (".tar", ".bz2"), ".tbz2": (".tar", ".bz2"), ".txz": (".tar", ".xz")}


def calculate_md5(fpath, chunk_size=_BLOCK):
    """The MD5 digest of a file, in hexadecimal digits: against damage, not against malice."""
    digest = hashlib.md5(usedforsecurity=False)
    with open(fpath, "rb") as file:
        while block := file.read(chunk_size):
            digest.update(block)
    return digest.hexdigest()


def check_md5(fpath, md5, **kwargs):
    """Whether a file has this digest."""
    return md5 == calculate_md5(fpath, **kwargs)


def check_integrity(fpath, md5=None):
    """Whether a file is there and, unless md5 is None, whole."""
    return os.path.isfile(fpath) and (md5 is None or check_md5(fpath, md5))


def download_url(url, root, filename=None, md5=None, max_redirect_hops=3):
    """Fetch a URL into the folder `root`, unless the file is there and whole.

    The file appears when all of it has arrived.  RuntimeError when its digest is not `md5`;  urllib.error.URLError when it cannot be had.
    """
    root = os.path.expanduser(root)
    name = filename or os.path.basename(url)
    path = os.fspath(os.path.join(root, name))
    os.makedirs(root, exist_ok=True)
    if check_integrity(path, md5):
        return
    digest = hashlib.md5(usedforsecurity=False)
    with urllib.request.urlopen(urllib.request.Request(url, headers={"User-Agent": "ringgrad"})) as response, replacing(path) as file:
        while block := response.read(_BLOCK):
            digest.update(block)
            file.write(block)
        expected = response.headers.get("Content-Length")
        if expected is not None and file.tell() != int(expected):
            raise urllib.error.URLError(f"{url} ended after {file.tell()} of {expected} bytes")
        if md5 is not None and digest.hexdigest() != md5:
            raise RuntimeError(f"File not found or corrupted: {url} has MD5 {digest.hexdigest()}, and {md5} was expected")


def extract_archive(from_path, to_path=None, remove_finished=False):
    """Unpack a tar or zip archive, or a single file packed by gzip, bzip2 or xz, next to it or into the folder `to_path`.

    Returns the path of the file, or the folder.  Members that would leave the folder are refused.  RuntimeError for other endings.
    """
    from_path = os.fspath(from_path)
    to_path = os.path.dirname(from_path) if to_path is None else os.fspath(to_path)
    stem, ending = os.path.splitext(os.path.basename(from_path))
    ends = list(_SHORT.get(ending, (ending,)))
    if ends == [ending] and ending in _OPENERS and stem.endswith(".tar"):
        ends = [".tar", ending]
    if ends[0] == ".tar":
        with tarfile.open(from_path) as archive:
            archive.extractall(to_path, filter="data")
        result = to_path
    elif ends == [".zip"]:
        with zipfile.ZipFile(from_path) as archive:
            archive.extractall(to_path)
        result = to_path
    elif ending in _OPENERS:
        result = os.path.join(to_path, stem)
        with _OPENERS[ending](from_path) as source, replacing(result) as target:
            shutil.copyfileobj(source, target, _BLOCK)
    else:
        known = ", ".join(sorted([".tar", ".zip", *_OPENERS, *_SHORT]))
        raise RuntimeError(f"Unknown compression or archive type: '{ending}'.\nKnown suffixes are: '{known}'.")
    if remove_finished:
        os.remove(from_path)
    return result


def download_and_extract_archive(url, download_root, extract_root=None, filename=None, md5=None, remove_finished=False):
    """`download_url`, then `extract_archive`."""
    download_root = os.path.expanduser(download_root)
    name = filename or os.path.basename(url)
    download_url(url, download_root, name, md5)
    extract_archive(os.path.join(download_root, name), download_root if extract_root is None else extract_root, remove_finished)


def list_dir(root, prefix=False):
    """The names (with prefix: the paths) of the folders in a folder."""
    return _listed(root, prefix, os.path.isdir)


def list_files(root, suffix, prefix=False):
    """The names (with prefix: the paths) of the files in a folder that end in `suffix`, a string or a tuple of them."""
    return _listed(root, prefix, lambda path: os.path.isfile(path) and path.endswith(suffix))


def _listed(root, prefix, wanted):
    root = os.path.expanduser(root)
    paths = [os.path.join(root, name) for name in os.listdir(root)]
    return [path if prefix else os.path.basename(path) for path in paths if wanted(path)]


def verify_str_arg(value, arg=None, valid_values=None, custom_msg=None):
    """`value`, if it is text and one of the valid values; ValueError otherwise."""
    if not isinstance(value, str):
        of = f" for argument {arg}" if arg is not None else ""
        raise ValueError(f"Expected type str{of}, but got type {type(value)}.")
    if valid_values is not None and value not in valid_values:
        choices = "', '".join(map(str, valid_values))
        raise ValueError(custom_msg or f"Unknown value '{value}' for argument {arg}. Valid values are {{'{choices}'}}.")
    return value
