"""Areas under the learning curve, beside a baseline's."""

import pandas as pd
from matplotlib.figure import Figure

from lbb_jax.figures.style import colour_of, empty_rows
from lbb_jax.figures.titles import check_one_experiment, describe, range_of


def area_differences(differences: pd.DataFrame, *, title: str | None = None) -> Figure:
    """Areas under the learning curve, less the baseline's: the mean over seeds and its confidence interval.

    Args:
      differences: As `lbb_jax.analysis.paired_differences` returns them of areas, of one experiment.
      title: Above the figure; data set, posterior, batch size, confidence, seeds and what was reduced where None.

    Returns:
      The figure, a row for each variant, the first on top, and a line at 0, where the baseline is.

    Raises:
      ValueError: If ``differences`` are of several experiments or of none.
    """
    check_one_experiment(differences)
    first = differences.iloc[0]
    figure, axes = empty_rows(
        f"area under the learning curve, less that of {first['baseline']}", differences["variant"]
    )
    for row, of_variant in enumerate(differences.itertuples()):
        colour = colour_of(of_variant.variant)
        axes.plot([of_variant.low, of_variant.high], [row, row], color=colour, linewidth=1.8)
        axes.plot(of_variant.difference, row, "o", color=colour, markersize=9)
    axes.axvline(0, color="#444444", linewidth=0.8, zorder=0)
    spread = f"mean and {first['confidence']:.0%} interval of {range_of(differences['num_seeds'])} seeds"
    axes.set_title(describe(differences, spread) if title is None else title, fontsize=10)
    return figure
