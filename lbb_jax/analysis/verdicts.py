"""Whether runs decide a claim: rules that are fixed before the runs are looked at."""

from collections.abc import Sequence
from enum import StrEnum
from typing import Any, NamedTuple

import numpy as np
from scipy import stats

from lbb_jax.analysis.statistics import PairedDifference, paired_difference

# Accuracies that differ by less are level.
MARGIN = 0.01
_NUM_RESAMPLES = 9999
# The probability of a wrong verdict.
_ERROR = 0.05


class Side(StrEnum):
    """Where a claim says that a difference lies."""

    ABOVE = "above"
    BELOW = "below"
    LEVEL = "level"


class Verdict(StrEnum):
    """What the runs say of a claim."""

    HOLDS = "holds"
    FAILS = "does not hold"
    UNDECIDED = "undecided"


class Decision(NamedTuple):
    """A claim about one difference, decided.

    Attributes:
      verdict: What the runs say.
      interval: The mean difference, and the 95 % interval by Student's t, without correction.
      bootstrap: The same by the BCa bootstrap (Efron, 1987).
    """

    verdict: Verdict
    interval: PairedDifference
    bootstrap: PairedDifference


def _interval(differences: Any, confidence: float) -> PairedDifference:
    """The mean of ``differences[n]`` and its interval by Student's t."""
    return paired_difference(differences, np.zeros(len(differences)), confidence=confidence)


def bootstrap_difference(differences: Any, *, confidence: float = 0.95) -> PairedDifference:
    """The mean of ``differences[n]`` and its interval by the bias-corrected and accelerated bootstrap.

    It resamples 9,999 times, always in the same way. Source: Efron, "Better bootstrap confidence intervals", Journal of
    the American Statistical Association 82 (1987).

    Raises:
      ValueError: As `paired_difference`.
    """
    interval = _interval(differences, confidence)
    values = np.asarray(differences, np.float64)
    if np.ptp(values) == 0:
        return interval
    found = stats.bootstrap(
        (values,),
        np.mean,
        n_resamples=_NUM_RESAMPLES,
        confidence_level=confidence,
        method="BCa",
        rng=np.random.default_rng(0),
    ).confidence_interval
    return interval._replace(low=float(found.low), high=float(found.high))


def verdict_at(differences: Any, side: Side, *, confidence: float, margin: float = MARGIN) -> Verdict:
    """What the interval of the mean of ``differences[n]`` says of the claim that it lies on a side.

    *Above* holds if the interval lies above 0, and fails if it lies below; *below* likewise. *Level* holds if the
    interval lies within ``margin`` of 0, and fails if all of it lies outside. Anything else is undecided.
    """
    _, low, high, _ = _interval(differences, confidence)
    if side is Side.LEVEL:
        holds, fails = -margin < low and high < margin, low > margin or high < -margin
    elif side is Side.ABOVE:
        holds, fails = low > 0, high < 0
    else:
        holds, fails = high < 0, low > 0
    return Verdict.HOLDS if holds else Verdict.FAILS if fails else Verdict.UNDECIDED


def decide(claims: Sequence[tuple[Any, Side]], *, margin: float = MARGIN) -> list[Decision]:
    """Decides all parts of a claim, so that with probability 0.95 no verdict is wrong.

    It is Holm's procedure (Scandinavian Journal of Statistics 6, 1979) on intervals: while ``m`` parts are undecided,
    each is looked at with the confidence ``1 - 0.05 / m``.

    Args:
      claims: For each part the differences ``[n]``, and the side on which their mean is claimed to lie.
      margin: What counts as level.

    Returns:
      A decision for each part.

    Raises:
      ValueError: As `paired_difference`.
    """
    verdicts = [Verdict.UNDECIDED] * len(claims)
    while open_parts := [part for part, verdict in enumerate(verdicts) if verdict is Verdict.UNDECIDED]:
        for part in open_parts:
            verdicts[part] = verdict_at(*claims[part], confidence=1 - _ERROR / len(open_parts), margin=margin)
        if all(verdicts[part] is Verdict.UNDECIDED for part in open_parts):
            break
    return [
        Decision(verdict, _interval(differences, 1 - _ERROR), bootstrap_difference(differences))
        for verdict, (differences, _) in zip(verdicts, claims, strict=True)
    ]


def verdict_of_all(verdicts: Sequence[Verdict]) -> Verdict:
    """A claim holds if all its parts do, fails if one fails, and is undecided otherwise, or where it has no parts."""
    if Verdict.FAILS in verdicts:
        return Verdict.FAILS
    return Verdict.HOLDS if verdicts and set(verdicts) == {Verdict.HOLDS} else Verdict.UNDECIDED
