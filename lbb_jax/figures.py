"""Figures, all in one style: one colour per method wherever it appears, safe for colour-blind readers."""

import io
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import pandas as pd
from matplotlib.axes import Axes
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator, PercentFormatter

from lbb_jax import analysis
from lbb_jax.files import write_whole

# Paul Tol's "muted" scheme, with a dark grey for the baseline; his "vibrant" scheme and black where that ends.
COLOURS = {
    "Random": "#666666",
    "Least confident": "#DDCC77",
    "Entropy": "#999933",
    "BALD": "#CC6677",
    "PowerBALD": "#882255",
    "BatchBALD": "#AA4499",
    "LBB (pairwise)": "#88CCEE",
    "LBB (tree)": "#332288",
    "Power LBB (pairwise)": "#44AA99",
    "Power LBB (tree)": "#117733",
    "LBB (released)": "#0077BB",
    "Power LBB (released)": "#000000",
    "EPIG": "#EE7733",
    "Power EPIG": "#CC3311",
}
POSTERIORS = {"deep_ensemble": "deep ensemble", "mc_dropout": "MC dropout"}


def learning_curves(runs: pd.DataFrame, *, title: str | None = None) -> Figure:
    """Test accuracy against labels: the mean over seeds, and a band of one standard deviation.

    Args:
      runs: As `lbb_jax.analysis.load_runs` returns them, of one data set and posterior.
      title: Above the figure; data set, posterior, batch size, seeds and what was reduced where None.

    Returns:
      The figure, one line per variant.
    """
    figure, axes = _empty_figure("labelled points", "test accuracy")
    for variant, of_variant in runs.groupby("variant", sort=False):
        by_labels = of_variant.groupby("labels")["accuracy"]
        mean, deviation = by_labels.mean(), by_labels.std().fillna(0)
        colour = COLOURS[variant]
        axes.plot(mean.index, mean, color=colour, linewidth=1.8, label=variant)
        axes.fill_between(mean.index, mean - deviation, mean + deviation, color=colour, alpha=0.15, linewidth=0)
    axes.yaxis.set_major_formatter(PercentFormatter(1.0, decimals=0))
    axes.xaxis.set_major_locator(MaxNLocator(integer=True))
    axes.legend(frameon=False, loc="lower right")
    axes.set_title(_describe(runs) if title is None else title, fontsize=10)
    return figure


def time_against_batch_size(records: Sequence[Mapping[str, Any]]) -> Figure:
    """Time to acquire against batch size, both axes logarithmic.

    Args:
      records: As ``experiments/benchmark_acquisition.py`` prints them, of one pool.

    Returns:
      The figure, one line for each method that was timed at several sizes.
    """
    figure, axes = _empty_figure("batch size", "milliseconds")
    by_variant: dict[str, list[tuple[int, float]]] = {}
    for record in records:
        if record["case"] in analysis.NAMES:
            options = {name: record[name] for name in ("redundancy", "power") if name in record}
            variant = analysis.variant_name(record["case"], **options)
            by_variant.setdefault(variant, []).append((record["b"], record["milliseconds"]))
    for variant, points in by_variant.items():
        if len(points) > 1:
            axes.plot(*zip(*sorted(points), strict=True), "o-", color=COLOURS[variant], markersize=4, label=variant)
    axes.set_xscale("log")
    axes.set_yscale("log")
    axes.legend(frameon=False)
    first = records[0]
    axes.set_title(f"{first['N']:,} points, {first['K']} draws, {first['C']} classes ({first['device']})", fontsize=10)
    return figure


def _empty_figure(horizontal: str, vertical: str) -> tuple[Figure, Axes]:
    """A figure in the project's style, its two axes labelled, with nothing drawn yet."""
    figure = Figure(figsize=(6.4, 4.2), layout="constrained")
    FigureCanvasAgg(figure)
    axes = figure.add_subplot()
    axes.set_xlabel(horizontal)
    axes.set_ylabel(vertical)
    axes.grid(color="#dddddd", linewidth=0.6)
    axes.set_axisbelow(True)
    axes.spines[["top", "right"]].set_visible(False)
    return figure, axes


def _describe(runs: pd.DataFrame) -> str:
    """Data set, posterior, batch size, seeds and reductions of ``runs``."""
    first, num_seeds = runs.iloc[0], runs["seed"].nunique()
    band = f"mean ± 1 s.d. of {num_seeds} seeds" if num_seeds > 1 else "1 seed"
    posterior = POSTERIORS[first["posterior"]]
    reductions = [f"\nreduced: {reduction}" for reduction in runs["reduced"].unique() if reduction]
    return f"{first['dataset']}, {posterior}, batches of {first['batch_size']} ({band}){''.join(reductions)}"


def save(figure: Figure, path: Path) -> None:
    """Writes ``figure`` to ``path``, in the format of its suffix."""
    buffer = io.BytesIO()
    figure.savefig(buffer, format=Path(path).suffix[1:], dpi=150)
    write_whole(path, buffer.getvalue())
