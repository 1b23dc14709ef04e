"""Checks of functions, files of a folder, and streams that close themselves."""
import fnmatch
import functools
import importlib.util
import inspect
import os
import warnings
from collections.abc import Iterable
from io import IOBase

__all__ = ["StreamWrapper", "get_file_binaries_from_pathnames", "get_file_pathnames_from_root", "match_masks", "validate_input_col",
           "validate_pathname_binary_tuple"]

DILL_AVAILABLE = importlib.util.find_spec("dill") is not None
_DEEPEST = 10  # containers in containers, in which streams are looked for


def validate_input_col(fn, input_col):
    """ValueError unless `fn` can be called with as many positional arguments as `input_col` has entries (one, unless it is a list or
    tuple)."""
    try:
        parameters = list(inspect.signature(fn).parameters.values())
    except ValueError:  # a function without a signature, written in C
        return
    given = len(input_col) if isinstance(input_col, (list, tuple)) else 1
    inner = fn.func if isinstance(fn, functools.partial) else fn
    name = getattr(inner, "__name__", repr(inner))
    any_number = any(p.kind is p.VAR_POSITIONAL for p in parameters)
    positional = [p for p in parameters if p.kind in (p.POSITIONAL_ONLY, p.POSITIONAL_OR_KEYWORD)]
    by_name = [p for p in parameters if p.kind is p.KEYWORD_ONLY and p.default is p.empty]
    if by_name:
        raise ValueError(f"The function {name} takes {len(by_name)} non-default keyword-only parameters, which is not allowed.")
    if len(parameters) < given and not any_number:
        raise ValueError(f"The function {name} takes {len(parameters)} parameters, but {given} are required.")
    if len(parameters) >= given and (any(p.default is p.empty for p in positional[given:]) or (len(positional) < given and not any_number)):
        raise ValueError(f"The function {name} takes {len(positional)} positional parameters, but {given} are required.")


def _is_local_fn(fn):
    if hasattr(fn, "__code__"):
        return bool(fn.__code__.co_flags & inspect.CO_NESTED)
    return "<locals>" in getattr(fn if hasattr(fn, "__qualname__") else type(fn), "__qualname__", "")


def _check_unpickable_fn(fn):
    """TypeError for what cannot be called; a warning for a function that pickle cannot send to a worker."""
    if not callable(fn):
        raise TypeError(f"A callable function is expected, but {type(fn)} is provided.")
    if isinstance(fn, functools.partial):
        fn = fn.func
    if (_is_local_fn(fn) or getattr(fn, "__name__", None) == "<lambda>") and not DILL_AVAILABLE:
        warnings.warn("Local function is not supported by pickle, please use regular python function or functools.partial instead."
                      if _is_local_fn(fn) else
                      "Lambda function is not supported by pickle, please use regular python function or functools.partial instead.",
                      stacklevel=3)


def match_masks(name, masks):
    """Whether a file name fits a Unix pattern, or one of several; no pattern fits every name."""
    if not masks:
        return True
    return any(fnmatch.fnmatch(name, mask) for mask in ([masks] if isinstance(masks, str) else masks))


def get_file_pathnames_from_root(root, masks, recursive=False, abspath=False, non_deterministic=False):
    """The paths of the files in folder `root` (or that one file) whose names fit `masks`, sorted in each folder unless
    `non_deterministic`.  OSError, after a warning, for a folder that cannot be read."""
    def onerror(error):
        warnings.warn(f"{error.filename} : {error.strerror}", stacklevel=2)
        raise error

    if os.path.isfile(root):
        path = os.path.abspath(root) if abspath else root
        if match_masks(os.path.basename(path), masks):
            yield path
        return
    for path, folders, names in os.walk(root, onerror=onerror):
        if not non_deterministic:
            names.sort()
            folders.sort()  # os.walk goes down in this order
        for name in names:
            if match_masks(name, masks):
                yield os.path.join(os.path.abspath(path) if abspath else path, name)
        if not recursive:
            return


