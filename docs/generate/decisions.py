"""Writes the table that says which method to take where: the advice stands here, its evidence is of the stored runs."""

import sys
from collections.abc import Iterator
from functools import partial
from pathlib import Path
from typing import NamedTuple

import pandas as pd

from generate import cache, evidence, markdown, stored_runs
from generate.evidence import Comparison
from lbb_jax.report import read_times

_POWER_PAIRWISE = "Power LBB (pairwise), α = 5"
_POWER_TREE = "Power LBB (tree), α = 5"
_POWER_BALD = "PowerBALD, α = 5"


class Means(NamedTuple):
    """Mean accuracies of methods in one experiment, the advised one first.

    Attributes:
      folder: The folder of the experiment's runs, in the results.
      methods: The names that `evidence.canonical` gives.
      at: The number of labels; if None, the mean of the curve.
    """

    folder: str
    methods: tuple[str, ...]
    at: int | None = None


class Difference(NamedTuple):
    """The paired difference of two methods' areas in one experiment, with its interval."""

    folder: str
    comparison: Comparison


class Time(NamedTuple):
    """What a batch takes, by a file in ``results/benchmark``."""

    file: str
    name: str
    case: str
    batch_size: int


class Decision(NamedTuple):
    """A line of the table. The note says what the evidence does not: what was not measured."""

    situation: str
    take: str
    evidence: tuple[Means | Difference | Time, ...] = ()
    note: str = ""


def means(of_one: Means, results: Path) -> pd.Series:
    """The mean accuracies that are shown, by method, in the order of ``methods``."""
    runs = _experiment(of_one.folder, results).runs
    runs = runs.assign(variant=evidence.canonical(runs))
    if of_one.at is not None:
        runs = runs[runs["labels"] == of_one.at]
    return runs.groupby("variant")["accuracy"].mean().loc[list(of_one.methods)]


def _experiment(folder: str, results: Path) -> stored_runs.Experiment:
    (experiment,) = stored_runs.experiments(folder, stored_runs.folders(results / folder, results)[folder])
    return experiment


DECISIONS = (
    Decision(
        "many near-copies, the paper's network",
        "`power_lbb` or `power_bald`, α = 5",
        (
            Means(
                "rmnist_small", (_POWER_PAIRWISE, _POWER_BALD, "LBB (pairwise)", "LBB (tree)", "Random", "BALD"), at=200
            ),
            Means(
                "mc_dropout_small/mnist_repeated_mc_dropout_small",
                (_POWER_PAIRWISE, _POWER_BALD, "Random", "LBB (pairwise)", "LBB (tree)", "BALD"),
                at=200,
            ),
        ),
    ),
    Decision(
        "many near-copies, a perceptron",
        "any method that samples",
        (
            Means(
                "reduced_10_seeds/mnist_repeated_mlp_small",
                (_POWER_PAIRWISE, _POWER_BALD, "Random", "LBB (pairwise)", "BALD"),
                at=200,
            ),
        ),
    ),
    Decision(
        "no copies, 20 to 200 labels",
        "any method that samples",
        (
            Means("reduced_10_seeds/mnist_mlp_small", (_POWER_BALD, _POWER_PAIRWISE, "LBB (tree)", "Random")),
            Means("fashion_mnist_small", (_POWER_BALD, _POWER_PAIRWISE, "LBB (pairwise)", "Random", "BALD")),
        ),
    ),
    Decision(
        "a small, clean pool",
        "`margin`; among the methods that rest on mutual information, `power_lbb`, pairwise, α = 5",
        (
            Means(
                "digits_50_seeds/digits",
                (
                    *("Margin", "BAIT", _POWER_PAIRWISE, "LBB (pairwise)", _POWER_BALD),
                    *("BatchBALD", "LBB (tree)", "BALD", "Random"),
                ),
            ),
        ),
    ),
    Decision(
        "MC dropout, K of 25 or 100",
        "a method that samples",
        (
            Means(
                "reduced_10_seeds/mnist_mc_dropout_mlp_small",
                (_POWER_PAIRWISE, _POWER_BALD, "Random", "LBB (pairwise)", "BALD"),
            ),
            Means(
                "mc_dropout_small/mnist_mc_dropout_small",
                (_POWER_PAIRWISE, _POWER_BALD, "Random", "LBB (pairwise)", "BALD"),
            ),
        ),
    ),
    Decision(
        "few draws, b of 20 or more",
        "a method that samples; without sampling the tree, not pairwise",
        (
            Means(
                "reduced_b=20/mnist_mlp_small_b=20",
                (_POWER_BALD, _POWER_PAIRWISE, "Random", "LBB (tree)", "BALD", "LBB (pairwise)"),
            ),
            Means(
                "characters/emnist_mlp_small",
                (_POWER_BALD, _POWER_PAIRWISE, "Random", "LBB (tree)", "BALD", "LBB (pairwise)"),
            ),
        ),
    ),
    Decision(
        "text, frozen encoder",
        "`power_lbb`, or `badge`",
        (
            Means("ag_news/ag_news_frozen_mc_dropout", (_POWER_TREE, _POWER_PAIRWISE, "BADGE", "Random")),
            Means("ag_news/ag_news_frozen_mc_dropout_b=50", (_POWER_PAIRWISE, "BADGE", "Random")),
        ),
    ),
    Decision(
        "embeddings, a linear head, b = 100",
        "`margin`",
        (
            Means(
                "compared/cifar10_embeddings_2000",
                (
                    *("Margin", "Least confident", "Entropy", "LBB (tree)", "BALD", "BADGE"),
                    *("Power LBB (tree), α = 1", "Random", "LBB (pairwise)"),
                ),
            ),
        ),
    ),
    Decision(
        "embeddings, an ensemble of heads, b = 100",
        "`margin`, `badge` or a method that samples",
        (
            Means(
                "compared/cifar10_embeddings_ensemble_2000",
                ("Margin", "BADGE", "Power LBB (tree), α = 1", "PowerBALD, α = 1", "Random", "LBB (tree)", "Core-set"),
            ),
        ),
    ),
    Decision(
        "embeddings, a linear head, b = 20",
        "`lbb`, pairwise, with 100 draws of `laplace`; `margin` is faster",
        (
            Means(
                "compared/cifar10_embeddings_b=20",
                ("LBB (pairwise)", "TypiClust", "Margin", "LBB (tree)", "BADGE", "BALD", "Random"),
            ),
            Means(
                "compared/cifar10_embeddings_b=20_2000",
                ("LBB (pairwise)", "LBB (tree)", "Margin", "BALD", "BADGE", "TypiClust", "Random"),
            ),
        ),
    ),
    Decision(
        "the first batch, on embeddings",
        "`typiclust`",
        (Means("compared/cifar10_embeddings", ("TypiClust", "Margin", "LBB (tree)", "Random"), at=200),),
    ),
    Decision(
        "100 labels a batch or more",
        "`power_lbb`, tree",
        (Time("paper.jsonl", "Power LBB (tree)", "power_lbb", 100),),
    ),
    Decision(
        "about 100 classes",
        "on embeddings `typiclust`, then `cluster_margin` or `margin`; otherwise `power_lbb`, tree",
        (
            Difference("own_data/banking77", Comparison("Power LBB (tree), α = 1", "Random")),
            Means(
                "compared/banking77_laplace",
                ("TypiClust", "Margin", "Cluster-Margin", "BADGE", "Power LBB (tree), α = 1", "Random", "BALD"),
            ),
            Means(
                "compared/banking77_ensemble",
                ("TypiClust", "Cluster-Margin", "Power LBB (tree), α = 1", "Margin", "BADGE", "Random", "BALD"),
            ),
            Time("many_classes.jsonl", "LBB (tree)", "lbb", 200),
        ),
    ),
    Decision(
        "1,000 classes",
        '`power_lbb` with `pairs="chi2"`, or `log_det`',
        note="A pair costs the same for any number of classes ([Speed](speed.md)). Accuracy: **not measured**",
    ),
    Decision(
        "predictions for data other than the pool",
        "`epig` with `targets`",
        note="**Not measured**: our runs draw the targets from the pool",
    ),
    Decision(
        "a comparison with the paper's published code",
        "`lbb_released`",
        note="It is the score that this code computes; it is not Eq. 2.12",
    ),
)


