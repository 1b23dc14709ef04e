"""Data pipes in a DataLoader: shares of workers and ranks, seeds, shuffling."""
import subprocess
import sys
import textwrap

import pytest

import ringgrad
from ringgrad.utils.data import DataLoader, IterDataPipe, get_worker_info
from ringgrad.utils.data.datapipes.iter import IterableWrapper
from ringgrad.utils.data.datapipes.map import SequenceWrapper

TIMEOUT_S = 120


def twice(x):
    return 2 * x


def worker_of(x):
    return (x, get_worker_info().id)


def load(pipe, workers=0, **kwargs):
    return [x for b in loader(pipe, workers, **kwargs) for x in b.tolist()]


def loader(pipe, workers=0, **kwargs):
    return DataLoader(pipe, num_workers=workers, **({"multiprocessing_context": "fork"} if workers else {}), **kwargs)


@pytest.mark.parametrize("workers", [0, 1, 2])
def test_every_element_once(workers):
    pipe = IterableWrapper(range(20)).sharding_filter().map(twice)
    assert sorted(load(pipe, workers, batch_size=3)) == list(range(0, 40, 2))
    assert load(pipe, workers, batch_size=3) == load(pipe, workers, batch_size=3)


def test_without_a_sharding_filter_each_worker_reads_everything():
    assert sorted(load(IterableWrapper(range(5)), 2)) == sorted([*range(5)] * 2)


def test_shares_go_round():
    pairs = [tuple(x) for x in loader(IterableWrapper(range(7)).sharding_filter().map(worker_of), 2, batch_size=None)]
    assert sorted(pairs) == [(i, i % 2) for i in range(7)]


@pytest.mark.parametrize("workers", [0, 2])
def test_a_shuffle_is_the_same_after_the_same_seed_and_another_in_each_pass(workers):
    def passes(seed, **kwargs):
        source = loader(IterableWrapper(range(40)).shuffle().sharding_filter(), workers, batch_size=4,
                        generator=ringgrad.Generator().manual_seed(seed), **kwargs)
        return [[x for b in source for x in b.tolist()] for _ in range(3)]
    first = passes(1)
    assert all(sorted(order) == list(range(40)) for order in first) and len({tuple(order) for order in first}) == 3
    assert passes(1) == first and passes(2) != first
    if workers:
        lasting = passes(1, persistent_workers=True)
        assert all(sorted(order) == list(range(40)) for order in lasting) and len({tuple(order) for order in lasting}) == 3


@pytest.mark.parametrize("workers", [0, 2])
def test_shuffle_says_whether(workers):
    pipe = IterableWrapper(range(40)).shuffle().sharding_filter()
    assert load(pipe, workers, shuffle=False, batch_size=1) == list(range(40))
    assert load(pipe, workers, shuffle=True, batch_size=1) != list(range(40))


def test_shuffle_puts_a_shuffler_where_there_is_none():
    with pytest.warns(UserWarning, match="does not contain a `Shuffler`. Adding one at the end"):
        source = loader(IterableWrapper(range(40)), shuffle=True)
    order = [x.item() for x in source]
    assert sorted(order) == list(range(40)) != order


def test_a_map_pipe_has_a_sampler():
    pipe = SequenceWrapper(range(9)).map(twice)
    assert load(pipe, batch_size=4) == load(pipe, 2, batch_size=4) == list(range(0, 18, 2))
    assert sorted(load(pipe, shuffle=True)) == list(range(0, 18, 2)) and len(DataLoader(pipe, batch_size=4)) == 3


def test_forks_in_a_worker():
    a, b = IterableWrapper(range(9)).sharding_filter().fork(2)
    assert sorted(load(a.zip(b.map(twice)).map(sum), 2)) == [3 * i for i in range(9)]


def test_lengths():
    assert len(DataLoader(IterableWrapper(range(9)).map(twice), batch_size=2)) == 5
    with pytest.raises(TypeError, match="doesn't have valid length"):
        len(DataLoader(IterableWrapper(range(9)).filter(bool), batch_size=2))


def test_an_error_names_pipe_and_worker():
    with pytest.raises(ZeroDivisionError, match=r"Caught ZeroDivisionError in DataLoader worker process 0.(.|\n)*thrown by __iter__ of Mapper"):
        load(IterableWrapper([0]).map(divided), 1)


def divided(x):
    return 1 / x


def test_a_pipe_of_ones_own_with_worker_init_fn():
    assert sorted(loader(Own(), 2, batch_size=None, worker_init_fn=start_at)) == [0, 1, 100, 101]


class Own(IterDataPipe):
    start = 0

    def __iter__(self):
        yield from (self.start, self.start + 1)


def start_at(worker):
    get_worker_info().dataset._datapipe.start = 100 * worker


@pytest.mark.parametrize("method", ["spawn", "forkserver"])
def test_a_pipe_reaches_workers_that_are_not_forked(tmp_path, method):
    (tmp_path / "script.py").write_text(textwrap.dedent(f"""
        from ringgrad.utils.data import DataLoader
        from ringgrad.utils.data.datapipes.iter import IterableWrapper

        def twice(x):
            return 2 * x

        if __name__ == "__main__":
            pipe = IterableWrapper(range(6)).shuffle().set_shuffle(False).sharding_filter().map(twice)
            print(sorted(x for b in DataLoader(pipe, num_workers=2, multiprocessing_context="{method}") for x in b.tolist()))
    """))
    done = subprocess.run([sys.executable, "-W", "error", str(tmp_path / "script.py")], capture_output=True, text=True, timeout=TIMEOUT_S)
    assert (done.stdout, done.stderr) == ("[0, 2, 4, 6, 8, 10]\n", "")


HALVES = """
import ringgrad
import ringgrad.distributed as dist
from ringgrad.utils.data import DataLoader
from ringgrad.utils.data.datapipes.iter import IterableWrapper

if __name__ == "__main__":
    dist.init_process_group("mpi")
    ringgrad.manual_seed(dist.get_rank())
    pipe = IterableWrapper(range(20)).shuffle().sharding_filter()
    for workers in (0, 2):
        print(*(x for b in DataLoader(pipe, num_workers=workers) for x in b.tolist()))
    dist.destroy_process_group()
"""


@pytest.mark.mpi
def test_ranks_share_one_order(world):
    """Each rank has its half of one permutation, though their seeds differ; with workers and without."""
    outputs = [[[int(x) for x in line.split()] for line in text.splitlines()] for text in world(2).run(HALVES).outputs]
    assert [len(lines) for lines in outputs] == [2, 2]
    for first, second in zip(*outputs):
        assert len(first) == len(second) == 10 and sorted(first + second) == list(range(20))
