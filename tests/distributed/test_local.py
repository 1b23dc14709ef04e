"""The contract on ranks that are threads, and what is special to them: results in rank order, and deaths told at once."""

import threading

import numpy as np
import pytest
from contract import CollectiveContract
from contract_rules import RULES, Ranks

import ringgrad.distributed as dist


class TestLocalContract(CollectiveContract):
    backend = "local"

    def run(self, rule, size):
        dist.spawn_local(lambda: RULES[rule].function(Ranks()), size)


def test_sums_are_taken_in_rank_order():
    """Floating point addition is not associative: ((a + b) + c) + d, bit for bit, from run to run."""
    values = np.random.default_rng(3).normal(size=(4, 1000)).astype(np.float32) * 10.0 ** np.arange(4)[:, None].astype(np.float32)

    def body():
        array = values[dist.get_rank()].copy()
        dist.all_reduce(array)
        return array

    expected = ((values[0] + values[1]) + values[2]) + values[3]
    for array in dist.spawn_local(body, 4):
        assert np.array_equal(array, expected)


def test_an_exception_in_one_rank_stops_the_others_and_is_raised_again():
    raised = {}

    def body():
        if dist.get_rank() == 2:
            raise KeyError("the cause")
        try:
            dist.all_reduce(np.ones(3, np.float32))
        except dist.RankFailedError as error:
            raised[dist.get_rank()] = str(error)
            raise

    with pytest.raises(KeyError, match="the cause") as caught:
        dist.spawn_local(body, 4, timeout=20)
    assert "raised on rank 2 of 4" in caught.value.__notes__[0]
    assert sorted(raised) == [0, 1, 3]
    assert all(
        "[rank" in text and "all_reduce #1" in text and "rank 2 failed with KeyError: 'the cause'" in text for text in raised.values()
    )


def test_a_rank_that_returns_early_is_named():
    def body():
        if dist.get_rank() == 0:
            dist.all_reduce(np.ones(3, np.float32))

    with pytest.raises(dist.RankFailedError, match="rank 1 has finished its program.*same number of steps"):
        dist.spawn_local(body, 2, timeout=20)


def test_waiting_for_messages_of_the_dead():
    def body(peer):
        if dist.get_rank() == 0:
            dist.recv(np.ones(3, np.float32), peer)

    for peer in (1, None):
        with pytest.raises(dist.RankFailedError, match=r"recv #1 .*peer (1|any)"):
            dist.spawn_local(body, 3, peer, timeout=20)


def test_a_script_that_initialises_itself():
    def body():
        assert not dist.is_initialized()
        dist.init_process_group("gloo", timeout=5)
        assert (dist.get_backend(), dist.get_world_size()) == ("local", 2)
        rank = dist.get_rank()
        dist.destroy_process_group()
        dist.init_process_group()
        dist.destroy_process_group()
        return rank

    assert dist.spawn_local(body, 2, init=False) == [0, 1]
    assert not dist.is_initialized()


def test_results_arguments_and_threads():
    before = threading.active_count()
    assert dist.spawn_local(lambda a, b: (dist.get_rank(), a + b), 3, 1, b=2) == [(0, 3), (1, 3), (2, 3)]
    assert threading.active_count() == before
    with pytest.raises(ValueError, match="at least one rank"):
        dist.spawn_local(print, 0)


def test_a_rank_outside_a_group_is_warned():
    def body():
        group = dist.new_group([0])
        if dist.get_rank() == 1:
            with pytest.warns(UserWarning, match="Running all_reduce on global rank 1 which does not belong to the given group"):
                assert dist.all_reduce(np.ones(1), group=group) is None

    dist.spawn_local(body, 2)
