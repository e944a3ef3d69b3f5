"""Which points a project asks next: a random share to check the model by, and the picks of an acquisition method."""

import math
from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

import jax
import numpy as np

from lbb_jax import acquisition, components, references
from lbb_jax.acquisition import checks
from lbb_jax.labelling.errors import LabellingError


class Picks(NamedTuple):
    """Rows of the predictions that are to be asked.

    Attributes:
      rows: ``[b]``, the method's picks in their order, then the audit points.
      scores: ``[b]`` float32; NaN for audit points, which no method has picked.
      num_audited: The number of audit points.
    """

    rows: np.ndarray
    scores: np.ndarray
    num_audited: int = 0


def pick(
    log_probs: Any,
    available: np.ndarray,
    *,
    method: Any,
    batch_size: int,
    seed: int,
    number: int,
    audit: float,
    options: Mapping[str, Any],
) -> Picks:
    """Picks a batch.

    Args:
      log_probs: Log-probabilities ``[N, K, C]``.
      available: Bool ``[N]``, the rows that may be picked.
      method: As `lbb_jax.acquisition.acquire` takes it.
      batch_size: Points to pick, the audit points among them.
      seed: Seed of the random numbers.
      number: The batch's number: every batch of a seed has random numbers of its own.
      audit: Share of the batch to draw uniformly, from 0 to 1, rounded to whole points.
      options: Options of the method.

    Raises:
      LabellingError: If fewer points are available than asked for, or ``audit`` is out of range.
      ValueError, TypeError: As `lbb_jax.acquisition.acquire`.
    """
    if not isinstance(audit, int | float) or not 0 <= audit <= 1:
        raise LabellingError(f"audit={audit!r}: must be a share of the batch, from 0 to 1")
    if not isinstance(batch_size, int | np.integer) or isinstance(batch_size, bool) or batch_size < 1:
        raise LabellingError(f"batch_size={batch_size!r}: must be an integer, at least 1")
    if batch_size > available.sum():
        raise LabellingError(
            f"batch_size={batch_size}: only {available.sum()} points are left that are neither labelled, skipped nor "
            "pending; ask for fewer, withdraw what is pending, or add ids"
        )
    num_audited = math.floor(audit * batch_size + 0.5)
    generator = np.random.default_rng((seed, number))
    audited = generator.choice(np.flatnonzero(available), num_audited, replace=False)
    rows, scores = [audited], [np.full(num_audited, np.nan, np.float32)]
    if num_audited < batch_size:
        is_left = available.copy()
        is_left[audited] = False
        # The variates of methods that sample belong to points: the same ones again would favour the same points.
        key = jax.random.fold_in(jax.random.key(seed), number)
        asked = {"method": method, "batch_size": batch_size - num_audited, "available": is_left}
        picked, worth = acquire(key, log_probs, **asked, options=options)
        rows, scores = [picked, *rows], [worth, *scores]
    return Picks(np.concatenate(rows), np.concatenate(scores), num_audited)


def acquire(
    key: jax.Array,
    log_probs: Any,
    *,
    method: Any,
    batch_size: int,
    available: np.ndarray,
    options: Mapping[str, Any],
) -> tuple[np.ndarray, np.ndarray]:
    """The rows that `lbb_jax.acquisition.acquire` picks, ``[b]``, and their scores; the rows are checked on the host.

    Raises:
      ExperimentError: If the method that ``"module:attribute"`` names fails; the message has its file and line.
      ValueError, TypeError: As `lbb_jax.acquisition.acquire`; if a method picks a row twice, or one not available.
    """
    try:
        batch = acquisition.acquire(
            key, log_probs, method=method, batch_size=batch_size, available=available, **options
        )
    # A user's code may raise any error; those of lbb_jax's checks do not pass through it.
    except Exception as error:
        if not references.is_reference(method) or references.users_place(error) is None:
            raise
        with components.blamed(f"method={method!r}"):
            raise
    rows = np.asarray(batch.indices)
    checks.check_picks(rows, available)
    return rows, np.asarray(batch.scores)


def scores_as_json(scores: np.ndarray) -> list[float | None]:
    """Scores as numbers that JSON has; None for what is not finite."""
    return [float(score) if math.isfinite(score) else None for score in scores]


def described(options: Mapping[str, Any]) -> dict[str, Any]:
    """Options as the log holds them: arrays by their shapes."""
    return {name: _described(value) for name, value in options.items()}


def _described(value: Any) -> Any:
    if value is None or isinstance(value, bool | int | float | str):
        return value if not isinstance(value, float) or math.isfinite(value) else repr(value)
    shape: Sequence[int] | None = getattr(value, "shape", None)
    return repr(value) if shape is None else f"array of shape {tuple(shape)}"
