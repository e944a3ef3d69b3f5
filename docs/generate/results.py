"""Writes the page of all results: results/README.md with the figures and tables of the runs that its commands make."""

import re
import sys
from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path

import numpy as np
import pandas as pd

from generate import cache, markdown, stored_runs
from generate.stored_runs import Experiment
from lbb_jax import analysis, figures
from lbb_jax.errors import ExperimentError
from paper.approximation import figures as approximation
from paper.approximation import measurements

_SECTION = re.compile(r"^(?=##+ )", flags=re.MULTILINE)
_WORKDIR = re.compile(r"--workdir=runs/([^\s`]+)")
_DRAWN = ("learning_curves", "area_differences")


def write(path: Path, results: Path) -> None:
    """Writes the page to ``path``, and the figures into the folder of its name.

    Each section of results/README.md is followed by what its commands' folders hold. Folders that no section has a
    command for come last.
    """
    shown: set[str] = set()
    parts = []
    for section in _SECTION.split((results / "README.md").read_text(encoding="utf-8")):
        parts.append(section.rstrip() + "\n")
        for name in dict.fromkeys(_WORKDIR.findall(section)):
            of_command = _fragments(results / name, path.with_suffix(""), results)
            parts += [text for folder, text in of_command.items() if folder not in shown]
            shown |= of_command.keys()
    others = _fragments(results, path.with_suffix(""), results)
    others = [text for folder, text in others.items() if text and folder not in shown]
    parts += ["## Further runs\n", *others] if others else []
    path.write_text("\n".join(parts), encoding="utf-8")


def _fragments(root: Path, output: Path, results: Path) -> dict[str, str]:
    """What is shown of each folder of runs, or of measurements of the approximation, that ``root`` holds."""
    texts = {}
    for name, paths in stored_runs.folders(root, results).items():
        texts[name] = _fragment(output, name, stored_runs.files(paths), partial(_of_runs, name=name, paths=paths))
    for path in sorted(root.rglob("measurements.jsonl")):
        name = path.parent.relative_to(results).as_posix()
        texts[name] = _fragment(output, name, [path], partial(_of_measurements, path=path))
    return texts


def _fragment(output: Path, name: str, sources: Sequence[Path], make: Callable[[Path], str]) -> str:
    """The text that ``make`` returns for a folder that it puts figures into, kept beside them."""
    folder = output / name.replace("/", "-").replace("=", "_")
    return cache.make(
        folder / "page.md", [*sources, *cache.code(sys.modules[__name__], approximation)], lambda: make(folder)
    )


def _of_runs(folder: Path, *, name: str, paths: tuple[Path, ...]) -> str:
    """The experiments of one folder."""
    experiments = enumerate(stored_runs.experiments(name, paths))
    return "\n".join(_of_experiment(folder, number, experiment) for number, experiment in experiments)


def _of_experiment(folder: Path, number: int, experiment: Experiment) -> str:
    runs = experiment.runs
    first = analysis.with_empty_texts(runs).iloc[0]
    parts = [f"### {figures.describe_experiment(first)}\n", _size(experiment)]
    if runs["variant"].nunique() == 1:
        return "\n".join([*parts, markdown.table(summary(runs))])
    for name in _DRAWN:
        try:
            figure, _ = figures.FIGURES[name].draw(runs)
        except ExperimentError:
            # With one seed, or without random, there is no difference to draw.
            continue
        path = folder / f"{name}{number or ''}.svg"
        figures.save(figure, path)
        parts.append(markdown.figure(path, figure.axes[0].get_title()))
    parts.append(markdown.folded("The numbers", markdown.table(summary(runs))))
    return "\n".join(parts)


def _size(experiment: Experiment) -> str:
    """How much was run, and what was reduced, in a sentence."""
    runs = experiment.runs
    seeds = figures.range_of(runs.groupby("variant")["seed"].nunique())
    labels = f"{runs['labels'].min():,} to {runs['labels'].max():,} labels"
    methods = str(runs["variant"].nunique())
    count = f"{_counted(methods, 'method')}, {_counted(seeds, 'seed')}, {labels}"
    reduced = analysis.with_empty_texts(runs)["reduced"].iloc[0]
    hours = f"{runs['seconds'].sum() / 3600:.1f} hours"
    reduction = f"Reduced: {reduced}. " if reduced else ""
    return f"{count}, {hours}. {reduction}The files are in `results/{experiment.name}`.\n"


def _counted(number: str, noun: str) -> str:
    return f"{number} {noun}{'' if number == '1' else 's'}"


def summary(runs: pd.DataFrame) -> pd.DataFrame:
    """Accuracies at four numbers of labels, the mean of the curve, and the area minus random's with its interval."""
    sizes = np.unique(runs["labels"])
    at_labels = sizes[np.unique(np.linspace(0, len(sizes) - 1, 5).astype(int))][1:].tolist()
    table = analysis.summarise(runs, at_labels=at_labels).drop(columns="seconds")
    try:
        differences = analysis.paired_differences(analysis.areas_under_curve(runs)).set_index("variant")
    except ExperimentError:
        return table
    texts = {row.Index: markdown.interval(row) for row in differences.itertuples()}
    return table.assign(**{"area minus random's": pd.Series(texts)})


def _of_measurements(folder: Path, *, path: Path) -> str:
    records = measurements.read(path)
    parts = []
    for name, draw in approximation.FIGURES.items():
        figure = draw(records)
        figures.save(figure, folder / f"{name}.svg")
        parts.append(markdown.figure(folder / f"{name}.svg", figure.get_suptitle()))
    first, *others = parts
    heading = path.parent.name.replace("_", " ").capitalize()
    return "\n".join([f"### {heading}\n", first, markdown.folded("Further figures", "\n".join(others))])
