import jax
import jax.numpy as jnp
import numpy as np
import pytest
import reference
import strategies
from hypothesis import given
from hypothesis import strategies as st
from slow_parts import slow_but

from lbb_jax import entropy, information

# What sums of a few float32 entropies may be wrong by, where the library is compared with itself.
ROUNDING = 5e-6

FUNCTIONS = {
    "bald": (information.mutual_information, reference.bald),
    "pairs": (
        lambda log_probs: information.pairwise_mutual_information(log_probs, log_probs),
        lambda probs: reference.pairwise_information(probs, probs),
    ),
    "joint": (information.joint_mutual_information, reference.batch_bald),
    "total_correlation": (information.total_correlation, reference.total_correlation),
    "pairwise_total_correlation": (information.pairwise_total_correlation, reference.pairwise_total_correlation),
    "tree_total_correlation": (information.tree_total_correlation, reference.tree_total_correlation),
}


def all_values(log_probs):
    return {name: function(log_probs) for name, (function, _) in FUNCTIONS.items()}


def expected_values(probs):
    return {name: expected(probs) for name, (_, expected) in FUNCTIONS.items()}


# One compilation for each shape, whatever the number of examples and of functions.
values_of = jax.jit(all_values)
mutual_information = jax.jit(information.mutual_information)
pairwise_mutual_information = jax.jit(information.pairwise_mutual_information)
paired_mutual_information = jax.jit(information.paired_mutual_information)
pairwise_total_correlation = jax.jit(information.pairwise_total_correlation)


@jax.jit
def totals_of(log_probs):
    """The joint information of the first point, of the first two, and so on."""
    return jnp.stack([information.joint_mutual_information(log_probs[:size]) for size in (1, 2, 3, 4)])


def assert_close(values, expected, *, atol):
    for name in FUNCTIONS:
        np.testing.assert_allclose(values[name], expected[name], rtol=0, atol=atol, err_msg=name)


@given(strategies.batches())
def test_values_are_those_of_the_brute_force_and_never_negative(probs):
    values = values_of(reference.log32(probs))
    assert_close(values, expected_values(probs), atol=2e-5)
    for name, value in values.items():
        assert np.all(value >= 0), name


@given(strategies.batches(kinds=("identical draws",)))
def test_identical_draws_hold_no_information(probs):
    for name, value in values_of(reference.log32(probs)).items():
        assert np.all(value <= 1e-6), name


@given(strategies.batches())
def test_joint_information_is_bounded_and_bald_exceeds_it_by_the_total_correlation(probs):
    values = values_of(reference.log32(probs))
    joint, sum_of_bald = values["joint"], np.sum(values["bald"])
    np.testing.assert_allclose(sum_of_bald - joint, values["total_correlation"], rtol=0, atol=ROUNDING)
    assert joint <= np.log(probs.shape[1]) + ROUNDING
    assert joint <= sum_of_bald + ROUNDING


@given(strategies.batches(shapes=((4, 5, 3),)))
def test_batch_bald_never_falls_when_a_point_is_added(probs):
    assert np.all(np.diff(totals_of(reference.log32(probs))) >= -ROUNDING)


@given(strategies.batches())
def test_pairwise_information_is_symmetric_and_at_most_that_of_either_point_about_the_draws(probs):
    values = values_of(reference.log32(probs))
    scores, pairs = np.asarray(values["bald"]), np.asarray(values["pairs"])
    np.testing.assert_allclose(pairs, pairs.T, rtol=0, atol=ROUNDING)
    assert np.all(pairs <= np.minimum(scores[:, None], scores[None, :]) + ROUNDING)


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
    paired = paired_mutual_information(reference.log32(a), reference.log32(b))
    expected = np.diag(reference.pairwise_information(a, b))
    np.testing.assert_allclose(paired, expected, rtol=0, atol=2e-5)


@given(strategies.batches(shapes=((1, 3, 4),)))
def test_batch_bald_and_lbb_of_one_point_are_its_bald(probs):
    values = values_of(reference.log32(probs))
    np.testing.assert_allclose(values["joint"], values["bald"][0], atol=ROUNDING)
    for redundancy in ("total_correlation", "pairwise_total_correlation", "tree_total_correlation"):
        assert values[redundancy] <= ROUNDING


@given(strategies.batches(shapes=((2, 5, 3),)))
def test_lbb_of_two_points_is_batch_bald(probs):
    # Which only holds if each pair is counted once.
    values = values_of(reference.log32(probs))
    for redundancy in ("pairwise_total_correlation", "tree_total_correlation"):
        lbb = np.sum(values["bald"]) - values[redundancy]
        np.testing.assert_allclose(lbb, values["joint"], rtol=0, atol=ROUNDING)


@given(strategies.batches())
def test_tree_is_at_most_the_total_correlation_and_the_sum_over_all_pairs(probs):
    values = values_of(reference.log32(probs))
    assert values["tree_total_correlation"] <= values["total_correlation"] + ROUNDING
    assert values["tree_total_correlation"] <= values["pairwise_total_correlation"] + ROUNDING


