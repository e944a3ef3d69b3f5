"""How good a posterior's predictions are: accuracy, negative log-likelihood, expected calibration error."""

from typing import NamedTuple

import jax
import jax.numpy as jnp


class Metrics(NamedTuple):
    """Quality of the posterior's mean prediction on labelled examples.

    Attributes:
      accuracy: Share of examples whose likeliest class is the label, ``[]``.
      nll: Mean negative log-likelihood of the labels, ``[]``, nats.
      ece: Expected calibration error, ``[]``.
    """

    accuracy: jax.Array
    nll: jax.Array
    ece: jax.Array


def mean_prediction(log_probs: jax.Array) -> jax.Array:
    """Log of the mean over draws: ``log_probs[N, K, C]`` to ``[N, C]`` (Eq. 2.3 of Rubashevskii et al., 2023)."""
    return jax.nn.logsumexp(log_probs, axis=1) - jnp.log(log_probs.shape[1])


def evaluate(log_probs: jax.Array, labels: jax.Array) -> Metrics:
    """All metrics of the mean of ``log_probs[N, K, C]`` for ``labels[N]``."""
    prediction = mean_prediction(log_probs)
    correct = jnp.argmax(prediction, axis=-1) == labels
    of_labels = jnp.take_along_axis(prediction, labels[:, None], axis=-1)
    confidence = jnp.exp(jnp.max(prediction, axis=-1))
    return Metrics(
        accuracy=jnp.mean(correct.astype(prediction.dtype)),
        nll=-jnp.mean(of_labels),
        ece=expected_calibration_error(confidence, correct),
    )


def expected_calibration_error(confidence: jax.Array, correct: jax.Array, *, num_bins: int = 15) -> jax.Array:
    """Mean distance between confidence and accuracy over equal bins of confidence (Guo et al., 2017).

    Args:
      confidence: Probability of the predicted class, ``[N]``.
      correct: Whether the prediction is right, ``[N]`` bool.
      num_bins: Bins between 0 and 1, each open at its lower end.

    Returns:
      ``Σ_bins |Σ confidence - Σ correct| / N``, ``[]``.
    """
    bins = jnp.clip(jnp.ceil(confidence * num_bins).astype(jnp.int32) - 1, 0, num_bins - 1)
    excess = jnp.zeros(num_bins, confidence.dtype).at[bins].add(confidence - correct.astype(confidence.dtype))
    return jnp.sum(jnp.abs(excess)) / confidence.shape[0]
