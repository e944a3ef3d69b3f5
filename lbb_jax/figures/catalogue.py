"""The figures of finished runs by name: the one table that ``experiments/figures.py`` and the report read.

A further figure needs a function of runs that returns the figure with its numbers, and a row in `FIGURES`.
"""

from collections.abc import Callable, Sequence
from typing import NamedTuple

import numpy as np
import pandas as pd
from matplotlib.figure import Figure

from lbb_jax import analysis
from lbb_jax.figures import runs as figures
from lbb_jax.figures.titles import with_names


class RunFigure(NamedTuple):
    """A figure.

    Attributes:
      heading: What stands above it in a report.
      draw: Maps runs, as `lbb_jax.analysis.load_runs` returns them, to the figure and its numbers as a table of text.
        Raises ExperimentError where the runs or their data do not allow the figure.
      is_of_one_experiment: Whether the runs must be of one experiment.
    """

    heading: str
    draw: Callable[..., tuple[Figure, pd.DataFrame]]
    is_of_one_experiment: bool = True


def _learning_curves(runs: pd.DataFrame, at_labels: Sequence[int] = ()) -> tuple[Figure, pd.DataFrame]:
    """The table has the accuracies with ``at_labels`` labels; if none are given, those at each quarter of the curve."""
    sizes = np.unique(runs["labels"])
    quarters = sizes[np.unique(np.linspace(0, len(sizes) - 1, 5).astype(int))].tolist()
    return figures.learning_curves(runs), analysis.summarise(runs, at_labels=at_labels or quarters)


def _label_savings(runs: pd.DataFrame) -> tuple[Figure, pd.DataFrame]:
    savings = analysis.labels_to_reach(runs)
    return figures.label_savings(savings), analysis.summarise_savings(savings)


def _area_differences(runs: pd.DataFrame) -> tuple[Figure, pd.DataFrame]:
    differences = analysis.paired_differences(analysis.areas_under_curve(runs))
    figure = figures.area_differences(differences)
    ends = f"{differences['confidence'].iloc[0]:.0%} from"
    columns = {"variant": "method", "difference": "difference", "low": ends, "high": "to", "num_seeds": "seeds"}
    table = differences[list(columns)].copy()
    for name in ("difference", "low", "high"):
        table[name] = table[name].map("{:+.4f}".format)
    return figure, table.rename(columns=columns).set_index("method")


def _performance_profile(runs: pd.DataFrame) -> tuple[Figure, pd.DataFrame]:
    errors = analysis.final_errors(runs)
    table = errors.map("{:.4f}".format, na_action="ignore").reset_index()
    return figures.performance_profile(errors), with_names(table)


def _diversity(runs: pd.DataFrame) -> tuple[Figure, pd.DataFrame]:
    paths = runs["path"].unique()
    diversity = analysis.batch_diversity(analysis.load_acquired(paths), analysis.load_pool(paths))
    return figures.batch_diversity(diversity), analysis.summarise_diversity(diversity)


def _acquired(runs: pd.DataFrame) -> tuple[Figure, pd.DataFrame]:
    paths = runs["path"].unique()
    acquired, pool = analysis.load_acquired(paths), analysis.load_pool(paths)
    table = analysis.summarise_diversity(analysis.batch_diversity(acquired, pool))
    class_names = analysis.describe_runs(paths)[0].data.get("class_names", ())
    return figures.acquired_images(acquired, pool, class_names=class_names), table


FIGURES = {
    "learning_curves": RunFigure("Learning curves", _learning_curves),
    "label_savings": RunFigure("Label savings", _label_savings),
    "area_differences": RunFigure("Areas under the learning curves, minus that of random", _area_differences),
    "diversity": RunFigure("Diversity of the batches", _diversity),
    "acquired": RunFigure("What was acquired first", _acquired),
    "performance_profile": RunFigure(
        "Performance profile, and final error rates", _performance_profile, is_of_one_experiment=False
    ),
}
