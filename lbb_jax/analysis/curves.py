"""The learning curves within a table of runs: one for each experiment, variant and seed."""

from collections.abc import Iterator
from typing import NamedTuple

import numpy as np
import pandas as pd

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
    """The rows of each experiment in a table with the columns `EXPERIMENT`, whose values come first, by name."""
    for values, of_experiment in with_empty_texts(table).groupby(EXPERIMENT, sort=False):
        yield dict(zip(EXPERIMENT, values, strict=True)), of_experiment


def with_empty_texts(table: pd.DataFrame) -> pd.DataFrame:
    """The table with the empty texts that it has lost if it was written as CSV and read again, or never had."""
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
        raise ValueError(f"{experiment}: several runs of {variant} with seed {seed}{paths}; pass one of them")
    return Curve(variant, seed, rows["labels"].to_numpy(), rows["accuracy"].to_numpy(np.float64))


def _check_ends(curves: list[Curve], experiment: str) -> None:
    first = curves[0]
    for curve in curves:
        if (curve.labels[0], curve.labels[-1]) != (first.labels[0], first.labels[-1]):
            raise ValueError(
                f"{experiment}: {curve.variant} with seed {curve.seed} goes from {curve.labels[0]} to "
                f"{curve.labels[-1]} labels, {first.variant} with seed {first.seed} from {first.labels[0]} to "
                f"{first.labels[-1]}; finish the run that stopped, or pass runs of the same sizes"
            )
