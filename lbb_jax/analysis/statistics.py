"""Methods compared over seeds and over experiments.

Two runs with the same seed share their initial labels, so that much of what varies from seed to seed cancels in their
difference. Performance profiles compare methods over experiments (Dolan and Moré, "Benchmarking optimization software
with performance profiles", Mathematical Programming 91, 2002).
"""

from typing import Any, NamedTuple

import numpy as np
import pandas as pd
from scipy.special import stdtrit

from lbb_jax.analysis.curves import EXPERIMENT, by_experiment, describe, split_by_experiment
from lbb_jax.analysis.names import NAMES
from lbb_jax.errors import ExperimentError


class PairedDifference(NamedTuple):
    """A mean difference and its confidence interval, in the unit of what was compared.

    Attributes:
      mean: The mean of the differences.
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
    areas: pd.DataFrame, *, baseline: str = NAMES["random"], confidence: float = 0.95
) -> pd.DataFrame:
    """The difference of the area of every variant to the baseline's, on each experiment, over the seeds of both.

    Args:
      areas: One row per experiment, variant and seed, as `areas_under_curve` returns them.
      baseline: Name of a variant.
      confidence: As `paired_difference` takes it.

    Returns:
      One row per experiment and variant other than the baseline, in the order of ``areas``: the columns
      `EXPERIMENT`, ``variant``, ``difference`` (variant less baseline), ``low``, ``high``, ``num_seeds``,
      ``confidence`` and ``baseline``.

    Raises:
      ValueError: If an experiment lacks the baseline, a variant shares fewer than 2 seeds with it, a seed occurs twice
        in a variant, or as `paired_difference`.
    """
    names = [*EXPERIMENT, "variant", *("difference", "low", "high", "num_seeds", "confidence", "baseline")]
    rows = []
    for experiment, of_experiment in split_by_experiment(areas):
        by_seed = {
            variant: of_variant.set_index("seed")["area"]
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
        raise ExperimentError(f"{experiment}: no run of baseline={baseline!r}; there are {', '.join(by_seed)}")
    for name in (variant, baseline):
        if by_seed[name].index.has_duplicates:
            raise ExperimentError(f"{experiment}: {name} has several values for the same seed; pass one of them")
    pairs = pd.concat({"first": by_seed[variant], "second": by_seed[baseline]}, axis=1, join="inner")
    if len(pairs) < 2:
        raise ExperimentError(
            f"{experiment}: {variant} and {baseline} share {len(pairs)} of their seeds; an interval needs at least 2"
        )
    return pairs


def final_errors(runs: pd.DataFrame) -> pd.DataFrame:
    """The final error rate of each variant on each experiment.

    Args:
      runs: As `load_runs` returns them.

    Returns:
      ``[problems, solvers]``: a row for each experiment, with the columns `EXPERIMENT` as its index, and a column for
      each variant; 1 minus the mean over seeds of the accuracy with all labels, to seven digits, NaN where the variant
      was not run.

    Raises:
      ValueError: As `areas_under_curve`, for runs that cannot be compared.
    """
    rows = [
        experiment | {"variant": curve.variant, "error": 1 - curve.accuracy[-1]}
        for experiment, curves in by_experiment(runs)
        for curve in curves
    ]
    table = pd.DataFrame(rows)
    means = table.groupby([*EXPERIMENT, "variant"])["error"].mean().unstack("variant")
    means = means.loc[list(dict.fromkeys(table[list(EXPERIMENT)].itertuples(index=False, name=None)))]
    # Accuracies are shares in float32: beyond these digits, equal numbers of errors would not be equal.
    return means[list(table["variant"].unique())].round(7)


def performance_ratios(errors: Any) -> np.ndarray:
    """Each solver's error, divided by the smallest error of any solver on the same problem.

    Args:
      errors: Error rates ``[problems, solvers]``, at least 0 and finite; NaN for a solver not run on a problem.

    Returns:
      Ratios ``[problems, solvers]`` float64, at least 1. Infinite for a solver that was not run; where the best error
      is 0, 1 for the solvers at 0 and infinite for the others.

    Raises:
      ValueError: If ``errors`` is not ``[problems, solvers]`` with at least one of each, or holds a negative or
        infinite value, or a problem on which no solver was run: it would count as one that nobody solves.
    """
    errors = np.asarray(errors, np.float64)
    if errors.ndim != 2 or errors.size == 0:
        raise ValueError(f"errors has shape {errors.shape}: must be [problems, solvers] with at least one of each")
    faults = np.argwhere((errors < 0) | np.isinf(errors))
    if len(faults):
        problem, solver = faults[0]
        raise ValueError(
            f"errors[{problem}, {solver}]={errors[problem, solver]}: must be at least 0 and finite; mark a solver "
            "that was not run with NaN"
        )
    without_solver = np.flatnonzero(np.isnan(errors).all(axis=1))
    if len(without_solver):
        raise ValueError(f"errors[{without_solver[0]}] is NaN for all solvers: leave out problems that none was run on")
    best = np.nanmin(errors, axis=1, keepdims=True)
    with np.errstate(divide="ignore", invalid="ignore", over="ignore"):
        ratios = np.where(errors == best, 1.0, errors / best)
    return np.where(np.isnan(errors), np.inf, ratios)


def performance_profile(errors: Any, taus: Any) -> np.ndarray:
    """The share of problems on which each solver is within a factor of the best.

    ``rho[t, s]`` is the share of problems ``p`` with ``errors[p, s] / min_s' errors[p, s'] <= taus[t]``: at tau 1 how
    often a solver is the best, ties included, and for large tau how often it was run (with a positive best error).

    >>> performance_profile([[0.1, 0.2], [0.3, 0.1]], [1.0, 2.0, 4.0]).tolist()
    [[0.5, 0.5], [0.5, 1.0], [1.0, 1.0]]

    Args:
      errors: Final error rates ``[problems, solvers]``, as `performance_ratios` takes them.
      taus: Ratios ``[T]``, finite, at least 1 and in ascending order.

    Returns:
      ``rho [T, solvers]`` float64, from 0 to 1, never falling along ``T``.

    Raises:
      ValueError: As `performance_ratios`, and if ``taus`` is not of one axis, holds a value below 1 or not finite, or
        is not sorted.
    """
    taus = np.asarray(taus, np.float64)
    if taus.ndim != 1:
        raise ValueError(f"taus has shape {taus.shape}: must be of one axis")
    faults = taus[~(np.isfinite(taus) & (taus >= 1))]
    if len(faults):
        raise ValueError(f"taus holds {faults[0]}: must be finite and at least 1, the ratio of the best solver")
    if np.any(np.diff(taus) < 0):
        raise ValueError(f"taus={taus.tolist()}: must be in ascending order; pass np.sort(taus)")
    return np.mean(performance_ratios(errors) <= taus[:, None, None], axis=1)
