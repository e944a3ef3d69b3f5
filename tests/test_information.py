import functools

import jax
import jax.numpy as jnp
import numpy as np
import pytest
import reference
import strategies
from hypothesis import given
from hypothesis import strategies as st

from lbb_jax import entropy, information

# One compilation for each shape, whatever the number of examples.
mutual_information = jax.jit(information.mutual_information)
pairwise_mutual_information = jax.jit(information.pairwise_mutual_information)
joint_mutual_information = jax.jit(information.joint_mutual_information)
total_correlation = jax.jit(information.total_correlation)
pairwise_total_correlation = jax.jit(information.pairwise_total_correlation)
tree_total_correlation = jax.jit(information.tree_total_correlation)

# What sums of a few float32 entropies may be wrong by, where the library is compared with itself.
ROUNDING = 5e-6


@jax.jit
def pairs_within(log_probs):
    return information.pairwise_mutual_information(log_probs, log_probs)


FUNCTIONS = [
    pytest.param(mutual_information, reference.bald, id="bald"),
    pytest.param(pairs_within, lambda probs: reference.pairwise_information(probs, probs), id="pairwise"),
    pytest.param(joint_mutual_information, reference.batch_bald, id="joint"),
    pytest.param(total_correlation, reference.total_correlation, id="total_correlation"),
    pytest.param(pairwise_total_correlation, reference.pairwise_total_correlation, id="pairwise_total_correlation"),
    pytest.param(tree_total_correlation, reference.tree_total_correlation, id="tree_total_correlation"),
]


@functools.cache
def gradient_of_sum(function):
    return jax.jit(jax.grad(lambda log_probs: jnp.sum(function(log_probs))))


@pytest.mark.parametrize(("function", "expected"), FUNCTIONS)
@given(probs=strategies.batches())
def test_equals_the_brute_force(function, expected, probs):
    np.testing.assert_allclose(function(reference.log32(probs)), expected(probs), rtol=0, atol=2e-5)


@pytest.mark.parametrize(("function", "expected"), FUNCTIONS)
@given(probs=strategies.batches())
def test_is_never_negative(function, expected, probs):
    del expected
    assert jnp.all(function(reference.log32(probs)) >= 0)


@pytest.mark.parametrize(("function", "expected"), FUNCTIONS)
@given(probs=strategies.batches(kinds=("identical draws",)))
def test_identical_draws_hold_no_information(function, expected, probs):
    del expected
    assert jnp.all(function(reference.log32(probs)) <= 1e-6)


@given(strategies.batches())
def test_bald_exceeds_batch_bald_by_the_total_correlation(probs):
    log_probs = reference.log32(probs)
    excess = jnp.sum(mutual_information(log_probs)) - joint_mutual_information(log_probs)
    np.testing.assert_allclose(excess, total_correlation(log_probs), rtol=0, atol=ROUNDING)


@given(strategies.batches())
def test_batch_bald_is_at_most_the_entropy_of_the_draws_and_the_sum_of_bald(probs):
    log_probs = reference.log32(probs)
    joint = joint_mutual_information(log_probs)
    assert joint <= np.log(probs.shape[1]) + ROUNDING
    assert joint <= jnp.sum(mutual_information(log_probs)) + ROUNDING


@given(strategies.batches(shapes=((4, 5, 3),)))
def test_batch_bald_never_falls_when_a_point_is_added(probs):
    log_probs = reference.log32(probs)
    totals = jnp.stack([joint_mutual_information(log_probs[:size]) for size in range(1, len(probs) + 1)])
    assert jnp.all(jnp.diff(totals) >= -ROUNDING)


@given(strategies.batches())
def test_pairwise_information_is_at_most_that_of_either_point_about_the_draws(probs):
    log_probs = reference.log32(probs)
    scores = mutual_information(log_probs)
    bound = jnp.minimum(scores[:, None], scores[None, :])
    assert jnp.all(pairs_within(log_probs) <= bound + ROUNDING)


@given(strategies.batches())
def test_pairwise_information_is_symmetric(probs):
    pairs = pairs_within(reference.log32(probs))
    np.testing.assert_allclose(pairs, pairs.T, rtol=0, atol=ROUNDING)


@given(st.integers(0, 2**20), st.sampled_from(reference.KINDS))
def test_pairwise_information_of_two_sets_of_different_size(seed, kind):
    a, b = reference.random_probs(seed, 3, 4, 3, kind), reference.random_probs(seed + 1, 2, 4, 3, kind)
    pairs = pairwise_mutual_information(reference.log32(a), reference.log32(b))
    assert pairs.shape == (3, 2)
    np.testing.assert_allclose(pairs, reference.pairwise_information(a, b), rtol=0, atol=2e-5)


