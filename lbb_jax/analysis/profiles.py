"""Performance profiles: how often each solver is how far from the best one.

Source: Dolan and Moré, "Benchmarking optimization software with performance profiles", Mathematical Programming 91
(2002). Appendix A.6 of "Scalable Batch Acquisition for Deep Bayesian Active Learning" (Rubashevskii, Kotova and Panov,
SDM 2023) draws them of final error rates.
"""

from typing import Any

import numpy as np
import pandas as pd

from lbb_jax.analysis.curves import EXPERIMENT, by_experiment


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
