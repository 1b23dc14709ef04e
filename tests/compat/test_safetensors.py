"""The safetensors library's own functions for torch, in a program that runs under compat."""
import subprocess
import sys
import textwrap

import pytest

pytest.importorskip("safetensors", reason="safetensors, an optional library, is not installed")

PROGRAM = """
    import sys, torch
    from safetensors import safe_open
    from safetensors.torch import load, load_file, load_model, save, save_file, save_model
    path = sys.argv[1]
    model = torch.nn.Sequential(torch.nn.Embedding(5, 3), torch.nn.Linear(3, 5, bias=False))
    model[1].weight = model[0].weight
    state = {"w": model[0].weight.detach(), "h": torch.arange(6).reshape(2, 3).to(torch.bfloat16), "n": torch.tensor(3)}
    save_file(state, path, metadata={"step": "1"})
    for got in (load_file(path), load(save(state))):
        assert got.keys() == state.keys() and all(torch.equal(got[k], v) and got[k].dtype == v.dtype for k, v in state.items())
    with safe_open(path, "pt") as f:
        assert f.metadata() == {"step": "1"} and f.get_slice("w")[1:3].tolist() == state["w"][1:3].tolist()
    save_model(model, path)
    other = torch.nn.Sequential(torch.nn.Embedding(5, 3), torch.nn.Linear(3, 5, bias=False))
    other[1].weight = other[0].weight
    assert load_model(other, path) == (set(), []) and torch.equal(other[1].weight, model[0].weight)
    print(torch.__version__)
"""


def test_its_functions_for_torch(tmp_path):
    (tmp_path / "program.py").write_text(textwrap.dedent(PROGRAM))
    command = [sys.executable, "-m", "ringgrad.compat", str(tmp_path / "program.py"), str(tmp_path / "x.safetensors")]
    done = subprocess.run(command, capture_output=True, text=True, timeout=120)
    assert done.returncode == 0 and done.stdout.endswith("+ringgrad\n"), done.stderr
