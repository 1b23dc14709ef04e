"""Datasets, samplers and loaders: every row of loader_rows under ringgrad and under torch; and the names of torch.utils.data."""
import gc
import importlib
import inspect

import pytest

import ringgrad
import ringgrad.utils.data

from .loader_rows import ROWS
from .test_pipes import outcome

pytestmark = pytest.mark.torch
torch = pytest.importorskip("torch", reason="the oracle, torch, is not installed")

KIND_ONLY = {  # the type of the error is torch's, the words tell more
    "collate big int", "concat of nothing", "concat of streams", "stack of uneven", "lengths", "fractions that are too many",
    "timeout here", "a stream that is longer", "chain of lists",
}
MODULES = ["", "dataloader", "dataset", "sampler", "distributed", "graph", "graph_settings", "backward_compatibility", "_utils",
           "_utils.collate", "_utils.fetch", "datapipes", "datapipes.datapipe", "datapipes._decorator", "datapipes.iter", "datapipes.map",
           "datapipes.utils.common", "datapipes.utils.decoder", "datapipes.dataframe", "datapipes.dataframe.datapipes",
           "datapipes.dataframe.dataframe_wrapper", "datapipes.dataframe.structures"]
MODULES += [f"datapipes.{kind}.{name}" for kind, names in {
    "iter": ["callable", "combinatorics", "combining", "filelister", "fileopener", "grouping", "routeddecoder", "selecting", "sharding",
             "streamreader", "utils"], "map": ["callable", "combinatorics", "combining", "grouping", "utils"]}.items() for name in names]
MORE = {"DistributedSampler": {"exact"}}  # arguments that torch has not


@pytest.fixture(autouse=True)
def impatient(monkeypatch):
    """After an error torch's workers look every five seconds whether they are still needed; here more often."""
    monkeypatch.setattr(torch.utils.data._utils.worker, "MP_STATUS_CHECK_INTERVAL", 0.2)


@pytest.mark.parametrize("name", ROWS)
def test_equal_torch(name):
    (mine, said), (other, other_said) = (outcome(ROWS[name], lib) for lib in (ringgrad, torch))
    if "rror" in name:
        gc.collect()  # an exception that torch raises again holds its own frame, and that the workers
    if name in KIND_ONLY and mine[0] == "error":
        mine, other = mine[:2], other[:2]
    assert mine == other
    assert [kind for kind, _ in said] == [kind for kind, _ in other_said]


def shape(f):
    """The arguments of a function: (name, kind, default)."""
    try:
        return [(p.name, p.kind, p.default) for p in inspect.signature(f).parameters.values()]
    except (ValueError, TypeError):
        return None


def spelled(default):
    """A default by its name, where it is a function, class or generator."""
    return getattr(default, "__name__", None) or ("None" if isinstance(default, torch.Generator) else repr(default).replace("torch", "ringgrad"))


@pytest.mark.parametrize("module", MODULES, ids=lambda m: m or "data")
def test_names_and_arguments(module):
    mine, theirs = (importlib.import_module(f"{lib}.utils.data.{module}".rstrip(".")) for lib in ("ringgrad", "torch"))
    names = {n for n, v in vars(theirs).items() if not n.startswith("_") and getattr(v, "__module__", None) == theirs.__name__}
    lost, differ = [], []
    for name in sorted(names | set(getattr(theirs, "__all__", []))):
        if not hasattr(mine, name):
            lost.append(name)
            continue
        other = getattr(theirs, name)
        if callable(other) and shape(other) is not None:
            got = [(n, k, spelled(d)) for n, k, d in shape(getattr(mine, name)) or [] if n not in MORE.get(name, ())]
            if got != [(n, k, spelled(d)) for n, k, d in shape(other)]:
                differ.append((name, got, shape(other)))
    assert not lost and not differ


def test_what_is_exported():
    assert sorted(ringgrad.utils.data.__all__) == sorted(torch.utils.data.__all__)
    for kind in ("IterDataPipe", "MapDataPipe"):
        assert getattr(ringgrad.utils.data, kind).functions.keys() == getattr(torch.utils.data, kind).functions.keys()
