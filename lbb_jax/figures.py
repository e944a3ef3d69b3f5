"""Figures, all in one style: one colour per method wherever it appears, safe for colour-blind readers."""

import io
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator, PercentFormatter

from lbb_jax import analysis
from lbb_jax.files import write_whole

# Paul Tol's "muted" scheme, with a dark grey for the baseline; where that ends his "vibrant" scheme and black, and then
# colours of his "dark" and "medium contrast" schemes and a yellow of Okabe and Ito's that are far from all these.
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
    "Margin": "#F0E442",
    "Core-set": "#663333",
    "BADGE": "#6699CC",
}
# Of variants that share a colour, as they differ in an option alone; of targets that are drawn in one figure.
_DASHES = ("-", "--", ":", "-.")
_MARKERS = ("o", "D", "s", "^")
POSTERIORS = {"deep_ensemble": "deep ensemble", "mc_dropout": "MC dropout"}


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
    _check_one_experiment(runs)
    figure, axes = _empty_figure("labelled points", "test accuracy")
    styles = line_styles(runs["variant"].unique())
    for variant, of_variant in runs.groupby("variant", sort=False):
        by_labels = of_variant.groupby("labels")["accuracy"]
        mean, deviation = by_labels.mean(), by_labels.std().fillna(0)
        axes.plot(mean.index, mean, linewidth=1.8, label=variant, **styles[variant])
        colour = styles[variant]["color"]
        axes.fill_between(mean.index, mean - deviation, mean + deviation, color=colour, alpha=0.15, linewidth=0)
    axes.yaxis.set_major_formatter(PercentFormatter(1.0, decimals=0))
    axes.xaxis.set_major_locator(MaxNLocator(integer=True))
    axes.legend(frameon=False, loc="lower right")
    axes.set_title(_describe(runs, _of_seeds("mean ± 1 s.d.", runs)) if title is None else title, fontsize=10)
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
    figure, axes = _empty_figure("error rate / that of the best, at most", "share of experiments")
    shares = analysis.performance_profile(errors, taus)
    styles = line_styles(errors.columns)
    for variant, share in zip(errors.columns, shares.T, strict=True):
        axes.step(taus, share, where="post", linewidth=1.8, label=variant, **styles[variant])
    axes.set_xscale("log" if largest > 10 else "linear")
    axes.set_xlim(1, right)
    axes.set_ylim(-0.02, 1.02)
    axes.yaxis.set_major_formatter(PercentFormatter(1.0, decimals=0))
    axes.legend(frameon=False, loc="lower right")
    reduced = errors.index.get_level_values("reduced").unique()
    count = "1 experiment" if len(errors) == 1 else f"{len(errors)} experiments"
    axes.set_title(f"final error rates in {count}{_reductions(reduced)}", fontsize=10)
    return figure


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
    _check_one_experiment(savings)
    targets = savings.groupby(["share", "target"], sort=False)
    if len(targets) > len(_MARKERS):
        raise ValueError(f"savings have {len(targets)} shares: at most {len(_MARKERS)} can be told apart in a figure")
    figure, axes = _empty_figure("labelled points needed", "")
    variants = list(savings["variant"].unique())
    edge = _right_edge(savings["labels"])
    heights = np.linspace(-0.15, 0.15, len(targets)) if len(targets) > 1 else [0.0]
    for marker, height, ((share, target), of_target) in zip(_MARKERS, heights, targets, strict=False):
        for variant, labels in of_target.groupby("variant", sort=False)["labels"]:
            row = variants.index(variant) + height
            style = {"color": COLOURS[analysis.base_variant(variant)], "marker": marker, "linestyle": "none"}
            axes.plot(labels.clip(upper=edge), [row] * len(labels), markersize=4, alpha=0.5, **style)
            axes.plot(min(labels.median(), edge), row, markersize=9, **style)
        label = f"{share:.0%} of the baseline's final accuracy ({target:.3f})"
        axes.plot([], [], marker=marker, color="#444444", linestyle="none", label=label)
    if np.isinf(savings["labels"]).any():
        axes.axvline(edge, color="#444444", linewidth=0.8, linestyle=":", zorder=0)
        axes.annotate("never", (edge, 1), xycoords=("data", "axes fraction"), ha="center", va="bottom", fontsize=8)
    axes.set_yticks(range(len(variants)), variants)
    axes.set_ylim(len(variants) - 0.5, -0.5)
    figure.legend(*axes.get_legend_handles_labels(), frameon=False, loc="outside lower center", fontsize=8)
    axes.set_title(
        _describe(savings, _of_seeds("each and median", savings)) if title is None else title, fontsize=10, pad=14
    )
    return figure


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
    _check_one_experiment(differences)
    first = differences.iloc[0]
    figure, axes = _empty_figure(f"area under the learning curve, less that of {first['baseline']}", "")
    for row, of_variant in enumerate(differences.itertuples()):
        colour = COLOURS[analysis.base_variant(of_variant.variant)]
        axes.plot([of_variant.low, of_variant.high], [row, row], color=colour, linewidth=1.8)
        axes.plot(of_variant.difference, row, "o", color=colour, markersize=9)
    axes.axvline(0, color="#444444", linewidth=0.8, zorder=0)
    axes.set_yticks(range(len(differences)), differences["variant"])
    axes.set_ylim(len(differences) - 0.5, -0.5)
    spread = f"mean and {first['confidence']:.0%} interval of {_range(differences['num_seeds'])} seeds"
    axes.set_title(_describe(differences, spread) if title is None else title, fontsize=10)
    return figure


