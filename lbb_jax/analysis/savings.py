"""How many labels a method saves: what it needs to reach an accuracy, compared with the baseline, with intervals."""

import os
from collections.abc import Callable

import numpy as np
import pandas as pd
from scipy import stats

from lbb_jax import paths
from lbb_jax.analysis.curves import EXPERIMENT, Curve, by_experiment, describe
from lbb_jax.analysis.names import NAMES
from lbb_jax.errors import ExperimentError

_PILOT = ("method", "seed", "labels", "accuracy")


def read_pilot(path: str | os.PathLike) -> pd.DataFrame:
    """Reads learning curves that another program has written, or the ``runs.csv`` of a sweep.

    Args:
      path: A CSV file with the columns ``method``, ``seed``, ``labels`` and ``accuracy`` (from 0 to 1), a row for each
        round; or a file that `load_runs` made. The method ``random`` is the baseline.

    Returns:
      A table like that of `load_runs`, of one experiment that is named after the file.

    Raises:
      PathError: If there is no such file.
      ExperimentError: If it is no such table; the message names the column, and the row as a spreadsheet shows it.
    """
    file = paths.input_file(path, name="pilot")
    try:
        table = pd.read_csv(file)
    except (ValueError, OSError) as error:
        raise ExperimentError(f"{path}: is no CSV file in UTF-8 ({error})") from error
    for name in _PILOT:
        if name not in table:
            raise ExperimentError(f"{path}: has no column {name!r}; it has {', '.join(map(str, table.columns))}")
        most = 1 if name == "accuracy" else np.inf
        is_fault = table[name].isna() if name == "method" else ~_is_number(table[name], most=most)
        if is_fault.any():
            row = int(np.argmax(is_fault))
            allowed = {"method": "a name", "accuracy": "a number from 0 to 1"}.get(name, "a number, at least 0")
            raise ExperimentError(f"{path}, row {row + 2}, column {name}: {table[name][row]!r} must be {allowed}")
    if "variant" in table and set(EXPERIMENT) <= set(table):
        return table
    sizes = np.diff(np.unique(table["labels"]))
    batch_size = int(np.median(sizes)) if len(sizes) else 0
    names = dict.fromkeys(EXPERIMENT, "") | {"dataset": file.stem, "batch_size": batch_size}
    variants = table["method"].astype(str).replace("random", NAMES["random"])
    return table.assign(variant=variants, path=str(path), **names)


def _is_number(values: pd.Series, *, most: float) -> pd.Series:
    numbers = pd.to_numeric(values, errors="coerce")
    return (numbers >= 0) & (numbers <= most) & np.isfinite(numbers)


def savings(
    runs: pd.DataFrame, *, accuracy: float | None = None, baseline: str = NAMES["random"], confidence: float = 0.95
) -> pd.DataFrame:
    """The labels with which each method reaches an accuracy, and the share of the baseline's labels that it saves.

    The labels are those of the first round in which the mean accuracy over seeds is at least ``accuracy``; nothing is
    interpolated. Intervals are percentiles of 9,999 bootstrap samples of the seeds (Efron and Tibshirani, "An
    Introduction to the Bootstrap", 1993), each drawn for a method and the baseline together, since runs of one seed
    begin with the same labels. With few seeds they are rough and too narrow. If the mean never reaches ``accuracy``,
    all labels of the run count as needed, and the saving is only a bound.

    Args:
      runs: As `load_runs` or `read_pilot` returns them; every experiment in them needs the baseline.
      accuracy: Above 0 and at most 1; for each experiment the baseline's mean with all labels if None.
      baseline: Name of a variant.
      confidence: The confidence level of the intervals, between 0 and 1.

    Returns:
      A row per experiment and variant, in the order of ``runs``: the columns `EXPERIMENT`, ``variant``, ``accuracy``,
      ``labels``, ``low``, ``high``, ``reached`` (whether ``accuracy`` is), ``saved`` (1 less the ratio of ``labels`` to
      the baseline's: 0.3 for 30 % fewer), ``saved_low``, ``saved_high``, ``num_seeds`` (that the method and the
      baseline share), ``confidence`` and ``baseline``. Ends of intervals are NaN for a single seed.

    Raises:
      ValueError: If ``accuracy`` or ``confidence`` is out of range, an experiment lacks the baseline, a variant shares
        no seed with it, has seeds with other rounds or a round without labels, or as `areas_under_curve`.
    """
    if accuracy is not None and not 0 < accuracy <= 1:
        raise ExperimentError(f"accuracy={accuracy}: must be above 0 and at most 1")
    if not 0 < confidence < 1:
        raise ExperimentError(f"confidence={confidence}: must be between 0 and 1, such as 0.95")
    rows = []
    for experiment, curves in by_experiment(runs):
        by_variant: dict[str, dict[int, Curve]] = {}
        for curve in curves:
            by_variant.setdefault(curve.variant, {})[curve.seed] = curve
        if baseline not in by_variant:
            raise ExperimentError(
                f"{describe(experiment)}: no run of baseline={baseline!r}; there are {', '.join(by_variant)}"
            )
        finals = [curve.accuracy[-1] for curve in by_variant[baseline].values()]
        target = float(np.mean(finals)) if accuracy is None else accuracy
        for variant, of_variant in by_variant.items():
            seeds = sorted(of_variant.keys() & by_variant[baseline].keys())
            if not seeds:
                raise ExperimentError(f"{describe(experiment)}: {variant} and {baseline} share no seed")
            own, other = (_Needed([of[seed] for seed in seeds], target) for of in (of_variant, by_variant[baseline]))
            names = {"variant": variant, "accuracy": target}
            rows.append(experiment | names | _compare(own, other, confidence) | {"baseline": baseline})
    return pd.DataFrame(rows)