def get_file_binaries_from_pathnames(pathnames, mode, encoding=None):
    """(path, opened file) of each path.  mode: as in `open`; "b" and "t" mean "rb" and "rt".  TypeError for a path that is no str."""
    mode = f"r{mode}" if mode in ("b", "t") else mode
    for pathname in pathnames if isinstance(pathnames, Iterable) else [pathnames]:
        if not isinstance(pathname, str):
            raise TypeError(f"Expected string type for pathname, but got {type(pathname)}")
        yield pathname, StreamWrapper(open(pathname, mode, encoding=encoding))  # noqa: SIM115 - the wrapper closes it


def validate_pathname_binary_tuple(data):
    """TypeError unless `data` is a tuple (path, stream)."""
    if not isinstance(data, tuple):
        raise TypeError(f"pathname binary data should be tuple type, but it is type {type(data)}")
    if len(data) != 2:
        raise TypeError(f"pathname binary stream tuple length should be 2, but got {len(data)}")
    if not isinstance(data[0], str):
        raise TypeError(f"pathname within the tuple should have string type pathname, but it is type {type(data[0])}")
    if not isinstance(data[1], (IOBase, StreamWrapper)):
        raise TypeError(f"binary stream within the tuple should have IOBase or its subclasses as type, but it is type {type(data[1])}")


def _deprecation_warning(old_class_name, *, deprecation_version, removal_version, old_functional_name):
    warnings.warn(f"`{old_class_name}()` and its functional API `.{old_functional_name}()` are deprecated since {deprecation_version} and will "
                  f"be removed in {removal_version}.\nSee https://github.com/pytorch/data/issues/163 for details.",
                  FutureWarning, stacklevel=3)


class StreamWrapper:
    """A file object that is closed when nobody holds it any more.

    parent_stream: the archive that it was opened from, which counts its children;  name: for its text.
    `debug_unclosed_streams` keeps the open ones in `session_streams`.
    """

    session_streams = {}
    debug_unclosed_streams = False

    def __init__(self, file_obj, parent_stream=None, name=None):
        self.closed = True  # until it is complete, there is nothing to close
        if parent_stream is not None and not isinstance(parent_stream, StreamWrapper):
            raise RuntimeError(f"Parent stream should be StreamWrapper, {type(parent_stream)} was given")
        self.file_obj, self.parent_stream, self.name = file_obj, parent_stream, name
        self.child_counter, self.close_on_last_child, self.closed = 0, False, False
        if parent_stream is not None:
            parent_stream.child_counter += 1
        if StreamWrapper.debug_unclosed_streams:
            StreamWrapper.session_streams[self] = 1

    @classmethod
    def close_streams(cls, v, depth=0):
        """Close the StreamWrappers in a dict, list or tuple, and in those inside it."""
        if depth > _DEEPEST:
            return
        if isinstance(v, StreamWrapper):
            v.close()
        elif isinstance(v, (dict, list, tuple)):
            for inner in v.values() if isinstance(v, dict) else v:
                cls.close_streams(inner, depth + 1)

    def __getattr__(self, name):
        return getattr(self.__dict__["file_obj"], name)

    def close(self, *args, **kwargs):
        """Close the file, and its parent when that was waiting for its last child."""
        if self.closed:
            return
        self.closed = True
        StreamWrapper.session_streams.pop(self, None)
        parent = self.__dict__.get("parent_stream")
        if parent is not None:
            parent.child_counter -= 1
            if not parent.child_counter and parent.close_on_last_child:
                parent.close()
        if hasattr(self.file_obj, "close"):
            self.file_obj.close(*args, **kwargs)

    def autoclose(self):
        """Close when the last child is closed; now, where there is none."""
        self.close_on_last_child = True
        if not self.child_counter:
            self.close()

    def __dir__(self):
        return sorted({*self.__dict__, *StreamWrapper.__dict__, *dir(self.file_obj)})

    def __del__(self):
        if not self.__dict__.get("closed", True):
            self.close()

    def __iter__(self):
        yield from self.file_obj

    def __next__(self):
        return next(self.file_obj)

    def __repr__(self):
        return f"StreamWrapper<{self.file_obj!r}>" if self.name is None else f"StreamWrapper<{self.name},{self.file_obj!r}>"

    def __getstate__(self):
        return self.file_obj

    def __setstate__(self, obj):
        StreamWrapper.__init__(self, obj)
