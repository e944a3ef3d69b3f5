"""How diverse the acquired batches are."""

import pandas as pd
from matplotlib.figure import Figure
from matplotlib.ticker import PercentFormatter

from lbb_jax.figures.style import FEW_LINES, draw_means, empty_panels, legend_below
from lbb_jax.figures.titles import check_one_experiment, describe, of_seeds


def batch_diversity(diversity: pd.DataFrame, *, title: str | None = None) -> Figure:
    """Distinct base examples and class entropy of the batches, against labels: mean, and of up to 8 variants one s.d.

    Args:
      diversity: As `lbb_jax.analysis.batch_diversity` returns it, of one experiment.
      title: Above the figure; data set, posterior, batch size, seeds and what was reduced where None.

    Returns:
      The figure, a line for each variant in both panels, and a dotted one at the largest class entropy of a batch.

    Raises:
      ValueError: If ``diversity`` is of several experiments or of none.
    """
    check_one_experiment(diversity)
    figure, ((distinct, classes),) = empty_panels(1, 2, size=(9.6, 4.8))
    has_bands = diversity["variant"].nunique() <= FEW_LINES
    draw_means(distinct, diversity, x="labels", y="distinct_share", band=has_bands)
    distinct.set(xlabel="labelled points", ylabel="distinct base examples in a batch", ylim=(0, 1.05))
    distinct.yaxis.set_major_formatter(PercentFormatter(1.0, decimals=0))
    draw_means(classes, diversity, x="labels", y="class_entropy", band=has_bands)
    largest = diversity.groupby("labels")["max_class_entropy"].max()
    classes.plot(largest.index, largest, color="#444444", linewidth=0.8, linestyle=":", label="largest possible")
    classes.set(xlabel="labelled points", ylabel="class entropy of a batch (nats)")
    legend_below(figure, classes, num_columns=5)
    spread = of_seeds("mean ± 1 s.d." if has_bands else "mean", diversity)
    figure.suptitle(describe(diversity, spread) if title is None else title, fontsize=10)
    return figure
