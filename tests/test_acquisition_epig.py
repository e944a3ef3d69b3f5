"""EPIG: its targets, whether given or drawn from the pool, and its scores against the reference."""

import functools

import jax
import jax.numpy as jnp
import numpy as np
import pytest
import reference
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats

from lbb_jax import acquisition
from lbb_jax.acquisition.epig import (
    _draw_targets,
    _mean_information_about_others,
    choose_targets,
    mean_information_about,
    pick_epig,
)
from lbb_jax.acquisition.sampling import pick_by_score
from paper.benchmarks import predictions

pytestmark = pytest.mark.usefixtures("quick_compilation")

# [draws, classes], of pools of eight points and of five targets: few shapes, so that few programs are compiled.
SHAPES = ((5, 3), (3, 4), (1, 3))
NUM_POINTS, NUM_TARGETS = 8, 5

score = jax.jit(mean_information_about)
draw = jax.jit(_draw_targets, static_argnames="num_targets")


@st.composite
def pools_and_targets(draw_value):
    num_draws, num_classes = draw_value(st.sampled_from(SHAPES))
    return tuple(
        reference.random_probs(
            draw_value(st.integers(0, 2**20)),
            size,
            num_draws,
            num_classes,
            draw_value(st.sampled_from(reference.KINDS)),
        )
        for size in (NUM_POINTS, NUM_TARGETS)
    )


@given(pools_and_targets())
def test_scores_are_the_mean_information_about_given_targets(pool_and_targets):
    pool, targets = pool_and_targets
    expected = reference.pairwise_information(pool, targets).mean(axis=1)
    np.testing.assert_allclose(score(reference.log32(pool), reference.log32(targets)), expected, rtol=0, atol=2e-6)


@given(pools_and_targets())
def test_scores_lie_between_nothing_and_bald(pool_and_targets):
    pool, targets = pool_and_targets
    scores = score(reference.log32(pool), reference.log32(targets))
    assert np.all(scores >= 0)
    assert np.all(scores <= reference.bald(pool) + 2e-6)


@given(pools_and_targets(), st.permutations(range(NUM_TARGETS)))
def test_the_order_of_the_targets_is_of_no_consequence(pool_and_targets, order):
    pool, targets = map(reference.log32, pool_and_targets)
    np.testing.assert_allclose(score(pool, targets[np.array(order)]), score(pool, targets), rtol=0, atol=2e-6)


def test_a_point_that_says_nothing_about_the_targets_is_worth_nothing():
    # Two halves of a model with independent parameters: four draws are all combinations of theirs.
    left, right = np.array([[0.9, 0.1], [0.2, 0.8]]), np.array([[0.7, 0.3], [0.1, 0.9]])
    of_left, of_right = left[[0, 0, 1, 1]], right[[0, 1, 0, 1]]
    pool = reference.log32(np.stack([of_left, of_right]))
    assert np.all(reference.bald(np.stack([of_left, of_right])) > 0.1)
    scores = score(pool, pool[:1])
    assert scores[0] > 0.01
    # Orthogonal, but for rounding.
    assert scores[1] <= 1e-12


def test_targets_that_differ_in_draws_are_refused_by_the_pure_function_too():
    log_probs = reference.log32(reference.random_probs(0, 8, 5, 3))
    with pytest.raises(ValueError, match=r"targets has shape \(8, 4, 3\): must be \[T, 5, 3\]"):
        acquisition.epig(jax.random.key(0), log_probs, jnp.ones(8, bool), batch_size=2, targets=log_probs[:, :4])


def test_classes_that_count_more_make_their_targets_count_more():
    pool, targets = (reference.random_probs(seed, size, 5, 3, "sharp") for seed, size in ((1, 8), (2, 5)))
    of_classes = np.array([0.5, 0.0, 2.0], np.float32)
    expected = np.average(
        reference.pairwise_information(pool, targets), axis=1, weights=targets.mean(axis=1) @ of_classes
    )
    weighted = score(reference.log32(pool), reference.log32(targets), of_classes)
    np.testing.assert_allclose(weighted, expected, rtol=0, atol=2e-6)
    equal = score(reference.log32(pool), reference.log32(targets), np.full(3, 4, np.float32))
    np.testing.assert_allclose(equal, score(reference.log32(pool), reference.log32(targets)), rtol=1e-6, atol=1e-7)


