"""Generators: seeds, states, streams, threads; and what the random functions do with them."""
import math
import threading

import numpy as np
import pytest

import ringgrad
from ringgrad import Generator, tensor

DRAWS = {
    "rand": lambda g: ringgrad.rand(5, generator=g), "randn": lambda g: ringgrad.randn(5, generator=g),
    "randn float64": lambda g: ringgrad.randn(5, generator=g, dtype=ringgrad.float64), "randint": lambda g: ringgrad.randint(1000, (5,), generator=g),
    "randperm": lambda g: ringgrad.randperm(20, generator=g), "normal": lambda g: ringgrad.normal(ringgrad.zeros(5), 2.0, generator=g),
    "bernoulli": lambda g: ringgrad.bernoulli(ringgrad.full((20,), 0.5), generator=g),
    "multinomial": lambda g: ringgrad.multinomial(ringgrad.ones(20), 5, generator=g),
    "multinomial with replacement": lambda g: ringgrad.multinomial(ringgrad.ones(20), 5, True, generator=g),
    "normal_": lambda g: ringgrad.zeros(5).normal_(generator=g), "uniform_": lambda g: ringgrad.zeros(5).uniform_(-1, 1, generator=g),
    "exponential_": lambda g: ringgrad.zeros(5).exponential_(generator=g), "bernoulli_": lambda g: ringgrad.zeros(20).bernoulli_(generator=g),
    "random_": lambda g: ringgrad.zeros(5).random_(1000, generator=g), "log_normal_": lambda g: ringgrad.zeros(5).log_normal_(generator=g),
}
EACH = pytest.mark.parametrize("draw", DRAWS.values(), ids=list(DRAWS))


@EACH
def test_a_seed_repeats_a_stream_and_a_state_goes_back_to_a_place_in_it(draw):
    g = Generator().manual_seed(7)
    first = draw(g)
    state = g.get_state()
    second = draw(g)
    assert second.tolist() != first.tolist()
    g.set_state(state)
    assert draw(g).tolist() == second.tolist()
    assert draw(Generator().manual_seed(7)).tolist() == first.tolist()
    assert draw(Generator().manual_seed(8)).tolist() != first.tolist()


@EACH
def test_the_default_generator_is_used_without_one(draw):
    ringgrad.manual_seed(7)
    assert draw(None).tolist() == draw(Generator().manual_seed(7)).tolist()


def test_a_generator_of_its_own_leaves_the_default_one_alone():
    before = ringgrad.get_rng_state()
    for draw in DRAWS.values():
        draw(Generator())
    assert ringgrad.get_rng_state().tolist() == before.tolist()


def test_states_hold_half_used_words():
    """float32 draws use half a 64-bit word; the other half belongs to the state too."""
    for n in (1, 2, 3, 5):
        g = Generator().manual_seed(1)
        ringgrad.rand(n, generator=g)
        state = g.get_state()
        other = Generator().manual_seed(99)
        other.set_state(state)
        assert ringgrad.rand(9, generator=g).tolist() == ringgrad.rand(9, generator=other).tolist()
        assert other.initial_seed() == 1


def test_seeds():
    assert Generator().initial_seed() == 67280421310721
    g = Generator()
    assert g.manual_seed(5) is g and g.initial_seed() == 5
    assert ringgrad.manual_seed(3).initial_seed() == ringgrad.initial_seed() == 3
    assert Generator().manual_seed(-1).initial_seed() == 2**64 - 1
    assert g.seed() == g.initial_seed() != Generator().seed()
    number = ringgrad.seed()
    assert number == ringgrad.initial_seed()
    for wrong in (2**64, -2**63 - 1):
        with pytest.raises(ValueError, match="Overflow when unpacking long"):
            g.manual_seed(wrong)


def test_states_of_the_wrong_kind():
    g = Generator()
    state = g.get_state()
    assert state.dtype is ringgrad.uint8 and state.ndim == 1
    with pytest.raises(RuntimeError, match=r"of size \d+, but found the input RNG state size to be 3"):
        g.set_state(ringgrad.zeros(3, dtype=ringgrad.uint8))
    with pytest.raises(TypeError, match="expected a ringgrad.ByteTensor"):
        g.set_state(ringgrad.zeros(len(state)))
    assert g.get_state().tolist() == state.tolist()


