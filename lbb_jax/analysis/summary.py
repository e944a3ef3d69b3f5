"""A table of accuracies, one line for each variant."""

from collections.abc import Iterable

import pandas as pd


def summarise(runs: pd.DataFrame, *, at_labels: Iterable[int]) -> pd.DataFrame:
    """Accuracy at given numbers of labels, mean of the curve and seconds, for each variant.

    Args:
      runs: As `load_runs` returns them, of one experiment.
      at_labels: Numbers of labels; those at which there is no round are left out.

    Returns:
      A row per variant, in the order of ``runs``: for each number of labels the mean accuracy over seeds and, of
      several seeds, its standard deviation, the mean over the whole curve, and the seconds of all seeds together.
    """
    reached = [labels for labels in at_labels if (runs["labels"] == labels).any()]
    rows = []
    for variant, of_variant in runs.groupby("variant", sort=False):
        row = {"method": variant}
        for labels in reached:
            accuracy = of_variant.loc[of_variant["labels"] == labels, "accuracy"]
            spread = f" ± {accuracy.std():.3f}" if len(accuracy) > 1 else ""
            row[f"accuracy at {labels}"] = f"{accuracy.mean():.3f}{spread}"
        row["mean of curve"] = f"{of_variant['accuracy'].mean():.3f}"
        row["seconds"] = f"{of_variant['seconds'].sum():.1f}"
        rows.append(row)
    return pd.DataFrame(rows).set_index("method")