def line_styles(variants: Sequence[str]) -> dict[str, dict[str, str]]:
    """How the line of each variant is drawn: its method's colour, and dashes where several variants share it.

    Args:
      variants: Names as `lbb_jax.analysis.load_runs` gives them.

    Returns:
      Keyword arguments of Matplotlib's ``plot`` by variant.
    """
    bases = [analysis.base_variant(variant) for variant in variants]
    return {
        variant: {"color": COLOURS[base], "linestyle": _DASHES[bases[:position].count(base) % len(_DASHES)]}
        for position, (variant, base) in enumerate(zip(variants, bases, strict=True))
    }


def _right_edge(labels: pd.Series) -> float:
    """Where "never" stands: a little beyond the largest number of labels."""
    reached = labels[np.isfinite(labels)]
    return float(reached.max() + max(0.1 * (reached.max() - reached.min()), 1)) if len(reached) else 1.0


def _range(counts: pd.Series) -> str:
    """The least and the largest of ``counts``, or the one that they all are."""
    return f"{counts.min()}" if counts.nunique() == 1 else f"{counts.min()} to {counts.max()}"


def _check_one_experiment(table: pd.DataFrame) -> None:
    """Raises ValueError unless ``table`` has rows, all of one experiment."""
    experiments = table[analysis.EXPERIMENT].drop_duplicates()
    if table.empty:
        raise ValueError(
            "there is nothing to draw: pass at least one run, and for differences one besides the baseline"
        )
    if len(experiments) > 1:
        names = "; ".join(
            ", ".join(str(value) for value in row if value) for row in experiments.itertuples(index=False)
        )
        raise ValueError(f"runs of {len(experiments)} experiments ({names}): draw each in a figure of its own")


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


def _of_seeds(shown: str, table: pd.DataFrame) -> str:
    """What is ``shown`` of how many seeds."""
    num_seeds = table["seed"].nunique()
    return f"{shown} of {num_seeds} seeds" if num_seeds > 1 else "1 seed"


def _describe(table: pd.DataFrame, spread: str) -> str:
    """Data set, posterior, batch size, ``spread`` and reductions."""
    first = table.iloc[0]
    posterior = POSTERIORS[first["posterior"]]
    reductions = _reductions(table["reduced"].unique())
    return f"{first['dataset']}, {posterior}, batches of {first['batch_size']} ({spread}){reductions}"


def _reductions(reduced: Iterable[str]) -> str:
    """A line for each reduction, to follow a title."""
    return "".join(f"\nreduced: {reduction}" for reduction in reduced if reduction)


def save(figure: Figure, path: Path) -> None:
    """Writes ``figure`` to ``path``, in the format of its suffix."""
    buffer = io.BytesIO()
    figure.savefig(buffer, format=Path(path).suffix[1:], dpi=150)
    write_whole(path, buffer.getvalue())