@pytest.mark.parametrize("pair_weight", [0.0, 0.5, 2.0])
def test_pair_weight_scales_the_sum_over_pairs(pair_weight):
    probs = reference.random_probs(0, 4, 5, 3)
    value = pairwise_total_correlation(reference.log32(probs), pair_weight=pair_weight)
    np.testing.assert_allclose(value, reference.pairwise_total_correlation(probs, pair_weight), rtol=0, atol=2e-5)


@given(strategies.permuted_batches())
def test_order_of_points_draws_and_classes_is_irrelevant(permuted):
    probs, reordered, points = permuted
    before, after = (values_of(reference.log32(batch)) for batch in (probs, reordered[points]))
    for name, value in before.items():
        value = np.asarray(value)
        for axis in range(value.ndim):
            value = np.take(value, points, axis=axis)
        np.testing.assert_allclose(after[name], value, rtol=0, atol=ROUNDING, err_msg=name)


def test_known_values():
    # In float32, and in float64 as exactly as they are known.
    for is_double, convert, bald_atol, atol in (
        (False, reference.log32, 1e-6, 2e-6),
        (True, reference.log64, 1e-11, 1e-10),
    ):
        with jax.enable_x64(is_double):
            log_probs = jnp.asarray(convert(reference.known_case()))
            bald, totals = mutual_information(log_probs), totals_of(log_probs)
        assert totals.dtype == (np.float64 if is_double else np.float32)
        np.testing.assert_allclose(bald, reference.KNOWN_BALD, rtol=0, atol=bald_atol)
        np.testing.assert_allclose(totals, reference.KNOWN_BATCH_BALD, rtol=0, atol=atol)


def test_certain_draws_that_disagree_share_all_they_know():
    # Two draws, certain of different labels: each label tells which draw it is, and so does every other label.
    values = values_of(reference.log32(np.array([[[1.0, 0.0], [0.0, 1.0]]] * 4)))
    times = {"total_correlation": 3, "tree_total_correlation": 3, "pairwise_total_correlation": 6}
    for name, value in values.items():
        np.testing.assert_allclose(value, times.get(name, 1) * np.log(2), rtol=1e-6, err_msg=name)


def test_float64_agrees_to_float64_precision():
    for kind in reference.KINDS:
        probs = reference.random_probs(1, 4, 5, 3, kind)
        with jax.enable_x64(True):
            values = values_of(jnp.asarray(reference.log64(probs)))
        assert {value.dtype for value in values.values()} == {jnp.dtype("float64")}
        assert_close(values, expected_values(probs), atol=1e-10)


@pytest.mark.parametrize("name", slow_but(FUNCTIONS, "bald", "joint"))
def test_gradients_are_finite(name):
    function, _ = FUNCTIONS[name]
    gradient_of_sum = jax.jit(jax.grad(lambda log_probs: jnp.sum(function(log_probs))))
    for kind in reference.KINDS:
        gradient = gradient_of_sum(reference.log32(reference.random_probs(2, 4, 5, 3, kind)))
        assert np.all(np.isfinite(gradient)), kind
        assert kind != "smooth" or np.any(gradient != 0)


def test_bald_in_chunks_and_its_gradient_are_those_of_the_pool_at_once():
    # The last of the chunks overlaps the one before.
    log_probs = jnp.asarray(np.tile(reference.log32(reference.random_probs(3, 250, 5, 10, "zeros")), (100, 1, 1)))
    assert "scan" in str(jax.make_jaxpr(information._divergence_by_chunks)(log_probs))

    def value_and_gradient(function):
        return function(log_probs), jax.grad(lambda predictions: jnp.sum(function(predictions)))(log_probs)

    functions = (information._divergence_by_chunks, jax.jit(information._divergence_from_mean))
    for in_chunks, at_once in zip(*map(value_and_gradient, functions), strict=True):
        np.testing.assert_allclose(in_chunks, at_once, rtol=0, atol=1e-6)


def test_vmap_over_batches_equals_one_after_the_other():
    batches = [reference.log32(reference.random_probs(seed, 4, 5, 3, "zeros")) for seed in range(3)]
    together = jax.jit(jax.vmap(all_values))(np.stack(batches))
    for place, batch in enumerate(batches):
        assert_close({name: value[place] for name, value in together.items()}, values_of(batch), atol=ROUNDING)


@pytest.mark.slow
def test_without_jit_the_same():
    log_probs = jnp.asarray(reference.log32(reference.random_probs(3, 4, 5, 3, "zeros")))
    with jax.disable_jit():
        values = all_values(log_probs)
    assert_close(values, values_of(log_probs), atol=ROUNDING)


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
    tree = jax.jit(information.tree_total_correlation)(reference.log32(probs))
    np.testing.assert_allclose(tree, 49 * link, rtol=1e-4)
    np.testing.assert_allclose(pairwise_total_correlation(reference.log32(probs)), 1225 * link, rtol=1e-4)


def test_entropies_of_a_large_pool_are_those_of_its_points():
    probs = reference.random_probs(7, 2_000, 5, 10, "sharp")
    both = jax.jit(lambda pool: (information.mutual_information(pool), entropy.marginal_entropy(pool)))
    bald, entropies = both(reference.log32(probs))
    np.testing.assert_allclose(bald, reference.bald(probs), rtol=0, atol=2e-5)
    mean = np.mean(np.asarray(entropies, np.float64))
    np.testing.assert_allclose(mean, np.mean(reference.marginal_entropy(probs)), rtol=1e-5)
