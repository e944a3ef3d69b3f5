"""Writes the evidence on the page of findings: for each question a figure, and the numbers in it, folded."""

import re
import sys
from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from generate import cache, evidence, forest, markdown, stored_runs
from generate.evidence import Comparison
from lbb_jax import acquisition, analysis, figures
from lbb_jax.figures.style import colour_of, draw_means, empty_panels, legend_below, line_styles

ALPHAS = {
    "PowerBALD": "BALD",
    "Power LBB (pairwise)": "LBB (pairwise)",
    "Power LBB (tree)": "LBB (tree)",
}
TUNED = "tuned α"
_GREEDY = ("BALD", "LBB (pairwise)", "LBB (tree)", "BatchBALD")
_OF_POSTERIORS = ("Random", "BALD", "LBB (pairwise)", "Power LBB (pairwise), α = 5")
_POSTERIORS = re.compile(r", (deep ensemble|MC dropout|last-layer)")
# A pick with less than this share of the first pick's gain tells hardly anything.
_INFORMATIVE = 0.05

QUESTIONS = {
    "redundancy": (
        Comparison("LBB (pairwise)", "BALD"),
        Comparison("LBB (tree)", "BALD"),
        Comparison("BatchBALD", "BALD"),
    ),
    "pairs": (Comparison("LBB (pairwise)", "LBB (tree)"), Comparison("LBB (pairwise)", "BatchBALD")),
    "sampling": (
        Comparison("PowerBALD, α = 5", "BALD"),
        Comparison("Power LBB (pairwise), α = 5", "LBB (pairwise)"),
        Comparison("Power LBB (tree), α = 5", "LBB (tree)"),
    ),
    "random": (
        Comparison("BALD", "Random"),
        Comparison("LBB (pairwise)", "Random"),
        Comparison("Power LBB (pairwise), α = 5", "Random"),
    ),
    "power": (
        Comparison("Power LBB (pairwise), α = 5", "PowerBALD, α = 5"),
        Comparison("Power LBB (tree), α = 5", "PowerBALD, α = 5"),
    ),
    "released": (Comparison("LBB (released)", "LBB (pairwise)"), Comparison("LBB (released)", "BALD")),
    "tuned": (
        Comparison(f"Power LBB (pairwise), {TUNED}", f"PowerBALD, {TUNED}"),
        Comparison(f"Power LBB (tree), {TUNED}", f"PowerBALD, {TUNED}"),
        Comparison(f"PowerBALD, {TUNED}", "Random"),
    ),
    "alpha": tuple(Comparison(f"{score}, α = 5", f"{score}, α = 1") for score in ALPHAS),
}


def write(folder: Path, results: Path) -> None:
    """Writes a piece of Markdown for each question into ``folder``, and its figures beside it."""
    paths = [path for of_one in stored_runs.folders(results, results).values() for path in of_one]
    sources = [
        *stored_runs.files(tuple(paths)),
        *sorted(results.rglob("diversity.csv")),
        *cache.code(sys.modules[__name__], evidence, forest),
    ]
    pieces: dict[str, Callable[..., str]] = {name: partial(_of_comparisons, name=name) for name in QUESTIONS}
    pieces |= {"gains": _gains, "why": _why, "posteriors": _posteriors, "diversity": _diversity, "wins": _wins}
    for name, of in (("classes", many_classes), ("laplace", last_layers), ("digits", fifty_seeds)):
        pieces[name] = partial(_beside_random, of=of)
    for name, piece in pieces.items():
        cache.make(folder / f"{name}.md", sources, partial(piece, folder / f"{name}.svg", results=results))


def compared(name: str, results: Path) -> pd.DataFrame:
    """The paired differences that answer a question of `QUESTIONS`, as `evidence.compare` returns them."""
    table = evidence.areas(results)
    return evidence.compare(with_tuned_alpha(table) if name == "tuned" else table, QUESTIONS[name])


def _shown(path: Path, figure: Figure, description: str, numbers: pd.DataFrame, note: str = "") -> str:
    figures.save(figure, path)
    return markdown.figure(path, description) + note + "\n" + markdown.folded("The numbers", markdown.table(numbers))


