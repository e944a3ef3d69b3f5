"""Cluster-Margin: its clusters against SciPy's, and the turns in which it picks from them."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
import reference
from scipy.cluster import hierarchy

from lbb_jax.acquisition.cluster_margin import average_linkage, cluster_margin

pytestmark = pytest.mark.usefixtures("quick_compilation")

link = jax.jit(average_linkage)
_run = jax.jit(cluster_margin, static_argnames=("batch_size", "candidates_per_pick", "mean_cluster_size"))


def same_partition(one, other):
    return {frozenset(np.flatnonzero(one == label)) for label in one} == {
        frozenset(np.flatnonzero(other == label)) for label in other
    }


@pytest.mark.parametrize("num_clusters", [1, 3, 7, 20])
def test_clusters_are_those_of_scipy(num_clusters):
    for seed in range(5):
        rows = np.random.default_rng(seed).normal(size=(20, 3)).astype(np.float32)
        expected = hierarchy.cut_tree(hierarchy.linkage(rows, "average"), num_clusters)[:, 0]
        found = np.asarray(link(rows, np.ones(20, bool), num_clusters))
        assert same_partition(found, expected)
        # Each cluster has the name of its first member.
        assert all(label == np.flatnonzero(found == label)[0] for label in found)


@pytest.mark.parametrize("num_clusters", [1, 3, 7])
def test_of_equal_distances_the_first_is_joined(num_clusters):
    for seed in range(5):
        # Points of a small grid, some of them twice.
        rows = np.random.default_rng(seed).integers(3, size=(20, 2)).astype(np.float32)
        clusters = [[row] for row in range(20)]
        while len(clusters) > num_clusters:
            means = np.array([[distance(one, other, rows) for other in clusters] for one in clusters])
            means[np.arange(len(means)), np.arange(len(means))] = np.inf
            one, other = sorted(np.unravel_index(np.argmin(np.round(means, 4)), means.shape))
            clusters[one] += clusters.pop(other)
        expected = np.empty(20, int)
        for members in clusters:
            expected[members] = min(members)
        np.testing.assert_array_equal(link(rows, np.ones(20, bool), num_clusters), expected)


def distance(one, other, rows):
    return np.mean(np.linalg.norm(rows[one][:, None] - rows[other][None], axis=2))


def test_rows_that_do_not_count_are_in_no_cluster():
    rows = np.random.default_rng(0).normal(size=(20, 3)).astype(np.float32)
    included = np.arange(20) % 3 != 0
    found = np.asarray(link(np.where(included[:, None], rows, np.nan), included, 4))
    expected = hierarchy.cut_tree(hierarchy.linkage(rows[included], "average"), 4)[:, 0]
    assert same_partition(found[included], expected)
    np.testing.assert_array_equal(found[~included], np.flatnonzero(~included))


NUM_POINTS, NUM_PICKS = 30, 4


def pick(seed, available):
    probs = reference.random_probs(seed, NUM_POINTS, 5, 3)
    embeddings = np.random.default_rng(seed).normal(size=(NUM_POINTS, 2)).astype(np.float32)
    picked = _run(
        jax.random.key(seed),
        np.where(available[:, None, None], reference.log32(probs), np.nan),
        available,
        batch_size=NUM_PICKS,
        embeddings=np.where(available[:, None], embeddings, np.nan),
        candidates_per_pick=4,
        mean_cluster_size=3,
    )
    return probs, embeddings, jax.tree.map(np.asarray, picked)


@pytest.mark.parametrize("num_available", [30, 22, 9])
def test_clusters_of_the_smallest_margins_give_one_point_a_turn_small_ones_first(num_available):
    for seed in range(6):
        available = np.random.default_rng(seed).permutation(NUM_POINTS) < num_available
        probs, embeddings, picked = pick(seed, available)
        score = np.where(available, reference.margin_score(probs), -np.inf)
        candidates = np.argsort(-score, kind="stable")[: min(16, num_available)]
        num_clusters = -(-len(candidates) // 3)
        linkage = hierarchy.linkage(embeddings[candidates], "average")
        clusters = dict(zip(candidates, hierarchy.fcluster(linkage, num_clusters, "maxclust"), strict=True))
        left = {label: sum(other == label for other in clusters.values()) for label in clusters.values()}
        sizes = dict(left)
        assert set(picked.indices) <= set(candidates.tolist())
        assert len(set(picked.indices.tolist())) == NUM_PICKS
        np.testing.assert_allclose(picked.scores, score[picked.indices], atol=1e-6)
        turn = []
        for index in picked.indices:
            if not set(left) - set(turn):
                turn = []
            label = clusters[index]
            assert sizes[label] == min(sizes[other] for other in set(left) - set(turn))
            turn.append(label)
            left[label] -= 1
            if left[label] == 0:
                del left[label]


def test_within_a_cluster_every_point_is_as_likely():
    # Four candidates in one cluster, of which one is picked.
    probs = np.concatenate([np.tile([[[0.5, 0.5]]], (4, 1, 1)), np.tile([[[0.9, 0.1]]], (4, 1, 1))])
    keys = jax.random.split(jax.random.key(0), 4_000)
    embeddings = jnp.zeros((8, 1))

    def pick_one(key):
        return cluster_margin(
            key, reference.log32(probs), jnp.ones(8, bool), batch_size=1, embeddings=embeddings, candidates_per_pick=4
        ).indices[0]

    counts = np.bincount(jax.jit(jax.vmap(pick_one))(keys), minlength=8)
    assert counts[4:].sum() == 0
    # The standard deviation of a count is 27.
    assert np.all(np.abs(counts[:4] - 1_000) < 110)


def test_a_cluster_may_be_larger_than_the_pool():
    pool = jnp.asarray(reference.log32(reference.random_probs(0, 8, 3, 3)))
    one, other = (
        _run(jax.random.key(0), pool, jnp.ones(8, bool), batch_size=3, mean_cluster_size=size) for size in (8, 10**10)
    )
    np.testing.assert_array_equal(one.indices, other.indices)
