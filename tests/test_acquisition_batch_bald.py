"""BatchBALD where the configurations are sampled, and where there are so many that rounding could add up."""

import functools

import jax
import jax.numpy as jnp
import numpy as np
import pytest
import reference
import variants

from lbb_jax import acquisition
from lbb_jax.acquisition.batch_bald import beliefs_of, conditional_information, relative_to_mean


# With 3 classes and 9 to 20 samples, 3 and 9 configurations are enumerated and 27 are not: the fourth pick is the first
# to be sampled, and with 4 points to pick from it is fixed. Three standard errors of the mean over the keys: each
# comparison fails for 0.27 % of all keys; these are fixed.
@pytest.mark.slow
@pytest.mark.parametrize(("num_samples", "kind"), [(9, "smooth"), (9, "zeros"), (20, "sharp")])
def test_sampled_gain_of_batch_bald_is_unbiased(num_samples, kind):
    probs = reference.random_probs(5, 4, 4, 3, kind)
    picked = variants.pick_for_many_keys("batch_bald", probs, 4, 4_000, num_samples=num_samples)
    assert np.all(picked.indices == picked.indices[0])
    assert np.all(np.ptp(picked.scores[:, :3], axis=0) < 2e-6)
    sampled = picked.scores[:, 3].astype(np.float64)
    standard_error = sampled.std(ddof=1) / np.sqrt(len(sampled))
    assert standard_error > 1e-5
    exact = reference.batch_bald(probs) - reference.batch_bald(probs[picked.indices[0, :3]])
    assert abs(sampled.mean() - exact) < 3 * standard_error


# As above for the sum of three sampled picks in turn, whose order the gaps between the points fix.
@pytest.mark.slow
@pytest.mark.parametrize("num_samples", [10])
def test_sampled_gains_of_batch_bald_sum_to_the_information_in_the_batch(num_samples):
    rng = np.random.default_rng(0)
    # Each point moves less with the draw than the one before.
    weights = rng.normal(size=(7, 12, 2)) * np.array([4.0, 3.5, 3.0, 2.0, 1.2, 0.6, 0.25])[:, None, None]
    probs = reference.normalised(np.exp(weights))
    picked = variants.pick_for_many_keys("batch_bald", probs, 7, 4_000, num_samples=num_samples)
    assert np.all(picked.indices == picked.indices[0])
    totals = picked.scores.sum(axis=1, dtype=np.float64)
    standard_error = totals.std(ddof=1) / np.sqrt(len(totals))
    assert abs(totals.mean() - reference.batch_bald(probs)) < 3 * standard_error


@pytest.mark.slow
@pytest.mark.parametrize(("num_samples", "kind"), [(1, "sharp"), (5, "certain"), (5, "zeros")])
def test_an_estimate_of_the_total_stays_near_the_entropy_of_the_draws(num_samples, kind):
    # 20 informative points and 4 draws: all there is to learn is log 4, and soon all of it is known.
    probs = reference.random_probs(3, 20, 4, 3, kind)
    totals = variants.pick_for_many_keys("batch_bald", probs, 20, 200, num_samples=num_samples).scores.sum(axis=1)
    assert totals.mean() < np.log(4) + 3 * totals.std(ddof=1) / np.sqrt(200) + 1e-5


# From here on: thousands of enumerated configurations in float32.


@pytest.mark.slow
@pytest.mark.parametrize(("num_classes", "batch_size"), [(10, 5), (100, 3)])
def test_no_information_is_none_however_many_configurations(num_classes, batch_size):
    # All draws agree, so that every gain is 0, and the lowest indices are picked.
    probs = reference.random_probs(0, 40, 1, num_classes).repeat(5, axis=1)
    picked = variants.pick("batch_bald", probs, batch_size)
    np.testing.assert_array_equal(picked.indices, np.arange(batch_size))
    np.testing.assert_array_equal(picked.scores, 0)


