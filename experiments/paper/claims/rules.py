"""How a claim of the paper is decided: which runs it is about, which difference, on which side of 0 it should lie."""

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import pandas as pd

from lbb_jax import analysis
from lbb_jax.analysis.verdicts import Decision, Side, Verdict, decide

# Stands for the posterior of whatever runs are compared.
ANY = ""
# Final errors that differ by less, as a share of the error, are level.
ERROR_MARGIN = 0.1

# Measures a learning curve: labels and accuracies, both ``[rounds]``, to a number.
Measure = Callable[[np.ndarray, np.ndarray], float]


def area(labels: np.ndarray, accuracies: np.ndarray) -> float:
    """The mean accuracy over the range of labels, by the trapezoidal rule."""
    return float(np.trapezoid(accuracies, labels) / (labels[-1] - labels[0]))


def final(labels: np.ndarray, accuracies: np.ndarray) -> float:
    """The accuracy with all labels."""
    return float(accuracies[-1])


def from_labels(first: int) -> Measure:
    """The mean accuracy over the range from ``first`` labels on; the final accuracy if there are no more."""

    def measure(labels: np.ndarray, accuracies: np.ndarray) -> float:
        is_wanted = labels >= min(first, labels[-1])
        return area(labels[is_wanted], accuracies[is_wanted]) if is_wanted.sum() > 1 else final(labels, accuracies)

    return measure


@dataclass(frozen=True)
class Run:
    """A run that a claim speaks of.

    Attributes:
      method: The method's name.
      options: Options of the method that it must have.
      posterior: The name of its posterior, or `ANY`.
    """

    method: str
    posterior: str
    options: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True)
class Part:
    """A claim about one difference: the sum of weighted runs, seed by seed.

    Attributes:
      text: What is claimed: "LBB above BALD".
      terms: Weights and runs.
      side: Where the sum is claimed to lie.
      measure: The number that is computed from each run's curve.
    """

    text: str
    terms: tuple[tuple[float, Run], ...]
    side: Side
    measure: Measure = area


@dataclass(frozen=True)
class RunClaim:
    """A claim that runs decide.

    Attributes:
      number: The claim's number.
      source: Where the paper makes it.
      text: What it says.
      datasets: The data sets that it is about; a repeated one has an ``r`` before its name.
      parts: By the form of LBB, what it says of each; the claim holds if all of them do.
      batch_size: The batch size that it is about; None for any.
      command: What makes the runs.
    """

    number: int
    source: str
    text: str
    datasets: tuple[str, ...]
    parts: Mapping[str, tuple[Part, ...]]
    command: str
    batch_size: int | None = None


class Setting(NamedTuple):
    """Runs that can be compared, whatever their method and posterior.

    Attributes:
      dataset: The data set's name.
      network: The network's name.
      batch_size: Points acquired in a round.
      reduced: What was left out of the data set; empty for nothing.
      setup: What else tells the runs from others; empty for nothing.
    """

    dataset: str
    network: str
    batch_size: int
    reduced: str
    setup: str

    def describe(self) -> str:
        """The setting in words."""
        parts = [self.dataset, self.network, f"b = {self.batch_size}", self.reduced, self.setup]
        return ", ".join(filter(None, parts))


class Curves(NamedTuple):
    """The learning curves of a run, and what the run is.

    Attributes:
      setting: What they can be compared with.
      posterior: The posterior's name.
      acquisition: The section ``acquisition`` of the run's configuration.
      by_seed: Labels and accuracies, ``[rounds]`` both, by the seed.
    """

    setting: Setting
    posterior: str
    acquisition: Mapping[str, Any]
    by_seed: Mapping[int, tuple[np.ndarray, np.ndarray]]


class PartResult(NamedTuple):
    """A part of a claim in one setting, decided; or, without a decision, open.

    Attributes:
      claim: The claim's number.
      form: The form of LBB that it is about.
      part: What is claimed.
      setting: Where it was tried; empty where it was not.
      decision: What the runs say; None where there are none, or fewer than two seeds.
    """

    claim: int
    form: str
    part: str
    setting: str
    decision: Decision | None

    @property
    def verdict(self) -> Verdict:
        """What the runs say, undecided where there are none."""
        return Verdict.UNDECIDED if self.decision is None else self.decision.verdict


def load_curves(root: Path) -> list[Curves]:
    """The runs in all folders below ``root``, those of one folder compared with one another as in figures."""
    folders = sorted({config.parent.parent for config in root.rglob("config.json")})
    return [curves for folder in folders for curves in _of_folder(folder)]


