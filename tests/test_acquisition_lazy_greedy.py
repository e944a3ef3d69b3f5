"""Evaluating only what can still win gives the picks of evaluating everything, and evaluates little."""

import functools

import dense
import jax
import jax.numpy as jnp
import numpy as np
import pytest
import reference
from slow_parts import slow_but

from lbb_jax import acquisition
from lbb_jax.acquisition import exponential_race, lazy_greedy
from lbb_jax.acquisition.batch_bald import pick_batch_bald
from lbb_jax.acquisition.large_batch_bald import pick_lbb, pick_power_lbb
from paper.benchmarks import predictions

pytestmark = pytest.mark.usefixtures("quick_compilation")

NUM_POINTS, BATCH_SIZE = 60, 12
AVAILABLE = np.arange(NUM_POINTS) % 7 != 3

METHODS = {
    "lbb tree": ("large_batch_bald", {"redundancy": "tree"}),
    "lbb": ("large_batch_bald", {}),
    "lbb chi2": ("large_batch_bald", {"pairs": "chi2"}),
    "lbb tree chi2": ("large_batch_bald", {"pairs": "chi2", "redundancy": "tree"}),
    "power_lbb tree": ("power_large_batch_bald", {"redundancy": "tree", "alpha": 2.0}),
    "power_lbb": ("power_large_batch_bald", {}),
    "power_lbb tree chi2": ("power_large_batch_bald", {"pairs": "chi2", "redundancy": "tree"}),
    "batch_bald": ("batch_bald", {"num_samples": 64}),
}
methods = pytest.mark.parametrize("name", METHODS)


