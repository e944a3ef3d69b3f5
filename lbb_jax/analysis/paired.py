"""Differences between two variants over the same seeds, with confidence intervals.

Two runs with the same seed share their initial labels, so that much of what varies from seed to seed cancels in their
difference.
"""

from typing import Any, NamedTuple

import numpy as np
import pandas as pd
from scipy.special import stdtrit

from lbb_jax.analysis.curves import EXPERIMENT, describe, split_by_experiment
from lbb_jax.analysis.names import NAMES


class PairedDifference(NamedTuple):
    """A mean difference and its confidence interval, in the unit of what was compared.

    Attributes:
      mean: Of the differences.
      low: Lower end of the interval.
      high: Upper end of the interval.
      num_pairs: Number of differences.
    """

    mean: float
    low: float
    high: float
    num_pairs: int


def paired_difference(first: Any, second: Any, *, confidence: float = 0.95) -> PairedDifference:
    """The mean of ``first - second`` and its two-sided confidence interval by Student's t.

    ``mean ± t s / sqrt(n)``, with ``s`` the standard deviation of the ``n`` differences (``n - 1`` in its denominator)
    and ``t`` the quantile ``(1 + confidence) / 2`` of Student's distribution with ``n - 1`` degrees of freedom. It
    takes the differences as independent and normal; with few seeds it is wide. Source: Student, "The probable error of
    a mean", Biometrika 6 (1908).

    Args:
      first: Values ``[n]``, ``n`` at least 2, finite.
      second: Values ``[n]`` of the same seeds in the same order.
      confidence: Between 0 and 1, both excluded.

    Returns:
      The mean difference and its interval, a single point where all differences are equal.

    Raises:
      ValueError: For other shapes, values that are not finite, or a confidence out of range.
    """
    first, second = np.asarray(first, np.float64), np.asarray(second, np.float64)
    if first.ndim != 1 or first.shape != second.shape or len(first) < 2:
        raise ValueError(
            f"first has shape {first.shape} and second {second.shape}: must be [n] both, with the values of the same "
            "n >= 2 seeds"
        )
    for name, values in (("first", first), ("second", second)):
        if not np.isfinite(values).all():
            raise ValueError(f"{name} holds {values[~np.isfinite(values)][0]}: must be finite; leave that seed out")
    if not 0 < confidence < 1:
        raise ValueError(f"confidence={confidence}: must be between 0 and 1, such as 0.95")
    differences = first - second
    mean, count = differences.mean(), len(differences)
    half_width = stdtrit(count - 1, (1 + confidence) / 2) * differences.std(ddof=1) / np.sqrt(count)
    return PairedDifference(float(mean), float(mean - half_width), float(mean + half_width), count)


def paired_differences(
    values: pd.DataFrame, *, column: str = "area", baseline: str = NAMES["random"], confidence: float = 0.95
) -> pd.DataFrame:
    """The difference of every variant to the baseline, on each experiment, over the seeds that both have.

    Args:
      values: One row per experiment, variant and seed, as `areas_under_curve` returns them.
      column: What is compared.
      baseline: Name of a variant.
      confidence: As `paired_difference` takes it.

    Returns:
      One row per experiment and variant other than the baseline, in the order of ``values``: the columns
      `EXPERIMENT`, ``variant``, ``difference`` (variant less baseline), ``low``, ``high``, ``num_seeds``,
      ``confidence`` and ``baseline``.

    Raises:
      ValueError: If an experiment lacks the baseline, a variant shares fewer than 2 seeds with it, a seed occurs twice
        in a variant, or as `paired_difference`.
    """
    names = [*EXPERIMENT, "variant", *("difference", "low", "high", "num_seeds", "confidence", "baseline")]
    rows = []
    for experiment, of_experiment in split_by_experiment(values):
        by_seed = {
            variant: of_variant.set_index("seed")[column]
            for variant, of_variant in of_experiment.groupby("variant", sort=False)
        }
        for variant in (name for name in by_seed if name != baseline):
            pairs = _pairs(by_seed, variant, baseline, describe(experiment))
            result = paired_difference(pairs["first"], pairs["second"], confidence=confidence)
            rows.append((*experiment.values(), variant, *result, confidence, baseline))
    return pd.DataFrame(rows, columns=names)


def _pairs(by_seed: dict[str, pd.Series], variant: str, baseline: str, experiment: str) -> pd.DataFrame:
    """The values of ``variant`` and ``baseline``, side by side for the seeds that both have."""
    if baseline not in by_seed:
        raise ValueError(f"{experiment}: no run of baseline={baseline!r}; there are {', '.join(by_seed)}")
    for name in (variant, baseline):
        if by_seed[name].index.has_duplicates:
            raise ValueError(f"{experiment}: {name} has several values for the same seed; pass one of them")
    pairs = pd.concat({"first": by_seed[variant], "second": by_seed[baseline]}, axis=1, join="inner")
    if len(pairs) < 2:
        raise ValueError(
            f"{experiment}: {variant} and {baseline} share {len(pairs)} of their seeds; an interval needs at least 2"
        )
    return pairs
