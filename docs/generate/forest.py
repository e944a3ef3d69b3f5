"""The figure of paired differences: a row for each experiment, and in it an interval for each comparison."""

from collections.abc import Mapping

import numpy as np
import pandas as pd
from matplotlib.figure import Figure

from generate.evidence import MINUS
from lbb_jax.figures.style import MARKERS, colour_of, empty_rows


def draw(compared: pd.DataFrame, *, colours: Mapping[str, str] | None = None) -> Figure:
    """Draws what `evidence.compare` returns: the mean differences over seeds, and their 95 % intervals.

    Args:
      compared: A filled marker is a decided difference.
      colours: By the comparison; if not given, those of the methods that come first, or second where two have the same
        first.
    """
    places = list(compared["where"].unique())
    comparisons = list(compared["comparison"].unique())
    figure, axes = empty_rows("difference of the areas under the learning curves", places)
    height = max(3.2, 1.3 + 0.18 * len(places) * max(1.6, len(comparisons)))
    figure.set_size_inches(9.0, height)
    place = 0 if len({comparison.split(MINUS)[0] for comparison in comparisons}) == len(comparisons) else 1
    offsets = np.linspace(-0.25, 0.25, len(comparisons)) if len(comparisons) > 1 else [0.0]
    for marker, offset, comparison in zip(MARKERS, offsets, comparisons, strict=False):
        colour = colours[comparison] if colours else colour_of(comparison.split(MINUS)[place])
        for row in compared[compared["comparison"] == comparison].itertuples():
            at = places.index(row.where) + offset
            axes.plot([row.low, row.high], [at, at], color=colour, linewidth=1.8)
            face = "white" if row.verdict == "open" else colour
            axes.plot(row.difference, at, marker, color=colour, markerfacecolor=face, markersize=7)
        axes.plot([], [], marker=marker, color=colour, label=comparison)
    axes.axvline(0, color="#444444", linewidth=0.8, zorder=0)
    figure.legend(frameon=False, loc="outside upper center", fontsize=9, ncols=min(2, len(comparisons)))
    return figure
