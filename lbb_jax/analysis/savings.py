"""How many labels a variant needs to come near what random acquisition ends with."""

from collections.abc import Sequence

import numpy as np
import pandas as pd

from lbb_jax.analysis.curves import Curve, by_experiment, describe
from lbb_jax.analysis.names import NAMES


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
      ``variant``, ``seed``, ``share``, ``target`` (an accuracy),
      ``labels`` (infinite if the run never reaches it) and ``saved``: the labels of the baseline's run of the same
      seed less these (infinite if only this run reaches the target, minus infinity if only the baseline's does, NaN
      if neither does or the baseline lacks the seed).

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
            raise ValueError(f"{describe(experiment)}: no run of baseline={baseline!r}; there are {variants}")
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
