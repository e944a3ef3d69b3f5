"""Learning curves, and statistics of them: areas, labels needed, a table of accuracies."""

from collections.abc import Iterable, Iterator, Sequence
from typing import NamedTuple

import numpy as np
import pandas as pd

from lbb_jax.analysis.names import NAMES
from lbb_jax.errors import ExperimentError
from lbb_jax.metrics import BY_CLASS

# The columns that tell one experiment from another: curves with the same values in them can be compared.
EXPERIMENT = ["dataset", "encoder", "network", "posterior", "batch_size", "reduced", "setup"]


class Curve(NamedTuple):
    """One learning curve.

    Attributes:
      variant: Name of the variant.
      seed: Seed of the run.
      labels: Numbers of labels in ascending order, ``[rounds]``.
      accuracy: Test accuracy at each, ``[rounds]`` float64.
    """

    variant: str
    seed: int
    labels: np.ndarray
    accuracy: np.ndarray


def split_by_experiment(table: pd.DataFrame) -> Iterator[tuple[dict[str, object], pd.DataFrame]]:
    """For each experiment in a table: the values of the columns `EXPERIMENT` by name, and the experiment's rows."""
    for values, of_experiment in with_empty_texts(table).groupby(EXPERIMENT, sort=False):
        yield dict(zip(EXPERIMENT, values, strict=True)), of_experiment


def with_empty_texts(table: pd.DataFrame) -> pd.DataFrame:
    """The table with empty texts where a CSV file has lost them, and in place of missing columns."""
    texts = {
        name: table.get(name, pd.Series("", table.index)).astype(object) for name in ("encoder", "reduced", "setup")
    }
    return table.assign(**{name: text.where(text.notna(), "") for name, text in texts.items()})


def by_experiment(runs: pd.DataFrame) -> Iterator[tuple[dict[str, object], list[Curve]]]:
    """The curves of each experiment in ``runs``, which must all begin and end at the same numbers of labels.

    Args:
      runs: As `load_runs` returns them.

    Yields:
      The values of the `EXPERIMENT` columns by name, and the curves, both in the order of ``runs``.

    Raises:
      ValueError: If two runs of an experiment have the same variant and seed, or if one of its curves begins or ends
        elsewhere than the others.
    """
    for experiment, of_experiment in split_by_experiment(runs):
        curves = [
            _curve(variant, seed, rows, describe(experiment))
            for (variant, seed), rows in of_experiment.groupby(["variant", "seed"], sort=False)
        ]
        _check_ends(curves, describe(experiment))
        yield experiment, curves


def describe(experiment: dict[str, object]) -> str:
    """An experiment in words, for messages."""
    return ", ".join(f"{name} {value}" for name, value in experiment.items() if value != "")


def _curve(variant: str, seed: int, rows: pd.DataFrame, experiment: str) -> Curve:
    rows = rows.sort_values("labels")
    if rows["labels"].duplicated().any():
        paths = f" ({', '.join(rows['path'].unique())})" if "path" in rows else ""
        raise ExperimentError(f"{experiment}: several runs of {variant} with seed {seed}{paths}; pass one of them")
    return Curve(variant, seed, rows["labels"].to_numpy(), rows["accuracy"].to_numpy(np.float64))


def _check_ends(curves: list[Curve], experiment: str) -> None:
    first = curves[0]
    for curve in curves:
        if (curve.labels[0], curve.labels[-1]) != (first.labels[0], first.labels[-1]):
            raise ExperimentError(
                f"{experiment}: {curve.variant} with seed {curve.seed} goes from {curve.labels[0]} to "
                f"{curve.labels[-1]} labels, {first.variant} with seed {first.seed} from {first.labels[0]} to "
                f"{first.labels[-1]}; finish the run that stopped, or pass runs of the same sizes"
            )


def areas_under_curve(runs: pd.DataFrame) -> pd.DataFrame:
    """The area under each learning curve, by the trapezoidal rule, divided by the range of labels.

    So it is the mean accuracy over the range, from 0 to 1, whatever the distances between rounds.

    Args:
      runs: As `load_runs` returns them.

    Returns:
      One row per experiment, variant and seed, in the order of ``runs``: the columns `EXPERIMENT`, ``variant``,
      ``seed`` and ``area``.

    Raises:
      ValueError: If curves of an experiment begin or end at different numbers of labels, if two runs have the same
        variant and seed, or if a curve has only one round.
    """
    rows = []
    for experiment, curves in by_experiment(runs):
        for curve in curves:
            width = curve.labels[-1] - curve.labels[0]
            if width == 0:
                raise ExperimentError(
                    f"{describe(experiment)}: {curve.variant} has only one round, and no area; pass runs that "
                    "acquire labels"
                )
            area = float(np.trapezoid(curve.accuracy, curve.labels) / width)
            rows.append(experiment | {"variant": curve.variant, "seed": curve.seed, "area": area})
    return pd.DataFrame(rows)


