"""Figures of the study: how far the approximations are off, what batches tell, and what the released score rewards."""

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import LogLocator, NullFormatter, PercentFormatter

from lbb_jax.figures.style import COLOURS, draw_means, empty_panels, legend_below
from lbb_jax.figures.titles import of_seeds, reductions

_APPROXIMATIONS = {
    "pairs_twice": ("pairs twice (as printed)", {"color": COLOURS["LBB (pairwise)"], "linestyle": "--"}),
    "pairs_once": ("pairs once", {"color": COLOURS["LBB (pairwise)"]}),
    "pairs_and_triples": ("pairs and triples", {"color": COLOURS["Log-det"]}),
    "tree": ("tree", {"color": COLOURS["LBB (tree)"]}),
    "released": ("released code", {"color": COLOURS["EPIG"]}),
}
_TRUE = {"color": "#000000", "marker": "o", "markersize": 4, "linewidth": 1.2}
# Below this many nats, or this many standard errors, a ratio to the total correlation says nothing.
_SMALLEST = 0.01
_STANDARD_ERRORS = 5


def approximation_error(records: Sequence[Mapping[str, Any]]) -> Figure:
    """The total correlation and its approximations, against the size of the batch, the draws and the classes.

    Args:
      records: As ``experiments/approximation.py`` writes them, of one source.

    Returns:
      The figure: a row of panels for each kind of batch, lines of medians over seeds and batches, and the total
      correlation with two standard errors of sampling. The vertical axes are logarithmic on both sides of 0.

    Raises:
      ValueError: If ``records`` are of several sources, or hold none with ``measurement`` "approximation".
    """
    table = _of_measurement(records, "approximation")
    kinds = table["batch"].unique()
    columns = _columns(table)
    figure, panels = empty_panels(len(kinds), len(columns), size=(0.8 + 3.2 * len(columns), 0.9 + 2.7 * len(kinds)))
    for row, kind in zip(panels, kinds, strict=True):
        for axes, (name, label, of_column) in zip(row, columns, strict=True):
            _draw_approximations(axes, of_column[of_column["batch"] == kind], x=name)
            axes.set(xlabel=label, title=kind)
            axes.title.set_fontsize(9)
        row[0].set_ylabel("nats")
    legend_below(figure, panels[0, 0], num_columns=5)
    # The rows with all draws and classes; with fewer, larger batches are exact.
    whole = table[(table["K"] == table["K"].max()) & (table["C"] == table["C"].max())]
    largest = whole.loc[whole["is_exact"], "b"].max()
    sampled = "" if whole["is_exact"].all() else f"; sampled above b = {largest}"
    spread = of_seeds("median", table) + sampled
    figure.suptitle(_describe_source(table, spread), fontsize=10)
    return figure


def approximation_of_picks(records: Sequence[Mapping[str, Any]]) -> Figure:
    """Pairwise sum and tree, divided by the total correlation, for the batches that each method picks.

    Args:
      records: As ``experiments/approximation.py`` writes them, of one source.

    Returns:
      The figure: a panel for each approximation, a line for each variant, where the total correlation is large enough
      to divide by, and a line at 1, where the approximation is exact.

    Raises:
      ValueError: If ``records`` are of several sources, or hold none with ``measurement`` "picks".
    """
    table = _sums_over_repetitions(_of_measurement(records, "picks"))
    is_large = table["total_correlation"] > np.maximum(_SMALLEST, _STANDARD_ERRORS * table["standard_error"])
    large = table[is_large]
    figure, ((once, tree),) = empty_panels(1, 2, size=(9.6, 5.0))
    for axes, name, label in ((once, "pairs_once", "pairs once"), (tree, "tree", "tree")):
        draw_means(axes, large.assign(ratio=large[name] / large["total_correlation"]), x="b", y="ratio", band=False)
        axes.axhline(1, color="#444444", linewidth=0.8, zorder=0)
        axes.set(xlabel="batch size", ylabel=f"{label} / total correlation")
        _set_logarithmic(axes, table["b"])
    once.set_yscale("log")
    once.yaxis.set_major_locator(LogLocator(subs=(1, 2, 5)))
    once.yaxis.set_major_formatter("{x:g}")
    once.yaxis.set_minor_formatter(NullFormatter())
    tree.set_ylim(0, 1.05)
    legend_below(figure, once, num_columns=4)
    figure.suptitle(_describe_source(table, of_seeds("mean", table)), fontsize=10)
    return figure


