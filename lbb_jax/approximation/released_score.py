"""What the score of the released code rewards: rank correlations over the pool."""

from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from scipy.stats import spearmanr

from lbb_jax import acquisition, entropy, information
from lbb_jax.acquisition import large_batch_bald_released as released
from lbb_jax.approximation.predictions import Predictions


def correlations(key: jax.Array, predictions: Predictions, *, num_targets: int, batch_size: int) -> dict[str, Any]:
    """Rank correlations of the released score, and of what it adds to BALD, with what is known of each point.

    Args:
      key: Random key, consumed by the drawing of EPIG's targets.
      predictions: Of a pool of at least 2 points.
      num_targets: Of EPIG, the mean information that a point's label has about those of the pool.
      batch_size: How many of the highest of each score are compared.

    Returns:
      A record: ``agreement`` and ``score`` hold Spearman's rank correlation over all points of the two with
      each quantity (None where it is the same for all points), ``overlap`` the share of the ``batch_size`` highest
      scores that are among the highest of each quantity, too, and ``spread`` and ``spread_of_bald`` the standard
      deviations of what is added and of BALD.
    """
    quantities = _quantities(key, predictions.log_probs, num_targets=num_targets)
    agreement = np.asarray(released.agreement(predictions.log_probs, jnp.ones(len(predictions.log_probs), bool)))
    score = quantities["BALD"] + agreement
    best = _highest(score, batch_size)
    return {
        "measurement": "released_score",
        "source": predictions.source,
        "reduced": predictions.reduced,
        "seed": predictions.seed,
        "agreement": {name: _rank_correlation(agreement, values) for name, values in quantities.items()},
        "score": {name: _rank_correlation(score, values) for name, values in quantities.items()},
        "overlap": {
            name: len(np.intersect1d(best, _highest(values, batch_size))) / batch_size
            for name, values in quantities.items()
        },
        "spread": round(float(agreement.std()), 6),
        "spread_of_bald": round(float(quantities["BALD"].std()), 6),
        "batch_size": batch_size,
    }


def _quantities(key: jax.Array, log_probs: jax.Array, *, num_targets: int) -> dict[str, np.ndarray]:
    """What is known of each point, ``[N]`` float64 each, by name."""
    num_points = len(log_probs)
    picked = acquisition.acquire(key, log_probs, method="epig", batch_size=num_points, num_targets=num_targets)
    epig = jnp.zeros(num_points, log_probs.dtype).at[picked.indices].set(picked.scores)
    quantities = {
        "predictive entropy": entropy.marginal_entropy(log_probs),
        "conditional entropy": entropy.conditional_entropy(log_probs),
        "BALD": information.mutual_information(log_probs),
        "EPIG": epig,
        "confidence": jnp.max(jnp.mean(jnp.exp(log_probs), axis=1), axis=1),
    }
    return {name: np.asarray(values, np.float64) for name, values in quantities.items()}


def _rank_correlation(a: np.ndarray, b: np.ndarray) -> float | None:
    if np.ptp(a) == 0 or np.ptp(b) == 0:
        return None
    return round(float(spearmanr(a, b).statistic), 4)


def _highest(values: np.ndarray, count: int) -> np.ndarray:
    """Indices of the ``count`` highest values."""
    return np.argsort(-values, kind="stable")[:count]
