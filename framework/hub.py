"""torch.hub for local folders, and for weight files that are on this machine or can be fetched by their address.

`load(..., source="local")` runs the entry points of a folder's hubconf.py.  No code is fetched: source="github" uses a repository that is in
the hub folder already, and says so when it is not there.
"""
import errno
import hashlib
import importlib.util
import os
import re
import shutil
import sys
import tempfile
import urllib.parse
import urllib.request
import zipfile
from contextlib import contextmanager
from urllib.parse import urlparse  # noqa: F401 - programs take it from here, as from torch.hub

from .serialization import load as load_file

__all__ = ["download_url_to_file", "get_dir", "help", "list", "load", "load_state_dict_from_url", "set_dir"]

HASH_REGEX = re.compile(r"-([a-f0-9]*)\.")
_BLOCK = 1 << 17
_dir = None


def _get_torch_home():
    """TORCH_HOME, else torch/ in XDG_CACHE_HOME, else ~/.cache/torch."""
    cache = os.getenv("XDG_CACHE_HOME", "~/.cache")
    return os.path.expanduser(os.getenv("TORCH_HOME", os.path.join(cache, "torch")))


def get_dir():
    """The folder of repositories and, below checkpoints/, of weight files: `set_dir`'s, else hub/ in TORCH_HOME."""
    return _dir if _dir is not None else os.path.join(_get_torch_home(), "hub")


def set_dir(d):
    """Use the folder `d`."""
    global _dir
    _dir = os.path.expanduser(d)


# Entry points


def list(github, force_reload=False, skip_validation=False, trust_repo=None, verbose=True, source="local"):  # noqa: A001 - torch's name
    """The names of the entry points in a repository's hubconf.py."""
    with _hubconf(_folder(github, source)) as module:
        return [name for name in dir(module) if callable(getattr(module, name)) and not name.startswith("_")]


def help(github, model, force_reload=False, skip_validation=False, trust_repo=None, source="github"):  # noqa: A001 - torch's name
    """The docstring of an entry point."""
    with _hubconf(_folder(github, source)) as module:
        return _entry(module, model).__doc__


def load(repo_or_dir, model, *args, source="github", trust_repo=None, force_reload=False, verbose=True, skip_validation=False, **kwargs):
    """Call the entry point `model` of the repository's hubconf.py with args and kwargs.  This runs the repository's code.

    source: "local", `repo_or_dir` is a folder with a hubconf.py; "github", it is owner/name[:ref], which must lie in `get_dir()` already.
    """
    with _hubconf(_folder(repo_or_dir, source)) as module:
        return _entry(module, model)(*args, **kwargs)


def _folder(repo, source):
    source = source.lower()
    if source not in ("github", "local"):
        raise ValueError(f'Unknown source: "{source}". Allowed values: "github" | "local".')
    if source == "local" or os.path.isdir(repo):
        return repo
    name = re.sub(r"[:/]", "_", repo)
    found = [os.path.join(get_dir(), f) for f in (name, f"{name}_main", f"{name}_master") if os.path.isdir(os.path.join(get_dir(), f))]
    if not found:
        raise RuntimeError(f"{repo} is not in {get_dir()}, and ringgrad fetches no code: get the repository yourself and pass its folder with "
                           "source='local'")
    return found[0]


@contextmanager
def _hubconf(folder):
    """The module hubconf.py of a folder, with the folder on sys.path as long as it is used."""
    path = os.path.join(folder, "hubconf.py")
    if not os.path.isfile(path):
        raise FileNotFoundError(errno.ENOENT, "there is no hubconf.py", path)
    sys.path.insert(0, folder)
    try:
        spec = importlib.util.spec_from_file_location("hubconf", path)
        module = importlib.util.module_from_spec(spec)
        spec.loader.exec_module(module)
        missing = [name for name in getattr(module, "dependencies", []) if importlib.util.find_spec(name) is None]
        if missing:
            raise RuntimeError(f"Missing dependencies: {', '.join(missing)}")
        yield module
    finally:
        sys.path.remove(folder)


def _entry(module, name):
    if not isinstance(name, str):
        raise ValueError("Invalid input: model should be a string of function name")
    function = getattr(module, name, None)
    if not callable(function):
        raise RuntimeError(f"Cannot find callable {name} in hubconf")
    return function


# Weight files


def download_url_to_file(url, dst, hash_prefix=None, progress=True):
    """Fetch `url` (file:// too) to the path `dst`, which appears when it is complete and its SHA-256 begins with `hash_prefix`.

    RuntimeError for another hash, and OSError when it cannot be fetched; then there is no file.
    """
    dst = os.path.expanduser(dst)
    digest = hashlib.sha256()
    handle, part = tempfile.mkstemp(dir=os.path.dirname(os.path.abspath(dst)), suffix=".partial")
    try:
        request = urllib.request.Request(url, headers={"User-Agent": "ringgrad"})
        with os.fdopen(handle, "wb") as file, urllib.request.urlopen(request) as source:
            while block := source.read(_BLOCK):
                file.write(block)
                digest.update(block)
        if hash_prefix and digest.hexdigest()[:len(hash_prefix)] != hash_prefix:
            raise RuntimeError(f'invalid hash value (expected "{hash_prefix}", got "{digest.hexdigest()}")')
        shutil.move(part, dst)
    finally:
        if os.path.exists(part):
            os.remove(part)


def load_state_dict_from_url(url, model_dir=None, map_location=None, progress=True, check_hash=False, file_name=None, weights_only=True):
    """`load` of the file at `url`, which is kept in `model_dir` (default checkpoints/ in `get_dir()`) and fetched only once.

    check_hash: the file name must end in -<first digits of its SHA-256>, and they must be right.  A zip file with one file in it is unpacked.
    weights_only: False lets the file run any code it likes (torch's default); data only unless asked for.
    """
    folder = model_dir if model_dir is not None else os.path.join(get_dir(), "checkpoints")
    os.makedirs(folder, exist_ok=True)
    name = file_name or os.path.basename(urllib.parse.urlparse(url).path)
    path = os.path.join(folder, name)
    if not os.path.exists(path):
        sys.stderr.write(f'Downloading: "{url}" to {path}\n')
        match = HASH_REGEX.search(name) if check_hash else None
        download_url_to_file(url, path, match[1] if match else None, progress)
    if _is_packed(path):
        path = _unpacked(path, folder)
    return load_file(path, map_location=map_location, weights_only=weights_only)


def _is_packed(path):
    """Whether a zip file holds a file of weights, instead of being one."""
    if not zipfile.is_zipfile(path):
        return False
    with zipfile.ZipFile(path) as archive:
        return len(archive.infolist()) == 1


def _unpacked(path, folder):
    with zipfile.ZipFile(path) as archive:
        member = archive.infolist()[0]
        target = os.path.join(folder, os.path.basename(member.filename))
        with archive.open(member) as source, open(target, "wb") as file:
            shutil.copyfileobj(source, file)
    return target


def _is_legacy_zip_format(path):
    return _is_packed(path)
