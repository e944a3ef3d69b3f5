"""What the score of the released code rewards: rank correlations over the pool."""

import functools
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from scipy.stats import spearmanr

from lbb_jax import acquisition, entropy, information
from lbb_jax.acquisition.large_batch_bald_released import CHUNK_SIZE, agreement
from lbb_jax.acquisition.pointwise import mean_probs
from paper.approximation.predictions import Predictions


def correlations(key: jax.Array, predictions: Predictions, *, num_targets: int, batch_size: int) -> dict[str, Any]:
    """Rank correlations of the released score, and of what it adds to BALD, with what is known of each point.

    Args:
      key: Random key, consumed by the drawing of EPIG's targets.
      predictions: The predictions of a pool of at least 2 points.
      num_targets: The number of targets of EPIG, which is the mean information of a point's label about the targets'
        labels.
      batch_size: How many of the highest of each score are compared.

    Returns:
      A record. ``agreement`` (what the score adds to BALD), ``size_of_agreement`` (its absolute value) and ``score``
      hold Spearman's rank correlation over all points with each quantity, None where one of the two is constant;
      ``overlap`` the share of the ``batch_size`` highest scores that are among the highest of each quantity, too;
      ``spread`` and ``spread_of_bald`` the standard deviations of what is added and of BALD; ``share_below_zero`` the
      share of points that what is added lowers; ``in_last_chunk`` and ``highest_in_last_chunk`` the shares of the pool
      and of the highest scores that lie in the last of the chunks of 1,024 points, which is the smallest.
    """
    quantities = {
        name: np.asarray(values, np.float64)
        for name, values in _quantities(key, predictions.log_probs, num_targets=num_targets).items()
    }
    added = quantities.pop("agreement")
    score = quantities["BALD"] + added
    best = _highest(score, batch_size)
    chunks = np.arange(len(score)) // CHUNK_SIZE
    is_in_last = chunks == chunks[-1]
    return {
        "measurement": "released_score",
        **predictions.origin,
        "agreement": _rank_correlations(added, quantities),
        "size_of_agreement": _rank_correlations(np.abs(added), quantities),
        "score": _rank_correlations(score, quantities),
        "overlap": {
            name: len(np.intersect1d(best, _highest(values, batch_size))) / batch_size
            for name, values in quantities.items()
        },
        "spread": round(float(added.std()), 6),
        "spread_of_bald": round(float(quantities["BALD"].std()), 6),
        "share_below_zero": round(float(np.mean(added < 0)), 4),
        "in_last_chunk": round(float(np.mean(is_in_last)), 4),
        "highest_in_last_chunk": round(float(np.mean(is_in_last[best])), 4),
        "batch_size": batch_size,
    }


@functools.partial(jax.jit, static_argnames="num_targets")
def _quantities(key: jax.Array, log_probs: jax.Array, *, num_targets: int) -> dict[str, jax.Array]:
    """What is known of each point of ``log_probs[N, K, C]``, and what the released score adds to BALD, ``[N]`` each."""
    num_points = len(log_probs)
    available = jnp.ones(num_points, bool)
    picked = acquisition.epig(key, log_probs, available, batch_size=num_points, num_targets=num_targets)
    probs = jnp.exp(log_probs)
    return {
        "predictive entropy": entropy.marginal_entropy(log_probs),
        "conditional entropy": entropy.conditional_entropy(log_probs),
        "BALD": information.mutual_information(log_probs),
        "EPIG": jnp.zeros(num_points, log_probs.dtype).at[picked.indices].set(picked.scores),
        "confidence": jnp.max(mean_probs(log_probs), axis=1),
        "class counts": _covariance_with_class_counts(probs),
        "agreement": agreement(log_probs, available),
    }


def _covariance_with_class_counts(probs: jax.Array) -> jax.Array:
    """``Σ_c cov_k(p_nk(c), mean_j p_jk(c))`` of ``probs[N, K, C]``: ``[N]``.

    It is large for a point whose probability of a class is higher in the draws that predict this class more often in
    the pool.
    """
    deviations = probs - jnp.mean(probs, axis=1, keepdims=True)
    return jnp.sum(jnp.mean(deviations * jnp.mean(deviations, axis=0, keepdims=True), axis=1), axis=1)


def _rank_correlations(values: np.ndarray, quantities: dict[str, np.ndarray]) -> dict[str, float | None]:
    """Spearman's rank correlation of ``values[N]`` with each quantity."""
    return {name: _rank_correlation(values, of_points) for name, of_points in quantities.items()}


def _rank_correlation(a: np.ndarray, b: np.ndarray) -> float | None:
    if np.ptp(a) == 0 or np.ptp(b) == 0:
        return None
    return round(float(spearmanr(a, b).statistic), 4)


def _highest(values: np.ndarray, count: int) -> np.ndarray:
    """Indices of the ``count`` highest values."""
    return np.argsort(-values, kind="stable")[:count]
