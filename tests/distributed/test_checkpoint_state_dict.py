"""State dicts by the model's own names: the same as torch's for a plain model, and across DistributedDataParallel."""
import os
import subprocess
import sys
import textwrap

import pytest

import ringgrad as torch
import ringgrad.distributed as dist
from ringgrad import nn
from ringgrad.distributed.checkpoint.state_dict import (
    StateDictOptions,
    get_model_state_dict,
    get_optimizer_state_dict,
    get_state_dict,
    set_model_state_dict,
    set_state_dict,
)
from ringgrad.nn.parallel import DistributedDataParallel

SCRIPT = """
    import copy, torch
    from torch.distributed.checkpoint.state_dict import *
    from torch.distributed.checkpoint.state_dict import StateDictOptions, _init_optim_state

    def make(seed, kind):
        model = torch.nn.Sequential(torch.nn.BatchNorm1d(2), torch.nn.Linear(2, 2))
        with torch.no_grad():
            for i, p in enumerate(model.parameters()):
                p.copy_(torch.linspace(-1, seed + 1, p.numel()).view_as(p))
        groups = [{"params": list(model[0].parameters()), "lr": 0.01 + seed / 100}, {"params": list(model[1].parameters()), "lr": 0.02 + seed / 100}]
        return model, kind(groups)

    for kind in (torch.optim.Adam, lambda g: torch.optim.SGD(g, momentum=0.9)):
        for flat in (False, True):
            model, optimizer = make(0, kind)
            model(torch.arange(6.).view(3, 2)).pow(2).sum().backward()
            optimizer.step()
            options = StateDictOptions(flatten_optimizer_state_dict=flat)
            m, o = copy.deepcopy(get_state_dict(model, optimizer, options=options))
            print(list(m), sorted(o), sorted(o["state"]) if not flat else len(o))
            other, second = make(1, kind)
            print(set_state_dict(other, second, model_state_dict=m, optim_state_dict=o, options=options), [g["lr"] for g in second.param_groups])
            for mod, opt in ((model, optimizer), (other, second)):
                opt.zero_grad()
                mod(torch.arange(6.).view(3, 2)).pow(2).sum().backward()
                opt.step()
                print([[round(v, 2) + 0.0 for v in p.flatten().tolist()] for p in mod.parameters()])
    model, optimizer = make(0, torch.optim.Adam)
    before = [p.tolist() for p in model.parameters()]
    _init_optim_state(optimizer)
    print(len(optimizer.state), before == [p.tolist() for p in model.parameters()], [g["lr"] for g in optimizer.param_groups])
    model[0].weight.requires_grad_(False)
    print(list(get_model_state_dict(model, options=StateDictOptions(ignore_frozen_params=True))))
    try:
        get_model_state_dict(model, options=StateDictOptions(broadcast_from_rank0=True))
    except ValueError as e:
        print(e)
"""


@pytest.mark.torch
def test_a_plain_model_as_under_torch(tmp_path):
    pytest.importorskip("torch", reason="PyTorch is not installed: make oracle")
    (tmp_path / "s.py").write_text(textwrap.dedent(SCRIPT))
    environment = {k: v for k, v in os.environ.items() if k != "PYTHONPATH"} | {"OMP_NUM_THREADS": "1"}
    printed = [subprocess.run([sys.executable, "-W", "ignore", *through, "s.py"], cwd=tmp_path, env=environment, text=True, capture_output=True,
                              timeout=120) for through in (["-m", "ringgrad.compat"], [])]
    assert printed[1].returncode == 0, printed[1].stderr
    assert printed[0].stdout == printed[1].stdout, printed[0].stderr


def trained(seed):
    model = nn.Linear(2, 1)
    with torch.no_grad():
        model.weight.fill_(seed)
    wrapped = DistributedDataParallel(model) if dist.is_initialized() else model
    optimizer = torch.optim.Adam(wrapped.parameters(), lr=0.1)
    wrapped(torch.ones(3, 2)).sum().backward()
    optimizer.step()
    return wrapped, optimizer


def test_from_a_wrapped_model_to_a_plain_one():
    def rank():
        model, optimizer = trained(1.0)
        return get_state_dict(model, optimizer)

    for values, states in dist.spawn_local(rank, 2):
        assert sorted(values) == ["bias", "weight"] and sorted(states["state"]) == ["bias", "weight"]
        plain, second = trained(5.0)
        assert set_state_dict(plain, second, model_state_dict=values, optim_state_dict=states) == ([], [])
        assert torch.equal(plain.weight, values["weight"])


def test_rank_0_has_it_and_everybody_gets_it():
    whole = StateDictOptions(full_state_dict=True, cpu_offload=True)

    def rank():
        model, optimizer = trained(1.0)
        values, states = get_model_state_dict(model, options=whole), get_optimizer_state_dict(model, optimizer, options=whole)
        empty = values == {} and states == {}
        values = {name: value.clone() for name, value in values.items()}
        with torch.no_grad():
            model.module.weight.fill_(9.0)
        set_model_state_dict(model, values, options=StateDictOptions(full_state_dict=True, broadcast_from_rank0=True))
        return empty, bool((model.module.weight < 2).all())

    assert dist.spawn_local(rank, 2) == [(False, True), (True, True)]