@pytest.mark.slow
@pytest.mark.parametrize(("num_classes", "batch_size"), [(10, 5), (100, 3)])
def test_gains_from_many_configurations_agree_with_float64(num_classes, batch_size):
    # Too many for the brute force; the same program in float64 agrees with it wherever both were run.
    probs = reference.random_probs(0, 40, 5, num_classes, "sharp")
    picked = variants.pick("batch_bald", probs, batch_size)
    with jax.enable_x64(True):
        run = jax.jit(
            lambda log_probs: acquisition.batch_bald(
                jax.random.key(0), log_probs, jnp.ones(40, bool), batch_size=batch_size
            )
        )
        exact = run(jnp.asarray(reference.log64(probs)))
        assert exact.scores.dtype == jnp.float64
    np.testing.assert_array_equal(picked.indices, exact.indices)
    np.testing.assert_allclose(picked.scores, exact.scores, rtol=0, atol=5e-6)


@pytest.mark.slow
def test_float64_agrees_with_the_brute_force():
    probs = reference.random_probs(2, 12, 6, 3, "sharp")
    batch, gains, _ = reference.greedy(variants.gains_of("batch_bald", probs), 12, 5)
    with jax.enable_x64(True):
        run = jax.jit(
            lambda log_probs: acquisition.batch_bald(jax.random.key(0), log_probs, jnp.ones(12, bool), batch_size=5)
        )
        picked = run(jnp.asarray(reference.log64(probs)))
    np.testing.assert_array_equal(picked.indices, batch)
    np.testing.assert_allclose(picked.scores, gains, rtol=0, atol=1e-10)


@jax.jit
def _gains(log_probs, weights, posterior):
    return conditional_information(relative_to_mean(log_probs), beliefs_of(posterior, weights))


# A float32 posterior of weights that differ by up to e^60, and predictions from nearly the same to nearly certain.
@pytest.mark.parametrize("sharpness", [0.01, 1.0, 30.0])
def test_information_is_exact_in_proportion_however_sure_the_labels_make_of_a_draw(sharpness):
    rng = np.random.default_rng(0)
    log_probs = reference.log32(
        reference.normalised(np.exp(3 * rng.normal(size=(40, 1, 6)) + sharpness * rng.normal(size=(40, 5, 6))))
    )
    weights = rng.dirichlet(np.ones(32)).astype(np.float32)
    gains = functools.partial(_gains, log_probs, weights)
    for spread in (0, 5, 60):
        posterior = reference.normalised(np.exp(spread * rng.normal(size=(32, 5)))).astype(np.float32)
        expected = _conditional_information(np.exp(log_probs.astype(np.float64)), posterior, weights)
        # The second term is what the rounding of exp leaves.
        assert np.all(np.abs(gains(posterior) - expected) <= 5e-5 * expected + 1e-6 * np.sqrt(expected))
        if sharpness < 30:
            np.testing.assert_allclose(gains(posterior), expected, rtol=5e-5, atol=1e-30)
    sure = np.eye(5, dtype=np.float32)[np.arange(32) % 5]
    assert not np.any(gains(sure))


def _conditional_information(probs, posterior, weights):
    """In float64, from the differences of the draws' predictions, so that nothing cancels."""
    posterior = posterior.astype(np.float64)
    rows, favourites = np.arange(len(posterior)), posterior.argmax(axis=1)
    posterior[rows, favourites] += 1 - posterior.sum(axis=1)
    gains = np.zeros(len(probs))
    for weight, draw_weights in zip(weights, posterior, strict=True):
        mean = np.einsum("k,nkc->nc", draw_weights, probs)
        ratios = np.einsum("l,nklc->nkc", draw_weights, probs[:, :, None] - probs[:, None]) / mean[:, None]
        logs = np.log1p(np.where(ratios > -1, ratios, 0))
        terms = np.where(np.abs(ratios) < 1e-4, ratios**2 / 2 - ratios**3 / 6, (1 + ratios) * logs - ratios)
        gains += weight * np.einsum("k,nc,nkc->n", draw_weights, mean, terms)
    return gains
