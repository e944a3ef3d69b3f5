"""BADGE: its distances and picks against explicit gradients, and how it samples."""

import itertools
import math
import re

import jax
import jax.numpy as jnp
import numpy as np
import pytest
import reference
from hypothesis import given
from hypothesis import strategies as st
from test_acquisition_sampling import NUM_KEYS, assert_frequencies

from lbb_jax import acquisition
from lbb_jax.acquisition import exponential_race
from lbb_jax.acquisition.badge import _residuals, _squared_distances

pytestmark = pytest.mark.usefixtures("quick_compilation")

NUM_POINTS, NUM_DRAWS, NUM_CLASSES, NUM_FEATURES, BATCH_SIZE = 12, 4, 3, 5, 6

run = jax.jit(acquisition.badge, static_argnames="batch_size")


def pick(probs, embeddings, *, seed=0, available=None):
    """Six picks from a pool of one shape, so that one program makes them all."""
    log_probs, embeddings, _ = in_float32(probs, embeddings)
    available = np.ones(NUM_POINTS, bool) if available is None else available
    picked = run(jax.random.key(seed), log_probs, available, batch_size=BATCH_SIZE, embeddings=embeddings)
    return jax.tree.map(np.asarray, picked)


distances_to = jax.jit(lambda log_probs, *arguments: _squared_distances(_residuals(log_probs), *arguments))
gumbel = jax.jit(
    lambda key, place: (
        exponential_race.variates(jax.random.fold_in(key, place), jnp.arange(NUM_POINTS), jnp.float32).gumbel
    )
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
    rows = in_float32(*pool)[2]
    available = np.arange(NUM_POINTS) % 4 != 1
    picked = pick(*pool, seed=seed, available=available)
    scale = reference.badge_gains(rows, [])[available].max()
    batch = []
    for place, (index, score) in enumerate(zip(*picked, strict=True)):
        gains = reference.badge_gains(rows, batch)
        np.testing.assert_allclose(score, gains[index], rtol=1e-4, atol=1e-6 * scale)
        remaining = [point for point in np.flatnonzero(available) if point not in batch]
        assert index in remaining
        if place == 0:
            assert gains[index] >= max(gains[remaining]) * (1 - 1e-5)
        elif max(gains[remaining]) > 1e-6 * scale:
            # The largest of log distance + Gumbel is a draw with probability proportional to the distance.
            with np.errstate(divide="ignore"):
                keys = np.log(gains) + np.asarray(gumbel(jax.random.key(seed), place), np.float64)
            assert keys[index] >= max(keys[remaining]) - 1e-3
        batch.append(int(index))


def test_the_first_pick_has_the_largest_gradient():
    probs, embeddings = np.full((NUM_POINTS, NUM_DRAWS, NUM_CLASSES), 1 / 3), np.zeros((NUM_POINTS, NUM_FEATURES))
    embeddings[:, 2] = np.arange(NUM_POINTS) % 5
    for seed in range(5):
        picked = pick(probs, embeddings, seed=seed)
        assert picked.indices[0] == 4
        # The residual is (-2/3, 1/3, 1/3).
        np.testing.assert_allclose(picked.scores[0], 6 / 9 * 4**2, rtol=1e-6)


def test_leaving_out_a_point_that_is_not_picked_changes_nothing():
    for seed in range(10):
        probs = reference.random_probs(seed, NUM_POINTS, NUM_DRAWS, NUM_CLASSES)
        embeddings = np.random.default_rng(seed).normal(size=(NUM_POINTS, NUM_FEATURES))
        picked = pick(probs, embeddings, seed=seed)
        left_out = np.setdiff1d(np.arange(NUM_POINTS), picked.indices)[:3]
        available = ~np.isin(np.arange(NUM_POINTS), left_out)
        probs[left_out], embeddings[left_out] = np.nan, np.nan
        again = pick(probs, embeddings, seed=seed, available=available)
        np.testing.assert_array_equal(again.indices, picked.indices)
        np.testing.assert_array_equal(again.scores, picked.scores)


@jax.jit
def _run_for_all(keys, *arrays):
    def pick_three(key, log_probs, available, embeddings):
        return acquisition.badge(key, log_probs, available, batch_size=3, embeddings=embeddings)

    return jax.vmap(pick_three, (0, None, None, None))(keys, *arrays)


def many(probs, embeddings, available, seed):
    """Three picks for each of many keys from a pool of six points, and the explicit gradients."""
    log_probs, embeddings, rows = in_float32(probs, embeddings)
    keys = jax.random.split(jax.random.key(seed), NUM_KEYS)
    return jax.tree.map(np.asarray, _run_for_all(keys, log_probs, available, embeddings)), rows


def test_the_picks_after_the_first_follow_the_squared_distances():
    probs, embeddings = reference.random_probs(4, 6, 3, 3), np.random.default_rng(5).normal(size=(6, 2))
    picked, rows = many(probs, embeddings, np.arange(6) != 4, seed=0)

    def gains_after(batch):
        gains = reference.badge_gains(rows, batch)
        return gains if batch else np.where(np.arange(6) == np.argmax(gains * (np.arange(6) != 4)), gains, 0)

    assert_frequencies(picked.indices, reference.ordered_pick_probabilities(gains_after, [0, 1, 2, 3, 5], 3, 1.0))


def test_once_all_distances_are_zero_the_picks_are_uniform():
    # Points that are alike, and one that is not.
    copies = [0, 0, 1, 0, 0, 0]
    probs, embeddings = reference.random_probs(6, 2, 3, 3)[copies], np.random.default_rng(7).normal(size=(2, 2))[copies]
    picked, rows = many(probs, embeddings, np.arange(6) != 4, seed=1)
    assert np.argmax(reference.badge_gains(rows, [])) == 2
    orders = [(2, *others) for others in itertools.permutations([0, 1, 3, 5], 2)]
    assert_frequencies(picked.indices, dict.fromkeys(orders, 1 / len(orders)))
    assert np.all(picked.scores[:, 1] > 0)
    np.testing.assert_array_equal(picked.scores[:, 2], 0)


def test_a_certain_network_has_no_gradients_and_the_lowest_index_is_first():
    probs = np.zeros((NUM_POINTS, NUM_DRAWS, NUM_CLASSES))
    probs[..., 1] = 1
    picked = pick(probs, np.ones((NUM_POINTS, NUM_FEATURES)))
    assert picked.indices[0] == 0
    assert len(set(picked.indices.tolist())) == BATCH_SIZE
    np.testing.assert_array_equal(picked.scores, 0)


def test_the_explicit_gradients_are_never_formed():
    num_points, num_classes, num_features = 500, 50, 60
    lowered = run.lower(
        jax.eval_shape(lambda: jax.random.key(0)),
        jax.ShapeDtypeStruct((num_points, 2, num_classes), jnp.float32),
        jax.ShapeDtypeStruct((num_points,), bool),
        batch_size=10,
        embeddings=jax.ShapeDtypeStruct((num_points, num_features), jnp.float32),
    )
    sizes = [math.prod(map(int, shape.split("x"))) for shape in re.findall(r"tensor<([\dx]+)xf32>", lowered.as_text())]
    assert max(sizes) == num_points * 2 * num_classes
