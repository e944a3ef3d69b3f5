"""Performance profiles over several experiments."""

import numpy as np
import pandas as pd
from matplotlib.figure import Figure
from matplotlib.ticker import PercentFormatter

from lbb_jax import analysis
from lbb_jax.figures.style import empty_figure, legend_of_lines, line_styles
from lbb_jax.figures.titles import reductions


def performance_profile(errors: pd.DataFrame) -> Figure:
    """Performance profiles as the step functions that they are, every step where it lies.

    Args:
      errors: Final error rates ``[problems, solvers]``, as `lbb_jax.analysis.final_errors` returns them.

    Returns:
      The figure, one line per variant: the share of problems against the ratio to the best variant. The horizontal axis
      is logarithmic where the ratios go beyond 10.

    Raises:
      ValueError: As `lbb_jax.analysis.performance_profile`.
    """
    ratios = analysis.performance_ratios(errors)
    steps = np.unique(ratios[np.isfinite(ratios)])
    largest = steps[-1]
    # Beyond the largest ratio nothing changes; a little of it is shown, so that the last step is seen to end.
    right = largest**1.05 if largest > 10 else largest + 0.05 * max(largest - 1, 0.2)
    taus = np.append(steps, right)
    figure, axes = empty_figure("error rate / that of the best, at most", "share of experiments")
    shares = analysis.performance_profile(errors, taus)
    styles = line_styles(errors.columns)
    for variant, share in zip(errors.columns, shares.T, strict=True):
        axes.step(taus, share, where="post", linewidth=1.8, label=variant, **styles[variant])
    axes.set_xscale("log" if largest > 10 else "linear")
    axes.set_xlim(1, right)
    axes.set_ylim(-0.02, 1.02)
    axes.yaxis.set_major_formatter(PercentFormatter(1.0, decimals=0))
    legend_of_lines(figure, axes)
    reduced = errors.index.get_level_values("reduced").unique()
    count = "1 experiment" if len(errors) == 1 else f"{len(errors)} experiments"
    axes.set_title(f"final error rates in {count}{reductions(reduced)}", fontsize=10)
    return figure