def labels_to_reach(
    runs: pd.DataFrame, *, shares: Sequence[float] = (0.9, 0.95), baseline: str = NAMES["random"]
) -> pd.DataFrame:
    """The labels with which each run first reaches a share of the baseline's final accuracy.

    The target is ``share`` times the mean over seeds of the baseline's accuracy with all labels, the same for all
    runs of an experiment. Labels are those of the first round at or above it; nothing is interpolated.

    Args:
      runs: As `load_runs` returns them; every experiment in them needs the baseline.
      shares: Above 0 and at most 1.
      baseline: Name of a variant.

    Returns:
      One row per experiment, variant, seed and share, in the order of ``runs``: the columns `EXPERIMENT`,
      ``variant``, ``seed``, ``share``, ``target`` (an accuracy), ``labels`` (infinite if the run never reaches it) and
      ``saved``: the labels of the baseline's run of the same seed, minus ``labels``. It is infinite if only this run
      reaches the target, minus infinity if only the baseline's does, NaN if neither does or the seed has no baseline.

    Raises:
      ValueError: If a share is out of range, an experiment lacks the baseline, or as `areas_under_curve`.
    """
    for share in shares:
        if not 0 < share <= 1:
            raise ValueError(f"shares holds {share}: must be above 0 and at most 1")
    rows = []
    for experiment, curves in by_experiment(runs):
        of_baseline = [curve for curve in curves if curve.variant == baseline]
        if not of_baseline:
            variants = ", ".join(dict.fromkeys(curve.variant for curve in curves))
            raise ExperimentError(f"{describe(experiment)}: no run of baseline={baseline!r}; there are {variants}")
        final_accuracy = np.mean([curve.accuracy[-1] for curve in of_baseline])
        for share in shares:
            target = share * final_accuracy
            needed = {curve.seed: _first_at(curve, target) for curve in of_baseline}
            for curve in curves:
                labels = _first_at(curve, target)
                names = {"variant": curve.variant, "seed": curve.seed, "share": share, "target": target}
                # In floating point, infinity less infinity is NaN.
                saved = needed.get(curve.seed, np.nan) - labels
                rows.append(experiment | names | {"labels": labels, "saved": saved})
    return pd.DataFrame(rows)


def _first_at(curve: Curve, target: float) -> float:
    """The labels of the first round with at least the accuracy ``target``; infinite if there is none."""
    is_reached = curve.accuracy >= target
    return float(curve.labels[np.argmax(is_reached)]) if is_reached.any() else np.inf


def summarise_savings(savings: pd.DataFrame) -> pd.DataFrame:
    """Median and range over seeds of the labels needed, for each variant; the median takes "never" as infinite.

    Args:
      savings: As `labels_to_reach` returns them, of one experiment.

    Returns:
      A row per variant, in the order of ``savings``, and a column for each share and its target, as text.
    """
    columns = {}
    for (share, target), of_share in savings.groupby(["share", "target"], sort=False):
        by_variant = of_share.groupby("variant", sort=False)["labels"]
        columns[f"labels to {share:.0%} ({target:.3f})"] = by_variant.agg(_median_and_range)
    return pd.DataFrame(columns).rename_axis("method")


def _median_and_range(labels: pd.Series) -> str:
    middle, low, high = (_as_text(value) for value in (np.median(labels), labels.min(), labels.max()))
    return middle if low == high else f"{middle} ({low} to {high})"


def _as_text(labels: float) -> str:
    return f"{labels:g}" if np.isfinite(labels) else "never"


def _uneven(runs: pd.DataFrame) -> list[str]:
    """The names of the metrics averaged over classes that differ from the accuracy."""
    names = [name for name in BY_CLASS if name in runs]
    return [name for name in names if (runs[name] - runs["accuracy"]).abs().max() >= 0.005]


def summarise(runs: pd.DataFrame, *, at_labels: Iterable[int]) -> pd.DataFrame:
    """Accuracy at given numbers of labels, mean of the curve and seconds, for each variant.

    Args:
      runs: As `load_runs` returns them, of one experiment.
      at_labels: Numbers of labels; those at which there is no round are left out.

    Returns:
      A row per variant, in the order of ``runs``: for each number of labels the mean accuracy over seeds and, for
      several seeds, its standard deviation; the mean over the whole curve, and the seconds of all seeds together.
      Balanced accuracy and macro F1 score are added at the largest of these numbers of labels if they differ from the
      accuracy by 0.005 or more.
    """
    reached = [labels for labels in at_labels if (runs["labels"] == labels).any()]
    by_class = _uneven(runs)
    rows = []
    for variant, of_variant in runs.groupby("variant", sort=False):
        row = {"method": variant}
        for labels in reached:
            accuracy = of_variant.loc[of_variant["labels"] == labels, "accuracy"]
            spread = f" ± {accuracy.std():.3f}" if len(accuracy) > 1 else ""
            row[f"accuracy at {labels}"] = f"{accuracy.mean():.3f}{spread}"
        for name in by_class if reached else ():
            at_last = of_variant.loc[of_variant["labels"] == max(reached), name]
            row[f"{name.replace('_', ' ').replace('f1', 'F1')} at {max(reached)}"] = f"{at_last.mean():.3f}"
        row["mean of curve"] = f"{of_variant['accuracy'].mean():.3f}"
        row["seconds"] = f"{of_variant['seconds'].sum():.1f}"
        rows.append(row)
    return pd.DataFrame(rows).set_index("method")