def joint_information(records: Sequence[Mapping[str, Any]]) -> Figure:
    """What each method's batch tells about the parameters, and how much of the batch BatchBALD picks, too.

    Args:
      records: As ``experiments/approximation.py`` writes them, of one source.

    Returns:
      The figure: a line for each variant in both panels, and a dotted one at ``log K``, the upper bound of the
      information.

    Raises:
      ValueError: If ``records`` are of several sources, or hold none with ``measurement`` "picks".
    """
    table = _of_measurement(records, "picks")
    figure, ((information, overlap),) = empty_panels(1, 2, size=(9.6, 5.0))
    draw_means(information, table, x="b", y="joint_information", band=False)
    draws = table["K"].max()
    information.axhline(np.log(draws), color="#444444", linewidth=0.8, linestyle=":", label=f"log {draws}")
    information.set(xlabel="batch size", ylabel="joint information (nats)", ylim=(0, None))
    draw_means(overlap, table, x="b", y="overlap", band=False)
    overlap.set(xlabel="batch size", ylabel="share of the batch in BatchBALD's", ylim=(-0.02, 1.02))
    overlap.yaxis.set_major_formatter(PercentFormatter(1.0, decimals=0))
    legend_below(figure, information, num_columns=4)
    figure.suptitle(_describe_source(table, of_seeds("mean", table)), fontsize=10)
    return figure


def _of_measurement(records: Sequence[Mapping[str, Any]], measurement: str) -> pd.DataFrame:
    """The records of one kind of measurement as a table."""
    chosen = [record for record in records if record["measurement"] == measurement]
    if not chosen:
        raise ValueError(f"records hold no measurement {measurement!r}: pass those of experiments/approximation.py")
    return pd.DataFrame(chosen)


def _describe_source(table: pd.DataFrame, spread: str) -> str:
    """The source of the predictions, ``spread`` and reductions.

    Args:
      table: With the columns ``source``, ``reduced`` and ``seed``.
      spread: What is shown, and of how many seeds.

    Raises:
      ValueError: If the rows are of several sources or there are none.
    """
    sources = table["source"].unique()
    if len(sources) != 1:
        raise ValueError(f"measurements of {len(sources)} sources ({'; '.join(sources)}): draw each in its own figure")
    return f"{sources[0]} ({spread}){reductions(table['reduced'].unique())}"


def _sums_over_repetitions(table: pd.DataFrame) -> pd.DataFrame:
    """The sums over the repetitions of each variant, seed and size; a ratio of sums is steadier than ratios."""
    by_batch = table.groupby(["source", "reduced", "variant", "seed", "b"], sort=False)
    sums = by_batch[["total_correlation", "pairs_once", "tree"]].sum()
    sums["standard_error"] = by_batch["standard_error"].agg(np.linalg.norm)
    return sums.reset_index()


def _columns(table: pd.DataFrame) -> list[tuple[str, str, pd.DataFrame]]:
    """For each column of panels what varies, its label and its rows; columns in which nothing varies are left out."""
    is_whole = {name: table[name] == table[name].max() for name in ("K", "C")}
    columns = [("b", "batch size", table[is_whole["K"] & is_whole["C"]])]
    # Where draws and classes vary, the total correlation is exact in the smaller batches.
    varied = table.loc[~(is_whole["K"] & is_whole["C"]), "b"]
    size = varied.min() if len(varied) else None
    for name, other, label in (("K", "C", "draws"), ("C", "K", "classes, neighbours merged")):
        rows = table[is_whole[other] & (table["b"] == size)]
        if rows[name].nunique() > 1:
            columns.append((name, f"{label} (b = {size})", rows))
    return columns


def _draw_approximations(axes: Axes, table: pd.DataFrame, *, x: str) -> None:
    """Draws the total correlation and its approximations in ``table`` against the column ``x``."""
    by_x = table.groupby(x)
    # Older measurements have no triples.
    for name, (label, style) in ((name, drawn) for name, drawn in _APPROXIMATIONS.items() if name in table):
        median = by_x[name].median()
        axes.plot(median.index, median, linewidth=1.8, label=label, **style)
    median, error = by_x["total_correlation"].median(), by_x["standard_error"].median()
    axes.errorbar(median.index, median, 2 * error, label="total correlation", **_TRUE)
    axes.axhline(0, color="#444444", linewidth=0.8, zorder=0)
    axes.set_yscale("symlog", linthresh=_SMALLEST)
    _set_logarithmic(axes, median.index)


def _set_logarithmic(axes: Axes, values: Iterable[int]) -> None:
    """Makes the horizontal axis logarithmic, with plain numbers at the ``values`` alone."""
    values = sorted(set(values))
    axes.set_xscale("log")
    axes.set_xticks(values, [str(value) for value in values])
    axes.minorticks_off()


_PANELS = {
    "agreement": "what the released code adds to BALD",
    "size_of_agreement": "its absolute value",
    "score": "the released code's score",
}


def released_score(records: Sequence[Mapping[str, Any]]) -> Figure:
    """Rank correlations of the released score, and of what it adds to BALD, with what is known of each point.

    Args:
      records: As ``experiments/approximation.py`` writes them, of one source.

    Returns:
      The figure: a panel for each of the two and for the absolute value of the latter, with a row for each quantity,
      a small point for each seed and a large one for their mean.

    Raises:
      ValueError: If ``records`` are of several sources, or hold none with ``measurement`` "released_score".
    """
    table = _of_measurement(records, "released_score")
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
    figure.suptitle(_describe_source(table, spread), fontsize=10)
    return figure


# By the name of the file that each is drawn into.
FIGURES = {
    draw.__name__: draw for draw in (approximation_error, approximation_of_picks, joint_information, released_score)
}