def write(path: Path, results: Path) -> None:
    """Writes the table to ``path`` (Markdown)."""
    shown = [each for decision in DECISIONS for each in decision.evidence]
    folders = {each.folder for each in shown if not isinstance(each, Time)}
    runs = [run for folder in sorted(folders) for run in _experiment(folder, results).runs["path"].unique()]
    times = [results / "benchmark" / each.file for each in shown if isinstance(each, Time)]
    sources = [*stored_runs.files(tuple(map(Path, runs))), *times, *cache.code(sys.modules[__name__], evidence)]
    cache.make(path, sources, partial(table, results))


def table(results: Path) -> str:
    """The table in Markdown."""
    rows = [
        (each.situation, each.take, markdown.long(". ".join(_texts(each, results))), _seeds(each, results))
        for each in DECISIONS
    ]
    columns = ["your situation", "take", "evidence", "seeds"]
    return markdown.table(pd.DataFrame(rows, columns=columns).set_index(columns[0]))


def _texts(decision: Decision, results: Path) -> Iterator[str]:
    for each in decision.evidence:
        match each:
            case Means():
                yield _text_of_means(each, results)
            case Difference():
                yield _text_of_difference(each, results)
            case Time():
                yield _text_of_time(each, results)
    if decision.note:
        yield decision.note


def _text_of_means(of_one: Means, results: Path) -> str:
    shown = means(of_one, results).sort_values(ascending=False, kind="stable")
    what = "mean of the curve" if of_one.at is None else f"{of_one.at} labels"
    values = "; ".join(f"{name}: {value:.3f}" for name, value in shown.items())
    return f"{evidence.where(_experiment(of_one.folder, results))}, {what}. {values}"


def _text_of_difference(of_one: Difference, results: Path) -> str:
    areas = evidence.areas(results)
    found = evidence.compare(areas[areas["folder"] == of_one.folder], [of_one.comparison]).iloc[0]
    return f"{found['where']}, area. {of_one.comparison}: {markdown.interval(found)}"


def _text_of_time(of_one: Time, results: Path) -> str:
    wanted = {"case": of_one.case, "b": of_one.batch_size, "redundancy": "tree"}
    rows = read_times(results / "benchmark" / of_one.file)
    (row,) = (row for row in rows if wanted.items() <= row.items())
    size = f"{row['N']:,} points, {row['K']} draws, {row['C']} classes"
    seconds, ratio = row["milliseconds"] / 1000, row["ratio_to_bald"]
    return f"Time of {of_one.name}, b = {of_one.batch_size}, {size}: {seconds:.2g} s, {ratio:.1f} times BALD"


def _seeds(decision: Decision, results: Path) -> str:
    folders = {each.folder for each in decision.evidence if not isinstance(each, Time)}
    counts = {_experiment(folder, results).runs["seed"].nunique() for folder in folders}
    return " and ".join(map(str, sorted(counts)))
