"""Learning curves: accuracy against labels."""

import pandas as pd
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator, PercentFormatter

from lbb_jax.figures.style import draw_means, empty_figure
from lbb_jax.figures.titles import check_one_experiment, describe, of_seeds


def learning_curves(runs: pd.DataFrame, *, title: str | None = None) -> Figure:
    """Test accuracy against labels: the mean over seeds, and a band of one standard deviation.

    Args:
      runs: As `lbb_jax.analysis.load_runs` returns them, of one data set, posterior and batch size.
      title: Above the figure; data set, posterior, batch size, seeds and what was reduced where None.

    Returns:
      The figure, one line per variant.

    Raises:
      ValueError: If ``runs`` are of several experiments or of none.
    """
    check_one_experiment(runs)
    figure, axes = empty_figure("labelled points", "test accuracy")
    draw_means(axes, runs, x="labels", y="accuracy")
    axes.yaxis.set_major_formatter(PercentFormatter(1.0, decimals=0))
    axes.xaxis.set_major_locator(MaxNLocator(integer=True))
    axes.legend(frameon=False, loc="lower right")
    axes.set_title(describe(runs, of_seeds("mean ± 1 s.d.", runs)) if title is None else title, fontsize=10)
    return figure
