"""Writes the tables of runs that stand on the pages Start and Your data."""

import sys
from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path

import pandas as pd

from generate import cache, markdown, stored_runs
from lbb_jax import analysis

# Columns of the table of data of one's own, by folder: the data, and what follows configs/ in the command.
_OWN_DATA = {
    "fashion_mnist": ("Fashion-MNIST, images in an `.npz`", "arrays"),
    "cifar10_embeddings": ("CIFAR-10, embeddings `[45000, 128]`, float16", "arrays:b=100"),
    "trec": ("TREC, questions, MiniLM", "text_csv:b=20"),
    "banking77": ("Banking77, questions to a bank, MiniLM", "text_csv:b=100"),
}


def write_demo(path: Path, results: Path) -> None:
    """Writes to ``path`` (Markdown) what ``make demo`` prints, from the runs that are stored."""
    runs = _folders("digits_demo", results)
    _make(path, runs, partial(_demo, results))


def write_own_data(path: Path, results: Path) -> None:
    """Writes to ``path`` (Markdown) what was reached on data of one's own."""
    runs = [run for name in _OWN_DATA for run in _folders(f"own_data/{name}", results)]
    _make(path, runs, partial(own_data, results))


def _make(path: Path, runs: Sequence[Path], text: Callable[[], str]) -> None:
    cache.make(path, [*stored_runs.files(tuple(runs)), *cache.code(sys.modules[__name__])], text)


def _folders(name: str, results: Path) -> tuple[Path, ...]:
    return stored_runs.folders(results / name, results)[name]


def _demo(results: Path) -> str:
    runs = analysis.load_runs(_folders("digits_demo", results))
    return markdown.table(analysis.summarise(runs, at_labels=[50, 100, 200]).drop(columns="seconds"))


def own_data(results: Path) -> str:
    """The table in Markdown: accuracies with all labels, the area minus random's, and the labels that are saved."""
    rows = []
    for folder, (data, config) in _OWN_DATA.items():
        paths = _folders(f"own_data/{folder}", results)
        runs = analysis.load_runs(paths)
        sizes = runs["labels"].min(), runs["labels"].max()
        accuracies = analysis.summarise(runs, at_labels=[sizes[1]])
        (difference,) = analysis.paired_differences(analysis.areas_under_curve(runs)).itertuples()
        saved = analysis.savings(runs).set_index("variant").loc[difference.variant]
        row = {
            "data": data,
            "config": f"`{config}`",
            "classes": analysis.describe_runs(paths[:1])[0].data["classes"],
            "labels": "{:,} to {:,}".format(*sizes),
        }
        both = {"Random": "random", difference.variant: "power_lbb, tree"}
        for name, shown in both.items():
            row[shown] = accuracies.loc[name, f"accuracy at {sizes[1]}"]
        row["area minus random's"] = markdown.interval(difference)
        row["labels saved"] = f"{saved.saved:.0%} ({saved.saved_low:.0%} to {saved.saved_high:.0%})"
        row["seconds"] = "; ".join(f"{float(accuracies.loc[name, 'seconds']):,.0f}" for name in both)
        rows.append(row)
    return markdown.table(pd.DataFrame(rows).set_index("data"))
