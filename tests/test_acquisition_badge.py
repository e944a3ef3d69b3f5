"""BADGE: its distances and picks against explicit gradients, and how it samples."""

import functools

import jax
import jax.numpy as jnp
import numpy as np
import pytest
import reference
import variants
from hypothesis import given
from hypothesis import strategies as st
from test_acquisition_power import NUM_KEYS, assert_frequencies

from lbb_jax import acquisition
from lbb_jax.acquisition import race
from lbb_jax.acquisition.badge import _residuals, _squared_distances

pytestmark = pytest.mark.usefixtures("quick_compilation")

NUM_POINTS, NUM_DRAWS, NUM_CLASSES, NUM_FEATURES, BATCH_SIZE = 12, 4, 3, 5, 6

run = jax.jit(acquisition.badge, static_argnames="batch_size")
distances_to = jax.jit(lambda log_probs, *arguments: _squared_distances(_residuals(log_probs), *arguments))
gumbel = jax.jit(
    lambda key, place: race.variates(jax.random.fold_in(key, place), jnp.arange(NUM_POINTS), jnp.float32).gumbel
)

pools = st.tuples(
    st.builds(
        lambda seed, kind: reference.random_probs(seed, NUM_POINTS, NUM_DRAWS, NUM_CLASSES, kind),
        st.integers(0, 2**20),
        st.sampled_from(reference.KINDS),
    ),
    st.builds(
        lambda seed, scale: scale * np.random.default_rng(seed).normal(size=(NUM_POINTS, NUM_FEATURES)),
        st.integers(0, 2**20),
        st.sampled_from([1e-3, 1.0, 1e3]),
    ),
)


def in_float32(probs, embeddings):
    """What the library is given, and what it computes from: the same numbers in float64."""
    log_probs, embeddings = reference.log32(probs), embeddings.astype(np.float32)
    return log_probs, embeddings, reference.gradients(np.exp(log_probs.astype(np.float64)), embeddings)


@given(pools)
def test_distances_are_those_of_the_explicit_gradients(pool):
    log_probs, embeddings, rows = in_float32(*pool)
    expected = np.sum((rows - rows[3]) ** 2, axis=1)
    np.testing.assert_allclose(
        distances_to(log_probs, embeddings, 3), expected, rtol=1e-4, atol=1e-6 * np.sum(rows**2, axis=1).max()
    )


def test_distances_of_gradients_that_nearly_agree_are_as_exact_as_others():
    probs, embeddings = reference.random_probs(1, 2, 1, 3), np.array([[100.0, 200.0], [100.0, 200.01]])
    probs[1] = probs[0]
    log_probs, embeddings, rows = in_float32(probs, embeddings)
    expected = np.sum((rows[1] - rows[0]) ** 2)
    # Beside squared lengths of this size, the expanded square has no digit left in float32.
    assert np.sum(rows[0] ** 2) > 1e8 * expected
    np.testing.assert_allclose(distances_to(log_probs, embeddings, 0)[1], expected, rtol=1e-5)


@given(pools, st.integers(0, 2**20))
def test_picks_are_those_of_k_means_plus_plus_on_the_explicit_gradients(pool, seed):
    log_probs, embeddings, rows = in_float32(*pool)
    available = np.arange(NUM_POINTS) % 4 != 1
    key = jax.random.key(seed)
    picked = run(key, log_probs, available, batch_size=BATCH_SIZE, embeddings=embeddings)
    scale = reference.badge_gains(rows, [])[available].max()
    batch = []
    for place, (index, score) in enumerate(zip(np.asarray(picked.indices), np.asarray(picked.scores), strict=True)):
        gains = reference.badge_gains(rows, batch)
        np.testing.assert_allclose(score, gains[index], rtol=1e-4, atol=1e-6 * scale)
        remaining = [point for point in np.flatnonzero(available) if point not in batch]
        assert index in remaining
        if place == 0:
            assert gains[index] >= max(gains[remaining]) * (1 - 1e-5)
        elif max(gains[remaining]) > 1e-6 * scale:
            # The largest of log distance + Gumbel is a draw with probability proportional to the distance.
            with np.errstate(divide="ignore"):
                keys = np.log(gains) + np.asarray(gumbel(key, place), np.float64)
            assert keys[index] >= max(keys[remaining]) - 1e-3
        batch.append(int(index))


