"""The measurements, one record each: batches of several kinds, sizes, draws and classes."""

from collections.abc import Callable, Iterator, Mapping
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from lbb_jax import acquisition, analysis
from lbb_jax.acquisition.large_batch_bald_released import agreement
from lbb_jax.experiment import default_config
from lbb_jax.json_lines import Record
from paper.approximation import released_score
from paper.approximation.estimates import estimate, is_exact
from paper.approximation.predictions import Predictions, merge_classes

SIZES = (2, 3, 4, 5, 6, 10, 20, 50)
# The batch sizes for which draws and classes are varied.
SIZES_OF_VARIATIONS = (6, 20)
NUM_DRAWS = (2, 5, 10, 20, 50, 100)
NUM_CLASSES = (2, 5, 10, 20, 50, 100)
NUM_TARGETS = 500
METHODS = (
    "random,entropy,bald,epig,lbb_released,batch_bald,log_det,lbb:pair_weight=1,lbb:pair_weight=2,lbb:order=3,"
    "lbb:pairs=chi2,lbb:redundancy=tree,lbb:redundancy=tree:pairs=chi2,power_bald:alpha=1,power_bald:alpha=5,"
    "power_lbb:redundancy=tree:alpha=1,power_lbb:redundancy=tree:alpha=5"
)

_estimate = jax.jit(estimate, static_argnames="num_samples")
_agreement = jax.jit(agreement)


def measure(
    key: jax.Array,
    predictions: Predictions,
    variants: Mapping[str, Mapping[str, Any]],
    *,
    batch_size: int,
    repetitions: int,
    num_samples: int,
) -> list[Record]:
    """All measurements of one pool's predictions: `approximations`, `picks` and `released_score.correlations`.

    Args:
      key: Random key, consumed.
      predictions: The predictions of a pool.
      variants: As `picks` takes them.
      batch_size: The largest batch size, at most ``N``.
      repetitions: The number of random batches of each size, and of batches of each method that samples.
      num_samples: As `estimate` takes it.

    Returns:
      One record per measurement.

    Raises:
      ValueError: If ``batch_size`` is out of range.
    """
    num_points = len(predictions.log_probs)
    if not 2 <= batch_size <= num_points:
        raise ValueError(f"batch_size={batch_size}: must be between 2 and the pool's {num_points} points")
    sizes = {"batch_size": batch_size, "repetitions": repetitions, "num_samples": num_samples}
    approximations_key, picks_key, score_key = jax.random.split(key, 3)
    return [
        *approximations(approximations_key, predictions, **sizes),
        *picks(picks_key, predictions, variants, **sizes),
        released_score.correlations(score_key, predictions, num_targets=NUM_TARGETS, batch_size=batch_size),
    ]


def approximations(
    key: jax.Array, predictions: Predictions, *, batch_size: int, repetitions: int, num_samples: int
) -> Iterator[Record]:
    """Measures batches of random points and of the points with the highest BALD, in sizes up to ``batch_size``.

    Batches of all `SIZES` are measured with all draws and classes; those of `SIZES_OF_VARIATIONS` also with only the
    first draws, and with merged classes.

    Args:
      key: Random key, consumed.
      predictions: The predictions of a pool.
      batch_size: The largest batch size, at most ``N``.
      repetitions: Random batches of each size.
      num_samples: As `estimate` takes it.

    Yields:
      Records with ``measurement`` "approximation"; ``batch`` is "random points" or "highest BALD".
    """
    _, all_draws, all_classes = predictions.log_probs.shape
    variations = [(all_draws, all_classes)]
    variations += [(num_draws, all_classes) for num_draws in NUM_DRAWS if num_draws < all_draws]
    variations += [(all_draws, num_classes) for num_classes in NUM_CLASSES if num_classes < all_classes]
    random_key, sample_key = jax.random.split(key)
    for num_draws, num_classes in variations:
        is_whole = (num_draws, num_classes) == (all_draws, all_classes)
        log_probs = merge_classes(predictions.log_probs[:, :num_draws], num_classes)
        batches = {("highest BALD", 0): _pick(random_key, log_probs, {"method": "bald"}, batch_size)}
        for repetition in range(repetitions):
            repetition_key = jax.random.fold_in(random_key, repetition)
            batches["random points", repetition] = _pick(repetition_key, log_probs, {"method": "random"}, batch_size)
        measure_batch = _batch_measurer(predictions, log_probs, num_samples=num_samples)
        for (kind, repetition), indices in batches.items():
            for size in _sizes(batch_size) if is_whole else _up_to(batch_size, SIZES_OF_VARIATIONS):
                record = {"measurement": "approximation", "batch": kind, "repetition": repetition}
                yield record | measure_batch(jax.random.fold_in(sample_key, repetition), indices[:size])


