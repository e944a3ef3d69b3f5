"""TypiClust and its k-means, on clusters that lie far apart and on points that do not."""

import jax
import numpy as np
import pytest
from sklearn.cluster import KMeans

from lbb_jax.acquisition.k_means import k_means
from lbb_jax.acquisition.typiclust import typiclust

pytestmark = pytest.mark.usefixtures("quick_compilation")

SIZES = (25, 40, 7, 3, 18, 30)
LABELS = np.repeat(np.arange(len(SIZES)), SIZES)
NUM_POINTS = len(LABELS)
_run = jax.jit(typiclust, static_argnames="batch_size")
_cluster = jax.jit(k_means, static_argnames=("most_clusters", "num_iterations"))


def far_apart(seed):
    rng = np.random.default_rng(seed)
    centres = np.zeros((len(SIZES), 6))
    np.fill_diagonal(centres, 1_000)
    return (centres[LABELS] + rng.normal(size=(NUM_POINTS, 6))).astype(np.float32)


def typicality(embeddings, members):
    rows = embeddings[members].astype(np.float64)
    distances = np.sort(np.linalg.norm(rows[:, None] - rows[None], axis=-1), axis=1)[:, 1:21]
    return 1 / (distances.mean(axis=1) + 1e-5)


def run(embeddings, available, batch_size, seed=0):
    picked = _run(
        jax.random.key(seed),
        np.full((len(embeddings), 1, 1), np.nan, np.float32),
        available,
        batch_size=batch_size,
        embeddings=embeddings,
    )
    return picked.indices.tolist(), np.asarray(picked.scores)


def test_the_most_typical_points_of_the_largest_clusters_without_a_label_are_picked():
    for seed in range(4):
        embeddings = far_apart(seed)
        # One label each in the clusters 1 and 4, so that six clusters are found for a batch of four.
        labelled = [int(np.flatnonzero(cluster == LABELS)[seed]) for cluster in (1, 4)]
        available = ~np.isin(np.arange(NUM_POINTS), labelled)
        indices, scores = run(embeddings, available, 4, seed)
        # The one of three points is small and comes last, after those that have a label.
        for index, score, cluster in zip(indices, scores, [5, 0, 2, 1], strict=True):
            members = np.flatnonzero(cluster == LABELS)
            expected = typicality(embeddings, members)
            expected[~available[members]] = -np.inf
            assert index == members[np.argmax(expected)]
            np.testing.assert_allclose(score, expected.max(), rtol=1e-3)


@pytest.mark.slow
def test_rubbish_of_points_that_are_not_available_is_no_label():
    embeddings = far_apart(0)
    rubbish = np.flatnonzero(LABELS == 1)[:4]
    available = ~np.isin(np.arange(NUM_POINTS), rubbish)
    embeddings[rubbish] = [[np.nan] * 6, [np.inf] * 6, [-np.inf] * 6, [np.nan] * 6]
    indices, scores = run(embeddings, available, 6)
    # The cluster of three points is small: it comes after those that have a pick.
    assert LABELS[indices].tolist() == [1, 5, 0, 4, 2, 1]
    assert np.all(np.isfinite(scores))


@pytest.mark.slow
def test_every_point_can_be_picked_and_none_twice():
    embeddings = np.random.default_rng(0).normal(size=(12, 2)).astype(np.float32)
    # Exact copies, too.
    embeddings[6:9] = embeddings[5]
    indices, scores = run(embeddings, np.arange(12) != 3, 11)
    assert sorted(indices) == [0, 1, 2, *range(4, 12)]
    assert np.all(scores >= 0)


def test_k_means_ends_as_good_as_scikit_learn():
    rng = np.random.default_rng(1)
    points = (rng.normal(size=(5, 3))[rng.integers(5, size=200)] * 3 + rng.normal(size=(200, 3))).astype(np.float32)
    included = np.arange(200) % 5 != 0
    rubbish = np.where(included[:, None], points, np.nan)
    costs = []
    for seed in range(5):
        found = _cluster(jax.random.key(seed), rubbish, included, 5, most_clusters=9, num_iterations=50)
        assignments = np.asarray(found.assignments)
        assert np.all(assignments[~included] == 9)
        assert set(assignments[included]) == set(range(5))
        # Lloyd's fixed point: centres are means, and points are with the nearest.
        means = np.stack([points[assignments == cluster].mean(axis=0) for cluster in range(5)])
        np.testing.assert_allclose(found.centres[:5], means, atol=1e-4)
        distances = np.linalg.norm(points[included][:, None] - means[None], axis=-1)
        np.testing.assert_array_equal(distances.argmin(axis=1), assignments[included])
        costs.append(np.sum(distances.min(axis=1) ** 2))
    best = KMeans(5, n_init=20, random_state=0).fit(points[included]).inertia_
    assert min(costs) <= best * 1.001


def test_there_are_no_more_clusters_than_distinct_points():
    points = np.eye(3, dtype=np.float32)[np.arange(200) % 3]
    found = _cluster(jax.random.key(0), points, np.ones(200, bool), 7, most_clusters=9, num_iterations=50)
    assert len(set(found.assignments.tolist())) == 3
