"""The lazy methods in their plainest form: every point is evaluated at every step. The picks must be the same."""

import functools
from typing import NamedTuple

import jax
import jax.numpy as jnp
import numpy as np

from lbb_jax import information, label_configurations
from lbb_jax.acquisition import exponential_race
from lbb_jax.acquisition.batch_bald import beliefs_of, conditional_information, relative_to_mean
from lbb_jax.relative_entropy import centre


class Picks(NamedTuple):
    """Picks, what each was worth, and how far it was ahead of the next in what picks are ranked by."""

    indices: np.ndarray
    scores: np.ndarray
    leads: np.ndarray


def assert_same_picks(lazy, dense, log_probs, *, resolution=1e-5):
    """The same picks and scores, up to the first pick that two points came too close for.

    Exact copies, and points without any gain, are never too close: the lowest index is picked.
    """
    for place in range(len(dense.indices)):
        one, other = int(lazy.indices[place]), int(dense.indices[place])
        lead = dense.leads[place] if isinstance(dense, Picks) else dense.scores[place] - lazy.scores[place]
        if one != other and lead < resolution and dense.scores[place] != 0:
            assert not np.array_equal(log_probs[one], log_probs[other])
            return
        assert one == other, place
        np.testing.assert_allclose(lazy.scores[place], dense.scores[place], rtol=1e-5, atol=1e-5)


@jax.jit
def _bald(log_probs):
    return information.mutual_information(log_probs)


@functools.partial(jax.jit, static_argnames="pairs")
def _information_with(log_probs, index, *, pairs):
    if pairs == "exact":
        return information.pairwise_mutual_information(log_probs, log_probs[index][None])[:, 0]
    # Straight from the definition of χ², with the mean over the draws of the products of the centred ratios.
    points = centre(log_probs)
    products = jnp.einsum("nkc,kd->ncd", points.ratios, points.ratios[index]) / log_probs.shape[1]
    return jnp.einsum("nc,d,ncd->n", points.mean, points.mean[index], products**2) / 2


@jax.jit
def _gains_given(log_probs, log_likelihoods, weights):
    points = relative_to_mean(log_probs)
    return conditional_information(points, beliefs_of(label_configurations.posterior(log_likelihoods), weights))


_enumerate_labels = jax.jit(label_configurations.enumerate_labels)
_sample_labels = jax.jit(label_configurations.sample_labels)
_sample_all = jax.jit(label_configurations.sample_all)
_stratified_draws = jax.jit(label_configurations.stratified_draws, static_argnums=(1, 2))


def _pick(batch_size, available, rank):
    """Picks by ``rank(picks so far) -> (ranking[N], gains[N])``."""
    picks, scores, leads = [], [], []
    for _ in range(batch_size):
        ranking, gains = rank(picks)
        remaining = np.array(available)
        remaining[picks] = False
        ranking = np.where(remaining, ranking, -np.inf)
        first, second = np.sort(ranking)[::-1][:2] if len(ranking) > 1 else (ranking[0], -np.inf)
        picks.append(int(np.argmax(ranking)))
        scores.append(float(gains[picks[-1]]))
        leads.append(first - second)
    return Picks(np.array(picks), np.array(scores), np.array(leads))


def _lbb_gains(log_probs, redundancy, pairs):
    """``picks -> gains[N]``, for picks that grow by one from call to call."""
    scores = np.asarray(_bald(log_probs))
    shared = np.zeros_like(scores)

    def gains_after(picks):
        nonlocal shared
        if picks:
            new = np.asarray(_information_with(log_probs, picks[-1], pairs=pairs))
            shared = np.maximum(shared, new) if redundancy == "tree" else shared + new
        return np.maximum(scores - shared, 0) if redundancy == "tree" else scores - shared

    return gains_after


def large_batch_bald(key, log_probs, available, *, batch_size, redundancy="pairwise", pairs="exact"):
    del key
    gains_after = _lbb_gains(log_probs, redundancy, pairs)

    def rank(picks):
        gains = gains_after(picks)
        return gains, gains

    return _pick(batch_size, available, rank)


def power_large_batch_bald(key, log_probs, available, *, batch_size, alpha=1.0, redundancy="pairwise", pairs="exact"):
    """The race with what remains of each point's unit-rate wait, instead of the arrivals; in float64."""
    variates = jax.tree.map(np.asarray, exponential_race.variates(key, jnp.arange(len(log_probs)), jnp.float32))
    gains_after = _lbb_gains(log_probs, redundancy, pairs)
    wait = np.exp(-variates.gumbel.astype(np.float64))

    def rank(picks):
        nonlocal wait
        gains = gains_after(picks)
        rates = np.where(gains > 0, gains.astype(np.float64), 0) ** alpha
        remaining = np.array(available)
        remaining[picks] = False
        possible = remaining & (rates > 0)
        arrival = np.where(possible, wait / np.where(possible, rates, 1), np.inf)
        if possible.any():
            wait = np.where(possible, wait - arrival.min() * rates, wait)
        # The lowest variate comes first among those that never arrive.
        return np.where(possible, -np.log(np.where(possible, arrival, 1)), -1e30 * (1 + variates.uniform)), gains

    return _pick(batch_size, available, rank)


def batch_bald(key, log_probs, available, *, batch_size, num_samples=10_000):
    """On the configurations that the lazy form samples."""
    _, num_draws, num_classes = log_probs.shape
    draw_key, history_key, label_key = jax.random.split(key, 3)
    # The picks before which all configurations are few enough; one class has nothing to enumerate.
    few = [place for place in range(1, batch_size) if num_classes > 1 and num_classes**place <= num_samples]
    num_enumerated = 1 + len(few)
    step_keys = jax.random.split(label_key, batch_size - num_enumerated)
    draws = _stratified_draws(draw_key, num_samples, num_draws)
    log_likelihoods = label_configurations.empty(num_draws, log_probs.dtype)

    def rank(picks):
        nonlocal log_likelihoods
        num_picks = len(picks)
        if num_picks == 0:
            gains = _bald(log_probs)
        elif num_picks < num_enumerated:
            log_likelihoods = _enumerate_labels(log_likelihoods, log_probs[picks[-1]])
            gains = _gains_given(log_probs, log_likelihoods, jnp.mean(jnp.exp(log_likelihoods), axis=-1))
        else:
            if num_picks == num_enumerated:
                history = jnp.asarray(picks[:-1], jnp.int32)
                log_likelihoods = _sample_all(history_key, log_probs[history], draws)
            step_key = step_keys[num_picks - num_enumerated]
            log_likelihoods = _sample_labels(step_key, log_likelihoods, draws, log_probs[picks[-1]])
            gains = _gains_given(log_probs, log_likelihoods, jnp.full(num_samples, 1 / num_samples, log_probs.dtype))
        return np.asarray(gains), np.asarray(gains)

    return _pick(batch_size, available, rank)