def picks(
    key: jax.Array,
    predictions: Predictions,
    variants: Mapping[str, Mapping[str, Any]],
    *,
    batch_size: int,
    repetitions: int,
    num_samples: int,
) -> Iterator[Record]:
    """Measures the batches that each method picks, in sizes up to ``batch_size``.

    Every method picks one point after the other, so that its first ``b`` picks are its batch of ``b``.

    Args:
      key: Random key, consumed.
      predictions: The predictions of a pool.
      variants: As `lbb_jax.experiment.parse_methods` returns them; options that are not named have their defaults.
      batch_size: The largest batch size, at most ``N``.
      repetitions: The number of batches of a method that samples; other methods have one.
      num_samples: As `estimate` takes it.

    Yields:
      Records with ``measurement`` "picks"; ``variant`` is the method's name as figures show it and
      ``overlap`` the share of the batch that is in BatchBALD's batch of the same size, too.
    """
    log_probs = predictions.log_probs
    defaults = default_config().acquisition.to_dict()
    acquisitions = [defaults | dict(fields) for fields in variants.values()]
    pick_key, sample_key = jax.random.split(key)
    of_batch_bald = {"method": "batch_bald"}
    of_batch_bald = next((fields for fields in acquisitions if fields["method"] == "batch_bald"), of_batch_bald)
    # The key of the first repetition; BatchBALD has no other.
    reference = _pick(jax.random.fold_in(pick_key, 0), log_probs, of_batch_bald, batch_size)
    measure_batch = _batch_measurer(predictions, log_probs, num_samples=num_samples)
    for fields, variant in zip(acquisitions, analysis.variant_names(acquisitions), strict=True):
        for repetition in range(repetitions if acquisition.find_method(fields["method"]).samples_with(fields) else 1):
            indices = reference
            if fields is not of_batch_bald:
                indices = _pick(jax.random.fold_in(pick_key, repetition), log_probs, fields, batch_size)
            for size in _sizes(batch_size):
                record = {"measurement": "picks", "variant": variant, "repetition": repetition}
                record["overlap"] = len(np.intersect1d(indices[:size], reference[:size])) / size
                yield record | measure_batch(jax.random.fold_in(sample_key, repetition), indices[:size])


def _sizes(largest: int) -> list[int]:
    """The `SIZES` below ``largest``, and ``largest``."""
    return [*_up_to(largest - 1, SIZES), largest]


def _up_to(largest: int, sizes: tuple[int, ...]) -> list[int]:
    return [size for size in sizes if size <= largest]


def _pick(key: jax.Array, log_probs: jax.Array, fields: Mapping[str, Any], batch_size: int) -> np.ndarray:
    """The picks ``[b]`` of the method that ``fields`` of a configuration's acquisition describe."""
    method = fields["method"]
    options = acquisition.options_with_effect(method, fields)
    return np.asarray(acquisition.acquire(key, log_probs, method=method, batch_size=batch_size, **options).indices)


def _batch_measurer(predictions: Predictions, log_probs: jax.Array, *, num_samples: int) -> Callable[..., Record]:
    """A function from a key and the indices of a batch in ``log_probs[N, K, C]`` to the measurements of the batch."""
    num_points, num_draws, num_classes = log_probs.shape
    added = np.asarray(_agreement(log_probs, jnp.ones(num_points, bool)))

    def of_batch(key: jax.Array, indices: np.ndarray) -> Record:
        values = jax.device_get(_estimate(key, log_probs[indices], num_samples=num_samples))
        return {
            **predictions.origin,
            "b": len(indices),
            "K": num_draws,
            "C": num_classes,
            "is_exact": is_exact(len(indices), num_classes),
            **{name: round(float(value), 6) for name, value in values._asdict().items()},
            "pairs_twice": round(2 * float(values.pairs_once), 6),
            # A redundancy is subtracted from BALD; what the released score adds is a redundancy with the opposite sign.
            "released": round(-float(added[indices].sum()), 6),
        }

    return of_batch
