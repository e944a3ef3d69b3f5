"""Writes the table of the acquisition methods' times from their measurements."""

import json
from pathlib import Path

from lbb_jax import analysis, figures
from lbb_jax.report import read_times

_SHOWN = (10, 20, 100)
_HEADING = "| method | b | ms | × BALD | evaluated |\n|---|---|---|---|---|\n"


def write(path: Path, benchmark: Path) -> None:
    """Writes the table to ``path`` (Markdown) from the lines of ``benchmark``."""
    rows = [json.loads(line) for line in benchmark.read_text(encoding="utf-8").splitlines()]
    shown = [row for row in rows if row["case"] in analysis.NAMES and row["b"] in _SHOWN]
    path.write_text(_HEADING + "".join(_line(row) for row in shown), encoding="utf-8")


def draw(path: Path, benchmark: Path) -> None:
    """Draws the times against the size of the batch into ``path``, from the lines of ``benchmark``."""
    figures.save(figures.time_against_batch_size(read_times(benchmark)), path)


def _line(row: dict) -> str:
    name = analysis.variant_name(row["case"], row)
    share = f"{100 * row['share_of_dense']:.2g} %" if "share_of_dense" in row else ""
    ratio = f"{row['ratio_to_bald']:.{0 if row['ratio_to_bald'] >= 10 else 1}f}"
    return f"| {name} | {row['b']} | {row['milliseconds']:,.0f} | {ratio} | {share} |\n"
