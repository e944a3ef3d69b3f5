"""Draws the parts of the package, each above all parts that it imports."""

from pathlib import Path

import matplotlib
from matplotlib.backends.backend_svg import FigureCanvasSVG
from matplotlib.figure import Figure

from generate import imports

_WIDTH, _HEIGHT = 1.5, 1.0
_COLOUR = {"package": "#DDE8F3", "module": "#FFFFFF"}


def write(path: Path) -> None:
    """Writes the picture to ``path`` (SVG)."""
    graph = imports.without_circles(imports.imports_of_parts())
    rows = _rows(graph)
    place = {
        name: (column - (len(row) - 1) / 2, height)
        for height, row in enumerate(rows)
        for column, name in enumerate(row)
    }
    widest = max(map(len, rows))
    figure = Figure(figsize=(_WIDTH * widest, _HEIGHT * len(rows)), layout="constrained")
    FigureCanvasSVG(figure)
    axes = figure.subplots()
    axes.set(xlim=(-widest / 2, widest / 2), ylim=(-0.4, len(rows) - 0.6))
    axes.axis("off")
    for name, used in imports.without_shortcuts(graph).items():
        for other in used:
            arrow = {"arrowstyle": "-|>", "color": "#777777", "linewidth": 0.8, "shrinkA": 9, "shrinkB": 9}
            axes.annotate("", place[other], place[name], arrowprops=arrow, zorder=1)
    packages = {name for name in graph if (imports.ROOT / name).is_dir()}
    for name, (x, y) in place.items():
        colour = _COLOUR["package" if name in packages else "module"]
        box = {"boxstyle": "round,pad=0.35", "facecolor": colour, "edgecolor": "#335577"}
        axes.text(x, y, name, ha="center", va="center", fontsize=9, bbox=box, zorder=2)
    with matplotlib.rc_context({"svg.hashsalt": "lbb_jax"}):
        figure.savefig(path, format="svg", metadata={"Date": None})


def _rows(graph: dict[str, set[str]]) -> list[list[str]]:
    """The parts by height, each row ordered so that a part is near the parts that it imports."""
    height = imports.heights(graph)
    rows: list[list[str]] = []
    middle: dict[str, float] = {}
    for level in range(max(height.values()) + 1):
        names = sorted(name for name in graph if height[name] == level)
        names.sort(key=lambda name: sum(middle[other] for other in graph[name]) / max(1, len(graph[name])))
        middle |= {name: column - (len(names) - 1) / 2 for column, name in enumerate(names)}
        rows.append(names)
    return rows
