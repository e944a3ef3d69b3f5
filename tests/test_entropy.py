import functools

import jax
import jax.numpy as jnp
import numpy as np
import pytest
import reference
import strategies
from hypothesis import given

from lbb_jax import entropy

# One compilation for each shape, whatever the number of examples.
marginal_entropy = jax.jit(entropy.marginal_entropy)
conditional_entropy = jax.jit(entropy.conditional_entropy)
joint_entropy = jax.jit(entropy.joint_entropy)
sampled_joint_entropy = jax.jit(entropy.sampled_joint_entropy, static_argnames="num_samples")

EXACT = [
    pytest.param(marginal_entropy, reference.marginal_entropy, id="marginal"),
    pytest.param(conditional_entropy, reference.conditional_entropy, id="conditional"),
    pytest.param(joint_entropy, reference.joint_entropy, id="joint"),
]


@functools.cache
def gradient_of_sum(function):
    return jax.jit(jax.grad(lambda log_probs: jnp.sum(function(log_probs))))


@given(strategies.batches())
def test_entropies_equal_the_brute_force(probs):
    log_probs = reference.log32(probs)
    np.testing.assert_allclose(marginal_entropy(log_probs), reference.marginal_entropy(probs), rtol=0, atol=2e-6)
    np.testing.assert_allclose(conditional_entropy(log_probs), reference.conditional_entropy(probs), rtol=0, atol=2e-6)
    np.testing.assert_allclose(joint_entropy(log_probs), reference.joint_entropy(probs), rtol=0, atol=2e-5)


@given(strategies.batches())
def test_joint_entropy_is_bounded_by_conditional_and_marginal_entropies(probs):
    log_probs = reference.log32(probs)
    joint = joint_entropy(log_probs)
    assert joint >= jnp.sum(conditional_entropy(log_probs)) - 5e-6
    assert joint <= jnp.sum(marginal_entropy(log_probs)) + 5e-6
    assert jnp.all(joint >= marginal_entropy(log_probs) - 5e-6)


@given(strategies.permuted_batches())
def test_order_of_points_draws_and_classes_is_irrelevant(permuted):
    probs, reordered, points = permuted
    before, after = reference.log32(probs), reference.log32(reordered[points])
    np.testing.assert_allclose(marginal_entropy(after), marginal_entropy(before)[points], rtol=0, atol=2e-6)
    np.testing.assert_allclose(conditional_entropy(after), conditional_entropy(before)[points], rtol=0, atol=2e-6)
    np.testing.assert_allclose(joint_entropy(after), joint_entropy(before), rtol=0, atol=5e-6)


@pytest.mark.parametrize("num_classes", [2, 3, 10])
def test_uniform_predictions_have_the_highest_entropy(num_classes):
    log_probs = jnp.full((3, 2, num_classes), -np.log(num_classes), jnp.float32)
    np.testing.assert_allclose(marginal_entropy(log_probs), np.log(num_classes), rtol=1e-6)
    np.testing.assert_allclose(conditional_entropy(log_probs), np.log(num_classes), rtol=1e-6)
    # Terms that are all alike are all rounded alike, and the errors add up.
    np.testing.assert_allclose(joint_entropy(log_probs), 3 * np.log(num_classes), rtol=1e-5)


def test_certain_draws_that_disagree():
    # Two draws, certain of different labels at both points: one fair coin decides both.
    log_probs = reference.log32(np.array([[[1.0, 0.0], [0.0, 1.0]]] * 2))
    np.testing.assert_allclose(entropy.marginal_entropy(log_probs), np.log(2), rtol=1e-6)
    np.testing.assert_array_equal(entropy.conditional_entropy(log_probs), 0)
    np.testing.assert_allclose(entropy.joint_entropy(log_probs), np.log(2), rtol=1e-6)


@pytest.mark.parametrize(("function", "expected"), EXACT)
@pytest.mark.parametrize("kind", reference.KINDS)
def test_float64_agrees_to_float64_precision(function, expected, kind):
    probs = reference.random_probs(1, 4, 5, 3, kind)
    with jax.enable_x64(True):
        value = function(jnp.asarray(reference.log64(probs)))
        assert value.dtype == jnp.float64
    np.testing.assert_allclose(value, expected(probs), rtol=0, atol=1e-10)


@pytest.mark.parametrize(("function", "expected"), EXACT)
@pytest.mark.parametrize("kind", reference.KINDS)
def test_gradients_are_finite(function, expected, kind):
    del expected
    log_probs = jnp.asarray(reference.log32(reference.random_probs(2, 4, 5, 3, kind)))
    gradient = gradient_of_sum(function)(log_probs)
    assert jnp.all(jnp.isfinite(gradient))
    assert kind == "certain" or jnp.any(gradient != 0)


@pytest.mark.parametrize(("function", "expected"), EXACT)
def test_gradient_is_that_of_finite_differences(function, expected):
    # The definitions extend to rows that are not normalised, and the gradient is taken there too.
    probs = reference.random_probs(3, 3, 4, 3)
    direction = np.random.default_rng(0).normal(size=probs.shape)
    with jax.enable_x64(True):
        log_probs = jnp.asarray(reference.log64(probs))
        gradient = gradient_of_sum(function)(log_probs)
    along = np.sum(np.asarray(gradient) * direction)
    step = 1e-6
    ahead, behind = (np.sum(expected(probs * np.exp(sign * step * direction))) for sign in (1, -1))
    np.testing.assert_allclose(along, (ahead - behind) / (2 * step), rtol=1e-6, atol=1e-8)


