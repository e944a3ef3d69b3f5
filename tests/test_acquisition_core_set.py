"""Core-set: its centres, copies of these, and what it does without any."""

import jax
import numpy as np
import pytest
import reference
import variants

from lbb_jax import acquisition

pytestmark = pytest.mark.usefixtures("quick_compilation")

NUM_POINTS = 12

_run = jax.jit(acquisition.core_set, static_argnames="batch_size")


def pick(embeddings, available=None, batch_size=4):
    log_probs = np.zeros((NUM_POINTS, 1, 1), np.float32)
    available = np.ones(NUM_POINTS, bool) if available is None else available
    embeddings = np.asarray(embeddings, np.float32).reshape(NUM_POINTS, 1)
    picked = _run(jax.random.key(0), log_probs, available, batch_size=batch_size, embeddings=embeddings)
    return picked.indices.tolist(), picked.scores.tolist()


LINE = np.arange(12.0)


def test_picks_are_as_far_as_can_be_from_labelled_points_and_from_each_other():
    # 0 and 8 are labelled: 4 lies halfway, then 11 is 3 away, then 2 and 6 are 2 away each.
    indices, scores = pick(LINE, ~np.isin(LINE, [0, 8]))
    assert indices == [4, 11, 2, 6]
    assert scores == [4, 3, 2, 2]


def test_without_labelled_points_the_first_is_farthest_from_the_mean():
    # The mean is 5.5, as far from 0 as from 11, and once points are picked it counts no more.
    indices, scores = pick(LINE)
    assert indices == [0, 11, 5, 8]
    assert scores == [5.5, 11, 5, 3]


@pytest.mark.parametrize("rubbish", [np.nan, np.inf, -np.inf])
def test_points_without_an_embedding_are_no_centres(rubbish):
    embeddings = np.where(np.isin(LINE, [3, 5]), rubbish, LINE)
    available = ~np.isin(LINE, [0, 3, 5, 8])
    indices, scores = pick(embeddings, available)
    assert indices == [4, 11, 2, 6]
    assert scores == [4, 3, 2, 2]
    # Nor does one that is alone make all the others infinitely far.
    _, scores = pick(np.where(LINE == 3, rubbish, LINE), LINE != 3)
    assert scores[1:3] == [11, 5]


def test_exact_copies_of_centres_are_worth_nothing_and_come_last_by_index():
    embeddings = np.random.default_rng(0).normal(size=3)[[0, 1, 2] * 4]
    indices, scores = pick(embeddings, LINE != 4, batch_size=11)
    # 4 is labelled, and so nothing is left of 1, 7 and 10.
    assert {index % 3 for index in indices[:2]} == {0, 2}
    assert all(index < 3 for index in indices[:2])
    assert indices[2:] == sorted(indices[2:])
    assert scores[2:] == [0] * 9


def test_it_looks_at_no_prediction():
    pools = [reference.random_probs(seed, NUM_POINTS, 4, 3, "sharp") for seed in range(2)]
    one, other = (variants.pick("core_set", probs, 5, seed=seed) for seed, probs in enumerate(pools))
    np.testing.assert_array_equal(one.indices, other.indices)
    np.testing.assert_array_equal(one.scores, other.scores)
