"""Writes the tables of what more draws of a Laplace posterior change, measured on CIFAR-10 embeddings."""

import sys
from pathlib import Path

import pandas as pd

from generate import approximation_tables, cache, markdown
from generate.approximation_tables import held
from paper.approximation import measurements

DRAWS = (5, 100, 1000)
_METHODS = ("BatchBALD", "LBB (pairwise)", "LBB (tree)", "Log-det", "BALD", "EPIG", "Random")
_SERIES = {
    "total_correlation": "total correlation",
    "pairs_once": "pairs",
    "pairs_and_triples": "pairs and triples",
    "tree": "tree",
}
_KINDS = {"random points": "at random", "highest BALD": "of the highest BALD"}
_SIZES_OF_PICKS = (3, 10)
_SIZES_OF_SERIES = (4, 10)


def write(folder: Path, results: Path) -> None:
    """Writes ``draws.md`` and ``series.md`` into ``folder``."""
    code = cache.code(sys.modules[__name__], approximation_tables, measurements)
    sources = [*(_file(results, num_draws) for num_draws in DRAWS), *code]
    for name, make in {"draws": joint_information, "series": series}.items():
        cache.make(folder / f"{name}.md", sources, lambda make=make: markdown.table(make(results).map("{:.2f}".format)))


def _file(results: Path, num_draws: int) -> Path:
    return results / "draws" / f"K={num_draws}" / "measurements.jsonl"


def _measured(results: Path, num_draws: int, kind: str) -> pd.DataFrame:
    records = pd.DataFrame(measurements.read(_file(results, num_draws)))
    return records[(records["measurement"] == kind) & (records["K"] == num_draws)]


def joint_information(results: Path) -> pd.DataFrame:
    """What each method's batch tells about the parameters, in nats: a column for each number of draws and of points."""
    columns = {}
    for num_draws in DRAWS:
        picks = _measured(results, num_draws, "picks")
        for size in _SIZES_OF_PICKS:
            columns[f"K = {num_draws:,}, b = {size}"] = held(picks, size)
    return pd.DataFrame(columns).loc[list(_METHODS)].rename_axis("method")


def series(results: Path) -> pd.DataFrame:
    """The total correlation of batches and its approximations, in nats: means over seeds and batches."""
    tables = []
    for num_draws in DRAWS[:2]:
        measured = _measured(results, num_draws, "approximation")
        measured = measured[measured["b"].isin(_SIZES_OF_SERIES) & (measured["C"] == measured["C"].max())]
        means = measured.groupby(["batch", "b"])[list(_SERIES)].mean().rename(columns=_SERIES)
        means.index = [f"{num_draws} draws, {size:g} {_KINDS[kind]}" for kind, size in means.index]
        tables.append(means)
    return pd.concat(tables).rename_axis("batch")