@pytest.mark.parametrize("kind", reference.KINDS)
@pytest.mark.parametrize("shape", [(7, 5, 3), (3, 40, 4), (4, 1, 1)])
def test_information_of_one_pair_after_the_other_is_the_diagonal(shape, kind):
    a, b = (reference.random_probs(seed, *shape, kind) for seed in (0, 1))
    paired = jax.jit(information.paired_mutual_information)(reference.log32(a), reference.log32(b))
    expected = np.diag(reference.pairwise_information(a, b))
    np.testing.assert_allclose(paired, expected, rtol=0, atol=2e-5)


@given(strategies.batches(shapes=((1, 3, 4),)))
def test_batch_bald_and_lbb_of_one_point_are_its_bald(probs):
    log_probs = reference.log32(probs)
    np.testing.assert_allclose(joint_mutual_information(log_probs), mutual_information(log_probs)[0], atol=ROUNDING)
    for redundancy in (total_correlation, pairwise_total_correlation, tree_total_correlation):
        assert redundancy(log_probs) <= ROUNDING


@given(strategies.batches(shapes=((2, 5, 3), (2, 3, 6))))
def test_lbb_of_two_points_is_batch_bald(probs):
    # Which only holds if each pair is counted once.
    log_probs = reference.log32(probs)
    exact = joint_mutual_information(log_probs)
    for redundancy in (pairwise_total_correlation, tree_total_correlation):
        lbb = jnp.sum(mutual_information(log_probs)) - redundancy(log_probs)
        np.testing.assert_allclose(lbb, exact, rtol=0, atol=ROUNDING)


@given(strategies.batches())
def test_tree_is_at_most_the_total_correlation_and_the_sum_over_all_pairs(probs):
    log_probs = reference.log32(probs)
    tree = tree_total_correlation(log_probs)
    assert tree <= total_correlation(log_probs) + ROUNDING
    assert tree <= pairwise_total_correlation(log_probs) + ROUNDING


@pytest.mark.parametrize("pair_weight", [0.0, 0.5, 2.0])
def test_pair_weight_scales_the_sum_over_pairs(pair_weight):
    probs = reference.random_probs(0, 4, 5, 3)
    value = pairwise_total_correlation(reference.log32(probs), pair_weight=pair_weight)
    np.testing.assert_allclose(value, reference.pairwise_total_correlation(probs, pair_weight), rtol=0, atol=2e-5)


@pytest.mark.parametrize(("function", "expected"), FUNCTIONS)
@given(permuted=strategies.permuted_batches())
def test_order_of_points_draws_and_classes_is_irrelevant(function, expected, permuted):
    del expected
    probs, reordered, points = permuted
    before, after = function(reference.log32(probs)), function(reference.log32(reordered[points]))
    for axis in range(before.ndim):
        before = jnp.take(before, points, axis=axis)
    np.testing.assert_allclose(after, before, rtol=0, atol=ROUNDING)


def test_known_values():
    log_probs = reference.log32(reference.known_case())
    np.testing.assert_allclose(mutual_information(log_probs), reference.KNOWN_BALD, rtol=0, atol=1e-6)
    totals = [joint_mutual_information(log_probs[:size]) for size in (1, 2, 3, 4)]
    np.testing.assert_allclose(totals, reference.KNOWN_BATCH_BALD, rtol=0, atol=2e-6)


def test_known_values_in_float64():
    with jax.enable_x64(True):
        log_probs = jnp.asarray(reference.log64(reference.known_case()))
        np.testing.assert_allclose(mutual_information(log_probs), reference.KNOWN_BALD, rtol=0, atol=1e-11)
        totals = [joint_mutual_information(log_probs[:size]) for size in (1, 2, 3, 4)]
    np.testing.assert_allclose(totals, reference.KNOWN_BATCH_BALD, rtol=0, atol=1e-10)


def test_certain_draws_that_disagree_share_all_they_know():
    # Two draws, certain of different labels: each label tells which draw it is, and so does every other label.
    log_probs = reference.log32(np.array([[[1.0, 0.0], [0.0, 1.0]]] * 4))
    np.testing.assert_allclose(mutual_information(log_probs), np.log(2), rtol=1e-6)
    np.testing.assert_allclose(joint_mutual_information(log_probs), np.log(2), rtol=1e-6)
    np.testing.assert_allclose(total_correlation(log_probs), 3 * np.log(2), rtol=1e-6)
    np.testing.assert_allclose(tree_total_correlation(log_probs), 3 * np.log(2), rtol=1e-6)
    np.testing.assert_allclose(pairwise_total_correlation(log_probs), 6 * np.log(2), rtol=1e-6)


