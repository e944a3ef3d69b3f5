"""The greedy methods in their plainest form: every point is evaluated at every step.

Picks and gains are those that the lazy forms must reproduce, for the same keys.
"""

import jax
import jax.numpy as jnp

from lbb_jax import configurations, information
from lbb_jax.acquisition import race
from lbb_jax.acquisition.batch_bald import (
    _conditional_information,
    _num_enumerated_picks,
    _posterior,
    _relative_to_mean,
)
from lbb_jax.acquisition.selection import Acquisition, remove, without_rounding


def large_batch_bald(key, log_probs, available, *, batch_size, pair_weight=1.0, redundancy="pairwise"):
    del key

    def choose(gains, remaining, nothing):
        return jnp.argmax(jnp.where(remaining, gains, -jnp.inf)), nothing

    return _lbb(log_probs, available, choose, None, batch_size, pair_weight, redundancy)


def power_large_batch_bald(
    key, log_probs, available, *, batch_size, alpha=1.0, pair_weight=1.0, redundancy="pairwise"
):
    """The race with what remains of each point's unit-rate wait, instead of the arrivals."""
    variates = race.variates(key, jnp.arange(len(log_probs)), log_probs.dtype)

    def choose(gains, remaining, log_wait):
        log_rates = race.log_rate(gains, alpha)
        possible = remaining & (log_rates > -jnp.inf)
        log_arrival = jnp.where(possible, log_wait - log_rates, jnp.inf)
        winner = jnp.argmin(log_arrival)
        share_waited = jnp.where(possible, jnp.exp(log_arrival[winner] - log_arrival), 0)
        log_wait = jnp.where(possible, log_wait + jnp.log1p(-share_waited), log_wait)
        # The lowest variate comes first among those that never arrive.
        last_in_line = jnp.argmin(jnp.where(remaining, variates.uniform, jnp.inf))
        return jnp.where(jnp.any(possible), winner, last_in_line), log_wait

    return _lbb(log_probs, available, choose, -variates.gumbel, batch_size, pair_weight, redundancy)


def _lbb(log_probs, available, choose, choice_state, batch_size, pair_weight, redundancy):
    scores = without_rounding(information.mutual_information(log_probs))
    shared, remaining, picks = jnp.zeros_like(scores), available, []
    for _ in range(batch_size):
        gains = without_rounding(scores - shared)
        index, choice_state = choose(gains, remaining, choice_state)
        exists = jnp.any(remaining)
        picks.append(Acquisition(jnp.where(exists, index, -1), jnp.where(exists, gains[index], -jnp.inf)))
        remaining = remove(remaining, index)
        pairs = without_rounding(information.pairwise_mutual_information(log_probs, log_probs[index][None])[:, 0])
        shared = jnp.minimum(jnp.maximum(shared, pairs), scores) if redundancy == "tree" else shared + pair_weight * pairs
    return jax.tree.map(lambda *leaves: jnp.stack(leaves), *picks)


def batch_bald(key, log_probs, available, *, batch_size, num_samples=10_000):
    """BatchBALD with every point evaluated at every step, on the configurations that the lazy form samples."""
    _, num_draws, num_classes = log_probs.shape
    points = _relative_to_mean(log_probs)
    draw_key, history_key, label_key = jax.random.split(key, 3)
    num_enumerated = _num_enumerated_picks(num_classes, batch_size, num_samples)
    step_keys = iter(jax.random.split(label_key, batch_size - num_enumerated))
    draws = configurations.stratified_draws(draw_key, num_samples, num_draws)
    log_likelihoods, remaining, picks = configurations.empty(num_draws, log_probs.dtype), available, []
    gains = information.mutual_information(log_probs)
    for step in range(batch_size):
        if 0 < step < num_enumerated:
            log_likelihoods = configurations.enumerate_labels(log_likelihoods, log_probs[picks[-1].indices])
            weights = jnp.mean(jnp.exp(log_likelihoods), axis=-1)
        elif step >= num_enumerated:
            if step == num_enumerated:
                indices = jnp.stack([pick.indices for pick in picks[:-1]]) if step > 1 else jnp.zeros(0, jnp.int32)
                log_likelihoods = configurations.sample_all(history_key, log_probs[indices], draws)
            log_likelihoods = configurations.sample_labels(
                next(step_keys), log_likelihoods, draws, log_probs[picks[-1].indices]
            )
            weights = jnp.full(num_samples, 1 / num_samples, log_probs.dtype)
        if step > 0:
            gains = _conditional_information(points, _posterior(log_likelihoods), weights)
        gains = without_rounding(gains)
        index = jnp.argmax(jnp.where(remaining, gains, -jnp.inf))
        exists = jnp.any(remaining)
        picks.append(
            Acquisition(jnp.where(exists, index, -1).astype(jnp.int32), jnp.where(exists, gains[index], -jnp.inf))
        )
        remaining = remove(remaining, index)
    return jax.tree.map(lambda *leaves: jnp.stack(leaves), *picks)
