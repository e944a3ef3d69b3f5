"""How long acquisition takes."""

from collections.abc import Mapping, Sequence
from typing import Any

from matplotlib.figure import Figure

from lbb_jax import analysis
from lbb_jax.figures.style import colour_of, empty_figure, legend_beside


def time_against_batch_size(records: Sequence[Mapping[str, Any]]) -> Figure:
    """Time to acquire against batch size, both axes logarithmic.

    Args:
      records: As ``experiments/benchmark_acquisition.py`` prints them, of one pool.

    Returns:
      The figure, one line for each method that was timed at several sizes.
    """
    figure, axes = empty_figure("batch size", "milliseconds")
    by_variant: dict[str, list[tuple[int, float]]] = {}
    for record in records:
        if record["case"] in analysis.NAMES:
            variant = analysis.variant_name(record["case"], record)
            by_variant.setdefault(variant, []).append((record["b"], record["milliseconds"]))
    for variant, points in by_variant.items():
        if len(points) > 1:
            axes.plot(*zip(*sorted(points), strict=True), "o-", color=colour_of(variant), markersize=4, label=variant)
    axes.set_xscale("log")
    axes.set_yscale("log")
    legend_beside(figure)
    first = records[0]
    axes.set_title(f"{first['N']:,} points, {first['K']} draws, {first['C']} classes ({first['device']})", fontsize=10)
    return figure
