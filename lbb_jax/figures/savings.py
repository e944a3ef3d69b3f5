"""Labels that a variant needs to come near what random acquisition ends with."""

import numpy as np
import pandas as pd
from matplotlib.figure import Figure

from lbb_jax.figures.style import MARKERS, colour_of, empty_rows
from lbb_jax.figures.titles import check_one_experiment, describe, of_seeds


def label_savings(savings: pd.DataFrame, *, title: str | None = None) -> Figure:
    """Labels needed to reach each target: a small point for each seed, a large one for the median over seeds.

    Runs that never reach the target stand at the right edge, on a line that says so. The median takes them as
    infinite, so it stands there too where half of the seeds or more never do.

    Args:
      savings: As `lbb_jax.analysis.labels_to_reach` returns them, of one experiment.
      title: Above the figure; data set, posterior, batch size, seeds and what was reduced where None.

    Returns:
      The figure, a row for each variant, the first on top, with a marker of its own for each target.

    Raises:
      ValueError: If ``savings`` are of several experiments or of none, or of more than 4 targets.
    """
    check_one_experiment(savings)
    targets = savings.groupby(["share", "target"], sort=False)
    if len(targets) > len(MARKERS):
        raise ValueError(f"savings have {len(targets)} shares: at most {len(MARKERS)} can be told apart in a figure")
    variants = list(savings["variant"].unique())
    figure, axes = empty_rows("labelled points needed", variants)
    edge = _right_edge(savings["labels"])
    heights = np.linspace(-0.15, 0.15, len(targets)) if len(targets) > 1 else [0.0]
    for marker, height, ((share, target), of_target) in zip(MARKERS, heights, targets, strict=False):
        for variant, labels in of_target.groupby("variant", sort=False)["labels"]:
            row = variants.index(variant) + height
            style = {"color": colour_of(variant), "marker": marker, "linestyle": "none"}
            axes.plot(labels.clip(upper=edge), [row] * len(labels), markersize=4, alpha=0.5, **style)
            axes.plot(min(labels.median(), edge), row, markersize=9, **style)
        label = f"{share:.0%} of the baseline's final accuracy ({target:.3f})"
        axes.plot([], [], marker=marker, color="#444444", linestyle="none", label=label)
    if np.isinf(savings["labels"]).any():
        axes.axvline(edge, color="#444444", linewidth=0.8, linestyle=":", zorder=0)
        axes.annotate("never", (edge, 1), xycoords=("data", "axes fraction"), ha="center", va="bottom", fontsize=8)
    figure.legend(*axes.get_legend_handles_labels(), frameon=False, loc="outside lower center", fontsize=8)
    axes.set_title(
        describe(savings, of_seeds("each and median", savings)) if title is None else title, fontsize=10, pad=14
    )
    return figure


def _right_edge(labels: pd.Series) -> float:
    """Where "never" stands: a little beyond the largest number of labels."""
    reached = labels[np.isfinite(labels)]
    return float(reached.max() + max(0.1 * (reached.max() - reached.min()), 1)) if len(reached) else 1.0
