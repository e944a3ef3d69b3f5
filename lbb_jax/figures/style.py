"""The style that all figures share: one colour per method wherever it appears, safe for colour-blind readers."""

import io
import os
import zlib
from collections.abc import Sequence

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure

from lbb_jax import acquisition, analysis, paths
from lbb_jax.files import atomic_write

COLOURS = {name: colour for method in acquisition.METHODS.values() for name, colour in method.colours.items()}
# Paul Tol's "light" scheme, for methods that are not the project's.
_OTHER_COLOURS = ("#77AADD", "#EE8866", "#EEDD88", "#FFAABB", "#99DDFF", "#44BB99", "#BBCC33", "#AAAA00")
# Dashes tell apart variants that share a colour, as they differ only in an option; markers tell apart targets.
DASHES = ("-", "--", ":", "-.")
MARKERS = ("o", "D", "s", "^")
# The suffixes of the files that a figure can be written to.
SUFFIXES = (".pdf", ".png", ".svg", ".eps", ".jpg", ".jpeg")
# With more lines, bands would hide them and the legend would not fit among them.
FEW_LINES = 8


def empty_figure(horizontal: str, vertical: str) -> tuple[Figure, Axes]:
    """A figure in the project's style, its two axes labelled, with nothing drawn yet."""
    figure, panels = empty_panels(1, 1, size=(6.4, 4.2))
    panels[0, 0].set(xlabel=horizontal, ylabel=vertical)
    return figure, panels[0, 0]


def empty_rows(horizontal: str, variants: Sequence[str]) -> tuple[Figure, Axes]:
    """A figure with a row for each variant, the first on top, with nothing drawn yet; row ``i`` is at height ``i``."""
    figure, panels = empty_panels(1, 1, size=(8.0, max(4.2, 1.4 + 0.27 * len(variants))))
    axes = panels[0, 0]
    axes.set_xlabel(horizontal)
    axes.set_yticks(range(len(variants)), variants)
    axes.set_ylim(len(variants) - 0.5, -0.5)
    return figure, axes


def empty_panels(num_rows: int, num_columns: int, *, size: tuple[float, float]) -> tuple[Figure, np.ndarray]:
    """A figure in the project's style with several panels, nothing drawn or labelled yet.

    Args:
      num_rows: Rows of panels.
      num_columns: Columns of panels.
      size: Width and height of the whole figure in inches.

    Returns:
      The figure, and its axes as an object array ``[num_rows, num_columns]``.
    """
    figure = Figure(figsize=size, layout="constrained")
    FigureCanvasAgg(figure)
    panels = figure.subplots(num_rows, num_columns, squeeze=False)
    for axes in panels.flat:
        axes.grid(color="#dddddd", linewidth=0.6)
        axes.set_axisbelow(True)
        axes.spines[["top", "right"]].set_visible(False)
    return figure, panels


def legend_of_lines(figure: Figure, axes: Axes) -> None:
    """Puts the legend among the lines if they are few, and beside them otherwise."""
    if len(axes.lines) <= FEW_LINES:
        axes.legend(frameon=False, loc="lower right")
    else:
        legend_beside(figure)


def legend_beside(figure: Figure) -> None:
    """Makes the figure wider and puts the legend to the right of what it shows."""
    figure.set_size_inches(9.0, 4.8)
    figure.legend(frameon=False, loc="outside right upper", fontsize=9)


def legend_below(figure: Figure, axes: Axes, *, num_columns: int) -> None:
    """Puts one legend below all panels, of what is drawn in ``axes``."""
    handles, names = axes.get_legend_handles_labels()
    figure.legend(handles, names, frameon=False, loc="outside lower center", fontsize=8, ncols=num_columns)


def draw_means(axes: Axes, table: pd.DataFrame, *, x: str, y: str, band: bool = True) -> None:
    """Draws the column ``y`` of a table against ``x``: for each variant the mean and a band of one s.d.

    Args:
      axes: What to draw in.
      table: With the columns ``variant``, ``x`` and ``y``; the rows of a variant with the same ``x`` are averaged.
      x: Name of a column of numbers.
      y: Likewise.
      band: Whether there is a band.
    """
    styles = line_styles(table["variant"].unique())
    for variant, of_variant in table.groupby("variant", sort=False):
        by_x = of_variant.groupby(x)[y]
        mean, deviation = by_x.mean(), by_x.std().fillna(0)
        axes.plot(mean.index, mean, linewidth=1.8, label=variant, **styles[variant])
        if band:
            colour = styles[variant]["color"]
            axes.fill_between(mean.index, mean - deviation, mean + deviation, color=colour, alpha=0.15, linewidth=0)


def line_styles(variants: Sequence[str]) -> dict[str, dict[str, str]]:
    """How the line of each variant is drawn: its method's colour, and dashes where several variants share it.

    Args:
      variants: Names as `lbb_jax.analysis.load_runs` gives them.

    Returns:
      Keyword arguments of Matplotlib's ``plot`` by variant.
    """
    colours = [colour_of(variant) for variant in variants]
    return {
        variant: {"color": colour, "linestyle": DASHES[colours[:position].count(colour) % len(DASHES)]}
        for position, (variant, colour) in enumerate(zip(variants, colours, strict=True))
    }


def colour_of(variant: str) -> str:
    """The colour of a variant: its own, else that of its method without sampling, else one computed from its name.

    Args:
      variant: A name as `lbb_jax.analysis.load_runs` gives it.
    """
    base = analysis.base_variant(variant)
    other = _OTHER_COLOURS[zlib.crc32(base.encode()) % len(_OTHER_COLOURS)]
    return COLOURS.get(base) or COLOURS.get(analysis.without_sampling(base), other)


def save(figure: Figure, path: str | os.PathLike) -> None:
    """Writes ``figure`` to ``path``, in the format of its suffix.

    Raises:
      PathError: If its suffix is not one of `SUFFIXES`, or it cannot be written to.
    """
    path = paths.output_file(path, name="path", suffixes=SUFFIXES)
    buffer = io.BytesIO()
    figure.savefig(buffer, format=path.suffix[1:].lower(), dpi=150)
    atomic_write(path, buffer.getvalue())
