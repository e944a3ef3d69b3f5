"""The deterministic methods against the reference greedy, and what must hold of any gains."""

import jax
import numpy as np
import pytest
import reference
import strategies
import variants
from hypothesis import given
from hypothesis import strategies as st
from slow_parts import slow_but

# [points, draws, classes], and the points picked. Every shape is a program for each method: there are few.
POOLS = ((7, 4, 3), (6, 3, 4))
LARGE_POOL = (99, 7, 10)
BATCH_SIZE = 4
# What differs by less may be picked in either order, and scores may be off by this much.
GAP, TOLERANCE = 1e-5, 2e-5

# The methods whose picks are the same for the same predictions.
OF_PREDICTIONS = [name for name in variants.GREEDY if name not in variants.WITH_EMBEDDINGS]
BOUNDED = ("batch_bald", "lbb tree")


def assert_greedy(picked, gains_after, available):
    """Every pick is among the best that the reference knows after the picks before it, and is worth its score."""
    batch = []
    for index, score in zip(picked.indices, picked.scores, strict=True):
        gains = gains_after(batch)
        remaining = [x for x in np.flatnonzero(available) if x not in batch]
        assert index in remaining
        assert gains[index] >= max(gains[remaining]) - GAP
        np.testing.assert_allclose(score, gains[index], rtol=0, atol=TOLERANCE)
        batch.append(int(index))


def assert_totals(name, probs, picked):
    """What holds of the sum of the gains of a batch."""
    batch, total = probs[picked.indices], picked.scores.sum()
    if name == "batch_bald":
        np.testing.assert_allclose(total, reference.batch_bald(batch), rtol=0, atol=TOLERANCE)
    elif name == "lbb":
        expected = reference.bald(batch).sum() - reference.pairwise_total_correlation(batch)
        np.testing.assert_allclose(total, expected, rtol=0, atol=TOLERANCE)
    elif name == "lbb tree":
        best_tree = reference.bald(batch).sum() - reference.tree_total_correlation(batch)
        assert total >= best_tree - TOLERANCE
        assert best_tree >= reference.batch_bald(batch) - TOLERANCE


@pytest.mark.parametrize("name", slow_but(OF_PREDICTIONS, "bald", "lbb"))
@pytest.mark.parametrize("shape", slow_but(POOLS, POOLS[0]), ids=str)
@given(seed=st.integers(0, 2**20), kind=st.sampled_from(reference.KINDS))
def test_every_pick_is_the_best_and_its_score_is_its_gain(name, shape, seed, kind):
    probs = reference.random_probs(seed, *shape, kind)
    everything, some = np.ones(len(probs), bool), np.arange(len(probs)) % 3 != 0
    picked = variants.pick(name, probs, BATCH_SIZE)
    assert_greedy(picked, variants.gains_of(name, probs), everything)
    masked = variants.pick(name, probs, BATCH_SIZE, available=some)
    assert_greedy(masked, variants.gains_of(name, probs, some), some)
    assert_totals(name, probs, picked)
    if name in (*BOUNDED, "lbb", "lbb printed"):
        assert np.all(np.diff(picked.scores) <= 2e-6)
        assert np.all(picked.scores <= reference.bald(probs)[picked.indices] + 2e-6)
    if name in BOUNDED:
        assert np.all(picked.scores >= 0)
    if name in ("lbb", "lbb tree"):
        # Batches of two have the gains of BatchBALD.
        pair = jax.tree.map(lambda leaf: leaf[:2], picked)
        assert_greedy(pair, variants.gains_of("batch_bald", probs), everything)


@pytest.mark.slow
@pytest.mark.parametrize("name", ["batch_bald sampled", "power_lbb tree"])
@given(probs=strategies.batches(shapes=POOLS[:1]))
def test_sampled_gains_are_never_negative_and_batch_bald_begins_with_bald(name, probs):
    picked = variants.pick(name, probs, BATCH_SIZE)
    assert np.all(picked.scores >= 0)
    if name == "batch_bald sampled":
        first = jax.tree.map(lambda leaf: leaf[:1], picked)
        assert_greedy(first, variants.gains_of("bald", probs), np.ones(len(probs), bool))


@pytest.mark.parametrize("name", slow_but(OF_PREDICTIONS, "bald", "lbb"))
def test_picks_of_the_whole_greedy_run(name):
    # Here the reference runs by itself, and no step is close.
    probs = reference.random_probs(10, *POOLS[0], "sharp")
    batch, gains, gaps = reference.greedy(variants.gains_of(name, probs), len(probs), BATCH_SIZE)
    assert min(gaps) > 5 * GAP
    picked = variants.pick(name, probs, BATCH_SIZE)
    np.testing.assert_array_equal(picked.indices, batch)
    np.testing.assert_allclose(picked.scores, gains, rtol=0, atol=TOLERANCE)