def pools() -> dict[str, np.ndarray]:
    """Adversarial pools, all ``[60, 5, 4]``, so that each method is compiled once."""

    def of_kind(kind, seed=0, shape=(NUM_POINTS, 5, 4)):
        return reference.random_probs(seed, *shape, kind)

    nothing_to_tell = reference.random_probs(1, NUM_POINTS, 1, 4).repeat(5, axis=1)
    one_informative = nothing_to_tell.copy()
    one_informative[41] = of_kind("sharp")[0]
    return {
        **{kind: of_kind(kind, seed) for seed, kind in enumerate(reference.KINDS)},
        "all equal": of_kind("sharp", shape=(1, 5, 4)).repeat(NUM_POINTS, axis=0),
        "duplicates": of_kind("sharp", shape=(NUM_POINTS // 4, 5, 4)).repeat(4, axis=0),
        "duplicates apart": np.tile(of_kind("sharp", shape=(NUM_POINTS // 4, 5, 4)), (4, 1, 1)),
        "nothing to tell": nothing_to_tell,
        "one informative": one_informative,
    }


@functools.cache
def compiled(name: str, front_size: int, batch_size: int):
    """The method with a front of that many points."""
    function, options = METHODS[name]
    options = {**options, "batch_size": batch_size, "front_size": front_size}

    def lbb(key, log_probs, available):
        del key
        return pick_lbb(log_probs, available, **options)

    def power_lbb(key, log_probs, available):
        variates = exponential_race.variates(key, jnp.arange(len(log_probs)), log_probs.dtype)
        return pick_power_lbb(variates, log_probs, available, **options)

    def batch_bald(key, log_probs, available):
        del options["front_size"]
        return pick_batch_bald(key, log_probs, available, **options)

    counted = {"large_batch_bald": lbb, "power_large_batch_bald": power_lbb, "batch_bald": batch_bald}
    run = jax.jit(counted[function])
    return lambda *arguments: jax.tree.map(np.asarray, run(*arguments).acquisition)


def evaluate_all(name: str, *arguments, batch_size: int) -> dense.Picks:
    function, options = METHODS[name]
    return getattr(dense, function)(*arguments, batch_size=batch_size, **options)


def arguments_of(pool: str) -> tuple[jax.Array, jax.Array]:
    """A key and the pool's predictions."""
    return jax.random.key(list(pools()).index(pool)), jnp.asarray(reference.log32(pools()[pool]))


@functools.cache
def expected_picks(name: str, pool: str) -> dense.Picks:
    return evaluate_all(name, *arguments_of(pool), AVAILABLE, batch_size=BATCH_SIZE)


@pytest.mark.parametrize("name", slow_but(METHODS, "power_lbb tree"))
@pytest.mark.parametrize("pool", pools())
def test_picks_are_those_of_evaluating_everything(name, pool):
    key, log_probs = arguments_of(pool)
    picked = compiled(name, 8, BATCH_SIZE)(key, log_probs, AVAILABLE)
    dense.assert_same_picks(picked, expected_picks(name, pool), log_probs)


@pytest.mark.parametrize("front_size", [8, NUM_POINTS])
@pytest.mark.parametrize("name", slow_but(METHODS, "lbb"))
def test_rows_of_points_that_are_not_available_may_hold_anything(name, front_size):
    key, log_probs = arguments_of(reference.KINDS[0])
    for num_available in (2 * BATCH_SIZE, BATCH_SIZE - 2):
        available = np.random.default_rng(num_available).permutation(NUM_POINTS) < num_available
        picked = compiled(name, front_size, BATCH_SIZE)(key, log_probs, available)
        assert np.sum(picked.indices >= 0) == min(BATCH_SIZE, num_available)
        for rubbish in (np.nan, np.inf, -np.inf, 1e30):
            dirty = jnp.where(available[:, None, None], log_probs, rubbish)
            again = compiled(name, front_size, BATCH_SIZE)(key, dirty, available)
            np.testing.assert_array_equal(again.indices, picked.indices)
            np.testing.assert_array_equal(again.scores, picked.scores)


@pytest.mark.slow
@pytest.mark.parametrize("name", METHODS)
@pytest.mark.parametrize("pool", ["duplicates", "one informative"])
def test_the_whole_pool_is_picked_in_the_order_of_evaluating_everything(name, pool):
    log_probs, key = jnp.asarray(reference.log32(pools()[pool])), jax.random.key(4)
    everything = np.ones(NUM_POINTS, bool)
    picked = compiled(name, 8, NUM_POINTS)(key, log_probs, everything)
    assert sorted(picked.indices) == list(range(NUM_POINTS))
    dense.assert_same_picks(picked, evaluate_all(name, key, log_probs, everything, batch_size=NUM_POINTS), log_probs)


@pytest.mark.slow
def test_sampled_batch_bald_never_misses_a_pick():
    # The bound holds for the very configurations sampled: of 200 pools none is picked from otherwise.
    for seed in range(200):
        probs = reference.random_probs(seed, NUM_POINTS, 5, 4, reference.KINDS[seed % len(reference.KINDS)])
        log_probs, key = jnp.asarray(reference.log32(probs)), jax.random.key(seed)
        picked = compiled("batch_bald", 8, BATCH_SIZE)(key, log_probs, AVAILABLE)
        dense.assert_same_picks(
            picked, evaluate_all("batch_bald", key, log_probs, AVAILABLE, batch_size=BATCH_SIZE), log_probs
        )


@pytest.mark.slow
@pytest.mark.parametrize("name", METHODS)
def test_side_by_side_as_one_by_one_and_with_all_points_in_the_front(name):
    function, options = METHODS[name]
    run = functools.partial(getattr(acquisition, function), batch_size=BATCH_SIZE, **options)
    keys, log_probs = (jnp.stack(values) for values in zip(*map(arguments_of, pools()), strict=True))
    assert lazy_greedy.FRONT_SIZE > NUM_POINTS
    together = jax.tree.map(np.asarray, jax.jit(jax.vmap(run, (0, 0, None)))(keys, log_probs, AVAILABLE))
    for place, pool in enumerate(pools()):
        picked = jax.tree.map(lambda leaf, place=place: leaf[place], together)
        dense.assert_same_picks(picked, expected_picks(name, pool), log_probs[place])


# A pool much larger than the front, most of which tells little.
LARGE = 20_000


@functools.cache
def large_pool() -> tuple[jax.Array, jax.Array]:
    return predictions.generate(jax.random.key(0), LARGE, 5, 10), jnp.ones(LARGE, bool)


@pytest.mark.slow
def test_picks_do_not_depend_on_how_many_points_are_evaluated_at_once(monkeypatch):
    # Many points are worth nearly the same, so that many of them could win.
    pool = predictions.random_dirichlet(jax.random.key(0), 400, 3, 12), jnp.ones(400, bool)

    def pick(numbers):
        monkeypatch.setattr(lazy_greedy, "_NUMBERS_OF_A_BLOCK", numbers)
        return jax.jit(functools.partial(pick_lbb, batch_size=6, front_size=256))(*pool)

    in_blocks, at_once = pick(1), pick(2**30)
    np.testing.assert_array_equal(in_blocks.acquisition.indices, at_once.acquisition.indices)
    np.testing.assert_array_equal(in_blocks.acquisition.scores, at_once.acquisition.scores)
    assert in_blocks.num_evaluations < at_once.num_evaluations < 5 * 400


# Points that a sum of pairs has left behind must be found without their pairs.
@pytest.mark.slow
@pytest.mark.parametrize(("power", "redundancy"), [(False, "tree"), (True, "tree"), (True, "pairwise")])
def test_few_pairs_are_evaluated(power, redundancy):
    log_probs, available = large_pool()
    if power:
        variates = exponential_race.variates(jax.random.key(0), jnp.arange(LARGE), jnp.float32)
        pick = functools.partial(pick_power_lbb, variates, alpha=5.0)
    else:
        pick = pick_lbb
    picks = jax.jit(functools.partial(pick, batch_size=20, redundancy=redundancy))(log_probs, available)
    dense_pairs = 19 * LARGE
    assert 0 < int(picks.num_evaluations) < dense_pairs / 50


@pytest.mark.slow
def test_few_configurations_are_evaluated():
    log_probs, available = large_pool()
    picks = jax.jit(functools.partial(pick_batch_bald, batch_size=8, num_samples=1_000))(
        jax.random.key(0), log_probs, available
    )
    np.testing.assert_array_equal(picks.num_configurations, [1, 10, 100, 1_000, 1_000, 1_000, 1_000, 1_000])
    # The first pick is BALD's.
    assert picks.num_evaluated[0] == 0
    num_configurations = np.asarray(picks.num_configurations, np.int64)
    evaluated = num_configurations @ np.asarray(picks.num_evaluated, np.int64)
    assert 0 < evaluated < num_configurations.sum() * LARGE / 5


def test_without_redundancy_nothing_is_evaluated_twice():
    # Points that share nothing with each other: the order of BALD stands, and one look at each leader is enough.
    def refresh(points, known, details):
        return known._replace(num_seen=known.num_seen + 1)

    rules = lazy_greedy.Rules(refresh)

    @jax.jit
    def two_picks(bounds):
        search = lazy_greedy.begin(bounds, (), rules)
        first, *_, search = lazy_greedy.take_best(lazy_greedy.settle(search, rules, 0, block_size=1))
        second, *_, search = lazy_greedy.take_best(lazy_greedy.settle(search, rules, 1, block_size=1))
        return first, second, search.num_evaluations

    assert tuple(map(int, two_picks(jnp.arange(5_000, 0, -1, dtype=jnp.float32)))) == (0, 1, 1)


def test_points_outside_the_front_are_brought_in_when_they_could_win():
    bounds = jnp.arange(5_000, 0, -1, dtype=jnp.float32)

    def refresh(points, known, details):
        # All that was in the first front turns out to be worth nothing.
        bounds = jnp.where(points < lazy_greedy.FRONT_SIZE, 0.0, known.bounds)
        return known._replace(bounds=bounds, num_seen=known.num_seen + 1)

    @jax.jit
    def first_pick(bounds):
        rules = lazy_greedy.Rules(refresh)
        return lazy_greedy.take_best(lazy_greedy.settle(lazy_greedy.begin(bounds, (), rules), rules, 1, block_size=64))

    index, worth, *_, search = first_pick(bounds)
    assert int(index) == lazy_greedy.FRONT_SIZE
    assert float(worth) == 5_000 - lazy_greedy.FRONT_SIZE
    assert int(search.num_evaluations) <= lazy_greedy.FRONT_SIZE + 64
