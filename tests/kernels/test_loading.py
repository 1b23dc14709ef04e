"""NVIDIA's libraries are opened where cuda-pathfinder finds them, and after those that they open by themselves."""
import ctypes.util
import sys
import types

import pytest

from ringgrad._libraries import loading


@pytest.mark.parametrize(("name", "order"), [("cudnn", ["nvrtc", "cublasLt", "cudnn"]), ("cublasLt", ["cublasLt"])])
@pytest.mark.parametrize("missing", [(), ("nvrtc", "cublasLt")])
def test_what_a_library_opens_is_opened_before_it(name, order, missing, monkeypatch):
    asked = []

    def load(library):
        asked.append(library)
        if library in missing and library != name:
            raise RuntimeError(f"no {library}")
        return types.SimpleNamespace(abs_path=ctypes.util.find_library("m"))
    monkeypatch.setitem(sys.modules, "cuda.pathfinder", types.SimpleNamespace(load_nvidia_dynamic_lib=load))
    assert isinstance(loading._by_pathfinder(name), ctypes.CDLL)
    assert asked == order


def test_what_nobody_finds_is_told():
    opened, why = loading.open_library.__wrapped__("cudnn") if loading.open_library("cudnn")[0] is None else (None, "libcudnn.so.9")
    assert opened is None and "libcudnn.so.9" in why