@pytest.mark.slow
def test_known_values():
    picked = variants.pick("batch_bald", reference.known_case(), 4)
    assert sorted(picked.indices) == [0, 1, 2, 3]
    np.testing.assert_allclose(np.cumsum(picked.scores), reference.KNOWN_BATCH_BALD, rtol=0, atol=2e-6)
    bald = variants.pick("bald", reference.known_case(), 4)
    np.testing.assert_allclose(bald.scores, reference.KNOWN_BALD, rtol=0, atol=1e-6)


@pytest.mark.parametrize("name", slow_but(OF_PREDICTIONS, "bald"))
def test_identical_points_are_taken_in_order(name):
    num_points, num_draws, num_classes = LARGE_POOL
    probs = np.repeat(reference.random_probs(1, 1, num_draws, num_classes), num_points, axis=0)
    np.testing.assert_array_equal(variants.pick(name, probs, BATCH_SIZE).indices, [0, 1, 2, 3])


@pytest.mark.parametrize("name", slow_but(OF_PREDICTIONS, "bald"))
@pytest.mark.parametrize("seed", range(3))
def test_exact_copies_go_to_the_lowest_index(name, seed):
    num_points, num_draws, num_classes = LARGE_POOL
    distinct = reference.random_probs(seed, num_points // 3, num_draws, num_classes, "sharp")
    # Three copies of every point, in any order.
    original = np.random.default_rng(seed).permutation(np.repeat(np.arange(len(distinct)), 3))
    for picks_before, index in enumerate(picks := variants.pick(name, distinct[original], BATCH_SIZE).indices):
        copies = set(np.flatnonzero(original == original[index])) - set(picks[:picks_before])
        assert index == min(copies)


@pytest.mark.parametrize(
    "name",
    slow_but(
        ["bald", "batch_bald", "batch_bald sampled", "lbb", "lbb printed", "lbb tree", "lbb_released", "epig"],
        "bald",
    ),
)
@pytest.mark.parametrize("kind", ["smooth", "sharp"])
def test_information_that_is_only_rounding_is_a_tie(name, kind):
    # All draws agree, so that nothing tells anything: the lowest indices, each with the score 0.
    num_points, num_draws, num_classes = LARGE_POOL
    probs = reference.random_probs(4, num_points, 1, num_classes, kind).repeat(num_draws, axis=1)
    picked = variants.pick(name, probs, BATCH_SIZE)
    np.testing.assert_array_equal(picked.indices, np.arange(BATCH_SIZE))
    np.testing.assert_array_equal(picked.scores, 0)


def test_pairwise_gains_go_negative_and_points_without_information_come_next():
    # Six copies of a point that says much, and one point that says nothing: Eq. 2.12 prefers the latter.
    certain_but_for_one_draw = [[0.9, 0.05, 0.05]] * 3 + [[0.05, 0.05, 0.9]]
    probs = np.array([certain_but_for_one_draw] * 6 + [[[1 / 3] * 3] * 4])
    bald = reference.bald(probs)[0]
    link = reference.pairwise_information(probs[:1], probs[:1])[0, 0]
    num_positive = int(bald / link) + 1
    picked = variants.pick("lbb", probs, BATCH_SIZE)
    assert num_positive == 2
    np.testing.assert_array_equal(picked.indices, [0, 1, 6, 2])
    np.testing.assert_allclose(picked.scores, [bald, bald - link, 0, bald - 2 * link], atol=TOLERANCE)
    assert picked.scores[2] == 0
    assert picked.scores[3] < -0.01


@pytest.mark.slow
def test_lbb_with_pairs_once_has_the_known_values_of_two_bald():
    probs = np.tile(reference.known_case(), (10, 1, 1))
    _, gains, _ = reference.greedy(lambda batch: reference.lbb_gains(probs, batch), len(probs), 5)
    np.testing.assert_allclose(np.cumsum(gains), reference.KNOWN_TWO_BALD, rtol=0, atol=1e-9)
    picked = variants.pick("lbb", probs, 5)
    np.testing.assert_allclose(np.cumsum(picked.scores), reference.KNOWN_TWO_BALD, rtol=0, atol=2e-6)
    # Two points of a batch of two: BatchBALD. After that the sum over pairs takes off too much.
    joint = [reference.batch_bald(probs[picked.indices[:size]]) for size in range(1, 6)]
    np.testing.assert_allclose(joint[:2], reference.KNOWN_TWO_BALD[:2], rtol=0, atol=1e-9)
    assert np.all(np.array(joint[2:]) > reference.KNOWN_TWO_BALD[2:])
    np.testing.assert_allclose(
        np.cumsum(variants.pick("batch_bald", probs, 5).scores)[-1], reference.KNOWN_BATCH_BALD_OF_FIVE, atol=2e-6
    )