def _of_comparisons(path: Path, *, name: str, results: Path) -> str:
    found = compared(name, results)
    comparisons = " and ".join(map(str, QUESTIONS[name]))
    note = f"\n{evidence.count(found)}"
    return _shown(path, forest.draw(found), f"Differences: {comparisons}", evidence.as_text(found), note)


def with_tuned_alpha(table: pd.DataFrame) -> pd.DataFrame:
    """Adds what each score reaches with its exponent tuned, to the experiments that have two exponents of each score.

    The exponent of a seed is that of the highest mean area of the other seeds, among those that were run and the
    limit without sampling.
    """
    added = []
    for _, of_one in table.groupby(evidence.EXPERIMENT, sort=False):
        of_methods = of_one.pivot(index="seed", columns="variant", values="area")
        for score, limit in ALPHAS.items():
            names = [name for name in of_methods if name.startswith(f"{score}, α")]
            if len(names) < 2:
                continue
            areas = of_methods[[*names, *({limit} & set(of_methods))]].dropna()
            if len(areas) < 2:
                continue
            others = (areas.sum() - areas) / (len(areas) - 1)
            tuned = [areas.loc[seed, name] for seed, name in others.idxmax(axis="columns").items()]
            first = of_one.drop_duplicates("seed").set_index("seed").loc[areas.index].reset_index()
            added.append(first.assign(variant=f"{score}, {TUNED}", area=tuned))
    return pd.concat([table, *added], ignore_index=True)


def gains(experiment: stored_runs.Experiment) -> pd.DataFrame:
    """The gain of each pick of the greedy methods, as a share of that of the first pick of its batch.

    Returns:
      The columns ``variant``, ``seed``, ``labels``, ``pick`` (from 1) and ``share``, of whole batches.
    """
    paths = experiment.runs.loc[experiment.runs["variant"].isin(_GREEDY), "path"].unique()
    acquired = analysis.load_acquired(paths)
    batches = acquired.groupby(["variant", "seed", "labels"], sort=False)
    acquired = acquired.assign(pick=acquired["order"] + 1, share=acquired["gain"] / batches["gain"].transform("first"))
    return acquired[batches["order"].transform("size") == experiment.runs["batch_size"].iloc[0]]


def _with_greedy(results: Path) -> list[stored_runs.Experiment]:
    """The experiments of several seeds that have LBB in both forms."""
    folders = set(_of_forms(results).index)
    found = [experiment for experiment in stored_runs.all_experiments(results) if experiment.name in folders]
    return sorted(found, key=evidence.where)


def _of_forms(results: Path) -> pd.DataFrame:
    """LBB (pairwise) minus LBB (tree), as `evidence.compare` returns differences, by the folder."""
    found = compared("pairs", results)
    return found[found["comparison"] == str(QUESTIONS["pairs"][0])].set_index("folder")


