"""How good a posterior's predictions are: by accuracy, by class, by likelihood and by calibration."""

from typing import NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jax.typing import ArrayLike
from jaxtyping import Array, Bool, Float, Integer

from lbb_jax import arguments
from lbb_jax.acquisition import checks

# The metrics that are means over classes; runs of older versions lack them.
BY_CLASS = ("balanced_accuracy", "macro_f1")
_NUM_BINS = 15
# A sum of rounded probabilities may be a little above 1.
_ROUNDING = 1e-3


class Metrics(NamedTuple):
    """Quality of the posterior's mean prediction on labelled examples.

    Attributes:
      accuracy: Share of examples whose likeliest class is the label, ``[]``.
      nll: Mean negative log-likelihood of the labels, ``[]``, nats.
      ece: Expected calibration error, ``[]``.
      balanced_accuracy: Mean recall over the classes that have examples, ``[]``.
      macro_f1: Mean F1 score over the classes that have examples or are predicted, ``[]``.
    """

    accuracy: Float[Array, ""]
    nll: Float[Array, ""]
    ece: Float[Array, ""]
    balanced_accuracy: Float[Array, ""]
    macro_f1: Float[Array, ""]


def mean_prediction(log_probs: Float[ArrayLike, "N K C"]) -> Float[Array, "N C"]:
    """Log of the mean over draws: ``log_probs[N, K, C]`` to ``[N, C]`` (Eq. 2.3 of Rubashevskii et al., 2023).

    Rows in float16 and bfloat16 are normalised in float32 first.

    Raises:
      ValueError: If ``log_probs`` is not floating point of three axes. Outside of ``jit``, also if a row is no
        normalised log-probabilities.
      TypeError: If it is no array.
    """
    log_probs = arguments.as_array("log_probs", log_probs)
    arguments.check_predictions(log_probs)
    in_float32 = checks.predictions_in_float32(log_probs)
    if arguments.are_known(log_probs):
        checks.check_values(in_float32, np.ones(len(log_probs), bool))
    log_probs = jnp.asarray(in_float32 if log_probs.dtype.itemsize == 2 else log_probs)
    return jax.nn.logsumexp(log_probs, axis=1) - jnp.log(log_probs.shape[1])


def evaluate(log_probs: Float[ArrayLike, "N K C"], labels: Integer[ArrayLike, " N"]) -> Metrics:
    """All metrics of the mean of ``log_probs[N, K, C]`` for ``labels[N]``.

    Raises:
      ValueError: As `mean_prediction`; also if ``labels`` are not ``N`` integers, outside of ``jit`` from 0 to below
        ``C``.
      TypeError: For an argument of the wrong kind.
    """
    prediction = mean_prediction(log_probs)
    num_examples, num_classes = prediction.shape
    labels = arguments.as_array("labels", labels)
    arguments.check_integers("labels", labels, low=0, high=num_classes, remedy="leave out examples without a label")
    if len(labels) != num_examples:
        raise ValueError(f"labels has length {len(labels)}: must be {num_examples}, one for each point of log_probs")
    labels = jnp.asarray(labels, jnp.int32)
    predicted = jnp.argmax(prediction, axis=-1)
    correct = predicted == labels
    of_labels = jnp.take_along_axis(prediction, labels[:, None], axis=-1)
    confidence = jnp.exp(jnp.max(prediction, axis=-1))
    return Metrics(
        accuracy=jnp.mean(correct.astype(prediction.dtype)),
        nll=-jnp.mean(of_labels),
        ece=_calibration_error(confidence, correct, _NUM_BINS),
        **_by_class(predicted, labels, num_classes),
    )


def _by_class(
    predicted: Integer[Array, " N"], labels: Integer[Array, " N"], num_classes: int
) -> dict[str, Float[Array, ""]]:
    """The metrics of `Metrics` that are means over classes, from ``predicted[N]`` and ``labels[N]``."""
    counts = jnp.zeros((3, num_classes))
    counts = counts.at[0, labels].add(1).at[1, predicted].add(1)
    num_labelled, num_predicted, num_right = counts.at[2, labels].add((predicted == labels).astype(counts.dtype))
    recall = num_right / jnp.maximum(num_labelled, 1)
    f1 = 2 * num_right / jnp.maximum(num_labelled + num_predicted, 1)
    return {
        "balanced_accuracy": jnp.mean(recall, where=num_labelled > 0),
        "macro_f1": jnp.mean(f1, where=num_labelled + num_predicted > 0),
    }


def expected_calibration_error(
    confidence: Float[ArrayLike, " N"], correct: Bool[ArrayLike, " N"], *, num_bins: int = _NUM_BINS
) -> Float[Array, ""]:
    """Mean distance between confidence and accuracy over equal bins of confidence (Guo et al., 2017).

    Args:
      confidence: Probability of the predicted class, ``[N]``.
      correct: Whether the prediction is right, ``[N]`` bool.
      num_bins: Bins between 0 and 1, each open at its lower end.

    Returns:
      ``Σ_bins |Σ confidence - Σ correct| / N``, ``[]``.

    Raises:
      ValueError: If the arguments differ in length, or one is out of range. Under ``jit`` values are not checked.
      TypeError: For an argument of the wrong kind.
    """
    num_bins = arguments.check_positive_integer("num_bins", num_bins)
    confidence, correct = arguments.as_array("confidence", confidence), arguments.as_array("correct", correct)
    _check_confidence(confidence, correct)
    return _calibration_error(jnp.asarray(confidence), jnp.asarray(correct), num_bins)


def _calibration_error(confidence: Float[Array, " N"], correct: Bool[Array, " N"], num_bins: int) -> Float[Array, ""]:
    """`expected_calibration_error`, without checks of its arguments."""
    bins = jnp.clip(jnp.ceil(confidence * num_bins).astype(jnp.int32) - 1, 0, num_bins - 1)
    excess = jnp.zeros(num_bins, confidence.dtype).at[bins].add(confidence - correct.astype(confidence.dtype))
    return jnp.sum(jnp.abs(excess)) / confidence.shape[0]


def _check_confidence(confidence: arguments.Array, correct: arguments.Array) -> None:
    """Raises ValueError unless both are ``[N]``, probabilities and bools."""
    arguments.check_floating("confidence", confidence)
    if confidence.ndim != 1 or len(confidence) == 0:
        raise ValueError(f"confidence has shape {confidence.shape}: must be [N], at least 1")
    if correct.dtype != bool or correct.shape != confidence.shape:
        raise ValueError(
            f"correct has dtype {correct.dtype} and shape {correct.shape}: must be bool of shape {confidence.shape}, "
            "one entry for each of confidence"
        )
    if arguments.are_known(confidence):
        is_fault = ~(np.abs(np.asarray(confidence, np.float64) - 0.5) <= 0.5 + _ROUNDING)
        if is_fault.any():
            place = int(np.argmax(is_fault))
            raise ValueError(f"confidence[{place}]={confidence[place]}: must be a probability, between 0 and 1")