@pytest.mark.parametrize(("function", "expected"), FUNCTIONS)
@pytest.mark.parametrize("kind", reference.KINDS)
def test_float64_agrees_to_float64_precision(function, expected, kind):
    probs = reference.random_probs(1, 4, 5, 3, kind)
    with jax.enable_x64(True):
        value = function(jnp.asarray(reference.log64(probs)))
        assert value.dtype == jnp.float64
    np.testing.assert_allclose(value, expected(probs), rtol=0, atol=1e-10)


@pytest.mark.parametrize(("function", "expected"), FUNCTIONS)
@pytest.mark.parametrize("kind", reference.KINDS)
def test_gradients_are_finite(function, expected, kind):
    del expected
    gradient = gradient_of_sum(function)(reference.log32(reference.random_probs(2, 4, 5, 3, kind)))
    assert jnp.all(jnp.isfinite(gradient))
    assert kind != "smooth" or jnp.any(gradient != 0)


@pytest.mark.parametrize(("function", "expected"), FUNCTIONS)
def test_vmap_over_batches_equals_one_after_the_other(function, expected):
    del expected
    batches = jnp.stack([reference.log32(reference.random_probs(seed, 4, 5, 3, "zeros")) for seed in range(3)])
    one_by_one = jnp.stack([function(batch) for batch in batches])
    np.testing.assert_allclose(jax.vmap(function)(batches), one_by_one, rtol=0, atol=ROUNDING)


@pytest.mark.parametrize(("function", "expected"), FUNCTIONS)
def test_without_jit_the_same(function, expected):
    del expected
    log_probs = jnp.asarray(reference.log32(reference.random_probs(3, 4, 5, 3, "zeros")))
    with jax.disable_jit():
        value = function(log_probs)
    np.testing.assert_allclose(value, function(log_probs), rtol=0, atol=ROUNDING)


def test_many_pairs_with_many_classes():
    # 81 million joint probabilities: many blocks of rows. The reference is the brute force, on pairs drawn at random.
    a, b = reference.random_probs(4, 300, 3, 30, "sharp"), reference.random_probs(5, 300, 3, 30, "sharp")
    pairs = np.asarray(pairwise_mutual_information(reference.log32(a), reference.log32(b)))
    assert pairs.shape == (300, 300)
    chosen = np.random.default_rng(0).integers(300, size=(400, 2))
    # The last rows and columns are where blocks that do not divide the size would go wrong.
    chosen = np.concatenate([chosen, [[0, 0], [299, 299], [299, 0], [0, 299], [298, 297]]])
    expected = [reference.pairwise_information(a[i : i + 1], b[j : j + 1])[0, 0] for i, j in chosen]
    np.testing.assert_allclose(pairs[tuple(chosen.T)], expected, rtol=0, atol=2e-5)


@pytest.mark.parametrize(("shape_a", "shape_b"), [((3, 4, 2), (3, 5, 2)), ((3, 4, 2), (3, 4, 3))])
def test_pairwise_refuses_different_draws_or_classes(shape_a, shape_b):
    with pytest.raises(ValueError, match=r"a\[3, 4, 2\] and b\[3, .*agree"):
        information.pairwise_mutual_information(jnp.zeros(shape_a), jnp.zeros(shape_b))


@pytest.mark.parametrize("function", [information.joint_mutual_information, information.total_correlation])
def test_refuses_more_than_ten_million_configurations(function):
    with pytest.raises(ValueError, match="10,000,000"):
        function(jnp.full((8, 2, 10), -np.log(10), jnp.float32))


def test_pairwise_and_tree_take_batches_too_large_to_enumerate():
    # 50 copies of a point: the tree has 49 links and there are 1,225 pairs, all equally strong.
    probs = np.repeat(reference.random_probs(6, 1, 5, 10), 50, axis=0)
    link = reference.pairwise_information(probs[:1], probs[:1])[0, 0]
    np.testing.assert_allclose(tree_total_correlation(reference.log32(probs)), 49 * link, rtol=1e-4)
    np.testing.assert_allclose(pairwise_total_correlation(reference.log32(probs)), 1225 * link, rtol=1e-4)


def test_entropies_of_a_large_pool_are_those_of_its_points():
    probs = reference.random_probs(7, 2_000, 5, 10, "sharp")
    np.testing.assert_allclose(mutual_information(reference.log32(probs)), reference.bald(probs), rtol=0, atol=2e-5)
    mean = np.mean(np.asarray(entropy.marginal_entropy(reference.log32(probs)), np.float64))
    np.testing.assert_allclose(mean, np.mean(reference.marginal_entropy(probs)), rtol=1e-5)
