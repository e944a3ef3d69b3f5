"""Writes the tables of the study of the approximation: sums of terms, what batches hold, and the released score."""

import sys
from collections.abc import Callable
from pathlib import Path

import pandas as pd

from generate import cache, markdown
from lbb_jax.figures import dataset_title
from paper.approximation import measurements

_TERMS = {
    "total_correlation": "total correlation",
    "pairs_once": "pairs once",
    "pairs_twice": "pairs twice (as printed)",
    "pairs_and_triples": "pairs and triples",
    "tree": "tree",
    "released": "released code",
}
_SIZES_OF_TERMS = (6, 50)
_SIZES_OF_PICKS = (10, 20)
_SIZES_OF_VARIANTS = (10, 50)
# The variants of LBB beside what they stand for, by their names in the measurements.
_VARIANTS = {
    "BatchBALD": "BatchBALD",
    "LBB (pairwise), pair weight = 1": "LBB (pairwise)",
    "LBB (pairwise), pair weight = 1, pairs = chi2": 'LBB (pairwise), `pairs="chi2"`',
    "LBB (pairwise), pair weight = 1, order = 3": "LBB (pairwise), `order=3`",
    "LBB (tree)": "LBB (tree)",
    "LBB (tree), pairs = chi2": 'LBB (tree), `pairs="chi2"`',
    "Log-det": "Log-det",
    "BALD": "BALD",
}
_MEASURES = ["class counts", "EPIG", "BALD", "confidence"]


def write(folder: Path, results: Path) -> None:
    """Writes ``approximation_*.md`` into ``folder``."""
    files = sorted(results.glob("approximation/*/measurements.jsonl"))
    makers: dict[str, Callable[[Path], pd.DataFrame]] = {
        "terms": terms,
        "picks": picks,
        "variants": variants,
        "released": released,
    }
    sources = [*files, *cache.code(sys.modules[__name__])]
    for name, make in makers.items():
        cache.make(folder / f"approximation_{name}.md", sources, lambda make=make: markdown.table(make(results)))


def read(results: Path, measurement: str) -> pd.DataFrame:
    """All records of one kind of measurement, with all draws and classes; ``source`` without the number of labels."""
    records = [
        record
        for path in sorted(results.glob("approximation/*/measurements.jsonl"))
        for record in measurements.read(path)
        if record["measurement"] == measurement
    ]
    table = pd.DataFrame(records)
    table["source"] = table["source"].map(_title)
    if "K" in table:
        wholes = table.groupby("source")[["K", "C"]].transform("max")
        table = table[(table["K"] == wholes["K"]) & (table["C"] == wholes["C"])]
    return table


def _title(source: str) -> str:
    dataset, posterior, *_ = source.split(", ")
    return f"{dataset_title(dataset)}, {posterior}"


def terms(results: Path) -> pd.DataFrame:
    """The total correlation of the points of highest BALD and what approximates it, nats, means over the seeds."""
    table = read(results, "approximation")
    table = table[(table["batch"] == "highest BALD") & table["b"].isin(_SIZES_OF_TERMS)]
    shown = table.groupby(["source", "b"], sort=False)[[name for name in _TERMS if name in table]].mean()
    shown = shown.rename(columns=_TERMS).map(_nats).reset_index("b")
    return shown.rename_axis("posterior")


def _nats(value: float) -> str:
    return f"{value:,.0f}" if abs(value) >= 100 else f"{value:.3g}"


def held(picks: pd.DataFrame, size: int) -> pd.Series:
    """The joint information of each variant's batches of ``size`` points, in nats, means over the batches."""
    return picks[picks["b"] == size].groupby("variant")["joint_information"].mean()


def picks(results: Path) -> pd.DataFrame:
    """What each method's batch holds, in nats, and its share of BatchBALD's ten picks, on MNIST."""
    table = read(results, "picks")
    table = table[table["source"].str.startswith("MNIST")]
    columns = {}
    for source, of_one in table.groupby("source", sort=False):
        for size in _SIZES_OF_PICKS:
            columns[f"{source}, b = {size}"] = held(of_one, size).map("{:.3f}".format)
        overlap = of_one[of_one["b"] == _SIZES_OF_PICKS[0]].groupby("variant")["overlap"].mean()
        columns[f"{source}, in BatchBALD's {_SIZES_OF_PICKS[0]}"] = overlap.map("{:.0%}".format)
    shown = pd.DataFrame(columns)
    return shown.sort_values(shown.columns[0], ascending=False).rename_axis("method")


def variants(results: Path) -> pd.DataFrame:
    """What the batches of LBB's variants hold, in nats, where all variants were measured."""
    table = read(results, "picks")
    complete = table.groupby("source")["variant"].transform(lambda names: set(_VARIANTS) <= set(names))
    columns = {
        f"{source}, b = {size}": held(of_one, size)
        for source, of_one in table[complete].groupby("source", sort=False)
        for size in _SIZES_OF_VARIANTS
    }
    return pd.DataFrame(columns).loc[list(_VARIANTS)].rename(_VARIANTS).map("{:.3f}".format).rename_axis("method")


def released(results: Path) -> pd.DataFrame:
    """How the released code's term varies over the pool, and its rank correlations, means over the seeds."""
    table = read(results, "released_score")
    correlations = pd.json_normalize(table["agreement"].tolist())[_MEASURES].set_index(table.index)
    rows = correlations.assign(
        source=table["source"],
        spread=table["spread"] / table["spread_of_bald"],
        negative=table["share_below_zero"],
    )
    means = rows.groupby("source", sort=False).mean()
    shown = {"its spread, times BALD's": means["spread"].map("{:.0f}".format)}
    shown |= {f"correlation with {name}": means[name].map("{:.2f}".format) for name in _MEASURES}
    shown["points where it is negative"] = means["negative"].map("{:.0%}".format)
    return pd.DataFrame(shown).rename_axis("posterior")
