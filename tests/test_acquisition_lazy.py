"""Evaluating only what can still win gives the picks of evaluating everything, and evaluates little."""

import functools

import dense
import jax
import jax.numpy as jnp
import numpy as np
import pytest
import reference

from lbb_jax import acquisition
from lbb_jax.acquisition import lazy, race
from lbb_jax.acquisition.batch_bald import pick_greedily as pick_batch_bald
from lbb_jax.acquisition.large_batch_bald import pick_by_race, pick_greedily
from lbb_jax.benchmarks import predictions

pytestmark = pytest.mark.usefixtures("quick_compilation")

NUM_POINTS, BATCH_SIZE = 60, 12
AVAILABLE = np.arange(NUM_POINTS) % 7 != 3

METHODS = {
    "lbb tree": ("large_batch_bald", {"redundancy": "tree"}),
    "lbb": ("large_batch_bald", {}),
    "power_lbb tree": ("power_large_batch_bald", {"redundancy": "tree", "alpha": 2.0}),
    "power_lbb": ("power_large_batch_bald", {}),
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
    """The method with a front of that many points; the size is read while it is traced."""
    function, options = METHODS[name]
    run = jax.jit(functools.partial(getattr(acquisition, function), batch_size=batch_size, **options))

    def with_front(*arguments):
        default, lazy.FRONT_SIZE = lazy.FRONT_SIZE, front_size
        try:
            return jax.tree.map(np.asarray, run(*arguments))
        finally:
            lazy.FRONT_SIZE = default

    return with_front


def evaluate_all(name: str, *arguments, batch_size: int) -> dense.Picks:
    function, options = METHODS[name]
    return getattr(dense, function)(*arguments, batch_size=batch_size, **options)


def arguments_of(pool: str) -> tuple[jax.Array, jax.Array]:
    """A key and the pool's predictions."""
    return jax.random.key(list(pools()).index(pool)), jnp.asarray(reference.log32(pools()[pool]))


@functools.cache
def expected_picks(name: str, pool: str) -> dense.Picks:
    return evaluate_all(name, *arguments_of(pool), AVAILABLE, batch_size=BATCH_SIZE)


@methods
@pytest.mark.parametrize("pool", pools())
def test_picks_are_those_of_evaluating_everything(name, pool):
    key, log_probs = arguments_of(pool)
    picked = compiled(name, 8, BATCH_SIZE)(key, log_probs, AVAILABLE)
    dense.assert_same_picks(picked, expected_picks(name, pool), log_probs)


@methods
@pytest.mark.parametrize("pool", ["duplicates", "one informative"])
def test_the_whole_pool_is_picked_in_the_order_of_evaluating_everything(name, pool):
    log_probs, key = jnp.asarray(reference.log32(pools()[pool])), jax.random.key(4)
    everything = np.ones(NUM_POINTS, bool)
    picked = compiled(name, 8, NUM_POINTS)(key, log_probs, everything)
    assert sorted(picked.indices) == list(range(NUM_POINTS))
    dense.assert_same_picks(picked, evaluate_all(name, key, log_probs, everything, batch_size=NUM_POINTS), log_probs)


def test_sampled_batch_bald_never_misses_a_pick():
    # The bound holds for the very configurations sampled: of 200 pools none is picked from otherwise.
    for seed in range(200):
        probs = reference.random_probs(seed, NUM_POINTS, 5, 4, reference.KINDS[seed % len(reference.KINDS)])
        log_probs, key = jnp.asarray(reference.log32(probs)), jax.random.key(seed)
        picked = compiled("batch_bald", 8, BATCH_SIZE)(key, log_probs, AVAILABLE)
        dense.assert_same_picks(
            picked, evaluate_all("batch_bald", key, log_probs, AVAILABLE, batch_size=BATCH_SIZE), log_probs
        )


@methods
def test_side_by_side_as_one_by_one_and_with_all_points_in_the_front(name):
    function, options = METHODS[name]
    run = functools.partial(getattr(acquisition, function), batch_size=BATCH_SIZE, **options)
    keys, log_probs = (jnp.stack(values) for values in zip(*map(arguments_of, pools()), strict=True))
    assert lazy.FRONT_SIZE > NUM_POINTS
    together = jax.tree.map(np.asarray, jax.jit(jax.vmap(run, (0, 0, None)))(keys, log_probs, AVAILABLE))
    for place, pool in enumerate(pools()):
        picked = jax.tree.map(lambda leaf, place=place: leaf[place], together)
        dense.assert_same_picks(picked, expected_picks(name, pool), log_probs[place])


# A pool much larger than the front, most of which tells little.
LARGE = 20_000


@functools.cache
def large_pool() -> tuple[jax.Array, jax.Array]:
    return predictions.generate(jax.random.key(0), LARGE, 5, 10), jnp.ones(LARGE, bool)


@pytest.mark.parametrize("power", [False, True])
def test_few_pairs_are_evaluated(power):
    log_probs, available = large_pool()
    if power:
        variates = race.variates(jax.random.key(0), jnp.arange(LARGE), jnp.float32)
        pick = functools.partial(pick_by_race, variates)
    else:
        pick = pick_greedily
    picks = jax.jit(functools.partial(pick, batch_size=20, redundancy="tree"))(log_probs, available)
    dense_pairs = 19 * LARGE
    assert 0 < int(picks.num_pairs) < dense_pairs / 10


def test_few_configurations_are_evaluated():
    log_probs, available = large_pool()
    picks = jax.jit(functools.partial(pick_batch_bald, batch_size=8, num_samples=1_000))(
        jax.random.key(0), log_probs, available
    )
    np.testing.assert_array_equal(picks.num_configurations, [1, 10, 100, 1_000, 1_000, 1_000, 1_000, 1_000])
    num_configurations = np.asarray(picks.num_configurations, np.int64)
    evaluated = num_configurations @ np.asarray(picks.num_evaluated, np.int64)
    assert 0 < evaluated < num_configurations.sum() * LARGE / 5


def test_without_redundancy_nothing_is_evaluated_twice():
    # Points that share nothing with each other: the order of BALD stands, and one look at each leader is enough.
    search = lazy.begin(jnp.arange(5_000, 0, -1, dtype=jnp.float32))

    def refresh(points, known):
        return known._replace(num_seen=known.num_seen + 1)

    @jax.jit
    def two_picks(search):
        first, _, _, search = lazy.take_best(lazy.settle(search, refresh, 0, block_size=1))
        second, _, _, search = lazy.take_best(lazy.settle(search, refresh, 1, block_size=1))
        return first, second, search.num_evaluations

    assert tuple(map(int, two_picks(search))) == (0, 1, 1)


def test_points_outside_the_front_are_brought_in_when_they_could_win():
    bounds = jnp.arange(5_000, 0, -1, dtype=jnp.float32)

    def refresh(points, known):
        # All that was in the first front turns out to be worth nothing.
        return known._replace(
            bounds=jnp.where(points < lazy.FRONT_SIZE, 0.0, known.bounds), num_seen=known.num_seen + 1
        )

    index, worth, _, search = jax.jit(lambda search: lazy.take_best(lazy.settle(search, refresh, 1, block_size=64)))(
        lazy.begin(bounds)
    )
    assert int(index) == lazy.FRONT_SIZE
    assert float(worth) == 5_000 - lazy.FRONT_SIZE
    assert int(search.num_evaluations) <= lazy.FRONT_SIZE + 64