@pytest.mark.parametrize(
    ("weights", "message"),
    [
        (np.ones(4, np.float32), r"target_weights has shape \(4,\): must be \(3,\)"),
        (np.ones(3, int), r"target_weights has dtype int64: must be floating point"),
        (np.array([1, -1, 1], np.float32), r"target_weights=\[ 1. -1.  1.\]: must be finite, at least 0"),
        (np.zeros(3, np.float32), r"target_weights=\[0. 0. 0.\]: .* above 0 for some class"),
    ],
)
def test_weights_of_classes_that_are_none_are_refused(weights, message):
    log_probs = reference.log32(reference.random_probs(0, 8, 5, 3))
    with pytest.raises(ValueError, match=message):
        acquisition.epig(jax.random.key(0), log_probs, jnp.ones(8, bool), batch_size=2, target_weights=weights)


# Targets drawn from the pool.

POOL = reference.random_probs(3, 12, 5, 3, "sharp")
AVAILABLE = np.arange(12) % 4 != 1


@pytest.mark.parametrize("seed", range(3))
def test_scores_are_the_mean_information_about_other_drawn_targets(seed):
    log_probs, key = reference.log32(np.where(AVAILABLE[:, None, None], POOL, np.nan)), jax.random.key(seed)
    run = functools.partial(acquisition.acquire, method="epig", num_targets=4, batch_size=9, available=AVAILABLE)
    targets = np.asarray(draw(jax.random.split(key)[0], log_probs, AVAILABLE, num_targets=4))
    assert np.all(AVAILABLE[targets])
    pairs = reference.pairwise_information(POOL, POOL)
    expected = [pairs[point, targets[targets != point]].mean() for point in range(12)]
    picked = run(key, log_probs)
    np.testing.assert_allclose(picked.scores, np.sort(np.array(expected)[AVAILABLE])[::-1], rtol=0, atol=2e-6)
    np.testing.assert_allclose(picked.scores, np.array(expected)[picked.indices], rtol=0, atol=2e-6)


@functools.cache
def many_targets(num_targets: int, num_keys: int) -> np.ndarray:
    """Targets drawn by each of many keys, ``[num_keys, T]``."""
    keys = jax.random.split(jax.random.key(1), num_keys)
    log_probs = jnp.zeros((12, 1, 1))
    draw_for_all = jax.vmap(lambda key: _draw_targets(key, log_probs, jnp.asarray(AVAILABLE), num_targets=num_targets))
    return np.asarray(jax.jit(draw_for_all)(keys))


def test_targets_are_drawn_uniformly_without_replacement_from_what_is_available():
    targets = many_targets(2, 20_000)
    assert np.all(targets[:, 0] < targets[:, 1])
    assert np.all(AVAILABLE[targets])
    counts = np.unique(targets, axis=0, return_counts=True)[1]
    assert len(counts) == 9 * 8 / 2
    # It rejects the right distribution for one seed in a thousand; the seed is fixed.
    assert stats.chisquare(counts).pvalue > 1e-3


def test_where_fewer_points_are_available_than_asked_for_all_are_targets():
    expected = [*np.flatnonzero(AVAILABLE), 12, 12, 12]
    np.testing.assert_array_equal(many_targets(500, 3), np.tile(expected, (3, 1)))


def test_masking_takes_no_other_target_away():
    log_probs = reference.log32(POOL)
    for seed in range(20):
        of_all, of_some = (
            set(draw(jax.random.key(seed), log_probs, mask, num_targets=5).tolist())
            for mask in (np.ones(12, bool), AVAILABLE)
        )
        assert {point for point in of_all if AVAILABLE[point]} <= of_some
        assert len(of_some) == 5