def _panels(experiments: Sequence[str], *, height: float) -> tuple[Figure, list[Axes]]:
    """A figure with a titled panel for each experiment, three in a row of so many inches."""
    num_rows = -(-len(experiments) // 3)
    figure, panels = empty_panels(num_rows, 3, size=(10.0, height * num_rows + 0.5))
    shown, free = panels.flat[: len(experiments)], panels.flat[len(experiments) :]
    for axes, experiment in zip(shown, experiments, strict=True):
        axes.set_title(_POSTERIORS.sub(r",\n\1", experiment), fontsize=9)
    for axes in free:
        axes.set_axis_off()
    return figure, list(shown)


def _gains(path: Path, *, results: Path) -> str:
    experiments = _with_greedy(results)
    figure, panels = _panels([evidence.where(experiment) for experiment in experiments], height=2.5)
    for axes, experiment in zip(panels, experiments, strict=True):
        draw_means(axes, gains(experiment), x="pick", y="share", band=False)
        axes.set_ylim(-0.05, 1.05)
        axes.set_xlabel("pick of the batch")
    figure.supylabel("gain, as a share of the first pick's", fontsize=10)
    legend_below(figure, max(panels, key=lambda axes: len(axes.lines)), num_columns=4)
    figures.save(figure, path)
    return markdown.figure(path, "The gain of each pick, as a share of the first pick's")


def why(results: Path) -> pd.DataFrame:
    """LBB (pairwise) minus LBB (tree), with what their batches are.

    Returns:
      A row for each experiment: ``b``, ``difference`` with its interval as text, ``verdict``, how many picks of a batch
      have 5 % or more of the first pick's gain, and for both forms how many of the batch are distinct images, and the
      entropy of its classes in nats (NaN where that is not stored).
    """
    found = _of_forms(results)
    rows = []
    for experiment in _with_greedy(results):
        shares = gains(experiment)
        shares = shares[shares["variant"] == "LBB (pairwise)"]
        informative = (shares["share"] >= _INFORMATIVE).groupby([shares["seed"], shares["labels"]]).sum().mean()
        of_one = found.loc[experiment.name]
        row = {
            "experiment": evidence.where(experiment).rpartition(", b =")[0],
            "b": experiment.runs["batch_size"].iloc[0],
            "pairwise minus tree": markdown.interval(of_one),
            "verdict": of_one.verdict,
            "informative picks, pairwise": round(informative, 1),
        }
        stored = results / experiment.name / "diversity.csv"
        if stored.exists():
            batches = pd.read_csv(stored)
            batches = batches[batches["size"] == row["b"]].groupby("run").mean(numeric_only=True)
            for column, digits in (("distinct", 1), ("class_entropy", 2)):
                for form in ("pairwise", "tree"):
                    value = batches.loc[f"lbb_{form}", column]
                    row[f"{column.replace('_', ' ')}, {form}"] = round(value, digits)
        rows.append(row)
    return pd.DataFrame(rows).set_index("experiment")


def _why(path: Path, *, results: Path) -> str:
    return markdown.table(why(results))


def posteriors(results: Path) -> pd.DataFrame:
    """The ensemble's area minus that of MC dropout, for each method, as `evidence.compare` returns differences."""
    table = evidence.areas(results)
    table = table.assign(problem=table["where"].str.replace(r", (deep ensemble|MC dropout)", "", regex=True))
    rows = []
    for (problem, reduced), of_one in table.groupby(["problem", "reduced"], sort=False):
        by_posterior = of_one[of_one["posterior"].isin(["deep_ensemble", "mc_dropout"])].pivot(
            index=["variant", "seed"], columns="posterior", values="area"
        )
        if by_posterior.shape[1] < 2:
            continue
        both = by_posterior.dropna().reset_index()
        for variant, rows_of_one in both.groupby("variant", sort=False):
            if len(rows_of_one) > 1:
                interval = analysis.paired_difference(rows_of_one["deep_ensemble"], rows_of_one["mc_dropout"])
                verdict = "above" if interval.low > 0 else "below" if interval.high < 0 else "open"
                rows.append((problem, reduced, variant, *interval, verdict))
    return pd.DataFrame(
        rows, columns=["where", "reduced", "comparison", "difference", "low", "high", "seeds", "verdict"]
    )


def _posteriors(path: Path, *, results: Path) -> str:
    """Draws four methods; the table has all of them."""
    found = posteriors(results)
    drawn = found.set_index("comparison").loc[list(_OF_POSTERIORS)].reset_index().sort_values("where", kind="stable")
    figure = forest.draw(drawn, colours={name: colour_of(name) for name in _OF_POSTERIORS})
    numbers = evidence.as_text(found.rename(columns={"where": "comparison", "comparison": "where"}), rows="method")
    return _shown(path, figure, "Areas with an ensemble minus those with MC dropout", numbers.drop(columns="seeds"))


def _diversity(path: Path, *, results: Path) -> str:
    """How many of a batch are distinct images, round by round, where the pool has copies."""
    table = evidence.areas(results)
    is_shown = (table["copies"] > 1) & (table["variant"] == "BALD")
    folders = table.loc[is_shown, ["folder", "where"]].drop_duplicates()
    shown = [
        (place, pd.read_csv(results / folder / "diversity.csv"))
        for folder, place in folders.itertuples(index=False)
        if (results / folder / "diversity.csv").exists()
    ]
    wanted = {"bald": "BALD", "lbb_pairwise": "LBB (pairwise)", "lbb_tree": "LBB (tree)", "batch_bald": "BatchBALD"}
    wanted |= {"power_lbb_pairwise_alpha=5": "Power LBB (pairwise)", "lbb_released": "LBB (released)"}
    figure, panels = _panels([place for place, _ in shown], height=2.7)
    styles = line_styles(list(wanted.values()))
    numbers = []
    for axes, (place, batches) in zip(panels, shown, strict=True):
        for run, variant in wanted.items():
            of_run = batches[(batches["run"] == run) & (batches["size"] == batches["size"].max())]
            if of_run.empty:
                continue
            share = of_run["distinct"] / of_run["size"]
            axes.plot(of_run["labels"], share, linewidth=1.8, label=variant, **styles[variant])
            numbers.append((place, variant, f"{of_run['distinct'].mean():.1f} of {of_run['size'].max()}"))
        axes.set_ylim(0, 1.05)
        axes.set_xlabel("labelled points")
    figure.supylabel("distinct images in a batch", fontsize=10)
    legend_below(figure, max(panels, key=lambda axes: len(axes.lines)), num_columns=6)
    wide = pd.DataFrame(numbers, columns=["experiment", "variant", "distinct"]).pivot(
        index="experiment", columns="variant", values="distinct"
    )
    return _shown(path, figure, "The share of distinct images in a batch", wide.rename_axis(None, axis="columns"))


def beside_random(results: Path, of: Callable[[pd.DataFrame], pd.Series]) -> pd.DataFrame:
    """All methods minus random in some of the experiments, as `evidence.compare` returns differences.

    Args:
      results: The folder of all results.
      of: Which rows of `evidence.areas` are of these experiments.
    """
    table = evidence.areas(results)
    table = table[of(table)]
    names = [name for name in table["variant"].unique() if name != "Random"]
    return evidence.compare(table, [Comparison(name, "Random") for name in names])


def many_classes(table: pd.DataFrame) -> pd.Series:
    """The rows of experiments with 20 classes or more."""
    return table["classes"] >= 20


def last_layers(table: pd.DataFrame) -> pd.Series:
    """The rows of experiments with a Laplace posterior, and with the ensemble of heads that is held against one."""
    return table["folder"].str.startswith("compared/")


def fifty_seeds(table: pd.DataFrame) -> pd.Series:
    """The rows of runs with fifty seeds."""
    return table["folder"].str.startswith("digits_50_seeds/")


def _beside_random(path: Path, *, results: Path, of: Callable[[pd.DataFrame], pd.Series]) -> str:
    """A row for each method, a column for each experiment."""
    found = beside_random(results, of)
    if found.empty:
        return "Nothing was run.\n"
    methods = found["comparison"].str.removesuffix(f"{evidence.MINUS}Random")
    by_method = found.assign(where=methods, comparison=found["where"])
    order = by_method.groupby("where")["difference"].mean().sort_values(ascending=False).index
    by_method = by_method.set_index("where").loc[order].reset_index()
    return markdown.table(evidence.as_text(by_method, rows="method"))


def wins(results: Path) -> pd.DataFrame:
    """How many experiments each method wins and loses against each other one.

    Returns:
      A row and a column for each method, those that win the most above: "wins : losses", a dash where both are 0, and
      nothing where no experiment has two seeds of both. The first column is in how many experiments the method is.
    """
    table = evidence.areas(results)
    # It sees the labels.
    table = table[table["variant"] != acquisition.ORACLE.label]
    won = analysis.wins(table)
    order = (won.sum(axis="columns") - won.sum()).sort_values(ascending=False, kind="stable").index
    cells = pd.DataFrame("", index=order, columns=order)
    for first in order:
        for second in order:
            pair = won.loc[first, second], won.loc[second, first]
            if first != second and not np.isnan(pair[0]):
                cells.loc[first, second] = f"{pair[0]:.0f} : {pair[1]:.0f}" if any(pair) else "–"
    of_methods = table.drop_duplicates(["variant", *evidence.EXPERIMENT])
    cells.insert(0, "experiments", of_methods["variant"].value_counts())
    return cells


def _wins(path: Path, *, results: Path) -> str:
    table = wins(results)
    numbers = range(1, len(table) + 1)
    shown = table.set_axis(["experiments", *map(str, numbers)], axis="columns")
    names = [f"{number}. {name}" for number, name in zip(numbers, table.index, strict=True)]
    return markdown.table(shown.set_axis(pd.Index(names, name="method")))
