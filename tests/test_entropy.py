from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
import pytest
import reference
import strategies
from hypothesis import given

from lbb_jax import entropy


class Entropies(NamedTuple):
    marginal: Any
    conditional: Any
    joint: Any


FUNCTIONS = Entropies(entropy.marginal_entropy, entropy.conditional_entropy, entropy.joint_entropy)
TOLERANCES = Entropies(2e-6, 2e-6, 2e-5)


def all_entropies(log_probs):
    return Entropies(*(function(log_probs) for function in FUNCTIONS))


# One compilation for each shape, whatever the number of examples.
entropies_of = jax.jit(all_entropies)
joint_entropy = jax.jit(entropy.joint_entropy)
sampled_joint_entropy = jax.jit(entropy.sampled_joint_entropy, static_argnames="num_samples")


@jax.jit
def gradients_of_sums(log_probs):
    return Entropies(*(jax.grad(lambda x, f=function: jnp.sum(f(x)))(log_probs) for function in FUNCTIONS))


def brute_force(probs):
    return Entropies(
        reference.marginal_entropy(probs), reference.conditional_entropy(probs), reference.joint_entropy(probs)
    )


def assert_close(found, expected, tolerances=TOLERANCES):
    for name, tolerance in tolerances._asdict().items():
        np.testing.assert_allclose(getattr(found, name), getattr(expected, name), rtol=0, atol=tolerance, err_msg=name)


@given(strategies.batches())
def test_entropies_equal_the_brute_force(probs):
    assert_close(entropies_of(reference.log32(probs)), brute_force(probs))


@given(strategies.batches())
def test_joint_entropy_is_bounded_by_conditional_and_marginal_entropies(probs):
    marginal, conditional, joint = map(np.asarray, entropies_of(reference.log32(probs)))
    assert joint >= conditional.sum() - 5e-6
    assert joint <= marginal.sum() + 5e-6
    assert np.all(joint >= marginal - 5e-6)


@given(strategies.permuted_batches())
def test_order_of_points_draws_and_classes_is_irrelevant(permuted):
    probs, reordered, points = permuted
    before, after = (entropies_of(reference.log32(batch)) for batch in (probs, reordered[points]))
    marginal, conditional, joint = map(np.asarray, before)
    assert_close(after, Entropies(marginal[points], conditional[points], joint), Entropies(2e-6, 2e-6, 5e-6))


@pytest.mark.parametrize("num_classes", [2, 3, 10])
def test_uniform_predictions_have_the_highest_entropy(num_classes):
    highest = np.log(num_classes)
    found = entropies_of(np.full((3, 2, num_classes), -highest, np.float32))
    np.testing.assert_allclose(found.marginal, highest, rtol=1e-6)
    np.testing.assert_allclose(found.conditional, highest, rtol=1e-6)
    # Terms that are all alike are all rounded alike, and the errors add up.
    np.testing.assert_allclose(found.joint, 3 * highest, rtol=1e-5)


def test_certain_draws_that_disagree():
    # Two draws, certain of different labels at both points: one fair coin decides both.
    found = entropies_of(reference.log32(np.array([[[1.0, 0.0], [0.0, 1.0]]] * 2)))
    np.testing.assert_allclose(found.marginal, np.log(2), rtol=1e-6)
    np.testing.assert_array_equal(found.conditional, 0)
    np.testing.assert_allclose(found.joint, np.log(2), rtol=1e-6)


@pytest.mark.parametrize("kind", reference.KINDS)
def test_float64_agrees_to_float64_precision(kind):
    probs = reference.random_probs(1, 4, 5, 3, kind)
    with jax.enable_x64(True):
        found = entropies_of(jnp.asarray(reference.log64(probs)))
    assert {value.dtype for value in found} == {jnp.dtype("float64")}
    assert_close(found, brute_force(probs), Entropies(1e-10, 1e-10, 1e-10))


@pytest.mark.parametrize("kind", reference.KINDS)
def test_gradients_are_finite(kind):
    for gradient in gradients_of_sums(reference.log32(reference.random_probs(2, 4, 5, 3, kind))):
        assert np.all(np.isfinite(gradient))
        assert kind == "certain" or np.any(gradient != 0)


def test_gradients_are_those_of_finite_differences():
    # The definitions extend to rows that are not normalised, and the gradient is taken there too.
    probs = reference.random_probs(3, 3, 4, 3)
    direction = np.random.default_rng(0).normal(size=probs.shape)
    with jax.enable_x64(True):
        gradients = gradients_of_sums(jnp.asarray(reference.log64(probs)))
    step = 1e-6
    ahead, behind = (brute_force(probs * np.exp(sign * step * direction)) for sign in (1, -1))
    for name, gradient in gradients._asdict().items():
        slope = np.sum(getattr(ahead, name) - getattr(behind, name)) / (2 * step)
        np.testing.assert_allclose(np.sum(np.asarray(gradient) * direction), slope, rtol=1e-6, atol=1e-8, err_msg=name)


def test_vmap_over_batches_equals_one_after_the_other():
    batches = [reference.log32(reference.random_probs(seed, 4, 5, 3, "zeros")) for seed in range(3)]
    together = jax.jit(jax.vmap(all_entropies))(np.stack(batches))
    for place, batch in enumerate(batches):
        found = Entropies(*(value[place] for value in together))
        assert_close(found, entropies_of(batch), Entropies(2e-6, 2e-6, 2e-6))


def test_joint_entropy_of_one_point_is_its_marginal_entropy():
    found = entropies_of(reference.log32(reference.random_probs(4, 1, 3, 4)))
    np.testing.assert_allclose(found.joint, found.marginal[0], atol=2e-6)


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
    assert joint_entropy(np.zeros((40, 3, 1), np.float32)) == 0


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
    gradient = jax.jit(jax.grad(lambda x: entropy.sampled_joint_entropy(jax.random.key(0), x, num_samples=20)))
    assert np.all(np.isfinite(gradient(log_probs)))


def test_sampled_joint_entropy_depends_on_the_key_alone():
    log_probs = reference.log32(reference.random_probs(8, 4, 5, 3))
    one, again, other = (sampled_joint_entropy(jax.random.key(k), log_probs, num_samples=20) for k in (1, 1, 2))
    assert one == again
    assert one != other


@pytest.mark.parametrize("num_samples", [0, -1])
def test_sampled_joint_entropy_refuses_no_samples(num_samples):
    with pytest.raises(ValueError, match=f"num_samples={num_samples}"):
        entropy.sampled_joint_entropy(jax.random.key(0), jnp.zeros((2, 3, 1)), num_samples=num_samples)


def test_p_log_p_and_its_gradient_are_finite():
    values = np.array([0.0, 1e-45, 1e-20, 0.5, 1.0], np.float32)
    expected = [value * np.log(value) if value > 0 else 0.0 for value in values.astype(np.float64)]
    found, slopes = jax.jit(jax.vmap(jax.value_and_grad(entropy.p_log_p)))(values)
    np.testing.assert_allclose(found, expected, rtol=1e-5, atol=1e-37)
    assert np.all(np.isfinite(slopes))
