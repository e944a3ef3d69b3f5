"""Pieces of a page in Markdown."""

from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

import pandas as pd


def table(frame: pd.DataFrame) -> str:
    """A table with its index, which needs a name, as the first column; what is missing is left empty."""
    frame = frame.reset_index().astype(object)
    cells = frame.where(frame.notna(), "").to_numpy().tolist()
    rows = [list(frame.columns), ["---"] * frame.shape[1], *cells]
    return "".join(f"| {' | '.join(map(str, row))} |\n" for row in rows)


def of_rows(rows: Iterable[Mapping[str, Any]]) -> str:
    """A table of some rows, whose first cells are its first column; at least one row."""
    frame = pd.DataFrame(rows)
    return table(frame.set_index(frame.columns[0]))


def long(text: str) -> str:
    """The text of a cell that keeps some width on a narrow screen, where its table scrolls."""
    return f'<span class="long">{text}</span>'


def interval(difference: Any) -> str:
    """A mean difference with its interval, of an object that has ``difference``, ``low`` and ``high``."""
    return f"{difference.difference:+.3f} ({difference.low:+.3f} to {difference.high:+.3f})"


def folded(summary: str, text: str) -> str:
    """What a click on the summary unfolds."""
    return f"<details>\n<summary>{summary}</summary>\n\n{text.strip()}\n\n</details>\n"


def figure(path: Path, description: str) -> str:
    """A figure that a page of the site shows; a click opens it alone. Sources are relative to docs/."""
    source = path.relative_to(Path(__file__).parents[1]).as_posix()
    alt = description.replace("\n", "; ")
    return f"```{{image}} {source}\n:alt: {alt}\n:target: {source}\n:class: drawn\n```\n"