def test_the_first_pick_has_the_largest_gradient():
    log_probs, embeddings = reference.log32(np.full((4, 1, 2), 0.5)), np.array([[1], [3], [2], [3]], np.float32)
    for seed in range(5):
        picked = run(jax.random.key(seed), log_probs, np.ones(4, bool), batch_size=2, embeddings=embeddings)
        assert picked.indices[0] == 1
        np.testing.assert_allclose(picked.scores[0], 0.5 * 3**2, rtol=1e-6)


def many(probs, embeddings, num_picks, available=None, seed=0):
    """The picks of each of many keys, ``[NUM_KEYS, num_picks]``, and the explicit gradients."""
    log_probs, embeddings, rows = in_float32(probs, embeddings)
    available = np.ones(len(probs), bool) if available is None else available
    keys = jax.random.split(jax.random.key(seed), NUM_KEYS)
    pick = functools.partial(acquisition.badge, batch_size=num_picks, embeddings=jnp.asarray(embeddings))
    picked = jax.jit(jax.vmap(lambda key: pick(key, log_probs, available)))(keys)
    return jax.tree.map(np.asarray, picked), rows


def test_the_picks_after_the_first_follow_the_squared_distances():
    probs, embeddings = reference.random_probs(4, 6, 3, 3), np.random.default_rng(5).normal(size=(6, 2))
    picked, rows = many(probs, embeddings, 3, np.arange(6) != 4)

    def gains_after(batch):
        gains = reference.badge_gains(rows, batch)
        return gains if batch else np.where(np.arange(6) == np.argmax(gains * (np.arange(6) != 4)), gains, 0)

    assert_frequencies(picked.indices, reference.ordered_pick_probabilities(gains_after, [0, 1, 2, 3, 5], 3, 1.0))


def test_once_all_distances_are_zero_the_picks_are_uniform():
    # Three points that are alike, and one that is not.
    probs = reference.random_probs(6, 2, 3, 3)[[0, 0, 1, 0]]
    embeddings = np.random.default_rng(7).normal(size=(2, 3))[[0, 0, 1, 0]]
    picked, rows = many(probs, embeddings, 4, seed=1)
    first = int(np.argmax(reference.badge_gains(rows, [])))
    orders = (
        [(0, 2, 1, 3), (0, 2, 3, 1)]
        if first == 0
        else [(2, *rest) for rest in [(0, 1, 3), (0, 3, 1), (1, 0, 3), (1, 3, 0), (3, 0, 1), (3, 1, 0)]]
    )
    assert_frequencies(picked.indices, dict.fromkeys(orders, 1 / len(orders)))
    np.testing.assert_array_equal(picked.scores[:, 2:], 0)
    assert np.all(picked.scores[:, :2] > 0)


def test_a_certain_network_has_no_gradients_and_the_lowest_index_is_first():
    probs = np.zeros((5, 2, 3))
    probs[..., 1] = 1
    picked = variants.pick("badge", probs, 5)
    assert picked.indices[0] == 0
    assert sorted(picked.indices) == list(range(5))
    np.testing.assert_array_equal(picked.scores, 0)


def test_masking_shifts_no_other_variate():
    # A point that is not available makes way for the others, in the order that they have without it.
    probs, embeddings = np.full((12, 1, 2), 0.5), np.eye(12, dtype=np.float32)
    # All distances are equal, so that the order of the picks is that of the variates of each place.
    for seed in range(10):
        everything = np.ones(12, bool)
        pair = run(jax.random.key(seed), reference.log32(probs), everything, batch_size=2, embeddings=embeddings)
        others = everything.copy()
        others[(int(pair.indices[1]) + 1) % 12 or 1] = False
        masked = run(jax.random.key(seed), reference.log32(probs), others, batch_size=2, embeddings=embeddings)
        np.testing.assert_array_equal(masked.indices, pair.indices)


def test_memory_does_not_grow_with_points_times_classes_times_features():
    num_points, num_classes, num_features = 5_000, 50, 60
    shapes = [
        jax.eval_shape(lambda: jax.random.key(0)),
        jax.ShapeDtypeStruct((num_points, 2, num_classes), jnp.float32),
        jax.ShapeDtypeStruct((num_points,), bool),
    ]
    embeddings = jax.ShapeDtypeStruct((num_points, num_features), jnp.float32)
    memory = run.lower(*shapes, batch_size=10, embeddings=embeddings).compile().memory_analysis()
    assert memory.temp_size_in_bytes < 4 * num_points * num_classes * num_features / 5