# Many labels, of which few points are scored with every one.

MANY = 64


@pytest.mark.slow
@pytest.mark.parametrize(("num_classes", "sampling"), [(100, "top"), (40, "power")])
def test_scoring_only_what_can_win_picks_what_scoring_everything_picks(num_classes, sampling):
    def both(key, log_probs, available):
        key, targets = choose_targets(key, log_probs, available, None, 60, None)
        options = {"batch_size": 8, "sampling": sampling, "alpha": 2.0}
        scores = _mean_information_about_others(log_probs, targets)
        everything = pick_by_score(key, scores, available, **options)
        return pick_epig(key, log_probs, targets, available, **options), everything

    run, available = jax.jit(both), np.arange(MANY) % 7 != 3
    for seed, kind in enumerate(["smooth", "sharp", "certain", "copies"]):
        probs = reference.random_probs(seed, MANY, 5, num_classes, "sharp" if kind == "copies" else kind)
        if kind == "copies":
            probs = np.tile(probs[: MANY // 4], (4, 1, 1))
        picks, everything = run(jax.random.key(seed), jnp.asarray(reference.log32(probs)), available)
        np.testing.assert_allclose(picks.acquisition.scores, everything.scores, rtol=1e-5, atol=1e-9)
        np.testing.assert_array_equal(picks.acquisition.indices, everything.indices)
        assert 8 <= int(picks.num_evaluations) <= available.sum()


@pytest.mark.slow
def test_few_points_are_scored():
    log_probs, available = predictions.generate(jax.random.key(0), 400, 5, 100), jnp.ones(400, bool)

    @jax.jit
    def pick(key, log_probs):
        # As many targets as make the bounds with small groups pay.
        key, targets = choose_targets(key, log_probs, available, None, 134, None)
        return pick_epig(key, log_probs, targets, available, batch_size=5, sampling="top", alpha=1.0)

    picks = pick(jax.random.key(0), log_probs)
    assert 5 <= int(picks.num_evaluations) < 40


def test_one_point_alone_has_no_target():
    picked = acquisition.acquire(
        jax.random.key(0), reference.log32(POOL), method="epig", batch_size=1, available=np.arange(12) == 7
    )
    assert picked.indices.tolist() == [7]
    assert picked.scores.tolist() == [0]


@pytest.mark.slow
@pytest.mark.parametrize("given_targets", [False, True])
def test_memory_does_not_grow_with_points_times_targets(given_targets):
    num_points, num_draws, num_classes = 20_000, 5, 10
    shapes = [
        jax.eval_shape(lambda: jax.random.key(0)),
        jax.ShapeDtypeStruct((num_points, num_draws, num_classes), jnp.float32),
        jax.ShapeDtypeStruct((num_points,), bool),
    ]
    if given_targets:
        shapes.append(jax.ShapeDtypeStruct((500, num_draws, num_classes), jnp.float32))

    def pick(key, log_probs, available, targets=None):
        return acquisition.epig(key, log_probs, available, batch_size=10, targets=targets, num_targets=500)

    memory = jax.jit(pick).lower(*shapes).compile().memory_analysis()
    # Fewer numbers than there are pairs of a point and a target, of which each has 100 joint probabilities.
    assert memory.temp_size_in_bytes < 4 * num_points * 500


@pytest.mark.parametrize("scale", [1e-42, 1e-30, 1e38])
def test_only_the_ratios_of_target_weights_count(scale):
    log_probs = reference.log32(reference.random_probs(3, 12, 4, 3))
    weights = np.array([1.0, 0.0, 2.0])
    one, other = (
        acquisition.acquire(
            jax.random.key(0), log_probs, method="epig", batch_size=4, target_weights=np.float32(factor * weights)
        )
        for factor in (1.0, scale)
    )
    np.testing.assert_array_equal(one.indices, other.indices)
    np.testing.assert_allclose(one.scores, other.scores, rtol=2e-3)
    assert np.all(one.scores > 0)