@pytest.mark.parametrize(("function", "expected"), EXACT)
def test_vmap_over_batches_equals_one_after_the_other(function, expected):
    del expected
    batches = jnp.stack([reference.log32(reference.random_probs(seed, 3, 4, 3, "zeros")) for seed in range(3)])
    together = jax.vmap(function)(batches)
    np.testing.assert_allclose(together, jnp.stack([function(batch) for batch in batches]), rtol=0, atol=2e-6)


def test_joint_entropy_of_one_point_is_its_marginal_entropy():
    log_probs = reference.log32(reference.random_probs(4, 1, 6, 5))
    np.testing.assert_allclose(entropy.joint_entropy(log_probs), entropy.marginal_entropy(log_probs)[0], atol=2e-6)


@pytest.mark.parametrize(("num_points", "num_classes"), [(7, 10), (2, 3162)])
def test_joint_entropy_up_to_ten_million_configurations(num_points, num_classes):
    # With one draw the labels are independent, so that the answer is known however many configurations there are.
    probs = reference.random_probs(5, num_points, 1, num_classes)
    value = joint_entropy(reference.log32(probs))
    np.testing.assert_allclose(value, reference.marginal_entropy(probs).sum(), rtol=0, atol=2e-5)


@pytest.mark.parametrize(("num_points", "num_classes"), [(24, 2), (8, 10), (2, 3163)])
def test_joint_entropy_refuses_more_configurations(num_points, num_classes):
    log_probs = jnp.full((num_points, 2, num_classes), -np.log(num_classes), jnp.float32)
    with pytest.raises(ValueError, match=rf"log_probs.*{num_points}.*{num_classes}.*10,000,000"):
        entropy.joint_entropy(log_probs)


def test_joint_entropy_of_one_class_is_zero_for_any_number_of_points():
    assert entropy.joint_entropy(jnp.zeros((40, 3, 1))) == 0


# Three standard errors: each of the comparisons below would fail for 0.27 % of all keys; theirs are fixed. The standard
# error is that of the mean of the estimates over the keys.
@pytest.mark.slow
@pytest.mark.parametrize("num_samples", [1, 3, 4, 10, 100])
def test_sampled_joint_entropy_is_unbiased(num_samples):
    keys = jax.random.split(jax.random.key(0), 10_000)
    estimate = jax.jit(jax.vmap(lambda k, x: entropy.sampled_joint_entropy(k, x, num_samples=num_samples), (0, None)))
    for kind in ("smooth", "zeros"):
        probs = reference.random_probs(6, 4, 4, 3, kind)
        estimates = np.asarray(estimate(keys, reference.log32(probs)), np.float64)
        standard_error = estimates.std(ddof=1) / np.sqrt(len(estimates))
        assert standard_error > 0
        assert abs(estimates.mean() - reference.joint_entropy(probs)) < 3 * standard_error


# One key each and the standard deviation of -log p(y_1..y_b) from the reference: a false alarm for at most 0.27 % of
# all keys, since stratifying the draws only lowers the variance.
@pytest.mark.parametrize("seed", range(5))
def test_sampled_joint_entropy_lies_within_three_standard_errors(seed):
    num_samples = 5_000
    probs = reference.random_probs(seed, 5, 6, 3, "sharp")
    joint = reference.joint_distribution(probs)
    variance = np.sum(joint * np.log(joint) ** 2) - reference.joint_entropy(probs) ** 2
    estimate = sampled_joint_entropy(jax.random.key(seed), reference.log32(probs), num_samples=num_samples)
    assert abs(estimate - reference.joint_entropy(probs)) < 3 * np.sqrt(variance / num_samples)


def test_sampled_joint_entropy_of_a_batch_too_large_to_enumerate():
    # Independent fair coins: every configuration is equally likely, so that there is no sampling error.
    log_probs = jnp.full((50, 3, 2), -np.log(2), jnp.float32)
    estimate = sampled_joint_entropy(jax.random.key(0), log_probs, num_samples=7)
    np.testing.assert_allclose(estimate, 50 * np.log(2), rtol=1e-6)


def test_sampled_joint_entropy_has_finite_gradients_with_impossible_labels():
    log_probs = jnp.asarray(reference.log32(reference.random_probs(7, 4, 5, 3, "zeros")))
    gradient = jax.grad(lambda x: sampled_joint_entropy(jax.random.key(0), x, num_samples=20))(log_probs)
    assert jnp.all(jnp.isfinite(gradient))


def test_sampled_joint_entropy_depends_on_the_key_alone():
    log_probs = reference.log32(reference.random_probs(8, 4, 5, 3))
    one, again, other = (sampled_joint_entropy(jax.random.key(k), log_probs, num_samples=20) for k in (1, 1, 2))
    assert one == again
    assert one != other


@pytest.mark.parametrize("num_samples", [0, -1])
def test_sampled_joint_entropy_refuses_no_samples(num_samples):
    with pytest.raises(ValueError, match=f"num_samples={num_samples}"):
        entropy.sampled_joint_entropy(jax.random.key(0), jnp.zeros((2, 3, 1)), num_samples=num_samples)


@pytest.mark.parametrize("value", [0.0, 1e-45, 1e-20, 0.5, 1.0])
def test_p_log_p_and_its_gradient_are_finite(value):
    expected = value * np.log(value) if value > 0 else 0.0
    np.testing.assert_allclose(entropy.p_log_p(jnp.float32(value)), expected, rtol=1e-5, atol=1e-37)
    assert jnp.isfinite(jax.grad(entropy.p_log_p)(jnp.float32(value)))
