"""What the stored runs say of one method minus another: paired differences of areas, experiment by experiment."""

import functools
from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

import numpy as np
import pandas as pd

from generate import markdown, stored_runs
from generate.stored_runs import Experiment
from lbb_jax import analysis, components
from lbb_jax.analysis.verdicts import Side, Verdict, decide
from lbb_jax.errors import ExperimentError
from lbb_jax.figures import dataset_title

# What tells one experiment from another: runs that agree in these columns can be compared, whatever folder they are in.
EXPERIMENT = ["where", "reduced"]
# Between the two methods in a comparison's name.
MINUS = " minus "
_WORDS = {Verdict.HOLDS: "above", Verdict.FAILS: "below", Verdict.UNDECIDED: "open"}


class Comparison(NamedTuple):
    """A method and what it is held against, by the names of `canonical`."""

    first: str
    second: str

    def __str__(self) -> str:
        return f"{self.first}{MINUS}{self.second}"


@functools.cache
def areas(results: Path) -> pd.DataFrame:
    """The area under each learning curve in ``results``.

    Where several folders hold a method's runs of one experiment, only those with the most seeds count.

    Returns:
      As `lbb_jax.analysis.areas_under_curve`, with the methods' names as `canonical` has them, and the columns
      ``folder``, ``where`` (the experiment, in short), ``copies`` of each example in the pool, and ``classes``; its
      column ``reduced`` says what was cut down.
    """
    tables = [_areas(experiment) for experiment in stored_runs.all_experiments(results)]
    table = _of_most_seeds(pd.concat([table for table in tables if table is not None]))
    return table.sort_values(["copies", *EXPERIMENT], kind="stable", ignore_index=True)


def _of_most_seeds(table: pd.DataFrame) -> pd.DataFrame:
    method = [*EXPERIMENT, "variant"]
    sizes = table.groupby([*method, "folder"], sort=False).size().rename("size").reset_index()
    kept = sizes.sort_values("size", ascending=False, kind="stable").drop_duplicates(method)
    return table.merge(kept[[*method, "folder"]])


def _areas(experiment: Experiment) -> pd.DataFrame | None:
    place = where(experiment)
    runs = experiment.runs.assign(variant=canonical(experiment.runs), setup=place)
    try:
        table = analysis.areas_under_curve(runs)
    except ExperimentError:
        # Runs that stopped short or have one round have no areas to compare.
        return None
    described = analysis.describe_runs([runs["path"].iloc[0]])[0]
    copies = described.config["dataset"].get("copies", 1)
    return table.assign(
        folder=experiment.name, where=place, copies=copies, classes=described.data.get("classes", np.nan)
    )


def canonical(runs: pd.DataFrame) -> list[str]:
    """The methods' names with the exponent of all that sample, so that they mean the same in every experiment."""
    return [
        variant if np.isnan(alpha) or "α" in variant else f"{variant}, α = {alpha:g}"
        for variant, alpha in zip(runs["variant"], runs["alpha"].astype(float), strict=True)
    ]


def where(experiment: Experiment) -> str:
    """An experiment in short. Data that have no name of the project's are called by the runs' folder."""
    run = experiment.runs.iloc[0]
    is_own = run["dataset"] in ("arrays", "image_folder", "text_csv")
    name = Path(experiment.name).name if is_own else dataset_title(run["dataset"])
    network = components.title("network", run["network"])
    posterior = components.title("posterior", run["posterior"])
    return f"{name}, {network}, {posterior}, b = {run['batch_size']}"


def compare(table: pd.DataFrame, comparisons: Sequence[Comparison]) -> pd.DataFrame:
    """Decides in which experiments a method is above another, with Holm's correction within each experiment.

    Args:
      table: As `areas` returns it, or rows of it.
      comparisons: What is compared.

    Returns:
      A row for each experiment that has a comparison's methods with two common seeds or more, and each comparison:
      ``where``, ``reduced``, ``folder`` (of the first method's runs), ``comparison``, ``difference``, ``low`` and
      ``high`` (the 95 % interval by Student's t, without the correction), ``seeds`` and ``verdict`` ("above", "below"
      or "open").
    """
    rows = []
    for identity, of_one in table.groupby(EXPERIMENT, sort=False):
        found = {str(comparison): _differences(of_one, comparison) for comparison in comparisons}
        found = {name: differences for name, differences in found.items() if len(differences) > 1}
        decisions = decide([(differences, Side.ABOVE) for differences in found.values()])
        folders = of_one.drop_duplicates("variant").set_index("variant")["folder"]
        rows += [
            (*identity, folders[name.split(MINUS)[0]], name, *decision.interval, _WORDS[decision.verdict])
            for name, decision in zip(found, decisions, strict=True)
        ]
    columns = [*EXPERIMENT, "folder", "comparison", "difference", "low", "high", "seeds", "verdict"]
    found = pd.DataFrame(rows, columns=columns)
    found = found.assign(where=_told_apart(found))
    if found.duplicated(["where", "comparison"]).any():
        raise ValueError(f"several experiments are called the same: {sorted(set(found['where']))}")
    return found


def _told_apart(compared: pd.DataFrame) -> pd.Series:
    """The experiments in short, with the number of seeds where several are called the same."""
    is_shared = compared.groupby("where")["reduced"].transform("nunique") > 1
    seeds = compared.groupby(EXPERIMENT)["seeds"].transform("max").astype(str)
    return compared["where"].where(~is_shared, compared["where"] + ", " + seeds + " seeds")


def _differences(areas_of_one: pd.DataFrame, comparison: Comparison) -> np.ndarray:
    by_seed = areas_of_one.pivot(index="seed", columns="variant", values="area")
    if not {*comparison} <= set(by_seed.columns):
        return np.empty(0)
    return (by_seed[comparison.first] - by_seed[comparison.second]).dropna().to_numpy()


def as_text(compared: pd.DataFrame, *, rows: str = "experiment") -> pd.DataFrame:
    """What `compare` returns as a table for readers: a row for each experiment, a column for each comparison."""
    cells = [f"{markdown.interval(row)}, {row.verdict}" for row in compared.itertuples()]
    texts = compared.assign(cell=cells)
    wide = texts.pivot_table(index="where", columns="comparison", values="cell", aggfunc="first")
    wide = wide.loc[list(texts["where"].unique()), list(texts["comparison"].unique())]
    wide.insert(0, "seeds", texts.groupby("where")["seeds"].max())
    return wide.rename_axis(rows).rename_axis(None, axis="columns")


def count(compared: pd.DataFrame) -> str:
    """In how many experiments each comparison is decided, as a list in Markdown."""
    lines = []
    for comparison, of_one in compared.groupby("comparison", sort=False):
        verdicts = of_one["verdict"].value_counts()
        words = " and ".join(f"{word} 0 in {verdicts[word]}" for word in ("above", "below") if word in verdicts)
        lines.append(f"- {comparison}: {words or 'decided in none'} of {len(of_one)} experiments\n")
    return "".join(lines)