class _Needed:
    """The labels that the mean over some seeds needs to reach a target; called with the positions of the seeds."""

    def __init__(self, curves: list[Curve], target: float):
        first = curves[0]
        if any(not np.array_equal(curve.labels, first.labels) for curve in curves):
            raise ExperimentError(f"{first.variant}: its seeds have accuracies at different numbers of labels")
        if first.labels[0] == 0:
            raise ExperimentError(
                f"{first.variant}: has a round without labels, and a saving is a share of labels; leave it out"
            )
        self.num_seeds = len(curves)
        self._accuracy = np.stack([curve.accuracy for curve in curves])
        self._labels, self._target = first.labels, target

    def __call__(self, positions: np.ndarray) -> np.ndarray:
        """The labels ``[...]`` that the seeds at ``positions[..., seeds]`` need; all if they miss the target."""
        is_reached = self._is_reached(positions)
        is_reached[..., -1] = True
        return self._labels[np.argmax(is_reached, axis=-1)].astype(float)

    def is_reached(self) -> bool:
        """Whether the mean over all seeds ever reaches the target."""
        return bool(self._is_reached(np.arange(self.num_seeds)).any())

    def _is_reached(self, positions: np.ndarray) -> np.ndarray:
        # Means of equal numbers in another order differ in the last bits.
        return self._accuracy[positions].mean(axis=-2) >= self._target - 1e-12


def _compare(own: _Needed, other: _Needed, confidence: float) -> dict[str, float]:
    everyone = np.arange(own.num_seeds)

    def saved(positions: np.ndarray) -> np.ndarray:
        return 1 - own(positions) / other(positions)

    low, high = _interval(own, everyone, confidence)
    saved_low, saved_high = _interval(saved, everyone, confidence)
    return {
        **{"labels": float(own(everyone)), "low": low, "high": high, "reached": own.is_reached()},
        **{"saved": float(saved(everyone)), "saved_low": saved_low, "saved_high": saved_high},
        **{"num_seeds": own.num_seeds, "confidence": confidence},
    }


def _interval(
    statistic: Callable[[np.ndarray], np.ndarray], positions: np.ndarray, confidence: float
) -> tuple[float, float]:
    """The percentile interval of a statistic of seeds; NaN for a single one."""
    if len(positions) < 2:
        return np.nan, np.nan
    result = stats.bootstrap(
        (positions,),
        lambda positions, axis: statistic(positions),
        **{"method": "percentile", "vectorized": True, "confidence_level": confidence, "n_resamples": 9999},
        rng=np.random.default_rng(0),
    )
    return tuple(map(float, result.confidence_interval))


def tabulate_savings(found: pd.DataFrame) -> pd.DataFrame:
    """The savings of one experiment as a table of text, a row per method."""
    first = found.iloc[0]
    columns = {
        "method": found["variant"],
        f"labels to {first['accuracy']:.3f}": [
            f"{row.labels:.0f}" if row.reached else f"more than {row.labels:.0f}" for row in found.itertuples()
        ],
        f"{first['confidence']:.0%} interval": [_range(row.low, row.high, "{:.0f}") for row in found.itertuples()],
        f"fewer than {first['baseline']}": found["saved"].map("{:.0%}".format),
        f"{first['confidence']:.0%} interval ": [
            _range(row.saved_low, row.saved_high, "{:.0%}") for row in found.itertuples()
        ],
        "seeds": found["num_seeds"],
    }
    return pd.DataFrame(columns).set_index("method")


def say_savings(found: pd.DataFrame) -> str:
    """The savings of one experiment in a sentence: what the method with the fewest labels saves.

    Args:
      found: As `savings` returns them, of one experiment.

    Raises:
      ExperimentError: If there is nothing but the baseline.
    """
    others = found[found["variant"] != found["baseline"]]
    if others.empty:
        raise ExperimentError("there is no method beside the baseline; pass runs of at least one")
    # Methods that never reach the accuracy rank equally.
    best = others.sort_values(["reached", "labels"], ascending=[False, True], kind="stable").iloc[0]
    (baseline,) = found[found["variant"] == found["baseline"]].itertuples()
    to_reach = f"To reach an accuracy of {best['accuracy']:.3f}"
    if not best["reached"]:
        return f"{to_reach}, no method's {best['labels']:.0f} labels are enough: run longer, or ask for less."
    needs = f"{baseline.labels:.0f} labels" if baseline.reached else f"more than {baseline.labels:.0f} labels"
    saved, bound = best["saved"], "" if baseline.reached else "at least "
    fewer = f"{bound}{saved:.0%} fewer" if saved > 0 else f"{-saved:.0%} more" if saved < 0 else "as many"
    sentence = f"{to_reach}, {best['baseline']} needs {needs} and {best['variant']} {best['labels']:.0f}: {fewer}"
    if best["num_seeds"] > 1:
        interval = _range(best["saved_low"], best["saved_high"], "{:.0%}")
        sentence += f" ({best['confidence']:.0%} interval of {best['num_seeds']} seeds: {interval})"
    if len(others) > 1 and saved > 0:
        sentence += f"; it is the best of {len(others)} methods here, so expect somewhat less"
    return f"{sentence}."


def _range(low: float, high: float, form: str) -> str:
    if np.isnan(low):
        return "one seed"
    ends = [form.format(end) for end in (low, high)]
    return ends[0] if ends[0] == ends[1] else " to ".join(ends)
