"""python -m ringgrad.compat --check: what sources use of torch and ringgrad lacks, read and never run."""
import textwrap

import pytest

from ringgrad.compat._modules import resolve
from ringgrad.compat._scan import uses


def lines_of(result):
    code, out, _ = result
    return code, out.splitlines()


def test_each_missing_name_with_file_and_line(compat, tmp_path):
    (tmp_path / "sub").mkdir()
    (tmp_path / "sub" / "model.py").write_text(textwrap.dedent("""\
        import torch
        import torch.nn as nn
        from torch.nn import functional as F, Linaer
        raise SystemExit("this is not run")

        class Net(nn.Module):
            def forward(self, x):
                return F.relux(x) + torch.frobnicate(x.sparse_resize_(3)) + nn.Linear(2, 2)(x)
        """))
    code, lines = lines_of(compat("--check", "."))
    assert code == 1
    place = "./sub/model.py"
    assert [line.partition(" is not in ringgrad")[0] for line in lines] == [
        f"{place}:3: torch.nn.Linaer", f"{place}:8: torch.nn.functional.relux", f"{place}:8: torch.frobnicate",
        f"{place}:8: torch.Tensor.sparse_resize_"]
    assert "the nearest it has: torch.nn.Linear" in lines[0] and "torch.nn.functional.relu" in lines[1]


def test_a_program_that_lacks_nothing(compat, tmp_path):
    (tmp_path / "train.py").write_text("import torch\nfrom torch.utils.data import DataLoader\nx = torch.ones(2).sum().item()\nF = x\nF.anything\n")
    code, out, err = compat("--check", str(tmp_path / "train.py"))
    assert (code, out) == (0, "") and "1 files use 3 names of torch" in err


def test_what_has_another_way_is_listed_and_forgiven(compat, tmp_path):
    (tmp_path / "a.py").write_text("try:\n    from torch._zork import x\nexcept ImportError:\n    x = 1\n")
    code, lines = lines_of(compat("--check", "a.py"))
    assert code == 0 and lines == ["a.py:2: torch._zork is not in ringgrad (the program has another way)"]


def test_what_is_not_built_counts(compat, tmp_path):
    (tmp_path / "a.py").write_text("from torch.distributed.fsdp import fully_shard\n")
    code, lines = lines_of(compat("--check", "a.py"))
    assert code == 1 and "fully_shard is not built" in lines[0]


def test_sources_of_python_2_and_bad_arguments(compat, tmp_path):
    (tmp_path / "old.py").write_text("import torch\nprint 'x'\n")
    code, lines = lines_of(compat("--check", "old.py"))
    assert code == 1 and lines[0].startswith("old.py:2: not Python 3")
    assert compat("--check")[0] == 2
    assert "no file or folder absent" in compat("--check", "absent")[2]


@pytest.mark.parametrize(("source", "names"), [
    ("import torch", ["torch"]),
    ("import torch.nn.functional as F\nF.relu", ["torch.nn.functional", "torch.nn.functional.relu"]),
    ("import torch.nn\ntorch.nn.Linear", ["torch.nn", "torch.nn.Linear"]),
    ("from torch import nn as n\nn.init.zeros_", ["torch.nn", "torch.nn.init.zeros_"]),
    ("from torch.nn import *\nLinear(1)", ["torch.nn"]),
    ("import torch\nV = torch.autograd\nV.Variable", ["torch", "torch.autograd", "torch.autograd.Variable"]),
    ("import torch\nf = getattr(torch, 'relu')", ["torch", "torch.relu"]),
    ("import torch\nf = getattr(torch, 'zork', None)", ["torch"]),
    ("import torch\ndef f(torch):\n    return torch.zork", ["torch", "Tensor.zork"]),
    ("import torch.nn.functional as F\ndef f(x):\n    N, F = x\n    return F", ["torch.nn.functional"]),
    ("import numpy as np\nnp.zork", []),
    ("import torch\n[torch.ones(i) for i in (1,)]", ["torch", "torch.ones"]),
    ("from .torch import x", []),
    ("import torchvision.transforms as T\nT.Resize", ["torchvision.transforms", "torchvision.transforms.Resize"]),
])
def test_names_are_followed_through_the_source(source, names):
    assert [use.name for use in uses(source)[0]] == names


def test_guards():
    found, _ = uses("import torch\ntry:\n    torch.a\nexcept AttributeError:\n    torch.b\nif hasattr(torch, 'c'):\n    torch.c\n"
                    "try:\n    torch.d\nexcept ValueError:\n    pass\n")
    assert {use.name: use.guarded for use in found if use.name != "torch"} == {
        "torch.a": True, "torch.b": False, "torch.c": True, "torch.d": False}


def test_an_attribute_of_what_is_not_built_and_a_modules_own_dictionary(compat, tmp_path):
    (tmp_path / "a.py").write_text("import torch.fx\nimport torchvision.models as models\ntorch.fx.Graph.nodes\nmodels.__dict__['resnet18']\n")
    code, lines = lines_of(compat("--check", "a.py"))
    assert code == 1 and len(lines) == 1 and lines[0].startswith("a.py:3: torch.fx.Graph.nodes is not built")


def test_switches_of_modules_are_found():
    for name in ("torch.backends.cudnn.benchmark", "torch.backends.cudnn.deterministic"):
        assert resolve(name) in (True, False)
