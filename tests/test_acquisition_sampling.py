"""The methods that sample, step by step, by the frequencies of their picks over many keys."""

import collections
import functools

import jax
import numpy as np
import pytest
import reference
import variants
from scipy import stats
from slow_parts import slow_but, slow_rows_but

pytestmark = pytest.mark.usefixtures("quick_compilation")

NUM_KEYS = 20_000
NUM_PLACES = 6
# Each chi-square test below would reject the right distribution for one seed in a thousand; the seeds are fixed.
SIGNIFICANCE = 1e-3
SAMPLERS = (
    *("power_bald", "power_lbb", "power_lbb tree", "lbb_released power", "epig power"),
    *("margin softmax", "bald softrank"),
)


def assert_frequencies(indices: np.ndarray, possible: dict[tuple[int, ...], float]) -> None:
    """The rows of ``indices`` are samples of a distribution: of the sequences, and of every pick by itself."""
    observed = collections.Counter(map(tuple, indices.tolist()))
    assert set(observed) <= set(possible)
    # Rare sequences are counted together, as the test needs five of each on average.
    common = [sequence for sequence, p in possible.items() if p * len(indices) >= 5]
    counts = [observed[sequence] for sequence in common]
    expected = [possible[sequence] * len(indices) for sequence in common]
    if len(common) < len(possible):
        counts.append(len(indices) - sum(counts))
        expected.append(len(indices) - sum(expected))
    assert stats.chisquare(counts, expected).pvalue > SIGNIFICANCE
    for place in range(indices.shape[1]):
        by_point = np.zeros(1 + max(max(sequence) for sequence in possible))
        for sequence, probability in possible.items():
            by_point[sequence[place]] += probability
        points = np.flatnonzero(by_point * len(indices) >= 5)
        seen = np.array([np.sum(indices[:, place] == point) for point in points])
        if len(points) > 1 and seen.sum() == len(indices):
            assert stats.chisquare(seen, by_point[points] / by_point[points].sum() * len(indices)).pvalue > SIGNIFICANCE


def sample(name, probs, num_picks, *, seed, available=None, alpha=1.0, **numbers):
    """The first ``num_picks`` picks for each of many keys.

    A batch begins with the smaller batch, which the tests of all methods hold; so one program with places for six
    points, of which some are not available, makes every pick that the tests below look at.
    """
    missing = NUM_PLACES - len(probs)
    padded = np.concatenate([probs, np.full((missing, *probs.shape[1:]), np.nan)])
    mask = np.ones(len(probs), bool) if available is None else available
    mask = np.concatenate([mask, np.zeros(missing, bool)])
    if name == "power_lbb":
        numbers = {"pair_weight": 1.0, **numbers}
    picked = variants.pick_for_many_keys(
        name, padded, NUM_PLACES, NUM_KEYS, seed=seed, available=mask, alpha=alpha, **numbers
    )
    # Where all that are available are picked, nothing else is.
    np.testing.assert_array_equal(picked.indices[:, mask.sum() :], -1)
    return jax.tree.map(lambda leaf: leaf[:, :num_picks], picked)


def expected_frequencies(name, probs, num_picks, alpha, available=None):
    points = np.arange(len(probs)) if available is None else np.flatnonzero(available)
    gains_after = variants.gains_of(name, probs, available)
    sampling = variants.VARIANTS[name][1].get("sampling", "power")
    if sampling == "softmax":
        gains_after = functools.partial(lambda scores, batch: np.exp(scores), gains_after([]))
    elif sampling == "softrank":
        inverse_ranks = np.zeros(len(probs))
        inverse_ranks[points] = 1 / stats.rankdata(-gains_after([])[points], method="ordinal")
        gains_after = functools.partial(lambda inverse, batch: inverse, inverse_ranks)
    return reference.ordered_pick_probabilities(gains_after, points.tolist(), num_picks, alpha)


def informative_pool() -> np.ndarray:
    """``[5, 4, 3]``, points of different BALD that share information."""
    return reference.random_probs(9, 5, 4, 3, "sharp")


def half_empty_pool() -> np.ndarray:
    """``[6, 4, 3]``: points 0, 2 and 3 tell something about the draw, the others nothing."""
    probs = reference.random_probs(0, 6, 4, 3, "identical draws")
    probs[[0, 2, 3]] = informative_pool()[:3]
    return probs


@pytest.mark.slow
@pytest.mark.parametrize("name", SAMPLERS)
@pytest.mark.parametrize("alpha", [1.0, 3.0])
def test_first_two_picks_follow_the_powers_of_their_gains(name, alpha):
    probs = informative_pool()
    picked = sample(name, probs, 2, seed=0, alpha=alpha)
    assert_frequencies(picked.indices, expected_frequencies(name, probs, 2, alpha))


@pytest.mark.slow
@pytest.mark.parametrize("name", SAMPLERS)
def test_three_picks_in_turn_follow_the_gains_that_are_left(name):
    probs = informative_pool()
    picked = sample(name, probs, 3, seed=1)
    assert_frequencies(picked.indices, expected_frequencies(name, probs, 3, 1.0))


@pytest.mark.parametrize("name", slow_but(SAMPLERS, "power_bald"))
def test_only_available_points_take_part(name):
    probs, available = informative_pool(), np.array([True, False, True, True, True])
    probs[1] = np.nan
    picked = sample(name, probs, 2, seed=2, available=available, alpha=2.0)
    probs[1] = 1 / 3
    assert_frequencies(picked.indices, expected_frequencies(name, probs, 2, 2.0, available))


