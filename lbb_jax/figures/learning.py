"""Learning curves: accuracy against labels."""

import pandas as pd
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator, PercentFormatter

from lbb_jax.figures.style import FEW_LINES, draw_means, empty_figure, legend_of_lines
from lbb_jax.figures.titles import check_one_experiment, describe, of_seeds


def learning_curves(runs: pd.DataFrame, *, title: str | None = None) -> Figure:
    """Test accuracy against labels: the mean over seeds, and of up to 8 variants a band of one standard deviation.

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
    has_bands = runs["variant"].nunique() <= FEW_LINES
    draw_means(axes, runs, x="labels", y="accuracy", band=has_bands)
    axes.yaxis.set_major_formatter(PercentFormatter(1.0))
    axes.xaxis.set_major_locator(MaxNLocator(integer=True))
    legend_of_lines(figure, axes)
    spread = of_seeds("mean ± 1 s.d." if has_bands else "mean", runs)
    axes.set_title(describe(runs, spread) if title is None else title, fontsize=10)
    return figure
