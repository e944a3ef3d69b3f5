"""What the score of the released code rewards."""

from collections.abc import Mapping, Sequence
from typing import Any

import pandas as pd
from matplotlib.figure import Figure

from lbb_jax.figures.style import COLOURS, empty_panels
from lbb_jax.figures.titles import describe_source, of_measurement, of_seeds

_PANELS = {
    "agreement": "what the released code adds to BALD",
    "size_of_agreement": "its absolute value",
    "score": "the released code's score",
}


def released_score(records: Sequence[Mapping[str, Any]], *, title: str | None = None) -> Figure:
    """Rank correlations of the released score, and of what it adds to BALD, with what is known of each point.

    Args:
      records: As ``experiments/approximation.py`` writes them, of one source.
      title: Above the figure; source, seeds and what was reduced where None.

    Returns:
      The figure: a panel for each of the two and for the absolute value of the latter, with a row for each quantity,
      a small point for each seed and a large one for their mean.

    Raises:
      ValueError: If ``records`` are of several sources, or hold none with ``measurement`` "released_score".
    """
    table = of_measurement(records, "released_score")
    figure, (panels,) = empty_panels(1, len(_PANELS), size=(10.4, 3.2))
    for axes, (name, label) in zip(panels, _PANELS.items(), strict=True):
        correlations = pd.DataFrame(list(table[name])).astype(float)
        for row, quantity in enumerate(correlations):
            style = {"color": COLOURS["LBB (released)"], "marker": "o", "linestyle": "none"}
            axes.plot(correlations[quantity], [row] * len(correlations), markersize=4, alpha=0.5, **style)
            axes.plot(correlations[quantity].mean(), row, markersize=9, **style)
        axes.axvline(0, color="#444444", linewidth=0.8, zorder=0)
        axes.set(xlim=(-1.05, 1.05), ylim=(len(correlations.columns) - 0.5, -0.5), xlabel="rank correlation")
        axes.set_yticks(range(len(correlations.columns)), correlations.columns)
        axes.set_title(label, fontsize=9)
        if axes is not panels[0]:
            axes.set_yticklabels([])
    spread = of_seeds("each and mean", table)
    figure.suptitle(describe_source(table, spread) if title is None else title, fontsize=10)
    return figure