@pytest.mark.parametrize("name", slow_but(["power_bald", "power_lbb tree"], "power_bald"))
def test_points_without_information_come_last_and_in_any_order(name):
    probs = half_empty_pool()
    picked = sample(name, probs, 6, seed=3)
    expected = expected_frequencies(name, probs, 6, 1.0)
    assert len(expected) == 36
    assert_frequencies(picked.indices, expected)
    np.testing.assert_array_equal(picked.scores[:, 3:], 0)


@pytest.mark.slow
def test_points_whose_gain_is_used_up_are_picked_with_those_that_never_had_one():
    # Three copies of a point share so much that, by the pairwise sum, the second or third copy has nothing to add.
    probs = half_empty_pool()[[0, 0, 0, 1, 4]]
    gains = variants.gains_of("power_lbb", probs)
    assert gains([0])[1] > 1e-3
    assert gains([0, 1])[2] < -1e-3
    picked = sample("power_lbb", probs, 5, seed=4)
    expected = expected_frequencies("power_lbb", probs, 5, 1.0)
    assert 0 < len(expected) < 120
    assert_frequencies(picked.indices, expected)


@pytest.mark.slow
@pytest.mark.parametrize("name", ["power_lbb", "power_lbb tree"])
def test_every_order_of_a_whole_pool_has_its_probability(name):
    probs = informative_pool()[:4]
    picked = sample(name, probs, 4, seed=5)
    assert_frequencies(picked.indices, expected_frequencies(name, probs, 4, 1.0))


@pytest.mark.slow
def test_printed_formula_counts_every_pair_twice():
    probs = informative_pool()

    def gains_after(batch):
        return reference.lbb_gains(probs, batch, pair_weight=2.0)

    picked = sample("power_lbb", probs, 3, seed=6, pair_weight=2.0)
    assert_frequencies(picked.indices, reference.ordered_pick_probabilities(gains_after, list(range(5)), 3, 1.0))


@pytest.mark.parametrize("name", slow_but(["power_bald", "power_lbb tree", "bald softrank"], "power_bald"))
def test_alpha_of_zero_is_uniform_whatever_the_gains(name):
    picked = sample(name, half_empty_pool(), 2, seed=7, alpha=0.0)
    uniform = {(i, j): 1 / 30 for i in range(6) for j in range(6) if i != j}
    assert_frequencies(picked.indices, uniform)


def test_random_is_uniform_over_available_points():
    available = np.array([True, True, False, True, True, False])
    picked = variants.pick_for_many_keys("random", half_empty_pool(), 3, NUM_KEYS, seed=8, available=available)
    points = np.flatnonzero(available).tolist()
    orders = {(i, j, k): 1 / 24 for i in points for j in points for k in points if len({i, j, k}) == 3}
    assert_frequencies(picked.indices, orders)
    np.testing.assert_array_equal(picked.scores, 0)


# No two best points are close in this pool.
CLEAR = reference.random_probs(2, 12, 6, 3, "sharp")


@pytest.mark.parametrize("alpha", [1e6, 1e30])
@pytest.mark.parametrize(
    ("name", "greedy"),
    slow_rows_but(
        [
            ("power_bald", "bald"),
            ("power_lbb tree", "lbb tree"),
            ("margin softmax", "margin"),
            ("bald softrank", "bald"),
        ],
        ("power_bald", "bald"),
    ),
)
def test_large_alpha_picks_the_best(name, greedy, alpha):
    picked = variants.pick_for_many_keys(name, CLEAR, 4, 50, alpha=alpha)
    np.testing.assert_array_equal(picked.indices, np.tile(variants.pick(greedy, CLEAR, 4).indices, (50, 1)))


@pytest.mark.parametrize(
    "name", slow_but(["power_bald", "power_lbb", "power_lbb tree", "margin softmax"], "power_bald")
)
def test_scores_are_the_gains_when_picked(name):
    gains_after = variants.gains_of(name, CLEAR)
    picked = variants.pick_for_many_keys(name, CLEAR, 4, 50, seed=10, alpha=2.0)
    for indices, scores in zip(picked.indices, picked.scores, strict=True):
        expected = [gains_after(indices[:place].tolist())[index] for place, index in enumerate(indices)]
        np.testing.assert_allclose(scores, expected, rtol=0, atol=2e-5)


@pytest.mark.slow
def test_many_points_of_a_large_pool_share_the_picks_evenly():
    # 4,000 copies of a point in one pool, and only one of them is picked: low indices must not be favoured.
    probs = np.repeat(informative_pool()[:1], 4_000, axis=0)
    picked = variants.pick_for_many_keys("power_bald", probs, 1, 2_000, seed=9)
    tenths = np.bincount(picked.indices[:, 0] // 400, minlength=10)
    assert stats.chisquare(tenths).pvalue > SIGNIFICANCE
    assert len(np.unique(picked.indices)) > 1_400


def test_equal_scores_are_ranked_by_their_index():
    # Four copies: of these the first is picked with 1 / (1 + 1/2 + 1/3 + 1/4), the second with half of that.
    probs = informative_pool()[[0, 0, 0, 0]]
    picked = sample("bald softrank", probs, 1, seed=11)
    assert_frequencies(picked.indices, {(i,): 12 / 25 / (i + 1) for i in range(4)})
