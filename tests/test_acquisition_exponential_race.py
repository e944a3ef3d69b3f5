"""The race behind power sampling: its random numbers, and what a lowered rate does to a wait."""

import jax
import jax.numpy as jnp
import numpy as np
from scipy import stats

from lbb_jax.acquisition import exponential_race

first_keys = jax.jit(exponential_race.first_keys)
later_keys = jax.jit(exponential_race.later_keys)


@jax.jit
def _variates(key, points):
    return exponential_race.variates(key, points, jnp.float32)


def variates(points, seed=0):
    """The points' variates, as NumPy arrays."""
    return jax.tree.map(np.asarray, _variates(jax.random.key(seed), np.asarray(points)))


def test_a_points_variates_depend_on_its_index_alone():
    everything = variates(np.arange(1_000))
    some = variates([999, 3, 500])
    np.testing.assert_array_equal(some.gumbel, everything.gumbel[np.array([999, 3, 500])])
    np.testing.assert_array_equal(some.uniform, everything.uniform[np.array([999, 3, 500])])


def test_variates_have_their_distributions_and_are_independent():
    drawn = variates(np.arange(20_000), seed=1)
    # Each rejects the right distribution for one seed in a thousand; the seed is fixed.
    assert stats.kstest(np.asarray(drawn.gumbel), stats.gumbel_r.cdf).pvalue > 1e-3
    assert stats.kstest(np.asarray(drawn.uniform), stats.uniform.cdf).pvalue > 1e-3
    assert stats.spearmanr(drawn.gumbel, drawn.uniform).pvalue > 1e-3


def test_lowering_a_rate_stretches_what_is_left_of_the_wait():
    times, pick_time = np.array([3.0, 5.0, 2.0]), 2.0
    rates, lowered = np.array([0.5, 0.8, 1.0]), np.array([0.25, 0.8, 0.1])
    of_times, of_rates, of_lowered = (np.log(values).astype(np.float32) for values in (times, rates, lowered))
    pick_keys = np.full(3, -np.log(pick_time), np.float32)
    keys = later_keys(-of_times, variates(np.arange(3)), of_rates, of_lowered, pick_keys)
    np.testing.assert_allclose(np.exp(-keys), pick_time + (times - pick_time) * rates / lowered, rtol=1e-5)


def test_points_without_a_rate_come_last_in_an_order_of_their_own():
    drawn = variates(np.arange(4))
    keys = np.asarray(first_keys(drawn, np.array([-1e31, -np.inf, 0.0, -np.inf], np.float32)))
    assert keys[[0, 2]].min() > keys[[1, 3]].max()
    assert np.all(np.isfinite(keys))
    assert (keys[1] > keys[3]) == (drawn.uniform[1] < drawn.uniform[3])


def test_a_rate_that_falls_to_nothing_puts_the_point_last():
    drawn, nothing = variates(np.arange(3)), np.full(3, -np.inf, np.float32)
    before, pick_keys = np.array([-1.0, -2.0, -0.7], np.float32), np.full(3, -0.5, np.float32)
    keys = later_keys(before, drawn, np.zeros(3, np.float32), nothing, pick_keys)
    np.testing.assert_array_equal(keys, first_keys(drawn, nothing))


def test_log_rates():
    gains = jnp.asarray([0.5, 0.0, -0.1])
    np.testing.assert_allclose(exponential_race.log_rate(gains, 2.0), [2 * np.log(0.5), -np.inf, -np.inf], rtol=1e-6)
    np.testing.assert_array_equal(exponential_race.log_rate(gains, 0.0), 0)