def _of_folder(folder: Path) -> Iterator[Curves]:
    paths = sorted(path.parent for path in folder.glob("*/config.json") if (path.parent / "metrics.jsonl").exists())
    if not paths:
        return
    described = dict(zip(map(str, paths), analysis.describe_runs(paths), strict=True))
    runs = analysis.load_runs(paths)
    for path, of_run in runs.groupby("path", sort=False):
        first = of_run.iloc[0]
        setting = Setting(
            first["dataset"], first["network"], int(first["batch_size"]), first["reduced"], first["setup"]
        )
        by_seed = {
            int(seed): (rows["labels"].to_numpy(), rows["accuracy"].to_numpy(np.float64))
            for seed, rows in of_run.sort_values("labels").groupby("seed")
        }
        yield Curves(setting, first["posterior"], described[path].config["acquisition"], by_seed)


def decide_claim(claim: RunClaim, curves: Sequence[Curves]) -> list[PartResult]:
    """Decides each part of a claim in each setting that has its runs; Holm's correction is over those of one form."""
    settings = dict.fromkeys(
        run.setting
        for run in curves
        if run.setting.dataset in claim.datasets and claim.batch_size in (None, run.setting.batch_size)
    )
    rows = []
    for form, parts in claim.parts.items():
        tried = [(part, setting, _differences(part, setting, curves)) for part in parts for setting in settings]
        tried = [found for found in tried if len(found[2]) > 1]
        decisions = decide([(differences, part.side) for part, _, differences in tried])
        rows += [
            PartResult(claim.number, form, part.text, setting.describe(), decision)
            for (part, setting, _), decision in zip(tried, decisions, strict=True)
        ]
        decided = {part.text for part, _, _ in tried}
        rows += [PartResult(claim.number, form, part.text, "", None) for part in parts if part.text not in decided]
    return rows


def decide_profile(claim: RunClaim, curves: Sequence[Curves]) -> list[PartResult]:
    """Decides a claim by the logarithms of final errors, a difference for each setting and posterior."""
    problems = dict.fromkeys((run.setting, run.posterior) for run in curves)
    rows = []
    for form, parts in claim.parts.items():
        found = []
        for part in parts:
            errors = [
                _log_errors(part, [run for run in curves if (run.setting, run.posterior) == problem])
                for problem in problems
            ]
            found.append((np.array([error for error in errors if error is not None]), part))
        tried = [(differences, part) for differences, part in found if len(differences) > 1]
        decisions = decide([(differences, part.side) for differences, part in tried], margin=ERROR_MARGIN)
        by_part = {
            part.text: (decision, len(differences))
            for (differences, part), decision in zip(tried, decisions, strict=True)
        }
        for part in parts:
            decision, count = by_part.get(part.text, (None, 0))
            rows.append(PartResult(claim.number, form, part.text, f"{count} experiments" if count else "", decision))
    return rows


def _log_errors(part: Part, runs: Sequence[Curves]) -> float | None:
    """By how much the logarithm of the error falls, the error being the mean over the seeds that all runs have.

    None where a run is missing or makes no errors, and where they have fewer than two seeds in common.
    """
    found = _runs_of(part, runs)
    if found is None:
        return None
    seeds = set.intersection(*(set(run.by_seed) for _, run in found))
    if len(seeds) < 2:
        return None
    errors = [1 - np.mean([final(*run.by_seed[seed]) for seed in seeds]) for _, run in found]
    if min(errors) <= 0:
        return None
    return -sum(weight * float(np.log(error)) for (weight, _), error in zip(found, errors, strict=True))


def _differences(part: Part, setting: Setting, curves: Iterable[Curves]) -> np.ndarray:
    """The sum of the part's weighted runs for each seed that all of them have; empty where a run is missing."""
    found = _runs_of(part, [run for run in curves if run.setting == setting])
    if found is None:
        return np.empty(0)
    terms = [
        weight * pd.Series({seed: part.measure(*curve) for seed, curve in run.by_seed.items()}) for weight, run in found
    ]
    return pd.concat(terms, axis=1).dropna().sum(axis=1).to_numpy()


def _runs_of(part: Part, runs: Sequence[Curves]) -> list[tuple[float, Curves]] | None:
    """The runs that the part's terms name, with their weights; None where one is missing.

    Where a method was run several times, the run with the most seeds counts.
    """
    found = [
        (weight, max((run for run in runs if _is(wanted, run)), key=lambda run: len(run.by_seed), default=None))
        for weight, wanted in part.terms
    ]
    present = [(weight, run) for weight, run in found if run is not None]
    return present if len(present) == len(found) else None


def _is(wanted: Run, run: Curves) -> bool:
    return (
        wanted.posterior in (ANY, run.posterior)
        and run.acquisition["method"] == wanted.method
        and all(run.acquisition.get(name) == value for name, value in wanted.options.items())
    )