def test_fork_rng():
    ringgrad.manual_seed(1)
    with ringgrad.random.fork_rng():
        inside = ringgrad.rand(3).tolist()
    assert ringgrad.rand(3).tolist() == inside
    with ringgrad.random.fork_rng(enabled=False):
        ringgrad.manual_seed(2)
    assert ringgrad.initial_seed() == 2
    with pytest.raises(ZeroDivisionError), ringgrad.random.fork_rng():
        ringgrad.manual_seed(3)
        1 / 0  # noqa: B018
    assert ringgrad.initial_seed() == 2


def test_threads_draw_disjoint_parts_of_one_stream():
    """Each draw is atomic: together eight threads draw what one would, in whatever order."""
    ringgrad.manual_seed(11)
    alone = {ringgrad.rand(4, dtype=ringgrad.float64).numpy().tobytes() for _ in range(800)}
    ringgrad.manual_seed(11)
    together, failures = [], []

    def work():
        try:
            together.extend([ringgrad.rand(4, dtype=ringgrad.float64).numpy().tobytes() for _ in range(100)])
        except Exception as error:
            failures.append(error)
    threads = [threading.Thread(target=work) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(timeout=60)
    assert not failures and len(together) == 800 and set(together) == alone


@pytest.mark.parametrize("name", ["float16", "bfloat16", "float32", "float64"])
def test_uniform_numbers_stay_below_one_in_every_precision(name):
    dtype = getattr(ringgrad, name)
    x = ringgrad.rand(200_000, dtype=dtype, generator=Generator().manual_seed(0)).double()
    assert x.min().item() >= 0 and x.max().item() < 1
    assert abs(x.mean().item() - 0.5) < 6 / math.sqrt(12 * 200_000)


def test_float32_numbers_are_drawn_in_float32():
    """2^-24 is the grid of float32 draws; a double rounded to float32 would be finer near zero."""
    x = ringgrad.rand(10_000, generator=Generator().manual_seed(0)).numpy().astype(np.float64)
    np.testing.assert_array_equal(x * 2**24, np.rint(x * 2**24))


def test_normal_numbers_have_normal_moments():
    x = ringgrad.randn(200_000, dtype=ringgrad.float64, generator=Generator().manual_seed(0)).numpy()
    n = len(x)
    assert abs(x.mean()) < 6 / math.sqrt(n) and abs((x**2).mean() - 1) < 6 * math.sqrt(2 / n)
    assert abs((x**3).mean()) < 6 * math.sqrt(15 / n) and abs((x**4).mean() - 3) < 6 * math.sqrt(96 / n)


def test_randperm_and_randint_are_even():
    g = Generator().manual_seed(0)
    counts = np.bincount(ringgrad.randint(7, (70_000,), generator=g).numpy())
    assert np.abs(counts - 10_000).max() < 6 * math.sqrt(10_000)
    first = np.bincount([ringgrad.randperm(5, generator=g)[0].item() for _ in range(5000)])
    assert np.abs(first - 1000).max() < 6 * math.sqrt(1000)


def test_random_without_bounds_fills_the_type():
    for name, top in (("uint8", 255), ("int8", 127), ("bool", 1), ("float32", 2**24), ("int64", 2**63 - 1)):
        x = ringgrad.zeros(2000, dtype=getattr(ringgrad, name)).random_(generator=Generator().manual_seed(0))
        values = x.numpy().astype(np.float64)
        assert values.min() >= 0 and 0.9 * top < values.max() <= top


def test_multinomial_weights():
    g = Generator().manual_seed(0)
    p = tensor([[0.2, 0.0, 0.8], [5.0, 5.0, 0.0]])
    drawn = ringgrad.multinomial(p, 20_000, True, generator=g).numpy()
    share = np.stack([np.bincount(row, minlength=3) for row in drawn]) / 20_000
    np.testing.assert_allclose(share, [[0.2, 0, 0.8], [0.5, 0.5, 0]], atol=6 * 0.5 / math.sqrt(20_000))
    firsts = np.bincount([ringgrad.multinomial(p[0], 1, generator=g).item() for _ in range(4000)], minlength=3) / 4000
    np.testing.assert_allclose(firsts, [0.2, 0, 0.8], atol=6 * 0.4 / math.sqrt(4000))


def test_in_place_draws_follow_the_rules_of_in_place_operations():
    leaf = ringgrad.zeros(3, requires_grad=True)
    with pytest.raises(RuntimeError, match="leaf Variable that requires grad"):
        leaf.normal_()
    with ringgrad.no_grad():
        assert leaf.uniform_(1, 2) is leaf
    assert leaf._version == 1 and (leaf.detach().numpy() >= 1).all()
    y = leaf * 2
    y[1:].normal_()
    y.sum().backward()
    assert leaf.grad.tolist() == [2.0, 0.0, 0.0]


def philox(seed, counter):
    """Philox-4x32-10 (Salmon et al. 2011): the four words of one counter value."""
    k, w = [seed & 0xFFFFFFFF, seed >> 32], [counter & 0xFFFFFFFF, counter >> 32, 0, 0]
    for _ in range(10):
        p, q = 0xD2511F53 * w[0], 0xCD9E8D57 * w[2]
        w = [(q >> 32) ^ w[1] ^ k[0], q & 0xFFFFFFFF, (p >> 32) ^ w[3] ^ k[1], p & 0xFFFFFFFF]
        k = [(k[0] + 0x9E3779B9) & 0xFFFFFFFF, (k[1] + 0xBB67AE85) & 0xFFFFFFFF]
    return w


def test_the_reference_gives_the_published_numbers():
    assert philox(0, 0) == [0x6627E8D5, 0xE169C58D, 0xBC57AC4C, 0x9B00DBD8]


@pytest.mark.gpu
class TestOnTheGpu:
    @pytest.fixture(autouse=True)
    def gpu(self):
        if not ringgrad.cuda.is_available():
            pytest.skip("no CUDA device")

    def test_the_kernels_give_the_published_stream(self):
        g = Generator("cuda").manual_seed(123456789012345)
        first, second = ringgrad.rand(6, generator=g, device="cuda"), ringgrad.rand(3, generator=g, device="cuda", dtype=ringgrad.float64)
        words = [w for c in range(4) for w in philox(123456789012345, c)]
        assert first.tolist() == [(w >> 8) * 2.0**-24 for w in words[:6]]
        assert second.tolist() == [(((words[8 + 2 * i] << 32) | words[9 + 2 * i]) >> 11) * 2.0**-53 for i in range(3)]

    @pytest.mark.parametrize("name", ["float16", "bfloat16", "float32", "float64", "complex64"])
    def test_moments(self, name):
        ringgrad.manual_seed(0)
        x = ringgrad.randn(200_000, device="cuda", dtype=getattr(ringgrad, name)).cpu()
        x = x.numpy().astype(np.complex128 if name == "complex64" else np.float64)
        assert abs(x.mean()) < 6 / math.sqrt(200_000) and abs((np.abs(x) ** 2).mean() - 1) < 0.02

    def test_states_and_devices(self):
        g = Generator("cuda").manual_seed(3)
        ringgrad.randn(5, generator=g, device="cuda")
        state = g.get_state()
        again = [ringgrad.randn(5, generator=g, device="cuda").tolist(), g.set_state(state), ringgrad.randn(5, generator=g, device="cuda").tolist()]
        assert again[0] == again[2]
        with pytest.raises(RuntimeError, match="Expected a 'cpu' device type for generator but found 'cuda'"):
            ringgrad.rand(2, generator=g)

    def test_integers_and_permutations(self):
        ringgrad.manual_seed(0)
        x = ringgrad.randint(-3, 4, (70_000,), device="cuda").cpu().numpy()
        assert np.abs(np.bincount(x + 3) - 10_000).max() < 6 * math.sqrt(10_000)
        assert sorted(ringgrad.randperm(1000, device="cuda").tolist()) == list(range(1000))
